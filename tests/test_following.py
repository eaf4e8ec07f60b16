"""Runs that another process carries on: `FollowedRun`, and `ramify watch` on top of it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ramify.planner import Executor, FollowedRun, Outcome, PlanLimits, Store
from ramify.planner.errors import RunError
from ramify.planner.store import NewRun
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState

from .patience import HANG_S
from .ramify_command import COMMAND, Ramify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramify.planner.events.events import Event

SPLIT = "<task>first</task><task needs='1'>second</task>"
REPLIES = {"decompose 0": SPLIT, "decompose": "<atomic/>", "execute": "<result>done</result>", "compose": "both done"}

ELSEWHERE = """
import pathlib, sys, time
from ramify.planner import Executor
from ramify.tasks import Task
def wait(task):
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return "went"
root = Task(content="Wait", id="0", subtasks=[Task(content="for a word", id="0.1", type="wait")])
run = Executor("rules", workers={"wait": wait}, store="runs.db").new_run(root)
run.on(lambda _: print(run.id, flush=True), "task_started")
run.start().wait()
"""


@contextmanager
def run_elsewhere() -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """Start a run in a process of its own; its only leaf waits until a file `go` is there."""
    with subprocess.Popen([sys.executable, "-c", ELSEWHERE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def finished_run(store: Path) -> str:
    run = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=store).run(Task(content="both", id="0"))
    return run.id


def test_a_finished_run_gives_all_its_events_and_its_tree(tmp_path: Path) -> None:
    run_id = finished_run(tmp_path / "runs.db")
    with FollowedRun(tmp_path / "runs.db", run_id[:5]) as run, Store.open(tmp_path / "runs.db") as store:
        assert list(run) == store.events(run_id)
        assert (run.status, run.root.result, run.is_over) == ("done", "both done", True)
    with FollowedRun(tmp_path / "runs.db", after=5) as run:
        assert next(iter(run)).seq == 6


def test_async_for_gives_the_same(tmp_path: Path) -> None:
    run_id = finished_run(tmp_path / "runs.db")

    async def follow() -> list[int]:
        with FollowedRun(tmp_path / "runs.db", run_id) as run:
            return [event.seq async for event in run]

    seqs = asyncio.run(follow())
    assert seqs == list(range(1, len(seqs) + 1))


def test_tasks_that_are_planned_while_a_run_is_followed_come_into_its_tree(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    executor = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=place)
    new = executor.new_run(Task(content="both", id="0"))
    with FollowedRun(place, new.id, poll_s=0.01) as run:
        assert [task.id for task in run.root.walk()] == ["0"]
        assert (run.look(), run.status) == ([], "running")
        new.start().wait()
        types = [str(event.type) for event in run]
        assert types[-1] == "run_finished"
        assert [(task.content, task.state) for task in run.root.walk()] == [
            ("both", TaskState.DONE),
            ("first", TaskState.DONE),
            ("second", TaskState.DONE),
        ]


def test_tasks_that_were_known_before_they_ended_have_all_that_came_of_them(tmp_path: Path) -> None:
    def measure(_: Task) -> Outcome:
        return Outcome("two", {"count": 2}, ("a third",))

    root = Task(content="Count", id="0", type="measure")
    run = Executor("rules", workers={"measure": measure}, store=tmp_path / "runs.db").new_run(root)
    with FollowedRun(tmp_path / "runs.db", run.id) as followed:
        run.start().wait()
        assert list(followed)
    assert (followed.root.result, followed.root.output) == ("two", {"count": 2})
    assert followed.root.gaps == run.task.gaps == ("a third",)


def test_the_last_words_of_a_process_that_ends_between_two_looks_are_read(home: Path) -> None:
    with run_elsewhere() as (run_id, process), FollowedRun("runs.db", run_id) as run:
        seen: list[Event] = []
        while len(seen) < 2:
            seen += run.look()
        assert not run.is_over
        (home / "go").touch()
        process.wait(timeout=HANG_S)
        assert not run.is_over
        assert [str(event.type) for event in run][-1] == "run_finished"
        assert (run.status, run.root.result) == ("done", "- for a word: went")


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    finished_run(tmp_path / "runs.db")
    with pytest.raises(RunError, match="nowhere"):
        FollowedRun(tmp_path / "runs.db", "nowhere")


def test_watch_follows_a_run_of_another_process_to_its_answer(home: Path) -> None:
    with run_elsewhere() as (run_id, _):
        command = [*COMMAND, "watch", run_id[:6], "--store", "runs.db", "--display", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stderr is not None
            lines = [watching.stderr.readline(), watching.stderr.readline()]
            (home / "go").touch()
            out, rest = watching.communicate(timeout=HANG_S)
    events = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert [event["type"] for event in events] == [
        "run_started", "task_started", "task_done", "task_started", "call_started", "call_done", "task_done",
        "run_finished",
    ]  # fmt: skip
    assert (watching.returncode, out) == (0, "- for a word: went\n")


def test_ctrl_c_ends_the_watching_and_leaves_the_run_alone(home: Path) -> None:
    with run_elsewhere() as (run_id, process):
        command = [*COMMAND, "watch", "--last", "--store", "runs.db", "--display", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stderr is not None
            watching.stderr.readline()
            watching.send_signal(signal.SIGINT)
            _, err = watching.communicate(timeout=HANG_S)
        assert watching.returncode == 130
        assert f"run {run_id} continues; `ramify watch {run_id}` shows it again" in err
        assert process.poll() is None
        (home / "go").touch()
        assert process.wait(timeout=HANG_S) == 0


def test_a_run_whose_process_dies_is_said_to_be_interrupted_with_the_way_to_go_on(home: Path, ramify: Ramify) -> None:
    with run_elsewhere() as (run_id, process):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        said = ramify("watch", run_id, "--store", "runs.db", "--display", "plain")
    assert (said.code, said.out) == (130, "")
    assert f"run {run_id} was interrupted: process {process.pid} on " in said.err
    assert said.last_line == f"ramify resume {run_id} --store runs.db"
    assert home.joinpath("runs.db").exists()


def test_watch_ends_with_the_exit_code_of_the_run(ramify: Ramify) -> None:
    assert ramify("solve", "--model", "rules", "1/0").code == 1
    said = ramify("watch", "--last", "-q")
    assert said.code == 1
    assert said.last_line.startswith("ramify resume r")
    assert said.last_line.endswith(" --retry-failed")
    ramify("solve", "--model", "rules", "--max-calls", "1", "(1+2)*(3+4)")
    assert ramify("watch", "--last", "-q").code == 4


def test_a_run_that_never_started_is_given_a_moment(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        store.create_run(NewRun(id="fresh", goal="x", created_at=time.time()), Task(content="x", id="0"))
        store.create_run(NewRun(id="old", goal="x", created_at=1.0), Task(content="x", id="0"))
    for run_id, status in (("fresh", "running"), ("old", "interrupted")):
        with FollowedRun(tmp_path / "runs.db", run_id) as run:
            assert run.status == status
