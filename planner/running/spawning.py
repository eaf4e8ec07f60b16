"""How the worker of a task adds another one beside it: what cannot be added is refused before anything is changed."""

from ramify.planner.errors import LimitError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.store.records import StepKey
from ramify.planner.work.grants import Grants
from ramify.planner.work.special_types import SCRIPT
from ramify.planner.work.steps import StepLog
from ramify.planner.workers import Workers
from ramify.tasks import DependencyError, Task, TaskError, TaskState, TreeError
from ramify.tasks.prompt_variables import next_child_number
from ramify.tasks.tree.fields import keep_data
from ramify.tasks.tree.graph import finished_above, never_met
from ramify.tasks.tree.node import index_of
from ramify.tasks.tree.states import FINISHED

from .attaching import Attaching
from .runnable import refuse_secrets


class Spawning:
    """Adds tasks to the tree of one run for its workers.

    Args:
        root: the tree.
        attaching: puts new tasks into it.
        recorder: writes what is added.
        steps: the steps that workers have taken; adding a task is one.
        workers: who does which type of task.
        grants: what workers may do.
    """

    def __init__(
        self,
        root: Task,
        attaching: Attaching,
        *,
        recorder: Recorder,
        steps: StepLog,
        workers: Workers,
        grants: Grants,
    ) -> None:
        self._root = root
        self._attaching = attaching
        self._recorder = recorder
        self._steps = steps
        self._workers = workers
        self._grants = grants

    def spawn(self, spawner: Task, task: Task, key: StepKey) -> Task:
        """Add `task` beside `spawner`, in the step `key`; see `WorkContext.spawn`."""
        parent = spawner.parent
        if parent is not None and parent.type == SCRIPT:
            raise UsageError(
                f"task {spawner.id} is a call of a script, and only the script adds calls; return what it needs"
            )
        if parent is None:
            raise UsageError(f"task {spawner.id} is the root, so no task can be added beside it; make it a subtask")
        known = self._steps.find(key, task.content)
        if known is not None:
            return self._root.find(str(known.output))
        new = list(task.walk())
        self.check_new(spawner, task, new)
        own_id = task.id
        task.set_id(f"{parent.id}.{next_child_number(parent)}")
        try:
            added = self._attaching.attach(parent, [task], origin="added")
        except TaskError:
            task.set_id(own_id)
            raise
        note = self._steps.note(key, task.id, given=task.content)
        self._recorder.put(EventType.TASK_ADDED, task, *added, note, by=spawner.id, tasks=len(new))
        return task

    def check_new(self, spawner: Task, task: Task, new: list[Task]) -> None:
        """Refuse what cannot be added, before anything of it is changed."""
        if spawner.state is not TaskState.RUNNING:
            raise UsageError(f"task {spawner.id} is {spawner.state.value}, so its worker can no longer add tasks")
        if task.parent is not None:
            raise TreeError(
                f"task {task.id} is already a subtask of task {task.parent.id}; create a new Task for each one that is"
                " added",
                task_id=task.id,
            )
        self._check_room(task)
        refuse_secrets(task, self._grants)
        by_id = index_of(self._root).by_id
        for each in new:
            if each.state in {TaskState.RUNNING, TaskState.FAILED}:
                raise UsageError(f"task {each.id} is {each.state.value}; an added task must be OPEN or have a result")
            for needed in (by_id[name] for name in each.dependencies if name in by_id):
                if needed.state not in FINISHED and finished_above(needed) is not None:
                    raise DependencyError(never_met(each, needed), task_id=each.id, dependency=needed.id)
            self._workers.check(each, self._grants)
        for each in new:
            keep_data(each)

    def _check_room(self, task: Task) -> None:
        count = sum(1 for _ in task.walk())
        if not self._attaching.has_room(count):
            total = self._attaching.total + count
            raise LimitError(
                f"adding task {task.id} would make {total} tasks, but max_tasks = {self._attaching.max_tasks}",
                limit="max_tasks",
                options=("--max-tasks", str(2 * total)),
            )
