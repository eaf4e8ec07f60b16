"""From the arguments that a model wrote to a JSON object, or to words that tell it what to mend; nothing is guessed.

JSON that is merely sloppy (quotes, commas, comments) is read all the same. JSON without an end is never closed: half of
a path or of a command is another path or command.
"""

import re
from typing import Any, Never

from ramify.planner.errors import ToolError
from ramify.tasks import ReplyError
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text, read_json
from ramify.tasks.replies.json_lists import MOST_LEVELS, read_value

LONGEST = 1_000_000
"""The most characters of one call's arguments."""

_BLANKS = frozenset({"", "null", "None", '""', "''", "[]"})
_LONGEST_BLANK = 100
_TOO_DEEP = f"the arguments are nested more than {MOST_LEVELS} levels deep"
_FENCED = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
_MARK = re.compile(r'["\\]')
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_arguments(text: str) -> dict[str, Any]:
    """Return the arguments of a call, as JSON data by name.

    Raises:
        ToolError: if they are no JSON object, or have no end.

    >>> read_arguments("{'city': 'Oslo',}")
    {'city': 'Oslo'}
    """
    fenced = _FENCED.fullmatch(text.strip())
    words = (fenced[1] if fenced else text).strip()
    if is_blank(words):
        return {}
    if len(words) > LONGEST:
        raise ToolError(f"the arguments have {len(words):,} characters, {LONGEST:,} are allowed; send less")
    try:
        value = read_json(words, strict=False, parse_constant=_refuse)
    except RecursionError:
        raise ToolError(_TOO_DEEP) from None
    except ValueError:
        value = _sloppy(words)
    _check_depth(value)
    if not isinstance(value, dict):
        raise ToolError('the arguments have to be one JSON object, such as {"name": "value"}')
    if _SURROGATE.search(json_text(value, allow_nan=True)):
        raise ToolError("the arguments hold half of a character (an unpaired surrogate); write it whole")
    try:
        as_json(value, "arguments")
    except NotJsonError as error:
        raise ToolError(f"the arguments hold what is no JSON: {error}") from None
    return value


def is_blank(text: str) -> bool:
    """Return whether `text` says that there are no arguments; for a tool that takes none, models write all of these.

    >>> [is_blank(text) for text in ("", " ", "null", '""', "[]", "None", "{}", "0")]
    [True, True, True, True, True, True, False, False]
    """
    return len(text) <= _LONGEST_BLANK and "".join(text.split()) in _BLANKS


def is_json_object(text: str) -> bool:
    """Return whether `text` is one JSON object, strictly.

    >>> is_json_object('{"a": 1}'), is_json_object("{'a': 1}")
    (True, False)
    """
    try:
        return isinstance(read_json(text), dict)
    except (ValueError, RecursionError):
        return False


def _sloppy(words: str) -> Any:
    if not words.startswith("{"):
        raise ToolError('the arguments have to be one JSON object, such as {"name": "value"}')
    if _ends_in_text(words):
        raise ToolError("the arguments have no end: a text in them is not closed; write them whole, quotes escaped")
    try:
        value, end = read_value(words, 0, len(words), words)
    except ReplyError as error:
        raise ToolError(f"the arguments cannot be read: {error.complaint}") from None
    if words[end:].strip():
        raise ToolError("there is more after the end of the arguments; write one JSON object, and nothing after it")
    return value


def _ends_in_text(words: str) -> bool:
    is_text = False
    position = 0
    while (mark := _MARK.search(words, position)) is not None:
        position = mark.end() + (mark[0] == "\\")
        is_text ^= mark[0] == '"'
    return is_text


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
        ]
    if level:
        raise ToolError(_TOO_DEEP)


def _refuse(constant: str) -> Never:
    raise ToolError(f"{constant} is not JSON; leave it out, or write it as text")
