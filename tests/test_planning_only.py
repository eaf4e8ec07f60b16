"""`decompose` from Python: a plan that was made in a stored run and not run."""

from pathlib import Path

import pytest
from ramify.planner import Executor, PlanLimits, RunLimits, decompose
from ramify.planner.errors import NoModelError, RunError, UsageError, WorkFailedError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState

PLAN = '<task id="a">Describe Oslo</task><task id="b" needs="a">Compare it with Rome</task>'


def planner() -> ScriptedModel:
    return ScriptedModel(lambda request: PLAN if request.task_id == "0" else "<atomic/>")


def test_the_plan_is_returned_and_nothing_has_run(tmp_path: Path) -> None:
    model = planner()
    root = decompose("Compare two cities", model=model, store=tmp_path / "runs.db")
    assert [task.content for task in root.subtasks] == ["Describe Oslo", "Compare it with Rome"]
    assert {task.state for task in root.walk()} == {TaskState.OPEN}
    assert {request.purpose for request in model.requests} == {"decompose"}


def test_the_run_of_a_plan_waits_and_can_be_resumed(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    decompose("Compare two cities", model=planner(), store=place)
    with Store.open(place) as store:
        record = store.last_run()
    assert record.status == "waiting"
    assert record.error == f"the plan is complete; `ramify resume {record.id}` runs it"
    run = Executor.resume(place, record.id, agent=ScriptedModel(lambda _: "<result>done</result>"))
    assert (run.status, run.result) == ("done", "done")


def test_a_goal_that_the_model_refuses_to_plan_is_an_error(tmp_path: Path) -> None:
    model = ScriptedModel(lambda _: '<failed reason="refused">no</failed>')
    with pytest.raises(WorkFailedError, match=r"no \(refused\)"):
        decompose("Compare two cities", model=model, store=tmp_path / "runs.db")


@pytest.mark.fault("3.4")
def test_a_goal_that_the_planner_cannot_split_is_a_tree_of_one(tmp_path: Path) -> None:
    model = ScriptedModel(lambda _: '<failed reason="missing_input">which cities?</failed>')
    assert not decompose("Compare two cities", model=model, store=tmp_path / "runs.db").subtasks


def test_nothing_is_run_while_it_is_written_down_that_the_plan_is_complete(tmp_path: Path) -> None:
    model = ScriptedModel({"decompose": "<task>Oslo</task><task>Bergen</task>", "*": "<result>x</result>"})
    decompose("Compare two cities", model=model, max_depth=2, store=tmp_path / "runs.db")
    assert [request.purpose for request in model.requests] == ["decompose"]


def test_a_goal_that_is_not_split_is_a_tree_of_one(tmp_path: Path) -> None:
    model = ScriptedModel(lambda _: "<atomic/>")
    assert not decompose("Compare two cities", model=model, store=tmp_path / "runs.db").subtasks


def test_what_rules_cannot_split_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoModelError):
        decompose("Plan a weekend in Rome", model="rules", store=tmp_path / "runs.db")


def test_an_unknown_keyword_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean max_depth"):
        decompose("Compare two cities", model="rules", max_dept=2, store=tmp_path / "runs.db")  # type: ignore[call-arg]


def test_a_run_without_a_plan_says_what_it_is(tmp_path: Path) -> None:
    executor = Executor(planner(), store=tmp_path / "r.db", plan=PlanLimits(), limits=RunLimits(max_calls=1))
    run = executor.new_run(Task(content="Compare two cities", id="0"), plan_only=True).start().wait()
    assert (run.status, run.is_planned) == ("stopped", False)
    with pytest.raises(RunError):
        _ = run.result
