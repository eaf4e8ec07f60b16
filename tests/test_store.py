"""The contract of the store, kept by SQLite and PostgreSQL alike."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ramify.planner.errors import LeaseError, PlannerError, RunError, StoreError, UsageError
from ramify.planner.store import (
    CallMade,
    Control,
    ControlsDone,
    EventHappened,
    EventRecord,
    Holder,
    MemoryCleared,
    MemorySet,
    RunChanged,
    RunWriter,
    StepKey,
    StepRecord,
    StepsForgotten,
    StepTaken,
    Store,
    TaskAdded,
    TaskChanged,
    TaskEdited,
    WriterEvents,
)
from ramify.planner.store.migrations import MIGRATIONS, Migration, prepare
from ramify.planner.store.tables import MEMORY, META, METADATA, RUNS, SHARES, STEPS, TASKS, TIMES
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Task, TaskConfig, TaskState, Usage
from sqlalchemy import Connection, delete, func, insert, inspect, select, text, update

from .patience import HANG_S, comes_true
from .store_samples import (
    HOSTILE_TEXTS,
    call,
    event,
    full_tree,
    new_run,
    small_tree,
    start_holder,
    stored_tree,
    values_of,
)

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def run(store: Store) -> str:
    store.create_run(new_run("run-1"), small_tree())
    return "run-1"


@pytest.fixture
def writer(store: Store, run: str) -> Iterator[RunWriter]:
    with store.write(run) as writer:
        yield writer


@contextmanager
def held_up(store: Store) -> Iterator[None]:
    """Keep every writer from committing, as a slow disk would."""
    with store._database.changing() as connection:
        connection.execute(update(RUNS).values(phase="held up"))
        yield


def count_rows(store: Store, table: str) -> int:
    with store._database.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


numbers = count()
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs", "Cc"]), max_size=30)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT, st.lists
)
NEWEST = MIGRATIONS[-1].version
CANCEL = Control.of("cancel", via="cli")
ELSEWHERE = Holder(host="elsewhere", pid=17, place="another machine", process_start="1", since=1_800_000_000.0)


# Trees


def test_tree_comes_back_with_every_field(store: Store) -> None:
    root = full_tree()
    store.create_run(new_run("full"), root)
    assert stored_tree(store, "full") == values_of(root)


def test_tree_comes_back_when_tasks_are_added_one_by_one(store: Store) -> None:
    root = full_tree()
    store.create_run(
        new_run("full"), Task(content=root.content, id="0", name="whole", description="", metadata=root.metadata)
    )
    with store.write("full") as writer:
        for task in root.walk():
            writer.put(TaskAdded.of(task))
    loaded = values_of(store.load_tree("full"))
    assert loaded[1:] == values_of(root)[1:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=ANY_TEXT.filter(str.strip),
    result=ANY_TEXT,
    metadata=st.dictionaries(ANY_TEXT.map(whole_text), ANY_JSON, max_size=3),  # as two halves are one key
    seconds=st.floats(min_value=0, max_value=4e9),
)
def test_any_text_value_and_time_comes_back(
    store: Store, content: str, result: str, metadata: dict[str, Any], seconds: float
) -> None:
    run = new_run(f"run {next(numbers)}")
    at = datetime.fromtimestamp(seconds, UTC)
    root = Task(content, id="0", result=result, metadata=metadata, output=[metadata], error=content, created_at=at)
    root.updated_at = at
    store.create_run(run, root)
    assert stored_tree(store, run.id) == values_of(root)


def test_dependencies_of_a_loaded_tree_are_known_to_the_tree(store: Store) -> None:
    store.create_run(new_run("full"), full_tree())
    root = store.load_tree("full")
    root.find("a").set_id("renamed")
    assert root.find("b").dependencies == ["renamed"]


@pytest.mark.parametrize("shape", ["flat", "chain"])
def test_20_000_tasks_are_stored_and_loaded(store: Store, shape: str) -> None:
    root = Task(content="many", id="t0")
    if shape == "flat":
        root.add_subtasks([Task(content="part", id=f"t{i}") for i in range(1, 20_000)])
    else:
        above = root
        for i in range(1, 20_000):
            below = Task(content="part", id=f"t{i}")
            above.add_subtask(below)
            above = below
    store.create_run(new_run("many"), root)
    loaded = store.load_tree("many")
    assert [task.id for task in loaded.walk()] == [f"t{i}" for i in range(20_000)]
    assert sum(1 for _ in loaded.find("t19999").ancestors()) == (1 if shape == "flat" else 19_999)


def test_damaged_tree_is_refused_and_found_by_the_check(store: Store, run: str) -> None:
    with store._database.changing() as connection:
        connection.execute(update(TASKS).where(TASKS.c.id == "0.2").values(parent_id="gone"))
    with pytest.raises(StoreError, match=r"run run-1 is damaged.*0\.2.*gone"):
        store.load_tree(run)
    assert store.check() == ["run run-1: task 0.2 belongs below task gone, which does not exist"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"state": "LOST"}, r"run run-1 is damaged in the store: task 0\.2 cannot be read \(ValueError: 'LOST' is not"),
        ({"spec": "{"}, r"run run-1 is damaged in the store: task 0\.2 cannot be read"),
        ({"spec": '{"created_at": 1, "dependencies": ["0.9"]}'}, r"run run-1 is damaged.*depends on task 0\.9"),
        ({"spec": '{"created_at": 1, "dependencies": ["0.2"]}'}, r"run run-1 is damaged.*0\.2"),
        ({"parent_id": None, "position": 5}, r"run run-1 is damaged"),
    ],
)
def test_damaged_task_is_named(store: Store, run: str, values: dict[str, object], message: str) -> None:
    with store._database.changing() as connection:
        connection.execute(update(TASKS).where(TASKS.c.id == "0.2").values(values))
    with pytest.raises(StoreError, match=message):
        store.load_tree(run)


def test_run_without_tasks_is_damaged_and_found_by_the_check(store: Store, run: str) -> None:
    with store._database.changing() as connection:
        connection.execute(delete(TASKS))
    with pytest.raises(StoreError, match="run run-1 is damaged in the store: it has no tasks"):
        store.load_tree(run)
    assert store.check() == ["run run-1 has 0 root tasks instead of one"]


def test_sound_store_has_no_faults(store: Store, run: str) -> None:
    assert run
    assert store.check() == []


# Runs


def test_run_comes_back_with_every_field(store: Store) -> None:
    given_run = new_run(
        "full",
        goal=HOSTILE_TEXTS[2],
        model="m",
        made_by=HOSTILE_TEXTS[4],
        settings={"jobs": 3, "x": "\x00"},
        nonce_seed="s",
    )
    store.create_run(given_run, small_tree())
    record = store.find_run("full")
    for name in ("id", "goal", "model", "made_by", "settings", "nonce_seed", "status", "phase", "created_at"):
        assert getattr(record, name) == getattr(given_run, name)
    assert (record.finished_at, record.error, record.holder, record.controls) == (None, None, None, ())


def test_changes_of_a_run_come_back_and_leave_the_rest(store: Store, writer: RunWriter, run: str) -> None:
    before = store.find_run(run)
    usage = Usage(calls=3, cost_usd=0.5)
    writer.put(RunChanged.of(status="failed", error=HOSTILE_TEXTS[2], usage=usage, finished_at=5.5))
    writer.put(RunChanged.of(settings={"jobs": 8}))
    writer.flush()
    after = store.find_run(run)
    assert (after.status, after.error, after.usage, after.finished_at) == ("failed", HOSTILE_TEXTS[2], usage, 5.5)
    assert (after.settings, after.goal, after.created_at) == ({"jobs": 8}, before.goal, before.created_at)
    assert after.updated_at > before.updated_at


def test_what_runs_have_used_is_added_up_from_their_tasks(store: Store) -> None:
    for name in ("a", "b", "c"):
        root = small_tree()
        for number, task in enumerate(root.subtasks if name != "c" else ()):
            task.usage = Usage(calls=1, input_tokens=7 + number // 2, cost_usd=0.25, calls_without_cost=number // 2)
        store.create_run(new_run(name), root)
    with store.write("b") as writer:
        root = store.load_tree("b")
        root.find("0.1").usage += Usage(calls=2, output_tokens=5)
        writer.put(TaskChanged.of(root.find("0.1")))
    usage = Usage(calls=3, input_tokens=22, cost_usd=0.75, calls_without_cost=1)
    assert store.used_so_far(["b", "none", "c", "a"]) == {
        "b": usage + Usage(calls=2, output_tokens=5), "none": Usage(), "c": Usage(), "a": usage,
    }  # fmt: skip


def test_runs_are_listed_newest_first(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.create_run(new_run(name), small_tree())
    assert [run.id for run in store.runs()] == ["c", "a", "b"]
    assert [run.id for run in store.runs(limit=2)] == ["c", "a"]
    assert store.last_run().id == "c"


def test_members_of_a_run_are_told_from_runs_that_stand_alone(store: Store) -> None:
    for name, status in (("a", "done"), ("a.2", "done"), ("a.10", "failed"), ("a.2-judge1", "done"), ("ab.1", "done")):
        store.create_run(new_run(name, status=status), small_tree())
    assert [run.id for run in store.runs(inside="")] == ["ab.1", "a"]  # whose study is gone
    assert [run.id for run in store.runs(inside="a")] == ["a.2", "a.10", "a.2-judge1"]
    assert [run.id for run in store.runs(1, inside="", statuses=["done"], keep=1)] == ["a"]
    assert store.members_so_far() == {"a": {"done": 2, "failed": 1}, "ab": {"done": 1}}


def test_run_id_is_used_once(store: Store, run: str) -> None:
    with pytest.raises(RunError, match=f"run {run} already exists in the store"):
        store.create_run(new_run(run), small_tree())


def test_run_that_cannot_be_stored_leaves_nothing(store: Store) -> None:
    root = small_tree()
    root.subtasks[2].metadata["x"] = object()  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"task 0\.3.*cannot be stored as JSON"):
        store.create_run(new_run("bad"), root)
    assert store.runs() == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("abc-1", "abc-1"), ("abd", "abd-1"), ("x", "x%_"), ("x%", "x%_"), ("abc", "abc")],
)
def test_run_is_found_by_its_id_or_a_unique_beginning(store: Store, wanted: str, found: str) -> None:
    for name in ("abc", "abc-1", "abd-1", "x%_"):
        store.create_run(new_run(name), small_tree())
    assert store.find_run(wanted).id == found


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("ab", "2 runs begin with 'ab': abd-1, abc-1; type more of it"),
        ("abx-1", "there is no run 'abx-1'; closest or newest runs: ab[cd]-1, ab[cd]-1"),
        ("AB", "there is no run 'AB'; closest or newest runs: z%, abd-1, abc-1"),
        ("_", "there is no run '_'; closest or newest runs"),
        ("r" * 50_000, f"there is no run '{'r' * 80}…'; closest or newest runs"),
        ("", "there is no run ''; closest or newest runs"),
        ("q", "7 runs begin with 'q': q7, q6, q5, q4, q3 and 2 more; type more of it"),
    ],
)
def test_run_that_is_not_found_is_met_with_near_misses(store: Store, wanted: str, message: str) -> None:
    for name in ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "abc-1", "abd-1", "z%"):
        store.create_run(new_run(name), small_tree())
    with pytest.raises(RunError, match=message):
        store.find_run(wanted)


def test_empty_store_says_that_it_holds_no_run(store: Store) -> None:
    for ask in (store.last_run, lambda: store.find_run("x"), lambda: store.load_tree("x")):
        with pytest.raises(RunError, match=r"start one first"):
            ask()


@pytest.mark.parametrize("method", ["load_tree", "calls", "events", "ask", "write", "delete_runs"])
def test_unknown_run_is_an_error_everywhere(store: Store, run: str, method: str) -> None:
    wanted = "run-2" if method != "delete_runs" else ["run-1", "run-2"]
    with pytest.raises(RunError, match=r"there is no run '?run-2"):
        getattr(store, method)(wanted, *([CANCEL] if method == "ask" else []))
    assert [record.id for record in store.runs()] == [run]


def test_deleting_runs_takes_all_that_belongs_to_them(store: Store, run: str) -> None:
    store.create_run(new_run("other"), small_tree())
    for each in (run, "other"):
        with store.write(each) as writer:
            writer.put(CallMade.of(call(user="x" * 600)), EventHappened.of(event(1)))
    store.delete_runs([run])
    store.vacuum()
    assert [record.id for record in store.runs()] == ["other"]
    tables = ("ramify_tasks", "ramify_calls", "ramify_texts", "ramify_events")
    assert [count_rows(store, table) for table in tables] == [4, 1, 1, 1]
    assert store.check() == []


def test_run_that_is_held_is_not_deleted(store: Store, run: str, writer: RunWriter) -> None:
    store.create_run(new_run("other"), small_tree())
    with pytest.raises(LeaseError, match="run run-1 is held by process"):
        store.delete_runs(["other", run])
    assert len(store.runs()) == 2
    assert writer.run_id == run


# Writing


def test_many_puts_become_one_transaction(store: Store, writer: RunWriter, run: str) -> None:
    with held_up(store):
        for number in range(1, 501):
            writer.put(EventHappened.of(event(number)))
    writer.flush()
    assert [each.seq for each in store.events(run)] == list(range(1, 501))
    assert writer.commits <= 2


def test_many_waiting_commits_share_transactions(store: Store, writer: RunWriter, run: str) -> None:
    async def commit_all() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(1, 401):
                group.create_task(writer.commit(EventHappened.of(event(number))))

    asyncio.run(commit_all())
    assert len(store.events(run)) == 400
    assert writer.commits < 40


def test_group_of_changes_is_never_divided(store: Store, writer: RunWriter, run: str) -> None:
    root = small_tree()
    root.add_subtasks([Task(content="more", id=f"m{i}") for i in range(12_000)])
    asyncio.run(writer.commit(*map(TaskAdded.of, root.subtasks)))
    assert writer.commits == 1
    assert len(store.load_tree(run).subtasks) == 12_003


def test_commit_returns_when_others_can_read_it(store: Store, writer: RunWriter, place: str, run: str) -> None:
    assert store.place
    task = small_tree().subtasks[0]
    task.update_result("found")
    asyncio.run(writer.commit(TaskChanged.of(task), CallMade.of(call()), EventHappened.of(event(1))))
    with Store.open(place) as other:
        stored = other.load_tree(run).find("0.1")
        assert (stored.state, stored.result) == (TaskState.DONE, "found")
        assert other.calls(run) == [call()]
        assert other.events(run) == [event(1)]


def test_last_of_several_changes_of_a_task_counts(store: Store, writer: RunWriter, run: str) -> None:
    task = small_tree().subtasks[0]
    with held_up(store):
        task.move(TaskState.RUNNING)
        writer.put(TaskChanged.of(task))
        task.update_result("found")
        writer.put(TaskChanged.of(task))
    writer.flush()
    stored = store.load_tree(run).find("0.1")
    assert (stored.state, stored.started_at, stored.completed_at) == (
        TaskState.DONE,
        task.started_at,
        task.completed_at,
    )


def test_change_holds_what_was_true_when_it_was_made(store: Store, writer: RunWriter, run: str) -> None:
    task = small_tree().subtasks[0]
    task.move(TaskState.RUNNING)
    change = TaskChanged.of(task)
    task.update_result("later")
    writer.put(change)
    writer.flush()
    assert store.load_tree(run).find("0.1").state is TaskState.RUNNING


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9, 33, 65, 129, 300, 700])
def test_however_many_tasks_and_events_come_at_once_each_is_written_once(store: Store, size: int) -> None:
    root = Task(content="all of it", id="0")
    root.add_subtasks([Task(content="part", id=f"0.{number}") for number in range(1, size + 1)])
    store.create_run(new_run("many"), root)
    for task in root.subtasks:
        task.update_result(f"of {task.id}")
    with store.write("many") as writer:
        events = [event(writer.next_seq(), task_id=task.id) for task in root.subtasks]
        writer.put(*map(TaskChanged.of, root.subtasks), *map(EventHappened.of, events))
    assert stored_tree(store, "many") == values_of(root)
    assert store.events("many", 0) == events


def test_edited_task_keeps_how_far_it_has_come(store: Store, writer: RunWriter, run: str) -> None:
    root = store.load_tree(run)
    first, second, third = root.subtasks
    first.update_result("found")
    writer.put(TaskChanged.of(first))
    first.content, first.priority, first.config = "other words", 3, TaskConfig(max_retries=1)
    root.subtasks[:] = [third, second, first]
    writer.put(*map(TaskEdited.of, root.subtasks))
    writer.flush()
    assert stored_tree(store, run) == values_of(root)


def test_writing_again_what_is_there_changes_nothing(store: Store, writer: RunWriter, run: str) -> None:
    task = Task(content="more", id="0.4")
    root = small_tree()
    root.add_subtask(task)
    for text_of_reply in ("first", "second"):
        writer.put(TaskAdded.of(task), CallMade.of(call(text=text_of_reply)), EventHappened.of(event(1)))
        writer.flush()
        task.content = "changed"
    assert store.calls(run) == [call(text="first")]
    assert store.events(run) == [event(1)]
    assert [each.content for each in store.load_tree(run).subtasks] == ["part 1", "part 2", "part 3", "more"]


def test_events_are_numbered_on_from_what_is_stored(store: Store, run: str) -> None:
    with store.write(run) as writer:
        writer.put(*(EventHappened.of(event(writer.next_seq())) for _ in range(3)))
    with store.write(run) as writer:
        assert writer.next_seq() == 4
    assert [each.seq for each in store.events(run, after=1)] == [2, 3]


def test_long_texts_of_calls_are_stored_once(store: Store, writer: RunWriter, run: str) -> None:
    system, hostile = "system prompt " * 100, "\x00\ud800" * 400
    calls = [call(attempt=n, system=system, user=f"question {n} {hostile if n == 2 else ''}") for n in (1, 2, 3)]
    calls.append(call("0.2", 4, system=system))
    for each in calls:
        writer.put(CallMade.of(each))
        writer.flush()
    assert store.calls(run) == calls
    assert store.calls(run, "0.2") == calls[3:]
    assert store.calls(run, "0.3") == []
    assert count_rows(store, "ramify_texts") == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda value: CallMade.of(call(user=value)),
        lambda value: EventHappened.of(EventRecord(seq=1, at=0.0, type="x", data={"x": value})),
        lambda value: RunChanged.of(settings={"x": value}),
    ],
)
def test_what_is_not_json_is_refused_when_the_change_is_made(make: Callable[[Any], object]) -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), deep):
        with pytest.raises(UsageError, match=r"cannot be stored as JSON"):
            make(value)


def test_threads_and_loops_may_share_a_writer(store: Store, writer: RunWriter, run: str) -> None:
    async def commit_some() -> None:
        await asyncio.gather(*(writer.commit(EventHappened.of(event(writer.next_seq()))) for _ in range(50)))

    threads = [threading.Thread(target=lambda: asyncio.run(commit_some())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.seq for each in store.events(run)] == list(range(1, 201))


def test_cancelled_wait_harms_nobody(store: Store, writer: RunWriter, run: str) -> None:
    async def cancel_one() -> None:
        with held_up(store):
            waits = [asyncio.ensure_future(writer.commit(EventHappened.of(event(n)))) for n in (1, 2)]
            await asyncio.sleep(0)
            waits[0].cancel()
        await waits[1]

    asyncio.run(cancel_one())
    assert [each.seq for each in store.events(run)] == [1, 2]


def test_closing_writes_what_was_put_and_frees_the_run(store: Store, run: str) -> None:
    writer = store.write(run)
    writer.put(EventHappened.of(event(1)))
    writer.close(RunChanged.of(status="done"))
    writer.close()
    record = store.find_run(run)
    assert (record.status, record.holder, len(store.events(run))) == ("done", None, 1)
    with pytest.raises(StoreError, match="the writer of run run-1 is closed"):
        writer.put(EventHappened.of(event(2)))


def test_wrong_change_fails_its_waiter_and_all_after_it(writer: RunWriter) -> None:
    with pytest.raises(StoreError, match="run run-1: writing failed"):
        asyncio.run(writer.commit("no change"))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="run run-1: writing failed"):
        writer.flush()
    with pytest.raises(StoreError, match="run run-1: writing failed"):
        writer.close()


# The lease


def test_second_writer_is_refused_and_told_who_holds_the_run(store: Store, run: str, writer: RunWriter) -> None:
    with pytest.raises(LeaseError, match=r"run run-1 is held by process \d+ on .* \(since .* UTC\)") as caught:
        store.write(run)
    assert caught.value.holder == writer.holder
    assert store.find_run(run).holder is not None


def test_second_process_is_refused_until_the_first_is_killed(store: Store, place: str, run: str) -> None:
    holder = start_holder(place, run)
    try:
        with pytest.raises(LeaseError, match=f"process {holder.pid} on"):
            store.write(run)
    finally:
        holder.kill()
        holder.wait()
    with store.write(run) as writer:
        writer.put(EventHappened.of(event(1)))
    assert len(store.events(run)) == 1


def test_holder_elsewhere_is_believed_until_it_is_silent(store: Store, run: str) -> None:
    first = store.write(run, holder=ELSEWHERE)
    with pytest.raises(LeaseError, match="process 17 on elsewhere"):
        store.write(run)
    with store.write(run, stale_after_s=-1.0) as second:
        second.put(EventHappened.of(event(1)))
        second.flush()
        with pytest.raises(LeaseError):
            first.close()
    assert len(store.events(run)) == 1


def test_stale_owner_cannot_write(store: Store, run: str) -> None:
    failures: list[PlannerError] = []
    stale = store.write(run, holder=ELSEWHERE, events=WriterEvents(on_failure=failures.append))
    with store.write(run, stale_after_s=-1.0) as owner:
        with pytest.raises(LeaseError, match=r"was taken over.*now held by process") as caught:
            asyncio.run(stale.commit(EventHappened.of(event(1)), RunChanged.of(status="failed")))
        assert caught.value.holder == owner.holder
        with pytest.raises(LeaseError):
            stale.put(EventHappened.of(event(2)))
        with pytest.raises(LeaseError):
            stale.close()
        assert [type(failure) for failure in failures] == [LeaseError]
        assert owner.holder == str(store.find_run(run).holder)
    assert store.events(run) == []
    assert store.find_run(run).status == "running"


def test_stale_owner_learns_of_it_while_it_is_idle(store: Store, run: str) -> None:
    failures: list[PlannerError] = []
    stale = store.write(run, holder=ELSEWHERE, events=WriterEvents(on_failure=failures.append))
    with store.write(run, stale_after_s=-1.0):
        assert comes_true(lambda: failures)
    with pytest.raises(LeaseError):
        stale.close()


def test_deleted_run_stops_its_writer(store: Store, run: str) -> None:
    writer = store.write(run, holder=ELSEWHERE)
    with store._database.changing() as connection:
        for table in ("ramify_tasks", "ramify_runs"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    with pytest.raises(LeaseError, match="run run-1 was deleted"):
        writer.flush()
    with pytest.raises(LeaseError):
        writer.close()


def test_idle_writer_shows_that_it_lives(store: Store, run: str, writer: RunWriter) -> None:
    first = store.find_run(run).heartbeat_at
    assert comes_true(lambda: store.find_run(run).heartbeat_at != first)
    assert writer.commits == 0


def limits_of(calls: int) -> Control:
    return Control.of("limits", via="python", limits={"max_calls": calls})


def test_what_is_asked_of_a_run_is_heard_once_each_and_in_order(store: Store, place: str, run: str) -> None:
    heard: list[Control] = []
    asked = [limits_of(5), Control.of("pause", via="page"), CANCEL]
    with store.write(run, events=WriterEvents(on_control=heard.append)) as writer, Store.open(place) as other:
        other.ask(run, asked[0])
        assert comes_true(lambda: heard)
        other.ask(run, asked[1])
        other.ask(run, asked[2])
        writer.flush()
        writer.flush()
        assert heard == asked
        assert list(store.find_run(run).controls) == asked


def test_what_is_asked_outlives_the_writer_until_it_is_done(store: Store, run: str) -> None:
    asked = [CANCEL, limits_of(5), limits_of(6)]
    for each in asked:
        store.ask(run, each)
    heard: list[Control] = []
    with store.write(run, events=WriterEvents(on_control=heard.append)) as writer:
        writer.flush()
        assert heard == asked
        writer.put(ControlsDone(frozenset({asked[1].id})))
        writer.flush()
        assert list(store.find_run(run).controls) == [asked[0], asked[2]]
        writer.put(ControlsDone(actions=frozenset({"cancel"})), ControlsDone(frozenset({"another"})))
    assert list(store.find_run(run).controls) == [asked[2]]


def test_a_pause_is_asked_of_who_holds_the_run_and_of_nobody_who_takes_it_later(store: Store, run: str) -> None:
    store.ask(run, Control.of("pause", via="cli"))
    store.ask(run, limits_of(5))
    with store.write(run):
        assert [each.action for each in store.find_run(run).controls] == ["limits"]


ACKNOWLEDGE = """
import asyncio, sys
from ramify.planner.store import EventHappened, EventRecord, Store, TaskChanged
with Store.open(sys.argv[1]) as store:
    root = store.load_tree("run-1")
    with store.write("run-1") as writer:
        async def work(task):
            while True:
                task.attempts += 1
                seq = writer.next_seq()
                await writer.commit(EventHappened.of(EventRecord(seq=seq, at=0.0, type="x")), TaskChanged.of(task))
                print(seq, task.id, task.attempts, flush=True)
        async def main():
            await asyncio.gather(*map(work, root.subtasks))
        asyncio.run(main())
"""


def test_kills_at_any_instant_lose_nothing_that_was_acknowledged(store: Store, place: str, run: str) -> None:
    acknowledged: dict[str, int] = {}
    numbers_told: set[int] = set()
    for delay_s in (0.0, 0.003, 0.01, 0.05, 0.1):
        with subprocess.Popen([sys.executable, "-c", ACKNOWLEDGE, place], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(delay_s)
            process.kill()
            lines += process.stdout.read().splitlines()
        for seq, task_id, attempts in (line.split() for line in lines if line.count(" ") == 2):
            numbers_told.add(int(seq))
            acknowledged[task_id] = max(int(attempts), acknowledged.get(task_id, 0))
        stored = [each.seq for each in store.events(run)]
        assert stored == list(range(1, len(stored) + 1))
        assert numbers_told <= set(stored)
        root = store.load_tree(run)
        assert all(root.find(task_id).attempts >= attempts for task_id, attempts in acknowledged.items())
        assert sum(task.attempts for task in root.walk()) == len(stored)
        assert store.check() == []


# The schema


def test_store_opens_again(place: str, store: Store, run: str) -> None:
    assert store.find_run(run)
    with Store.open(place, create=False) as again:
        assert again.last_run().id == run


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL", "OFF"])
def test_every_kind_of_synchronous_stores(place: str, synchronous: str) -> None:
    with Store.open(place, synchronous=synchronous) as store:  # type: ignore[arg-type]
        store.create_run(new_run("x"), small_tree())
        assert store.last_run().id == "x"


def test_missing_store_is_not_made_unless_asked(place: str) -> None:
    with pytest.raises(StoreError, match="there is no store at"):
        Store.open(place, create=False)


def test_store_of_a_newer_ramify_is_refused(place: str, store: Store, run: str) -> None:
    with store._database.changing() as connection:
        connection.execute(update(META).values(schema_version=70))
    with pytest.raises(StoreError, match=rf"made by a newer Ramify \(schema 70; this one knows {NEWEST}\); upgrade"):
        Store.open(place)
    assert store.find_run(run)


def test_migration_brings_the_schema_up_and_keeps_what_is_stored(store: Store, run: str) -> None:

    def add_colour(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE ramify_runs ADD COLUMN colour TEXT"))
        connection.execute(text("UPDATE ramify_runs SET colour = 'red'"))

    def fail(connection: Connection) -> None:
        add_colour(connection)
        raise KeyboardInterrupt

    def version_and_columns() -> tuple[int, int]:
        with store._database.reading() as connection:
            width = len(connection.execute(text("SELECT * FROM ramify_runs")).keys())
            return connection.execute(select(META.c.schema_version)).scalar_one(), width

    with pytest.raises(KeyboardInterrupt):
        prepare(store._database, create=False, steps=[Migration(NEWEST + 1, fail)])
    assert version_and_columns() == (NEWEST, len(RUNS.c))
    prepare(store._database, create=False, steps=[Migration(NEWEST + 1, add_colour)])
    prepare(store._database, create=False, steps=[Migration(NEWEST + 1, add_colour)])
    assert version_and_columns() == (NEWEST + 1, len(RUNS.c) + 1)
    assert store.find_run(run).id == run


_BEFORE_CONTROLS = ("runs DROP COLUMN controls", "runs ADD COLUMN cancel_requested BOOLEAN NOT NULL DEFAULT FALSE")


def _make_first_schema(connection: Connection) -> None:
    METADATA.drop_all(connection, tables=[STEPS, MEMORY, SHARES, TIMES])
    for column in ("tasks DROP COLUMN gaps", "runs DROP COLUMN forked_from", "runs DROP COLUMN forked_seq",
                   "calls DROP COLUMN seq", *_BEFORE_CONTROLS):  # fmt: skip
        connection.execute(text(f"ALTER TABLE ramify_{column}"))


def test_a_store_of_the_first_schema_gets_steps_and_memory(place: str, store: Store, run: str) -> None:
    with store._database.changing() as connection:
        _make_first_schema(connection)
        connection.execute(update(META).values(schema_version=1))
    with Store.open(place) as again:
        assert again.find_run(run).id == run
        assert (again.steps(run), again.memory(run), again.times({""}), again.check()) == ([], {}, {}, [])
        with again._database.reading() as connection:
            assert connection.execute(select(META.c.schema_version)).scalar_one() == NEWEST


def test_a_store_of_the_third_schema_keeps_its_steps_and_what_they_may(place: str, store: Store, run: str) -> None:
    key = StepKey("0", 0, "pay#1")
    with store.write(run) as writer:
        writer.put(StepTaken.of(StepRecord(key=key, started_at=1.0, may_repeat=False)))
        writer.put(StepTaken.of(StepRecord(key=key._replace(attempt=1), started_at=1.5, may_repeat=False)))
        writer.put(StepTaken.of(StepRecord(key=key._replace(key="look#1"), output=1, started_at=2.0, ended_at=3.0)))
    with store._database.changing() as connection:
        for name in ("kind", "state", "may_repeat", "idempotency_key"):
            connection.execute(text(f"ALTER TABLE ramify_steps DROP COLUMN {name}"))
        connection.execute(update(META).values(schema_version=3))
    with Store.open(place) as again:
        found = [(step.key.key, step.kind, step.state, step.may_repeat) for step in again.steps(run)]
    assert found == [
        ("pay#1", "step", "intended", False), ("pay#1", "call", "intended", False), ("look#1", "step", "done", True),
    ]  # fmt: skip


def test_a_store_of_the_fifth_schema_keeps_the_wish_to_cancel_a_run(place: str, store: Store, run: str) -> None:
    store.create_run(new_run("wanted"), small_tree())
    with store._database.changing() as connection:
        for column in _BEFORE_CONTROLS:
            connection.execute(text(f"ALTER TABLE ramify_{column}"))
        connection.execute(text(f"UPDATE ramify_runs SET cancel_requested = TRUE WHERE id = '{run}'"))  # noqa: S608
        connection.execute(update(META).values(schema_version=5))
    with Store.open(place) as again:
        assert [each.action for each in again.find_run(run).controls] == ["cancel"]
        assert again.find_run("wanted").controls == ()
        again.create_run(new_run("later"), small_tree())
        assert again.find_run("later").controls == ()


def test_a_kill_in_the_middle_of_a_migration_leaves_the_old_schema_whole(place: str, store: Store, run: str) -> None:
    with store._database.changing() as connection:
        _make_first_schema(connection)
        connection.execute(update(META).values(schema_version=1))
    script = "import sys; from ramify.planner.store import Store; Store.open(sys.argv[1]).close()"
    words = [sys.executable, "-c", script, place]
    killed = subprocess.run(words, check=False, env=os.environ | {"RAMIFY_FAILPOINT": "during-migration"})
    assert killed.returncode == -signal.SIGKILL
    with store._database.reading() as connection:
        assert connection.execute(select(META.c.schema_version)).scalar_one() == 1
        assert not {STEPS.name, MEMORY.name} & set(inspect(connection).get_table_names())
    assert subprocess.run(words, check=False).returncode == 0
    assert (store.find_run(run).id, store.steps(run), store.check()) == (run, [], [])


def test_steps_and_memory_are_kept_replaced_and_forgotten(store: Store, run: str) -> None:
    step = StepRecord(key=StepKey("0", 1, "read#1"), input={"path": "a\x00b"}, started_at=1.0, may_repeat=False)
    done = replace(step, output=["\ud800", None], ended_at=2.0)
    with store.write(run) as writer:
        writer.put(
            StepTaken.of(step), MemorySet.of(run, "seen", ["a"], at=1.0), MemorySet.of("permanent", "x", 1, at=1.0)
        )
        writer.flush()
        assert store.steps(run) == [step]
        writer.put(StepTaken.of(done), MemorySet.of(run, "seen", {"b": "\x00"}, at=2.0))
    assert store.steps(run) == [done]
    assert (store.memory(run), store.memory("permanent")) == ({"seen": {"b": "\x00"}}, {"x": 1})
    with store.write(run) as writer:
        writer.put(StepsForgotten("0"), StepTaken.of(step), MemorySet.of(run, "seen", None, at=3.0))
        writer.put(MemorySet.of(run, "more", 2, at=3.0), MemoryCleared(run), MemorySet.of(run, "last", 3, at=4.0))
    assert (store.steps(run), store.memory(run)) == ([step], {"last": 3})
    store.delete_runs([run])
    assert (store.memory(run), store.memory("permanent")) == ({}, {"x": 1})


def test_many_threads_read_and_write_at_once(store: Store, run: str) -> None:
    here = threading.Barrier(24, timeout=HANG_S)
    seen: list[int] = []

    def read() -> None:
        here.wait()
        seen.extend(len(list(store.load_tree(run).walk())) + len(store.runs()) for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 24 * 20
    assert len(set(seen)) == 1


def test_store_is_made_once_by_many_at_once(place: str) -> None:
    faults: list[Exception] = []

    def open_and_use(number: int) -> None:
        try:
            with Store.open(place) as store:
                store.create_run(new_run(f"run {number}"), small_tree())
        except PlannerError as error:
            faults.append(error)

    threads = [threading.Thread(target=open_and_use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with Store.open(place) as store:
        assert len(store.runs()) == 8
        with store._database.reading() as connection:
            assert connection.execute(select(func.count()).select_from(META)).scalar_one() == 1


def test_store_without_a_version_is_refused(place: str, store: Store) -> None:
    assert store.runs() == []
    with store._database.changing() as connection:
        connection.execute(text("DELETE FROM ramify_meta"))
    with pytest.raises(StoreError, match="has no version"):
        Store.open(place)
    with store._database.changing() as connection:
        connection.execute(insert(META).values(id=1, schema_version=1))


def test_a_run_is_read_whole(store: Store) -> None:
    store.create_run(new_run(), full_tree())
    with closing(store.write("run-1")) as writer:
        writer.put(CallMade.of(call("a", user=HOSTILE_TEXTS[2])), EventHappened.of(event(1)))
    read = store.read_run("run-1")
    assert read.record == store.find_run("run-1")
    assert values_of(read.root) == stored_tree(store, "run-1")
    assert (list(read.calls), list(read.events)) == (store.calls("run-1"), store.events("run-1"))
    with pytest.raises(RunError, match="run-1"):
        store.read_run("run-2")
