"""A run that is left to a process of its own outlives the command, says how to follow it, and writes to a log."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, FollowedRun
from ramify.planner.errors import RunError, UsageError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .patience import comes_true
from .postgres import PostgresServer
from .ramify_command import Ramify, Said, ramify_process

WORKER = """
import time
from pathlib import Path
from ramify.planner import worker

@worker
def wait(task):
    while not Path("go").exists():
        time.sleep(0.01)
    return "went"
"""
PLAN = """
goal: wait for a word
type: wait
"""


def detached(*words: str, store: str = "runs.db") -> tuple[Said, dict[str, Any]]:
    said = ramify_process(*words, "--detach", "--json", "--store", store)
    assert said.code == 0, said.err
    return said, json.loads(said.out)


def ended(run_id: str, store: str = "runs.db") -> tuple[str, str]:
    """Wait for the end of a run, and return its status and its answer."""
    with FollowedRun(store, run_id, poll_s=0.05) as run:
        for _ in run:
            pass
        return run.status, run.root.result


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> Iterator[None]:
    (home / "workers.py").write_text(WORKER, encoding="utf-8")
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    yield
    (home / "go").touch()


def test_a_detached_run_outlives_its_command_in_a_session_of_its_own(home: Path) -> None:
    said, told = detached("run", "plan.yaml", "--workers", "workers.py", "--model", "rules")
    run_id, pid = told["run"], told["pid"]
    assert os.getsid(pid) == pid != os.getsid(0)
    assert f"run {run_id} continues in process {pid}; `ramify watch {run_id}` follows it" not in said.err
    with Store.open("runs.db") as store:
        assert f"process {pid} on " in str(store.find_run(run_id).holder)
    (home / "go").touch()
    assert ended(run_id) == ("done", "went")
    log = Path(told["log"])
    assert log == home / "logs" / f"{run_id}.log"
    assert comes_true(lambda: "went" in log.read_text(encoding="utf-8"))
    assert log.stat().st_mode & 0o077 == 0
    with Store.open("runs.db") as store:
        assert comes_true(lambda: store.find_run(run_id).holder is None)
        store.delete_runs([run_id])
    assert not log.exists()


def test_a_detached_run_is_paused_and_resumed_detached_with_what_is_changed(home: Path) -> None:
    _, told = detached("run", "plan.yaml", "--workers", "workers.py", "--model", "rules", "--max-calls", "9")
    assert ramify_process("pause", told["run"], "--store", "runs.db").code == 0
    (home / "go").touch()
    with Store.open("runs.db") as store:
        assert comes_true(lambda: store.find_run(told["run"]).holder is None)
        assert [event.data["via"] for event in store.events_of(told["run"], ["run_controlled"])] == ["cli"]
    _, again = detached("resume", told["run"], "--max-calls", "12", "--from", "0")
    assert ended(told["run"]) == ("done", "went")
    assert again["run"] == told["run"]
    with Store.open("runs.db") as store:
        assert store.find_run(told["run"]).settings["limits"]["max_calls"] == 12
        assert len([each for each in store.events_of(told["run"], ["task_done"]) if each.task_id == "0"]) == 2


def test_without_json_the_id_is_the_answer_and_the_rest_is_how_to_follow_it() -> None:
    said = ramify_process("solve", "--model", "rules", "(1 + 2) * 3", "--detach", "--store", "runs.db")
    run_id = said.out.strip()
    assert f"run {run_id} continues in process " in said.err
    assert f"`ramify watch {run_id}` follows it" in said.err
    assert ended(run_id) == ("done", "9")


def test_what_is_wrong_before_it_begins_is_said_in_the_terminal(ramify: Ramify, home: Path) -> None:
    said = ramify("solve", "x", "--model", "gpt-5-mini", "--detach")
    assert (said.code, said.out) == (3, "")
    assert "OPENAI_API_KEY" in said.err
    for words in (("--approve", "plan"), ("--dry-run",), ("--estimate",)):
        said = ramify("solve", "x", "--model", "rules", "--detach", *words)
        assert said.code == 2
        assert "leave out one of them" in said.err
    assert not (home / ".ramify").exists()
    said = ramify("solve", "x", "--model", "human", "--detach")
    assert said.code == 2
    assert "a detached run has no terminal" in said.err


def test_a_process_that_cannot_begin_is_an_error_with_its_last_words() -> None:
    run = Executor(ScriptedModel({"*": "<result>x</result>"}), store="runs.db").new_run(Task(content="x", id="0"))
    with pytest.raises(
        RunError, match=f"run {run.id} could not start in its own process: run {run.id} was made by scripted"
    ):
        run.detach()
    begun = Executor("rules", store="runs.db").run("1 + 1")
    with pytest.raises(UsageError, match="was started in this process"):
        begun.detach()


def test_the_handle_of_a_detached_run_controls_it_and_begins_nothing_itself() -> None:
    executor = Executor("rules", store="runs.db", worker_sources=["workers.py"])
    run = executor.new_run(Task("wait for a word", type="wait"))
    pid = run.detach().pid
    stood = run.status
    for begins in (run.start, run.wait, run.stop):
        with pytest.raises(UsageError, match=f"continues in process {pid}, so .* FollowedRun"):
            begins()
    with pytest.raises(RunError, match=f"continues in process {pid}; `ramify show {run.id}` has its result"):
        _ = run.result
    run.cancel()
    assert ended(run.id)[0] == "cancelled"
    assert (stood, run.status) == ("running", "cancelled")


def test_a_program_detaches_a_run_and_follows_it() -> None:
    done = Executor("rules", store="runs.db").new_run("2 * 3").detach()
    assert ended(done.run_id) == ("done", "6")


def test_it_works_on_postgresql_too(postgres: PostgresServer) -> None:
    place = postgres.empty_database()
    _, told = detached("solve", "--model", "rules", "2 * 3", store=place)
    assert ended(told["run"], place) == ("done", "6")
    assert (
        "--store" not in Path(f"/proc/{told['pid']}/cmdline").read_text()
        if Path(f"/proc/{told['pid']}").exists()
        else True
    )
