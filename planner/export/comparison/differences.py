"""Where two answers differ: word by word, as parts that both have and parts that only one has; pure."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 4_000
"""Words of an answer above which whole lines are compared: the work grows with the product of both."""


class Part(NamedTuple):
    """A piece of an answer.

    Attributes:
        text: its words.
        is_shared: whether the other answer has them too, at this place.
    """

    text: str
    is_shared: bool


def compared(first: str, second: str) -> list[Part]:
    """Return `second` in parts, marked as shared with `first` or not; together they are `second`.

    >>> compared("It is 4 km.", "It is 5 km.")
    [Part(text='It is ', is_shared=True), Part(text='5', is_shared=False), Part(text=' km.', is_shared=True)]
    """
    if first == second:
        return [Part(second, is_shared=True)] if second else []
    pieces, others = _WORDS.findall(first), _WORDS.findall(second)
    if max(len(pieces), len(others)) > _MOST_WORDS:
        pieces, others = first.splitlines(keepends=True), second.splitlines(keepends=True)
    if max(len(pieces), len(others)) > _MOST_WORDS:
        return [Part(second, is_shared=False)]
    parts: list[Part] = []
    for kind, _, _, start, end in SequenceMatcher(None, pieces, others, autojunk=False).get_opcodes():
        if start < end:
            parts.append(Part("".join(others[start:end]), is_shared=kind == "equal"))
    return parts
