"""How much work a piece of code is, in calls: the same on every machine and at any load, as seconds are not."""

import sys
from collections.abc import Callable
from typing import Any


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many calls `work` makes, with each time that a generator goes on, in this thread."""
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def growth(work: Callable[[int], Callable[[], Any]], *, size: int, times: int = 4) -> float:
    """Return how many times the calls grow when the size grows `times`: about `times` for what is linear.

    Args:
        work: returns, for a size, what is measured; what comes before is not.
        size: the smaller size.
        times: how many times larger the other one is.
    """
    return calls_of(work(size * times)) / calls_of(work(size))
