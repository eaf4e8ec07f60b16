"""The states of a task and the moves between them: one table, from which the README's diagram is drawn."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from ramify.tasks.errors import TaskError, TransitionError


class TaskState(StrEnum):
    """The five states of a task."""

    OPEN = "OPEN"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    DELETED = "DELETED"

    @classmethod
    def states(cls) -> list[str]:
        """Return the names of all states, in the table's order."""
        return [state.value for state in cls]


_OPEN, _RUNNING, _DONE, _FAILED, _DELETED = TaskState

TRANSITIONS: Mapping[TaskState, tuple[TaskState, ...]] = MappingProxyType(
    {
        _OPEN: (_RUNNING, _DONE, _FAILED, _DELETED),
        _RUNNING: (_OPEN, _DONE, _FAILED, _DELETED),  # OPEN: released after a crash or a pause
        _DONE: (_OPEN, _RUNNING, _DELETED),  # OPEN: reset, to run again
        _FAILED: (_OPEN, _RUNNING, _DONE, _DELETED),  # DONE: a person supplies the result
        _DELETED: (_OPEN,),
    }
)

FINISHED = frozenset({_DONE, _DELETED})
"""The states in which a task holds nothing else up."""


def read_state(value: "TaskState | str") -> TaskState:
    """Return the state that `value` names, in any case.

    Raises:
        TaskError: if no state has that name.

    >>> read_state("done")
    <TaskState.DONE: 'DONE'>
    """
    if isinstance(value, TaskState):
        return value
    try:
        return TaskState[value.upper()]
    except (KeyError, AttributeError):
        names = ", ".join(TaskState.states())
        raise TaskError(f"{value!r} is not a task state; the states are {names}") from None


def check_move(task_id: str, old: TaskState, new: TaskState) -> None:
    """Raise `TransitionError` unless a task may go from `old` to `new`; the same state is no move.

    >>> check_move("0", TaskState.OPEN, TaskState.DONE)
    """
    if new is not old and new not in TRANSITIONS[old]:
        raise TransitionError(task_id, old.value, new.value, [state.value for state in TRANSITIONS[old]])


def state_diagram(form: Literal["mermaid", "dot"] = "mermaid") -> str:
    """Draw the table as a Mermaid state diagram, or in the DOT language.

    >>> print(state_diagram().splitlines()[1].strip())
    [*] --> OPEN
    """
    if form == "dot":
        edges = [f"    {old} -> {new};" for old, moves in TRANSITIONS.items() for new in moves]
        return "\n".join(["digraph states {", "    start [shape=point];", "    start -> OPEN;", *edges, "}"]) + "\n"
    lines = ["stateDiagram-v2", "    [*] --> OPEN"]
    lines += [f"    {old} --> {new}" for old, moves in TRANSITIONS.items() for new in moves]
    return "\n".join(lines) + "\n"
