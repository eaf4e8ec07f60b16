"""How a run changes a task: its state, result and costs.

As long as a run holds a tree, the run alone changes it, and writes down what it changes. `Task` refuses what others do;
what is in this file goes past that, as `Subtasks.take` does for new tasks.
"""

from typing import TYPE_CHECKING, Any

from .fields import TaskFields, now
from .states import TaskState, check_move

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .config import Usage


def move(task: TaskFields, state: TaskState) -> None:
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


def finish(task: TaskFields, result: str, output: "JsonValue" = None, gaps: tuple[str, ...] = ()) -> None:
    """Move `task` alone to DONE with its result, and count the attempt.

    Raises:
        TransitionError: if the table does not allow it; nothing was changed.
    """
    move(task, TaskState.DONE)
    values = task.__dict__
    values.update(result=result, output=output, gaps=gaps, error=None, attempts=values["attempts"] + 1)


def put(task: TaskFields, **fields: Any) -> None:
    """Set fields of `task` that tell of its run, such as `error`, `attempts` or `usage`; they are not checked."""
    task.__dict__.update(fields)


def spend(task: TaskFields, usage: "Usage") -> None:
    """Count what a model call for `task` has used."""
    task.__dict__["usage"] += usage
