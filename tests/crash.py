"""The crash test: kill a run again and again, at random instants and at named points, and check that every rule held.

    python -m tests.crash --kills 200 [--postgres]

After every kill the store is read as the dead process left it, and compared with what it did (its log) and with what
was there before. The rules are those of the durability chapter of the documentation.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ramify.planner.errors import RunError, StoreError
from ramify.planner.runtime.failpoints import POINTS
from ramify.planner.store import Store
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.states import FINISHED, TRANSITIONS

from .crash_program import JOBS
from .made_up_goals import solution_of
from .patience import HANG_S
from .postgres import running_server

ROOT = Path(__file__).parent.parent
PROGRAM = [sys.executable, "-m", "tests.crash_program"]
_OTHERS = ("edit", "fork", "cancel", "migration", "tried", "grown", "step", "control")
RUN_POINTS = tuple(point for point in POINTS if not any(other in point for other in _OTHERS))


def wide_goal(groups: int, leaves: int) -> str:
    """Return a goal with serial groups of parallel leaves, and one parallel group of serial ones.

    >>> wide_goal(2, 2)
    'all{g0{l0-0{}|l0-1{}};g1{l1-0{};l1-1{}}}'
    """
    parts = []
    for group in range(groups):
        between = "|" if group % 2 == 0 else ";"
        parts.append(f"g{group}{{{between.join(f'l{group}-{leaf}{{}}' for leaf in range(leaves))}}}")
    return f"all{{{';'.join(parts)}}}"


@dataclass
class Snapshot:
    """What a store holds of the run.

    Attributes:
        tree: the tree; None before it is stored.
        calls: the keys of the recorded calls.
        moves: the moves of each task, from the events.
    """

    tree: Task | None = None
    calls: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def done(self) -> set[str]:
        """The ids of the tasks that are DONE."""
        return {task.id for task in self.tree.walk() if task.state is TaskState.DONE} if self.tree else set()


@dataclass
class CrashTest:
    """One run, killed until it is through.

    Attributes:
        store: where the run is stored.
        folder: for the log.
        goal: what it works on.
        others: ids of runs that were in the store before.
        policy: its policy.
        kills: how often it was killed.
        repeated: bodies that were run again, per kill.
    """

    store: str
    folder: Path
    goal: str
    others: frozenset[str] = frozenset()
    policy: str = "upfront"
    run_id: str | None = None
    kills: int = 0
    repeated: list[int] = field(default_factory=list)
    before: Snapshot = field(default_factory=Snapshot)

    @property
    def log(self) -> Path:
        """The program's log."""
        return self.folder / "log"

    def kill_after(self, seconds: float) -> bool:
        """Run, kill after `seconds`, check; return whether the run had ended by itself."""
        return self._go(seconds=seconds)

    def kill_at(self, point: str, passing: int) -> bool:
        """Run with a failpoint armed, check; return whether the run had ended by itself."""
        return self._go(point=f"{point}:{passing}")

    def finish(self) -> None:
        """Run to the end, and check the end."""
        assert self._go(), "the last run did not end by itself"
        tree = self.before.tree
        assert tree is not None
        assert tree.result == solution_of(self.goal)
        assert {task.state for task in tree.walk()} == {TaskState.DONE}
        with Store.open(self.store) as store:
            store.check()
            run = store.find_run(str(self.run_id))
            assert (run.status, run.holder) == ("done", None)

    def _go(self, *, seconds: float | None = None, point: str | None = None) -> bool:
        lines = len(self._lines())
        command = [
            *PROGRAM,
            "resume" if self.run_id else "start",
            self.store,
            str(self.log),
            self.run_id or self.goal,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAMIFY_")}
        environment |= {"RAMIFY_FAILPOINT": point} if point else {}
        environment["CRASH_PROGRAM_POLICY"] = self.policy
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        try:
            if seconds is not None:
                self._sleep_once_it_works(process, lines, seconds)
                process.send_signal(signal.SIGKILL)
            _, errors = process.communicate(timeout=HANG_S)
        finally:
            process.kill()
        ended = process.returncode == 0
        assert ended or process.returncode == -signal.SIGKILL, errors
        self.kills += not ended
        self._check(self._lines()[lines:])
        return ended

    def _sleep_once_it_works(self, process: "subprocess.Popen[str]", lines: int, seconds: float) -> None:
        while process.poll() is None and len(self._lines()) == lines:
            time.sleep(0.002)
        time.sleep(seconds)

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def _check(self, lines: list[list[str]]) -> None:
        """Check what the last process did and left, against what was there before it."""
        now = self._read()
        if now.tree is None:
            assert not lines, "calls were made before the run was stored"
            return
        called = [(purpose, task_id) for word, _, purpose, task_id in lines if word == "call"]
        worked = [task_id for purpose, task_id in called if purpose in {"execute", "compose"}]
        again = self.before.done & set(worked)
        assert not again, f"tasks that were DONE on disk were started again: {again}"
        recorded = {(key[1], key[0]) for key in self.before.calls}
        assert not recorded & set(called), "calls whose reply was on disk were made again"
        assert self.before.calls <= now.calls, "recorded calls are gone"
        self._check_tree(now, set(worked), called)
        self.repeated.append(self._count_repeated())
        assert self.repeated[-1] <= JOBS * self.kills, "more bodies were repeated than can have been in flight"
        self.before = now

    def _count_repeated(self) -> int:
        return sum(count - 1 for count in Counter((p, t) for word, _, p, t in self._lines() if word == "call").values())

    def _check_tree(self, now: Snapshot, worked: set[str], called: list[tuple[str, str]]) -> None:
        assert now.tree is not None
        tasks = {task.id: task for task in now.tree.walk()}
        for task_id in worked:
            task = tasks[task_id]
            for each in (task, *task.ancestors()):
                for dependency in each.dependencies:
                    assert tasks[dependency].state in FINISHED, (
                        f"{task_id} started before {dependency} was DONE on disk"
                    )
            is_composed = ("compose", task_id) in called
            assert not is_composed or all(child.state in FINISHED for child in task.subtasks), (
                f"{task_id} was composed too early"
            )
        for old in self.before.tree.walk() if self.before.tree else ():
            new = tasks[old.id]
            assert (new.content, new.dependencies) == (old.content, old.dependencies), "a planned task has changed"
            assert new.attempts >= old.attempts, "attempts went down"
            assert old.state is not TaskState.DONE or new.state is TaskState.DONE, "a DONE task is no longer DONE"
            assert old.state is not TaskState.DONE or new.result == old.result
            ids = [child.id for child in old.subtasks]
            is_grown = self.policy == "streaming" and [child.id for child in new.subtasks][: len(ids)] == ids
            assert not ids or is_grown or [child.id for child in new.subtasks] == ids, "a plan has changed"

    def _read(self) -> Snapshot:
        try:
            with Store.open(self.store, create=False) as store:
                store.check()
                if self.run_id is None:
                    self.run_id = next((run.id for run in store.runs() if run.id not in self.others), None)
                if self.run_id is None:
                    return Snapshot()
                check_moves(store, self.run_id)
                return Snapshot(store.load_tree(self.run_id), {tuple(call.key) for call in store.calls(self.run_id)})
        except (RunError, StoreError):
            if self.run_id is not None:
                raise
            return Snapshot()


def check_moves(store: Store, run_id: str) -> None:
    """Check that the events of the run tell only of moves that the table allows, and are numbered without gaps."""
    becomes = {
        "task_started": TaskState.RUNNING,
        "task_done": TaskState.DONE,
        "task_failed": TaskState.FAILED,
        "task_released": TaskState.OPEN,
        "plan_attached": TaskState.OPEN,
        "plan_atomic": TaskState.OPEN,
    }
    states: dict[str | None, TaskState] = {}
    events = store.events(run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for event in events:
        if event.type == "plan_edited":
            states |= dict.fromkeys(event.data["redone"], TaskState.OPEN)
        if (new := becomes.get(event.type)) is not None:
            old = states.get(event.task_id, TaskState.OPEN)
            is_planned = event.type.startswith("plan_") and old is TaskState.OPEN
            assert is_planned or new in TRANSITIONS[old], f"task {event.task_id}: {old} -> {new}"
            states[event.task_id] = new


def crash(store: str, folder: Path, *, kills: int, seed: int, goal: str) -> list[CrashTest]:
    """Kill runs `kills` times in all, half at random instants, half at named points, at least three in a row."""
    chance = random.Random(seed)
    tests: list[CrashTest] = []
    while sum(test.kills for test in tests) < kills:
        others = frozenset(str(test.run_id) for test in tests)
        test = CrashTest(store, folder / str(len(tests)), goal, others)
        test.folder.mkdir(parents=True)
        tests.append(test)
        ended = False
        for _ in range(chance.randint(3, 8)):
            if chance.random() < 0.5:
                ended = test.kill_after(chance.random() * 0.4)
            else:
                ended = test.kill_at(chance.choice(RUN_POINTS), chance.randint(1, 12))
            if ended or sum(each.kills for each in tests) >= kills:
                break
        test.finish()
    return tests


def main() -> None:
    """Run the long form and print what was seen."""
    from .crash_changes import change

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own, not on SQLite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = str(Path(folder) / "crash.db")
        if options.postgres:
            store = stack.enter_context(running_server()).empty_database()
        print(f"seed {options.seed}, store {store}", flush=True)
        tests = crash(store, Path(folder), kills=options.kills, seed=options.seed, goal=wide_goal(6, 8))
        print(
            f"{sum(test.kills for test in tests)} kills in {len(tests)} runs: every rule held;"
            f" {sum(test.repeated[-1] for test in tests)} calls in flight were made again in all",
            flush=True,
        )
        changes = change(store, Path(folder), kills=options.kills, seed=options.seed)
    counts = Counter(test.change.name for test in changes)
    print(
        f"{sum(test.kills for test in changes)} kills in {len(changes)} changes: every rule held;"
        f" {', '.join(f'{count} x {name}' for name, count in counts.items())}"
    )


if __name__ == "__main__":
    main()
