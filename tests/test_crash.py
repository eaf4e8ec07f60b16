"""The short form of the crash test, the lease between processes, and a cancel that survives a kill."""

import asyncio
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ramify.planner import Executor, PlanLimits
from ramify.planner.api import make_root
from ramify.planner.errors import LeaseError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.store import Control, Store
from ramify.planner.testing import ScriptedModel

from .crash import PROGRAM, ROOT, RUN_POINTS, CrashTest, crash, wide_goal
from .crash_changes import CHANGES, Change, cancelled, changed
from .made_up_goals import answer, solution_of
from .patience import HANG_S, comes_true
from .postgres import PostgresServer


@pytest.mark.parametrize("point", RUN_POINTS)
def test_a_kill_at_every_named_point_loses_nothing(tmp_path: Path, point: str) -> None:
    test = CrashTest(str(tmp_path / "runs.db"), tmp_path, wide_goal(2, 3))
    for passing in (1, 2):
        assert not test.kill_at(point, passing), f"{point} was not passed {passing} times"
    test.finish()
    assert test.kills == 2


@pytest.mark.parametrize("point", [*RUN_POINTS, "after-tried-commit"])
def test_a_task_that_was_tried_and_is_to_be_split_is_neither_tried_nor_split_again(tmp_path: Path, point: str) -> None:
    test = CrashTest(str(tmp_path / "runs.db"), tmp_path, wide_goal(2, 3), policy="as_needed")
    for passing in (1, 2):
        assert not test.kill_at(point, passing), f"{point} was not passed {passing} times"
    test.finish()


@pytest.mark.parametrize(
    ("point", "passings"), [*[(point, (1, 2)) for point in RUN_POINTS], ("after-grown-commit", (1, 2, 1))]
)
def test_a_plan_that_is_cut_while_it_is_written_is_gone_on_with_and_nothing_is_doubled(
    tmp_path: Path, point: str, passings: tuple[int, ...]
) -> None:
    test = CrashTest(str(tmp_path / "runs.db"), tmp_path, wide_goal(3, 4), policy="streaming")
    for passing in passings:
        assert not test.kill_at(point, passing), f"{point} was not passed {passing} times"
    test.finish()


def test_kills_at_random_instants_lose_nothing(tmp_path: Path) -> None:
    tests = crash(str(tmp_path / "runs.db"), tmp_path, kills=8, seed=7, goal=wide_goal(3, 4))
    assert sum(test.kills for test in tests) == 8


def test_kills_lose_nothing_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    tests = crash(postgres.empty_database(), tmp_path, kills=5, seed=11, goal=wide_goal(3, 4))
    assert sum(test.kills for test in tests) == 5


def test_a_run_waits_for_a_postgresql_server_that_is_gone_and_ends_right(
    postgres: PostgresServer,
) -> None:
    goal = wide_goal(4, 5)
    waits: list[str] = []
    is_stopped = threading.Event()

    async def reply(request: ModelRequest) -> str:
        while sum(each.purpose == "execute" for each in model.requests) > 6 and not is_stopped.is_set():
            await asyncio.sleep(0.005)
        return answer(*(message["content"] for message in request.messages))

    model = ScriptedModel(reply)
    executor = Executor(model, jobs=4, store=postgres.empty_database(), plan=PlanLimits(max_depth=3, max_children=20))
    run = executor.start(make_root(goal, []))
    run.on(lambda event: waits.append(event.data["why"]), "run_waiting")
    while run.progress.done < 4:
        time.sleep(0.01)
    postgres.stop()
    is_stopped.set()
    writer = run._session._recorder.writer
    assert comes_true(lambda: writer._connection is None), "the writer has met the server that is gone"
    assert run.status == "running"
    postgres.start_again()
    assert run.wait().result == solution_of(goal)
    assert waits
    assert len({(request.purpose, request.task_id) for request in model.requests}) == len(model.requests)


def started(tmp_path: Path, goal: str) -> "tuple[subprocess.Popen[str], str]":
    """Start the program, slow enough to outlast any test, and return it, with the run's id, once it works."""
    store, log = tmp_path / "runs.db", tmp_path / "log"
    process = subprocess.Popen(
        [*PROGRAM, "start", str(store), str(log), goal], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"CRASH_PROGRAM_LATENCY_S": "1"},
    )  # fmt: skip
    while not log.exists() or not log.read_text():
        time.sleep(0.01)
    with Store.open(store) as opened:
        return process, opened.last_run().id


def test_a_second_process_is_refused_and_told_who_holds_the_run(tmp_path: Path) -> None:
    process, run_id = started(tmp_path, wide_goal(40, 6))
    try:
        with pytest.raises(LeaseError, match=str(process.pid)):
            Executor.resume(tmp_path / "runs.db", run_id, agent=ScriptedModel({}))
    finally:
        process.kill()
        process.communicate()


def test_a_cancel_from_outside_stops_a_run_and_survives_a_kill(tmp_path: Path) -> None:
    process, run_id = started(tmp_path, wide_goal(40, 6))
    with Store.open(tmp_path / "runs.db") as store:
        store.ask(run_id, Control.of("cancel", via="python"))
        process.communicate(timeout=HANG_S)
        assert store.find_run(run_id).status == "cancelled"


@pytest.mark.fault("2.1")
@pytest.mark.parametrize("what", CHANGES, ids=lambda what: what.name)
def test_a_change_that_is_killed_again_and_again_ends_as_one_that_nobody_killed(tmp_path: Path, what: Change) -> None:
    test = changed(str(tmp_path / "runs.db"), tmp_path, what, [(point, 1) for point in what.points[:2]])
    assert test.kills == 2


@pytest.mark.fault("2.1")
def test_kills_of_a_retry_lose_nothing_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    retry = CHANGES[0]
    test = changed(postgres.empty_database(), tmp_path, retry, [(point, 1) for point in retry.points[:2]])
    assert test.kills == 2


def test_a_cancel_that_is_killed_is_a_wish_that_stays(tmp_path: Path) -> None:
    assert cancelled(str(tmp_path / "runs.db"), tmp_path / "cancel", random.Random(3)).kills >= 2
