"""The crash test of policies and recoveries: random trees, whose tasks fail, are killed at every failpoint they pass.

    python -m tests.crash_recovery --kills 300 [--postgres]

Each run has a policy, a recovery and failures of its own. After every kill: nothing that is DONE is done again, no
reply that was paid is asked for again, and none is gone. At the end the tree is that of a run that nobody killed.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import NamedTuple

from ramify.planner import Executor
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import TaskError, TaskState

from .crash import ROOT, check_moves
from .crash_changes import clean_environment
from .patience import HANG_S
from .postgres import running_server
from .recoveries import ON_ERROR, POLICIES, RECOVERIES, SHARES, Case, check_ended, standing, tree_of

PROGRAM = [sys.executable, "-m", "tests.crash_recovery_program"]

ALWAYS = ("before-running-commit", "after-running-commit", "before-reply-commit", "after-done-commit")
SPLITTING = ("during-plan-commit", "after-tried-commit")
REPLANNING = (*SPLITTING, "during-edit-commit", "after-edit-commit")


class Asked(NamedTuple):
    """A call as the log and the store have it."""

    purpose: str
    task_id: str
    attempt: int
    request_sha256: str


@dataclass
class RecoveryTest:
    """One run, killed until it is through.

    Attributes:
        case: the run.
        store: where it is stored, and nothing else.
        folder: for the log, and for the run that nobody kills.
        killed: how often it was killed, by failpoint.
        repeated: calls that were made again, as their replies were lost with their process.
    """

    case: Case
    store: str
    folder: Path
    killed: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    _paid: frozenset[Asked] = frozenset()
    _done: frozenset[str] = frozenset()
    _is_begun: bool = False

    def kill_at(self, point: str, passing: int) -> bool:
        """Go on with a failpoint armed, and check the store; return whether the run had ended by itself."""
        ended = self._go(f"{point}:{passing}")
        self.killed[point] += not ended
        return ended

    def finish(self) -> None:
        """Go on to the end, and compare it with that of a run that nobody kills."""
        assert self._go(), "the last process did not end by itself"
        self.repeated = sum(times - 1 for times in Counter(_lines(self.folder / "log")).values())
        assert self.repeated <= self.case.jobs * self.killed.total(), "more was asked again than can have been lost"
        path = self.folder / "whole.db"
        whole = Executor(ScriptedModel(self.case.answer), store=path, **self.case.options).run(self.case.root)
        check_ended(whole)
        with Store.open(self.store) as store:
            run = store.last_run()
            assert (run.status, run.holder) == (whole.status, None)
            left, wanted = standing(store.load_tree(run.id)), standing(whole.task)
        differs = {each: (left.get(each), wanted.get(each)) for each in {*left, *wanted}}
        assert left == wanted, {each: two for each, two in differs.items() if two[0] != two[1]}

    def _go(self, point: str = "") -> bool:
        log, command = self.folder / "log", "resume" if self._is_begun else "start"
        before = len(_lines(log))
        process = subprocess.run(
            [*PROGRAM, command, self.store, str(log), json.dumps(self.case.to_data())],
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=HANG_S,
            env=clean_environment() | ({"RAMIFY_FAILPOINT": point} if point else {}),
        )  # fmt: skip
        assert process.returncode in {0, -signal.SIGKILL}, process.stderr
        self._check(_lines(log)[before:])
        return process.returncode == 0

    def _check(self, asked: list[Asked]) -> None:
        """Check what the last process has asked and left against what was there before it."""
        assert not self._paid & set(asked), "a reply that was on disk was asked for again"
        again = {each.task_id for each in asked if each.purpose in {"execute", "compose"}} & self._done
        assert not again, f"tasks that were DONE on disk were done again: {again}"
        with Store.open(self.store) as store:
            assert store.check() == []
            runs = store.runs()
            self._is_begun = bool(runs)
            if not runs:
                assert not asked, "calls were made before the run was stored"
                return
            check_moves(store, runs[0].id)
            keys = [call.key for call in store.calls(runs[0].id)]
            tree = store.load_tree(runs[0].id)
        paid = frozenset(Asked(key.purpose, key.task_id, key.attempt, key.request_sha256) for key in keys)
        assert self._paid <= paid, "recorded replies are gone"
        self._paid = paid
        self._done = frozenset(task.id for task in tree.walk() if task.state is TaskState.DONE)


def _lines(log: Path) -> list[Asked]:
    return [Asked(*json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def random_case(chance: random.Random, policy: str | None, recovery: str, on_error: str) -> Case:
    """Return a run with a random tree, whose tasks need each other as they may."""
    root = tree_of(" ".join(str(chance.randrange(number)) for number in range(1, chance.randint(3, 16))))
    ids = [task.id for task in root.walk()]
    for _ in range(chance.randint(0, len(ids))):
        try:
            root.find(chance.choice(ids)).add_dependency(chance.choice(ids))
        except TaskError:
            continue
    jobs = chance.choice((1, 4))
    return Case(root.to_json(), chance.randrange(10**6), chance.choice(SHARES), policy, recovery, on_error, jobs=jobs)


def points_of(case: Case) -> tuple[str, ...]:
    """Return the failpoints that a run may pass; the rarer ones come more often."""
    points: tuple[str, ...] = ALWAYS
    if case.policy not in {None, "direct"}:
        points += SPLITTING
    if case.policy == "streaming":
        points += ("after-grown-commit",) * 3
    return points + {"retry": (), "split": SPLITTING, "replan": 2 * REPLANNING}[case.recovery]


def crash(stores: Callable[[Path], str], folder: Path, *, kills: int, seed: int) -> Iterator[RecoveryTest]:
    """Kill runs `kills` times in all, of each policy and recovery in turn; yield each once it is through."""
    chance = random.Random(seed)
    ways = list(product(POLICIES, RECOVERIES, ON_ERROR))
    chance.shuffle(ways)
    for number in count():
        if kills <= 0:
            return
        own = folder / str(number)
        own.mkdir(parents=True)
        test = RecoveryTest(random_case(chance, *ways[number % len(ways)]), stores(own), own)
        try:
            for _ in range(chance.randint(2, 6)):
                if test.kill_at(chance.choice(points_of(test.case)), chance.randint(1, 3)):
                    break
            test.finish()
        except AssertionError as error:
            raise AssertionError(f"{json.dumps(test.case.to_data())}, killed at {[*test.killed.elements()]}") from error
        kills -= test.killed.total()
        yield test


def main() -> None:
    """Run the long form and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own, not on SQLite")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = stack.enter_context(running_server()) if options.postgres else None

        def stores(own: Path) -> str:
            return str(own / "crash.db") if server is None else server.empty_database()

        print(f"seed {options.seed}, folder {folder}, process {os.getpid()}", flush=True)
        tests = []
        for test in crash(stores, Path(folder), kills=options.kills, seed=options.seed):
            tests.append(test)
            print(f"run {len(tests)}: {sum(each.killed.total() for each in tests)} kills", flush=True)
    killed = sum((test.killed for test in tests), Counter[str]())
    policies = Counter(str(test.case.policy) for test in tests)
    again = sum(test.repeated for test in tests)
    print(
        f"{killed.total()} kills in {len(tests)} runs: every rule held, and every tree is that of a run that nobody"
        f" killed; {again} calls in flight were made again; runs by policy {dict(policies)}; kills by failpoint"
        f" {dict(killed)}"
    )


if __name__ == "__main__":
    main()
