"""How long graphs of real scientific workflows take under the scheduler, beside simpler orders and what is possible.

    python benchmarks/workflows.py                                   # some minutes; writes benchmarks/WORKFLOWS.md
    python benchmarks/workflows.py --only montage --sizes 1000 --jobs 16 --seeds 1 --output look.md

The graphs and the times of their tasks are those that WfCommons makes up from recorded runs. The scheduler that runs
use is driven by simulated time, so no number depends on the machine:

    bound    max(the longest chain, all work / jobs); no order can be quicker
    least    a higher bound, from what has to happen between the first tasks and the last ones; likewise
    known    each task says how long it takes
    second   no task says so, but a run like it has ended before: the means of each type are known
    learned  nothing is known; the scheduler learns from the tasks of each type as they end
    count    ranks are numbers of tasks, as before times were looked at
    FIFO     first ready, first served

All orders are list schedules: no place stays empty while a task is ready, and no task is interrupted.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from contenders import HERE, Contender
from environments import python_of, versions_of
from ramify.tasks import Task
from ramify.tasks.tree.makespan import drive
from ramify.tasks.tree.node import Node
from ramify.tasks.tree.schedule import Scheduler
from ramify.tasks.tree.times import Kind, Times, Took

WFCOMMONS: Final = Contender("WfCommons", HERE / "peers" / "wfcommons_graphs.py", ("wfcommons==1.6",))
WORKFLOWS: Final = ("montage", "cycles", "epigenomics", "blast", "seismology")
ORDERS: Final = ("known", "second", "learned", "count", "FIFO")

_KEPT: Final = HERE / ".work-workflows"
_CUTS: Final = 64


class _Same(Times):
    """All tasks count the same, and nothing is learned."""

    def __init__(self, unit: int) -> None:
        super().__init__()
        self._each = unit

    def of(self, _: Node) -> int:
        return self._each

    def has_moved(self) -> bool:
        return False


def times_of(order: str, graph: Sequence[dict[str, Any]]) -> Times:
    """Return what the scheduler knows of times, in one of the orders."""
    if order in {"count", "FIFO"}:
        return _Same(1 if order == "count" else 0)
    before: dict[Kind, Took] = {}
    for each in graph if order == "second" else ():
        kind = each["type"], False
        known = before.get(kind, Took(0, 0.0))
        before[kind] = Took(known.count + 1, known.seconds + each["seconds"])
    return Times(before)


@dataclass(frozen=True, slots=True)
class Row:
    """One workflow with so many jobs: seconds, by order."""

    name: str
    tasks: int
    seed: int
    jobs: int
    bound_s: float
    least_s: float
    took_s: dict[str, float]

    def over(self, order: str) -> float:
        """Return how many times the bound an order takes."""
        return self.took_s[order] / self.bound_s


def graph_of(name: str, tasks: int, seed: int) -> list[dict[str, Any]]:
    """Return the tasks of a workflow, made by WfCommons once and kept."""
    path = _KEPT / f"{name}-{tasks}-{seed}.json"
    if not path.exists():
        _KEPT.mkdir(exist_ok=True)
        command = [str(python_of(WFCOMMONS)), str(WFCOMMONS.program), name, str(tasks), str(seed)]
        told = subprocess.run(  # noqa: S603 - our own command
            command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONHASHSEED": "0"}
        )
        path.write_text(told.stdout)
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def tree_of(graph: Sequence[dict[str, Any]], *, says_times: bool) -> Task:
    """Return a workflow as a tree: a leaf for each task, below a root that takes no time."""
    root = Task("the workflow", id="0", type="list", expected_seconds=0.0)
    root.add_subtasks(
        Task(
            each["id"], id=each["id"], type=each["type"], dependencies=each["needs"],
            expected_seconds=each["seconds"] if says_times else None,
        )
        for each in graph
    )  # fmt: skip
    return root


def bounds(graph: Sequence[dict[str, Any]], jobs: int) -> tuple[float, float]:
    """Return the usual lower bound of the makespan, and a higher one, in seconds.

    Tasks that cannot begin before `head`, and after which `tail` has to follow, take at least their work / jobs between
    the two; that holds for every head and tail, of which some are tried.

    Source: after Fernandez and Bussell 1973, IEEE Transactions on Computers C-22(8); here only tasks that lie in a
    window as a whole are counted.
    """
    seconds = {each["id"]: each["seconds"] for each in graph}
    heads: dict[str, float] = {}
    tails = dict.fromkeys(seconds, 0.0)
    for each in graph:
        heads[each["id"]] = max((heads[need] + seconds[need] for need in each["needs"]), default=0.0)
    for each in reversed(graph):
        after = tails[each["id"]] + each["seconds"]
        for need in each["needs"]:
            tails[need] = max(tails[need], after)
    longest = max(heads[name] + seconds[name] for name in seconds)
    bound = max(longest, sum(seconds.values()) / jobs)
    least = bound
    cuts = sorted(heads.values())
    for head in {cuts[place * (len(cuts) - 1) // _CUTS] for place in range(_CUTS + 1)}:
        late = sorted((name for name in seconds if heads[name] >= head), key=lambda name: -tails[name])
        works = accumulate(seconds[name] for name in late)
        least = max(least, *(head + work / jobs + tails[name] for name, work in zip(late, works, strict=True)))
    return bound, least


def measure(name: str, tasks: int, seed: int, jobs: int) -> Row:
    """Return how long one workflow takes in each order."""
    graph = graph_of(name, tasks, seed)
    seconds = {"0": 0.0} | {each["id"]: each["seconds"] for each in graph}
    bound, least = bounds(graph, jobs)
    took = {}
    for order in ORDERS:
        root = tree_of(graph, says_times=order == "known")
        took[order] = drive(Scheduler(root, times=times_of(order, graph)), jobs, lambda task: seconds[task.id])
    return Row(name, len(graph), seed, jobs, bound, least, took)


def page(rows: Sequence[Row], command: str, versions: str) -> str:
    """Return the results as Markdown."""
    return "\n".join(
        [
            "# Workflows, by the order of their tasks\n",
            f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}. Graphs and times: {versions}.",
            "Time is simulated, so no number depends on the machine. Each is how many times the bound an order takes:",
            "1 is perfect, and `least` is what no order can get below. `workflows.py` says what the orders are.\n",
            *_table(rows),
            "",
            *_summary(rows),
            "",
        ]
    )


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield f"| workflow | tasks | seed | jobs | bound, s | least | {' | '.join(ORDERS)} |"
    yield "|---|---|---|---|---|---|" + "---|" * len(ORDERS)
    for row in rows:
        ratios = " | ".join(f"{row.over(order):.3f}" for order in ORDERS)
        place = f"{row.name} | {row.tasks:,} | {row.seed} | {row.jobs}"
        yield f"| {place} | {row.bound_s:,.0f} | {row.least_s / row.bound_s:.3f} | {ratios} |"


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    for order in ORDERS:
        worst = max(rows, key=lambda row: row.over(order))
        mean = sum(row.over(order) for row in rows) / len(rows)
        beyond = max(row.took_s[order] / row.least_s for row in rows)
        behind = sum(row.took_s[order] > row.took_s["FIFO"] * (1 + 1e-9) for row in rows)
        yield (
            f"- **{order}**: {mean:.3f} of the bound on average, {worst.over(order):.3f} at most ({worst.name},"
            f" {worst.tasks:,} tasks, {worst.jobs} jobs); at most {beyond:.3f} of the least; above FIFO in {behind} of"
            f" {len(rows)}."
        )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", default=",".join(WORKFLOWS), help="workflows, separated by commas")
    parser.add_argument("--sizes", default="1000,10000", help="how many tasks they have, about")
    parser.add_argument("--jobs", default="16,64", help="how many tasks run at the same time")
    parser.add_argument("--seeds", type=int, default=1, help="how many graphs there are of each")
    parser.add_argument("--output", type=Path, default=HERE / "WORKFLOWS.md")
    given = parser.parse_args()
    rows = []
    for name in given.only.split(","):
        for tasks in map(int, given.sizes.split(",")):
            for seed in range(1, given.seeds + 1):
                rows += [measure(name, tasks, seed, jobs) for jobs in map(int, given.jobs.split(","))]
                sys.stderr.write(f"{name}, {tasks:,} tasks, seed {seed}: {rows[-1].over('known'):.3f}\n")
    found = versions_of(WFCOMMONS, python_of(WFCOMMONS))
    versions = ", ".join(f"{package} {version}" for package, version in found.items())
    given.output.write_text(page(rows, "python benchmarks/workflows.py", versions), encoding="utf-8")


if __name__ == "__main__":
    main()
