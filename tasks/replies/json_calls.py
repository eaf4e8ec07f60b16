"""Calls of tools that a model wrote as text: JSON in the chat APIs' form, bare, in a fence or in `<tool_call>` tags.

Many small models call tools so, whatever the prompt asks for. A reply counts as calls only if nothing else stands in it
and every tool in it is one that was offered; anything else is an answer.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from ramify.tasks.json_text import json_text

from .tool_calls import WrittenCall

_FENCE = re.compile(r"```[\w-]{0,20}[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_TAG = re.compile(r"<(tool_call|tools|function_call)>(.*?)</\1>", re.DOTALL)
_SPACE = re.compile(r"\s*")
_BEGINNINGS = ("{", "[", "```", "<tool_call>", "<tools>", "<function_call>")
_LONGEST = 200_000
_DEEPEST = 3
_NAMED = {"name", "arguments"}
_BESIDE = {"id", "type", "index"}
_DECODER = json.JSONDecoder(strict=False)


class _OtherwiseError(ValueError):
    """Raised where something else stands than a call."""


def calls_written_as_json(reply: str, tools: Collection[str]) -> tuple[WrittenCall, ...]:
    """Return the calls that a reply consists of; none if it is anything else.

    Args:
        reply: the model's words, without its thoughts.
        tools: the names of the tools that were offered.

    >>> calls_written_as_json('{"name": "add", "arguments": {"a": 2}}', {"add"})
    (WrittenCall(tool='add', arguments='{"a": 2}'),)
    """
    text = reply.strip()
    if len(text) > _LONGEST or not text.startswith(_BEGINNINGS):
        return ()
    try:
        calls = tuple(_calls(text, tools, _DEEPEST))
    except (ValueError, RecursionError):
        return ()
    return calls


def _calls(text: str, tools: Collection[str], depth: int) -> Iterator[WrittenCall]:
    """Yield the calls in `text`; raise where something else stands."""
    pattern = _FENCE if text.startswith("```") else _TAG if text.startswith("<") else None
    if pattern is None:
        yield from _json_calls(text, tools)
        return
    place = 0
    while place < len(text):
        found = pattern.match(text, place)
        if found is None or not depth:
            raise _OtherwiseError(text)
        yield from _calls(found[found.lastindex or 0].strip(), tools, depth - 1)
        place = _after_space(text, found.end())


def _json_calls(text: str, tools: Collection[str]) -> Iterator[WrittenCall]:
    """Yield the calls of JSON values that stand one after the other."""
    place = 0
    while place < len(text):
        value, end = _DECODER.raw_decode(text, place)
        for each in value if isinstance(value, list) else [value]:
            yield _call(each, tools)
        place = _after_space(text, end)


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return place if found is None else found.end()


def _call(value: Any, tools: Collection[str]) -> WrittenCall:
    if (
        isinstance(value, dict)
        and isinstance(value.get("function"), dict)
        and _BESIDE.issuperset(value.keys() - {"function"})
    ):
        value = value["function"]
    if not isinstance(value, dict):
        raise _OtherwiseError(value)
    if "parameters" in value and "arguments" not in value:
        value = {"arguments" if name == "parameters" else name: each for name, each in value.items()}
    name, arguments = value.get("name"), value.get("arguments")
    is_call = value.keys() - _BESIDE == _NAMED and isinstance(name, str) and name in tools
    if not is_call or not isinstance(arguments, dict | str):
        raise _OtherwiseError(value)
    return WrittenCall(str(name), arguments if isinstance(arguments, str) else json_text(arguments, allow_nan=True))
