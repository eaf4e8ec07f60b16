"""At 80 % of a limit one event tells so: of a run or a task, once for each limit, also when the run is resumed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, PlanLimits, RunLimits, solve
from ramify.planner.asking.outage import OutageGate
from ramify.planner.errors import ModelError
from ramify.planner.events.events import Event
from ramify.planner.progress.ledger import Ledger
from ramify.planner.progress.plain import PlainLines
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

ANSWER = "<result>one two three four</result>"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def leaves(count: int, **config: Any) -> Task:
    root = Task(content="say a lot", id="0", config=TaskConfig(**config))
    root.add_subtasks([Task(content=f"say {number}", id=f"0.{number}") for number in range(1, count + 1)])
    return root


def near(events: list[Event]) -> list[tuple[str | None, str, float, float]]:
    return [
        (each.task_id, each.data["limit"], each.data["used"], each.data["allowed"])
        for each in events
        if each.type == "limit_near"
    ]


def carried_out(store: Path, root: Task, limits: RunLimits, **how: Any) -> list[tuple[str | None, str, float, float]]:
    events: list[Event] = []
    model = ScriptedModel({"*": ANSWER}, cost_usd=0.25)
    Executor(model, store=store, jobs=1, limits=limits, on_event=events.append, **how).run(root)
    return near(events)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (RunLimits(max_calls=10), [(None, "max_calls", 8, 10)]),
        (RunLimits(max_calls=11), [(None, "max_calls", 9, 11)]),
        (RunLimits(max_calls=12), []),
        (RunLimits(max_cost_usd=2.5), [(None, "max_cost_usd", 2.0, 2.5)]),
        (RunLimits(), []),
    ],
)
def test_each_limit_that_comes_near_is_told_once(
    store: Path, limits: RunLimits, told: list[tuple[str | None, str, float, float]]
) -> None:
    assert carried_out(store, leaves(8), limits) == told


def test_tokens_are_told_of_as_they_are_counted(store: Path) -> None:
    ((_, limit, used, allowed),) = carried_out(store, leaves(8), RunLimits(max_tokens=1000))
    assert (limit, allowed) == ("max_tokens", 1000)
    assert used >= 800


def test_calls_under_way_count_so_that_it_is_told_before_the_limit(store: Path) -> None:
    events: list[Event] = []
    model = ScriptedModel({"*": ANSWER}, latency_s=0.01)
    Executor(model, store=store, jobs=20, limits=RunLimits(max_calls=10), on_event=events.append).run(leaves(20))
    assert near(events) == [(None, "max_calls", 8, 10)]


def test_a_limit_of_a_task_is_told_of_that_task(store: Path) -> None:
    assert carried_out(store, leaves(4, max_calls=5), RunLimits()) == [("0", "max_calls", 4, 5)]


def test_the_most_tasks_are_told_of_while_the_run_is_planned(store: Path) -> None:
    events: list[Event] = []
    plan = "".join(f"<task>part {number}</task>" for number in range(7))
    model = ScriptedModel({"decompose 0": plan, "decompose": "<atomic/>", "*": ANSWER})
    solve("Do it, in parts, and well", model=model, store=store, max_tasks=10, on_event=events.append)
    assert near(events) == [(None, "max_tasks", 8, 10)]


def test_time_is_told_of_at_four_fifths(store: Path) -> None:
    events: list[Event] = []
    never = ScriptedModel(lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    run = Executor(never, store=store, limits=RunLimits(max_seconds=0.5), on_event=events.append).run(leaves(1))
    assert run.status == "stopped"
    assert near(events) == [(None, "max_seconds", 0.4, 0.5)]


def test_a_long_wait_for_a_model_is_told_of() -> None:
    async def scene() -> list[float]:
        waited: list[float] = []

        async def sleep(_: float) -> None:
            pass

        gate = OutageGate(
            max_wait_s=lambda: 600, base_s=0.0, on_waiting=lambda *_: None, on_waited=waited.append, sleep=sleep
        )
        away = iter([ModelError("away", kind="unreachable", model="m", retry_after_s=500.0)])

        async def attempt() -> str:
            if error := next(away, None):
                raise error
            return "back"

        assert await gate.pass_through(attempt) == "back"
        return waited

    (waited_s,) = asyncio.run(scene())
    assert 500 <= waited_s < 600


def test_a_resumed_run_is_not_told_again_of_the_same_limit_but_of_one_that_was_raised(store: Path) -> None:
    events: list[Event] = []
    model = ScriptedModel({"*": ANSWER})
    run = Executor(model, store=store, jobs=1, limits=RunLimits(max_calls=5), on_event=events.append).run(leaves(12))
    assert (run.status, near(events)) == ("stopped", [(None, "max_calls", 4, 5)])
    for _ in range(2):
        events.clear()
        Executor.resume(store, run.id, agent=model, on_event=events.append)
        assert near(events) == []
    Executor.resume(store, run.id, agent=model, max_calls=9, on_event=events.append)
    assert near(events) == [(None, "max_calls", 8, 9)]


def test_it_is_a_warning_wherever_progress_is_shown(store: Path) -> None:
    events: list[Event] = []
    root = leaves(4)
    run = Executor(ScriptedModel({"*": ANSWER}), store=store, limits=RunLimits(max_calls=5), jobs=1)
    run.run(root)
    with Store.open(store) as opened:
        events = opened.events(opened.last_run().id)
    (event,) = [each for each in events if each.type == "limit_near"]
    words = "the run has used 4 of max_calls = 5"
    assert PlainLines().line_of(event) == f"warning: {words}"
    ledger = Ledger(root)
    ledger.take(event)
    assert ledger.notice == words


def test_without_a_plan_the_number_of_tasks_has_no_limit(store: Path) -> None:
    assert carried_out(store, leaves(3), RunLimits(), plan=PlanLimits(max_tasks=4, split="never")) == []
