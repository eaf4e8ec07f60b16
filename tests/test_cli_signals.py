"""Ctrl-C, SIGTERM and `ramify cancel` while a run is on: how it ends, what is kept, and what goes on from there."""

import asyncio
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

from .made_up_goals import answer, last_goal, solution_of
from .openai_server import Chat, OpenAIServer
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
        return self._later(reply) if ("<atomic" in system) is self._holds_plans else reply

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
        return Counter(("<atomic" in chat.said("system"), last_goal(chat.user)) for chat in self.server.chats)


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
    process = start_ramify("solve", *model, "--jobs", "2", "--store", "runs.db", "--max-depth", "2", goal)
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
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


def states() -> Counter[TaskState]:
    with Store.open("runs.db", create=False) as store:
        return Counter(task.state for task in store.load_tree(store.last_run().id).walk())


def test_one_ctrl_c_finishes_what_is_under_way_and_starts_nothing(home: Path, held: Held, ramify: Ramify) -> None:
    with solving(held) as process:
        held.wait_for_calls(2, process)
        process.send_signal(signal.SIGINT)
        assert line_with(process, "Ctrl-C").strip() == "finishing 2 tasks; Ctrl-C again to stop at once"
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
    assert "is cancelled" in ended.err
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
            assert "finishing what is under way" in line_with(process, "Ctrl-C")
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
