"""How tasks come into the tree of a run: within its limit, with accounts of their own, and known to the run loop."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ramify.planner.asking.budget import Budget
from ramify.planner.errors import LimitError, TooLongError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.fitting import Known
from ramify.planner.planning.growing import Growth
from ramify.planner.planning.split import Grown, Parts, PlanLimits, Whole
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.store.changes import Change, TaskAdded, TaskEdited
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.prompt_variables import tasks_of_plan
from ramify.tasks.replies.grammar import Plan
from ramify.tasks.tree.node import index_of
from ramify.tasks.tree.partial import LACKS
from ramify.tasks.tree.running import put

if TYPE_CHECKING:
    from asyncio import Future

_TOKEN_CHARACTERS = 6
"""How many characters of a document are a token at the most, on an average."""


class Attaching:
    """Attaches tasks to the tree of one run.

    Args:
        root: the tree.
        recorder: writes what is attached.
        budget: keeps the accounts of its tasks.
        limits: how many tasks there may be, and how deep; None is no limit.
    """

    def __init__(self, root: Task, recorder: Recorder, budget: Budget, *, limits: PlanLimits | None = None) -> None:
        self._recorder = recorder
        self._budget = budget
        self.total = sum(task.state is not TaskState.DELETED for task in index_of(root).by_id.values())
        self.max_tasks = None if limits is None else limits.max_tasks
        self.max_depth = None if limits is None else limits.max_depth
        self._most = None if limits is None else limits.max_children
        self._kept_free: dict[Task, int] = {}
        self.on_attached: Callable[[Sequence[Task]], object] = list

    def room(self) -> int | None:
        """Return how many tasks the tree may have more; None is no limit."""
        return None if self.max_tasks is None else max(0, self.max_tasks - self.total)

    def has_room(self, count: int) -> bool:
        """Return whether the tree may have so many tasks more."""
        return self.max_tasks is None or self.total + sum(self._kept_free.values()) + count <= self.max_tasks

    def has_level_below(self, task: Task) -> bool:
        """Return whether the tree may have a level more below `task`."""
        return self.max_depth is None or task.get_depth() < self.max_depth

    def attach(
        self, parent: Task, tasks: Sequence[Task], *, origin: str | None = None, is_told: bool = True
    ) -> list[TaskAdded]:
        """Put `tasks`, with all below them, at the end of the subtasks of `parent`; return what is to be written of it.

        Args:
            parent: the task that they are part of.
            tasks: the new tasks.
            origin: where they come from; None leaves it as it is.
            is_told: whether the run loop is told of them at once; if not, that is left to the caller.

        Raises:
            TreeError, DependencyError, CycleError: if they cannot be attached; nothing was changed.
        """
        parent.subtasks.take(tasks)
        return self.enter(tasks, origin=origin, is_told=is_told)

    def enter(self, tasks: Sequence[Task], *, origin: str | None = None, is_told: bool = True) -> list[TaskAdded]:
        """Let `tasks`, which hang on the tree with all below them, be part of the run; otherwise as `attach`."""
        new = [each for top in tasks for each in top.walk()]
        for each in new:
            if origin is not None:
                put(each, origin=origin)
            self._budget.open(each)
        self.total += len(new)
        self._budget.near("max_tasks", self.total, self.max_tasks)
        if is_told:
            self.on_attached(tasks)
        return [TaskAdded.of(each) for each in new]

    def growth(self, task: Task) -> Growth:
        """Return what attaches the subtasks of `task` while their plan is being written, and keep room free for them.

        Where there is none for the longest plan, they are attached when it is whole.
        """
        self._kept_free.pop(task, None)
        most = (self._most or 0) - len(task.subtasks)
        is_live = self.has_room(most)
        if is_live:
            self._kept_free[task] = most
        return Growth(task, self._grow, self._recorder.redactor.text, is_live=is_live)

    def _grow(self, task: Task, new: Sequence[Task]) -> None:
        """Attach `new` subtasks of `task`, whose plan is not whole yet; they begin once they are on disk."""
        self._kept_free[task] = max(0, self._kept_free.get(task, 0) - len(new))
        added = self.attach(task, new, is_told=False)
        self._recorder.put(EventType.PLAN_GROWN, task, *added, subtasks=[child.id for child in new])

        def tell(written: "Future[None]") -> None:
            if not written.cancelled() and written.exception() is None:
                failpoint("after-grown-commit")
                self.on_attached(new)

        self._recorder.writer.written().add_done_callback(tell)

    def check_parts(self, task: Task, parts: Parts) -> None:
        """Check that the limits leave room for `parts` of `task`, and for the calls and tokens that they take at least.

        Raises:
            LimitError: if a limit of the run does not; it goes on with a higher one.
            TooLongError: if they would stand too deep.
        """
        count = len(parts.tasks)
        what = f"task {task.id} has documents too long for one prompt, and reading them in {count} parts"
        if not self.has_level_below(task):
            deeper = task.get_depth() + 1
            raise TooLongError(
                f"{what} needs one level more than max_depth = {self.max_depth}; use --max-depth {deeper}"
            )
        if not self.has_room(count):
            told = f"{what} makes {self.total + count} tasks, more than max_tasks = {self.max_tasks}"
            raise LimitError(told, limit="max_tasks", options=("--max-tasks", str(self.total + count)))
        read = [each.part for part in parts.tasks for each in part.attachments if each.part is not None]
        tokens = sum(end - start for start, end in read) // _TOKEN_CHARACTERS
        self._budget.check_left(task, what, max_calls=count + 1, max_tokens=tokens)

    async def settle(self, task: Task, verdict: Plan | Whole | Parts | Grown | Known) -> bool:
        """Attach the plan of `task`, or note that it stays whole; return whether it has been split. On disk then.

        Raises:
            StoreError: if it could not be written.
            LeaseError: if another process has taken the run over.
        """
        self._kept_free.pop(task, None)
        if isinstance(verdict, Parts):
            await self._split(task, verdict.tasks)
            return True
        count = _count_of(verdict)
        if not self.has_room(count):
            why = f"its {counted(count, 'subtask')} would exceed max_tasks = {self.max_tasks}"
            verdict = Whole(why, is_unusual=True) if task.is_leaf else Grown(lacks=f"{why} and are left out")
        if isinstance(verdict, Whole):
            if verdict.is_unusual:
                self._recorder.put(EventType.WARNING, task, message=f"task {task.id} is not split: {verdict.why}")
            await self._recorder.kept_whole(task, verdict.why)
            return False
        if isinstance(verdict, Known):
            told = {"method": verdict.method, "parameters": dict(verdict.parameters)}
            await self._split(task, verdict.tasks, **told)
            return True
        for note in verdict.notes:
            self._recorder.put(EventType.WARNING, task, message=f"task {task.id}: in its plan, {note}")
        if isinstance(verdict, Grown):
            await self._split(task, verdict.rest, *self._lacking(task, verdict.lacks))
        else:
            await self._split(task, tasks_of_plan(task, verdict))
        return True

    def _lacking(self, task: Task, lacks: str) -> Iterator[Change]:
        """Say and note what the plan of `task` lacks, for its answer to tell; yield what is to be written of it."""
        if lacks:
            self._recorder.put(EventType.WARNING, task, message=f"task {task.id}: in its plan, {lacks}", plan="cut")
            put(task, metadata={**task.metadata, LACKS: self._recorder.redactor.text(lacks)})
            yield TaskEdited.of(task)

    async def _split(self, task: Task, subtasks: Sequence[Task], *more: Change, **told: Any) -> None:
        """Attach the subtasks of `task`; none begins before all are on disk."""
        await self._recorder.split(task, [*more, *self.attach(task, subtasks, is_told=False)], **told)
        self.on_attached(subtasks)


def _count_of(verdict: Plan | Whole | Grown | Known) -> int:
    """Return how many tasks come into the tree by a verdict."""
    if isinstance(verdict, Known):
        return sum(1 for top in verdict.tasks for _ in top.walk())
    return 0 if isinstance(verdict, Whole) else len(verdict.rest if isinstance(verdict, Grown) else verdict.tasks)
