"""Replanning: what is asked when a task of a plan has failed for good, and which changes of the plan the reply makes.

It asks, and changes nothing. It is local: one call about what is open below one parent, and, where that leads nowhere,
one about the plan that this parent is in. A plan is changed `max_replans`
times at the most, and none comes back to words that have failed, or were given up, before. Where a person wants the
plan changed, one call is about all that is open, on every level, as their words are about the whole goal.
"""

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ramify.planner.asking.asker import Asker
from ramify.planner.asking.budget import Configs
from ramify.planner.errors import WorkFailedError
from ramify.planner.models.protocol import ModelReply
from ramify.planner.store.records import STEER
from ramify.planner.work.special_types import SCRIPT
from ramify.prompts.blocks import cut
from ramify.prompts.variables import PromptVariables, ReplanVariables, SteerVariables, TaskResult, WorkerCard
from ramify.tasks import ReplyError, Task, TaskError, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.prompt_variables import result_of
from ramify.tasks.replies.grammar import plain_words
from ramify.tasks.replies.replans import OpenPlan, Replan, parse_replan, replan_schema
from ramify.tasks.tree.graph import check_can_end
from ramify.tasks.tree.replanning import (
    change_plan,
    done_tasks,
    given_up_words,
    new_words,
    open_plan,
    open_tasks,
    whole_open_plan,
)

from .split import PlanLimits, Wishes, types_by_schema, types_of

BY = "replan"
"""Who has changed a plan, as the events of changes say: the run, after a failure."""

MOST_STEERED = 500
"""How many open tasks the planner is shown at the most where a person wants the plan changed."""

_MOST_STEERED_CHANGES = 50

_LONGEST_WHY = 2_000
_MOST_GIVEN_UP = 20


@dataclass(frozen=True, slots=True)
class Earlier:
    """How the plan below a task was changed before.

    Attributes:
        times: how often.
        given_up: what was to be done and is not any more, also as a person wanted it, without case and punctuation.
    """

    times: int = 0
    given_up: frozenset[str] = frozenset()

    @classmethod
    def of(cls, task: Task, edits: Sequence[dict[str, Any]]) -> "Earlier":
        """Return what the data of the events of edits say of `task`."""
        mine = [data for data in edits if data.get("by") == BY and data.get("below") == task.id]
        given_up = [data for data in edits if data.get("by") == STEER]
        return cls(
            len(mine), frozenset(words for data in (*mine, *given_up) for words in given_up_words(data["changes"]))
        )


def not_replanned(parent: Task) -> str:
    """Return how the error of a task goes on whose parent could not be replanned."""
    return f"task {parent.id} could not be replanned: "


def left_to_plan(parent: Task) -> str:
    """Return how the error of a task goes on that has failed so that the plan around it is changed."""
    return f"; task {parent.id} is left to the plan around it"


class Replanner:
    """Finds changes of a plan.

    Args:
        limits: how many tasks a plan may have, and how deep they may stand.
        workers: the workers that tasks can be given to, besides the model.
        configs: the limits of each task.
    """

    def __init__(self, limits: PlanLimits, workers: tuple[WorkerCard, ...], configs: Configs) -> None:
        self._limits = limits
        self._workers = workers
        self._configs = configs

    def is_for(self, task: Task) -> bool:
        """Return whether the plan around `task`, which has failed or may fail, is to be changed then."""
        return (task.is_leaf or left_to_plan(task) in (task.error or "")) and self.may_be_for(task)

    def may_be_for(self, task: Task) -> bool:
        """Return whether the plan around `task` may be changed at all."""
        if task.parent is None or task.parent.type == SCRIPT:  # whose plan is the script
            return False
        return self._configs.of(task).recovery == "replan"

    def failed_below(self, parent: Task) -> list[Task]:
        """Return the subtasks of `parent` that have failed and are to be changed."""
        return [child for child in parent.subtasks if child.state is TaskState.FAILED and self.is_for(child)]

    async def replan(self, parent: Task, asker: Asker, *, earlier: Earlier, room: int | None, attempt: int) -> Replan:
        """Ask how the plan below `parent` goes on.

        Args:
            parent: the task whose plan it is; nothing below it runs.
            asker: who is asked.
            earlier: how it was changed before.
            room: how many tasks the tree may have more; None is no limit.
            attempt: the attempt, for the journal.

        Raises:
            WorkFailedError: if it may not be changed again, would come back to what it was, or cannot go on.
            ReplyError: if the reply is malformed, and after the repair again.
            ModelError: if the call failed.
            LimitError: if a limit was reached.
        """
        self._check_times(parent, earlier)
        failed = self.failed_below(parent)
        plan = open_plan(parent, failed, self._may_split)
        most = self._most(room)
        variables = ReplanVariables(
            task_id=parent.id,
            goal=parent.content,
            ancestors=tuple(above.content for above in parent.ancestors())[::-1],
            done=tuple(result_of(child) for child in parent.subtasks if child.state is TaskState.DONE),
            failed=tuple(_with_why(task, task.error) for task in failed),
            open=tuple(_line(task) for task in parent.subtasks if task.state is TaskState.OPEN),
            given_up=tuple(sorted(earlier.given_up))[:_MOST_GIVEN_UP],
            workers=self._workers,
            may_split=bool(plan.splittable),
            max_tasks=most,
            **asker.agent.prompt_settings,
        )
        found = await self._asked(parent, variables, plan, asker, most=most, attempt=attempt)
        _check_new(parent, found, earlier.given_up | {plain_words(task.content) for task in failed})
        return found

    async def steer(self, root: Task, asker: Asker, *, wishes: Wishes, room: int | None, attempt: int) -> Replan:
        """Ask how the plan of `root` goes on as a person wants it.

        Args:
            root: the root of a tree in which nothing runs.
            asker: who is asked.
            wishes: what the person wants, and which tasks had failed when they said so.
            room: how many tasks the tree may have more; None is no limit.
            attempt: the attempt, for the journal.

        Raises:
            WorkFailedError, ReplyError, ModelError, LimitError: as for `replan`.
        """
        plan = whole_open_plan(root, self._may_split, most=_MOST_STEERED_CHANGES)
        most = self._most(room)
        failed = [task for task in open_tasks(root) if task.id in wishes.failed]
        variables = SteerVariables(
            task_id=root.id,
            goal=root.content,
            revisions=wishes.words,
            done=tuple(result_of(task) for task in done_tasks(root)),
            failed=tuple(_with_why(task, wishes.failed[task.id]) for task in failed),
            open=(f"{root.id}: the goal itself", *(_line(task, top=root) for task in open_tasks(root))),
            workers=self._workers,
            may_split=bool(plan.splittable),
            max_tasks=most,
            **asker.agent.prompt_settings,
        )
        return await self._asked(root, variables, plan, asker, most=most, attempt=attempt)

    def _may_split(self, task: Task) -> bool:
        return task.type is None and task.get_depth() < self._limits.max_depth

    def _most(self, room: int | None) -> int:
        """Return how many new tasks there may be at the most."""
        most: int = self._limits.max_children
        return max(1, most if room is None else min(most, room))

    async def _asked(
        self, task: Task, variables: PromptVariables, plan: OpenPlan, asker: Asker, *, most: int, attempt: int
    ) -> Replan:
        """Return what the model wants changed in `plan`.

        Raises:
            WorkFailedError: if it says that it cannot be.
        """
        types = types_of(self._workers)

        def read(reply: ModelReply) -> Replan:
            found = parse_replan(reply.text, plan, finish_reason=reply.finish_reason, max_tasks=most, types=types)
            try:
                _check_can_run(task, found)
            except TaskError as error:
                raise ReplyError(str(error), reply=reply.text) from None
            return found

        schema = replan_schema(plan, max_tasks=most, types=types_by_schema(self._workers))
        found = await asker.ask(task, variables, read, attempt=attempt, schema=schema)
        if found.failed is not None:
            raise WorkFailedError(found.failed.words, task_id=task.id, reason=found.failed.reason)
        return found

    def _check_times(self, parent: Task, earlier: Earlier) -> None:
        most = self._configs.of(parent).max_replans or 0
        if earlier.times >= most:
            done = f"its plan was changed {counted(earlier.times, 'time')}"
            raise WorkFailedError(f"{done}, and max_replans = {most}", task_id=parent.id, reason="other")


def _check_can_run(parent: Task, replan: Replan) -> None:
    """Raise TaskError if a tree that is so changed could not be run: it is tried on a copy."""
    root = deepcopy([parent, *parent.ancestors()][-1])
    change_plan(root.find(parent.id), replan)
    check_can_end(root)


def _check_new(parent: Task, replan: Replan, given_up: Collection[str]) -> None:
    """Refuse changes that bring back what has failed or was given up.

    Raises:
        WorkFailedError: if they do.
    """
    for words in new_words(replan):
        if plain_words(words) in given_up:
            raise WorkFailedError(
                f'its plan would repeat what already failed or was dropped: "{cut(words, 200)}"',
                task_id=parent.id,
                reason="other",
            )


def _with_why(task: Task, error: str | None) -> TaskResult:
    why = cut(error or "unknown reason", _LONGEST_WHY)
    return TaskResult(id=task.id, content=task.content, state=TaskState.FAILED.value, result=why)


def _line(task: Task, *, top: Task | None = None) -> str:
    """Return a task as the prompt shows it; with what it is a part of, if that is not the `top`."""
    needs = [f"needs {' '.join(task.dependencies)}"] if task.dependencies else []
    above = task.parent
    part = [] if top is None or above is None or above is top else [f"a part of {above.id}"]
    told = f" ({', '.join((*part, *needs))})" if part or needs else ""
    return f"{task.id}{told}: {task.content}"
