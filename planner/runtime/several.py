"""Whoever may give several things may give one: a text alone is one text, and never its letters."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def several(given: Any, *kinds: type) -> tuple[Any, ...]:
    """Return what is given for several: a text, a path, one of `kinds`, or whatever is no row, is one of them.

    >>> several("notes.txt"), several(["a", "b"])
    (('notes.txt',), ('a', 'b'))
    """
    is_one = isinstance(given, (str, bytes, Path, *kinds)) or not isinstance(given, Iterable)
    return (given,) if is_one else tuple(given)
