"""Where the boxes of a tree stand: every subtree owns a strip of its own, parents stand centred on their children.

Leaves in columns share a strip, row by row; a column beyond the first stands where deeper levels do.

Two passes over the nodes, up and down, so the time is linear in their number whatever the shape of the tree. Boxes
never overlap. This is the bounding-strip simplification of the tidy trees of Reingold and Tilford ("Tidier Drawings
of Trees", 1981): subtrees are not slid into each other, which keeps families apart where labels are long.

Places are whole pixels on two axes that know no direction: `depth` from the root to the leaves, `breadth` across.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .columns import Breaking, Run, columns_of, leaf_runs
from .view import ViewNode

SIBLING_GAP = 18
FAMILY_GAP = 32


@dataclass(frozen=True, slots=True)
class Box:
    """The place of one node."""

    depth: int
    breadth: int
    depth_size: int
    breadth_size: int
    level: int

    @property
    def depth_end(self) -> int:
        """Its side towards the leaves."""
        return self.depth + self.depth_size

    @property
    def breadth_end(self) -> int:
        """Its side towards later siblings."""
        return self.breadth + self.breadth_size

    @property
    def middle(self) -> int:
        """Its centre across."""
        return self.breadth + self.breadth_size // 2


class Layout:
    """The places of all nodes.

    Attributes:
        boxes: the box of each node.
        levels: the nodes of each level, in order across.
        level_starts: where the boxes of each level begin.
        level_ends: where the deepest box of each level ends.
        depth_size: the size of the whole along `depth`.
        breadth_size: the size of the whole along `breadth`.
    """

    def __init__(
        self,
        nodes: Sequence[ViewNode],
        sizes: Sequence[tuple[int, int]],
        *,
        level_gap: int,
        breaking: Breaking | None = None,
    ) -> None:
        """Place `nodes`, whose boxes have the given `(depth size, breadth size)`, with `level_gap` between levels."""
        levels = [node.depth - 1 + column for node, column in zip(nodes, columns_of(nodes, breaking), strict=True)]
        self.levels = _levels(levels)
        self.level_starts: list[int] = []
        self.level_ends: list[int] = []
        start = 0
        for level in self.levels:
            self.level_starts.append(start)
            self.level_ends.append(start + max(sizes[place][0] for place in level))
            start = self.level_ends[-1] + level_gap
        starts, self.breadth_size = _starts(nodes, [size for _, size in sizes], breaking)
        self.boxes = [
            Box(self.level_starts[level], start, *size, level)
            for level, start, size in zip(levels, starts, sizes, strict=True)
        ]
        self.depth_size = self.level_ends[-1]
        self._breadths = [[self.boxes[place].breadth for place in level] for level in self.levels]

    def box_at(self, level: int, breadth: int) -> Box | None:
        """Return the box that a line across `level` at `breadth` would run through; None if it is free."""
        before = bisect_right(self._breadths[level], breadth) - 1
        box = self.boxes[self.levels[level][before]] if before >= 0 else None
        return box if box is not None and box.breadth_end >= breadth else None

    def are_neighbours(self, one: int, other: int) -> bool:
        """Return whether two nodes stand next to each other on one level."""
        first, second = self.boxes[one], self.boxes[other]
        if first.level != second.level:
            return False
        breadths = self._breadths[first.level]
        return abs(bisect_right(breadths, first.breadth) - bisect_right(breadths, second.breadth)) == 1


def _starts(nodes: Sequence[ViewNode], sizes: Sequence[int], breaking: Breaking | None) -> tuple[list[int], int]:
    """Return where each box begins across, and the size of the whole; a run of leaves has one strip."""
    runs = {run.first: run for run in leaf_runs(nodes)}
    rows = {place: _row_starts(sizes, run, run.rows(breaking)) for place, run in runs.items()}
    strip_of = [0] * len(nodes)
    firsts: list[int] = []
    place = 0
    while place < len(nodes):
        strip_of[place] = len(firsts)
        firsts.append(place)
        place += runs[place].length if place in runs else 1
    parents = [strip_of[nodes[place].parent] if place else -1 for place in firsts]
    strips = _Strips(parents, [rows[place][-1] if place in rows else sizes[place] for place in firsts])
    starts: list[int] = []
    for start, place in zip(strips.box_starts, firsts, strict=True):
        if place in runs:
            *row_starts, _ = rows[place]
            starts += [start + row_starts[number % len(row_starts)] for number in range(runs[place].length)]
        else:
            starts.append(start)
    return starts, strips.extents[0]


def _row_starts(sizes: Sequence[int], run: Run, rows: int) -> list[int]:
    """Return where the rows of a run begin, and where the last one ends."""
    starts = [0]
    for row in range(rows):
        tallest = max(sizes[run.first + row : run.first + run.length : rows])
        starts.append(starts[-1] + tallest + (SIBLING_GAP if row < rows - 1 else 0))
    return starts


class _Strips:
    """The strip that each subtree owns, and where its top box begins in it."""

    def __init__(self, parents: Sequence[int], sizes: Sequence[int]) -> None:
        self._parents = parents
        self._sizes = sizes
        self.extents = list(sizes)
        self._spans = [0] * len(sizes)  # what the children take up together
        self._centres = [size // 2 for size in sizes]  # of the box, within its strip
        self._gaps = [0] * len(sizes)  # before the strip, to the sibling before
        self._measure_upwards()
        self.box_starts = self._place_downwards()

    def _measure_upwards(self) -> None:
        firsts = [-1] * len(self._parents)  # the child that was met last, which is the first one in the end
        lasts = [-1] * len(self._parents)
        for place in range(len(self._parents) - 1, -1, -1):
            if firsts[place] >= 0:
                self._centre(place, firsts[place], lasts[place])
            parent = self._parents[place]
            if parent < 0:
                continue
            following = firsts[parent]
            if following >= 0:
                self._gaps[following] = FAMILY_GAP if firsts[place] >= 0 or firsts[following] >= 0 else SIBLING_GAP
                self._spans[parent] += self._gaps[following]
            else:
                lasts[parent] = place
            firsts[parent] = place
            self._spans[parent] += self.extents[place]

    def _centre(self, place: int, first: int, last: int) -> None:
        size, span = self._sizes[place], self._spans[place]
        extent = max(size, span)
        margin = (extent - span) // 2
        last_centre = span - self.extents[last] + self._centres[last]
        wished = margin + (self._centres[first] + last_centre) // 2
        self.extents[place] = extent
        self._centres[place] = min(max(wished, size // 2), extent - (size - size // 2))

    def _place_downwards(self) -> list[int]:
        starts = [0] * len(self._parents)
        free = [0] * len(self._parents)  # where the next child's strip may begin
        for place, parent in enumerate(self._parents):
            if parent >= 0:
                starts[place] = free[parent] + self._gaps[place]
                free[parent] = starts[place] + self.extents[place]
            free[place] = starts[place] + (self.extents[place] - self._spans[place]) // 2
        return [
            start + centre - size // 2 for start, centre, size in zip(starts, self._centres, self._sizes, strict=True)
        ]


def _levels(levels_of: Sequence[int]) -> list[list[int]]:
    """Return the positions on each level, in order across."""
    levels: list[list[int]] = [[] for _ in range(max(levels_of) + 1)]
    for place, level in enumerate(levels_of):
        levels[level].append(place)
    return levels
