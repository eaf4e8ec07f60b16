"""What was tried again before a crash counts after it too: retries and rounds of checks end."""

import subprocess
import sys
from pathlib import Path

import pytest
from ramify.planner import Executor, PlanLimits
from ramify.planner.errors import ModelError
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.tries import Tries, tries_before
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, Task, TaskConfig

KILLED = """
import os, signal, sys, time
from ramify.planner import Executor
from ramify.planner.errors import ModelError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, Task, TaskConfig

store, fault = sys.argv[1:]
is_first = not os.path.exists(store)
calls = 0

def reply(request):
    global calls
    calls += 1
    if is_first and request.attempt == 3:
        with Store.open(store) as opened:
            while opened.load_tree(opened.last_run().id).attempts < 2:
                time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    print(request.attempt, flush=True)
    return ModelError("busy", kind="server_error", model="scripted") if fault == "error" else "<result>no</result>"

config = TaskConfig(max_retries=2, max_check_rounds=2, retry_delay_seconds=0)
model = ScriptedModel(reply)
if is_first:
    Executor(model, store=store).run(Task(content="x", id="0", config=config, checks=[Check(matches="yes")]))
else:
    again = Executor.resume(store, agent=model)
    print(again.status, again.task.attempts)
"""


def ended(store: Path, fault: str) -> tuple[int, list[str]]:
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(store), fault], capture_output=True, text=True, check=False
    )
    assert process.stderr == ""
    return process.returncode, process.stdout.splitlines()


@pytest.mark.parametrize("fault", ["error", "check"])
def test_after_a_kill_a_task_has_the_attempts_that_are_left_and_no_more(tmp_path: Path, fault: str) -> None:
    store = tmp_path / "runs.db"
    assert ended(store, fault) == (-9, ["1", "2"])
    assert ended(store, fault) == (0, ["3", "failed 3"])


def test_retries_and_rounds_are_counted_apart_after_a_resume(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    config = TaskConfig(max_retries=1, max_check_rounds=1, retry_delay_seconds=0)
    busy = ModelError("busy", kind="server_error", model="scripted")
    root = Task(content="x", id="0", config=config, checks=[Check(matches="yes")])
    first = Executor(ScriptedModel([busy, ModelError("no key", kind="bad_key", model="scripted")]), store=store).run(
        root
    )
    assert (first.status, first.task.attempts) == ("stopped", 1)
    model = ScriptedModel(["<result>no</result>", busy])
    again = Executor.resume(store, first.id, agent=model)
    assert (again.status, again.task.attempts, len(model.requests)) == ("failed", 3, 2), (
        "a round was left, and no retry"
    )


def test_a_task_that_failed_and_is_done_anew_has_all_its_attempts_again(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    busy = ModelError("busy", kind="server_error", model="scripted")
    root = Task(content="x", id="0", config=TaskConfig(max_retries=1, retry_delay_seconds=0))
    first = Executor(ScriptedModel([busy] * 9), store=store).run(root)
    assert (first.status, first.task.attempts) == ("failed", 2)
    again = Executor.resume(store, first.id, agent=ScriptedModel([busy, "<result>yes</result>"]), retry_failed=True)
    assert (again.status, again.result, again.task.attempts) == ("done", "yes", 4)
    with Store.open(store) as opened:
        kinds = [event.data["counts_as"] for event in opened.events(first.id) if event.type == EventType.TASK_RETRYING]
    assert kinds == ["retry", "retry"]


def test_planning_has_the_attempts_that_are_left_after_a_resume_too(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    config = TaskConfig(max_retries=2, retry_delay_seconds=0)
    busy = ModelError("busy", kind="server_error", model="scripted")
    no_key = ModelError("no key", kind="bad_key", model="scripted")
    first = Executor(ScriptedModel([busy, busy, no_key]), store=store, plan=PlanLimits(max_depth=2)).run(
        Task(content="x", id="0", config=config)
    )
    assert first.status == "stopped"
    model = ScriptedModel([busy] * 9)
    again = Executor.resume(store, first.id, agent=model)
    assert (again.status, [request.attempt for request in model.requests]) == ("failed", [3])
    model = ScriptedModel([busy, busy, "<atomic/>", "<result>yes</result>"])
    anew = Executor.resume(store, first.id, agent=model, retry_failed=True)
    assert (anew.status, anew.result, len(model.requests)) == ("done", "yes", 4)


def retrying(task_id: str, **data: str) -> tuple[EventType, str | None, dict[str, object]]:
    return EventType.TASK_RETRYING, task_id, {"attempt": 1, "error": "busy", "delay_s": 0.0, **data}


STARTED = (EventType.RUN_STARTED, None, {"resumed": True})
RETRY = retrying("a", counts_as="retry")
ROUND = retrying("a", counts_as="check round")


@pytest.mark.parametrize(
    ("happened", "before"),
    [
        ([STARTED, RETRY, ROUND, RETRY, STARTED], Tries(retries=2, check_rounds=1)),
        ([STARTED, RETRY, STARTED, ROUND], Tries(retries=1)),
        ([STARTED, RETRY, STARTED, RETRY, STARTED], Tries(retries=2)),
        ([STARTED, RETRY, (EventType.TASK_FAILED, "a", {"error": "busy"}), STARTED], None),
        ([STARTED, RETRY, (EventType.TASK_DONE, "a", {}), ROUND, STARTED], Tries(check_rounds=1)),
        ([STARTED, RETRY, (EventType.PLAN_EDITED, None, {"changes": [], "redone": ["a"]}), STARTED], None),
        ([STARTED, RETRY, (EventType.TASK_DONE, "b", {}), STARTED], Tries(retries=1)),
        ([STARTED, retrying("a"), STARTED], None),
        ([], None),
    ],
)
def test_what_counts_is_what_was_tried_again_before_the_last_start_since_the_task_was_done_anew(
    happened: list[tuple[EventType, str | None, dict[str, object]]], before: Tries | None
) -> None:
    events = [
        Event(seq=number, at=number, type=kind, task_id=task_id, data=data)
        for number, (kind, task_id, data) in enumerate(happened, 1)
    ]
    assert tries_before(events).get("a") == before
