"""How a plan is written as a Markdown outline: what `outline_reader` makes the same tasks of."""

import re
from itertools import pairwise

from ramify.tasks.errors import DocumentError
from ramify.tasks.json_text import json_text
from ramify.tasks.tree.node import walk
from ramify.tasks.tree.states import TaskState
from ramify.tasks.tree.task import Task

from .outline_reader import BRACE_KEYS, HEADING, ITEM

LOST = ("result", "output", "error", "inputs", "config", "checks", "metadata", "attachments")
"""What an outline has no place for."""

DEEPEST = 100
"""The levels of tasks that are written; the text would grow with their square."""

_TO_ESCAPE = re.compile(r"\\(?![^\W_])|&(?=#\d{1,7};)")
_SIMPLE = re.compile(r"[\w./:@+-]+")


def write_markdown(root: Task, *, source: str) -> str:
    """Return a tree as an outline; text of several lines stands below its item.

    Subtasks of which each needs the one before, first of all, are numbered; then that need is not written again.

    Raises:
        DocumentError: if a task has something that an outline has no place for, or stands below `DEEPEST` levels.
        UnicodeEncodeError: if there is half of a surrogate pair in a task.
    """
    lines: list[str] = []
    markers = {root: "# "}
    margins = {root: ""}
    levels = {root: 1}
    blank = Task(content="blank")
    for task in walk(root):
        _check_kept(task, blank, levels[task], source)
        margin, marker = margins[task], markers[task]
        needs = list(dict.fromkeys(task.dependencies))
        is_later = marker[0].isdigit() and marker != "1. "
        lines += _item_lines(task, margin, marker, needs[1:] if is_later else needs)
        if task is root and task.subtasks:
            lines.append("")
        inner = margin if task is root else margin + " " * len(marker)
        is_serial = _is_serial(task)
        for number, child in enumerate(task.subtasks, 1):
            markers[child] = f"{number}. " if is_serial else "- "
            margins[child] = inner
            levels[child] = levels[task] + 1
    return "\n".join(lines) + "\n"


def _check_kept(task: Task, blank: Task, level: int, source: str) -> None:
    for name in LOST:
        if getattr(task, name) != getattr(blank, name):
            message = (
                f"task {task.id} has a value for `{name}`, which a Markdown outline cannot hold; write YAML or JSON"
            )
            raise DocumentError(message, source=source)
    if level > DEEPEST:
        raise DocumentError(
            f"task {task.id} is deeper than {DEEPEST} levels, the limit for a Markdown outline; write YAML or JSON",
            source=source,
        )


def _is_serial(task: Task) -> bool:
    children = task.subtasks[:]
    return len(children) > 1 and all(after.dependencies[:1] == [before.id] for before, after in pairwise(children))


def _item_lines(task: Task, margin: str, marker: str, needs: list[str]) -> list[str]:
    content = task.content.strip("\n")
    start = len(task.content) - len(task.content.lstrip("\n"))
    end = len(task.content) - len(content) - start
    first, *more = content.split("\n")
    box = "[x] " if task.state is TaskState.DONE and marker != "# " else ""
    first = f"{box}{'&#10;' * start}{_words(first, is_first=True)}"
    lines = [first, *(_words(line, is_first=False) for line in more)]
    lines[-1] += "&#10;" * end
    braces = _braces(task, needs, has_box=bool(box), is_goal=marker == "# ")
    if braces or lines[0].endswith("}"):
        lines[0] += f" {{{' '.join(braces or [f'#{_value(task.id)}'])}}}"
    inner = margin if marker == "# " else margin + " " * len(marker)
    return [f"{margin}{marker}{lines[0]}", *(f"{inner}{line}" if line else "" for line in lines[1:])]


def _braces(task: Task, needs: list[str], *, has_box: bool, is_goal: bool) -> list[str]:
    parts = [] if is_goal and task.id == "0" else [f"#{_value(task.id)}"]
    if needs:
        parts.append(f"needs={','.join(map(_value, needs))}")
    for key in BRACE_KEYS[1:]:
        value = getattr(task, key)
        if key == "state":
            value = None if has_box or task.state in {TaskState.OPEN, TaskState.RUNNING} else task.state.value
        if value is not None and value != Task.model_fields[key].default:
            parts.append(f"{key}={_value(str(value))}")
    return parts


def _value(text: str) -> str:
    if _SIMPLE.fullmatch(text) and text.isprintable():
        return text
    text.encode()
    return json_text(text, ensure_ascii=not text.isprintable())


def _words(line: str, *, is_first: bool) -> str:
    r"""Return a line of text so that no part of it is taken for a mark.

    >>> _words("2. a\\b ", is_first=False)
    '2\\. a\\b&#32;'
    """
    text = _TO_ESCAPE.sub(lambda found: f"\\{found[0]}", line)
    words = text.lstrip(" ")
    margin = text[: len(text) - len(words)]
    if not words:
        return "&#32;" * len(margin)
    if ITEM.match(words) or HEADING.match(words):
        mark = len(words) - len(words.lstrip("0123456789"))
        words = f"{words[:mark]}\\{words[mark:]}"
    elif is_first and words.startswith("["):
        words = f"\\{words}"
    if margin and is_first:
        margin = f"&#32;{margin[1:]}"
    if words.endswith(" "):
        words = f"{words[:-1]}&#32;"
    return margin + "".join(c if c.isprintable() or "\ud800" <= c <= "\udfff" else f"&#{ord(c)};" for c in words)
