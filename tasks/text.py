"""A tree as text: a line a task, two spaces a level, in time linear in the tree whatever its depth."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .task import Task

INDENT = "  "
DEEPEST_INDENT = 100
"""Levels below which lines are not indented further, so that printing a chain stays linear in its length."""


def tree_text(top: "Task", indent: str, *, state: bool) -> str:
    """Return what is to be done in the tree of `top`, with each task's state if `state` is asked for."""
    return "".join(
        f"{margin}{f'[{task.state.value}] ' if state else ''}Task {task.id}: {_hung(task.content, margin)}\n"
        for margin, task in _indented(top, indent)
    )


def results_text(top: "Task", indent: str) -> str:
    """Return the results of the tree of `top`."""
    return "".join(
        f"{margin}Task {task.id} result: {_hung(task.result, margin)}\n" for margin, task in _indented(top, indent)
    )


def _indented(top: "Task", indent: str) -> "Iterator[tuple[str, Task]]":
    stack = [(0, top)]
    while stack:
        level, task = stack.pop()
        margin = (
            indent + INDENT * level
            if level <= DEEPEST_INDENT
            else f"{indent}{INDENT * DEEPEST_INDENT}(level {level + 1}) "
        )
        yield margin, task
        if task._subtasks:
            stack.extend((level + 1, child) for child in reversed(task._subtasks))


def _hung(text: str, margin: str) -> str:
    """Return `text` with its further lines indented below its first."""
    return text if "\n" not in text else text.replace("\n", f"\n{margin}{INDENT}")
