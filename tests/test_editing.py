"""Runs whose plan is changed: exactly what depends on the change is done again, all else is kept."""

import json
import signal
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, PlanLimits, Run, RunLimits
from ramify.planner.errors import LeaseError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.forms import EVENT_FORMS
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.running.editing import PlanEdit, edit_run, plan_history
from ramify.planner.store import Store
from ramify.planner.store.changes import RunChanged, TaskChanged
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState, TreeError
from ramify.tasks.plans.plans import read_plan, write_plan

from .ramify_command import ramify_process

PLAN = """
goal: Compare cities
tasks:
  - {id: north, task: The north, tasks: [{id: oslo, task: Oslo}, {id: bergen, task: Bergen}]}
  - {id: south, task: The south, tasks: [{id: rome, task: Rome}, {id: bari, task: Bari, needs: [rome]}]}
  - {id: table, task: A table, needs: [north], tasks: [{id: head, task: Its head}, {id: body, task: Its body}]}
  - {id: alone, task: Alone}
"""
EVERYTHING = {"0", "north", "oslo", "bergen", "south", "rome", "bari", "table", "head", "body", "alone"}


def answering() -> ScriptedModel:
    """Answer every task with its id and how many calls there were for it before."""
    counts: Counter[str] = Counter()

    def reply(request: ModelRequest) -> str:
        counts[request.task_id] += 1
        return f"<result>{request.task_id} {counts[request.task_id]}</result>"

    return ScriptedModel(reply)


def made(model: ScriptedModel, place: str) -> Run:
    run = Executor(model, store=place).run(read_plan(PLAN, source="plan"))
    assert run.status == "done"
    model.requests.clear()
    return run


def asked(model: ScriptedModel) -> set[str]:
    """Return for which tasks there were calls; for each exactly one."""
    counts = Counter(request.task_id for request in model.requests)
    assert set(counts.values()) <= {1}, counts
    return set(counts)


CHANGES: list[tuple[dict[str, Any], Iterable[str]]] = [
    ({"set": {"oslo": "Oslo in winter"}}, {"oslo", "north", "table", "head", "body", "0"}),
    ({"set": {"rome": "Rome in May"}}, {"rome", "bari", "south", "0"}),
    ({"set": {"bari": "Bari in May"}}, {"bari", "south", "0"}),
    ({"set": {"alone": "Together"}}, {"alone", "0"}),
    ({"set": {"alone": "Together", "bari": "Bari in May"}}, {"alone", "bari", "south", "0"}),
    ({"set": {"south": "The deep south"}}, {"south", "0"}),
    ({"set": {"north": "The far north"}}, {"north", "table", "head", "body", "0"}),
    ({"set": {"0": "Compare towns"}}, EVERYTHING),
    ({"set": {"0": "Compare cities\nin ten lines"}}, {"0"}),
    ({"set": {"alone": "Alone"}}, ()),
    ({"from_task": "bari"}, {"bari", "south", "0"}),
    ({"from_task": "table"}, {"table", "head", "body", "0"}),
    ({"from_task": "0"}, EVERYTHING),
    ({"from_task": ["bari", "alone"]}, {"bari", "south", "alone", "0"}),
    ({"set_result": {"rome": "my own words"}}, {"bari", "south", "0"}),
    ({"set_result": {"north": "my own words"}}, {"table", "head", "body", "0"}),
    ({"set_result": {"0": "my own words"}}, ()),
    ({"set_result": {"rome": "rome 1"}, "set": {"rome": "Rome in May"}}, {"bari", "south", "0"}),
]


@pytest.mark.parametrize(("change", "redone"), CHANGES)
def test_exactly_what_depends_on_a_change_is_done_again(
    tmp_path: Path, change: dict[str, Any], redone: Iterable[str]
) -> None:
    model = answering()
    place = str(tmp_path / "runs.db")
    first = made(model, place)
    before = {task.id: (task.result, task.attempts) for task in first.task.walk()}
    run = Executor.resume(place, first.id, agent=model, **change)
    assert (run.status, asked(model)) == ("done", set(redone))
    given = change.get("set_result", {})
    for task in run.task.walk():
        if task.id in redone:
            assert (task.result, task.attempts) == (f"{task.id} 2", 2)
        else:
            assert (task.result, task.attempts) == (given.get(task.id, before[task.id][0]), before[task.id][1])
    with Store.open(place) as store:
        assert {call.key.attempt for call in store.calls(first.id) if call.key.task_id in redone} <= {1, 2}
        calls = Counter(call.key.task_id for call in store.calls(first.id))
    assert calls == Counter([*EVERYTHING, *redone])
    assert run.usage.calls == len(EVERYTHING) + len(set(redone))


def test_the_same_is_true_on_each_database(place: str) -> None:
    model = answering()
    first = made(model, place)
    run = Executor.resume(place, first.id, agent=model, set={"rome": "Rome in May"}, from_task="alone")
    assert asked(model) == {"rome", "bari", "south", "alone", "0"}
    assert run.result == "0 2"
    assert "Rome in May" in next(str(request.messages) for request in model.requests if request.task_id == "rome")


def test_results_that_have_arrived_for_an_attempt_that_was_killed_are_not_taken_for_the_new_one(place: str) -> None:
    model = answering()
    root = Task(content="Alone", id="0")
    with Store.open(place) as store:
        run = Executor(model, store=place).run(root)
        with store.write(run.id) as writer:  # as a kill leaves it: the reply is there, and the task is not finished
            writer.put(TaskChanged.of(Task(content="Alone", id="0")), RunChanged.of(status="running"))
    assert Executor.resume(place, run.id, agent=model).result == "0 1", "without a wish the reply is taken"
    with Store.open(place) as store, store.write(run.id) as writer:
        writer.put(TaskChanged.of(Task(content="Alone", id="0")), RunChanged.of(status="running"))
    again = Executor.resume(place, run.id, agent=model, from_task="0")
    assert (again.result, again.task.attempts, len(model.requests)) == ("0 2", 2, 2)


def test_a_task_that_failed_can_be_said_differently(tmp_path: Path) -> None:
    def reply(request: ModelRequest) -> str:
        is_hopeless = request.task_id == "rome" and "Rome in May" not in str(request.messages)
        return '<failed reason="impossible">no</failed>' if is_hopeless else f"<result>{request.task_id}</result>"

    model = ScriptedModel(reply)
    place = str(tmp_path / "runs.db")
    first = Executor(model, store=place).run(read_plan(PLAN, source="plan"))
    assert first.status == "failed"
    model.requests.clear()
    run = Executor.resume(place, first.id, agent=model, set={"rome": "Rome in May"})
    assert (run.status, asked(model)) == ("done", {"rome", "bari", "south", "0"})


def test_a_person_can_stand_in_for_a_task_that_failed(tmp_path: Path) -> None:
    def reply(request: ModelRequest) -> str:
        return '<failed reason="impossible">no</failed>' if request.task_id == "rome" else "<result>yes</result>"

    model = ScriptedModel(reply)
    place = str(tmp_path / "runs.db")
    first = Executor(model, store=place).run(read_plan(PLAN, source="plan"))
    model.requests.clear()
    run = Executor.resume(place, first.id, agent=model, set_result={"south": "It is warm there"})
    assert (run.status, asked(model)) == ("done", {"0"})
    assert run.task.find("bari").state is TaskState.DELETED
    assert "It is warm there" in str(model.requests[0].messages)


def test_a_whole_edited_plan_is_gone_on_with(place: str) -> None:
    model = answering()
    first = made(model, place)
    plan = read_plan(write_plan(first.task), source="plan")
    plan.find("south").remove_subtask("bari")
    plan.add_subtask(Task(content="Prices", id="prices", dependencies=["rome"]))
    plan.find("alone").add_dependency("south")
    run = Executor.resume(place, first.id, agent=model, plan=plan)
    assert (run.status, asked(model)) == ("done", {"south", "prices", "alone", "0"})
    assert run.task.find("bari").state is TaskState.DELETED
    assert run.task.find("prices").origin == "added"
    assert "Bari" not in next(str(request.messages) for request in model.requests if request.task_id == "south")
    with Store.open(place) as store:
        assert store.check() == []
        stored = store.load_tree(first.id)
        (edited,) = [event for event in plan_history(store, first.id) if event.type == "plan_edited"]
    assert write_plan(stored) == write_plan(run.task)
    assert {change["task"]: (change["change"], change["fields"]) for change in edited.data["changes"]} == {
        "alone": ("changed", {"dependencies": {"old": [], "new": ["south"]}}),
        "prices": ("added", {"content": {"old": None, "new": "Prices"}, "parent": {"old": None, "new": "0"}}),
        "bari": ("removed", {"content": {"old": "Bari", "new": None}, "parent": {"old": "south", "new": None}}),
    }
    assert {name: type(value) for name, value in edited.data.items()} == EVENT_FORMS[EventType.PLAN_EDITED].data
    assert set(edited.data["redone"]) == {"south", "alone", "0"}


def test_a_plan_without_results_keeps_those_of_the_run(tmp_path: Path) -> None:
    model = answering()
    place = str(tmp_path / "runs.db")
    first = made(model, place)
    run = Executor.resume(place, first.id, agent=model, plan=read_plan(PLAN, source="plan"))
    assert (run.result, asked(model)) == ("0 1", set())


def test_a_plan_that_was_cut_short_is_replaced_by_a_persons(tmp_path: Path) -> None:
    place = str(tmp_path / "runs.db")
    planner = ScriptedModel({"*": '<task id="a">Describe Oslo</task><task id="b">Describe Rome</task>'})
    executor = Executor(planner, store=place, plan=PlanLimits(), limits=RunLimits(max_calls=1))
    first = executor.run(Task(content="Compare cities", id="0"))
    assert first.status == "stopped"
    model = answering()
    run = Executor.resume(place, first.id, agent=model, plan=read_plan(PLAN, source="plan"), limits=RunLimits())
    assert (run.status, {request.purpose for request in model.requests}) == ("done", {"execute", "compose"})
    assert asked(model) == EVERYTHING
    assert {task.id for task in run.task.walk() if task.state is TaskState.DELETED} == {"0.1", "0.2"}


def test_tasks_that_are_put_elsewhere_are_done_again_there(tmp_path: Path) -> None:
    model = answering()
    place = str(tmp_path / "runs.db")
    first = made(model, place)
    plan = read_plan(PLAN, source="plan")
    oslo = plan.find("oslo")
    plan.find("north").remove_subtask("oslo")
    plan.find("south").add_subtask(oslo)
    Executor.resume(place, first.id, agent=model, plan=plan)
    assert asked(model) == {"oslo", "north", "south", "table", "head", "body", "0"}


def test_an_unknown_id_is_refused_with_what_may_have_been_meant(tmp_path: Path) -> None:
    place = str(tmp_path / "runs.db")
    first = made(answering(), place)
    with pytest.raises(TreeError, match=r"there is no task olso .*; did you mean oslo"):
        Executor.resume(place, first.id, agent=answering(), set={"olso": "x"})
    with pytest.raises(UsageError, match="task oslo gets a result and is also to run again"):
        Executor.resume(place, first.id, agent=answering(), set_result={"oslo": "mine"}, from_task="oslo")
    with pytest.raises(UsageError, match="the new content of task oslo is blank"):
        Executor.resume(place, first.id, agent=answering(), set={"oslo": " "})
    with pytest.raises(UsageError, match="a worker 'nobody'"):
        Executor.resume(place, first.id, agent=answering(), plan=read_plan("goal: x\ntype: nobody", source="plan"))
    with pytest.raises(TreeError, match="give the plan's goal the id 0"):
        Executor.resume(place, first.id, agent=answering(), plan=read_plan("goal: x\nid: y", source="plan"))
    with Store.open(place) as store:
        assert store.find_run(first.id).status == "done"
        assert plan_history(store, first.id) == []


def test_a_run_that_somebody_holds_is_not_edited(tmp_path: Path) -> None:
    place = str(tmp_path / "runs.db")
    first = made(answering(), place)
    with Store.open(place) as store, store.write(first.id), pytest.raises(LeaseError):
        edit_run(store, first.id, PlanEdit(contents={"oslo": "x"}), check=lambda *_: None)


def test_an_edit_alone_leaves_a_run_that_waits(tmp_path: Path) -> None:
    model = answering()
    place = str(tmp_path / "runs.db")
    first = made(model, place)
    with Store.open(place) as store:
        edit_run(store, first.id, PlanEdit(contents={"alone": "x"}), check=lambda *_: None)
        record = store.find_run(first.id)
        assert (record.status, record.finished_at) == ("waiting", None)
    run = Executor.resume(place, first.id, agent=model)
    assert (run.status, asked(model)) == ("done", {"alone", "0"})


@pytest.mark.parametrize(("point", "is_kept"), [("during-edit-commit", False), ("after-edit-commit", True)])
def test_a_kill_around_an_edit_keeps_all_of_it_or_nothing(home: Path, point: str, is_kept: bool) -> None:  # noqa: FBT001
    run_id = json.loads(ramify_process("solve", "--model", "rules", "--json", "(1+2)*(3+4)*(0+1)").out)["run"]
    edit = ("resume", run_id, "--set", "0.1=5+5", "--set", "0.2=6+6")
    assert ramify_process(*edit, RAMIFY_FAILPOINT=point).code == -signal.SIGKILL
    with Store.open(home / ".ramify" / "ramify.db") as store:
        stored = store.load_tree(run_id)
        calls = len(store.calls(run_id))
        assert store.check() == []
        assert (len(plan_history(store, run_id)), store.find_run(run_id).status) == (
            (2, "waiting") if is_kept else (1, "done")
        )
    assert (stored.find("0.1").content, stored.find("0.2").content) == (("5+5", "6+6") if is_kept else ("1+2", "3+4"))
    changed = [stored, stored.find("0.1"), stored.find("0.2")]
    assert {task.state for task in changed} == {TaskState.OPEN if is_kept else TaskState.DONE}
    assert ramify_process("resume", run_id).out == ("120\n" if is_kept else "21\n")
    with Store.open(home / ".ramify" / "ramify.db") as store:
        assert len(store.calls(run_id)) == calls + (3 if is_kept else 0)


FLAKY = """
from pathlib import Path
from ramify.planner import worker

@worker
def flaky(task):
    if not Path("ready").exists():
        raise ValueError(f"{task.id} is not ready")
    return task.id
"""
FLAKY_PLAN = """
goal: All
config: {max_retries: 0}
tasks:
  - {id: a, task: a, type: flaky}
  - {id: b, task: b, type: flaky}
  - {id: c, task: c, type: flaky}
  - {id: d, task: d, type: flaky, needs: [a]}
"""


@pytest.mark.fault("2.1")
def test_failed_tasks_that_are_opened_stay_so_wherever_the_process_is_killed(home: Path) -> None:
    (home / "flaky.py").write_text(FLAKY, encoding="utf-8")
    (home / "plan.yaml").write_text(FLAKY_PLAN, encoding="utf-8")
    assert ramify_process("run", "plan.yaml", "--workers", "flaky.py", "--model", "rules").code == 1
    (home / "ready").touch()
    resume = ("resume", "--last", "--jobs", "1")
    for option, point, has_failed in [
        ("--retry-failed", "during-edit-commit", True),
        ("--quiet", None, True),  # nobody has asked for another attempt yet
        ("--retry-failed", "after-edit-commit", False),
        ("--quiet", "before-running-commit", False),
        ("--quiet", "after-done-commit", False),
        ("--quiet", None, False),
    ]:
        code = ramify_process(*resume, option, RAMIFY_FAILPOINT=point or "").code
        assert code == (-signal.SIGKILL if point else int(has_failed)), option
        with Store.open(home / ".ramify" / "ramify.db") as store:
            tree = store.load_tree(store.last_run().id)
            assert any(task.state is TaskState.FAILED for task in tree.walk()) == has_failed, (option, point)
            assert store.check() == []
    assert {task.id: task.attempts for task in tree.walk()} == {"0": 1, "a": 2, "b": 2, "c": 2, "d": 1}


@pytest.mark.fault("2.1")
def test_failed_tasks_are_opened_together_with_what_is_changed(place: str) -> None:
    def reply(request: ModelRequest) -> str:
        is_hopeless = request.task_id in {"oslo", "rome"} and len(model.requests) < 9
        return '<failed reason="impossible">no</failed>' if is_hopeless else f"<result>{request.task_id}</result>"

    model = ScriptedModel(reply)
    first = Executor(model, store=place).run(read_plan(PLAN, source="plan"))
    assert first.status == "failed"
    with Store.open(place) as store:
        edit_run(store, first.id, PlanEdit(contents={"alone": "x"}, failed=True), check=lambda *_: None)
        assert {task.state for task in store.load_tree(first.id).walk()} == {TaskState.OPEN, TaskState.DONE}
        (edited,) = plan_history(store, first.id)
        assert edited.data["redone"] == ["0", "alone", "north", "oslo", "south", "rome"]
        assert store.find_run(first.id).status == "waiting"


@pytest.mark.fault("2.1")
def test_what_cannot_go_on_so_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    place = str(tmp_path / "runs.db")
    model = ScriptedModel({"*": '<failed reason="impossible">no</failed>'})
    plan = read_plan("goal: g\nid: '0'", source="plan")
    first = Executor(model, store=place).run(plan)
    for options in ({"middleware": [object()]}, {"record": str(tmp_path)}, {"limits": None, "jobs": 0}):
        with pytest.raises(UsageError):
            Executor.resume(place, first.id, agent=model, retry_failed=True, **options)
    edited = read_plan("goal: h\nid: '0'\ntype: nobody", source="plan")
    with pytest.raises(UsageError, match="nobody"):
        Executor.resume(place, first.id, agent=model, plan=edited)
    assert (edited.state, edited.attempts, edited.error) == (TaskState.OPEN, 0, None)
    with Store.open(place) as store:
        assert (store.load_tree(first.id).state, plan_history(store, first.id)) == (TaskState.FAILED, [])


def test_a_task_that_is_done_again_has_all_its_attempts(tmp_path: Path) -> None:
    place = str(tmp_path / "runs.db")
    model = ScriptedModel(["<result>1</result>"])
    root = read_plan("goal: g\nconfig: {max_retries: 1, retry_delay_seconds: 0}", source="plan")
    run = Executor(model, store=place).run(root)
    assert run.result == "1"
    model = ScriptedModel(lambda _: "<result>2</result>" if len(model.requests) > 1 else "<result>")
    assert Executor.resume(place, run.id, agent=model, from_task="0").result == "2"
