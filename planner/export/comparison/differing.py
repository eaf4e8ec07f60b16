"""Which tasks of two trees differ, and in what: for runs of which one was forked from the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ramify.tasks import Task
from ramify.tasks.prompt_variables import title
from ramify.tasks.tree.edits import Difference
from ramify.tasks.tree.node import index_of

COMPARED = ("content", "state", "type", "dependencies", "result", "error")
"""What of tasks is compared, in the order in which it is told."""

_MOST_LINES = 20


def task_differences(first: Task, other: Task) -> Iterator[Difference]:
    """Yield what is different in the tree `other` from `first`; tasks are the same ones by their ids.

    >>> changed = Task("all", id="0", result="42")
    >>> [each.to_data()["fields"] for each in task_differences(Task("all", id="0"), changed)]
    [{'result': {'old': '', 'new': '42'}}]
    """
    before, now = index_of(first).by_id, index_of(other).by_id
    for task in other.walk():
        was = before.get(task.id)
        if was is None:
            yield Difference(task.id, "added", {"content": (None, title(task.content))})
        elif fields := {name: pair for name in COMPARED if (pair := _pair(was, task, name)) is not None}:
            yield Difference(task.id, "changed", fields)
    for task in first.walk():
        if task.id not in now:
            yield Difference(task.id, "removed", {"content": (title(task.content), None)})


def task_lines(differences: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each task that differs, of no more than twenty, and how many there are besides.

    >>> task_lines([Difference("0.2", "changed", {"result": ("9", "27"), "error": (None, "late")}).to_data()])
    ['0.2: result: 9 -> 27; error: none -> late']
    """
    lines = [_line(each) for each in differences[:_MOST_LINES]]
    more = len(differences) - len(lines)
    return [*lines, f"and {more:,} more; --json has them all"] if more else lines


def _pair(was: Task, task: Task, name: str) -> tuple[Any, Any] | None:
    old, new = getattr(was, name), getattr(task, name)
    return None if old == new else (_shown(old), _shown(new))


def _shown(value: Any) -> str | None:
    return title(" ".join(value) if isinstance(value, list) else value) if value is not None else None


def _line(difference: Mapping[str, Any]) -> str:
    fields = difference["fields"]
    if difference["change"] != "changed":
        sign = "+" if difference["change"] == "added" else "-"
        return f"{sign} {difference['task']}: {fields['content']['new'] or fields['content']['old']}"
    told = (f"{name}: {_word(values['old'])} -> {_word(values['new'])}" for name, values in fields.items())
    return f"{difference['task']}: {'; '.join(told)}"


def _word(value: str | None) -> str:
    return "none" if value is None or not value else value
