"""The time axis of a timeline: which marks it has, in which unit, and where a moment lies on it.

Times in which no process ran the run are cut out, however long they were; a narrow gap stands for each.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor

_TENTH, _MINUTE, _HOUR, _DAY = 0.1, 60.0, 3600.0, 86400.0
_STEPS_S = (
    *(base * 10.0**power for power in range(-3, 1) for base in (1, 2, 5)),
    10.0, 15.0, 30.0,
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
)  # fmt: skip
_SMALL_PAUSE = 0.02
"""The part of the whole below which a pause is not worth cutting out."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A time that is drawn in one piece: seconds `start_s` to `end_s`, beginning at `left`."""

    start_s: float
    end_s: float
    left: float


class TimeAxis:
    """Where moments lie between 0 and `width`; its marks count the time without what was cut out.

    Attributes:
        seconds: the time that is drawn.
        cuts: `(left, right, seconds)` of the gaps that stand for pauses.
    """

    def __init__(
        self, seconds: float, width: float, *, pauses: Sequence[tuple[float, float]] = (), gap: float = 28.0
    ) -> None:
        cut = [(start, end) for start, end in pauses if end - start > _SMALL_PAUSE * seconds][: int(width / gap / 2)]
        starts = [0.0, *(end for _, end in cut)]
        ends = [*(start for start, _ in cut), max(seconds, starts[-1])]
        self.seconds = sum(end - start for start, end in zip(starts, ends, strict=True))
        self._scale = (width - gap * len(cut)) / self.seconds if self.seconds > 0 else 0.0
        lengths = [(end - start) * self._scale + gap for start, end in zip(starts, ends, strict=True)]
        lefts = [0.0, *accumulate(lengths[:-1])]
        self._starts = starts
        self._stretches = [_Stretch(*each) for each in zip(starts, ends, lefts, strict=True)]
        self.cuts = [(left - gap, left, end - start) for (start, end), left in zip(cut, lefts[1:], strict=True)]

    def place(self, at_s: float) -> float:
        """Return where the moment `at_s` lies."""
        stretch = self._stretches[0]
        if len(self._stretches) > 1:
            stretch = self._stretches[max(0, bisect_right(self._starts, at_s) - 1)]
        return stretch.left + max(0.0, min(at_s, stretch.end_s) - stretch.start_s) * self._scale

    def marks(self, most: int) -> list[tuple[float, str]]:
        """Return `(place, words)` of at most `most` marks beside the one at the beginning."""
        step = nice_step(self.seconds, most)
        found, passed = [], 0.0
        for stretch in self._stretches:
            length = stretch.end_s - stretch.start_s
            first, last = ceil(passed / step), floor((passed + length) / step + 1e-9)
            for number in range(first, last + 1):
                place = stretch.left + (number * step - passed) * self._scale
                found.append((place, mark_words(number * step, step)))
            passed += length
        return found


def nice_step(seconds: float, most: int) -> float:
    """Return the time between marks such that at most `most` fit into `seconds`, in steps that people count in.

    >>> [nice_step(seconds, 8) for seconds in (0.03, 9, 100, 3000, 600_000)]
    [0.005, 2.0, 15.0, 600.0, 86400.0]
    """
    for step in _STEPS_S:
        if step * most >= seconds:
            return step
    days = _DAY
    while days * most < seconds:
        days *= 2
    return days


def mark_words(at_s: float, step: float) -> str:
    """Return the words of a mark, in the unit that fits the step.

    >>> [mark_words(0, 1), mark_words(0.02, 0.005), mark_words(1.5, 0.5), mark_words(90, 30), mark_words(5400, 1800)]
    ['0', '20 ms', '1.5 s', '1:30 min', '1:30 h']
    >>> [mark_words(45, 15), mark_words(172800, 86400)]
    ['45 s', '2 d']
    """
    if not at_s:
        return "0"
    if step < _MINUTE and at_s < _MINUTE:
        return f"{at_s * 1000:.0f} ms" if step < _TENTH else f"{at_s:.{0 if step >= 1 else 1}f} s"
    if at_s < _HOUR:
        minutes, seconds = divmod(round(at_s), 60)
        return f"{minutes}:{seconds:02d} min" if seconds else f"{minutes} min"
    if step < _DAY:
        hours, minutes = divmod(round(at_s / _MINUTE), 60)
        return f"{hours}:{minutes:02d} h" if minutes else f"{hours} h"
    return f"{at_s / _DAY:.0f} d"
