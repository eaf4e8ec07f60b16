"""Gaps: what an answer does not cover is kept and shown beside it, and is never a part of it."""

from pathlib import Path

import pytest
from ramify.planner import Executor, PlanLimits, Run
from ramify.planner.cli.records import task_text
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers import Outcome
from ramify.tasks import Check, Task, TaskConfig
from ramify.tasks.tree.edits import give_result

from .ramify_command import ramify_process

pytestmark = pytest.mark.fault("3.6")

MAY = "May is missing."
REPLIES = {
    "decompose": "<task>Count April</task><task>Count May</task>",
    "execute 0.1": f"<result>40</result><gap>{MAY}</gap>",
    "execute 0.2": "<result>2</result><gap>None</gap>",
    "compose": "<result>42</result><gap>- nothing</gap>",
}


def ran(place: Path, **more: object) -> tuple[Run, ScriptedModel]:
    model = ScriptedModel(REPLIES)
    executor = Executor(model, store=place / "r.db", plan=PlanLimits(max_depth=2), **more)  # type: ignore[arg-type]
    return executor.run(Task(content="Count", id="0", config=TaskConfig(max_retries=0))), model


def test_gaps_are_kept_beside_the_result_and_not_handed_on(tmp_path: Path) -> None:
    run, model = ran(tmp_path)
    assert [(task.result, task.gaps) for task in run.task.walk()] == [("42", ()), ("40", (MAY,)), ("2", ())]
    (composed,) = (request for request in model.requests if request.purpose == "compose")
    assert MAY not in composed.messages[-1]["content"]
    assert "Not covered" not in composed.messages[-1]["content"]


def test_gaps_are_stored_and_written_and_read_again(tmp_path: Path) -> None:
    run, _ = ran(tmp_path)
    with Store.open(tmp_path / "r.db") as store:
        assert store.load_tree(run.id).find("0.1").gaps == (MAY,)
    assert Task.from_json(run.task.to_json()).find("0.1").gaps == (MAY,)
    assert [task.get("gaps") for task in run.to_data()["tasks"]] == [None, [MAY], None]


def test_gaps_are_shown_where_people_read(tmp_path: Path) -> None:
    run, _ = ran(tmp_path)
    assert f"not covered: {MAY}\n" in task_text(run.task.find("0.1"))
    assert "not covered" not in task_text(run.task)
    run.report(tmp_path / "r.html")
    assert MAY in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_answer_alone_stands_on_standard_output(tmp_path: Path) -> None:
    replies = tmp_path / "replies.txt"
    replies.write_text(f"<result>42</result><gap>{MAY}</gap>\n", encoding="utf-8")
    words = ("--model", f"human:{replies}", "--max-depth", "1", "--store", str(tmp_path / "r.db"))
    said = ramify_process("solve", "-q", "Add up", *words)
    assert (said.code, said.out) == (0, "42\n")
    assert f"not covered: {MAY}" in said.err.splitlines()


def test_a_check_does_not_see_gaps(tmp_path: Path) -> None:
    model = ScriptedModel(["<result>42</result><gap>The unit.</gap>"])
    task = Task(content="Count", id="0", checks=(Check(matches=r"^[0-9]+$"),), config=TaskConfig(max_check_rounds=0))
    run = Executor(model, store=tmp_path / "r.db").run(task)
    assert (run.status, run.result, run.task.gaps) == ("done", "42", ("The unit.",))


def test_a_result_of_another_has_no_gaps() -> None:
    for change in (Task.reset, lambda task: give_result(task, "43")):
        task = Task(content="Count", id="0", result="42", state="DONE", gaps=(MAY,))
        change(task)
        assert task.gaps == ()


def test_a_worker_and_a_middleware_may_say_gaps(tmp_path: Path) -> None:
    class Doubting:
        def after(self, task: Task, outcome: Outcome) -> Outcome:
            return Outcome(outcome.text, gaps=(*outcome.gaps, f"{task.id} was not checked."))

    run, _ = ran(tmp_path, middleware=[Doubting()])
    assert run.task.gaps == ("0 was not checked.",)
    assert run.task.find("0.1").gaps == (MAY, "0.1 was not checked.")
