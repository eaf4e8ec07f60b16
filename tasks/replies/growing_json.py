"""The tasks of a plan by a schema while it is being written: each object of its list as soon as its brace closes.

Only the form that the schema asks for is read so, `{"plan": {"tasks": [`; whatever else a reply is, is read when it is
whole. Every character is looked at once.
"""

import re
from contextlib import suppress
from typing import Any

from ramify.tasks.json_text import read_json

_BEGINNING = re.compile(r'\s*\{\s*"plan"\s*:\s*\{\s*"tasks"\s*:\s*\[')
_LONGEST_BEGINNING = 200
_LONGEST_OBJECT = 20_000
"""A longer one is read when the reply is whole, as looking at it piece by piece costs more with each."""

_MARK = re.compile(r'["\\\[\]{}]')


class GrowingTasks:
    """Reads one reply."""

    def __init__(self) -> None:
        self._text = ""  # what is not read yet: the beginning, or the object that is not closed
        self._position = -1  # how much of it was looked at; -1 before the list
        self._depth = 0
        self._is_string = False
        self._start = 0
        self._is_over = False

    def feed(self, chunk: str) -> list[dict[str, Any]]:
        """Return the objects that `chunk` completes, in order."""
        if self._is_over:
            return []
        self._text += chunk
        if self._position < 0 and not self._begins():
            return []
        found: list[dict[str, Any]] = []
        while not self._is_over and (mark := _MARK.search(self._text, self._position)) is not None:
            if mark[0] == "\\" and mark.end() == len(self._text):
                break  # what it escapes is still to come
            self._position = mark.end() + (mark[0] == "\\")
            self._take(mark[0], mark.start(), found)
        if not self._is_over:
            self._let_go()
            self._is_over = len(self._text) > _LONGEST_OBJECT
        return found

    def _begins(self) -> bool:
        found = _BEGINNING.match(self._text)
        if found is not None:
            self._position = self._start = found.end()
        self._is_over = found is None and len(self._text) > _LONGEST_BEGINNING
        return found is not None

    def _take(self, mark: str, start: int, found: list[dict[str, Any]]) -> None:
        if mark == '"':
            self._is_string = not self._is_string
        elif self._is_string or mark == "\\":
            return
        elif mark in "[{":
            self._start = self._start if self._depth else start
            self._depth += 1
        else:
            self._depth -= 1
            self._is_over = self._depth < 0  # the list is closed
            if not self._depth:
                self._give(self._text[self._start : self._position], found)

    def _give(self, text: str, found: list[dict[str, Any]]) -> None:
        value: Any = None
        with suppress(ValueError, RecursionError):
            value = read_json(text, strict=False)
        if isinstance(value, dict):
            found.append(value)
        else:
            self._is_over = True  # it is read when the reply is whole

    def _let_go(self) -> None:
        """Keep no more of the text than what is not read yet."""
        kept = self._start if self._depth else len(self._text) if not self._text.endswith("\\") else len(self._text) - 1
        looked_at = _MARK.search(self._text, self._position)
        self._position = len(self._text) if looked_at is None else self._position
        self._text, self._position, self._start = self._text[kept:], max(0, self._position - kept), 0
