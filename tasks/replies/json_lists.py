"""Plans as JSON: a list of texts or objects, also inside an object under `tasks` or `subtasks`, also broken JSON.

Broken JSON is repaired by json-repair, whose work grows with the length times the number of quotes; it is given only
what keeps that small. JSON that has no end is a cut reply and never repaired.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ramify.tasks.errors import ReplyError, TruncatedReplyError

from .planned import KEY_FIELDS, NEED_FIELDS, TYPE_FIELDS, Item, Listing, has_words, shown

MOST_LEVELS = 64
"""How deep JSON in a reply may be nested."""

_LISTS = ("tasks", "subtasks", "steps", "plan")
_TEXTS = ("title", "name", "content", "task", "description")
_CONTENTS = ("content", "task", "description")
_OTHER_TEXTS = (
    "action", "instruction", "instructions", "step", "subtask", "objective", "goal", "todo", "work", "text", "prompt",
    "question", "query", "what", "details", "summary",
)  # fmt: skip
"""What models call the text of a task where they do not give it under one of the names that are asked for."""
ALL_FIELDS = frozenset(
    {*KEY_FIELDS, *NEED_FIELDS, *TYPE_FIELDS, *_TEXTS, "action", "step", "instruction", "instructions"}
)
"""The names of fields by which a list of tasks is known; as `as_field` gives them."""
_KEYS_SHOWN = 8
_REPAIR_LENGTH = 100_000
_REPAIR_WORK = 2_000_000
_DECODER = json.JSONDecoder(strict=False)
_MARK = re.compile(r'["\\\[\]{}]')
_BETWEEN = re.compile(r"[\s,]*")
_BEGINNINGS = frozenset("\"'[{]}\u201c\u2018")
_KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def json_start(text: str, begin: int, end: int) -> int:
    """Return where in the line `text[begin:end]` JSON begins that may be a plan; -1 if nowhere.

    It stands at the beginning of the line or after a colon or equals sign, and a quote or bracket follows.
    """
    starts = [start for mark in "[{" if (start := text.find(mark, begin, end)) >= 0]
    if not starts:
        return -1
    start = min(starts)
    before = text[begin:start].rstrip()
    if before and before[-1] not in ":=\uff1a":
        return -1
    following = text[start + 1 : end].lstrip()
    return start if not following or following[0] in _BEGINNINGS else -1


def read_json(text: str, start: int, limit: int, *, reply: str) -> tuple[Listing | None, int]:
    """Return the plan that the JSON at `start` is, or None if it is no plan, and where it ends.

    Objects that follow each other are read as a list.

    Args:
        text: the reply without thoughts.
        start: where the JSON begins.
        limit: where it ends at the latest.
        reply: the whole reply, for errors.

    Raises:
        TruncatedReplyError: if it has no end.
        ReplyError: if it cannot be read.
    """
    value, end = read_value(text, start, limit, reply)
    if not isinstance(value, dict) or not _is_item(_fields(value)):
        return listing_of(value, reply), end
    values = [value]
    while (start := _past_comma(text, end, limit)) < limit and text[start] == "{":
        value, end = read_value(text, start, limit, reply)
        values.append(value)
    return listing_of(values, reply), end


def _past_comma(text: str, begin: int, limit: int) -> int:
    found = _BETWEEN.match(text, begin, limit)
    return found.end() if found else begin


def read_value(text: str, start: int, limit: int, reply: str) -> tuple[Any, int]:
    """Return the list or object at `start`, repaired if it is broken, and where it ends. Raises as `read_json`."""
    end = _end_of_value(text, start, limit, reply)
    try:
        return _DECODER.decode(text[start:end]), end
    except ValueError as error:
        end = max(text.rfind("]", start, limit), text.rfind("}", start, limit), start) + 1
        return _repaired(text[start:end], str(error), reply), end


def _end_of_value(text: str, start: int, limit: int, reply: str) -> int:
    """Return where the brackets that open at `start` are closed."""
    depth = 0
    is_text = False
    position = start
    while (mark := _MARK.search(text, position, limit)) is not None:
        position = mark.end()
        character = mark[0]
        if character == "\\":
            position += 1
        elif character == '"':
            is_text = not is_text
        elif not is_text:
            depth += 1 if character in "[{" else -1
            if depth > MOST_LEVELS:
                raise ReplyError(f"the JSON is nested more than {MOST_LEVELS} levels deep", reply=reply)
            if not depth:
                return position
    opened = text.count("[", start, limit) + text.count("{", start, limit)
    if opened > text.count("]", start, limit) + text.count("}", start, limit):
        raise TruncatedReplyError("the JSON has no end: a closing bracket is missing", reply=reply)
    return limit


def _repaired(text: str, fault: str, reply: str) -> Any:
    from json_repair import repair_json

    quotes = sum(text.count(mark) for mark in "\"'\u201c\u201d")
    value: Any = None
    if len(text) <= _REPAIR_LENGTH and len(text) * quotes <= _REPAIR_WORK:
        with suppress(ValueError, RecursionError):  # it is nested too deep
            value = repair_json(text, return_objects=True, skip_json_loads=True)
    if not isinstance(value, list | dict):
        raise ReplyError(f"the JSON cannot be read ({fault}); write it anew, quotes in texts escaped", reply=reply)
    return value


def listing_of(value: Any, reply: str) -> Listing | None:
    """Return the plan that data in a reply is; None if it is none.

    Raises:
        ReplyError: if an entry of it is no task.
    """
    atomic, failed = False, None
    while isinstance(value, dict):
        fields = _fields(value)
        atomic = atomic or str(fields.get("atomic")).lower() == "true"
        failed = failed or fields.get("failed")
        inner = _tasks_in(fields)
        if inner is None:
            break
        value = inner
    if isinstance(value, list):
        items = tuple(_item(entry, number, reply) for number, entry in enumerate(value, 1))
    elif _is_item(fields):
        items = (_item(value, 1, reply),)
    elif atomic or failed:
        items = ()
    else:
        return None
    return Listing(items, atomic, failure_in(failed) if failed else None)


def failure_in(failed: Any) -> tuple[str, str]:
    """Return the reason and the detail of what JSON in a reply says of a failure; what it does not say is empty."""
    fields = _fields(failed) if isinstance(failed, dict) else {"detail": failed}
    reason, detail = (fields.get(name) for name in ("reason", "detail"))
    return reason if isinstance(reason, str) else "", detail.strip() if isinstance(detail, str) else ""


def _item(value: Any, number: int, reply: str) -> Item:
    if isinstance(value, str):
        return Item(value.strip())
    if not isinstance(value, dict):
        raise ReplyError(f"item {number} of the list is {_kind(value)}, not a task", reply=reply)
    fields = _fields(value)
    lines = [*_texts(fields), *_nested(_tasks_in(fields))]
    if not lines and any(not _is_blank(entry) for name, entry in fields.items() if name not in ALL_FIELDS):
        keys = ", ".join(shown(str(key)) for key in list(value)[:_KEYS_SHOWN])
        raise ReplyError(
            f"item {number} of the list says what is to be done under none of the keys that are read; its keys are"
            f' {keys}; write it under "content"',
            reply=reply,
        )
    needs = [entry for name in NEED_FIELDS for entry in _entries(fields.get(name)) if not _is_blank(entry)]
    for entry in needs:
        if _name(entry) is None:
            raise ReplyError(f"item {number} of the list needs {_kind(entry)}, not the id of a task", reply=reply)
    return Item(
        "\n".join(lines),
        key=next((name for field in KEY_FIELDS if (name := _name(fields.get(field))) is not None), None),
        needs=tuple(name for entry in needs if (name := _name(entry)) is not None),
        type=next((name for field in TYPE_FIELDS if (name := _name(fields.get(field))) is not None), None),
    )


def _is_blank(entry: Any) -> bool:
    return entry is None or entry is False or entry in ("", [], {})


def _texts(fields: Mapping[str, Any]) -> list[str]:
    """Return what a task says is to be done, each text once; under another name only where no right one is used."""
    given = {name: text.strip() for name, text in fields.items() if isinstance(text, str) and has_words(text)}
    right = [given[name] for name in _TEXTS if name in given]
    return list(dict.fromkeys(right)) or [given[name] for name in _OTHER_TEXTS if name in given][:1]


def _nested(tasks: Any, indent: str = "") -> Iterator[str]:
    """Give the lines of tasks inside a task, as a bulleted list."""
    for task in _entries(tasks):
        fields = _fields(task) if isinstance(task, dict) else {"task": task}
        yield f"{indent}- {': '.join(_texts(fields))}"
        yield from _nested(_tasks_in(fields), indent + "  ")


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _name(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "nothing")


def _fields(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {as_field(str(name)): entry for name, entry in value.items()}


def as_field(name: str) -> str:
    """Return the name of a field as it is looked up.

    >>> as_field("Depends_On"), as_field("depends on")
    ('dependson', 'dependson')
    """
    return "".join(name.lower().replace("_", "").replace("-", "").split())


def _tasks_in(fields: Mapping[str, Any]) -> list[Any] | dict[str, Any] | None:
    return next((fields[name] for name in _LISTS if isinstance(fields.get(name), list | dict)), None)


def _is_item(fields: Mapping[str, Any]) -> bool:
    return _tasks_in(fields) is None and any(isinstance(fields.get(name), str) for name in (*_CONTENTS, "action"))
