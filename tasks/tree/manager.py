"""TaskManager: puts tasks in order, ties them to a root serially or in parallel, and evolves new ones."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from ramify.prompts import Prompt
from ramify.tasks.agents import AnyAgent
from ramify.tasks.errors import DependencyError, TreeError
from ramify.tasks.prompt_variables import ask_evolve

from .graph import critical_path, to_networkx, topological_order, waves
from .node import walk_up
from .notebook import ShownAsTree
from .task import Task

if TYPE_CHECKING:
    import networkx as nx


class TaskManager(ShownAsTree):
    """Registers tasks and keeps them sorted; it starts with only its root, like CAMEL's.

    Attributes:
        root_task: the root task.
        current_task_id: the id of the current task; at first the root's.
    """

    def __init__(self, task: Task) -> None:
        self.root_task = task
        self.current_task_id = task.id
        self._by_id = {task.id: task}
        self._registered = [task]
        self._sorted: list[Task] | None = None

    def _shown_top(self) -> Task:
        return self.root_task

    @property
    def tasks(self) -> list[Task]:
        """The registered tasks, subtasks before parents and dependencies before dependents."""
        if self._sorted is None:
            known = set(self._registered)
            self._sorted = [task for task in topological_order(self._registered) if task in known]
        return list(self._sorted)

    @property
    def task_map(self) -> dict[str, Task]:
        """The registered tasks by id."""
        return dict(self._by_id)

    @property
    def current_task(self) -> Task | None:
        """The task with the id `current_task_id`; None if it is not registered."""
        return self._by_id.get(self.current_task_id)

    def exist(self, task_id: str) -> bool:
        """Return whether a task with that id is registered."""
        return task_id in self._by_id

    def get_task_by_id(self, task_id: str) -> Task:
        """Return the registered task with that id.

        Raises:
            TreeError: if there is none.
        """
        if task_id not in self._by_id:
            raise TreeError(f"no task {task_id} is registered; add it with add_tasks first", task_id=task_id)
        return self._by_id[task_id]

    def add_tasks(self, tasks: Task | Iterable[Task]) -> None:
        """Register one or more tasks; none is registered if any id is taken.

        Raises:
            TreeError: if an id is registered already.
        """
        new = [tasks] if isinstance(tasks, Task) else list(tasks)
        ids = {task.id for task in new}
        for task in new:
            if task.id in self._by_id or len(ids) < len(new):
                raise TreeError(f"task {task.id} cannot be registered: its id is already registered", task_id=task.id)
        self._registered.extend(new)
        self._by_id.update((task.id, task) for task in new)
        self._sorted = None

    @staticmethod
    def topological_sort(tasks: Sequence[Task]) -> list[Task]:
        """Return `tasks` and all below them, subtasks before parents and dependencies before dependents; stable.

        Raises:
            CycleError: if tasks wait for each other; the path is named.
        """
        return topological_order(tasks)

    @staticmethod
    def set_tasks_dependence(
        root: Task,
        others: Iterable[Task],
        type: Literal["serial", "parallel"] = "parallel",  # noqa: A002 - CAMEL's name
    ) -> None:
        """Make `others` subtasks of `root`: in parallel, or each waiting for the one before.

        Those that are subtasks of `root` already stay where they are.

        Raises:
            TreeError: if one stands elsewhere in a tree.
            DependencyError: if `type` is another word, or tasks would wait for each other; nothing was changed.
        """
        if type not in {"serial", "parallel"}:
            raise DependencyError(
                f"the type must be 'serial' or 'parallel', not {type!r}",
                task_id=root.id,
                dependency=str(type),
            )
        tasks = list(dict.fromkeys(other for other in others if other is not root))
        new = [task for task in tasks if task.parent is not root]
        before = [(task, list(task.dependencies)) for task in tasks]
        root.add_subtasks(new)
        if type == "parallel":
            return
        try:
            for earlier, later in itertools.pairwise(tasks):
                later.add_dependency(earlier.id)
        except DependencyError:
            for task, dependencies in before:
                task.dependencies[:] = dependencies
            for task in reversed(new):
                root.remove_subtask(task.id)
            raise

    def evolve(
        self,
        task: Task,
        agent: AnyAgent,
        template: Prompt | str | None = None,
        task_parser: Callable[[str, str], list[Task]] | None = None,
    ) -> Task:
        """Let `agent` make a harder or new variant of `task`.

        Args:
            task: the task to start from; it is not changed.
            agent: as for `Task.decompose`.
            template: a prompt template, or text with `{content}` and `{role_name}`.
            task_parser: makes tasks of (reply, id of this task), of which the first is taken.

        Returns:
            The new task, with the id `"<id>.0"`.

        Raises:
            ReplyError: if the reply holds no task.
        """
        return ask_evolve(task, agent, template=template, task_parser=task_parser)

    def to_networkx(self) -> "nx.DiGraph[str]":
        """Return the dependency graph of the root's tree; see `ramify.tasks.tree.graph.to_networkx`."""
        return to_networkx(self._top)

    def waves(self) -> list[list[Task]]:
        """Return the tasks of the root's tree by the step in which they can run (topological generations)."""
        return waves(self._top)

    def critical_path(self, duration_s: Callable[[Task], float] = lambda _: 1.0) -> list[Task]:
        """Return the critical path of the root's tree, first to last."""
        return critical_path(self._top, duration_s)

    @property
    def _top(self) -> Task:
        return next(reversed([self.root_task, *walk_up(self.root_task)]))
