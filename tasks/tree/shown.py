"""What a task is called where people see it beside others: its words, and its inputs where a sibling says the same."""

from ramify.tasks.json_text import json_text

from .node import Node

_MOST = 60
_MOST_OF_ONE = 40


def shown_words(task: Node) -> str:
    """Return what is to be done for `task`, with its inputs if its words do not tell it from its siblings.

    >>> from ramify.tasks import Task
    >>> root = Task("all", id="0")
    >>> root.add_subtasks([Task("sum up", inputs={"page": n}) for n in (1, 2)])
    >>> [shown_words(task) for task in root.walk()]
    ['all', 'sum up (page: 1)', 'sum up (page: 2)']
    """
    inputs = task.inputs
    if not inputs or not _is_said_again(task):
        return task.content
    shown = ", ".join(f"{name}: {_short(value)}" for name, value in inputs.items())
    return f"{task.content} ({shown if len(shown) <= _MOST else f'{shown[: _MOST - 1]}…'})"


def _is_said_again(task: Node) -> bool:
    """Return whether a sibling says the same; of many that do, one of the first two is looked at."""
    beside = None if task.parent is None else task.parent._subtasks
    if beside is None or len(beside) == 1:
        return False
    return beside[beside[0] is task].content == task.content


def _short(value: object) -> str:
    words = value if isinstance(value, str) else json_text(value)
    line = " ".join(words[: 4 * _MOST_OF_ONE].split())
    return line if len(line) <= _MOST_OF_ONE else f"{line[: _MOST_OF_ONE - 1]}…"
