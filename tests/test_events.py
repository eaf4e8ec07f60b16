"""Events: their forms, who gets which, and the iterator that loses none however slowly it is read."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, PlanLimits, RunLimits, Store, solve
from ramify.planner.api import start
from ramify.planner.errors import UsageError
from ramify.planner.events.events import Event, EventBus, EventType
from ramify.planner.events.forms import EVENT_FORMS
from ramify.planner.events.stream import BUFFER, EventStream
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Task, TaskConfig

from .patience import HANG_S

SPLIT = "<task>first</task><task needs='1'>second</task>"
REPLIES = {"decompose 0": SPLIT, "decompose": "<atomic/>", "execute": "<result>done</result>", "compose": "both done"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def event(seq: int, kind: EventType = EventType.TASK_DONE, **data: Any) -> Event:
    return Event(seq=seq, at=0.0, type=kind, data=data)


def faults_of(event: Event) -> list[str]:
    """Return how an event differs from the form of its type."""
    form = EVENT_FORMS[EventType(event.type)]
    missing = [f"{event.type} has no {name}" for name in form.data if name not in event.data]
    known = {**form.data, **form.sometimes}
    extra = [f"{event.type} has {name}, which nobody knows of" for name in event.data if name not in known]
    numbers = {name: kind | int if kind in (float, float | None) else kind for name, kind in known.items()}
    wrong = [
        f"{event.type}: {name} is {value!r}"
        for name, value in event.data.items()
        if name in known and not isinstance(value, numbers[name])
    ]
    return missing + extra + wrong


def test_every_type_of_events_has_a_form() -> None:
    assert list(EVENT_FORMS) == list(EventType)


def test_every_event_of_runs_that_succeed_wait_retry_fail_and_stop_has_the_form_of_its_type(store: Path) -> None:
    events: list[Event] = []
    how: dict[str, Any] = {"store": store, "on_event": events.append}
    solve("both", model=ScriptedModel(REPLIES), **how)
    solve("both", model=ScriptedModel(REPLIES), cache=True, **how)
    root = Task(content="x", id="0", config=TaskConfig(retry_delay_seconds=0.0))
    Executor(FaultyModel(ScriptedModel(REPLIES), ["timeout", "unreachable"]), **how).run(root)
    failing = Task(content="x", id="0", subtasks=[Task(content="y", id="0.1")])
    Executor(ScriptedModel({"*": "<failed reason='other'>no</failed>"}), **how).run(failing)
    too_big = ScriptedModel({**REPLIES, "execute 0": "<failed reason='too_big'>two</failed>"})
    Executor(too_big, policy="as_needed", **how).run(Task(content="both", id="0"))
    Executor(ScriptedModel(REPLIES), policy="streaming", **how).run(Task(content="both", id="0"))
    tight = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), limits=RunLimits(max_calls=4), **how)
    stopped = tight.run(Task(content="both", id="0"))
    Executor.resume(store, stopped.id, agent=ScriptedModel(REPLIES), limits=RunLimits(), on_event=events.append)
    assert [fault for each in events for fault in faults_of(each)] == []
    assert {each.type for each in events} >= set(EventType) - {
        EventType.TASK_PROGRESS, EventType.EMITTED, EventType.ALERT, EventType.WARNING, EventType.TASK_RELEASED,
        EventType.PLAN_EDITED, EventType.PLAN_APPROVED, EventType.TASK_ADDED, EventType.TASK_CHANGED,
        EventType.STEP_DONE, EventType.CHECKED, EventType.VOTED, EventType.PROMPT_CUT, EventType.PLAN_REVISED,
        EventType.RUN_FORKED, EventType.PERSON_ASKED, EventType.PERSON_ANSWERED, EventType.STEP_INTENDED,
        EventType.STEP_UNKNOWN, EventType.PLAN_STEERED, EventType.METHOD_PASSED_OVER, EventType.RUN_CONTROLLED,
    }  # fmt: skip


def test_a_type_that_is_none_is_refused_with_the_one_that_comes_near() -> None:
    bus = EventBus()
    with pytest.raises(UsageError, match="no events of type 'task_dne'; did you mean task_done"):
        bus.subscribe(print, "task_dne")
    with pytest.raises(UsageError, match="there are run_started, "):
        bus.subscribe(print, "x")


def test_a_subscriber_that_nobody_would_await_is_refused() -> None:
    async def listen(_: Event) -> None: ...

    with pytest.raises(UsageError, match="async for event in run"):
        EventBus().subscribe(listen)  # type: ignore[arg-type]


def test_subscribers_get_the_types_and_the_events_that_they_want(store: Path) -> None:
    starts: list[str | None] = []
    long: list[Event] = []
    run = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=store).new_run(Task(content="both", id="0"))
    run.on(lambda each: starts.append(each.task_id), "task_started")
    run.on(long.append, "task_started", EventType.TASK_DONE, where=lambda each: each.task_id == "0.2")
    forget = run.on(long.append, "run_finished")
    forget()
    run.start().wait()
    assert starts == ["0.1", "0.2", "0"]
    assert [str(each.type) for each in long] == ["task_started", "task_done"]


def test_a_subscriber_or_a_predicate_that_fails_harms_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    heard: list[int] = []

    def fail(_: Event) -> Any:
        raise ValueError("no")

    bus.subscribe(fail)
    bus.subscribe(lambda each: heard.append(-each.seq), where=fail)
    bus.subscribe(lambda each: heard.append(each.seq))
    with caplog.at_level(logging.ERROR, "ramify.events"):
        bus.publish(event(1))
    assert heard == [1]
    assert len(caplog.records) == 2


def test_for_goes_over_all_events_of_a_run_from_its_start_to_its_end(store: Path) -> None:
    run = start("both", model=ScriptedModel(REPLIES), store=store)
    seen = list(run.events())
    with Store.open(store) as opened:
        assert seen == opened.events(run.id)
    assert (seen[0].type, seen[-1].type, run.wait().status) == ("run_started", "run_finished", "done")


def test_async_for_goes_over_the_wanted_events_while_the_run_goes_on(store: Path) -> None:
    async def follow() -> list[str | None]:
        run = start("both", model=ScriptedModel(REPLIES, latency_s=0.01), store=store)
        done = [each.task_id async for each in run.events("task_done", where=lambda each: each.task_id != "0.1")]
        await run
        return done

    assert asyncio.run(follow()) == ["0.2", "0"]


def test_async_for_works_on_the_loop_that_carries_the_run_on(store: Path) -> None:
    async def follow() -> tuple[str, list[str]]:
        run = Executor(ScriptedModel(REPLIES), store=store).new_run(Task(content="x", id="0"))
        driving = asyncio.ensure_future(run.drive())
        seen = [str(each.type) async for each in run.events()]
        return (await driving).status, seen

    status, seen = asyncio.run(follow())
    assert status == "done"
    assert seen == ["run_started", "task_started", "call_started", "call_done", "task_done", "run_finished"]


def test_events_of_a_run_that_has_ended_come_from_the_store(store: Path) -> None:
    run = solve("both", model=ScriptedModel(REPLIES), store=store)
    assert [each.type for each in run.events("run_started", "run_finished")] == ["run_started", "run_finished"]


def test_a_resumed_run_gives_what_it_does_now_or_all_that_was_ever_done(store: Path) -> None:
    executor = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), limits=RunLimits(max_calls=2), store=store)
    before = executor.run(Task(content="both", id="0"))
    run = Executor.reopen(store, before.id, agent=ScriptedModel(REPLIES), limits=RunLimits())
    now, ever = run.events(), run.events(after=0)
    run.start().wait()
    seen = list(now)
    whole = list(ever)
    assert (seen[0].type, seen[0].data["resumed"], seen[-1].type) == ("run_started", True, "run_finished")
    assert whole[-len(seen) :] == seen
    assert [each.seq for each in whole] == list(range(1, len(whole) + 1))
    assert len(whole) > len(seen)


def stored(events: list[Event], asked: list[int]) -> Callable[[int, int], list[Event]]:
    """Return what reads `events` as from a store, and notes after which numbers it was asked."""

    def read(after: int, limit: int) -> list[Event]:
        asked.append(after)
        return [each for each in events if each.seq > after][:limit]

    return read


def test_a_reader_that_is_slower_than_the_run_gets_every_event_once_with_a_bounded_buffer() -> None:
    bus = EventBus()
    events = [event(seq) for seq in range(1, 3 * BUFFER + 501)]
    asked: list[int] = []
    stream = EventStream(bus, stored(events, asked))
    for each in events:
        bus.publish(each)
    assert len(stream._fresh) == BUFFER
    bus.close()
    assert list(stream) == events
    assert asked == [0, BUFFER, 2 * BUFFER]


def test_a_reader_that_keeps_up_does_not_read_the_store() -> None:
    bus = EventBus()
    asked: list[int] = []
    stream = EventStream(bus, stored([], asked))
    seen = []
    for seq in range(1, 3 * BUFFER):
        bus.publish(event(seq))
        seen.append(next(stream).seq)
    bus.close()
    assert [*seen, *stream] == list(range(1, 3 * BUFFER))
    assert asked == []


def test_events_that_were_never_stored_are_passed_over_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    bus.publish(event(1))
    stream = EventStream(bus, stored([], []))
    bus.publish(event(2))
    bus.close()
    with caplog.at_level(logging.WARNING, "ramify.events"):
        assert [each.seq for each in stream] == [2]
    assert "events 1 to 1" in caplog.text


def test_a_thread_that_carries_the_run_on_does_not_wait_for_itself() -> None:
    bus = EventBus()
    stream = EventStream(bus, stored([], []))
    bus.publish(event(1))
    assert next(stream).seq == 1
    with pytest.raises(UsageError, match="use `async for`"):
        next(stream)


def test_the_iterator_of_a_run_that_never_came_to_start_ends() -> None:
    bus = EventBus()
    stream = EventStream(bus, stored([], []))
    bus.close()
    assert list(stream) == []


def test_a_reader_that_leaves_is_given_no_more() -> None:
    bus = EventBus()
    stream = EventStream(bus, stored([], []))
    bus.publish(event(1))
    bus.publish(event(2))
    assert next(stream).seq == 1
    stream.close()
    bus.publish(event(3))
    assert list(stream) == []


def test_a_reader_in_another_thread_gets_every_wanted_event_however_the_two_interleave() -> None:
    bus = EventBus()
    events = [event(seq, EventType.TASK_DONE if seq % 2 else EventType.CALL_DONE) for seq in range(1, 6 * BUFFER)]
    stream = EventStream(bus, stored(events, []), ["task_done"])
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lambda: [each.seq for each in stream])
        for each in events:
            bus.publish(each)
        bus.close()
        assert reading.result(timeout=HANG_S) == [each.seq for each in events if each.type == "task_done"]
