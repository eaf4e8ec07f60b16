"""The crash test of changes: kills while failed tasks are opened, a plan is edited, a run grows, or is cancelled.

    python -m tests.crash --kills 200 [--postgres]     runs it after the crash test of runs

After every kill the store is compared with what was there before and with the log: a change is there whole or not at
all, nothing that is DONE is done again unless the change says so, and a body that is called again is given the same. At
the end the tree is that of a run that nobody killed, and what was in memory is what is stored.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ramify.planner.events.events import EventType
from ramify.planner.running.lost import MOST_ENDS, ends_of
from ramify.planner.store import Store
from ramify.tasks import Task
from ramify.tasks.plans.plans import write_plan

from .crash import ROOT, check_moves
from .crash_changes_program import standing, tree_of
from .crash_program import JOBS
from .made_up_goals import solution_of
from .patience import HANG_S

PROGRAM = [sys.executable, "-m", "tests.crash_changes_program"]
GOAL = "all{g0{l0-0{}|l0-1{}|l0-2{}};g1{l1-0{};l1-1{}};g2{l2-0{}|l2-1{}}}"
WITHOUT_ONE = GOAL.replace("|l0-1{}", "")
CHANGED = GOAL.replace("l0-1{}", "l0-1{x{}|y{}}")
GROWING = "all{g0{l0-0{}|maker-a{}};g1{maker-b{};l1-1{}};g2{l2-0{}|maker-c{}}}"
EDIT_POINTS = ("during-edit-commit", "after-edit-commit")
POINTS = ("before-running-commit", "after-running-commit", "before-reply-commit", "after-done-commit")


def _edited_plan() -> str:
    plan = tree_of(GOAL)
    plan.find("0.1.2").content = "l0-1{x{}|y{}}"
    plan.find("0.3").remove_subtask("0.3.2")
    plan.find("0.3").add_subtask(Task(content="more{}", id="0.3.3", type="leaf"))
    return write_plan(plan)


class _GivenUpError(Exception):
    """A task was given up, as too many processes had ended under it."""


@dataclass(frozen=True)
class Change:
    """What is done to a run while it is killed.

    Attributes:
        name: what it is called.
        goal: what the run works on.
        options: with what the run is resumed; None if it is only run.
        failing: leaves that fail before the change.
        solved: the goal whose answer it has in the end.
        recovers: whether they fail after it too, and the plan around them is changed by the run itself.
    """

    name: str
    goal: str = GOAL
    options: dict[str, Any] | None = None
    failing: str = ""
    solved: str = GOAL
    recovers: bool = False

    @property
    def points(self) -> tuple[str, ...]:
        """Where it is killed."""
        is_edited = self.options is not None or self.recovers
        return (*EDIT_POINTS, *POINTS) if is_edited else ("during-plan-commit", *POINTS)


CHANGES = (
    Change("retry", options={"retry_failed": True}, failing="l0-1 l1-0 l2-1"),
    Change("from", options={"from_task": "0.1"}),
    Change("set", options={"set": {"0.1.2": "l0-1{x{}|y{}}"}}, solved=CHANGED),
    Change(
        "set and retry",
        options={"set": {"0.1.2": "l0-1{x{}|y{}}"}, "retry_failed": True},
        failing="l0-0 l2-0",
        solved=CHANGED,
    ),
    Change("plan", options={"plan": _edited_plan()}, solved=CHANGED.replace("|l2-1{}", "")),
    Change("spawn", goal=GROWING, solved=GROWING),
    Change("replan", failing="l0-1", solved=WITHOUT_ONE, recovers=True),
    Change("steer", options={"steer": "Leave out l0-1, and do more"}, failing="l0-1 l2-0", solved=WITHOUT_ONE),
)


@dataclass
class ChangeTest:
    """One change of one run, killed until it is through.

    Attributes:
        store: where the run is stored.
        folder: for the log.
        change: what is done.
        run_id: the run; None before it is stored.
        is_made: whether the change is on disk.
        kills: how often it was killed.
        before: how its tasks stood after the last process.
    """

    store: str
    folder: Path
    change: Change
    run_id: str | None = None
    is_made: bool = False
    kills: int = 0
    before: dict[str, list[Any]] = field(default_factory=dict)
    _planned_anew: int = 0
    _others: frozenset[str] = frozenset()
    _seen: int = 0

    @property
    def log(self) -> Path:
        """The program's log."""
        return self.folder / "log"

    def begin(self) -> None:
        """Note which runs are in the store before this one."""
        with Store.open(self.store) as store:
            self._others = frozenset(run.id for run in store.runs())

    def prepare(self) -> None:
        """Run what is changed later, to its end."""
        if self.change.options is None:
            self.is_made = True
            return
        self.begin()
        code, printed = self._process("start", self.change.goal, failing=self.change.failing)
        assert code == (1 if self.change.failing else 0), printed
        self.run_id = printed.splitlines()[-1].split()[1]
        self._read()

    def kill_at(self, point: str, passing: int = 1) -> bool:
        """Go on with a failpoint armed, check; return whether the process had ended by itself."""
        return self._go(point=f"{point}:{passing}")

    def kill_after(self, seconds: float) -> bool:
        """Go on, kill the process `seconds` after its first body, check; return whether it had ended by itself."""
        return self._go(seconds)

    def finish(self) -> dict[str, list[Any]]:
        """Go on to the end, check it, and return how the tasks stand."""
        assert self._go(), "the last process did not end by itself"
        assert self.is_made
        assert self._planned_anew == (self.change.name in {"replan", "steer"})
        assert self.before["0"][2] == solution_of(self.change.solved)
        assert {each[1] for each in self.before.values()} <= {"DONE", "DELETED"}
        with Store.open(self.store) as store:
            run = store.find_run(str(self.run_id))
            assert (run.status, run.holder) == ("done", None)
        return self.before

    def _go(self, seconds: float | None = None, *, point: str = "") -> bool:
        lines = len(self._lines())
        if self.run_id is None:
            if not self.kills:
                self.begin()
            code, printed = self._process("start", self.change.goal, seconds=seconds, point=point)
        else:
            options = json.dumps({} if self.is_made else self.change.options)
            code, printed = self._process("resume", self.run_id, options, seconds=seconds, point=point)
        if code == 1 and self._is_given_up():
            raise _GivenUpError
        assert code in {0, -signal.SIGKILL}, printed
        self.kills += code != 0
        self._check(self._lines()[lines:])
        if code == 0:
            live = json.loads(Path(f"{self.log}.live").read_text(encoding="utf-8"))
            assert live == self.before, "what was in memory is not what is stored"
        return code == 0

    def _is_given_up(self) -> bool:
        """Return whether the run has failed by a task that `MOST_ENDS` processes have ended under."""
        self._read()
        with Store.open(self.store) as store:
            ends = ends_of(store.events_of(str(self.run_id), (EventType.TASK_RELEASED, EventType.PLAN_EDITED)))
        failed = {task_id for task_id, each in self.before.items() if each[1] == "FAILED"}
        return any(ends[task_id] >= MOST_ENDS for task_id in failed)

    def _process(
        self, command: str, *words: str, seconds: float | None = None, point: str = "", failing: str = ""
    ) -> tuple[int, str]:
        failing = self.change.failing if self.change.recovers else failing
        environment = clean_environment() | {"CRASH_PROGRAM_FAILING": failing}
        environment |= {"CRASH_PROGRAM_RECOVERY": "replan"} if self.change.recovers else {}
        environment |= {"RAMIFY_FAILPOINT": point} if point else {}
        lines = len(self._lines())
        with subprocess.Popen(
            [*PROGRAM, command, self.store, str(self.log), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT,
        ) as process:  # fmt: skip
            try:
                if seconds is not None:
                    while process.poll() is None and len(self._lines()) == lines:
                        time.sleep(0.002)
                    time.sleep(seconds)
                    process.kill()
                printed, _ = process.communicate(timeout=HANG_S)
            finally:
                process.kill()
        return process.returncode, printed

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def _check(self, lines: list[list[str]]) -> None:
        """Check what the last process did and left, against what was there before it."""
        before, was_made = self.before, self.is_made
        redone = self._read()
        if not self.is_made:
            assert (self.before, lines) == (before, []), "the change is not on disk, and something has happened"
        assert not (was_made and redone), "a change was made twice"
        called = [tuple(line[2:5]) for line in self._lines()]
        done = {task_id for task_id, each in before.items() if each[1] == "DONE"} - redone
        again = done & {line[3] for line in lines}
        assert not again, f"tasks that were DONE on disk were started again: {again}"
        for task_id, each in before.items():
            assert self.before[task_id][5] >= each[5], "attempts went down"
        repeated = sum(count - 1 for count in Counter(called).values())
        assert repeated <= JOBS * self.kills, "more bodies were repeated than can have been in flight"
        given = {(*line[2:5], line[5]) for line in self._lines()}
        assert len(given) == len(set(called)), "a body that was called again was given something else"

    def _read(self) -> set[str]:
        """Read how the tasks stand now; return the ids of those that a change has opened since the last time."""
        with Store.open(self.store) as store:
            assert store.check() == []
            if self.run_id is None:
                self.run_id = next((run.id for run in store.runs() if run.id not in self._others), None)
            if self.run_id is None:
                return set()
            check_moves(store, self.run_id)
            events = store.events(self.run_id, self._seen)
            self.before = standing(store.load_tree(self.run_id))
        self._seen = events[-1].seq if events else self._seen
        edited = [event for event in events if event.type == "plan_edited"]
        edits = [event for event in edited if "by" not in event.data]
        assert len(edits) <= 1
        self._planned_anew += len(edited) - len(edits)
        assert self._planned_anew <= 1, "the planner's changes were made twice"
        self.is_made = self.is_made or bool(edits)
        return set(edits[0].data["redone"]) if edits else set()


def clean_environment() -> dict[str, str]:
    """Return the environment without what sets Ramify."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAMIFY_")}


def changed(store: str, folder: Path, change: Change, plan: "list[tuple[str, int] | float]") -> ChangeTest:
    """Make a change, killed at the points and instants of `plan`, and compare it with one that nobody killed.

    Where the kills met one task so often that it was given up, there is nothing to compare.
    """
    tests = []
    for name in ("whole", "killed"):
        test = ChangeTest(store, folder / name, change)
        test.folder.mkdir(parents=True)
        test.prepare()
        tests.append(test)
    whole, killed = tests
    expected = whole.finish()
    with suppress(_GivenUpError):
        for kill in plan:
            ended = killed.kill_after(kill) if isinstance(kill, float) else killed.kill_at(*kill)
            if ended:
                break
        assert killed.finish() == expected
    return killed


def cancelled(store: str, folder: Path, chance: random.Random) -> ChangeTest:
    """Cancel a run that is under way, kill both who cancels and who runs, and go on with it to its end."""
    test = ChangeTest(store, folder, Change("cancel"), is_made=True)
    folder.mkdir(parents=True)
    test.begin()
    with subprocess.Popen(
        [*PROGRAM, "start", store, str(test.log), GOAL], cwd=ROOT, stdout=subprocess.DEVNULL,
        env=clean_environment() | {"CRASH_PROGRAM_HOLDS_ON": "yes"},
    ) as process:  # fmt: skip
        try:
            while not test._lines():
                time.sleep(0.01)
            test._read()
            run_id = str(test.run_id)
            for point in ("during-control-commit", ""):
                code, printed = test._process("cancel", run_id, point=point)
                assert code == (-signal.SIGKILL if point else 0), printed
            time.sleep(chance.random() * 3)  # with luck it has heard of it by then, and ended
        finally:
            process.kill()
    test.kills = 2
    with Store.open(store) as opened:
        record = opened.find_run(run_id)
        assert (record.status == "cancelled") != bool(record.controls), "the wish is fulfilled, or there"
    if record.controls:
        code, printed = test._process("resume", run_id)
        assert (code, printed.splitlines()[-1].split()[0]) in {(1, "cancelled"), (0, "done")}, printed
    test.kill_at(chance.choice(POINTS), chance.randint(1, 4))
    test.finish()
    return test


def change(store: str, folder: Path, *, kills: int, seed: int) -> list[ChangeTest]:
    """Kill changes `kills` times in all, three to six times in a row each."""
    chance = random.Random(seed)
    tests: list[ChangeTest] = []
    while sum(test.kills for test in tests) < kills:
        number = len(tests)
        here = folder / f"change {number}"
        if number % (len(CHANGES) + 1) == len(CHANGES):
            tests.append(cancelled(store, here, chance))
            continue
        what = CHANGES[number % (len(CHANGES) + 1)]
        plan: list[tuple[str, int] | float] = [(chance.choice(what.points[:2]), 1)]
        for _ in range(chance.randint(2, 5)):
            is_point = chance.random() < 0.6
            plan.append((chance.choice(what.points), chance.randint(1, 4)) if is_point else chance.random() * 0.1)
        tests.append(changed(store, here, what, plan))
    return tests
