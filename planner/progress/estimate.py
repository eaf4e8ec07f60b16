"""How long a run may still take: told from what its finished tasks took, or not told at all.

What is left is work: so many leaves and so many tasks to be composed, each as long as those that are finished took on
average. Work is divided by the number of tasks that were at it at the same time so far, which is what `jobs`, limits
and dependencies made of it; no run is over before its longest remaining step. Nothing is told of few or of very unequal
durations: an estimate is given only where its standard error is below half of it.
"""

from dataclasses import dataclass, field
from math import sqrt

LEAST_FINISHED = 3
"""Finished tasks of a kind below which nothing is told of their durations."""

MOST_ERROR = 0.5
"""The largest standard error of an estimate that is given, as a part of it."""


@dataclass(slots=True)
class Durations:
    """The mean and the spread of durations, kept as they come.

    >>> durations = Durations()
    >>> for seconds in (1.0, 2.0, 3.0):
    ...     durations.add(seconds)
    >>> durations.mean_s, durations.variance
    (2.0, 1.0)
    """

    count: int = 0
    mean_s: float = 0.0
    _squares: float = field(default=0.0, repr=False)

    def add(self, seconds: float) -> None:
        """Take one in."""
        self.count += 1
        change = seconds - self.mean_s
        self.mean_s += change / self.count
        self._squares += change * (seconds - self.mean_s)

    @property
    def variance(self) -> float:
        """Their variance, as a sample's."""
        return self._squares / (self.count - 1) if self.count > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one kind of work.

    Attributes:
        durations: what the finished ones took.
        waiting: how many have not been started.
        running_s: for how long those that run have been running, each, in seconds.
    """

    durations: Durations
    waiting: int
    running_s: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """How many are not finished."""
        return self.waiting + len(self.running_s)

    @property
    def work_s(self) -> float:
        """The work that is left, in seconds."""
        mean = self.durations.mean_s
        return self.waiting * mean + sum(max(0.0, mean - spent) for spent in self.running_s)

    @property
    def longest_s(self) -> float:
        """How long the last of them takes at least, in seconds."""
        mean = self.durations.mean_s
        return mean if self.waiting else max((mean - spent for spent in self.running_s), default=0.0)


def seconds_left(leaves: Left, parents: Left, *, at_once: float) -> float | None:
    """Return how long a run may still take, in seconds; None if that cannot honestly be said.

    Args:
        leaves: the leaves.
        parents: the tasks that are composed; as long as none is finished, they are taken to be like leaves.
        at_once: how many tasks ran at the same time so far, on average.

    >>> durations = Durations()
    >>> for seconds in (9.0, 10.0, 11.0):
    ...     durations.add(seconds)
    >>> seconds_left(Left(durations, 40), Left(Durations(), 0), at_once=4.0)
    100.0
    >>> seconds_left(Left(Durations(), 40), Left(Durations(), 0), at_once=4.0) is None
    True
    """
    if parents.durations.count < LEAST_FINISHED:
        parents = Left(leaves.durations, parents.waiting, parents.running_s)
    kinds = [kind for kind in (leaves, parents) if kind.count]
    if not kinds or at_once <= 0 or any(kind.durations.count < LEAST_FINISHED for kind in kinds):
        return None
    whole = sum(kind.count * kind.durations.mean_s for kind in kinds)
    if _error_s(kinds) > MOST_ERROR * whole:
        return None
    work = sum(kind.work_s for kind in kinds)
    longest = sum(max(0.0, kind.longest_s) for kind in kinds)
    return max(work / at_once, longest)


def _error_s(kinds: list[Left]) -> float:
    """Return the standard error of a sum of durations: of their mean, and of the ones to come."""
    return sqrt(sum(kind.durations.variance * (kind.count**2 / kind.durations.count + kind.count) for kind in kinds))


def format_left(seconds: float) -> str:
    """Return a duration as coarse as an estimate is.

    >>> [format_left(seconds) for seconds in (0.3, 12, 58, 200, 5000, 90_000)]
    ['5 s', '15 s', '1 min', '4 min', '1 h 25 min', '25 h']
    """
    if seconds <= 55:  # noqa: PLR2004 - whole minutes follow
        return f"{max(1, -int(-seconds // 5)) * 5} s"
    minutes = -int(-seconds // 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min"
    hours, minutes = divmod(-(-minutes // 5) * 5, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"  # noqa: PLR2004 - coarse
