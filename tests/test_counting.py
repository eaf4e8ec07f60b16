"""Every request that was sent is counted: also one whose reply was refused, was lost, or never came."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, PlanLimits, RunLimits, Strategy
from ramify.planner.errors import ModelError
from ramify.planner.events.events import Event
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.models.unanswered import UNKNOWN
from ramify.planner.store import Store
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState, Usage
from ramify.tasks.tree.config import NO_USAGE

BILLED = Usage(calls=1, input_tokens=30, output_tokens=4500, cost_usd=0.25)
ANSWER = "<result>done</result>"


def leaf(**limits: Any) -> Task:
    return Task(content="say something", id="0", config=TaskConfig(retry_delay_seconds=0.0, **limits))


def refused(kind: str = "malformed", usage: Usage | None = BILLED) -> ModelError:
    return ModelError(f"scripted: {kind}", kind=kind, model="scripted", usage=usage)


def failing(*faults: Any) -> FaultyModel:
    return FaultyModel(ScriptedModel({"*": ANSWER}), faults)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def stored_usage(store: Path, run_id: str) -> tuple[Usage, Usage]:
    """Return what the store says of a run: by its tasks, and by itself."""
    with Store.open(store) as opened:
        return opened.used_so_far([run_id])[run_id], opened.find_run(run_id).usage


@pytest.mark.fault("2.6")
@pytest.mark.parametrize("kind", ["malformed", "truncated", "content_filtered"])
def test_a_refused_reply_is_counted_with_what_the_server_billed(store: Path, kind: str) -> None:
    run = Executor(failing(refused(kind)), store=store).run(leaf(max_retries=0))
    assert run.status == "failed"
    assert run.usage == BILLED
    assert stored_usage(store, run.id) == (BILLED, BILLED)


@pytest.mark.fault("2.6")
@pytest.mark.parametrize(
    ("fault", "used"),
    [
        ("timeout", UNKNOWN),
        ("truncated", UNKNOWN),
        ("malformed", UNKNOWN),
        ("content_filtered", UNKNOWN),
        (TimeoutError(), UNKNOWN),
        (ConnectionResetError(), UNKNOWN),
        (ModelError("504", kind="timeout", model="m", status_code=504), UNKNOWN),
        (ConnectionRefusedError(), NO_USAGE),
        (ModelError("400", kind="content_filtered", model="m", status_code=400), NO_USAGE),
        ("bad_request", NO_USAGE),
        ("server_error", NO_USAGE),
    ],
)
def test_what_was_worked_on_is_one_call_of_unknown_cost_and_what_was_turned_away_is_none(
    store: Path, fault: Any, used: Usage
) -> None:
    run = Executor(failing(fault), store=store).run(leaf(max_retries=0))
    assert run.status == "failed"
    assert run.usage == used


@pytest.mark.fault("2.6")
@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (RunLimits(max_calls=1), "max_calls"),
        (RunLimits(max_tokens=100), "max_tokens"),
        (RunLimits(max_cost_usd=0.2), "max_cost_usd"),
    ],
)
def test_limits_hold_on_refused_replies_too(store: Path, limits: RunLimits, word: str) -> None:
    model = failing(refused(), refused(), refused())
    run = Executor(model, store=store, limits=limits).run(leaf())
    assert run.status == "stopped"
    assert word in str(run.error)
    assert model.faults_made == ["malformed"]


def test_a_run_that_is_stopped_says_what_it_has_spent_at_its_end(store: Path) -> None:
    root = Task(content="say", id="0")
    root.add_subtasks([Task(content=name, id=name) for name in "ab"])
    model = ScriptedModel({"*": ANSWER}, latency_s=0.1)
    run = Executor(model, store=store, limits=RunLimits(max_calls=1), jobs=2).run(root)
    assert run.usage.calls == 1
    assert str(run.error).endswith(f"; spent so far: {run.usage.text}")


@pytest.mark.fault("2.6")
def test_a_refused_reply_is_no_answer_when_the_run_is_resumed_and_stays_counted(store: Path) -> None:
    run = Executor(failing(refused()), store=store, limits=RunLimits(max_calls=1)).run(leaf())
    assert run.status == "stopped"
    again = Executor.resume(store, run.id, agent=failing(refused()), limits=RunLimits(max_calls=3))
    assert again.result == "done"
    assert (again.usage.calls, again.usage.output_tokens) == (3, 2 * BILLED.output_tokens + 1)
    assert stored_usage(store, run.id) == (again.usage, again.usage)


@pytest.mark.fault("2.6")
@pytest.mark.fault("3.1")
def test_a_reply_that_is_late_is_tried_again_counted_and_told_with_its_limit(store: Path) -> None:
    from ramify.planner import Agent
    from ramify.planner.asking.agent import AgentSettings

    never = ScriptedModel(lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    agent = Agent(never, settings=AgentSettings(timeout_s=0.01))
    run = Executor(agent, store=store, plan=PlanLimits()).run(leaf(max_retries=2))
    assert run.status == "failed"
    assert "no reply within timeout_s = 0.01 (--timeout-s)" in str(run.error)
    assert [request.purpose for request in never.requests] == ["decompose"] * 3
    assert run.usage == UNKNOWN.times(3)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(12_000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it never came to be")


def plan_that_hangs(request: ModelRequest) -> Any:
    if request.task_id == "0":
        return "<task>one</task><task>two</task>"
    return asyncio.Event().wait()


@pytest.mark.fault("2.6")
def test_a_cancel_in_the_middle_of_planning_counts_what_was_answered_and_what_was_under_way(store: Path) -> None:
    model = ScriptedModel(plan_that_hangs, cost_usd=0.5)
    run = Executor(model, store=store, plan=PlanLimits(max_depth=3)).start(Task(content="plan it", id="0"))
    wait_until(lambda: model.most_in_flight == 2)
    with Store.open(store) as opened:
        wait_until(lambda: opened.used_so_far([run.id])[run.id].calls == 1)  # known while the run goes on
    run.cancel()
    assert run.wait().status == "cancelled"
    assert (run.usage.calls, run.usage.cost_usd, run.usage.calls_without_cost) == (3, 0.5, 2)
    assert stored_usage(store, run.id) == (run.usage, run.usage)


KILLED = """
import asyncio, sys
from ramify.planner import Executor
from ramify.planner.errors import ModelError
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Task, TaskConfig, Usage

root = Task("all", id="0", config=TaskConfig(retry_delay_seconds=0.0))
root.add_subtasks([Task("x", id="0.1"), Task("y", id="0.2")])
model = ScriptedModel(lambda request: "<result>one</result>" if request.task_id == "0.1" else asyncio.Event().wait())
billed = ModelError("cut", kind="truncated", model="m", usage=Usage(calls=1, output_tokens=7, cost_usd=0.5))
Executor(FaultyModel(model, [billed]), jobs=1, store=sys.argv[1]).run(root)
"""


@pytest.mark.fault("2.6")
def test_what_a_killed_process_had_under_way_is_counted_once_and_nothing_that_was_counted_is_lost(store: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(store)])
    try:
        wait_until(store.exists)
        wait_until(lambda: _started_calls(store) == 3)
    finally:
        process.kill()
        process.wait()
    with Store.open(store) as opened:
        run_id = opened.last_run().id
    never = ScriptedModel(lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    run = Executor.reopen(store, run_id, agent=never).start()
    wait_until(lambda: never.most_in_flight == 1)
    assert (run.usage.calls, run.usage.calls_without_cost, run.usage.cost_usd) == (3, 1, 0.5)
    run.cancel()
    assert run.wait().usage.calls == 4
    again = Executor.resume(store, run_id, agent=ScriptedModel({"*": ANSWER}))
    assert again.task.state is TaskState.DONE
    assert (again.usage.calls, again.usage.calls_without_cost) == (6, 2)
    assert stored_usage(store, run_id) == (again.usage, again.usage)


def _started_calls(store: Path) -> int:
    with Store.open(store) as opened:
        runs = opened.runs()
        return sum(event.type == "call_started" for event in opened.events(runs[0].id)) if runs else 0


@pytest.mark.fault("2.6")
def test_the_page_of_costs_in_a_report_has_what_refused_replies_have_cost(store: Path) -> None:
    from ramify.planner.export.report.content import report_of

    run = Executor(failing(refused()), store=store).run(leaf())
    with Store.open(store) as opened:
        report = report_of(opened.read_run(run.id))
    assert sum((model.usage for model in report.models), Usage()) == report.usage == run.usage
    assert report.usage.calls == 2


class SlowToLoad(ScriptedModel):
    """A model whose library takes until `prepare` has ended; it notes what was done with it."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.done: list[str] = []

    async def prepare(self) -> None:
        await asyncio.sleep(0)
        self.done.append("prepare")

    def _answer(self, request: ModelRequest) -> str:
        self.done.append(request.purpose)
        return "<atomic/>" if request.purpose == "decompose" else ANSWER


@pytest.mark.fault("5.8")
def test_what_a_model_loads_is_loaded_before_any_clock_starts(store: Path) -> None:
    model = SlowToLoad()
    executor = Executor(
        model, store=store, plan=PlanLimits(), on_event=lambda event: model.done.append(f"event {event.type}")
    )
    assert executor.run(leaf()).result == "done"
    assert model.done[:4] == ["event run_started", "prepare", "event call_started", "decompose"]
    assert model.done.count("prepare") == 1


@pytest.mark.fault("5.8")
def test_nothing_is_loaded_for_a_model_that_is_not_asked(store: Path) -> None:
    model = SlowToLoad()
    run = Executor(model, store=store, workers={"add": lambda: "2"}).run(Task(content="1 + 1", id="0", type="add"))
    assert (run.result, model.done) == ("2", [])


class Unpriced(ScriptedModel):
    """A model of which it is known that nobody knows what its calls cost."""

    has_price = False


def warnings_of(events: list[Event]) -> list[tuple[int, str]]:
    """Return the warnings about cost, each with how many calls were begun before it."""
    told = [
        (sum(each.type == "call_started" for each in events[:number]), str(event.data["message"]))
        for number, event in enumerate(events)
        if event.type == "warning"
    ]
    return [each for each in told if "max_cost_usd" in each[1]]


@pytest.mark.fault("6.2")
@pytest.mark.parametrize("where", ["run", "task", "none"])
def test_a_cost_limit_that_cannot_hold_is_told_before_the_first_call(
    store: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Event] = []
    limits = RunLimits(max_cost_usd=5.0) if where == "run" else RunLimits()
    root = leaf()
    root.add_subtask(Task(content="x", id="0.1", config=TaskConfig(max_cost_usd=5.0 if where == "task" else None)))
    model = Unpriced({"*": ANSWER}, cost_usd=None)
    run = Executor(model, store=store, limits=limits, on_event=events.append).run(root)
    assert run.result == "done"
    owner = {"run": "the run", "task": "task 0.1"}.get(where)
    words = (
        f"{owner} has max_cost_usd = 5, which cannot be enforced: the price of scripted is unknown; set max_calls or"
        " max_tokens too (--max-calls, --max-tokens)"
    )
    assert warnings_of(events) == ([] if owner is None else [(0, words)])
    assert (words in caplog.text) == (owner is not None)


@pytest.mark.fault("6.2")
def test_a_cost_limit_on_a_model_that_did_not_say_is_told_with_its_first_reply_and_again_when_resumed(
    store: Path,
) -> None:
    events: list[Event] = []
    model = ScriptedModel({"0.1": ANSWER}, cost_usd=None)
    limits = RunLimits(max_cost_usd=5.0, max_calls=1)
    run = Executor(model, jobs=1, store=store, limits=limits, on_event=events.append).run(two_leaves())
    assert (run.status, [calls for calls, _ in warnings_of(events)]) == ("stopped", [1])
    events.clear()
    more = RunLimits(max_cost_usd=5.0)
    Executor.resume(store, run.id, agent=Unpriced({"*": ANSWER}), limits=more, on_event=events.append)
    assert [calls for calls, _ in warnings_of(events)] == [0]


@pytest.mark.fault("6.2")
def test_the_variations_of_a_sweep_are_told_of_a_cost_limit_once(store: Path) -> None:
    events: list[Event] = []
    sweep = Strategy("tone", leaf(), {"temperature": [0.1, 0.2]}, plan=None)
    limits = RunLimits(max_cost_usd=5.0)
    sweep.run(Unpriced({"*": ANSWER}, cost_usd=None), store=store, limits=limits, on_event=events.append)
    with Store.open(store) as opened:
        stored = [each for record in opened.runs() for each in warnings_of(opened.events(record.id))]
    assert [calls for calls, _ in stored] == [0]


def two_leaves() -> Task:
    root = leaf()
    root.add_subtasks([Task(content="x", id="0.1"), Task(content="y", id="0.2")])
    return root
