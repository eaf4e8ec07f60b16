"""What a script has asked for in one call, in short: two calls are the same if, and only if, this is the same.

Long values stand in it by their hash, so that what is written of a call stays small; knows no loop and no store.
"""

import hashlib
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from ramify.tasks import Task
from ramify.tasks.json_text import json_text
from ramify.tasks.prompt_variables import title
from ramify.tasks.tree.config import NO_CONFIG

_LONGEST = 200
_DIGITS = 16


def request_of(task: Task, *, is_split: bool = False) -> dict[str, Any]:
    """Return what is asked for with `task`, and all below it, which are not part of a run yet.

    >>> request_of(Task("Name a city", id="0.1", inputs={"country": "Norway"}))
    {'content': 'Name a city', 'inputs': '{"country": "Norway"}'}
    """
    said = _said(task)
    if is_split:
        said["split"] = True
    if task.subtasks:
        below = list(task.walk())[1:]
        said["subtasks"] = [_digest(json_text([_said(each), len(each.subtasks)])) for each in below]
    return said


def changed_words(known: Task, before: Mapping[str, Any], task: Task, now: Mapping[str, Any]) -> str:
    """Say how a call differs: which one, what it was, and what it is now.

    Args:
        known: the task that was called before.
        before: what was asked for then.
        task: what is called now.
        now: what is asked for.
    """
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    first = names[0]
    where = f"call {known.id} ({title(known.content)})"
    if first == "content":
        return f"{where} is now ({title(task.content)})"
    if first == "subtasks":
        return f"{where} differs {_first_below(known, before, task, now)}"
    was, is_now = (_shown(each.get(first)) for each in (before, now))
    return f"{where} has a different {first}: it was {was} and is now {is_now}"


def _said(task: Task) -> dict[str, Any]:
    said = {
        "content": task.content,
        "type": task.type,
        "name": task.name,
        "needs": " ".join(task.dependencies),
        "inputs": _json(task.inputs),
        "priority": task.priority or None,
        "expected_seconds": task.expected_seconds,
        "config": None if task.config is NO_CONFIG else _json(task.config.model_dump(mode="json", exclude_none=True)),
        "check": _json([check.to_data() for check in task.checks]),
        "attachments": _json([[each.name, each.text] for each in task.attachments]),
        "metadata": _json(task.metadata),
        "memory_scope": None if task.memory_scope == "run" else task.memory_scope,
    }
    return {name: _short(value) for name, value in said.items() if value}


def _json(value: Any) -> str:
    return json_text(value, sort_keys=True) if value else ""


def _short(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= _LONGEST:
        return value
    return f"{value[:_LONGEST]}... ({len(value):,} characters, {_digest(value)})"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _first_below(known: Task, before: Mapping[str, Any], task: Task, now: Mapping[str, Any]) -> str:
    """Say which of the tasks below a call is the first that differs."""
    pairs = zip_longest(before.get("subtasks", ()), now.get("subtasks", ()))
    place = next(place for place, (was, is_now) in enumerate(pairs) if was != is_now)
    old, new = (list(each.walk())[1:] for each in (known, task))
    was = f"was ({_item(old[place])})" if place < len(old) else "was not there"
    is_now = f"is ({_item(new[place])})" if place < len(new) else "is not there"
    return f"in part {place + 1}, which {was} and {is_now}"


def _item(task: Task) -> str:
    return title(f"{task.content} {_json(task.inputs)}".strip())
