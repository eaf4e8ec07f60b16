"""The arithmetic of a study: how sure a difference between two arms on the same items is, and what it takes to see one.

Everything is paired: the same items in both arms, so that what is easy or hard about an item cancels out. Plain Python
is quick enough for some thousand items, and importing it costs nothing.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, comb, exp, lgamma, log
from random import Random

RESAMPLES = 4_000
SURE = 0.95
SEEN = 0.8
"""The power that is asked for: how often a study finds a gain that is there."""

_ALPHA = 1 - SURE
_MOST_ITEMS = 20_000


def interval_of_mean(values: Sequence[float], *, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return between which figures the mean of `values`, one an item from -1 to 1, lies in 95 of 100 studies.

    It is the percentile bootstrap over items, with half an item more that was won and half a one that was lost. Without
    these, ten items on which both arms agree would be taken for proof that they always do. Quantiles are taken in the
    middle of the steps in which so few items go. The draws are seeded: the same study has the same interval.

    Source: Efron 1979, doi:10.1214/aos/1176344552; for the half items, Agresti and Min 2005, doi:10.1002/sim.1781.

    >>> [round(end, 1) for end in interval_of_mean([0.0] * 10)]
    [-0.2, 0.2]
    """
    return _interval(tuple(sorted(Counter(values).items())), resamples)


@lru_cache(maxsize=4096)
def _interval(counts: tuple[tuple[float, int], ...], resamples: int) -> tuple[float, float]:
    """Return the interval of values of which there are so many each; their order changes nothing."""
    twice = [value for value, count in counts for _ in range(2 * count)]
    drawn_from, size = [*twice, 1.0, -1.0], len(twice) // 2 + 1
    draw = Random(str(counts)).choices  # noqa: S311 - another seed for other values, so that errors do not add up
    drawn = Counter(round(sum(draw(drawn_from, k=size)), 9) for _ in range(resamples))
    steps, middles, below = sorted(drawn), [], 0
    for step in steps:
        middles.append((below + drawn[step] / 2) / resamples)
        below += drawn[step]
    low, high = (_between(steps, middles, share) / size for share in (_ALPHA / 2, 1 - _ALPHA / 2))
    return low, high


def _between(steps: Sequence[float], middles: Sequence[float], share: float) -> float:
    """Return the quantile `share` of draws, between the steps whose middles lie around it."""
    place = bisect(middles, share)
    if place in (0, len(steps)):
        return steps[min(place, len(steps) - 1)]
    part = (share - middles[place - 1]) / (middles[place] - middles[place - 1])
    return steps[place - 1] + part * (steps[place] - steps[place - 1])


def mcnemar(gained: int, lost: int) -> float:
    """Return how likely so uneven a split of the items that differ is, or one more uneven, if both arms are as good.

    Args:
        gained: items that only the one arm has right.
        lost: items that only the other has right.

    Source: McNemar 1947, doi:10.1007/BF02295996; in its exact form, the binomial test of the items that differ.

    >>> mcnemar(0, 0), mcnemar(1, 1), round(mcnemar(9, 1), 4)
    (1.0, 1.0, 0.0215)
    """
    differ = gained + lost
    tail = sum(comb(differ, number) for number in range(min(gained, lost) + 1))
    return min(1.0, float(2 * tail / 2**differ))


def holm(chances: Sequence[float]) -> list[float]:
    """Return the p-values of several tests, corrected for there being several; in their order.

    Source: Holm 1979, https://www.jstor.org/stable/4615733

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found = [0.0] * len(chances)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda place: chances[place])):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[place]))
        found[place] = highest
    return found


def power(items: int, *, gain: float, differ: float) -> float:
    """Return how often McNemar's exact test finds a gain, at 5 %, in a study of so many items.

    Args:
        items: how many there are.
        gain: by how much one arm is right more often: 0.1 is ten points.
        differ: the share of the items on which just one of the arms is right; at least the gain.

    >>> round(power(60, gain=0.1, differ=0.2), 2), round(power(200, gain=0.1, differ=0.2), 2)
    (0.31, 0.88)
    """
    differ = min(1.0, max(differ, abs(gain)))
    if not differ:
        return 0.0
    win = (differ + abs(gain)) / (2 * differ)
    spread = 8 * (items * differ * (1 - differ)) ** 0.5 + 8
    least, most = max(0, int(items * differ - spread)), min(items, ceil(items * differ + spread))
    return min(1.0, sum(_chance(many, items, differ) * _found(many, win) for many in range(least, most + 1)))


def items_for(gain: float, *, differ: float, wanted: float = SEEN) -> int:
    """Return how many items a study needs to find a gain in `wanted` of all cases; see `power`.

    >>> items_for(0.1, differ=0.2)
    168
    """
    low, high = 0, 8
    while high < _MOST_ITEMS and power(high, gain=gain, differ=differ) < wanted:
        low, high = high, 2 * high
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if power(middle, gain=gain, differ=differ) < wanted else (low, middle)
    return high


def least_gain(items: int, *, differ: float, wanted: float = SEEN) -> float:
    """Return the smallest gain that a study of so many items finds in `wanted` of all cases; see `power`.

    >>> round(least_gain(60, differ=0.2), 2)
    0.16
    """
    low, high = 0.0, 1.0
    while high - low > 0.002:  # noqa: PLR2004 - a fifth of a point
        middle = (low + high) / 2
        low, high = (middle, high) if power(items, gain=middle, differ=differ) < wanted else (low, middle)
    return high


@lru_cache(maxsize=4096)
def _least_uneven(differ: int) -> int:
    """Return up to how many lost items, of those that differ, count as found; -1 if none do."""
    tail, most, number = 0, -1, 0
    while number <= differ // 2:
        tail += comb(differ, number)
        if 2 * tail / 2**differ > _ALPHA:
            break
        most, number = number, number + 1
    return most


@lru_cache(maxsize=65536)
def _found(differ: int, win: float) -> float:
    most = _least_uneven(differ)
    return sum(_chance(lost, differ, 1 - win) + _chance(lost, differ, win) for lost in range(most + 1))


def _chance(hits: int, of: int, share: float) -> float:
    """Return how likely so many hits are."""
    if share in (0.0, 1.0):
        return float(hits == of * share)
    ways = lgamma(of + 1) - lgamma(hits + 1) - lgamma(of - hits + 1)
    return exp(ways + hits * log(share) + (of - hits) * log(1 - share))
