"""Ctrl-C, SIGTERM and `ramify cancel` while a run is on: how it ends, what is kept, and what goes on from there."""

import asyncio
import re
import shlex
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ramify.planner.store import Store
from ramify.tasks import TaskState

from .made_up_goals import answer, asks_for_plan, last_goal, solution_of
from .openai_server import Chat, OpenAIServer
from .patience import HANG_S
from .ramify_command import Ramify, Said, start_ramify

if TYPE_CHECKING:
    import subprocess

GOAL = "trip{pack{}|walk{}|rest{}}"


class Held:
    """A model behind HTTP that plans at once, and keeps back its answers to one purpose until it is let go."""

    def __init__(self, *, holds_plans: bool = False) -> None:
        self._holds_plans = holds_plans
        self._arrived = threading.Semaphore(0)
        self._go = threading.Event()
        self.server = OpenAIServer(self._reply)

    def _reply(self, chat: Chat) -> str | Awaitable[str]:
        system = chat.said("system")
        reply = answer(system, chat.user)
        return self._later(reply) if asks_for_plan(system) is self._holds_plans else reply

    async def _later(self, reply: str) -> str:
        self._arrived.release()
        await asyncio.to_thread(self._go.wait)
        return reply

    def wait_for_calls(self, count: int, process: "subprocess.Popen[str]") -> None:
        """Return when `count` more calls of `process` are being kept; fail, with what it said, if it ends first."""
        waited = 0
        while waited < count:
            if self._arrived.acquire(timeout=0.5):
                waited += 1
            else:
                assert process.poll() is None, process.communicate()

    def let_go(self) -> None:
        """Answer, from now on."""
        self._go.set()

    def asked(self) -> Counter[tuple[bool, str]]:
        """Return how often each goal was asked for: (to be split, the goal)."""
        return Counter((asks_for_plan(chat.said("system")), last_goal(chat.user)) for chat in self.server.chats)


@pytest.fixture
def held() -> Iterator[Held]:
    model = Held()
    with model.server:
        yield model
        model.let_go()


@contextmanager
def solving(held: Held, goal: str = GOAL) -> "Iterator[subprocess.Popen[str]]":
    """Start to solve `goal` in a process of its own; whatever happens, nothing is left of it."""
    model = ("--model", "openai/held", "--base-url", held.server.base_url)
    process = start_ramify(
        "solve", *model, "--jobs", "2", "--store", "runs.db", "--max-depth", "2", "--split", "always", goal
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_with(process: "subprocess.Popen[str]", words: str) -> str:
    """Return the next line on standard error that has `words` in it."""
    assert process.stderr is not None
    return next(line for line in process.stderr if words in line)


def end(process: "subprocess.Popen[str]") -> Said:
    out, err = process.communicate(timeout=HANG_S)
    return Said(process.returncode, out, err)


def states() -> Counter[TaskState]:
    with Store.open("runs.db", create=False) as store:
        return Counter(task.state for task in store.load_tree(store.last_run().id).walk())


@pytest.mark.fault("1.8")
def test_one_ctrl_c_finishes_what_is_under_way_and_starts_nothing(home: Path, held: Held, ramify: Ramify) -> None:
    with solving(held) as process:
        held.wait_for_calls(2, process)
        process.send_signal(signal.SIGINT)
        words = r"waiting for 2 tasks: 0\.1, 0\.2, started .* ago; a reply may take 600 s \(--timeout-s\)"
        assert re.fullmatch(f"Ctrl-C again cancels at once; {words}", line_with(process, "Ctrl-C").strip())
        held.let_go()
        said = end(process)
    assert (said.code, said.out) == (130, "")
    assert states() == {TaskState.DONE: 2, TaskState.OPEN: 2}
    command = shlex.split(said.last_line)
    assert command[:2] == ["ramify", "resume"]
    before = held.asked()
    assert ramify(*command[1:]).out == f"{solution_of(GOAL)}\n"
    again = held.asked() - before
    assert sorted(again.values()) == [1, 1]
    assert home.joinpath("runs.db").exists()


@pytest.mark.fault("1.8")
def test_a_second_ctrl_c_stops_at_once_and_loses_nothing(home: Path, held: Held, ramify: Ramify) -> None:
    with solving(held) as process:
        held.wait_for_calls(2, process)
        process.send_signal(signal.SIGINT)
        line_with(process, "Ctrl-C")
        process.send_signal(signal.SIGINT)
        said = end(process)
    assert said.code == 130
    assert states() == {TaskState.OPEN: 4}
    held.let_go()
    assert ramify(*shlex.split(said.last_line)[1:]).out == f"{solution_of(GOAL)}\n"
    assert held.asked()[True, GOAL] == 1
    assert home.joinpath("runs.db").exists()


def test_ctrl_c_before_there_is_a_run_says_that_nothing_is_stored(home: Path) -> None:
    slow = "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(600)\n"
    home.joinpath("slow.py").write_text(slow, encoding="utf-8")
    process = start_ramify("solve", "--model", "rules", "1 + 1", "--workers", "slow.py", "--store", "runs.db")
    try:
        line_with(process, "loading")
        process.send_signal(signal.SIGINT)
        said = end(process)
    finally:
        process.kill()
    assert (said.code, said.last_line) == (130, "ramify: interrupted before the run was created; nothing was stored")
    assert not home.joinpath("runs.db").exists()


def test_sigterm_stops_at_once_and_saves(home: Path, held: Held) -> None:
    with solving(held) as process:
        held.wait_for_calls(2, process)
        process.send_signal(signal.SIGTERM)
        said = end(process)
    assert said.code == 130
    assert said.last_line.startswith("ramify resume r")
    assert states() == {TaskState.OPEN: 4}
    assert home.joinpath("runs.db").exists()


def test_another_process_can_cancel_a_run(home: Path, held: Held, ramify: Ramify) -> None:
    with solving(held) as process:
        held.wait_for_calls(2, process)
        said = ramify("cancel", "--last", "--store", "runs.db")
        assert f"process {process.pid}" in said.err
        ended = end(process)
    assert ended.code == 130
    assert "was cancelled" in ended.err
    held.let_go()
    resumed = ramify("resume", "--last", "--store", "runs.db")
    assert resumed.out == f"{solution_of(GOAL)}\n", resumed.err
    assert home.joinpath("runs.db").exists()


def test_ctrl_c_while_planning_keeps_the_reply_that_is_paid_for(home: Path, ramify: Ramify) -> None:
    held = Held(holds_plans=True)
    with held.server:
        with solving(held) as process:
            held.wait_for_calls(1, process)
            process.send_signal(signal.SIGINT)
            assert "waiting for running tasks; a reply may take 600 s (--timeout-s)" in line_with(process, "Ctrl-C")
            held.let_go()
            said = end(process)
        assert said.code == 130
        assert ramify(*shlex.split(said.last_line)[1:]).out == f"{solution_of(GOAL)}\n"
        assert held.asked()[True, GOAL] == 1
    assert home.joinpath("runs.db").exists()


def test_a_run_whose_last_task_ends_after_ctrl_c_is_done(home: Path, held: Held) -> None:
    with solving(held, "pack{}") as process:
        held.wait_for_calls(1, process)
        process.send_signal(signal.SIGINT)
        line_with(process, "Ctrl-C")
        held.let_go()
        said = end(process)
    assert (said.code, said.out) == (0, f"{solution_of('pack{}')}\n")
    assert states() == {TaskState.DONE: 1}
    assert home.joinpath("runs.db").exists()


WORKERS = """
import asyncio, pathlib, sys, time
from ramify.planner import worker

@worker
def leaves():
    return sys.exit(1)

@worker
def no_match():
    return next(each for each in [1] if each > 2)

@worker
async def cancels():
    raise asyncio.CancelledError

@worker
def sleeps():
    return time.sleep(3600)

@worker
async def holds():
    print("has begun", file=sys.stderr, flush=True)
    return time.sleep(3600)

@worker
async def swallows():
    print("has begun", file=sys.stderr, flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except BaseException:
            pass
"""


@contextmanager
def running(*types: str) -> "Iterator[subprocess.Popen[str]]":
    """Run a plan with a task for each of these workers, in a process of its own; nothing is left of it."""
    Path("workers.py").write_text(WORKERS)
    tasks = [f"  - {{task: it {each}, type: {each}}}" for each in types]
    Path("plan.yaml").write_text("\n".join(["goal: all", "config: {max_retries: 0}", "tasks:", *tasks]))
    process = start_ramify("run", "plan.yaml", "--workers", "workers.py", "--model", "rules", "--store", "runs.db")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.fault("1.1")
@pytest.mark.fault("1.2")
@pytest.mark.fault("1.3")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_that_would_end_the_process_end_their_tasks_and_it_can_be_interrupted(
    home: Path, number: signal.Signals
) -> None:
    with running("sleeps", "leaves", "no_match", "cancels") as process:
        failed = {line_with(process, "failed").split(":", 1)[1].partition(" (")[0].strip() for _ in range(3)}
        process.send_signal(number)
        if number == signal.SIGINT:
            assert "waiting for task 0.1, started" in line_with(process, "Ctrl-C")
            process.send_signal(number)
        said = end(process)
    assert failed == {"SystemExit: 1", "StopIteration", "CancelledError"}
    assert said.code == 130
    assert re.fullmatch(r"ramify resume r\w+ --store runs\.db", said.last_line)
    assert states() == {TaskState.FAILED: 3, TaskState.OPEN: 2}
    assert home.joinpath("runs.db").exists()


@pytest.mark.fault("1.8")
@pytest.mark.parametrize("worker", ["holds", "swallows"])
def test_a_worker_that_does_not_let_itself_be_stopped_is_left(home: Path, worker: str) -> None:
    with running(worker) as process:
        line_with(process, "has begun")
        process.send_signal(signal.SIGINT)
        line_with(process, "Ctrl-C")
        process.send_signal(signal.SIGINT)
        said = end(process)
    assert said.code == 130
    assert "cannot be stopped" in said.err
    assert re.fullmatch(r"ramify resume r\w+ --store runs\.db", said.last_line)
    assert home.joinpath("runs.db").exists()


@pytest.mark.fault("4.3")
def test_a_worker_that_raises_leaves_no_line_of_the_logging_library(home: Path, ramify: Ramify) -> None:
    (home / "workers.py").write_text("from ramify.planner import worker\n@worker\ndef bad():\n    return {}['x']\n")
    (home / "plan.yaml").write_text("goal: it\ntype: bad\nconfig: {max_retries: 0}\n")
    command = ("run", "plan.yaml", "--workers", "workers.py", "--model", "rules", "--store", "runs.db")
    for options, where in (((), "0 failed"), (("-q",), "task 0 failed in")):
        with start_ramify(*command, *options) as process:
            said = end(process)
        assert (said.code, "handlers" in said.err) == (1, False)
        assert any(line.startswith(where) and "workers.py, line 4, in bad" in line for line in said.err.splitlines())
    shown = ramify("show", "--last", "0", "--messages", "--store", "runs.db")
    assert "failed: KeyError: 'x' (workers.py, line 4, in bad)" in shown.out
