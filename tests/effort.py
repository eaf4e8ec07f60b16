"""How much work a piece of code is, compared with itself at another size: the same at any load, as seconds are not."""

import sys
import time
from collections.abc import Callable
from typing import Any

Work = Callable[[], Any]


def calls_of(work: Work) -> int:
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


def growth(work: Callable[[int], Work], *, size: int, times: int = 4) -> float:
    """Return how many times the calls grow when the size grows `times`: about `times` for what is linear.

    Args:
        work: returns, for a size, what is measured; what comes before is not.
        size: the smaller size.
        times: how many times larger the other one is.
    """
    return calls_of(work(size * times)) / calls_of(work(size))


def is_near_linear(work: Callable[[int], Work], *, size: int, times: int = 4) -> bool:
    """Return whether the processor's time grows about as the size does; for work in C, where calls say nothing.

    What takes less than two seconds of the processor at `size` counts as linear; what is quadratic grows `times`
    times `times`, of which two thirds are refused, in each of three tries: a busy machine makes one of them slow.

    Args:
        work: returns, for a size, what is measured; what comes before is not.
        size: the larger size.
        times: how many times smaller the other one is.
    """
    for _ in range(3):
        large = _seconds_of_processor(work(size))
        if large < 2 or large / _seconds_of_processor(work(size // times)) < times * times * 2 / 3:
            return True
    return False


def _seconds_of_processor(work: Work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
