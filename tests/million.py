"""A run of a million steps with an unreliable model, every step voted on and durable, killed several times in between.

    python -m tests.million --disks 20 --error-rate 0.01 --ahead 3 --kills 3

The towers of Hanoi with 20 disks take 1,048,575 moves, as in "Solving a Million-Step LLM Task with Zero Errors"
(https://arxiv.org/abs/2511.09030). A scripted model is asked for every move and is wrong now and then; each move is
what leads by `--ahead` in a vote. One wrong move would spoil all that follows.

A million tasks would spend most of their time on being tasks, and one task with a million steps would wait for the disk
at each. So the moves are cut into stretches: a stretch is a task, whose worker takes its moves as steps of its context,
one after the other; stretches run side by side, and their steps reach the disk in common commits. How the towers stand
where a stretch begins is known from its number. The durable unit is the step, a move with its vote: what a kill costs
are the samples of moves that were under way.
"""

import argparse
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ramify.planner import Executor, Outcome, WorkContext, Worker
from ramify.planner.asking.voting import Ballot, poll
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.prompts.rendered import Message
from ramify.tasks import Task

PEGS = "ABC"
JOBS = 64
MOST_SAMPLES = 100
_MOVE = re.compile(r"[ABC]{2}")

Towers = list[list[int]]
"""The disks on each peg, the lowest first; disk 1 is the smallest."""


def towers_after(moves: int, disks: int) -> Towers:
    """Return how the towers stand after so many right moves.

    >>> towers_after(0, 3), towers_after(7, 3)
    ([[3, 2, 1], [], []], [[], [], [3, 2, 1]])
    """
    towers: Towers = [[], [], []]
    source, spare, target = 0, 1, 2
    for disk in range(disks, 0, -1):
        if moves & (1 << (disk - 1)):  # it is on its target already, and the smaller ones come from the spare peg
            towers[target].append(disk)
            source, spare = spare, source
        else:
            towers[source].append(disk)
            spare, target = target, spare
    return towers


def next_move(towers: Towers, number: int, disks: int) -> str:
    """Return the right move: the smallest disk goes round at every other one, else the only other that there is."""
    top = [tower[-1] if tower else disks + 1 for tower in towers]
    smallest = top.index(1)
    if number % 2 == 0:
        return PEGS[smallest] + PEGS[(smallest + (1 if disks % 2 == 0 else 2)) % 3]
    one, other = (peg for peg in range(3) if peg != smallest)
    return PEGS[one] + PEGS[other] if top[one] < top[other] else PEGS[other] + PEGS[one]


def shown(towers: Towers) -> str:
    """Return the towers as the model is shown them."""
    return "|".join(" ".join(map(str, tower)) for tower in towers)


def apply(towers: Towers, move: str) -> None:
    """Make a move.

    Raises:
        ValueError: if it breaks the rules.
    """
    source, target = (towers[PEGS.index(peg)] for peg in move)
    if not source or source is target or (target and target[-1] < source[-1]):
        raise ValueError(f"the move {move} breaks the rules with {towers}")
    target.append(source.pop())


class UnreliableModel(ScriptedModel):
    """Knows the right move, and says something else at the rate `error_rate`: mostly another move, or no move at all.

    When it is wrong depends on the move and the number of the sample alone, so that a run can be repeated.

    Attributes:
        asked: how often it was asked.
        wrong: how often it was wrong.
    """

    def __init__(self, error_rate: float, disks: int) -> None:
        super().__init__({}, name="unreliable, scripted")
        self.error_rate = error_rate
        self.disks = disks
        self.asked = self.wrong = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer from the towers that the request shows."""
        self.asked += 1
        number, *shown = request.messages[-1]["content"].split("|")
        towers = [[int(disk) for disk in tower.split()] for tower in shown]
        move = next_move(towers, int(number), self.disks)
        chance = random.Random(f"{number} {request.sample}")
        if chance.random() < self.error_rate:
            self.wrong += 1
            move = chance.choice(["AB", "AC", "BA", "BC", "CA", "CB", "I would move the smallest disk."])
        return ModelReply(text=move, model=self.name)


@dataclass(frozen=True)
class Setting:
    """What is run."""

    store: Path
    disks: int = 20
    stretch: int = 1024
    error_rate: float = 0.01
    ahead: int = 3

    @property
    def moves(self) -> int:
        """All moves."""
        return int(2**self.disks - 1)

    def stretches(self) -> Iterator[tuple[str, int, int]]:
        """Yield the id, the first move and the number of moves of each stretch."""
        for place, first in enumerate(range(0, self.moves, self.stretch), 1):
            yield f"0.{place}", first, min(self.stretch, self.moves - first)


class Mover(Worker):
    """Takes the moves of one stretch, each a step that is voted on."""

    name = "moves"

    def __init__(self, setting: Setting, model: UnreliableModel, *, kill_after: int | None) -> None:
        self.setting = setting
        self.model = model
        self.kill_after = kill_after
        self.taken = 0

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Move from where the stretch begins to where it ends."""
        first, count = int(context.inputs["first"]), int(context.inputs["count"])
        towers = towers_after(first, self.setting.disks)
        for number in range(first, first + count):
            move = await context.step("move", partial(self._vote, number, towers, task.id))
            apply(towers, move)
        return Outcome(shown(towers))

    async def compose(self, task: Task, _: WorkContext) -> Outcome:
        """Return how the towers stand at the end."""
        return Outcome(task.subtasks[-1].result)

    async def _vote(self, number: int, towers: Towers, task_id: str) -> str:
        self.taken += 1
        if self.taken == self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        message = Message(role="user", content=f"{number}|{shown(towers)}")

        async def sample(number: int) -> Ballot[str]:
            request = ModelRequest(purpose="move", task_id=task_id, messages=(message,), sample=number)
            text = (await self.model.complete(request)).text
            return Ballot(text, text) if _MOVE.fullmatch(text) else Ballot(None, flag="malformed")

        return (await poll(sample, ahead=self.setting.ahead, most=MOST_SAMPLES, task_id=task_id)).winner


def carry_on(setting: Setting, *, kill_after: int | None = None) -> None:
    """Begin the run, or go on with it, and say at the end what was done in this process."""
    model = UnreliableModel(setting.error_rate, setting.disks)
    mover = Mover(setting, model, kill_after=kill_after)
    began = time.monotonic()
    known = count_steps(setting.store)
    if setting.store.exists():
        run = Executor.resume(setting.store, agent=model, workers=[mover])
    else:
        root = Task(content=f"Move {setting.disks} disks.", id="0", type="moves")
        root.add_subtasks(
            Task(content=f"Moves from {first}.", id=task_id, type="moves", inputs={"first": first, "count": count})
            for task_id, first, count in setting.stretches()
        )
        run = Executor(model, store=setting.store, workers=[mover], jobs=JOBS).run(root)
    seconds = time.monotonic() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{run.status}: {mover.taken} steps here, {known} known before; {model.asked} answers, {model.wrong} wrong;"
        f" {seconds:.1f} s, at most {peak_mb:.0f} MB",
        flush=True,
    )


def count_steps(store: Path) -> int:
    """Return how many steps are on disk."""
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as database:
        return int(database.execute("SELECT count(*) FROM ramify_steps WHERE ended_at IS NOT NULL").fetchone()[0])


def errors_in(setting: Setting) -> list[str]:
    """Return what is wrong with what is on disk: moves that are missing, break the rules, or lead elsewhere."""
    faults = []
    with Store.open(setting.store) as store:
        run_id = store.last_run().id
        for task_id, first, count in setting.stretches():
            towers = towers_after(first, setting.disks)
            steps = sorted(store.steps(run_id, task_id), key=lambda step: int(step.key.key.partition("#")[2]))
            if len(steps) != count:
                faults.append(f"task {task_id} has {len(steps)} steps instead of {count}")
            try:
                for step in steps:
                    apply(towers, str(step.output))
            except ValueError as error:
                faults.append(f"task {task_id}: {error}")
            if towers != towers_after(first + count, setting.disks):
                faults.append(f"task {task_id} ends with {towers}")
    return faults


def run_killed(setting: Setting, *, kills: int) -> Iterator[str]:
    """Carry the run to its end in processes of their own, and kill the first ones; yield what the last one says.

    Each of them is killed in the middle of a step, when it has taken an equal share of all.
    """
    command = [sys.executable, "-m", "tests.million", "--child", "--store", str(setting.store)]
    for name in ("disks", "stretch", "error_rate", "ahead"):
        command += [f"--{name.replace('_', '-')}", str(getattr(setting, name))]
    for _ in range(kills):
        killed = subprocess.run([*command, "--kill-after", str(setting.moves // (kills + 1))], check=False)
        if killed.returncode != -signal.SIGKILL:
            raise RuntimeError(f"the process was to be killed, and ended with {killed.returncode}")
        yield f"killed with {count_steps(setting.store)} steps on disk"
    yield subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    """Run it, look at what is on disk, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--stretch", type=int, default=1024, help="moves of one task")
    parser.add_argument("--error-rate", type=float, default=0.01)
    parser.add_argument("--ahead", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--kill-after", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(
            store=given.store or Path(folder) / "million.db",
            disks=given.disks,
            stretch=given.stretch,
            error_rate=given.error_rate,
            ahead=given.ahead,
        )
        if given.child:
            carry_on(setting, kill_after=given.kill_after)
            return
        began = time.monotonic()
        for said in run_killed(setting, kills=given.kills):
            print(said, flush=True)
        faults = errors_in(setting)
        seconds = time.monotonic() - began
        size_mb = sum(path.stat().st_size for path in setting.store.parent.glob(f"{setting.store.name}*")) / 1e6
        print(f"{setting.moves:,} moves, {len(faults)} errors, {seconds:.1f} s in all, {size_mb:.0f} MB on disk")
        for fault in faults:
            print(fault)
        sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
