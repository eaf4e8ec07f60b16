"""Studies with models of known accuracy: do the intervals cover, is a gain found as often as the docs say?

    python -m tests.studies                    11,000 simulated studies of each kind, some minutes; `make studies`
    python -m tests.studies --studies 100      a quick look
    python -m tests.studies --through 20       and 20 studies that are really run, reply by reply, with scripted models

What is simulated is what models say: each item in each arm is right or wrong with a known chance. All that comes after
that is the product's own. Everything is seeded: every machine prints the same table, which stands in
benchmarks/studies/README.md.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ramify.planner.asking.odds import share_between
from ramify.planner.bench import bench
from ramify.planner.export.study.content import ArmSpec, Trial
from ramify.planner.export.study.figures import Versus, comparisons_of, figures_of
from ramify.planner.export.study.statistics import power
from ramify.planner.export.study.study import Study
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel

ARMS = (ArmSpec("direct", "direct"), ArmSpec("upfront", "upfront"))


@dataclass(frozen=True, slots=True)
class Truth:
    """How two arms truly do on the items that studies are drawn from.

    Attributes:
        base: the share that the first arm has right.
        gain: by how much the second is right more often.
        differ: the share of items on which just one of them is right.
    """

    base: float
    gain: float
    differ: float

    @property
    def chances(self) -> tuple[float, float, float, float]:
        """How likely an item is right in (both, only the second, only the first, neither)."""
        won = (self.differ + self.gain) / 2
        lost = self.differ - won
        both = self.base - lost
        return both, won, lost, 1 - both - won - lost


TRUTHS = (
    Truth(0.40, 0.10, 0.20),
    Truth(0.40, 0.00, 0.20),
    Truth(0.60, -0.05, 0.15),
    Truth(0.30, 0.20, 0.40),
    Truth(0.50, 0.05, 0.25),
)
SIZES = {60: 10, 200: 1}
"""How many items a study has, and how many thousand studies there are: small ones are quick to work out."""

COVERS = 0.95
WITHIN = 0.015


def simulated(truth: Truth, items: int, draw: Random) -> Study:
    """Return a study whose items were right or wrong by chance, as `truth` has it."""
    ways = draw.choices([(True, True), (False, True), (True, False), (False, False)], truth.chances, k=items)
    trials = [
        Trial(item=str(number), arm=arm.name, right=right)
        for number, rights in enumerate(ways)
        for arm, right in zip(ARMS, rights, strict=True)
    ]
    return Study("simulated", "r0", "done", "dice", "exact", 1, ARMS, tuple(trials))


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of many studies.

    Attributes:
        studies: how many.
        covered: those in which the interval of the gain holds the true one.
        covered_shares: arms in which the interval of the accuracy holds the true one; two a study.
        found: studies in which McNemar's test finds a difference.
    """

    studies: int
    covered: int
    covered_shares: int
    found: int


def tally(truth: Truth, items: int, studies: int) -> Tally:
    """Return what comes of so many studies."""
    draw = Random(f"{truth} {items}")
    covered = shares = found = 0
    for _ in range(studies):
        study = simulated(truth, items, draw)
        versus: Versus = comparisons_of(study)[0]
        low, high = versus.between
        covered += low <= truth.gain <= high
        found += versus.p < 0.05
        for arm, share in zip(ARMS, (truth.base, truth.base + truth.gain), strict=True):
            low, high = figures_of(study, arm).between
            shares += low <= share <= high
    return Tally(studies, covered, shares, found)


def table(studies: int) -> Iterator[tuple[str, bool]]:
    """Yield the rows of the table of the docs, and whether what they say holds."""
    for truth in TRUTHS:
        for items, times in SIZES.items():
            seen = tally(truth, items, times * studies)
            told = power(items, gain=truth.gain, differ=truth.differ)
            share = seen.found / seen.studies
            low, high = share_between(seen.found, seen.studies, 3.29)
            covers = seen.covered / seen.studies
            cells = (
                f"{items}", f"{truth.base:.0%}", f"{100 * truth.gain:+.0f}", f"{truth.differ:.0%}", f"{covers:.1%}",
                f"{seen.covered_shares / seen.studies / 2:.1%}", f"{share:.1%}", f"{told:.1%}",
            )  # fmt: skip
            holds = abs(covers - COVERS) <= WITHIN and (low <= told <= high)
            yield f"| {' | '.join(cells)} |", holds


class Solver(ScriptedModel):
    """A model of known accuracy: a plain call is right on some items, a plan on others.

    Args:
        plain: the share of items that one plain call has right.
        planned: the share that a plan has right.
        seed: what is drawn.
    """

    def __init__(self, *, plain: float, planned: float, seed: int = 0) -> None:
        super().__init__(self._said, name="solver", cost_usd=0.001)
        self._plain, self._planned, self._seed = plain, planned, seed

    def _said(self, request: ModelRequest) -> str:
        words = str(request.messages[-1]["content"]) + str(request.messages[0]["content"])
        found = re.search(r"item (\d+)", words)
        item = found[1] if found else "0"
        if request.purpose == "decompose":
            is_root = request.task_id == "0"
            return "<task>Find the first half</task><task>Find the second half</task>" if is_root else "<atomic/>"
        if request.purpose == "sample":
            is_right = self.has_right(item, request.sample)
            return f"I think.\nAnswer: {item if is_right else 1_000_000 + request.sample % 2}"
        is_right = Random(f"{self._seed} planned {item}").random() < self._planned
        return f"<result>Answer: {item if is_right else 1_000_002}</result>"

    def has_right(self, item: object, sample: int = 0) -> bool:
        """Return whether a plain call has an item right."""
        return Random(f"{self._seed} plain {item} {sample}").random() < self._plain


def questions(number: int) -> list[dict[str, object]]:
    """Return so many items, each with its own number as the answer."""
    words = "Which number has item {}, first its half and then the rest"
    return [{"question": words.format(each), "answer": each} for each in range(1, number + 1)]


def really_run(studies: int, items: int = 20) -> tuple[int, int]:
    """Run studies with scripted models; return how many, and in how many of them the interval holds the true gain."""
    covered = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(studies):
            model = Solver(plain=0.4, planned=0.6, seed=seed)
            study = bench(
                questions(items), "upfront", without="self-consistency", model=model,
                store=Path(folder) / f"{seed}.db", synchronous="OFF",
            )  # fmt: skip
            low, high = study.comparisons[0].between
            covered += low <= 0.2 <= high
    return studies, covered


def main() -> int:
    """Print the table; the exit code is 1 if something does not hold."""
    parser = argparse.ArgumentParser(description="Simulate studies with models of known accuracy.")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--through", type=int, default=0)
    options = parser.parse_args()
    heads = ("items", "one call", "gain", "differ", "gain covered", "accuracy covered", "found", "power")
    print(f"| {' | '.join(heads)} |\n|{'---:|' * len(heads)}")
    holds = True
    for row, is_so in table(options.studies):
        print(row, flush=True)
        holds = holds and is_so
    if options.through:
        number, covered = really_run(options.through)
        print(f"\nreally run: {number} studies of 20 items, {covered} intervals hold the true gain")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
