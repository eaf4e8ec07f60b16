"""How a row of neighbours is cut into fewer runs: in order, and as even as can be."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def even_runs(things: Sequence[T], most: int) -> list[Sequence[T]]:
    """Cut `things` into at most `most` runs whose lengths differ by one at most, the longer ones first.

    >>> even_runs("abcdefg", 3)
    ['abc', 'de', 'fg']
    """
    if not things:
        return []
    count = min(most, len(things))
    short, longer = divmod(len(things), count)
    starts = [i * short + min(i, longer) for i in range(count + 1)]
    return [things[starts[i] : starts[i + 1]] for i in range(count)]
