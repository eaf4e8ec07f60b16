"""The JSON value that an answer is, when one was asked for: alone, in a code fence, or with words around it."""

import re
from typing import Any

from ramify.tasks.errors import ReplyError
from ramify.tasks.json_data import as_json
from ramify.tasks.json_text import read_json

from .json_lists import MOST_LEVELS

_FENCED = re.compile(r"```[\w-]*\n(.*)\n[ \t]*```", re.DOTALL)
_CLOSES = {"{": "}", "[": "]"}


def read_json_answer(text: str) -> tuple[Any, str]:
    r"""Return the value, and its JSON text without what stood around it.

    Raises:
        ReplyError: if it is no JSON; the complaint says where it goes wrong.

    >>> read_json_answer('Here you are:\n```json\n{"n": 1}\n```')
    ({'n': 1}, '{"n": 1}')
    """
    first_fault = None
    for candidate in _candidates(text.strip()):
        try:
            value = read_json(candidate)
            _check_levels(value)
            value = as_json(value)
        except RecursionError:
            first_fault = first_fault or "values are nested too deeply"
        except ValueError as error:
            first_fault = first_fault or str(error)
        else:
            return value, candidate
    raise ReplyError(f"the result is not JSON: {first_fault}; give one JSON value and nothing else", reply=text)


def _candidates(text: str) -> list[str]:
    """Return what may be the JSON of a text, the likeliest first."""
    found = [text]
    start = text.find("```")
    fenced = _FENCED.search(text, start) if start >= 0 else None
    if fenced is not None:
        found.append(fenced[1].strip())
    starts = [position for mark in _CLOSES if (position := text.find(mark)) >= 0]
    if starts and min(starts) > 0:
        begin = min(starts)
        end = text.rfind(_CLOSES[text[begin]])
        if end > begin:
            found.append(text[begin : end + 1])
    return found


def _check_levels(value: Any) -> None:
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(f"values are nested deeper than {MOST_LEVELS} levels")
