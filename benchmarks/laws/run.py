"""The laws of votes and policies, simulated with Ramify itself: `python benchmarks/laws/run.py`, a minute or two.

All that is drawn is seeded, and time is a clock that goes on only when nothing else does: every machine prints the same
table. `--quick` takes a tenth of the votes; `--write` puts its rows into
README.md.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path

from clock import VirtualClock
from models import RIGHT, Cook, Timed, dish, draw, erring
from ramify.planner import Executor, PlanLimits, Run
from ramify.planner.asking.odds import ahead_for, answers_of_vote, chance_of_all, chance_of_vote, share_between
from ramify.planner.asking.voting import Ballot, Poll, poll
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, Task, TaskConfig, TaskState

HERE = Path(__file__).parent
SURE = 3.2905
"""Standard deviations of the intervals: 99.9 of 100 cases lie within."""

MILLION = 2**20 - 1
TARGET = 0.95
ERROR_RATES = (0.3571, 0.0040, 0.0022, 0.0018, 0.1839, 0.0358, 0.2342, 0.0569, 0.0393)
LEADS = (29, 4, 3, 3, 12, 6, 15, 6, 6)
VOTES = ((0.1, 3, 0.99863, 3.740), (0.2, 4, 0.99611, 6.615), (0.3, 5, 0.98575, 12.144))
_NEARLY = 0.05


@dataclass(frozen=True)
class Row:
    """What one simulation has shown.

    Attributes:
        law: what is said to hold.
        must: what it has to give.
        measured: what came out, with its interval.
        holds: whether that is so.
    """

    law: str
    must: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Setting:
    """How large the simulations are, and a folder for their stores."""

    scale: float
    folder: Path

    def of(self, number: int) -> int:
        """Return a size."""
        return int(number * self.scale)

    def store(self) -> Path:
        """Return the place of a store of its own."""
        return Path(tempfile.mkdtemp(dir=self.folder)) / "runs.db"


def share_row(law: str, must: float, found: int, of: int) -> Row:
    """Return the row of a share: it holds if what must be lies in the interval of what was found."""
    low, high = share_between(found, of, SURE)
    return Row(
        law, f"{must:.5f}", f"{found / of:.5f} ({low:.5f} to {high:.5f}), {found:,} of {of:,}", low <= must <= high
    )


def voted(seed: object, rate: float, ahead: int, votes: int) -> list[Poll[str]]:
    """Return so many votes, each on a question of its own, of which single answers are wrong at `rate`."""

    async def answer(vote: int, number: int) -> Ballot[str]:
        word = "wrong" if draw(seed, vote, number) < rate else RIGHT
        return Ballot(word, word)

    async def all_of_them() -> list[Poll[str]]:
        most = 1_000 * ahead
        return [await poll(partial(answer, vote), ahead=ahead, most=most, task_id=str(vote)) for vote in range(votes)]

    return asyncio.run(all_of_them())


def right_of(polls: Sequence[Poll[str]]) -> int:
    """Return how many votes the right answer has won."""
    return sum(each.winner == RIGHT for each in polls)


def mean_row(law: str, must: float, found: Sequence[int]) -> Row:
    """Return the row of a mean, likewise."""
    mean = sum(found) / len(found)
    half = SURE * sqrt(sum((each - mean) ** 2 for each in found) / (len(found) - 1) / len(found))
    measured = f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f}), {len(found):,} votes"
    return Row(law, f"{must:.3f}", measured, abs(mean - must) <= half)


def ahead_by_k(setting: Setting) -> Iterator[Row]:
    """The right answer wins with P = 1 / (1 + r^k), after k (2P - 1) / (2p - 1) answers."""
    for rate, ahead, chance, answers in VOTES:
        if (round(chance_of_vote(rate, ahead), 5), round(answers_of_vote(rate, ahead), 3)) != (chance, answers):
            raise AssertionError(f"the formulas give another value for an error rate of {rate}")
        polls = voted("ahead", rate, ahead, setting.of(20_000))
        where = f"p = {1 - rate:g}, k = {ahead}"
        yield share_row(f"right answer wins, {where}", chance_of_vote(rate, ahead), right_of(polls), len(polls))
        yield mean_row(f"answers a vote takes, {where}", answers_of_vote(rate, ahead), [each.samples for each in polls])


def whole_runs(setting: Setting) -> Iterator[Row]:
    """The same in whole runs: durable, by the executor, each leaf voted on; and learned from them."""
    rate, ahead, leaves = 0.2, 2, setting.of(600)
    run = run_of(setting, ScriptedModel(erring("run", rate)), leaves, TaskConfig(vote_ahead=ahead))
    right = sum(task.result == RIGHT for task in run.task.subtasks)
    yield share_row("right answer wins, whole run, p = 0.8, k = 2", chance_of_vote(rate, ahead), right, leaves)
    learned = run.as_pilot().rate
    low, high = learned.between
    told = f"{learned.share:.4f} ({low:.4f} to {high:.4f} in 95 of 100), {learned.votes:,} votes"
    yield Row("error rate that `estimate` learns from these votes alone", f"{rate:.4f}", told, low <= rate <= high)


def leads(setting: Setting) -> Iterator[Row]:
    """ceil(ln(t^(-1/s) - 1) / ln r): exact for a million steps, simulated for twenty."""
    for rate, lead in zip(ERROR_RATES, LEADS, strict=True):
        found = ahead_for(rate, MILLION, TARGET)
        yield Row(f"k for 2^20 - 1 steps, 1 - p = {rate:.4f}", str(lead), f"{found}, exact", found == lead)
    steps, runs = 20, setting.of(200)
    for rate in ERROR_RATES:
        ahead = ahead_for(rate, steps, TARGET)
        polls = voted("leads", rate, ahead, steps * runs)
        good = sum(right_of(polls[start : start + steps]) == steps for start in range(0, len(polls), steps))
        law = f"all of {steps} steps right, 1 - p = {rate:.4f}, k = {ahead}"
        yield share_row(law, chance_of_all(rate, ahead, steps), good, runs)


def stuck_errors(setting: Setting) -> Iterator[Row]:
    """Of a share of questions all answers are wrong alike: no k gets more than the rest right."""
    share, leaves = 0.1, setting.of(400)
    for ahead in (1, 3, 5):
        model = ScriptedModel(erring("stuck", 0.1, stuck=share))
        run = run_of(setting, model, leaves, TaskConfig(vote_ahead=ahead))
        right = sum(task.result == RIGHT for task in run.task.subtasks)
        others = share_between(right, leaves - int(leaves * share), SURE)
        told = f"{right / leaves:.4f}, {right:,} of {leaves:,}; of those not stuck {{:.4f}} to {{:.4f}}".format(*others)
        within = others[0] <= chance_of_vote(0.1, ahead) <= others[1]
        yield Row(
            f"share right, 0.1 stuck, k = {ahead}", "at most 0.9000", told, right / leaves <= 1 - share and within
        )
    model = ScriptedModel(erring("stuck", 0.1, stuck=share))
    config = TaskConfig(vote_ahead=3, max_check_rounds=0, max_retries=0)
    pilot = run_of(setting, model, leaves, config, Check(matches=f"^{RIGHT}$")).as_pilot()
    low, high = share_between(pilot.checked - pilot.stuck, pilot.checked, SURE)
    told = (
        f"{1 - pilot.stuck / pilot.checked:.4f} ({low:.4f} to {high:.4f}), {pilot.stuck:,} of {pilot.checked:,} stuck"
    )
    yield Row("ceiling that `estimate` tells, with checks", f"{1 - share:.4f}", told, low <= 1 - share <= high)


def run_of(setting: Setting, model: ScriptedModel, leaves: int, config: TaskConfig, *checks: Check) -> Run:
    """Return a run of so many leaves, in a store of its own."""
    root = Task(content="All of them", id="0", config=config)
    root.add_subtasks([Task(content=f"Question {n}", id=f"0.{n}", checks=checks) for n in range(1, leaves + 1)])
    run = Executor(model, jobs=32, store=setting.store()).run(root)
    if any(task.state is TaskState.OPEN for task in root.subtasks):
        raise AssertionError(f"the run did not get to its end: {run.error}")
    return run


def streams(setting: Setting) -> Iterator[Row]:
    """Items of a plan come at P_1, P_1 + P_2, ..., and take E_i: all is done when the last of these ends."""
    arrivals = [round(0.5 + 3 * draw("arrives", n), 2) for n in range(12)]
    works = [round(1 + 20 * draw("works", n), 2) for n in range(12)]
    expected = {
        "upfront": sum(arrivals) + max(works),
        "streaming": max(sum(arrivals[: n + 1]) + work for n, work in enumerate(works)),
    }
    for policy, must in expected.items():
        law = f"makespan of 12 items, `{policy}`"
        took = asyncio.run(_makespan(setting, policy, arrivals, works))
        yield Row(law, f"{must:.2f} s", f"{took:.2f} s, exact", abs(took - must) <= _NEARLY * must)


async def _makespan(setting: Setting, policy: str, arrivals: Sequence[float], works: Sequence[float]) -> float:
    """Return how long a run took on its clock."""
    clock = VirtualClock()
    model = Timed(clock, arrivals, works)
    root = Task(content="Describe twelve cities, each by itself", id="0")
    plan = PlanLimits(policy=policy, max_depth=2, split="always")
    executor = Executor(model, jobs=32, plan=plan, store=setting.store())
    return await clock.time(executor.new_run(root))


def recipes(setting: Setting) -> Iterator[Row]:
    """An executor that can do one layer, and tasks of several: they are split as deep as they are, and no deeper."""
    for depth in (2, 3, 4):
        root = Task(content=dish(depth), id="0", config=TaskConfig(max_retries=0))
        plan = PlanLimits(policy="as_needed", max_depth=7)
        run = Executor(Cook(root), plan=plan, store=setting.store()).run(root)
        used = max(task.get_depth() for task in run.task.walk())
        leaves = sum(task.is_leaf for task in run.task.walk())
        told = f"{used}, run {run.status}, {leaves} leaves, {run.usage.calls} calls"
        holds = used == depth and run.status == "done" and leaves == 2 ** (depth - 1)
        yield Row(f"levels used by `as_needed`, recipe of depth {depth}", str(depth), told, holds)


LAWS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "ahead-by-k": ahead_by_k,
    "whole-runs": whole_runs,
    "leads": leads,
    "stuck": stuck_errors,
    "streaming": streams,
    "as-needed": recipes,
}


def table(rows: Sequence[Row]) -> str:
    """Return the rows in Markdown."""
    lines = [f"| {row.law} | {row.must} | {row.measured} | {'yes' if row.holds else 'NO'} |" for row in rows]
    return "\n".join(["| law | must give | measured | holds |", "|---|---|---|---|", *lines])


def write(text: str, page: Path) -> None:
    """Put the rows of a table into that of a page, in the place of those on the same laws."""
    head, mark, there = page.read_text(encoding="utf-8").partition("<!-- made by run.py --write -->\n")
    new = {line.split(" | ")[0]: line for line in text.splitlines()}
    kept = [new.pop(line.split(" | ")[0], line) for line in there.strip().splitlines()]
    page.write_text("\n".join([f"{head}{mark}", *kept, *new.values(), ""]), encoding="utf-8")


def main(words: Sequence[str]) -> int:
    """Simulate, print, and return 1 if a law does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=LAWS, action="append", help="one law; repeatable")
    parser.add_argument("--quick", action="store_true", help="a tenth of the votes")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args(words)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(0.1 if options.quick else 1.0, Path(folder))
        for name in options.only or LAWS:
            rows += LAWS[name](setting)
    text = table(rows)
    print(text)
    if options.write:
        write(text, HERE / "README.md")
    return 1 if not all(row.holds for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
