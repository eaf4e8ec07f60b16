"""How tasks come into the tree of a run: within its limit, with accounts of their own, and known to the run loop."""

from collections.abc import Callable, Sequence

from ramify.planner.asking.budget import Budget
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.split import Whole
from ramify.planner.store.changes import TaskAdded
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.prompt_variables import tasks_of_plan
from ramify.tasks.replies.grammar import Plan
from ramify.tasks.tree.node import index_of
from ramify.tasks.tree.running import put


class Attaching:
    """Attaches tasks to the tree of one run.

    Args:
        root: the tree.
        recorder: writes what is attached.
        budget: keeps the accounts of its tasks.
        max_tasks: the most tasks of the tree; None is no limit.
    """

    def __init__(self, root: Task, recorder: Recorder, budget: Budget, *, max_tasks: int | None = None) -> None:
        self._recorder = recorder
        self._budget = budget
        self.total = len(index_of(root).by_id)
        self.max_tasks = max_tasks
        self.on_attached: Callable[[Sequence[Task]], object] = list

    def has_room(self, count: int) -> bool:
        """Return whether the tree may have so many tasks more."""
        return self.max_tasks is None or self.total + count <= self.max_tasks

    def attach(self, parent: Task, tasks: Sequence[Task], *, origin: str | None = None) -> list[TaskAdded]:
        """Put `tasks`, with all below them, at the end of the subtasks of `parent`; return what is to be written of it.

        Args:
            parent: the task that they are part of.
            tasks: the new tasks.
            origin: where they come from; None leaves it as it is.

        Raises:
            TreeError, DependencyError, CycleError: if they cannot be attached; nothing was changed.
        """
        new = [each for top in tasks for each in top.walk()]
        parent.subtasks.take(tasks)
        for each in new:
            if origin is not None:
                put(each, origin=origin)
            self._budget.open(each)
        self.total += len(new)
        self.on_attached(tasks)
        return [TaskAdded.of(each) for each in new]

    async def settle(self, task: Task, verdict: Plan | Whole) -> bool:
        """Attach the plan of `task`, or note that it stays whole; return whether it has been split. On disk then.

        Raises:
            StoreError: if it could not be written.
            LeaseError: if another process has taken the run over.
        """
        if isinstance(verdict, Plan) and not self.has_room(len(verdict.tasks)):
            many = counted(len(verdict.tasks), "subtask")
            verdict = Whole(f"its {many} would make more than max_tasks = {self.max_tasks}", is_unusual=True)
        if isinstance(verdict, Whole):
            if verdict.is_unusual:
                self._recorder.put(EventType.WARNING, task, message=f"task {task.id} is not split: {verdict.why}")
            await self._recorder.kept_whole(task, verdict.why)
            return False
        for note in verdict.notes:
            self._recorder.put(EventType.WARNING, task, message=f"task {task.id}: in its plan, {note}")
        await self._recorder.split(task, self.attach(task, tasks_of_plan(task, verdict)))
        return True
