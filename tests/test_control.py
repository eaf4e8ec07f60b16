"""A run is controlled from outside: paused, given other limits, cancelled; who has done it stands in its events."""

import asyncio
import getpass
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, FollowedRun, Run
from ramify.planner.errors import LeaseError, RunError, UsageError
from ramify.planner.events.events import Event
from ramify.planner.export.report import report_of
from ramify.planner.progress.ledger import Ledger
from ramify.planner.progress.plain import PlainLines
from ramify.planner.running.controlling import cancel_run, limit_run, pause_run
from ramify.planner.runtime.background import run_sync
from ramify.planner.store import Control, Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState

from .patience import Gate, comes_true
from .ramify_command import Ramify
from .test_events import faults_of

REPLIES = {"execute": "<result>done</result>", "compose": "<result>all done</result>"}
ME = {"by": f"{getpass.getuser()}@{socket.gethostname()}", "pid": os.getpid()}
Act = Callable[[Store, str], Any]


def leaves(count: int) -> Task:
    root = Task(content="say a lot", id="0")
    root.add_subtasks([Task(content=f"say {number}", id=f"0.{number}") for number in range(1, count + 1)])
    return root


def plain_model(**how: Any) -> ScriptedModel:
    return ScriptedModel(REPLIES, **how)


@contextmanager
def under_way(place: str | Path, *, jobs: int = 2, begun: int = 2, **how: Any) -> Iterator[tuple[Run, Gate, list[Any]]]:
    """Give a run of six leaves of which `begun` are asked for, the gate that holds their replies, and the requests."""
    gate = Gate(REPLIES)
    model = ScriptedModel(gate, cost_usd=0.25)
    run = Executor(model, store=place, jobs=jobs, **how).start(leaves(6))
    try:
        assert comes_true(lambda: len(model.requests) == begun)
        yield run, gate, model.requests
    finally:
        gate.open()
        run.wait()


def is_heard(place: str | Path, run_id: str) -> bool:
    """Wait until nothing that was asked of a run is left."""

    def is_done() -> bool:
        with Store.open(place) as store:
            return not store.find_run(run_id).controls

    return comes_true(is_done)


def controls(place: str | Path, run_id: str) -> list[Event]:
    with Store.open(place) as store:
        return store.events_of(run_id, ["run_controlled"])


def test_a_paused_run_finishes_what_is_under_way_waits_and_goes_on_when_it_is_resumed(place: str) -> None:
    with under_way(place) as (run, gate, requests):
        with FollowedRun(place, run.id) as other:
            done = other.pause()
        assert f"process {os.getpid()}" in str(done.holder)
        assert is_heard(place, run.id)
        gate.open()
        run.wait()
        assert (run.status, len(requests), run.is_planned) == ("waiting", 2, False)
        assert f"it was paused by {ME['by']} (a program, process {os.getpid()})" in str(run.error)
        assert sum(task.state is TaskState.DONE for task in run.task.walk()) == 2
    (event,) = controls(place, run.id)
    assert (faults_of(event), event.data) == ([], {"action": "pause", "via": "python", **ME})
    rest = plain_model()
    again = Executor.resume(place, run.id, agent=rest)
    assert (again.status, len(rest.requests)) == ("done", 5)


def test_limits_are_raised_while_a_run_goes_on(place: str) -> None:
    with under_way(place, jobs=1, begun=1, max_calls=2) as (run, gate, _):
        with FollowedRun(place, run.id) as other:
            done = other.limit(max_calls=20, max_cost_usd=9)
        changes = {"max_calls": {"old": 2, "new": 20}, "max_cost_usd": {"old": None, "new": 9.0}}
        assert done.changes == changes
        assert is_heard(place, run.id)
        gate.open()
        run.wait()
        assert (run.status, run.usage.calls) == ("done", 7)
    (event,) = controls(place, run.id)
    assert (faults_of(event), event.data) == ([], {"action": "limits", "via": "python", "changes": changes, **ME})
    with Store.open(place) as store:
        assert store.find_run(run.id).settings["limits"]["max_calls"] == 20


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_calls": 1}, "the run has reached max_calls = 1; spent so far: 2 calls"),
        ({"max_tokens": 1}, "the run has reached max_tokens = 1"),
        ({"max_cost_usd": 0.1}, "the run has reached max_cost_usd = 0.1"),
        ({"ask_at_usd": 0.1}, "ask_at_usd = 0.1"),
        ({"max_seconds": 0.001}, "the run has reached max_seconds = 0.001"),
    ],
)
def test_a_limit_that_is_lowered_below_what_is_used_stops_the_run_as_reaching_it_does(
    tmp_path: Path, limits: dict[str, Any], said: str
) -> None:
    place = tmp_path / "runs.db"
    first = Gate(REPLIES, together=1)
    held = Gate(REPLIES)
    asked: list[int] = []

    async def reply(request: Any) -> str:
        asked.append(1)
        return await (held if request.task_id == "0.2" else first)(request)

    run = Executor(ScriptedModel(reply, cost_usd=0.25), store=place, jobs=1).start(leaves(6))
    assert comes_true(lambda: len(asked) == 2)
    with FollowedRun(place, run.id) as other:
        other.limit(**limits)
    assert is_heard(place, run.id)
    held.open()
    run.wait()
    assert (run.status, len(asked)) == ("stopped", 2)
    assert said in str(run.error)


def test_a_run_of_this_process_takes_pauses_and_limits_too(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    with under_way(place) as (run, gate, _):
        assert run.limit(max_calls=100).changes == {"max_calls": {"old": None, "new": 100}}
        run.pause()
        assert is_heard(place, run.id)
        gate.open()
        assert run.wait().status == "waiting"
    assert [event.data["action"] for event in controls(place, run.id)] == ["limits", "pause"]


@pytest.mark.parametrize("ask", ["pause", "limit"])
def test_a_run_takes_what_is_asked_in_the_very_moment_of_its_start(tmp_path: Path, ask: str) -> None:
    place = tmp_path / "runs.db"
    gate = Gate(REPLIES)
    run = Executor(ScriptedModel(gate), store=place, jobs=1).new_run(leaves(6))
    take = run._session.store.write

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)
        return take(*args, **kwargs)

    run._session.store.write = slowly  # type: ignore[method-assign]
    run.start()
    done = None
    if ask == "limit":
        done = run.limit(max_calls=1)
    else:
        run.pause()
    assert is_heard(place, run.id)
    gate.open()
    run.wait()
    assert run.status == ("stopped" if ask == "limit" else "waiting")
    assert done is None or str(os.getpid()) in str(done.holder)


def test_a_pause_from_outside_does_not_stand_in_the_way_of_a_cancel(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    with under_way(place) as (run, _, _), FollowedRun(place, run.id) as other:
        other.pause()
        assert is_heard(place, run.id)
        other.cancel()
        assert run.wait().status == "cancelled"
    assert [event.data["action"] for event in controls(place, run.id)] == ["pause", "cancel"]


def test_what_is_asked_of_a_run_that_is_over_leaves_no_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = Executor(plain_model(), store=tmp_path / "runs.db").start(leaves(2)).wait()
    run.cancel()
    run.stop()
    run_sync(asyncio.sleep(0))
    assert run.status == "done"
    assert caplog.text == ""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_that_went_on_elsewhere_since_it_was_opened_is_not_carried_on(tmp_path: Path, *, is_new: bool) -> None:
    place, model = tmp_path / "runs.db", plain_model()
    run = Executor(model, store=place).new_run(leaves(2))
    if not is_new:
        run = Executor.reopen(place, run.id, agent=model)
    assert Executor.resume(place, run.id, agent=plain_model()).status == "done"
    with pytest.raises(RunError, match=r"went on elsewhere .* Executor.reopen\(store, 'r"):
        run.wait()
    assert model.requests == []
    assert Executor.status(place, run.id).status == "done"
    assert Executor.reopen(place, run.id, agent=model).wait().result == "all done"
    assert model.requests == []


def test_a_run_waits_for_who_holds_it_only_to_change_something(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    run = Executor(plain_model(), store=place, jobs=1).new_run(leaves(2))
    with Store.open(place) as store:
        writer = store.change(run.id)
        run.start()
        time.sleep(0.1)
        writer.close()
        assert run.wait().status == "done"
        with store.write(run.id), pytest.raises(LeaseError):
            store.write(run.id)


def test_limits_of_a_run_that_has_not_begun_are_those_that_it_begins_with(tmp_path: Path) -> None:
    new = Executor(plain_model(), store=tmp_path / "runs.db", jobs=1).new_run(leaves(6))
    assert new.limit(max_calls=2).changes == {"max_calls": {"old": None, "new": 2}}
    run = new.start().wait()
    assert (run.status, run.usage.calls, run.raising_options) == ("stopped", 2, ["--max-calls", "4"])


def test_what_was_asked_of_a_process_that_died_holds_before_the_resumed_run_asks_anything(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    run = Executor(plain_model(), store=place, jobs=1, max_calls=1).run(leaves(6))
    with Store.open(place) as store:
        store.ask(run.id, Control.of("limits", via="cli", limits={"max_calls": 5}))
        store.ask(run.id, Control.of("pause", via="cli"))
    rest = plain_model()
    again = Executor.resume(place, run.id, agent=rest, jobs=8)
    assert (again.status, len(rest.requests)) == ("stopped", 4)
    assert [event.data["action"] for event in controls(place, run.id)] == ["limits"]


def test_limits_of_a_run_that_nobody_holds_are_what_it_is_resumed_with(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    run = Executor(plain_model(), store=place, max_calls=1).run(leaves(6))
    with Store.open(place) as store:
        worked_s = report_of(store.read_run(run.id)).worked_s
        done = limit_run(store, run.id, {"max_calls": 50})
        assert (done.holder, done.changes) == (None, {"max_calls": {"old": 1, "new": 50}})
        assert limit_run(store, run.id, {"max_calls": 50}).changes == {}
        assert pause_run(store, run.id).holder is None
        report = report_of(store.read_run(run.id))
        assert report.worked_s == worked_s
        assert ("control", f"{ME['by']} (a program, process {os.getpid()}) changed max_calls from 1 to 50") in (
            report.facts()
        )
    assert [event.data["changes"] for event in controls(place, run.id)] == [{"max_calls": {"old": 1, "new": 50}}]
    assert Executor.resume(place, run.id, agent=plain_model()).status == "done"


def test_cancelling_is_written_with_who_did_it_whether_or_not_the_run_is_held(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    with under_way(place) as (run, _, _), Store.open(place) as store:
        assert cancel_run(store, run.id, via="page").holder
        run.wait()
        assert run.status == "cancelled"
        assert "it was cancelled by" in str(run.error)
        assert cancel_run(store, run.id).holder is None
    assert [event.data["via"] for event in controls(place, run.id)] == ["page", "python"]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_calls": 0}, "max_calls cannot be used: .* 1"),
        ({"max_cost_usd": -1.0}, "max_cost_usd cannot be used"),
        ({"max_call": 3}, "max_call is not a limit of a run; use one of max_calls, "),
    ],
)
def test_limits_that_cannot_be_are_refused_where_they_are_given(
    tmp_path: Path, limits: dict[str, Any], said: str
) -> None:
    place = tmp_path / "runs.db"
    run = Executor(plain_model(), store=place).run(leaves(1))
    with FollowedRun(place, run.id) as other, pytest.raises(UsageError, match=said):
        other.limit(**limits)
    assert controls(place, run.id) == []


def test_the_live_tree_and_plain_lines_say_who_has_done_what() -> None:
    data = {
        "action": "limits",
        "by": "ana@host",
        "pid": 7,
        "via": "page",
        "changes": {"max_calls": {"old": 2, "new": 9}},
    }
    event = Event(seq=1, at=1.0, type="run_controlled", data=data)
    words = "ana@host (the live page, process 7) changed max_calls from 2 to 9"
    ledger = Ledger(leaves(1))
    ledger.take(event)
    assert ledger.notice == words
    assert PlainLines().line_of(event) == words


def test_the_commands_say_what_came_of_it_and_show_names_who_it_was(ramify: Ramify) -> None:
    run = Executor(plain_model(), store="runs.db", max_calls=1, jobs=1).run(leaves(3))
    store = ("--store", "runs.db")
    assert (
        f"run {run.id} is stopped, so there is nothing to pause; `ramify resume" in ramify("pause", run.id, *store).err
    )
    shown = ramify("limits", "--last", *store).out.splitlines()
    assert shown[0].split() == ["limit", "allowed", "used"]
    assert shown[1].split() == ["max_calls", "1", "1"]
    said = ramify("limits", run.id, "--max-calls", "5", "--max-cost-usd", "2.5", *store)
    assert (said.code, said.out) == (0, "")
    assert "changed max_calls from 1 to 5, max_cost_usd from none to 2.5" in said.err
    assert "has these limits already" in ramify("limits", run.id, "--max-calls", "5", *store).err
    limits = json.loads(ramify("limits", run.id, "--json", *store).out)["limits"]
    assert limits["max_calls"] == {"allowed": 5, "used": 1}
    assert ramify("limits", run.id, "--max-calls", "0", *store).code == 2
    me = f"{ME['by']} (a command, process {os.getpid()})"
    assert f"control: {me} changed max_calls from 1 to 5" in ramify("show", run.id, *store).out
    (event,) = json.loads(ramify("show", run.id, "--json", *store).out)["controls"]
    assert event["data"]["changes"]["max_calls"] == {"old": 1, "new": 5}


def test_the_command_asks_the_process_that_holds_the_run(ramify: Ramify) -> None:
    with under_way("runs.db") as (run, gate, _):
        said = ramify("limits", run.id, "--max-calls", "50", "--json", "--store", "runs.db")
        assert f"process {os.getpid()}" in json.loads(said.out)["asked"]
        assert is_heard("runs.db", run.id)
        said = ramify("limits", run.id, "--max-calls", "60", "--store", "runs.db")
        assert "to change max_calls from 50 to 60 for run" in said.err
        said = ramify("pause", run.id, "--store", "runs.db")
        assert f"asked process {os.getpid()}" in said.err
        assert f"`ramify resume {run.id} --store " in said.err
        assert is_heard("runs.db", run.id)
        gate.open()
        assert run.wait().status == "waiting"
    assert [event.data["via"] for event in controls("runs.db", run.id)] == ["cli"] * 3
