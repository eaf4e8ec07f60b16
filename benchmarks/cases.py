"""What is measured: the cases, their sizes, and the ideal times; the same numbers for every contender.

Only the standard library is used here: each contender imports this file in an environment of its own.
"""

import heapq
import random
from dataclasses import dataclass, replace
from typing import Final

GRAPH_SEED: Final = 7
LAYERS: Final = 27
MOST_NEEDS: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured.

    Attributes:
        name: how the programs of the contenders call it.
        text: what it is, with a place for the size; see `title`.
        kind: which function of a contender does it.
        size: how many leaves or tasks.
        leaf_s: how long the body of a leaf takes, in seconds.
        jobs: leaves at the same time.
        unit: what the table shows: "ms a leaf", "s", "leaves" or "MB".
    """

    name: str
    text: str
    kind: str
    size: int
    leaf_s: float = 0.0
    jobs: int = 100
    unit: str = "s"

    @property
    def title(self) -> str:
        """What it is, for people to read."""
        return self.text.format(size=self.size)

    @property
    def ideal_s(self) -> float | None:
        """How long it takes an engine that costs nothing, in seconds; None where bodies do nothing."""
        if not self.leaf_s or self.kind == "crash":
            return None
        if self.kind == "graph":
            return steps_of(graph_of(self.size), self.jobs) * self.leaf_s
        return -(-self.size // self.jobs) * self.leaf_s


CASES: Final = (
    Case("leaves-1000", "{size:,} leaves that do nothing, 100 at a time", "leaves", 1_000, unit="ms a leaf"),
    Case("leaves-10000", "{size:,} leaves that do nothing, 100 at a time", "leaves", 10_000),
    Case("sleeps", "{size:,} leaves of 50 ms, 100 at a time", "leaves", 1_000, leaf_s=0.05),
    Case("short-sleeps", "{size:,} leaves of 20 ms, 16 at a time", "leaves", 4_000, leaf_s=0.02, jobs=16),
    Case("graph", "layered random graph of {size:,} leaves of 10 ms, 50 at a time", "graph", 1_000, 0.01, jobs=50),
    Case(
        "crash", "leaves that had finished and ran again after `kill -9` ({size:,} of 20 ms, 4 at a time)",
        "crash", 120, leaf_s=0.02, jobs=4, unit="leaves",
    ),
    Case("flat", "{size:,} tasks below one root: create", "flat", 100_000),
    Case("chain", "{size:,} tasks in one chain: create, print, finish", "chain", 100_000),
    Case("stored", "{size:,} leaves: run and stored, opened again, exported", "stored", 100_000),
    Case("million", "{size:,} tasks in one run: the most memory it took", "million", 1_000_000, unit="MB"),
)  # fmt: skip


def scaled(case: Case, scale: float) -> Case:
    """Return `case` with its size multiplied by `scale`, for a quick look; never below 20."""
    return case if scale == 1 else replace(case, size=max(20, int(case.size * scale)))


def graph_of(size: int, *, seed: int = GRAPH_SEED) -> list[list[int]]:
    """Return a layered random graph: `graph[i]` are the numbers of the leaves, all below i, that leaf i needs.

    Each leaf of a layer needs one to three of the layer before it; the layers have random sizes.
    """
    chance = random.Random(seed)  # noqa: S311 - the same graph for everybody, not a secret
    weights = [chance.uniform(0.4, 1.6) for _ in range(LAYERS)]
    graph: list[list[int]] = []
    before: range = range(0)
    for number, weight in enumerate(weights):
        is_last = number == LAYERS - 1
        count = size - len(graph) if is_last else min(round(size * weight / sum(weights)), size - len(graph))
        layer = range(len(graph), len(graph) + count)
        for _ in layer:
            needs = chance.sample(before, min(len(before), chance.randint(1, MOST_NEEDS)))
            graph.append(sorted(needs))
        before = layer if count else before
    return graph


def layers_of(graph: list[list[int]]) -> list[list[int]]:
    """Return the leaves by the length of the longest path to them."""
    level: list[int] = []
    for needs in graph:
        level.append(1 + max((level[need] for need in needs), default=-1))
    layers: list[list[int]] = [[] for _ in range(max(level, default=-1) + 1)]
    for leaf, at in enumerate(level):
        layers[at].append(leaf)
    return layers


def steps_of(graph: list[list[int]], jobs: int) -> int:
    """Return in how many steps a list schedule does `graph`, `jobs` leaves a step, the longest remaining path first.

    >>> steps_of([[], [], [0], [1]], 1), steps_of([[], [], [0], [1]], 2)
    (4, 2)
    """
    dependents: list[list[int]] = [[] for _ in graph]
    for leaf, needs in enumerate(graph):
        for need in needs:
            dependents[need].append(leaf)
    rank = [0] * len(graph)
    for leaf in reversed(range(len(graph))):
        rank[leaf] = 1 + max((rank[other] for other in dependents[leaf]), default=0)
    unmet = [len(needs) for needs in graph]
    ready = [(-rank[leaf], leaf) for leaf, count in enumerate(unmet) if not count]
    heapq.heapify(ready)
    steps = 0
    while ready:
        steps += 1
        taken = [heapq.heappop(ready)[1] for _ in range(min(jobs, len(ready)))]
        for leaf in taken:
            for other in dependents[leaf]:
                unmet[other] -= 1
                if not unmet[other]:
                    heapq.heappush(ready, (-rank[other], other))
    return steps
