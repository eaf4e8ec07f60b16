"""How a run changes its tree: the state, result and costs of each task, and what is added to it.

As long as a run has a tree, the run alone changes it, and writes down what it changes. What others do to it would be
lost when the run is resumed, so it is refused, with the way that works; the check stands in the methods of `Task` and
of its list of subtasks, and what is in this file goes past it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from weakref import ref

from ramify.tasks.errors import HeldError

from .fields import now
from .rules import index_of
from .states import TaskState, check_move

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .config import Usage
    from .task import Task

Way = Literal["state", "tasks", "words"]
"""What somebody wants to change of a tree: how a task stands, which tasks there are, or what a task says."""


class Hold:
    """The right of one run to change a tree; it ends when it is released, or nobody has it any more.

    Args:
        root: the root of the tree.
        by: who has it, as "run r1".
        ways: what to do instead, for each thing that somebody else may want to change.

    Raises:
        HeldError: if somebody has the tree already.
    """

    def __init__(self, root: "Task", *, by: str, ways: Mapping[Way, str]) -> None:
        self.by = by
        self._ways = ways
        self._root = root
        tree = index_of(root)
        other = tree.holder
        if other is not None:
            raise HeldError(
                f"task {root.id} is the root of the tree of {other.by}, which is not over; wait for its end, or run a"
                " copy of the tree: copy.deepcopy(task)",
                task_id=root.id,
            )
        tree.hold = ref(self)

    def release(self) -> None:
        """Let everybody change the tree again."""
        tree = index_of(self._root)
        if tree.holder is self:
            tree.hold = None

    def refuse(self, task: "Task", what: str, way: Way) -> NoReturn:
        """Refuse to do `what` to `task`, and say what to do instead."""
        raise HeldError(
            f"task {task.id}: {what} is not possible while {self.by} has it, nothing was changed; {self._ways[way]}",
            task_id=task.id,
        )


def refuse_if_held(task: "Task", what: str, way: Way) -> None:
    """Raise `HeldError` if a run has the tree of `task`."""
    tree = task._tree
    if tree is None or tree.hold is None:
        return
    holder = tree.holder
    if holder is not None:
        holder.refuse(task, what, way)


def move(task: "Task", state: TaskState) -> None:
    """Move `task` alone to another state; the same state is no move.

    Raises:
        TransitionError: if the table does not allow it; nothing was changed.
    """
    values = task.__dict__
    old = values["state"]
    if old is state:
        return
    check_move(values["id"], old, state)
    at = now()
    values["state"] = state
    values["updated_at"] = at
    if state is TaskState.RUNNING:
        values["started_at"] = at
    elif state is TaskState.DONE or state is TaskState.FAILED:
        values["completed_at"] = at


def finish(task: "Task", result: str, output: "JsonValue" = None, gaps: tuple[str, ...] = ()) -> None:
    """Move `task` alone to DONE with its result, and count the attempt.

    Raises:
        TransitionError: if the table does not allow it; nothing was changed.
    """
    move(task, TaskState.DONE)
    values = task.__dict__
    values.update(result=result, output=output, gaps=gaps, error=None, attempts=values["attempts"] + 1)


def put(task: "Task", **fields: Any) -> None:
    """Set fields of `task` that tell of its run, such as `error`, `attempts` or `usage`; they are not checked."""
    task.__dict__.update(fields)


def spend(task: "Task", usage: "Usage") -> None:
    """Count what a model call for `task` has used."""
    task.__dict__["usage"] += usage


def take_in(parent: "Task", tasks: "Sequence[Task]") -> None:
    """Put `tasks`, with all below them, at the end of the subtasks of `parent`. Raises as `Task.add_subtasks`."""
    parent.subtasks.take(tasks)
