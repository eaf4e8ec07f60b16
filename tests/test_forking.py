"""Forks: new runs that share what another one has finished; on SQLite and PostgreSQL alike."""

import json
import signal
from dataclasses import replace
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ramify.planner import Executor, Run, RunLimits, WorkContext, solve
from ramify.planner.asking.budget import total_usage
from ramify.planner.errors import RunError, StoreError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.forms import EVENT_FORMS
from ramify.planner.models.protocol import ModelReply
from ramify.planner.store import (
    CallMade,
    EventHappened,
    EventRecord,
    MemorySet,
    NewFork,
    RunChanged,
    StepKey,
    StepRecord,
    StepTaken,
    Store,
    StoredRun,
    TaskChanged,
    TaskEdited,
)
from ramify.planner.store.tables import EVENTS, METADATA, TASKS, TEXTS
from ramify.planner.strategies import Strategy
from ramify.planner.strategies.comparing import compare
from ramify.planner.testing import ScriptedModel
from ramify.planner.work.script import ScriptContext
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.errors import TreeError
from sqlalchemy import delete, func, select

from .made_up_goals import answer, solution_of
from .ramify_command import Ramify, ramify_process
from .store_samples import HOSTILE_TEXTS, call, full_tree, new_run, small_tree, values_of

GOAL = "trip{pack{bag{}|shoes{}|hat{}};travel{train{};walk{}};rest{}}"
LONG = "the same long words " * 100
numbers = count(1)


def fork(store: Store, source: str, fork_id: str, **fields: Any) -> str:
    """Fork a run as it is."""
    about = {"created_at": 1_900_000_000.0 + next(numbers), "model": "m", "made_by": "maker", "settings": {}, **fields}
    store.fork_run(NewFork(id=fork_id, forked_from=source, **about))
    return fork_id


def work_on(store: Store, run_id: str, number: int, task_id: str = "0.1") -> None:
    """Have a run make a call that has a number, and tell of it."""
    with store.write(run_id) as writer:
        made = call(task_id, number, user=f"{LONG} {number}", text=f"reply {number}")
        reply = ModelReply(text=f"reply {number}", model="m", finish_reason="stop", cost_usd=0.5, input_tokens=3)
        told = EventRecord(seq=writer.next_seq(), at=1.0, type="call_done", task_id=task_id, data={"tokens": number})
        writer.put(CallMade.of(replace(made, reply=reply.to_data())), EventHappened.of(told))


def numbers_of(store: Store, run_id: str) -> tuple[list[int], list[int], set[str]]:
    """Return the numbers of the calls that a run has, of its events that tell of them, and the words it has asked."""
    calls, events = store.calls(run_id), store.events_of(run_id, ["call_done"])
    assert [each.key for each in store.stream_calls(run_id)] == [each.key for each in calls]
    words = {each.request["messages"][1]["content"].removeprefix(f"{LONG} ") for each in calls}
    return sorted(each.key.attempt for each in calls), [each.seq for each in events], words


def rows(store: Store, run_id: str) -> list[Any]:
    """Return the rows that a run has, of every table."""
    with store._database.reading() as connection:
        found = []
        for table in METADATA.sorted_tables:
            column = next((table.c[name] for name in ("run_id", "scope") if name in table.c), None)
            column = table.c.id if column is None else column
            if table.name != "ramify_meta":
                found.append(sorted(map(str, connection.execute(select(table).where(column == run_id)))))
    return found


def row_counts(store: Store) -> dict[str, int]:
    with store._database.reading() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar()
            for table in METADATA.sorted_tables
        }
    return {name: int(number or 0) for name, number in counts.items() if name != "ramify_meta"}


def put_full_run(store: Store, run_id: str = "r1") -> None:
    store.create_run(new_run(run_id, settings={"jobs": 3}, model="m", made_by="maker", nonce_seed="s"), full_tree())
    with store.write(run_id) as writer:
        key = StepKey("a", 1, "step")
        writer.put(StepTaken.of(StepRecord(key=key, input="in", output=["out"], started_at=1.0, ended_at=2.0)))
        writer.put(MemorySet.of(run_id, "key", {"said": "words"}, at=3.0))
        writer.put(RunChanged.of(status="done", finished_at=5.0))
    for number in (1, 2):
        work_on(store, run_id, number, "a")


# In the store


@pytest.mark.usefixtures("place")
def test_a_fork_has_all_that_the_run_has_and_the_rows_of_the_run_stay_as_they_were(store: Store) -> None:
    put_full_run(store)
    before = rows(store, "r1")
    fork(store, "r1", "f1", settings={"jobs": 7})
    assert rows(store, "r1") == before
    run, forked = store.read_run("r1"), store.read_run("f1")
    expected = [replace_usage(values) for values in values_of(run.root)]
    assert values_of(forked.root) == expected
    assert [(each.key, each.request) for each in forked.calls] == [(each.key, each.request) for each in run.calls]
    assert (forked.steps, store.memory("f1")) == (run.steps, store.memory("r1"))
    assert [each.seq for each in forked.events] == [1, 2, 3]
    assert (forked.events[-1].type, dict(forked.events[-1].data)) == (
        "run_forked", {"run": "r1", "tasks": 10, "done": 0, "paid": {"calls": 2, "input_tokens": 11, "output_tokens": 5,
                                                                     "cost_usd": 0.125, "calls_without_cost": 1}},
    )  # fmt: skip
    assert forked.events[-1].data.keys() == EVENT_FORMS[EventType.RUN_FORKED].data.keys()
    record = forked.record
    assert (record.status, record.goal, record.nonce_seed, record.finished_at) == ("done", "find out", "s", 5.0)
    assert (record.forked_from, record.forked_seq, record.settings, record.holder) == ("r1", 2, {"jobs": 7}, None)
    assert store.check() == []


def replace_usage(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of a task as its fork has them, which has used nothing."""
    nothing = Task("x").usage
    return (values[0], *((name, nothing if name == "usage" else value) for name, value in values[1:]))


@pytest.mark.usefixtures("place")
def test_what_a_fork_shares_has_cost_it_nothing_and_is_marked(store: Store) -> None:
    put_full_run(store)
    fork(store, "r1", "f1")
    work_on(store, "f1", 3)
    calls = store.calls("f1")
    assert [each.reply.get("taken_from") for each in calls] == ["r1", "r1", None]
    assert [ModelReply.from_data(each.reply).usage().cost_usd for each in calls] == [0, 0, 0.5]
    told = [(each.data["tokens"], each.data.get("taken_from")) for each in store.events_of("f1", ["call_done"])]
    assert told == [(0, "r1"), (0, "r1"), (3, None)]


@pytest.mark.usefixtures("place")
def test_replies_texts_and_events_are_not_copied(store: Store) -> None:
    put_full_run(store)
    before = row_counts(store)
    fork(store, "r1", "f1")
    after = row_counts(store)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    tasks = len(list(full_tree().walk()))
    assert grown == {
        "ramify_runs": 1, "ramify_tasks": tasks, "ramify_events": 1, "ramify_steps": 1, "ramify_memory": 1,
        "ramify_shares": 1,
    }  # fmt: skip


LONG_TEXTS = [whole_text(words * 200) for words in (*HOSTILE_TEXTS, "\x1b$", "plain words ")]


def tree_of_long_texts() -> Task:
    root = Task(content=LONG_TEXTS[0], id="0", metadata={"note": LONG_TEXTS[1]})
    root.add_subtasks([Task(content=words, id=f"0.{place}") for place, words in enumerate(LONG_TEXTS)])
    return root


@pytest.mark.usefixtures("place")
def test_long_texts_of_tasks_come_back_and_a_fork_shares_them(store: Store, tmp_path: Path) -> None:
    root = tree_of_long_texts()
    store.create_run(new_run("r1"), root)
    with store.write("r1") as writer:
        for task, words in zip(root.subtasks, LONG_TEXTS, strict=True):
            task.move(TaskState.RUNNING)
            task.finish(words, {"said": words})
            told = EventRecord(seq=writer.next_seq(), at=1.0, type="task_done", task_id=task.id)
            writer.put(TaskChanged.of(task), EventHappened.of(told))
        root.subtasks[0].content = LONG_TEXTS[1]
        writer.put(TaskEdited.of(root.subtasks[0]))
    before = row_counts(store)["ramify_texts"]
    fork(store, "r1", "f1")
    assert row_counts(store)["ramify_texts"] == before
    with store._database.reading() as connection:
        for table in (TASKS, EVENTS):
            assert max(map(len, map(str, connection.execute(select(table))))) < 1000
    for run_id in ("r1", "f1"):
        assert values_of(store.load_tree(run_id)) == values_of(root)
        news = {each.task.id: each.task for each in store.news(run_id, 0, limit=99).tasks}
        assert [news[task.id].result for task in root.subtasks] == LONG_TEXTS
    store.export_run("f1", tmp_path / "fork.jsonl")
    store.delete_runs(["r1"])
    assert values_of(store.load_tree("f1")) == values_of(root)
    with Store.open(tmp_path / "other.db") as other:
        other.import_run(tmp_path / "fork.jsonl")
        assert values_of(other.load_tree("f1")) == values_of(root)


def test_a_long_text_that_is_gone_is_told_as_damage(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        store.create_run(new_run("r1"), tree_of_long_texts())
        with store._database.changing() as connection:
            connection.execute(delete(TEXTS))
        with pytest.raises(StoreError, match=r"run r1 is damaged in the store: \d+ of the long texts of its tasks"):
            store.load_tree("r1")


@pytest.mark.usefixtures("place")
def test_neither_run_sees_what_the_other_does_after_the_fork(store: Store) -> None:
    put_full_run(store)
    fork(store, "r1", "f1")
    work_on(store, "r1", 10)
    work_on(store, "f1", 20)
    work_on(store, "r1", 11)
    assert numbers_of(store, "r1")[0] == [1, 2, 10, 11]
    assert numbers_of(store, "f1") == ([1, 2, 20], [1, 2, 4], {"1", "2", "20"})


@pytest.mark.usefixtures("place")
def test_a_run_that_is_held_is_forked_as_it_is_and_its_process_goes_on(store: Store) -> None:
    root = small_tree()
    store.create_run(new_run("r1"), root)
    with store.write("r1") as writer:
        root.subtasks[0].move(TaskState.RUNNING)
        writer.put(TaskChanged.of(root.subtasks[0]))
        writer.flush()
        fork(store, "r1", "f1")
        root.subtasks[0].move(TaskState.DONE)
        writer.put(TaskChanged.of(root.subtasks[0]))
    task = store.load_tree("f1").find("0.1")
    assert (task.state, task.started_at) == (TaskState.OPEN, None)
    assert store.find_run("f1").status == "waiting"
    assert "forked from run r1" in str(store.find_run("f1").error)
    store.write("f1").close()
    assert store.load_tree("r1").find("0.1").state is TaskState.DONE


@pytest.mark.usefixtures("place")
def test_a_fork_of_what_is_not_there_and_an_id_that_is_taken_are_refused(store: Store) -> None:
    put_full_run(store)
    with pytest.raises(RunError, match="no run 'r2'"):
        fork(store, "r2", "f1")
    with pytest.raises(RunError, match=r"run r1 already exists in the store"):
        fork(store, "r1", "r1")
    assert [each.id for each in store.runs()] == ["r1"]


@pytest.mark.usefixtures("place", "home")
def test_a_fork_that_fails_half_way_leaves_nothing(store: Store) -> None:
    put_full_run(store)
    before = row_counts(store)
    kept = store.files / "r1" / "a"
    kept.mkdir(parents=True)

    def refuse(*_: object) -> list[Any]:
        raise UsageError("not so")

    with pytest.raises(UsageError, match="not so"):
        store.fork_run(
            NewFork(id="f1", forked_from="r1", created_at=1.0, model=None, made_by=None, settings={}), refuse
        )
    assert row_counts(store) == before
    assert not (store.files / "f1").exists()


@pytest.mark.usefixtures("place", "home")
def test_files_of_workers_are_copied_and_go_with_the_fork(store: Store) -> None:
    put_full_run(store)
    (store.files / "r1" / "a").mkdir(parents=True)
    (store.files / "r1" / "a" / "page.txt").write_text("kept")
    fork(store, "r1", "f1")
    (store.files / "r1" / "a" / "page.txt").write_text("changed since")
    assert (store.files / "f1" / "a" / "page.txt").read_text() == "kept"
    store.delete_runs(["f1"])
    assert not (store.files / "f1").exists()
    assert (store.files / "r1" / "a" / "page.txt").exists()


# What is left when runs are deleted

FAMILY = {"r1": None, "f1": "r1", "g1": "f1", "f2": "r1"}
"""Each run with the one that it is forked from."""


@pytest.mark.parametrize("order", list(permutations(FAMILY))[::4], ids="-".join)
@pytest.mark.usefixtures("place")
def test_forks_keep_what_they_have_in_whatever_order_runs_are_deleted(store: Store, order: tuple[str, ...]) -> None:
    store.create_run(new_run("r1"), small_tree())
    work_on(store, "r1", 1)
    for run_id, source in FAMILY.items():
        if source is not None:
            fork(store, source, run_id)
        work_on(store, run_id, next(numbers))
    before = {run_id: [numbers_of(store, run_id), store.read_run(run_id)] for run_id in FAMILY}
    left = list(FAMILY)
    for gone in order:
        store.delete_runs([gone])
        left.remove(gone)
        for run_id in left:
            now = [numbers_of(store, run_id), store.read_run(run_id)]
            assert now == before[run_id] or same(now[1], before[run_id][1])
        assert store.check() == []
    assert set(row_counts(store).values()) == {0}


def same(now: Any, before: Any) -> bool:
    """Return whether two runs have the same; trees are compared by their values."""
    return bool(
        (now.record, now.calls, now.steps, now.events) == (before.record, before.calls, before.steps, before.events)
        and values_of(now.root) == values_of(before.root)
    )


@pytest.mark.usefixtures("place")
def test_runs_that_are_deleted_together_leave_their_forks_what_they_share(store: Store) -> None:
    put_full_run(store)
    fork(store, "r1", "f1")
    work_on(store, "f1", 7)
    fork(store, "f1", "g1")
    store.delete_runs(["f1", "r1"])
    assert numbers_of(store, "g1")[0] == [1, 2, 7]
    assert [each.reply["taken_from"] for each in store.calls("g1")] == ["f1"] * 3
    store.prune(keep=0)
    assert set(row_counts(store).values()) == {0}


ACTS = st.lists(st.tuples(st.sampled_from(["work", "work", "fork", "fork", "delete", "move"]), st.integers(0, 9)))


@example(
    acts=[("work", 0), ("fork", 0), ("work", 1), ("fork", 1), ("work", 1), ("fork", 1), ("delete", 0), ("delete", 0)]
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_whatever_is_done_each_run_has_what_a_copy_would_have(
    store: Store, tmp_path: Path, acts: list[tuple[str, int]]
) -> None:
    """Work, forks, deletions and moves in any order, beside a dictionary of lists."""
    store.delete_runs([run.id for run in store.runs()])
    names = count(1)
    first = f"r{next(names)}"
    store.create_run(new_run(first), small_tree())
    has: dict[str, list[int]] = {first: []}
    for act, which in acts:
        if not has:
            break
        run_id = list(has)[which % len(has)]
        if act == "work":
            number = next(numbers)
            work_on(store, run_id, number)
            has[run_id].append(number)
        elif act == "fork":
            has[fork(store, run_id, f"r{next(names)}")] = list(has[run_id])
        elif act == "delete":
            store.delete_runs([run_id])
            del has[run_id]
        else:
            file = tmp_path / f"{next(numbers)}.jsonl"
            store.export_run(run_id, file)
            store.delete_runs([run_id])
            store.import_run(file)
    assert {run.id for run in store.runs()} == set(has)
    for run_id, made in has.items():
        calls, seqs, words = numbers_of(store, run_id)
        assert (calls, words) == (made, {str(number) for number in made})
        assert seqs == sorted(seqs)
    assert store.check() == []


# Moving


def test_an_exported_fork_is_whole_by_itself(store: Store, tmp_path: Path) -> None:
    put_full_run(store)
    fork(store, "r1", "f1")
    work_on(store, "f1", 7, "a")
    store.export_run("f1", tmp_path / "fork.jsonl")
    with Store.open(tmp_path / "other.db") as other:
        other.import_run(tmp_path / "fork.jsonl")
        there, here = other.read_run("f1"), store.read_run("f1")
        assert (there.calls, there.steps, there.events) == (here.calls, here.steps, here.events)
        assert values_of(there.root) == values_of(here.root)
        assert replace(there.record, updated_at=0.0) == replace(here.record, updated_at=0.0)
        work_on(other, "f1", 8, "a")
        assert [each.reply.get("taken_from") for each in other.calls("f1")] == ["r1", "r1", None, None]
        assert other.check() == []


# Going on


def scripted() -> ScriptedModel:
    return ScriptedModel(lambda request: answer(*(message["content"] for message in request.messages)))


def asked(model: ScriptedModel) -> list[tuple[str, str]]:
    return sorted((each.task_id, each.purpose) for each in model.requests)


def stored(place: str, run_id: str) -> StoredRun:
    with Store.open(place) as store:
        return store.read_run(run_id)


@pytest.fixture
def done(place: str) -> Run:
    """A run that is done, in 13 calls."""
    return solve(GOAL, model=scripted(), store=place, jobs=1)


def test_a_fork_of_a_stopped_run_repeats_no_call_and_the_run_stays_stopped(place: str) -> None:
    first, second, third = scripted(), scripted(), scripted()
    stopped = solve(GOAL, model=first, store=place, limits=RunLimits(max_calls=6), jobs=1)
    forked = Executor.fork(place, stopped.id, agent=second, limits=RunLimits())
    assert forked.id != stopped.id
    assert forked.result == solution_of(GOAL)
    assert not set(asked(first)) & set(asked(second))
    assert (len(asked(first)), len(asked(second)), forked.usage.calls) == (6, 7, 7)
    assert stored(place, stopped.id).record.status == "stopped"
    resumed = Executor.resume(place, stopped.id, agent=third, limits=RunLimits())
    assert (resumed.result, asked(third)) == (solution_of(GOAL), asked(second))


def test_a_task_and_what_depends_on_it_is_done_again_in_the_fork_alone(place: str, done: Run) -> None:
    model = scripted()
    forked = Executor.fork(place, done.id, agent=model, from_task="0.2.1")
    assert forked.result == solution_of(GOAL)
    assert asked(model) == [("0", "compose"), ("0.2", "compose"), ("0.2.1", "execute"), ("0.2.2", "execute"),
                            ("0.3", "execute")]  # fmt: skip
    assert (forked.usage.calls, total_usage(stored(place, done.id).root).calls) == (5, 13)
    assert forked.origin is not None
    assert (forked.origin.run, forked.origin.done, forked.origin.paid.calls) == (done.id, 9, 13)


def test_a_fork_of_a_fork_knows_what_was_paid_for_both(place: str, done: Run) -> None:
    forked = Executor.fork(place, done.id, agent=scripted(), from_task="0.3")
    again = Executor.fork(place, forked.id, agent=scripted(), from_task="0")
    assert (forked.usage.calls, again.usage.calls) == (2, 9)
    assert again.origin is not None
    assert again.origin.paid.calls == 15
    with Store.open(place) as store:
        store.delete_runs([done.id, forked.id])
    assert Executor.resume(place, again.id, agent=scripted()).usage.calls == 9


def test_a_fork_whose_run_is_deleted_goes_on_without_a_call_twice(place: str) -> None:
    stopped = solve(GOAL, model=scripted(), store=place, limits=RunLimits(max_calls=6), jobs=1)
    forked = Executor.fork(place, stopped.id, agent=scripted(), limits=RunLimits(max_calls=2))
    assert (forked.status, forked.usage.calls) == ("stopped", 2)
    with Store.open(place) as store:
        store.delete_runs([stopped.id])
    model = scripted()
    resumed = Executor.resume(place, forked.id, agent=model, limits=RunLimits())
    assert (resumed.result, len(asked(model)), resumed.usage.calls) == (solution_of(GOAL), 5, 7)


def test_the_limits_of_a_fork_begin_at_zero_and_are_told_anew(place: str) -> None:
    stopped = solve(GOAL, model=scripted(), store=place, limits=RunLimits(max_calls=6), jobs=1)
    forked = Executor.fork(place, stopped.id, agent=scripted())
    assert (forked.status, forked.usage.calls) == ("stopped", 6)
    with Store.open(place) as store:
        near = store.events_of(forked.id, [EventType.LIMIT_NEAR])
    assert len(near) == 2


def test_new_contents_are_those_of_the_fork(place: str, done: Run) -> None:
    model = scripted()
    forked = Executor.fork(place, done.id, agent=model, set={"0.3": "sleep{}"})
    assert "sleep=" in stored(place, forked.id).root.find("0.3").result
    assert stored(place, done.id).root.find("0.3").content == "rest{}"
    assert asked(model) == [("0", "compose"), ("0.3", "execute")]


def test_what_is_different_in_a_fork_stays_with_it(place: str, done: Run) -> None:
    forked = Executor.new_fork(place, done.id, agent="rules", jobs=2, allow=["network"])
    forked.start().wait()
    settings = stored(place, forked.id).record.settings
    assert (settings["agent"]["model"], settings["jobs"], settings["allow"]) == ("rules", 2, ["network"])
    assert stored(place, forked.id).record.model == "rules"
    assert stored(place, done.id).record.model != "rules"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"from_task": "0.9"}, TreeError, "0.9"),
        ({"set": {"0.1": " "}}, UsageError, "blank"),
        ({"answer": "yes"}, UsageError, "has no open question"),
        ({"jobs": 0}, UsageError, "jobs"),
        ({"form": "x"}, UsageError, "form"),
    ],
)
def test_a_fork_that_cannot_be_used_is_refused_and_not_stored(
    place: str, done: Run, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Executor.fork(place, done.id, agent=scripted(), **options)
    with Store.open(place) as store:
        assert [run.id for run in store.runs()] == [done.id]


def test_a_run_that_goes_on_is_forked_in_the_middle(place: str) -> None:
    """The fork makes the call that the run has under way, and knows of none that was lost."""
    forks: list[Run] = []

    def reply(request: Any) -> str:
        if request.task_id == "0.2.1" and not forks:
            forks.append(Executor.new_fork(place, agent=scripted()))
        return answer(*(message["content"] for message in request.messages))

    run = solve(GOAL, model=ScriptedModel(reply), store=place, jobs=1)
    forked = forks[0].start().wait()
    assert (run.result, forked.result) == (solution_of(GOAL), solution_of(GOAL))
    assert run.usage.calls == 13
    assert 0 < forked.usage.calls < 13
    calls = [each for each in stored(place, forked.id).calls if each.reply.get("taken_from") == run.id]
    assert len(calls) + forked.usage.calls == 13
    assert not [each for each in stored(place, forked.id).events if each.type == "call_failed"]


def test_a_sweep_is_not_forked_but_its_variations_are(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    sweep = Strategy("sums", "1 + 2", {"max_depth": [1, 2]}).run("rules", store=place)
    with pytest.raises(UsageError, match=rf"run {sweep.id} is a sweep, .* such as {sweep.id}.2"):
        Executor.fork(place, sweep.id)
    forked = Executor.fork(place, f"{sweep.id}.2", from_task="0")
    assert forked.result == "3"
    with Store.open(place) as store:
        assert store.find_run(forked.id).settings["inside"] == ""


def test_an_effect_that_may_have_been_is_not_repeated_by_a_fork_which_has_keys_of_its_own(place: str) -> None:
    charged: list[str] = []

    async def pay(*, context: WorkContext) -> str:
        def charge() -> str:
            charged.append(context.idempotency_key)
            raise ConnectionError("the answer was lost")

        return str(await context.step("charge", charge, may_repeat="with_key"))

    bill = Task("pay", id="0", type="pay", config=TaskConfig(max_retries=0))
    run = Executor("rules", store=place, workers={"pay": pay}).run(bill)
    assert (run.status, len(charged)) == ("failed", 1)
    forked = Executor.fork(place, run.id, workers={"pay": pay}, retry_failed=True)
    assert (forked.status, len(charged)) == ("waiting", 1)
    answered = Executor.resume(place, forked.id, workers={"pay": pay}, step_done={"0": "paid"})
    assert (answered.result, len(charged)) == ("paid", 1)
    again = Executor.resume(place, run.id, workers={"pay": pay}, retry_failed=True)
    assert (again.status, charged) == ("failed", [charged[0]] * 2)


def test_a_script_is_forked_in_the_middle_and_finished_calls_are_not_made_again(place: str) -> None:
    made: list[str] = []

    async def echo(task: Task) -> str:
        made.append(task.content)
        return task.content.upper()

    async def plan(ctx: ScriptContext) -> str:
        first = await ctx.task("one", type="echo")
        return f"{first} {await ctx.task(f'two after {first}', type='echo')}"

    run = Executor("rules", store=place, workers={"echo": echo}).run_script(plan)
    assert (run.result, made) == ("ONE TWO AFTER ONE", ["one", "two after ONE"])
    forked = Executor.fork(place, run.id, workers={"echo": echo}, script=plan, from_task="0.2")
    assert (forked.result, made[2:]) == ("ONE TWO AFTER ONE", ["two after ONE"])
    assert stored(place, run.id).record.status == "done"


# What people see


def test_a_fork_is_made_shown_and_compared_on_the_command_line(ramify: Ramify) -> None:
    ramify("solve", "-q", "--model", "rules", "(1 + 2) * 3")
    run_id = ramify("runs").out.split()[6]
    said = ramify("fork", run_id, "--set", "0.1=4 + 5")
    assert said.code == 0
    runs = ramify("runs").out
    fork_id = next(line.split()[0] for line in runs.splitlines() if f"fork of {run_id}" in line)
    assert said.out == "27\n"
    shown = ramify("show", fork_id).out
    assert f"forked from: run {run_id}, with 3 of 3 tasks done; paid for there: 6 calls" in shown
    compared = ramify("compare", run_id, fork_id).out
    assert "{+27+}" in compared or "27" in compared
    assert "Tasks that differ from the first run:\n  0: result: 9 -> 27\n  0.1: content: " in compared
    assert "result: 3 -> 9" in compared
    fields = json.loads(ramify("compare", run_id, fork_id, "--json").out)["variants"][1]["tasks"][0]["fields"]
    assert fields == {"result": {"old": "9", "new": "27"}}
    assert "0: result: 9 -&gt; 27" in ramify("compare", run_id, fork_id, "-f", "html").out
    assert ramify("show", run_id).out.count("forked") == 0
    assert ramify("fork", "nothing").code == 2


def test_the_report_of_a_fork_says_where_it_comes_from(tmp_path: Path) -> None:
    place = str(tmp_path / "runs.db")
    run = solve(GOAL, model=scripted(), store=place, jobs=1)
    forked = Executor.fork(place, run.id, agent=scripted(), from_task="0.3")
    words = forked.report(tmp_path / "fork.md").read_text()
    assert f"run {run.id}, with 9 of 9 tasks done" in words
    assert "2, and 13 taken over" in words
    variants = compare(run.id, forked.id, store=place).variants
    assert [each.usage.calls for each in variants] == [13, 2]


# Kills


@pytest.mark.parametrize(("failpoint", "runs"), [("during-fork-commit", 1), ("during-edit-commit", 1),
                                                 ("after-fork-commit", 2)])  # fmt: skip
def test_a_kill_leaves_a_whole_fork_or_none(tmp_path: Path, failpoint: str, runs: int) -> None:
    place = str(tmp_path / "runs.db")
    solve("(1 + 2) * 3", model="rules", store=place)
    words = ("fork", "--last", "--from", "0.1", "--store", place, "-q")
    assert ramify_process(*words, RAMIFY_FAILPOINT=failpoint).code == -signal.SIGKILL
    with Store.open(place) as store:
        found = store.runs()
        assert len(found) == runs
        assert store.check() == []
        open_tasks = [task.id for task in store.load_tree(found[0].id).walk() if task.state is TaskState.OPEN]
    assert open_tasks == ([] if runs == 1 else ["0", "0.1"])
    if runs == 2:
        assert ramify_process("resume", found[0].id, "--store", place, "-q").out == "9\n"
