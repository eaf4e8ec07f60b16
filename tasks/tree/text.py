"""A tree as text: a line a task, two spaces a level, in time linear in the tree whatever its depth."""

from collections.abc import Collection, Iterator

from ramify.tasks.counting import counted

from .node import Node
from .shown import shown_words

INDENT = "  "
DEEPEST_INDENT = 100
"""Levels below which lines are not indented further, so that printing a chain stays linear in its length."""


def tree_text(
    top: Node, indent: str, *, state: bool, kept: Collection[Node] | None = None, others: str = "below"
) -> str:
    """Return what is to be done in the tree of `top`, with each task's state if `state` is asked for.

    Args:
        top: the tree.
        indent: what stands before each line.
        state: whether the states are shown.
        kept: the tasks that are shown, with all that is above each; all unless given. What is left out is counted.
        others: what is said of those that are left out.
    """
    left_out = {} if kept is None else _left_out(top, kept)
    return "".join(
        f"{margin}{f'[{task.state.value}] ' if state else ''}Task {task.id}: {_hung(shown_words(task), margin)}"
        f"{_more(left_out.get(task), others)}\n"
        for margin, task in _indented(top, indent, kept)
    )


def results_text(top: Node, indent: str) -> str:
    """Return the results of the tree of `top`."""
    return "".join(
        f"{margin}Task {task.id} result: {_hung(task.result, margin)}\n" for margin, task in _indented(top, indent)
    )


def _more(count: int | None, others: str) -> str:
    return f" (+{counted(count, 'task')} {others})" if count else ""


def _left_out(top: Node, kept: Collection[Node]) -> dict[Node, int]:
    """Return how many tasks are left out below each that is kept, counted where the last that is kept above them is."""
    found: dict[Node, int] = {}
    stack = [(top, top)]
    while stack:
        task, above = stack.pop()
        if task in kept:
            above = task
        else:
            found[above] = found.get(above, 0) + 1
        stack.extend((child, above) for child in task._subtasks or ())
    return found


def _indented(top: Node, indent: str, kept: Collection[Node] | None = None) -> Iterator[tuple[str, Node]]:
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
            stack.extend((level + 1, child) for child in reversed(task._subtasks) if kept is None or child in kept)


def _hung(text: str, margin: str) -> str:
    """Return `text` with its further lines indented below its first."""
    return text if "\n" not in text else text.replace("\n", f"\n{margin}{INDENT}")
