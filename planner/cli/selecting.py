"""Which tasks of a tree `show` shows: those of some levels, and those that stand in some states."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from ramify.planner.errors import UsageError
from ramify.tasks import Task, TaskState

from .apart import is_terminal
from .output import tell

_MOST_ON_SCREEN = 200


def selected(top: Task, *, depth: int | None, states: Sequence[str]) -> Collection[Task] | None:
    """Return the tasks of `top` down to a level that stand in one of some states, and those above them; None for all.

    Args:
        top: the first task, which is on level 1.
        depth: the last level; None is no limit.
        states: the states, in any case of letters; empty means every one.

    Raises:
        UsageError: if there is no such state.
    """
    if depth is None and not states:
        return None
    wanted = {_state_of(word) for word in states} or set(TaskState)
    kept = {top}
    for task in _down_to(top, depth):
        if task.state in wanted:
            above: Task | None = task
            while above is not None and above not in kept:
                kept.add(above)
                above = above.parent
    return kept


def tell_if_none(kept: Iterable[Task] | None, states: Sequence[str]) -> None:
    """Say it if none of the tasks that were selected is in one of the states that were asked for."""
    wanted = {_state_of(word) for word in states}
    if wanted and not any(task.state in wanted for task in kept or ()):
        tell(f"no task is {' or '.join(word.strip().lower() for word in states)}")


def tell_if_many(top: Task | None) -> None:
    """Say how less can be shown if all below `top` was, and somebody has it on a screen where it does not fit."""
    if top is None or not is_terminal():
        return
    total = sum(1 for _ in top.walk())
    if total > _MOST_ON_SCREEN:
        tell(f"{total:,} tasks; `--depth N` shows the upper levels, `--state failed` those that failed, `ID` one task")


def _down_to(top: Task, depth: int | None) -> Iterator[Task]:
    stack = [(top, 1)]
    while stack:
        task, level = stack.pop()
        yield task
        if depth is None or level < depth:
            stack.extend((child, level + 1) for child in task.subtasks)


def _state_of(word: str) -> TaskState:
    try:
        return TaskState(word.strip().upper())
    except ValueError:
        names = ", ".join(state.value.lower() for state in TaskState)
        raise UsageError(f"there is no state {word!r}; use {names}") from None
