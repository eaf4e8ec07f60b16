"""Tasks are ranked by time: by what they say, what their kind took, or all alike; and what a plan takes is told."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Executor
from ramify.planner.planning.expecting import Pace, expected_of, said_to_take
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.running.timing import times_known, times_left
from ramify.planner.store import Store
from ramify.planner.store.changes import TimesLearned
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState
from ramify.tasks.plans.plans import read_plan
from ramify.tasks.tree.edits import carry_over, redo
from ramify.tasks.tree.makespan import drive, makespan
from ramify.tasks.tree.node import Node
from ramify.tasks.tree.running import put
from ramify.tasks.tree.schedule import Scheduler
from ramify.tasks.tree.times import Times, Took

from .ramify_command import Ramify
from .store_samples import new_run, small_tree
from .test_graph import trees

GRAHAM = {1: 3, 2: 2, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 8: 4, 9: 9}
"""Seconds by task; 9 needs 1, and 5 to 8 need 4. Source: Graham 1969, doi:10.1137/0117039, figure 1."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Alike(Times):
    """Every task counts `unit`, and nothing is learned."""

    def __init__(self, unit: int) -> None:
        super().__init__()
        self._each = unit

    def of(self, _: Node) -> int:
        return self._each

    def has_moved(self) -> bool:
        return False


class Counted(Times):
    """Counts how often it is asked how long a task takes."""

    asked = 0

    def of(self, task: Node) -> int:
        self.asked += 1
        return super().of(task)


def leaf(task_id: str, seconds: float | None = None, *needs: str, kind: str | None = None) -> Task:
    return Task("x", id=task_id, expected_seconds=seconds, dependencies=list(needs), type=kind)


def graham() -> Task:
    root = Task("g", id="0", expected_seconds=0)
    needs = {9: ("1",), **dict.fromkeys((5, 6, 7, 8), ("4",))}
    root.add_subtasks(leaf(str(number), seconds, *needs.get(number, ())) for number, seconds in GRAHAM.items())
    return root


def said(task: Task) -> float:
    return task.expected_seconds or 0.0


def drained(scheduler: Scheduler, seconds_of: Callable[[Task], float] = lambda _: 0.0) -> list[str]:
    """Run everything, one task after the other, and return the order."""
    order: list[str] = []

    def noted(task: Task) -> float:
        order.append(task.id)
        return seconds_of(task)

    drive(scheduler, 1, noted)
    return order


@pytest.mark.parametrize("jobs", [3, 4])
def test_grahams_example_takes_twelve(jobs: int) -> None:
    assert drive(Scheduler(graham()), jobs, said) == 12


def test_grahams_example_takes_longer_with_more_jobs_where_times_are_not_looked_at() -> None:
    assert [drive(Scheduler(graham(), times=Alike(0)), jobs, said) for jobs in (3, 4)] == [12, 15]


def test_the_longest_way_is_begun_first_and_priority_comes_before_it() -> None:
    root = Task("g", id="0", subtasks=[leaf("short", 1), leaf("long", 9), leaf("last", 30, "short"), leaf("wanted", 2)])
    root.find("wanted").priority = 1
    assert drained(Scheduler(root)) == ["wanted", "short", "last", "long", "0"]


def test_what_a_task_says_counts_more_than_what_its_kind_took() -> None:
    times = Times({("model", False): Took(2, 100.0)})
    assert times.of(leaf("a", 3)) == 3_000_000
    assert times.of(leaf("b")) == 50_000_000
    assert (times.seconds(leaf("a", 3)), times.seconds(leaf("b")), times.seconds(leaf("c", kind="x"))) == (3, 50, None)


@given(trees(), st.integers(1, 3), st.floats(0, 0.1))
def test_with_no_times_known_tasks_run_as_if_each_took_one_step(root: Task, jobs: int, seconds: float) -> None:
    orders = []
    for times in (Times(), Alike(1)):
        order: list[str] = []

        def noted(task: Task, order: list[str] = order) -> float:
            order.append(task.id)
            return seconds * (len(order) % 2)

        drive(Scheduler(deepcopy(root), times=times), jobs, noted)
        orders.append(order)
    assert orders[0] == orders[1]


def mixed(count: int) -> Task:
    """A root over quick tasks, and as many slow ones behind them."""
    kinds = ["quick"] * count + ["slow"] * count
    return Task("g", id="0", type="list", subtasks=[leaf(f"{kind}{n}", kind=kind) for n, kind in enumerate(kinds)])


def test_a_kind_that_turns_out_to_be_slow_is_begun_first_from_then_on() -> None:
    root = mixed(4)
    root.find("slow7").priority = 1
    order = drained(Scheduler(root), lambda task: 60.0 if task.type == "slow" else 1.0)
    assert order == ["slow7", "quick0", "slow4", "slow5", "slow6", "quick1", "quick2", "quick3", "0"]


def test_what_earlier_runs_took_counts_until_this_one_knows_better() -> None:
    times = Times({("slow", False): Took(3, 180.0), ("quick", False): Took(5, 5.0)})
    assert drained(Scheduler(mixed(2), times=times), lambda task: 1.0)[:2] == ["slow2", "quick0"]


def test_quick_tasks_keep_their_order_whatever_a_clock_says() -> None:
    root = mixed(3)
    root.find("slow3").priority = 1
    order = drained(Scheduler(root), lambda task: 0.1 if task.type == "slow" else 0.001)
    assert order == ["slow3", "quick0", "quick1", "quick2", "slow4", "slow5", "0"]


def test_kinds_that_became_longer_alike_are_not_ranked_anew() -> None:
    times = Times({("a", False): Took(1, 10.0), ("b", False): Took(1, 20.0)})
    for kind, seconds in (("a", 30), ("b", 61)):
        done = leaf(kind, kind=kind)
        put(done, state=TaskState.DONE, started_at=BEGIN, completed_at=BEGIN + timedelta(seconds=seconds))
        times.ended.append(done)
    assert not times.has_moved()
    put(done, completed_at=BEGIN + timedelta(seconds=400))
    times.ended.append(done)
    assert times.has_moved()
    assert not times.has_moved()


@pytest.mark.parametrize("count", [100, 2_000])
def test_learning_costs_a_task_the_same_however_large_the_tree(count: int) -> None:
    times, steps = Counted(), iter(range(2 * count + 1))
    slower_and_slower = 2 ** (100 / count)  # so that the kinds are never what they were
    drive(Scheduler(mixed(count), times=times), 1, lambda task: slower_and_slower ** next(steps) % 1e9)
    assert 2 * 2 * count < times.asked <= (64 + 2) * 2 * (count + 1)


def test_a_clock_that_was_set_back_turns_no_time_around() -> None:
    done = leaf("a")
    put(done, state=TaskState.DONE, started_at=BEGIN, completed_at=BEGIN - timedelta(hours=1))
    assert Times().learn([done]).seconds(leaf("b")) == 0.0


def test_a_plan_is_simulated_and_stays_as_it_is() -> None:
    root = graham()
    before = root.to_json()
    assert makespan(root, 3, said) == 12
    assert makespan(root, 1, said) == sum(GRAHAM.values())
    assert root.to_json() == before


def test_what_is_left_of_a_plan_is_expected_to_take_what_the_scheduler_makes_of_it() -> None:
    root = graham()
    found = expected_of(root, Pace(3))
    assert found is not None
    assert (found.makespan_s, found.critical_path, found.critical_path_s) == (12, ["1", "9", "0"], 12)
    assert (found.work_s, found.unknown, said_to_take(root, 3)) == (34, 0, 12)
    root.find("1").move(TaskState.DONE)
    again = expected_of(root, Pace(3))
    assert again is not None
    assert (again.critical_path, again.makespan_s) == (["9", "0"], 11)
    assert said_to_take(root, 3) == 12


def test_tasks_of_which_nothing_is_known_are_counted_and_nothing_is_made_up() -> None:
    root = Task("g", id="0", subtasks=[leaf("a", 60), leaf("b", None, "a")])
    found = expected_of(root, Pace(8))
    assert found is not None
    assert dict(found.rows()) == {
        "expected time": "at least 1 min 0 s with 8 at a time, 1 min 0 s of work; not known of 2 tasks",
        "critical path": "2 tasks (at least 1 min 0 s): a > 0",
    }
    assert expected_of(small_tree(), Pace(8)) is None
    assert said_to_take(small_tree(), 8) is None


def test_what_a_run_took_is_known_to_those_after_it_by_model(store: Store) -> None:
    settings = RunSettings()
    for run_id, model, seconds in (("r1", "large", 10.0), ("r2", "large", 20.0), ("r3", "small", 1.0)):
        store.create_run(new_run(run_id, model=model), small_tree())
        learned = Times()
        for kind in (None, "shell"):
            done = leaf("a", kind=kind)
            put(done, state=TaskState.DONE, started_at=BEGIN, completed_at=BEGIN + timedelta(seconds=seconds))
            learned.ended.append(done)
        with store.write(run_id) as writer:
            for _ in range(2):  # as a run that is resumed says all again
                writer.put(*times_left(learned, model, settings))
                writer.flush()
    large, small = (times_known(store, model, settings) for model in ("large", "small"))
    assert (large.seconds(leaf("x")), small.seconds(leaf("x"))) == (15.0, 1.0)
    assert large.seconds(leaf("x", kind="shell")) == small.seconds(leaf("x", kind="shell")) == pytest.approx(31 / 3)
    assert large.seconds(small_tree()) is None, "nothing was composed"
    store.delete_runs(["r1", "r2", "r3"])
    assert store.times({"", "large", "small"}) == {}


def test_a_run_that_is_resumed_goes_by_what_it_has_done_itself(store: Store) -> None:
    store.create_run(new_run("r1", model="m"), small_tree())
    with store.write("r1") as writer:
        writer.put(TimesLearned.of(("model", False), Took(1, 500.0), model="m", at=1.0))
    root = small_tree()
    put(root.find("0.1"), state=TaskState.DONE, started_at=BEGIN, completed_at=BEGIN + timedelta(seconds=7))
    assert times_known(store, "m", RunSettings()).seconds(root.find("0.2")) == 500.0
    assert times_known(store, "m", RunSettings(), root).seconds(root.find("0.2")) == 7.0


def test_a_run_takes_its_order_from_the_runs_before_it_and_leaves_what_it_learned(tmp_path: Path) -> None:
    place, begun = tmp_path / "runs.db", list[str]()
    with Store.open(place) as store:
        store.create_run(new_run("before"), small_tree())
        with store.write("before") as writer:
            for kind, seconds in (("quick", 1.0), ("slow", 90_000.0)):
                writer.put(TimesLearned.of((kind, False), Took(1, seconds), model="", at=1.0))
    workers = {kind: lambda task: begun.append(task.id) or "done" for kind in ("quick", "slow")}  # type: ignore[func-returns-value]
    Executor(ScriptedModel("x"), store=place, workers=workers, jobs=1).run(mixed(2))
    assert begun[0] == "slow2", "the second slow one may turn out to be quick"
    with Store.open(place) as store:
        assert {kind: took.count for (_, kind), took in store.times({""}).items()} == {
            ("quick", False): 3,
            ("slow", False): 3,
        }


def test_what_comes_from_a_cache_took_no_time() -> None:
    done = leaf("a")
    put(done, state=TaskState.DONE, started_at=BEGIN, completed_at=BEGIN)
    times = Times().learn([done])
    assert len(list(times_left(times, "m", RunSettings()))) == 1
    assert list(times_left(times, "m", RunSettings(cache=True))) == []


PLAN = """\
goal: Prepare the trip
type: list
expected_seconds: 0
tasks:
  - {id: book, task: 1+1, expected_seconds: 30}
  - {id: pack, task: 2+2, expected_seconds: 600}
  - {id: go, task: 3+3, needs: [book], expected_seconds: 1200.5}
"""


def test_a_preview_tells_how_long_a_plan_is_expected_to_take(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    rows = (
        "expected time: 20 min 30 s with 8 at a time, 30 min 30 s of work\n"
        "critical path: 3 tasks (20 min 30 s): book > go > 0\n"
    )
    assert ramify("run", "--dry-run", "plan.yaml").out.endswith(f"\n\n{rows}")
    assert f"\n{rows}waves: 3\n" in ramify("run", "--estimate", "plan.yaml").out
    one = json.loads(ramify("run", "--estimate", "--json", "--jobs", "1", "plan.yaml").out)["estimate"]
    assert (one["expected"]["makespan_s"], one["critical_path"]) == (1830.5, ["book", "go", "0"])
    dry = json.loads(ramify("estimate", "--json", "--jobs", "1", "plan.yaml").out)
    assert dry["estimate"] == one


def test_a_plan_that_says_times_is_run_and_its_timeline_tells_them(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    assert ramify("run", "-q", "--model", "rules", "plan.yaml").code == 0
    found = json.loads(ramify("timeline", "--last", "--json").out)["timeline"]
    assert found["expected_s"] == 1230.5
    assert found["critical_path"][-1] == "0"
    assert 0 <= found["critical_path_s"] <= found["seconds"]
    shown = ramify("timeline", "--last", "-f", "svg").out
    assert "expected 20 min 30 s · critical path" in shown
    assert "on the critical path" in shown


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("-1", "it is -1; it must be at least 0"),
        ("1e10", "it is 10000000000.0; it must be at most 1,000,000,000"),
        ("soon", "must be a number, not text"),
    ],
)
def test_a_time_that_cannot_be_is_found_in_the_plan(ramify: Ramify, home: Path, value: str, message: str) -> None:
    (home / "plan.yaml").write_text(f"goal: g\ntasks:\n  - {{task: a, expected_seconds: {value}}}\n", encoding="utf-8")
    found = ramify("lint", "plan.yaml")
    assert (found.code, message in found.out + found.err) == (2, True)


def test_another_time_in_an_edited_plan_is_no_reason_to_do_anything_again() -> None:
    old = read_plan(PLAN, source="plan.yaml")
    old.find("pack").update_result("4")
    new = deepcopy(old)
    new.find("pack").expected_seconds = 5
    differences = carry_over(old, new)
    assert [(each.task_id, each.fields) for each in differences] == [("pack", {"expected_seconds": (600.0, 5.0)})]
    assert redo(new, differences, last_attempt=lambda _: 0) == []
