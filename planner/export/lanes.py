"""Many tasks in few lines: each span is a bar in the first lane that is free there, as if the lanes did the work.

Bars have a width that can be seen; where no lane is free, a bar joins the one that ends first. Waits take no lane.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from .time_axis import TimeAxis
from .times import SpanKind, TimedTask

MOST_LANES = 32
_LEAST = 1.5
_GAP = 0.5


@dataclass(slots=True)
class LaneBar:
    """A bar from `left` to `right`; of several that cannot be told apart, one."""

    left: float
    right: float
    kind: SpanKind


def lanes_of(tasks: Iterable[TimedTask], axis: TimeAxis) -> list[list[LaneBar]]:
    """Return the bars of each lane, in order.

    >>> from ramify.planner.export.times import Span
    >>> from ramify.tasks import TaskState
    >>> tasks = [
    ...     TimedTask(id=name, content="", state=TaskState.DONE, spans=(Span(start, end, "done"),))
    ...     for name, start, end in (("a", 0, 40), ("b", 10, 90), ("c", 50, 100))
    ... ]
    >>> [[(bar.left, bar.right) for bar in lane] for lane in lanes_of(tasks, TimeAxis(100, 100))]
    [[(0.0, 40.0), (50.0, 100.0)], [(10.0, 90.0)]]
    """
    spans = sorted(span for task in tasks for span in task.spans if span.kind != "wait")
    lanes: list[list[LaneBar]] = []
    busy: list[tuple[float, int]] = []  # (until, lane)
    free: list[int] = []
    for span in spans:
        left = axis.place(span.start_s)
        bar = LaneBar(left, max(axis.place(span.end_s), left + _LEAST), span.kind)
        while busy and busy[0][0] <= left:
            heappush(free, heappop(busy)[1])
        if free:
            lane = heappop(free)
            lanes[lane].append(bar)
        elif len(lanes) < MOST_LANES:
            lane = len(lanes)
            lanes.append([bar])
        else:
            until, lane = heappop(busy)
            _join(lanes[lane], bar, until)
        heappush(busy, (lanes[lane][-1].right + _GAP, lane))
    return lanes


def _join(lane: list[LaneBar], bar: LaneBar, until: float) -> None:
    """Put `bar` into a lane that is busy until then: behind what is there, or into it where it would not be seen."""
    last = lane[-1]
    if bar.kind == last.kind or bar.right <= until:
        last.right = max(last.right, bar.right)
        last.kind = "failed" if "failed" in {bar.kind, last.kind} else last.kind
    else:
        lane.append(LaneBar(until, max(bar.right, until + _LEAST), bar.kind))
