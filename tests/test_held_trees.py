"""A tree that a run has is changed by the run alone: whatever else is tried is refused, with the way that works."""

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Outcome, Run, WorkContext, worker
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import DependencyError, HeldError, Task, TaskManager, TaskState, TreeError

from .patience import HANG_S

COMPOSED = ScriptedModel({"*": "<result>all</result>"})
STATE, TASKS, WORDS = "a worker returns its task's result", "context.spawn(task)", "--set ID=TEXT"


def two(**first: Any) -> Task:
    root = Task(content="all", id="0")
    root.add_subtasks(
        [Task(content="first", id="0.1", type="first", **first), Task(content="then", id="0.2", type="then")]
    )
    root.find("0.2").add_dependency("0.1")
    return root


CHANGES: list[tuple[Callable[[Task], object], str]] = [
    (lambda task: task.set_state("DONE"), STATE),
    (lambda task: task.set_state(TaskState.DELETED), STATE),
    (lambda task: task.update_result("mine"), STATE),
    (lambda task: task.reset(), STATE),
    (lambda task: task.move(TaskState.FAILED), STATE),
    (lambda task: task.finish("mine"), STATE),
    (lambda task: setattr(task, "state", "FAILED"), STATE),
    (lambda task: setattr(task, "result", "mine"), STATE),
    (lambda task: setattr(task, "error", "mine"), STATE),
    (lambda task: setattr(task, "attempts", 7), STATE),
    (lambda task: task.add_subtask(Task(content="more")), TASKS),
    (lambda task: task.add_subtasks([Task(content="more")]), TASKS),
    (lambda task: task.subtasks.insert(0, Task(content="more")), TASKS),
    (lambda task: task.decompose(lambda _: "<task>a</task><task>b</task>"), TASKS),
    (lambda task: TaskManager(task).set_tasks_dependence(task, [Task(content="more")]), TASKS),
    (lambda task: task.set_id("other"), WORDS),
    (lambda task: setattr(task, "id", "other"), WORDS),
    (lambda task: setattr(task, "content", "other"), WORDS),
    (lambda task: setattr(task, "inputs", {"a": 1}), WORDS),
    (lambda task: setattr(task, "type", "other"), WORDS),
    (lambda task: setattr(task, "dependencies", []), WORDS),
    (lambda task: task.find("0.1").add_dependency("0.3"), WORDS),
    (lambda task: task.find("0").remove_subtask(task.id), WORDS),
    (lambda task: task.find("0").subtasks.clear(), WORDS),
]


def shape(root: Task) -> list[tuple[Any, ...]]:
    return [(task.id, task.content, task.state, task.result, tuple(task.dependencies)) for task in root.walk()]


@pytest.mark.fault("2.9")
def test_no_worker_and_no_other_thread_changes_a_tree_that_is_run(tmp_path: Path) -> None:
    refused: list[str] = []
    is_reached, is_tried = threading.Event(), threading.Event()

    def try_all(task: Task) -> None:
        for change, way in CHANGES:
            before = shape(run.task)
            with pytest.raises(HeldError) as caught:
                change(task)
            assert shape(run.task) == before
            assert f"run {run.id}" in str(caught.value)
            assert way in str(caught.value)
            refused.append(str(caught.value))

    @worker
    def first(context: WorkContext) -> str:
        is_reached.set()
        assert is_tried.wait(HANG_S)
        try_all(context.task)
        return "one"

    @worker
    async def then(context: WorkContext) -> str:
        try_all(context.task)
        return "two"

    root = two()
    root.add_subtask(Task(content="other", id="0.3", type="then", dependencies=["0.2"]))  # so that all go one by one
    run = Executor(COMPOSED, store=tmp_path / "runs.db", workers=[first, then]).start(root)
    assert is_reached.wait(HANG_S)
    try_all(root.find("0.2"))
    is_tried.set()
    assert run.wait().status == "done", run.error
    assert len(refused) == 4 * len(CHANGES)
    with Store.open(tmp_path / "runs.db") as store:
        assert shape(store.load_tree(run.id)) == shape(run.task)
    root.find("0.2").content = "the run is over"


@pytest.mark.fault("2.9")
def test_a_worker_that_changes_the_tree_fails_once_with_the_way_that_works(tmp_path: Path) -> None:
    tries = []

    @worker
    def first(context: WorkContext) -> str:
        tries.append(context.attempt)
        context.task.update_result("by hand")
        return "one"

    run = Executor(COMPOSED, store=tmp_path / "runs.db", workers=[first]).run(Task(content="all", id="0", type="first"))
    assert (run.status, tries) == ("failed", [1])
    assert "a worker returns its task's result" in str(run.error)


@pytest.mark.fault("2.9")
def test_a_tree_is_run_by_one_run_at_a_time(tmp_path: Path) -> None:
    executor = Executor(COMPOSED, store=tmp_path / "runs.db")
    root = Task(content="all", id="0")
    held = executor.new_run(root)
    with pytest.raises(HeldError, match=f"the tree of run {held.id}"):
        executor.new_run(root)
    with pytest.raises(HeldError, match=r"--set ID=TEXT"):
        root.content = "other"
    assert executor.run(copy.deepcopy(root)).status == "done"
    assert held.start().wait().status == "done"
    root.content = "other"
    assert executor.run(root).status == "done"


@pytest.mark.fault("2.9")
def test_a_run_that_nobody_has_any_more_and_one_that_was_refused_let_their_trees_go(tmp_path: Path) -> None:
    executor = Executor(COMPOSED, store=tmp_path / "runs.db")
    root = Task(content="all", id="0")
    executor.new_run(root)
    root.content = "other"
    root.inputs = {"a": "\ud83d"}
    (tmp_path / "folder").mkdir()
    with pytest.raises(Exception, match="folder"):
        Executor(COMPOSED, store=tmp_path / "folder").run(root)
    root.inputs = {}
    assert executor.run(root).status == "done"


def refused_spawns(store: Path, make: Callable[[WorkContext], list[Task]]) -> tuple[Run, list[str]]:
    """Run a worker that has tasks added which cannot be, and return the run and why not."""
    why: list[str] = []

    @worker
    def first(context: WorkContext) -> str:
        for task in make(context):
            before = (task.id, task.origin, task.parent, shape(context.task.parent or context.task))
            with pytest.raises((ValueError, TreeError, DependencyError, Exception)) as caught:
                context.spawn(task)
            assert (task.id, task.origin, task.parent, shape(context.task.parent or context.task)) == before
            why.append(str(caught.value))
        return "one"

    @worker
    def then(_: WorkContext) -> str:
        return "two"

    run = Executor(COMPOSED, store=store, workers=[first, then]).run(two())
    with Store.open(store) as opened:
        assert shape(opened.load_tree(run.id)) == shape(run.task)
    return run, why


@pytest.mark.fault("2.2")
def test_what_is_refused_to_be_added_is_not_changed(tmp_path: Path) -> None:
    def make(context: WorkContext) -> list[Task]:
        group = Task(content="group", state=TaskState.DELETED)
        context.spawn(group)
        added = context.spawn(Task(content="once", type="then", dependencies=["0.1"]))  # so that nothing else moves
        inside = Task(content="its own")
        Task(content="elsewhere").add_subtask(inside)
        lost = Task(content="lost", id="lost")
        lost.dependencies.append("nowhere")
        upward = Task(content="upward", id="upward", dependencies=["0"])
        return [
            added,
            inside,
            lost,
            upward,
            Task(content="runs", id="runs", state=TaskState.RUNNING),
            Task(content="failed", id="failed", state=TaskState.FAILED),
            Task(content="unknown", id="unknown", type="nobody"),
            Task(content="clash", id="clash", type="then", subtasks=[Task(content="x", id="0.1", type="then")]),
        ]

    run, why = refused_spawns(tmp_path / "runs.db", make)
    assert run.status == "done", run.error
    assert [task.id for task in run.task.subtasks] == ["0.1", "0.2", "0.3", "0.4"]
    for said, part in zip(
        why,
        [
            "is already a subtask of task 0", "is already a subtask of task", "depends on task nowhere",
            "its own ancestor",
            "is RUNNING", "is FAILED", "nobody", "id 0.1 is taken",
        ],
        strict=True,
    ):  # fmt: skip
        assert part in said


@pytest.mark.fault("2.2")
@pytest.mark.fault("2.8")
def test_a_need_that_is_never_met_is_refused_when_a_task_is_added(tmp_path: Path) -> None:
    said: list[str] = []

    @worker
    def first(context: WorkContext) -> str:
        closed = Task(content="closed", state=TaskState.DELETED, subtasks=[Task(content="open", id="inner")])
        context.spawn(closed)
        with pytest.raises(DependencyError) as caught:
            context.spawn(Task(content="waits", id="waits", dependencies=["inner"]))
        said.append(str(caught.value))
        return "one"

    then = worker(name="then")(lambda _: Outcome("two"))
    run = Executor(COMPOSED, store=tmp_path / "runs.db", workers=[first, then]).run(two())
    assert run.status == "done", run.error
    assert "task waits needs task inner, which will never run: task 0.3 above it is DELETED" in said[0]


@pytest.mark.fault("2.2")
def test_a_worker_whose_task_has_ended_adds_nothing(tmp_path: Path) -> None:
    kept: list[WorkContext] = []

    @worker
    def first(context: WorkContext) -> str:
        kept.append(context)
        return "one"

    @worker
    def then(_: WorkContext) -> str:
        with pytest.raises(Exception, match=r"task 0.1 is DONE, so its worker can no longer add tasks"):
            kept[0].spawn(Task(content="late"))
        return "two"

    run = Executor(COMPOSED, store=tmp_path / "runs.db", workers=[first, then]).run(two())
    assert (run.status, len(run.task.subtasks)) == ("done", 2), run.error


@pytest.mark.fault("2.2")
def test_taking_out_several_subtasks_is_refused_whole() -> None:
    root = Task(content="all", id="0")
    root.add_subtasks([Task(content=name, id=name) for name in "abcd"])
    root.find("d").add_dependency("b")
    with pytest.raises(TreeError, match="task d needs its result"):
        del root.subtasks[:2]
    assert [task.id for task in root.subtasks] == ["a", "b", "c", "d"]
    del root.subtasks[1:]
    assert [task.id for task in root.subtasks] == ["a"]
