"""How a task tree shows itself in a notebook: as HTML that folds without a script, and as text; both of limited size.

Whole levels are shown from the top down until `MOST_TASKS` are; what is left out is counted where it hangs. The time is
linear in the tree.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ramify.tasks.counting import counted

from .node import Node, walk
from .states import TaskState

MOST_TASKS = 200
DEEPEST_LEVEL = 40
"""The level below which nothing is shown: browsers nest elements only so deep."""

_MOST_CHARACTERS = 160
_MOST_RESULT_CHARACTERS = 2_000
_OPEN_LEVELS = 3
_STYLES = {
    TaskState.OPEN: "#757d87",
    TaskState.RUNNING: "#9d6d00",
    TaskState.DONE: "#21883f",
    TaskState.FAILED: "#dd3c34",
    TaskState.DELETED: "#757d87",
}
_FRAME = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.6"
_BRANCH = "margin-left:0.55em;padding-left:1em;border-left:1px solid #8886"
_RESULT = "margin:0 0 0.4em 1.2em;white-space:pre-wrap;font-size:12px;opacity:0.85"
_WORDS_BELOW = "margin-left:1.2em;opacity:0.75"


class ShownAsTree:
    """Something that notebooks show as a task tree."""

    __slots__ = ()

    def _shown_top(self) -> Node:
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        top = self._shown_top()
        return {"text/plain": folded_text(top), "text/html": tree_html(top)}


def folded_text(top: Node, *, most: int = MOST_TASKS) -> str:
    """Return the tree of `top` as text, a line a task, no more than `most`; lines count what is left out."""
    lines = []
    for level, task, left_out in _walk(top, _shown(top, most)):
        if task is not None:
            lines.append(f"{'  ' * level}[{task.state.value}] Task {task.id}: {_one_line(task.content)}")
        else:
            lines.append(f"{'  ' * level}... {_left_out_words(left_out)}")
    return "\n".join(lines)


def tree_html(top: Node, *, most: int = MOST_TASKS) -> str:
    """Return the tree of `top` as HTML without scripts: tasks with subtasks or a result can be folded.

    What a task, a file or a model says is escaped.
    """
    parts = [f'<div style="{_FRAME}">']
    depth = 0
    for level, task, left_out in _walk(top, _shown(top, most)):
        parts.extend("</div></details>" for _ in range(depth - level))
        depth = level
        if task is None:
            parts.append(f'<div style="{_WORDS_BELOW}">… {_left_out_words(left_out)}</div>')
        elif not task.subtasks:
            parts.append(_leaf(task))
        else:
            is_open = " open" if level < _OPEN_LEVELS else ""
            parts.append(f'<details{is_open}><summary>{_head(task)}</summary><div style="{_BRANCH}">')
            depth += 1
    parts.extend("</div></details>" for _ in range(depth))
    return "".join([*parts, "</div>"])


def _shown(top: Node, most: int) -> set[Node]:
    """Return the tasks to show: level by level, no more than `most`."""
    shown: set[Node] = set()
    level, depth = [top], 1
    while level and len(shown) < most and depth <= DEEPEST_LEVEL:
        level = level[: most - len(shown)]
        shown.update(level)
        level = [child for task in level for child in task.subtasks]
        depth += 1
    return shown


def _walk(top: Node, shown: set[Node]) -> Iterator[tuple[int, Node | None, list[Node]]]:
    """Yield `(level, task, [])` for what is shown, and `(level, None, tasks)` where tasks are left out."""
    stack: list[tuple[int, Node | None, list[Node]]] = [(0, top, [])]
    while stack:
        level, task, left_out = stack.pop()
        yield level, task, left_out
        if task is None:
            continue
        children = [child for child in task.subtasks if child in shown]
        others = [child for child in task.subtasks if child not in shown]
        if others:
            stack.append((level + 1, None, others))
        stack.extend((level + 1, child, []) for child in reversed(children))


def _left_out_words(tops: Iterable[Node]) -> str:
    counts = Counter(task.state for top in tops for task in walk(top))
    total = sum(counts.values())
    states = ", ".join(f"{counts[state]:,} {state.value.lower()}" for state in TaskState if counts[state])
    return f"{counted(total, 'more task')}: {states}"


def _head(task: Node) -> str:
    from html import escape

    state = f'<span style="color:{_STYLES[task.state]};font-size:11px;font-weight:600">{task.state.value}</span>'
    needs = f' <span style="opacity:0.7">needs {escape(_one_line(", ".join(task.dependencies)))}</span>'
    return f"<b>{escape(_one_line(task.id))}</b> {state} {escape(_one_line(task.content))}" + (
        needs if task.dependencies else ""
    )


def _leaf(task: Node) -> str:
    from html import escape

    said = task.error if task.state is TaskState.FAILED else task.result
    if not said:
        return f'<div style="margin-left:1.2em">{_head(task)}</div>'
    cut = said if len(said) <= _MOST_RESULT_CHARACTERS else f"{said[:_MOST_RESULT_CHARACTERS]}…"
    return f'<details><summary>{_head(task)}</summary><div style="{_RESULT}">{escape(cut)}</div></details>'


def _one_line(text: str) -> str:
    line = " ".join(text[: _MOST_CHARACTERS + 1].split())
    return line if len(text) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"
