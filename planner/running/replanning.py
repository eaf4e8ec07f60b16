"""How a plan is changed while it is run: whole or not at all, as an event that tells each difference, by one writer.

A parent whose subtask has failed for good waits until nothing below it goes on by itself; then what is open of its plan
is planned anew. If that is given up, the parent is FAILED, and the plan around it is changed instead, if it may be. So
what the model is told depends on what came of tasks, and not on which was quicker, and a run that is killed asks the
same once more, which the journal knows.
"""

from collections.abc import Collection, Iterator
from typing import Any

from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.replan import BY, Replanner, left_to_plan, not_replanned
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.store.changes import Change, TaskChanged, TaskEdited
from ramify.planner.work.steps import StepLog
from ramify.tasks import Task, TaskState
from ramify.tasks.replies.replans import Replan
from ramify.tasks.tree.graph import unfinished
from ramify.tasks.tree.node import index_of, is_below, walk_up
from ramify.tasks.tree.replanning import Changed, change_plan, is_stuck
from ramify.tasks.tree.schedule import Scheduler

from .attaching import Attaching
from .endings import because_of

_OVER = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.DELETED})


class Replanning:
    """Changes the plan of one run.

    Args:
        recorder: writes what is changed.
        attaching: lets new tasks be part of the run.
        steps: the steps that workers have taken.
        replanner: says which failures have the plan around them changed.
    """

    def __init__(self, recorder: Recorder, attaching: Attaching, steps: StepLog, replanner: Replanner) -> None:
        self._replanner = replanner
        self._recorder = recorder
        self._attaching = attaching
        self._steps = steps
        self._waiting: dict[Task, None] = {}

    def is_for(self, task: Task) -> bool:
        """Return whether the plan around `task`, which has failed, is to be changed."""
        return self._replanner.is_for(task)

    def take_up(self, task: Task, *, may_go_up: bool) -> bool:
        """Have the plan around `task` changed if that is still to be done of a task that another process left FAILED.

        It is not if the plan was given up, which the error tells, or if the task never ran, as what it needs failed.

        Args:
            task: the task.
            may_go_up: whether the plan around its parent may be changed where its own could not be.

        Returns:
            Whether it is.
        """
        parent = task.parent
        if parent is None or parent.state is not TaskState.OPEN or not self.is_for(task):
            return False
        if not _is_given_up(task):
            if is_left := not _has_failed_needs(task):
                self.wait_for(task)
            return is_left
        if not may_go_up or not self._goes_up(parent):
            return False
        self.wait_for(parent)
        self._recorder.fail_too(parent, error=f"{because_of(task)}{left_to_plan(parent)}")
        return True

    async def go_up(self, parent: Task) -> bool:
        """Let `parent`, whose plan could not be changed, be FAILED, and have the plan around it changed, if it may be.

        Returns:
            Whether it may be.

        Raises:
            StoreError, LeaseError: as `carry_out`.
        """
        if not self._goes_up(parent):
            return False
        self.wait_for(parent)
        why = because_of(self.failed_below(parent)[0])
        await self._recorder.fail(parent, error=f"{why}{left_to_plan(parent)}")
        return True

    def _goes_up(self, parent: Task) -> bool:
        """Return whether the plan around `parent` is changed, as its own could not be: one level up, and no further.

        What has failed below it says that its own could not be, also after a kill.
        """
        failed = self.failed_below(parent)
        is_given_up = bool(failed) and all(each.is_leaf and _is_given_up(each) for each in failed)
        return is_given_up and self._replanner.may_be_for(parent)

    def wait_for(self, task: Task) -> None:
        """Have the plan around `task`, which has failed, changed as soon as nothing in it goes on by itself."""
        if task.parent is not None:
            self._waiting[task.parent] = None

    def waits_for(self, task: Task) -> bool:
        """Return whether the plan around `task` is still to be changed, as it has failed."""
        return task.parent in self._waiting and self._replanner.is_for(task)

    def failed_below(self, parent: Task) -> list[Task]:
        """Return the subtasks of `parent` because of which its plan is changed."""
        return self._replanner.failed_below(parent)

    def next(self, performing: Collection[Task], *, is_carried_on: bool, is_at_rest: bool) -> Task | None:
        """Return a task whose plan is to be changed now, and count it as taken; None if all have to wait.

        Args:
            performing: what is being done; nothing else is ready.
            is_carried_on: whether what a failure holds up that no plan mends goes on without it, or fails too. That
                comes once the failure is on disk, so until then it only looks as if nothing went on.
            is_at_rest: whether nothing goes on in the whole tree, also if this returns None. Then plans wait for what
                has failed in others, and the first of them, in tree order, is changed.
        """
        for parent in list(self._waiting):
            is_over = parent.state in _OVER or (parent not in performing and not self.failed_below(parent))
            if is_over:
                del self._waiting[parent]
            elif self._is_alone(parent, performing) and is_stuck(parent, self._holding(parent, is_carried_on)):
                del self._waiting[parent]
                return parent
        return self._first_alone() if is_at_rest and self._waiting else None

    def _first_alone(self) -> Task:
        """Return the first plan in tree order below which none is to be changed, and count it as taken."""
        some = next(iter(self._waiting))
        root = [some, *some.ancestors()][-1]
        parent = next(task for task in root.walk() if task in self._waiting and self._is_alone(task, ()))
        del self._waiting[parent]
        return parent

    def _holding(self, parent: Task, is_carried_on: bool) -> list[Task]:  # noqa: FBT001 - as `next` has it
        """Return the failures below `parent` that hold up others until its plan is changed, or for good."""
        if is_carried_on:
            return self.failed_below(parent)
        return [task for task in unfinished(parent) if task.state is TaskState.FAILED]

    def _is_alone(self, parent: Task, performing: Collection[Task]) -> bool:
        others = (each for each in self._waiting if each is not parent)
        return not any(is_below(each, parent) for each in (*performing, *others))

    async def carry_out(self, parent: Task, replan: Replan, failed: Collection[Task], scheduler: Scheduler) -> Changed:
        """Make the changes of `replan` below `parent`, where `failed` made it necessary; on disk then.

        Raises:
            StoreError: if it could not be written; the plan is the old one there.
            LeaseError: if another process has taken the run over.
        """
        changed = await self.make(parent, replan, by=BY, failed={task.id: task.error or "" for task in failed})
        for task, needed in changed.needs:
            scheduler.needs(task, needed)
        for task in changed.deleted:
            scheduler.finished(task)
        for task in changed.reopened:
            scheduler.released(task)
        return changed

    async def make(self, parent: Task, replan: Replan, **told: Any) -> Changed:
        """Make the changes of `replan`, which were asked for `parent`; as `carry_out`, but where nothing is running."""
        changed = change_plan(parent, replan)
        changes: list[Change] = [*self._attaching.enter(changed.added, origin="added", is_told=False)]
        changes += self._changes(changed)
        await self._recorder.commit(
            EventType.PLAN_EDITED,
            parent,
            *changes,
            changes=[each.to_data() for each in changed.differences],
            redone=[task.id for task in changed.reopened],
            below=parent.id,
            **told,
        )
        failpoint("after-edit-commit")
        self._attaching.on_attached(changed.added)
        return changed

    def _changes(self, changed: Changed) -> Iterator[Change]:
        for task in changed.edited:
            yield TaskEdited.of(task)
        for task in dict.fromkeys((*changed.reopened, *changed.deleted)):
            yield TaskChanged.of(task)
            yield self._steps.forget(task.id)


def _is_given_up(task: Task) -> bool:
    """Return whether the plan around `task` could not be changed."""
    return task.parent is None or f"; {not_replanned(task.parent)}" in (task.error or "")


def _has_failed_needs(task: Task) -> bool:
    by_id = index_of(task).by_id
    return any(by_id[need].state is TaskState.FAILED for each in (task, *walk_up(task)) for need in each.dependencies)
