"""A task's place in its tree: what stands above and below it, what the tree knows, and who alone may change it.

All tasks of a tree share one `TreeIndex`. What is said of trees here and in the files that build on this one holds for
every class of tasks, and none of them knows `Task`: they take a task of type `T` and give back tasks of that type.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar
from weakref import ref

from pydantic import ConfigDict
from ramify.tasks.errors import HeldError

from .fields import TaskFields
from .states import TaskState

if TYPE_CHECKING:
    from collections.abc import MutableSequence

T = TypeVar("T", bound="Node")
Way = Literal["state", "tasks", "words"]
"""What somebody wants to change of a tree: how a task stands, which tasks there are, or what a task says."""

_set = object.__setattr__


class Node(TaskFields):
    """A task with its place in a tree; `Task` makes the list of its subtasks, which keeps the rules."""

    __slots__ = ("_parent", "_subtasks", "_tree")

    model_config = ConfigDict(defer_build=True)  # only classes that are made of it read fields

    if TYPE_CHECKING:
        _parent: Self | None
        _subtasks: MutableSequence[Self] | None
        _tree: "TreeIndex[Self] | None"

        @property
        def subtasks(self) -> MutableSequence[Self]:
            """The subtasks, in order."""

    def model_post_init(self, _context: Any, /) -> None:
        """Stand alone at first."""
        stand_alone(self)

    @property
    def parent(self) -> Self | None:
        """The task that this one is a subtask of."""
        return self._parent

    @property
    def is_leaf(self) -> bool:
        """Whether it has no subtasks, apart from deleted ones."""
        return not self._subtasks or all(task.state is TaskState.DELETED for task in self._subtasks)

    @property
    def _subtask_count(self) -> int:
        return len(self._subtasks) if self._subtasks is not None else 0


class TreeIndex(Generic[T]):
    """What one tree knows of its tasks.

    Attributes:
        root: the task at the top.
        by_id: every task of the tree.
        dependents: for an id, the tasks that were seen to depend on it.
        strays: tasks below the root that depend on what is not in the tree, as the root was taken out of another one.
        order: the places of the starts and of the ends of tasks in an order in which they can happen; None if none is
            known. What agrees with it closes no circle; what was added without being asked about makes it unknown.
        searched: how many events were looked at for circles since an order was last looked for.
        hold: the right of a run to change the tree, as long as there is one; None if nobody has it.
    """

    __slots__ = ("by_id", "dependents", "hold", "order", "root", "searched", "strays")

    def __init__(self, root: T) -> None:
        self.root = root
        self.by_id: dict[str, T] = {root.id: root}
        self.dependents: dict[str, dict[T, None]] = {}
        self.strays: list[T] = []
        self.order: tuple[dict[T, int], dict[T, int]] | None = None
        self.searched = 0
        self.hold: ref[Hold] | None = None

    @property
    def holder(self) -> "Hold | None":
        """Who alone may change the tree; None if everybody may."""
        return None if self.hold is None else self.hold()

    def dependents_of(self, task: T) -> list[T]:
        """Return the tasks of this tree that depend on `task` now."""
        return [other for other in self.dependents.get(task.id, ()) if task.id in other.dependencies]

    def note_dependencies(self, task: T) -> None:
        """Remember that `task` is held up by what it depends on."""
        self.order = None
        for dependency in task.dependencies:
            self.dependents.setdefault(dependency, {})[task] = None


class Hold:
    """The right of one run to change a tree; it ends when it is released, or nobody has it any more.

    What others do to the tree would be lost when the run is resumed, so it is refused, with the way that works; the
    check stands in the methods of `Task` and of its list of subtasks.

    Args:
        root: the root of the tree.
        by: who has it, as "run r1".
        ways: what to do instead, for each thing that somebody else may want to change.

    Raises:
        HeldError: if somebody has the tree already.
    """

    def __init__(self, root: Node, *, by: str, ways: Mapping[Way, str]) -> None:
        self.by = by
        self._ways = ways
        self._root = root
        tree = index_of(root)
        other = tree.holder
        if other is not None:
            raise HeldError(
                f"task {root.id} is the root of the tree of {other.by}, which is still running; wait for it, or run a"
                " copy of the tree: copy.deepcopy(task)",
                task_id=root.id,
            )
        tree.hold = ref(self)

    def release(self) -> None:
        """Let everybody change the tree again."""
        tree = index_of(self._root)
        if tree.holder is self:
            tree.hold = None

    def refuse(self, task: Node, what: str, way: Way) -> NoReturn:
        """Refuse to do `what` to `task`, and say what to do instead."""
        raise HeldError(
            f"task {task.id}: {what} is not possible while {self.by} holds it; nothing was changed; {self._ways[way]}",
            task_id=task.id,
        )


def refuse_if_held(task: Node, what: str, way: Way) -> None:
    """Raise `HeldError` if a run has the tree of `task`."""
    tree = task._tree
    if tree is None or tree.hold is None:
        return
    holder = tree.holder
    if holder is not None:
        holder.refuse(task, what, way)


def stand_alone(task: Node) -> None:
    """Give a new task its place: none yet."""
    _set(task, "_parent", None)
    _set(task, "_subtasks", None)
    _set(task, "_tree", None)


def index_of(task: T) -> TreeIndex[T]:
    """Return the index that `task` shares with its tree, making one for a task that stands alone."""
    if task._tree is None:
        task._tree = TreeIndex(task)
    return task._tree


def walk(task: T) -> Iterator[T]:
    """Yield `task` and everything below it, parents before children, in order."""
    stack = [task]
    while stack:
        task = stack.pop()
        yield task
        if task._subtasks:
            stack.extend(reversed(task._subtasks))


def walk_up(task: T) -> Iterator[T]:
    """Yield the ancestors of `task`, its parent first."""
    above = task._parent
    while above is not None:
        yield above
        above = above._parent


def is_below(task: T, top: T) -> bool:
    """Return whether `task` is `top` or stands below it."""
    return task is top or any(above is top for above in walk_up(task))
