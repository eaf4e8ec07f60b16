"""How much a template may make while it is filled in: everything is counted as it is made, what grows before it is.

A template may be of any length, and take what it was given apart as it likes. What it may not do is make much more than
that of it: a few letters of a template are enough to ask for more than there is memory, or to go round for ever. Time
is that of the thread that fills it in. Nothing here knows Jinja.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MOST_MADE = 20_000_000
"""How many characters a template may make."""

MOST_MADE_OF_GIVEN = 8
"""How many more it may make for each that it was given."""

MOST_SECONDS = 5.0
"""How long it may take, in seconds of the processor."""

ITEM = 16
"""What an item of a list counts, in characters, beside itself."""


class TooMuchError(ValueError):
    """Raised when a template makes too much, or takes too long; the message says what."""


class Meter:
    """What is left of what a template may make.

    Args:
        given: the size of what it was given.
        most_s: how long it may take, in seconds of the processor.
    """

    def __init__(self, given: int = 0, *, most_s: float = MOST_SECONDS) -> None:
        self._most = MOST_MADE + MOST_MADE_OF_GIVEN * given
        self._left = self._most
        self._most_s = most_s
        self._until = time.thread_time() + most_s

    def check(self, size: int) -> None:
        """Raise `TooMuchError` if so much cannot be made any more, or the time is over."""
        if size > self._left:
            raise TooMuchError(f"it makes more than {self._most:,} characters")
        if time.thread_time() > self._until:
            raise TooMuchError(f"it takes longer than {self._most_s:g} s to fill in")

    def take(self, size: int) -> None:
        """Count so much as made.

        Raises:
            TooMuchError: if that is too much.
        """
        self.check(size)
        self._left -= size

    def made(self, value: Any) -> Any:
        """Count `value` as made, and return it."""
        self.take(len(value) if isinstance(value, str) else size_of(value, self._left))
        return value

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield `items`, each counted."""
        for item in items:
            self.take(ITEM)
            yield item

    def join(self, pieces: Iterable[str], separator: str = "") -> str:
        """Return `pieces` as one text, if there is room for it."""
        texts = list(pieces)
        self.take(sum(map(len, texts)) + len(separator) * len(texts))
        return separator.join(texts)


_METER: ContextVar[Meter] = ContextVar("_METER")


@contextmanager
def metered(given: int, *, most_s: float = MOST_SECONDS) -> Iterator[None]:
    """Have one meter count what a template makes; arguments as for `Meter`."""
    token = _METER.set(Meter(given, most_s=most_s))
    try:
        yield
    finally:
        _METER.reset(token)


def meter() -> Meter:
    """Return the meter of the template that is filled in now."""
    return _METER.get()


def size_of(value: Any, most: float = float("inf")) -> int:
    """Return how large JSON data are, in characters; what is larger than `most` is not looked at to its end.

    >>> size_of("four"), size_of(["four", ["five"]])
    (4, 56)
    """
    size = 0
    left = [value]
    while left and size <= most:
        each = left.pop()
        if isinstance(each, str | bytes):
            size += len(each)
        elif isinstance(each, int):
            size += each.bit_length() // 8
        elif isinstance(each, list | tuple | set | frozenset):
            size += ITEM * len(each)
            left += each
        elif isinstance(each, Mapping):
            size += 2 * ITEM * len(each)
            left += each.keys()
            left += each.values()
    return size + (1 if size == 0 else 0)
