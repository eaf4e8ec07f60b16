"""Which leaves stand in columns: long rows of siblings are broken, so that a picture fits a page instead of a strip.

Siblings without shown subtasks that follow each other are a run. A run longer than what fits is set in columns, down
the first, then down the next; each column stands one level further from the parent. Linear in the number of nodes.
"""

from collections.abc import Iterator, Sequence
from math import ceil, log
from typing import NamedTuple

from .view import Direction, GraphView, ViewNode

_LENGTHS = (40, 30, 24, 18, 14, 11, 9, 7, 6, 5, 4, 3, 2, 1)
_FREE = 1400
"""Pixels across within which nothing is broken."""

_LONG_SIDE, _SHORT_SIDE = 320, 100
"""What a box usually takes, with the gap to the next."""

_WISHED = {"LR": 1.25, "TB": 1.7}
"""How much longer across than deep a picture should be: upright paper, or a wide page."""

_UNBROKEN = 1.6
"""How far from that a picture may be before it is broken."""


_MOST_COLUMNS = {"LR": 9, "TB": 24}
"""Columns of one run; more than that leave the page empty where other runs are short. Boxes are wider than high."""


class Breaking(NamedTuple):
    """How runs are broken: columns of at most `longest`, but no more than `most` of them."""

    longest: int
    most: int


class Run(NamedTuple):
    """Leaves that follow each other: `length` of them from position `first`, on level `depth`."""

    first: int
    length: int
    depth: int

    def rows(self, breaking: Breaking | None) -> int:
        """Return how many stand in a column; the columns are of equal length."""
        if breaking is None:
            return self.length
        return ceil(self.length / min(breaking.most, ceil(self.length / breaking.longest)))


def leaf_runs(nodes: Sequence[ViewNode]) -> Iterator[Run]:
    """Yield the runs of leaves among `nodes`, in order."""
    first = 0
    for place, node in enumerate(nodes):
        if node.has_shown_subtasks:
            first = place + 1
            continue
        following = nodes[place + 1] if place + 1 < len(nodes) else None
        if following is None or following.has_shown_subtasks or following.parent != node.parent:
            yield Run(first, place + 1 - first, node.depth)
            first = place + 1


def fitting(
    nodes: Sequence[ViewNode], *, depth_size: float, breadth_size: float, direction: Direction
) -> Breaking | None:
    """Return how runs are broken for the picture to fit a page; None if nothing needs to be.

    Args:
        nodes: the boxes.
        depth_size: what one level takes, with the gap to the next.
        breadth_size: what one box takes across, with the gap to the next.
        direction: "LR" or "TB".
    """
    runs = list(leaf_runs(nodes))
    deepest = max(node.depth for node in nodes)

    def shape(breaking: Breaking | None) -> tuple[float, float]:
        across, deep = 0, deepest
        for run in runs:
            rows = run.rows(breaking)
            across += rows
            deep = max(deep, run.depth + ceil(run.length / rows) - 1)
        return across * breadth_size, across * breadth_size / (deep * depth_size)

    across, ratio = shape(None)
    wished = _WISHED[direction]
    if across <= _FREE or ratio <= wished * _UNBROKEN:
        return None
    choices = [Breaking(longest, _MOST_COLUMNS[direction]) for longest in _LENGTHS]
    return min(choices, key=lambda breaking: abs(log(shape(breaking)[1] / wished)))


def usual_breaking(view: GraphView) -> Breaking | None:
    """Return how runs are broken where boxes have their usual sizes."""
    direction = view.options.direction
    deep, across = (_LONG_SIDE, _SHORT_SIDE) if direction == "LR" else (_SHORT_SIDE, _LONG_SIDE)
    return fitting(view.nodes, depth_size=deep, breadth_size=across, direction=direction)


def columns_of(nodes: Sequence[ViewNode], breaking: Breaking | None) -> list[int]:
    """Return the column of each node, from 0."""
    columns = [0] * len(nodes)
    for run in leaf_runs(nodes):
        rows = run.rows(breaking)
        for place in range(rows, run.length):
            columns[run.first + place] = place // rows
    return columns
