"""Runs moved between stores, pruned, and stores copied and shrunk; on SQLite and PostgreSQL alike."""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ramify.planner import Executor, RunLimits, solve
from ramify.planner.errors import ExportError, RunError, StoreError, UsageError
from ramify.planner.models.protocol import ModelReply
from ramify.planner.store import (
    CallMade,
    EventHappened,
    Holder,
    MemorySet,
    RunChanged,
    RunStatus,
    StepKey,
    StepRecord,
    StepTaken,
    Store,
)
from ramify.planner.store.run_file import FileWriter, read_lines
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, Usage
from sqlalchemy import text

from .made_up_goals import answer, solution_of
from .store_samples import HOSTILE_TEXTS, call, event, full_tree, new_run, small_tree, start_holder, values_of

GOAL = "trip{pack{bag{}|shoes{}|hat{}};travel{train{};walk{}};rest{}}"
SETTINGS = {"agent": {"model": "m", "base_url": "http://ann:hunter2@example.org/v1"}, "jobs": 3}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "other.db") as store:
        yield store


_OPEN_STEP = StepRecord(
    key=StepKey("a", 0, "open"), started_at=9.0, kind="call", may_repeat="with_key", is_unknown=True,
    idempotency_key="k",
)  # fmt: skip


def put_full_run(store: Store, run_id: str = "run-1") -> None:
    """Store a run in which every column holds something, and texts are hostile."""
    store.create_run(new_run(run_id, settings=SETTINGS, model="m", made_by="maker", nonce_seed="s"), full_tree())
    with store.write(run_id) as writer:
        for attempt, words in enumerate(HOSTILE_TEXTS, 1):
            made = call("a", attempt, system="be brief " * 100, user=words * 50)
            reply = ModelReply(text=words, model=words, finish_reason="length", taken_from="r0").to_data()
            writer.put(CallMade.of(replace(made, reply=reply)))
        writer.put(*(EventHappened.of(event(writer.next_seq(), task_id="a")) for _ in range(3)))
        for number, words in enumerate(HOSTILE_TEXTS):
            key = StepKey("a", number, f"step#{number}")
            writer.put(StepTaken.of(StepRecord(key=key, input=words, output=[words], started_at=1.0, ended_at=2.0)))
            writer.put(MemorySet.of(run_id, words or "empty", {"said": words}, at=3.0))
        writer.put(StepTaken.of(_OPEN_STEP))
        writer.put(RunChanged.of(status="failed", error=HOSTILE_TEXTS[2], usage=Usage(calls=7), finished_at=5.0))


def contents(store: Store, run_id: str = "run-1") -> list[Any]:
    record = replace(store.find_run(run_id), updated_at=0.0)
    agent = dict(record.settings.get("agent", {}), base_url="")
    return [
        replace(record, settings={**record.settings, "agent": agent}),
        values_of(store.load_tree(run_id)),
        store.calls(run_id),
        store.steps(run_id),
        store.memory(run_id),
        store.events(run_id),
    ]


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def rewrite(file: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the lines of an exported run, and make their counts and hash right again."""
    lines = lines_of(file)
    head, body = lines[0], lines[1:-1]
    change(body)
    file.unlink()
    with FileWriter(file, "run", head["run"]) as writer:
        for line in body:
            ((kind, fields),) = line.items()
            writer.add(kind, fields)


# Moving


def test_a_run_is_the_same_in_another_store_and_back(store: Store, other: Store, tmp_path: Path) -> None:
    put_full_run(store)
    before = contents(store)
    store.export_run("run-1", tmp_path / "there.jsonl")
    assert other.import_run(tmp_path / "there.jsonl") == "run-1"
    assert contents(other) == before
    other.export_run("run-1", tmp_path / "back.jsonl")
    store.delete_runs(["run-1"])
    store.import_run(tmp_path / "back.jsonl")
    assert contents(store) == before
    assert store.check() == []
    assert other.check() == []


def test_an_export_is_the_same_from_both_databases(store: Store, other: Store, tmp_path: Path) -> None:
    put_full_run(store)
    store.export_run("run-1", tmp_path / "there.jsonl")
    other.import_run(tmp_path / "there.jsonl")
    other.export_run("run-1", tmp_path / "back.jsonl")
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "back.jsonl").read_bytes()


def test_texts_that_calls_share_are_exported_once(store: Store, tmp_path: Path) -> None:
    put_full_run(store)
    store.export_run("run-1", tmp_path / "run.jsonl")
    texts = [line["text"]["content"] for line in lines_of(tmp_path / "run.jsonl") if "text" in line]
    assert texts.count("be brief " * 100) == 1


def test_a_password_in_a_servers_address_stays_behind(store: Store, tmp_path: Path) -> None:
    put_full_run(store)
    store.export_run("run-1", tmp_path / "run.jsonl")
    assert "hunter2" not in (tmp_path / "run.jsonl").read_text()
    assert "example.org/v1" in (tmp_path / "run.jsonl").read_text()


def test_an_imported_run_is_resumed_and_repeats_no_call(place: str, tmp_path: Path) -> None:
    def model() -> ScriptedModel:
        return ScriptedModel(lambda request: answer(*(message["content"] for message in request.messages)))

    first = model()
    stopped = solve(GOAL, model=first, store=place, limits=RunLimits(max_calls=6), jobs=1)
    with Store.open(place) as here, Store.open(tmp_path / "other.db") as there:
        here.export_run(stopped.id, tmp_path / "run.jsonl")
        there.import_run(tmp_path / "run.jsonl")
    second = model()
    resumed = Executor.resume(tmp_path / "other.db", stopped.id, agent=second, limits=RunLimits())
    assert resumed.result == solution_of(GOAL)
    asked = [[(each.task_id, each.purpose) for each in model.requests] for model in (first, second)]
    assert not set(asked[0]) & set(asked[1])
    assert len(asked[0]) == 6
    assert resumed.usage.calls == 13


def test_a_run_that_is_held_is_exported_as_it_is_and_imported_free(store: Store, other: Store, tmp_path: Path) -> None:
    store.create_run(new_run("run-1"), small_tree())
    with store.write("run-1") as writer:
        writer.put(EventHappened.of(event(writer.next_seq())))
        writer.flush()
        store.export_run("run-1", tmp_path / "run.jsonl")
    other.import_run(tmp_path / "run.jsonl")
    assert other.find_run("run-1").holder is None
    other.write("run-1").close()


def test_an_id_that_is_taken_is_refused_and_nothing_is_changed(store: Store, tmp_path: Path) -> None:
    put_full_run(store)
    before = contents(store)
    store.export_run("run-1", tmp_path / "run.jsonl")
    with pytest.raises(RunError, match=r"run-1 already exists in the store"):
        store.import_run(tmp_path / "run.jsonl")
    assert contents(store) == before


def test_a_file_that_is_there_is_not_written_over(store: Store, tmp_path: Path) -> None:
    store.create_run(new_run("run-1"), small_tree())
    file = tmp_path / "run.jsonl"
    file.write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        store.export_run("run-1", file)
    assert file.read_text() == "mine"


def test_an_export_that_cannot_be_written_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.create_run(new_run("run-1"), small_tree())
    with pytest.raises(ExportError, match="cannot be written: No such file or directory"):
        store.export_run("run-1", tmp_path / "nowhere" / "run.jsonl")
    (tmp_path / "run.jsonl.part").symlink_to("/dev/full")
    with pytest.raises(ExportError, match="cannot be written: No space left"):
        store.export_run("run-1", tmp_path / "run.jsonl")
    assert list(tmp_path.glob("run.jsonl*")) == []


def test_an_unknown_run_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run 'r9'"):
        store.export_run("r9", tmp_path / "run.jsonl")
    assert not (tmp_path / "run.jsonl").exists()


def _replace(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, 1)


DAMAGES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("a letter", _replace(b'"state":"FAILED"', b'"state":"DONE"'), "one was changed"),
    ("half", lambda data: data[: len(data) // 2], r"line \d+: the line is truncated"),
    ("no end", lambda data: data[: data[:-1].rindex(b"\n") + 1], "it is truncated"),
    (
        "a line",
        lambda data: b"".join(data.splitlines(keepends=True)[:3] + data.splitlines(keepends=True)[4:]),
        r"line \d+",
    ),
    ("no JSON", _replace(b'{"task":', b'{"task"'), r"line 2: it is not JSON"),
    ("a number", _replace(b'"position":0', b'"position":NaN'), r"line 2: it is not JSON"),
    ("huge", _replace(b'"position":0', b'"position":99999999999999999999'), r"line \d: position is"),
    ("no id", _replace(b'{"task":{"id":', b'{"task":{"ID":'), r"line 2: id is missing"),
    ("an id", _replace(b'{"task":{"id":"', b'{"task":{"id":"\\u0000'), r"line 2: id is"),
    ("a kind", _replace(b'{"task":', b'{"tusk":'), r"line 2: 'tusk' is not a part of a run"),
    ("no object", _replace(b'{"task":{', b'[{"task":{'), r"line 2: it is not JSON"),
    ("a run", _replace(b'"goal":', b'"gaol":'), r"line 1: goal is missing"),
    ("an option", _replace(b'{"id":"run-1"', b'{"id":"--last"'), r"line 1: '--last' cannot be the id of a run"),
    ("a version", _replace(b'"version":1', b'"version":2'), "another version of Ramify"),
]


@pytest.mark.parametrize(("damage", "words"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_a_damaged_file_is_refused_whole(
    damage: Callable[[bytes], bytes], words: str, store: Store, tmp_path: Path
) -> None:
    put_full_run(store)
    file = tmp_path / "run.jsonl"
    store.export_run("run-1", file)
    store.delete_runs(["run-1"])
    data = file.read_bytes()
    file.write_bytes(damage(data))
    assert file.read_bytes() != data
    with pytest.raises(UsageError, match=words):
        store.import_run(file)
    assert store.runs() == []
    for table in ("ramify_tasks", "ramify_calls", "ramify_texts", "ramify_events"):
        with store._database.reading() as connection:
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0  # noqa: S608


def _without(kind: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        lines[:] = [line for line in lines if kind not in line]

    return change


def _set(kind: str, **fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        next(line[kind] for line in lines if kind in line).update(fields)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without("task"), "it has no tasks"),
        (_without("text"), "is missing before it"),
        (lambda lines: lines.append(lines[0]), "task 0 occurs twice"),
        (lambda lines: lines.append(lines[-1]), "two lines for one event"),
        (_set("task", parent_id="gone"), "has no run that could be resumed"),
        (_set("task", state="SLEEPING"), "SLEEPING"),
        (_set("task", content=" "), "cannot be read"),
        (_set("text", content="other"), "does not match its hash"),
        (_set("call", task_id="gone"), "a call or step belongs to task 'gone', which does not exist"),
        (_set("call", reply={"text": "only"}), "model is missing"),
        (_set("call", request={"messages": "none"}), "no messages"),
        (_set("call", request={"messages": [{"role": "user", "content": {"$text": ["x"]}}]}), "line"),
        (_set("event", data=[1]), "which is no object"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(
    change: Callable[[list[dict[str, Any]]], None], words: str, store: Store, tmp_path: Path
) -> None:
    put_full_run(store)
    file = tmp_path / "run.jsonl"
    store.export_run("run-1", file)
    store.delete_runs(["run-1"])
    rewrite(file, change)
    with pytest.raises(UsageError, match=words):
        store.import_run(file)
    assert store.runs() == []


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"SQLite format 3\x00", b'{"goal": "x"}\n', b"[" * 100_000])
def test_another_file_is_refused(data: bytes, store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UsageError, match="neither an exported run nor a recording"):
        store.import_run(tmp_path / "x")


def test_a_missing_file_and_a_recording_are_refused(store: Store, tmp_path: Path) -> None:
    put_full_run(store)
    with pytest.raises(UsageError, match=r"cannot be read: No such file"):
        store.import_run(tmp_path / "nowhere")
    store.record_calls("run-1", tmp_path / "calls.jsonl")
    with pytest.raises(UsageError, match=r"is a recording without tasks; use it with `--model replay:"):
        store.import_run(tmp_path / "calls.jsonl")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_no_single_changed_byte_gets_in(other: Store, tmp_path: Path, at: float, byte: int) -> None:
    file = tmp_path / "run.jsonl"
    if not file.exists():
        put_full_run(other)
        other.export_run("run-1", file)
        other.delete_runs(["run-1"])
    data = bytearray(file.read_bytes())
    if data[place := int(at * len(data))] == byte:
        return
    data[place] = byte
    (tmp_path / "changed").write_bytes(data)
    with pytest.raises(UsageError):
        other.import_run(tmp_path / "changed")


def test_lines_are_read_one_by_one(tmp_path: Path) -> None:
    with FileWriter(tmp_path / "x", "recording", {"id": "r1"}) as file:
        for number in range(3):
            file.add("event", {"seq": number})
    assert [(line.number, line.fields["seq"]) for line in read_lines(tmp_path / "x")] == [(2, 0), (3, 1), (4, 2)]


# Pruning


def put_runs(store: Store, *statuses: RunStatus) -> None:
    for number, status in enumerate(statuses, 1):
        store.create_run(new_run(f"r{number}", status=status), small_tree())


def left(store: Store) -> list[str]:
    return sorted(run.id for run in store.runs())


def test_the_newest_stay(store: Store) -> None:
    put_runs(store, "done", "done", "done")
    assert [run.id for run in store.prune(keep=2)] == ["r1"]
    assert left(store) == ["r2", "r3"]


def test_runs_go_by_status(store: Store) -> None:
    put_runs(store, "done", "failed", "running", "failed")
    assert [run.id for run in store.prune(statuses=["failed"])] == ["r4", "r2"]
    assert [run.id for run in store.prune(statuses=["interrupted"])] == ["r3"]
    assert left(store) == ["r1"]


def test_members_go_with_their_run(store: Store) -> None:
    put_runs(store, "done", "done")
    for name in ("r1.1", "r1.2", "r2.1"):
        store.create_run(new_run(name, status="failed"), small_tree())
    assert store.prune(statuses=["failed"]) == []
    assert [run.id for run in store.prune(keep=1)] == ["r1"]
    assert left(store) == ["r2", "r2.1"]


def test_runs_go_by_age(store: Store) -> None:
    put_runs(store, "done", "done")
    with store._database.changing() as connection:
        old = {"at": time.time() - 100}
        connection.execute(text("UPDATE ramify_runs SET updated_at = :at WHERE id = 'r1'"), old)
    assert [run.id for run in store.runs(older_than_s=50)] == ["r1"]
    assert store.runs(older_than_s=50, keep=2) == []
    assert store.prune(older_than_s=200) == []
    assert [run.id for run in store.prune(older_than_s=50)] == ["r1"]


def test_everything_of_a_run_goes(store: Store) -> None:
    put_full_run(store)
    store.prune()
    store.create_run(new_run("run-1"), small_tree())
    assert store.calls("run-1") == []
    assert store.events("run-1") == []


def test_a_rehearsal_deletes_nothing(store: Store) -> None:
    put_runs(store, "done", "failed")
    assert len(store.prune(is_rehearsal=True)) == 2
    assert left(store) == ["r1", "r2"]


def test_a_run_that_is_held_is_never_pruned(store: Store, place: str) -> None:
    put_runs(store, "running", "running", "running")
    process = start_holder(place, "r1")
    try:
        elsewhere = Holder(host="elsewhere", pid=1, place="there", process_start="1", since=1.0)
        with store.write("r2"), store.write("r3", holder=elsewhere):
            assert store.prune() == []
            assert store.prune(statuses=["interrupted"]) == []
    finally:
        process.kill()
        process.wait()
    assert {run.id for run in store.prune()} == {"r1", "r2", "r3"}


# Upkeep


def test_vacuum_says_how_much_it_gave_back(store: Store) -> None:
    store.create_run(new_run("run-1"), small_tree())
    with store.write("run-1") as writer:
        for attempt in range(1, 500):
            writer.put(CallMade.of(call(attempt=attempt, user=random.randbytes(2500).hex())))
    store.delete_runs(["run-1"])
    assert store.vacuum() > 1_000_000
    assert store.vacuum() < 100_000
    assert store.check() == []


def test_a_backup_is_a_store_with_the_same_runs(store: Store, kind: str, tmp_path: Path) -> None:
    put_full_run(store)
    if kind == "postgresql":
        with pytest.raises(UsageError, match="pg_dump"):
            store.backup(tmp_path / "copy.db")
        return
    assert store.backup(tmp_path / "copy.db") == (tmp_path / "copy.db").stat().st_size
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    with Store.open(tmp_path / "copy.db", create=False) as copy:
        assert contents(copy) == contents(store)
        assert copy.check() == []


def test_a_backup_while_a_run_is_written_is_whole(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        store.create_run(new_run("run-1"), small_tree())
        with store.write("run-1") as writer:
            for copy in range(5):
                for _ in range(500):
                    seq = writer.next_seq()
                    writer.put(EventHappened.of(event(seq)), CallMade.of(call(attempt=seq)))
                store.backup(tmp_path / f"copy{copy}.db")
    for copy in range(5):
        with Store.open(tmp_path / f"copy{copy}.db", create=False) as copied:
            assert copied.check() == []
            assert len(copied.events("run-1")) == len(copied.calls("run-1"))


def test_a_backup_replaces_nothing_and_leaves_nothing_half(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        (tmp_path / "mine").write_text("mine")
        with pytest.raises(UsageError, match="already exists"):
            store.backup(tmp_path / "mine")
        with pytest.raises(ExportError, match="cannot be written"):
            store.backup(tmp_path / "nowhere" / "copy.db")
    assert (tmp_path / "mine").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if "runs.db" not in path.name) == ["mine"]


def test_a_damaged_store_is_not_backed_up_as_if_it_were_whole(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        put_full_run(store)
        store._database.close()
        (tmp_path / "runs.db").write_bytes(b"no store any more" * 1000)
        with pytest.raises(StoreError, match=r"damaged|not a Ramify store"):
            store.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_ten_thousand_leaves_are_moved(tmp_path: Path) -> None:
    root = Task("root", id="0")
    root.add_subtasks([Task("x", id=f"0.{n}", result="y") for n in range(10_000)])
    with Store.open(tmp_path / "a.db") as here, Store.open(tmp_path / "b.db") as there:
        here.create_run(new_run("run-1"), root)
        with here.write("run-1") as writer:
            for n in range(10_000):
                writer.put(EventHappened.of(event(n + 1, task_id=f"0.{n}")))
        here.export_run("run-1", tmp_path / "run.jsonl")
        there.import_run(tmp_path / "run.jsonl")
        assert values_of(there.load_tree("run-1")) == values_of(root)
        assert len(there.events("run-1")) == 10_000
