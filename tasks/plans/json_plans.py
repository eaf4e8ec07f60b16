"""How a plan is written as JSON: text to nodes that know their place, and data to text."""

import math
import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder
from typing import Any

from ramify.tasks.errors import DocumentError
from ramify.tasks.json_text import json_text

from .nodes import Node, NodeBuilder, PlanFinding, empty_list, empty_mapping, scalar

_SPACE = re.compile(r"[ \t\n\r]*")
_SIMPLE_TEXT = re.compile(r'"([^"\\\x00-\x1f\ud800-\udfff]*)"')
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CLOSES = {"[": "]", "{": "}"}


def read_json(text: str, *, source: str) -> tuple[Node, list[PlanFinding]]:
    """Return the nodes of a JSON text, and what is wrong with keys in it.

    Raises:
        DocumentError: if the text is no JSON, or nested too deeply.
    """
    return _Reader(text, source).read()


def write_json(data: Any) -> str:
    """Return JSON text for people to read; whatever is no JSON value raises as `json_text` does."""
    return json_text(data, indent=2) + "\n"


class _Reader:
    """Reads JSON with the standard decoder, scalar by scalar; the nesting is kept here."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._decoder = JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
        self._builder = NodeBuilder(source)
        self._brackets: list[str] = []
        self._after_open = False

    def read(self) -> tuple[Node, list[PlanFinding]]:
        position = self._value(self._skip(0))
        while self._brackets:
            position = self._skip(position)
            character = self._text[position : position + 1]
            if character == _CLOSES[self._brackets[-1]]:
                self._brackets.pop()
                position += 1
                self._builder.close(position)
                self._after_open = False
            elif self._after_open:
                position = self._member(position)
            elif character == ",":
                position = self._member(self._skip(position + 1))
            else:
                raise self._error(position, f"expected `,` or `{_CLOSES[self._brackets[-1]]}`")
        position = self._skip(position)
        if position < len(self._text) or self._builder.root is None:
            raise self._error(position, "expected nothing more after the value")
        return self._builder.root, self._builder.findings

    def _member(self, position: int) -> int:
        """Read an item, or a key and its value; of a list or mapping only the opening bracket."""
        if self._brackets[-1] == "{":
            if self._text[position : position + 1] != '"':
                raise self._error(position, 'expected a key in `"`')
            position = self._skip(self._scalar(position))
            if self._text[position : position + 1] != ":":
                raise self._error(position, "expected `:` after a key")
            position = self._skip(position + 1)
        return self._value(position)

    def _value(self, position: int) -> int:
        character = self._text[position : position + 1]
        self._after_open = character in _CLOSES
        if not self._after_open:
            return self._scalar(position)
        place = self._place(position)
        empty = empty_list if character == "[" else empty_mapping
        self._builder.open(empty(*place, start=position, is_flow=True))
        self._brackets.append(character)
        return position + 1

    def _scalar(self, position: int) -> int:
        simple = _SIMPLE_TEXT.match(self._text, position)
        if simple is not None:
            place = self._place(position)
            self._builder.put(scalar(*place, simple[1], simple[1], start=position, end=simple.end()))
            return simple.end()
        try:
            value, end = self._decoder.raw_decode(self._text, position)
        except JSONDecodeError as error:
            raise self._error(error.pos, f"not JSON: {error.msg}") from None
        except ValueError as error:  # from the numbers; Python reads no integer of more than 4,300 digits
            raise self._error(position, f"not a valid number: {error}") from None
        raw = self._text[position:end]
        if isinstance(value, str) and "\\u" in raw and _LONE_SURROGATE.search(value):
            raise self._error(position, "this text has an unpaired surrogate")
        words = value if isinstance(value, str) else raw
        self._builder.put(scalar(*self._place(position), value, words, start=position, end=end))
        return end

    def _skip(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def _place(self, position: int) -> tuple[int, int]:
        line = bisect_right(self._lines, position)
        return line, position - self._lines[line - 1] + 1

    def _error(self, position: int, message: str) -> DocumentError:
        line, column = self._place(position)
        return DocumentError(message, source=self._source, line=line, column=column)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("it is too large")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"JSON has no {name}")
