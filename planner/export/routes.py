"""How the lines of a picture run: in right angles with rounded corners, along lanes in the gaps between the levels.

After each level come first the lanes of dependencies, then the trunk that the next level's boxes hang on. A
dependency that has to cross a level looks for a place between its boxes. Points are `(depth, breadth)`, as in the
layout.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .layout import SIBLING_GAP, Box, Layout

LEVEL_GAP = 76
_BUS = 54  # from a level's end to the trunk that its subtasks hang on
_LANE_START = 14  # from a level's end to its first lane
_LANE_GAP = 7
_LANES = 5
LANE_ROOM = _LANE_START + _LANES * _LANE_GAP
"""What lanes need beside the last level."""
_CORNER = 7
_RAIL = 5  # from the line along a row of a further column to its boxes
_DROP = 13  # from where such a line turns towards its box to the box
_ARROW_LENGTH = 8
_MOST_LEVELS_LOOKED_AT = 8

Point = tuple[int, int]
Step = tuple[str, tuple[Point, ...]]
"""A step of an SVG path: M, L or Q, and its points."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """The line of a dependency.

    Attributes:
        steps: its path, up to the arrow head.
        tip: where the head ends.
        heading: the direction of the head, as (depth, breadth), one of them 1 or -1, the other 0.
    """

    steps: tuple[Step, ...]
    tip: Point
    heading: Point


def tree_lines(layout: Layout, parent: int, children: Sequence[int]) -> list[Step]:
    """Return the lines from a box to the boxes of its subtasks: one trunk, one branch for each."""
    box = layout.boxes[parent]
    bus = layout.level_ends[box.level] + _BUS
    ends = [_end_at(box, layout.boxes[child]) for child in children]
    steps: list[Step] = [("M", ((box.depth_end, box.middle),)), ("L", ((bus, box.middle),))]
    first, last = min(*ends, box.middle), max(*ends, box.middle)
    if last - first > _CORNER:
        steps += [("M", ((bus, min(first + _CORNER, box.middle)),)), ("L", ((bus, max(last - _CORNER, box.middle)),))]
    for child in children:
        steps += _branch_to(bus, box, layout.boxes[child])
    return steps


def _branch_to(bus: int, parent: Box, child: Box) -> list[Step]:
    """Return the line from the trunk to a box; one in a further column is reached along the gap before its row."""
    if child.level == parent.level + 1:
        return _branch(bus, parent.middle, (child.depth, child.middle))
    rail, drop = child.breadth - _RAIL, child.depth - _DROP
    return [
        *_branch(bus, parent.middle, (drop - _CORNER, rail)),
        ("Q", ((drop, rail), (drop, rail + _CORNER))),
        ("L", ((drop, child.middle - _CORNER),)),
        ("Q", ((drop, child.middle), (drop + _CORNER, child.middle))),
        ("L", ((child.depth, child.middle),)),
    ]


def _end_at(parent: Box, child: Box) -> int:
    """Return the breadth at which the line to a box leaves the trunk."""
    return child.middle if child.level == parent.level + 1 else child.breadth - _RAIL


def _branch(bus: int, trunk: int, end: Point) -> list[Step]:
    offset = end[1] - trunk
    if not offset:
        return [("M", ((bus, trunk),)), ("L", (end,))]
    turn = min(_CORNER, abs(offset)) * (1 if offset > 0 else -1)
    return [
        ("M", ((bus, end[1] - turn),)),
        ("Q", ((bus, end[1]), (bus + abs(turn), end[1]))),
        ("L", (end,)),
    ]


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch along a lane: after which level, and from where to where across."""

    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Course:
    """What a dependency passes: where it starts, the lanes that it takes in turn, where it ends."""

    start: Point
    runs: tuple[_Run, ...]
    tip: Point
    heading: Point


def dependency_arrows(layout: Layout, dependencies: Sequence[tuple[int, int]]) -> list[Arrow]:
    """Return the line of each `(prerequisite, dependent)`, in order."""
    courses = [_course(layout, prerequisite, dependent) for prerequisite, dependent in dependencies]
    lanes = _share_lanes([run for course in courses for run in course.runs])
    return [_arrow(layout, course, lanes) for course in courses]


def _course(layout: Layout, prerequisite: int, dependent: int) -> _Course:
    source, target = layout.boxes[prerequisite], layout.boxes[dependent]
    if layout.are_neighbours(prerequisite, dependent):
        return _between_neighbours(source, target)
    if source.level == target.level:
        forwards = 1 if target.breadth > source.breadth else -1
        leave = source.middle + forwards * source.breadth_size // 4
        arrive = target.middle - forwards * target.breadth_size // 4
        run = _Run(source.level, leave, arrive)
        return _Course((source.depth_end, leave), (run,), (target.depth_end, arrive), (-1, 0))
    return _across_levels(layout, source, target)


def _between_neighbours(source: Box, target: Box) -> _Course:
    depth = source.depth + min(source.depth_size, target.depth_size) // 2
    if target.breadth > source.breadth:
        return _Course((depth, source.breadth_end), (), (depth, target.breadth), (0, 1))
    return _Course((depth, source.breadth), (), (depth, target.breadth_end), (0, -1))


def _across_levels(layout: Layout, source: Box, target: Box) -> _Course:
    leave = source.middle + source.breadth_size // 4
    arrive = target.middle + target.breadth_size // 4
    if source.level < target.level:
        crossed = range(source.level + 1, target.level)
        first, last = source.level, target.level - 1
        start, tip, heading = (source.depth_end, leave), (target.depth, arrive), (1, 0)
    else:
        crossed = range(source.level - 1, target.level, -1)
        first, last = source.level - 1, target.level
        start, tip, heading = (source.depth, leave), (target.depth_end, arrive), (-1, 0)
    if not crossed:
        return _Course(start, (_Run(first, leave, arrive),), tip, heading)
    between = _passage(layout, leave, arrive, crossed)
    return _Course(start, (_Run(first, leave, between), _Run(last, between, arrive)), tip, heading)


def _share_lanes(runs: Sequence[_Run]) -> dict[_Run, int]:
    """Return the lane of each run, so that runs side by side do not lie on each other.

    A run takes the innermost lane that is free where it begins; with too many at one place, lanes are shared.
    """
    lanes: dict[_Run, int] = {}
    level, taken_until = -1, [0] * _LANES
    for run in sorted(set(runs), key=lambda run: (run.level, min(run.start, run.end), abs(run.end - run.start))):
        if run.level != level:
            level, taken_until = run.level, [-1] * _LANES
        first, last = sorted((run.start, run.end))
        lane = next((lane for lane, until in enumerate(taken_until) if until < first), None)
        if lane is None:
            lane = taken_until.index(min(taken_until))
        taken_until[lane] = max(last, taken_until[lane])
        lanes[run] = lane
    return lanes


def _arrow(layout: Layout, course: _Course, lanes: Mapping[_Run, int]) -> Arrow:
    points = [course.start]
    for run in course.runs:
        depth = layout.level_ends[run.level] + _LANE_START + _LANE_GAP * lanes[run]
        points += [(depth, run.start), (depth, run.end)]
    (depth, breadth), (deeper, across) = course.tip, course.heading
    points.append((depth - deeper * _ARROW_LENGTH, breadth - across * _ARROW_LENGTH))
    return Arrow(tuple(_rounded(points)), course.tip, course.heading)


def _rounded(points: Sequence[Point]) -> Iterator[Step]:
    """Yield the path through `points`, whose lines follow the axes, with its corners cut round."""
    yield "M", (points[0],)
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_CORNER, _distance(before, corner) // 2, _distance(corner, after) // 2)
        yield "L", (_towards(corner, before, radius),)
        yield "Q", (corner, _towards(corner, after, radius))
    yield "L", (points[-1],)


def _distance(one: Point, other: Point) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, end: Point, length: int) -> Point:
    def step(here: int, there: int) -> int:
        return here + length * ((there > here) - (there < here))

    return step(start[0], end[0]), step(start[1], end[1])


def _passage(layout: Layout, start: int, end: int, levels: range) -> int:
    """Return the breadth at which a line crosses the fewest boxes of `levels`, and of those the nearest."""
    looked_at = levels[:_MOST_LEVELS_LOOKED_AT]
    candidates = {start, end, (start + end) // 2}
    for level in looked_at:
        candidates.update(_gaps_beside(layout, level, start))
        candidates.update(_gaps_beside(layout, level, end))

    def badness(breadth: int) -> tuple[int, int, int]:
        touched = sum(layout.box_at(level, breadth) is not None for level in looked_at)
        return touched, abs(breadth - start) + abs(breadth - end), breadth

    return min(candidates, key=badness)


def _gaps_beside(layout: Layout, level: int, breadth: int) -> tuple[int, ...]:
    """Return the breadths just beside the box of `level` that stands in the way at `breadth`; none if it is free."""
    box = layout.box_at(level, breadth)
    return () if box is None else (box.breadth - SIBLING_GAP // 2, box.breadth_end + SIBLING_GAP // 2)
