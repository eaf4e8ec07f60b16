"""The crash test of scripts: kill one's run again and again, and check that nothing that was finished is done again.

    python -m tests.crash_scripts [--kills 20] [--items 1000] [--postgres] [--seed N]

Half of the kills come at random instants, half at named points; each process is a new one. At the end the answer is
what an uninterrupted run gives. Each process gets somewhere before it is killed: a task under which three have ended is
taken for what ends them, and fails (`planner/running/lost.py`).
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ramify.planner.store import Store
from ramify.tasks import TaskState

from .crash import ROOT, check_moves
from .crash_scripts_program import JOBS
from .patience import HANG_S
from .postgres import running_server

POINTS = (
    "before-running-commit", "after-running-commit", "before-reply-commit", "after-done-commit", "during-plan-commit",
)  # fmt: skip
"""The points that a script passes."""

OFTEN = POINTS[:2] + POINTS[3:4]
"""Those that every task passes; the others would let most of a run go by before they kill."""


@dataclass
class ScriptCrash:
    """One run of the script, killed until it is through.

    Attributes:
        store: where it is stored.
        folder: for the log.
        items: how many items its map has.
        kills: how often it was killed.
        repeated: bodies and calls that were in flight at a kill, and were made again.
    """

    store: str
    folder: Path
    items: int
    kills: int = 0
    repeated: int = 0
    run_id: str = ""
    ended: set[str] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)

    def go(self, *, seconds: float | None = None, point: str | None = None) -> bool:
        """Run, kill after `seconds` of work or at a named point, check; return whether it had ended by itself."""
        log = self.folder / "log"
        before = log.read_text().splitlines() if log.exists() else []
        words = ["resume" if self.run_id else "start", self.store, str(log), str(self.items)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAMIFY_")}
        environment |= {"RAMIFY_FAILPOINT": point} if point else {}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_scripts_program", *words, *([self.run_id] if self.run_id else [])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        try:
            if seconds is not None:
                while process.poll() is None and (not log.exists() or len(log.read_text().splitlines()) == len(before)):
                    time.sleep(0.002)
                time.sleep(seconds)
                process.send_signal(signal.SIGKILL)
            said, errors = process.communicate(timeout=HANG_S)
        finally:
            process.kill()
        ended = process.returncode == 0
        assert ended or process.returncode == -signal.SIGKILL, f"{said}\n{errors}"
        self.kills += not ended
        self._check([line.split() for line in (log.read_text().splitlines() if log.exists() else [])], len(before))
        return ended

    def _check(self, lines: list[list[str]], old: int) -> None:
        """Check what the last process did against what was there before it, and take down what is there now."""
        now = lines[old:]
        again = [line for line in now if line[2] in self.ended]
        assert not again, f"what was finished was done again: {again}"
        asked_again = [line for line in now if line[0] == "call" and (line[1], line[2]) in self.asked]
        assert not asked_again, f"calls whose replies were on disk were made again: {asked_again}"
        seen = {tuple(line) for line in lines[:old]}
        self.repeated += sum(tuple(line) in seen for line in now)
        assert self.repeated <= JOBS * self.kills, "more was done again than can have been in flight"
        with Store.open(self.store) as store:
            store.check()
            self.run_id = self.run_id or next((run.id for run in store.runs()), "")
            if not self.run_id:
                assert not now, "something was done before the run was stored"
                return
            check_moves(store, self.run_id)
            over = {TaskState.DONE, TaskState.FAILED}
            self.ended = {task.id for task in store.load_tree(self.run_id).walk() if task.state in over}
            self.asked = {(call.key.purpose, call.key.task_id) for call in store.calls(self.run_id)}

    def result(self) -> Any:
        """Return the answer, when it has ended."""
        with Store.open(self.store) as store:
            run = store.find_run(self.run_id)
            assert (run.status, run.holder) == ("done", None)
            return store.load_tree(self.run_id).output


def crash_scripts(place: str, folder: Path, *, kills: int, items: int, seed: int, calm: str) -> ScriptCrash:
    """Kill one run `kills` times, and return it when it has ended with the answer that a calm one in `calm` gives."""
    chance = random.Random(seed)
    quiet = ScriptCrash(calm, folder / "calm", items)
    quiet.folder.mkdir()
    assert quiet.go()
    test = ScriptCrash(place, folder / "killed", items)
    test.folder.mkdir()
    while test.kills < kills:
        if chance.random() < 0.5:
            is_over = test.go(seconds=0.03 + chance.random() * 0.05)
        else:
            is_over = test.go(point=f"{chance.choice(OFTEN)}:{chance.randint(20, 50)}")
        if is_over:
            break
    else:
        assert test.go(), "the last run did not end by itself"
    assert test.result() == quiet.result()
    return test


def main() -> None:
    """Run the long form, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own, not on SQLite")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        store = str(folder / "crash.db")
        if options.postgres:
            store = stack.enter_context(running_server()).empty_database()
        print(f"seed {options.seed}", flush=True)
        calm = str(folder / "calm.db")
        test = crash_scripts(store, folder, kills=options.kills, items=options.items, seed=options.seed, calm=calm)
        print(f"{test.kills} kills: every rule held; {test.repeated} bodies and calls in flight were made again in all")


if __name__ == "__main__":
    main()
