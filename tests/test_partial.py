"""Answers from what there is: what fails is left out and said, the run is `partial`, and only that is done again."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Executor, Run
from ramify.planner.cli.exits import PARTIAL
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.prompt_variables import compose_variables
from ramify.tasks.tree.edits import give_result
from ramify.tasks.tree.partial import MOST_MISSING, is_partial, missing_below, missing_words
from ramify.tasks.tree.schedule import Scheduler

from .ramify_command import Ramify
from .test_graph import trees

NO = '<failed reason="missing_input">the page is gone</failed>'
ANSWERED = {"execute": "<result>done</result>", "compose": "<result>together</result>"}
LINE = "task 0.2 (b) failed: the page is gone (missing_input)"


def tree(*children: Task) -> Task:
    root = Task("Compare them", id="0", config=TaskConfig(max_retries=0))
    root.add_subtasks(children or [Task("a", id="0.1"), Task("b", id="0.2"), Task("c", id="0.3")])
    return root


def ran(place: Path, root: Task, replies: dict[str, str], on_error: Any = "partial", **more: Any) -> Run:
    return Executor(ScriptedModel({**ANSWERED, **replies}), store=place / "r.db", on_error=on_error, **more).run(root)


def states(root: Task) -> dict[str, str]:
    return {task.id: task.state.value for task in root.walk()}


def test_a_parent_is_composed_from_what_there_is_and_says_what_is_missing_and_why(tmp_path: Path) -> None:
    run = ran(tmp_path, tree(), {"0.2": NO})
    assert (run.status, run.result, run.gaps) == ("partial", "together", (LINE,))
    assert run.error == f"the answer lacks 1 part: {LINE}"
    assert states(run.task) == {"0": "DONE", "0.1": "DONE", "0.2": "FAILED", "0.3": "DONE"}


@pytest.mark.parametrize("on_error", ["continue", "stop"])
def test_a_run_that_is_not_to_answer_in_part_fails(tmp_path: Path, on_error: str) -> None:
    assert ran(tmp_path, tree(), {"0.2": NO}, on_error).status == "failed"


def test_nothing_is_missing_where_nothing_failed(tmp_path: Path) -> None:
    run = ran(tmp_path, tree(), {})
    assert (run.status, run.error, run.gaps) == ("done", None, ())


def test_the_models_own_gaps_come_after_the_missing_parts(tmp_path: Path) -> None:
    run = ran(tmp_path, tree(), {"0.2": NO, "compose": "<result>x</result><gap>All is old.</gap>"})
    assert run.gaps == (LINE, "All is old.")


def test_a_parent_whose_subtasks_have_all_failed_fails_because_of_the_first_whichever_failed_last(
    tmp_path: Path,
) -> None:
    run = ran(tmp_path, tree(), {"execute": NO})
    assert (run.status, run.error) == ("failed", "subtask 0.1 failed: the page is gone (missing_input)")


def test_what_needs_a_failed_task_fails_and_is_missing_too(tmp_path: Path) -> None:
    group = Task("group", id="0.3", dependencies=["0.2"])
    root = tree(Task("a", id="0.1"), Task("b", id="0.2"), group, Task("last", id="0.4", dependencies=["0.3"]))
    group.add_subtask(Task("inside", id="0.3.1"))
    run = ran(tmp_path, root, {"0.2": NO})
    assert states(root) == {
        "0": "DONE", "0.1": "DONE", "0.2": "FAILED", "0.3": "FAILED", "0.3.1": "FAILED", "0.4": "FAILED",
    }  # fmt: skip
    assert run.gaps == (
        LINE,
        "task 0.3 (group) failed: it needs task 0.2, which has failed",
        "task 0.4 (last) failed: it needs task 0.3, which has failed",
    )


def test_what_needs_a_task_that_was_answered_in_part_runs(tmp_path: Path) -> None:
    group = Task("group", id="0.1")
    group.add_subtasks([Task("x", id="0.1.1"), Task("y", id="0.1.2")])
    root = tree(group, Task("after", id="0.2", dependencies=["0.1"]))
    run = ran(tmp_path, root, {"0.1.2": NO})
    assert states(root)["0.2"] == "DONE"
    assert run.gaps == group.gaps == ("task 0.1.2 (y) failed: the page is gone (missing_input)",)


def test_the_prompt_says_which_parts_are_missing_and_why_as_data(tmp_path: Path) -> None:
    model = ScriptedModel({**ANSWERED, "0.2": NO})
    Executor(model, store=tmp_path / "r.db", on_error="partial").run(tree())
    (asked,) = [request.messages[-1]["content"] for request in model.requests if request.purpose == "compose"]
    assert f'kind="missing">\n{LINE}\n</data-' in asked
    assert "names a part that failed" in asked
    assert 'id="0.2"' not in asked


def test_a_prompt_where_nothing_failed_is_as_ever(tmp_path: Path) -> None:
    model = ScriptedModel(ANSWERED)
    Executor(model, store=tmp_path / "r.db", on_error="partial").run(tree())
    assert "missing" not in model.requests[-1].messages[-1]["content"]


def test_what_is_said_of_missing_parts_is_bounded() -> None:
    failed = [Task("b" * 5_000, id=f"0.{n}", state="FAILED", error="why\n" * 5_000) for n in range(1, 101)]
    root = tree(*failed, Task("last", id="0.101", state="DONE", result="r"))
    words = compose_variables(root).missing
    assert len(words) == MOST_MISSING + 1
    assert words[-1] == "and 80 more tasks failed"
    assert all(len(line) < 600 and "\n" not in line for line in words)


def test_a_persons_own_result_lacks_nothing() -> None:
    root = tree(Task("b", id="0.1", state="FAILED"))
    give_result(root, "mine")
    assert (is_partial(root), [each.id for each in missing_below(root)]) == (False, ["0.1"])


def test_retrying_does_the_failed_leaf_and_the_composed_ones_again_and_nothing_else(tmp_path: Path) -> None:
    group = Task("group", id="0.1")
    group.add_subtasks([Task("x", id="0.1.1"), Task("y", id="0.1.2")])
    root = tree(group, Task("apart", id="0.2"), Task("late", id="0.3", dependencies=["0.1.2"]))
    first = ran(tmp_path, root, {"0.1.2": NO})
    assert first.status == "partial"
    model = ScriptedModel(ANSWERED)
    again = Executor.resume(tmp_path / "r.db", first.id, agent=model, retry_failed=True)
    assert (again.status, again.gaps, again.error) == ("done", (), None)
    asked = sorted(f"{request.purpose} {request.task_id}" for request in model.requests)
    assert asked == ["compose 0", "compose 0.1", "execute 0.1.2", "execute 0.3"]


def test_what_was_made_from_a_partial_answer_is_made_again_with_it(tmp_path: Path) -> None:
    group = Task("group", id="0.1")
    group.add_subtasks([Task("x", id="0.1.1"), Task("y", id="0.1.2")])
    root = tree(group, Task("apart", id="0.2"), Task("after", id="0.3", dependencies=["0.1"]))
    first = ran(tmp_path, root, {"0.1.2": NO})
    model = ScriptedModel(ANSWERED)
    Executor.resume(tmp_path / "r.db", first.id, agent=model, retry_failed=True)
    assert sorted(request.task_id for request in model.requests) == ["0", "0.1", "0.1.2", "0.3"]


def test_a_partial_run_that_is_only_resumed_stays_as_it_is(tmp_path: Path) -> None:
    first = ran(tmp_path, tree(), {"0.2": NO})
    model = ScriptedModel(ANSWERED)
    again = Executor.resume(tmp_path / "r.db", first.id, agent=model)
    assert (again.status, again.result, model.requests) == ("partial", "together", [])


def test_a_run_that_failed_can_be_answered_in_part_later(tmp_path: Path) -> None:
    first = ran(tmp_path, tree(), {"0.2": NO}, "continue")
    model = ScriptedModel({**ANSWERED, "0.2": NO})
    again = Executor.resume(tmp_path / "r.db", first.id, agent=model, retry_failed=True, on_error="partial")
    assert (again.status, again.gaps) == ("partial", (LINE,))
    assert sorted(request.task_id for request in model.requests) == ["0", "0.2"]


def test_a_run_that_was_stopped_between_a_failure_and_its_answer_goes_on(tmp_path: Path) -> None:
    root = tree(*(Task(each, id=f"0.{n}") for n, each in enumerate("abcd", 1)))
    root.find("0.4").add_dependency("0.2")
    run = ran(tmp_path, root, {"0.2": NO}, max_calls=3)
    assert (run.status, states(root)["0"], states(root)["0.4"]) == ("stopped", "OPEN", "FAILED")
    model = ScriptedModel(ANSWERED)
    again = Executor.resume(tmp_path / "r.db", run.id, agent=model, max_calls=99)
    assert (again.status, [request.task_id for request in model.requests]) == ("partial", ["0"])


def test_everybody_is_told(tmp_path: Path, ramify: Ramify) -> None:
    run = ran(tmp_path, tree(), {"0.2": NO})
    store = ("--store", str(tmp_path / "r.db"))
    assert "partial" in ramify("runs", "--status", "partial", *store).out
    shown = ramify("show", run.id, *store).out
    assert f"run: {run.id}, partial" in shown
    assert f"not covered: {LINE}" in shown
    report = ramify("report", run.id, "-o", str(tmp_path / "r.html"), *store)
    assert report.code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<span class="pill partial">partial</span>' in page
    assert LINE in page
    assert run.to_data()["status"] == "partial"


def test_the_command_prints_the_answer_what_it_lacks_and_how_to_go_on(tmp_path: Path, ramify: Ramify) -> None:
    replies = tmp_path / "replies.txt"
    replies.write_text("<result>one</result>\n---\n<failed reason='other'>gone</failed>\n---\n<result>all</result>\n")
    plan = tmp_path / "plan.yaml"
    plan.write_text("goal: Both\nconfig: {max_retries: 0}\ntasks: [a, b]\n")
    said = ramify(
        "run", str(plan), "--model", f"human:{replies}", "--on-error", "partial", "--jobs", "1",
        "--store", str(tmp_path / "r.db"),
    )  # fmt: skip
    assert (said.code, said.out) == (PARTIAL, "all\n")
    assert "not covered: task " in said.err
    assert said.last_line.startswith("ramify resume ")
    assert "--retry-failed" in said.last_line


@given(trees(), st.randoms(use_true_random=False), st.floats(0, 1))
def test_every_run_ends_and_only_what_could_not_run_has_failed(root: Task, random: Random, share: float) -> None:
    scheduler = Scheduler(root)
    own: set[Task] = set()
    for _ in range(3 * sum(1 for _ in root.walk())):
        task = scheduler.pop()
        if task is None:
            break
        assert task.state is TaskState.OPEN
        if random.random() < share:
            own.add(task)
            task.move(TaskState.FAILED)
            for other, _ in scheduler.given_up(task):
                other.move(TaskState.FAILED)
        else:
            task.finish("r", gaps=missing_words(task))
            scheduler.finished(task)
    assert all(task.state in {TaskState.DONE, TaskState.FAILED} for task in root.walk())
    by_id = {task.id: task for task in root.walk()}
    for task in root.walk():
        needs = [by_id[need].state for each in [task, *task.ancestors()] for need in each.dependencies]
        below = [child.state for child in task.subtasks]
        if task.state is TaskState.FAILED and task not in own:
            assert TaskState.FAILED in needs or (below and set(below) == {TaskState.FAILED})
        elif task.state is TaskState.DONE:
            assert TaskState.FAILED not in needs
            assert not below or TaskState.DONE in below
