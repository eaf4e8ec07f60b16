"""Workers: what they are given, what is checked before they start, and what is kept of what they do."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ramify.planner import Executor, Outcome, PlanLimits, Run, WorkContext, Worker, solve, worker
from ramify.planner.errors import ModelError, NotAllowedError, NotDoneError, RunError, UsageError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.prompts import PromptError
from ramify.tasks import Task, TaskConfig, TaskState

from .patience import HANG_S
from .ramify_command import ramify_process
from .test_events import faults_of

COMPOSED = {"compose": "<result>together</result>", "execute": "<result>done</result>"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def leaf_of(*leaves: Task) -> Task:
    root = Task(content="all", id="0", config=TaskConfig(max_retries=0))
    root.add_subtasks(leaves)
    return root


def ran(store: Path, root: Task, *workers: Any, **how: Any) -> Run:
    run = Executor(ScriptedModel(COMPOSED), store=store, workers=workers, **how).run(root)
    with Store.open(store) as opened:
        assert [fault for event in opened.events(run.id) for fault in faults_of(event)] == []
    return run


class Point(BaseModel):
    x: int
    y: int = 0


@worker
def norm(point: Point, *, power: float = 2.0) -> float:
    """Measure a point.

    More about it.
    """
    return float(abs(point.x) ** power + abs(point.y) ** power)


def test_a_function_gets_its_inputs_by_name_checked_by_pydantic(store: Path) -> None:
    root = leaf_of(
        Task(content="a", id="a", type="norm", inputs={"point": {"x": "3", "y": 4}}),
        Task(content="b", id="b", type="norm", inputs={"point": {"x": "three"}}),
        Task(content="c", id="c", type="norm"),
    )
    ran(store, root, norm)
    assert root.find("a").output == 25.0
    assert root.find("b").error is not None
    assert "input point.x of task b does not fit the worker 'norm'" in str(root.find("b").error)
    assert "task c lacks the input point of the worker 'norm'" in str(root.find("c").error)
    assert norm.about == "Measure a point."


def test_task_context_and_inputs_are_told_apart(store: Path) -> None:
    seen: dict[str, Any] = {}

    async def look(a: int, task: Task, context: WorkContext, *, b: list[str]) -> dict[str, int]:
        seen.update(a=a, id=task.id, run=context.run_id, b=b, needs=[need.id for need in context.needs])
        return {"n": 1}

    @worker(name="first")
    def make(task: Task) -> str:
        return f"made by {task.type}"

    root = Task(content="all", id="0", inputs={"looker.a": 5}, config=TaskConfig(max_retries=0))
    root.add_subtasks(
        [
            Task(content="x", id="x", type="first"),
            Task(content="y", id="y", name="looker", type="look", inputs={"b": ["c"]}, dependencies=["x"]),
        ]
    )
    run = ran(store, root, look, make)
    assert seen == {"a": 5, "id": "y", "run": run.id, "b": ["c"], "needs": ["x"]}
    assert (root.find("x").result, root.find("y").output) == ("made by first", {"n": 1})


def test_what_a_function_returns_is_written_as_its_type_says(store: Path) -> None:
    @worker
    def points() -> list[Point]:
        return [Point(x=1), Point(x=2, y=3)]

    @worker
    def wrong() -> list[Point]:
        return [{"x": "no"}]  # type: ignore[list-item]

    root = leaf_of(Task(content="a", id="a", type="points"), Task(content="b", id="b", type="wrong"))
    ran(store, root, points, wrong)
    assert root.find("a").output == [{"x": 1, "y": 0}, {"x": 2, "y": 3}]
    assert root.find("b").state.value == "FAILED"


def test_functions_that_cannot_be_filled_by_name_are_refused() -> None:
    with pytest.raises(UsageError, match=r"takes \*rest; list its inputs by name"):
        worker(lambda a, *rest: a)
    with pytest.raises(UsageError, match="two workers are named 'norm'"):
        Executor(ScriptedModel({}), workers=[norm, norm]).new_run(Task(content="x"))
    with pytest.raises(UsageError, match="the worker 'x' is int; a worker is a function or a Worker"):
        Executor(ScriptedModel({}), workers={"x": 3}).new_run(Task(content="x"))  # type: ignore[arg-type]


def test_an_unknown_type_is_refused_with_the_ones_that_come_near(store: Path) -> None:
    root = leaf_of(Task(content="x", id="a", type="norn"))
    with pytest.raises(
        UsageError, match=r"task a needs a worker 'norn', which does not exist \(did you mean 'norm'\?\)"
    ):
        ran(store, root, norm)
    assert not store.exists()


def test_a_class_is_a_worker_and_is_closed_once(store: Path) -> None:
    closed = []

    class Echo(Worker):
        name = "echo"
        about = "says it again"

        async def perform(self, task: Task, _: WorkContext) -> Outcome:
            return Outcome(task.content, {"said": task.content})

        async def compose(self, task: Task, _: WorkContext) -> Outcome:
            return Outcome(" and ".join(child.result for child in task.subtasks))

        async def aclose(self) -> None:
            closed.append(self)

    root = leaf_of(Task(content="x", id="a", type="echo"), Task(content="y", id="b", type="echo"))
    root.type = "echo"
    run = ran(store, root, Echo())
    assert (run.result, root.find("a").output, len(closed)) == ("x and y", {"said": "x"}, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Outcome("x", object()), "the worker odd returned something for task a that cannot be stored: result: object"),  # type: ignore[arg-type]
        ("x", "the worker odd returned str for task a; a worker must return an Outcome with text of type str"),
        (None, "the worker odd returned NoneType for task a"),
        (Outcome(7), "the worker odd returned int for task a"),  # type: ignore[arg-type]
    ],
)
def test_what_a_class_gives_back_wrong_fails_its_task_at_once_and_no_other(given: Any, said: str, store: Path) -> None:
    asked = []

    class Odd(Worker):
        name = "odd"

        async def perform(self, task: Task, _: WorkContext) -> Outcome:
            asked.append(task.id)
            return given  # type: ignore[no-any-return]

    def calm(task: Task) -> str:
        return task.content

    run = ran(
        store, leaf_of(Task(content="x", id="a", type="odd"), Task(content="y", id="b", type="calm")), Odd(), calm
    )
    a, b = run.task.subtasks
    assert (run.status, a.state, b.state) == ("failed", TaskState.FAILED, TaskState.DONE)
    assert said in (a.error or "")
    assert asked == ["a"]


def test_words_of_a_worker_that_are_no_json_take_no_number_and_hold_no_event_back(store: Path) -> None:
    def odd(context: WorkContext) -> str:
        context.emit("odd", value=object())  # type: ignore[arg-type]
        return "never"

    def calm(context: WorkContext) -> str:
        context.emit("calm", value=1)
        return "said"

    told: list[int] = []
    root = leaf_of(Task(content="x", id="a", type="odd"), Task(content="y", id="b", type="calm"))
    run = ran(store, root, odd, calm, on_event=lambda event: told.append(event.seq))
    a, b = root.subtasks
    assert (a.state, b.state) == (TaskState.FAILED, TaskState.DONE)
    assert 'task a reported something that cannot be stored: data["value"]: object' in (a.error or "")
    with Store.open(store) as opened:
        numbers = [event.seq for event in opened.events(run.id)]
    assert told == numbers == list(range(1, len(numbers) + 1))


def test_planners_are_told_of_workers_and_give_tasks_to_them(store: Path) -> None:
    plan = '<task id="a" type="norm">measure</task><task id="b" type="model">say it</task>'
    model = ScriptedModel({**COMPOSED, "decompose": plan})
    run = solve(
        "measure and say", model=model, store=store, max_depth=2, workers=[worker(name="norm")(lambda task: "5")]
    )
    assert [task.type for task in run.task.subtasks] == ["norm", "model"]
    assert run.task.subtasks[0].result == "5"
    assert "Measure" not in model.requests[0].messages[0]["content"]
    assert "norm" in model.requests[0].messages[0]["content"]


def test_a_plan_cannot_choose_workers_that_were_not_offered(store: Path) -> None:
    plan = '<task id="a" type="norm">measure</task><task id="b">x</task>'
    model = ScriptedModel({"decompose": plan, "*": "<result>r</result>"})
    run = solve("do both", model=model, store=store, max_depth=2)
    assert run.result == "r"
    assert [task.type for task in run.task.subtasks] == [None, None]


# Permissions and secrets


@worker(permissions=["network"])
def fetch(context: WorkContext) -> str:
    return context.secret("CITY_TOKEN")


def test_what_is_not_granted_is_refused_before_anything_starts(store: Path) -> None:
    root = leaf_of(Task(content="x", id="a", type="fetch"))
    with pytest.raises(NotAllowedError, match=r"task a \(type fetch\) needs the permission network") as caught:
        ran(store, root, fetch)
    assert (caught.value.task_id, caught.value.permissions) == ("a", ("network",))
    assert "--allow network" in str(caught.value)
    assert not store.exists()
    run = ran(store, root, fetch, allow=["network"])
    assert "needs the permission secret:CITY_TOKEN" in str(root.find("a").error)
    assert run.status == "failed"
    with pytest.raises(UsageError, match="is not a permission"):
        Executor(ScriptedModel({}), allow=["secret:"])


def test_what_a_run_was_granted_it_is_granted_again(store: Path) -> None:
    root = leaf_of(Task(content="x", id="a", type="fetch"))
    run = Executor(ScriptedModel(COMPOSED), store=store, workers=[fetch], allow=["network"]).run(root)
    assert run.status == "failed"
    again = Executor.resume(
        store,
        run.id,
        agent=ScriptedModel(COMPOSED),
        workers=[fetch],
        retry_failed=True,
        secrets={"CITY_TOKEN": "t0psecret"},
    )
    assert (again.status, again.task.find("a").result) == ("done", "[secret hidden]")


def test_no_byte_of_a_secret_is_written_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = "hunter22-very-hidden"  # noqa: S105 - it is no secret
    store = tmp_path / "runs.db"

    @worker(permissions=["secret:TOKEN"])
    async def leak(context: WorkContext) -> dict[str, str]:
        value = context.secret("TOKEN")
        context.memory.set("seen", {"token": value})
        context.progress(0.5, f"using {value}")
        context.emit("used", token=value)
        context.alert(f"token {value}", token=value)
        await context.step("login", lambda: f"as {value}", given={"with": value})
        (context.storage / "note.txt").write_text("nothing to see")
        context.spawn(Task(content="say it"))
        if context.attempt == 1:
            raise ValueError(f"cannot use {value}")
        return {"token": value}

    def say(request: Any) -> str:
        assert secret not in str(request.messages) or request.purpose == "execute"
        return f"<result>the token is {secret}</result>"

    root = Task(content="all", id="0", config=TaskConfig(max_retries=1, retry_delay_seconds=0.0))
    root.add_subtasks([Task(content="x", id="0.1", type="leak")])
    run = Executor(
        ScriptedModel(say), store=store, workers=[leak], allow=["secret:TOKEN"], secrets={"TOKEN": secret},
        record=tmp_path / "calls.jsonl",
    ).run(root)  # fmt: skip
    assert run.status == "done"
    with Store.open(store) as opened:
        opened.export_run(run.id, tmp_path / "run.jsonl")
    run.save(tmp_path / "graph.svg")
    run.save(tmp_path / "run.json")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 6
    for path in written:
        assert secret.encode() not in path.read_bytes(), path.name
    assert secret not in caplog.text
    assert "[secret hidden]" in run.result


@pytest.mark.parametrize("plan", [None, PlanLimits(max_depth=2)])
@pytest.mark.parametrize("kind", ["bad_key", "bad_request"])
def test_no_secret_is_written_where_a_run_says_why_it_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, plan: PlanLimits | None, kind: str
) -> None:
    secret = "hunter22-very-hidden"  # noqa: S105 - it is no secret
    refused = ModelError(f"401: {secret} is no key", kind=kind, model="scripted")
    run = Executor(ScriptedModel({"*": refused}), store=tmp_path / "runs.db", plan=plan, secrets={"TOKEN": secret}).run(
        Task(content="x", id="0")
    )
    assert run.status == ("stopped" if kind == "bad_key" else "failed")
    for path in tmp_path.rglob("runs.db*"):
        assert secret.encode() not in path.read_bytes(), path.name
    assert secret not in caplog.text
    with Store.open(tmp_path / "runs.db") as opened:
        assert opened.find_run(run.id).error == "401: [secret hidden] is no key"


def test_where_a_plan_failed_that_is_no_error_of_ours_is_logged(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedModel({"*": KeyError("no such thing")})
    run = Executor(model, store=store, plan=PlanLimits(max_depth=2)).run(Task(content="x", id="0"))
    assert (run.status, run.error) == ("failed", "KeyError: 'no such thing'")
    assert "task 0 failed\nTraceback" in caplog.text
    assert "in _scripted" in caplog.text or "in complete" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        RunError("the step was taken with another input"),
        PromptError("the template is broken", template="execute"),
    ],
)
def test_what_stays_as_it_is_is_not_tried_again(store: Path, error: Exception) -> None:
    made: list[int] = []

    @worker
    def fails(context: WorkContext) -> str:
        made.append(context.attempt)
        raise error

    config = TaskConfig(max_retries=2, retry_delay_seconds=0)
    run = Executor(ScriptedModel({}), store=store, workers=[fails]).new_run(
        Task(content="x", id="0", type="fails", config=config)
    )
    assert run.start().wait().status == "failed"
    assert (made, run.task.state) == ([1], TaskState.FAILED)


def test_a_secret_that_stands_in_a_task_is_refused(store: Path) -> None:
    root = Task(content="log in with hunter22", id="0")
    with pytest.raises(UsageError, match="task 0 contains the value of a secret"):
        Executor(ScriptedModel(COMPOSED), store=store, secrets={"TOKEN": "hunter22"}).run(root)


# Memory and storage


@pytest.mark.parametrize("scope", ["run", "permanent"])
def test_memory_is_shared_by_tasks_and_lives_as_long_as_its_scope(store: Path, scope: str) -> None:
    @worker
    def count(context: WorkContext) -> dict[str, Any]:
        seen = context.memory.get("seen", [])
        context.memory.set("seen", [*seen, context.task.id])
        return {"before": seen}

    def chain() -> Task:
        return leaf_of(
            Task(content="a", id="a", type="count", memory_scope=scope),
            Task(content="b", id="b", type="count", memory_scope=scope, dependencies=["a"]),
        )

    first = ran(store, chain(), count)
    assert first.task.find("b").output == {"before": ["a"]}
    second = ran(store, chain(), count)
    assert second.task.find("a").output == {"before": [] if scope == "run" else ["a", "b"]}
    with Store.open(store) as opened:
        assert opened.memory(first.id) == {}
        assert opened.memory("permanent") == ({} if scope == "run" else {"seen": ["a", "b", "a", "b"]})


def test_a_run_that_is_not_done_keeps_its_memory(store: Path) -> None:
    @worker
    def note(context: WorkContext) -> str:
        if context.memory.get("tried"):
            return "second time"
        context.memory.set("tried", value=True)
        raise UsageError("not yet")

    run = ran(store, leaf_of(Task(content="a", id="a", type="note")), note)
    assert run.status == "failed"
    again = Executor.resume(store, run.id, agent=ScriptedModel(COMPOSED), workers=[note], retry_failed=True)
    assert again.task.find("a").result == "second time"


def test_what_cannot_be_kept_is_said(store: Path) -> None:
    @worker
    def keep(context: WorkContext) -> str:
        with pytest.raises(UsageError, match="the memory cannot store this under 'x': value: object"):
            context.memory.set("x", object())
        with pytest.raises(UsageError, match="is not a valid memory key"):
            context.memory.set(" ", 1)
        context.memory.set("gone", 1)
        context.memory.set("gone", None)
        return json.dumps(context.memory.all())

    assert ran(store, leaf_of(Task(content="a", id="a", type="keep")), keep).task.find("a").result == "{}"


@pytest.mark.parametrize("how", ["memory", "step", "event"])
def test_what_cannot_be_kept_fails_its_task_and_no_other(store: Path, how: str) -> None:
    @worker
    async def keep(context: WorkContext) -> str:
        odd: Any = object()
        if how == "memory":
            context.memory.set("x", odd)
        elif how == "step":
            await context.step("x", lambda: odd)
        else:
            context.emit("x", value=odd)
        return "kept"

    root = leaf_of(Task(content="a", id="a", type="keep", config=TaskConfig(max_retries=2)), Task(content="b", id="b"))
    run = ran(store, root, keep)
    assert "object, which is not JSON" in str(run.task.find("a").error)
    assert (run.task.find("a").attempts, run.task.find("b").result) == (1, "done")


@pytest.mark.parametrize("task_id", ["a", "..", "../../etc", "x" * 300, "a/b\\c:d"])
def test_storage_is_a_folder_of_the_tasks_own_whatever_its_id(store: Path, task_id: str) -> None:
    @worker
    def write(context: WorkContext) -> str:
        folder = context.storage
        (folder / "made").write_text("x", encoding="utf-8")
        return str(folder)

    run = ran(store, leaf_of(Task(content="a", id=task_id, type="write")), write)
    folder = Path(run.task.find(task_id).result)
    assert folder.resolve().parent == (store.parent / "files" / run.id).resolve()
    with Store.open(store) as opened:
        opened.delete_runs([run.id])
    assert not folder.exists()


# Steps


STEPPING = """
import os, signal, sys
from ramify.planner import Executor, worker
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task
log = open(sys.argv[2], "a")
def say(*words):
    print(*words, file=log, flush=True)
@worker
async def walk(context):
    for n in range(4):
        def step(n=n):
            say("step", n)
            if n == 2 and len(sys.argv) > 3 and sys.argv[3] == "kill-inside":
                os.kill(os.getpid(), signal.SIGKILL)
            return {"n": n}
        out = await context.step("walk", step, given=n, may_repeat="%REPEAT%" == "yes")
        assert out == {"n": n}
        if n == 1 and len(sys.argv) > 3 and sys.argv[3] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    return "walked"
model = ScriptedModel({})
if os.path.exists(sys.argv[1]):
    run = Executor.resume(sys.argv[1], agent=model, workers=[walk])
else:
    run = Executor(model, store=sys.argv[1], workers=[walk]).run(Task(content="go", id="0", type="walk"))
print(run.status, run.error or run.result)
"""


def walked(tmp_path: Path, *how: str, repeat: str = "yes") -> tuple[int, str]:
    script = STEPPING.replace("%REPEAT%", repeat)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "runs.db"), str(tmp_path / "log"), *how],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_steps_that_were_taken_are_not_taken_again_after_a_kill(tmp_path: Path) -> None:
    assert walked(tmp_path, "kill")[0] == -9
    assert walked(tmp_path) == (0, "done walked\n")
    assert (tmp_path / "log").read_text().split("\n")[:-1] == ["step 0", "step 1", "step 2", "step 3"]


def test_a_step_that_was_cut_is_taken_again_if_it_may_be(tmp_path: Path) -> None:
    assert walked(tmp_path, "kill-inside")[0] == -9
    assert walked(tmp_path) == (0, "done walked\n")
    assert (tmp_path / "log").read_text().split("\n")[:-1] == ["step 0", "step 1", "step 2", "step 2", "step 3"]


def test_a_step_that_may_not_be_repeated_asks_a_person(tmp_path: Path) -> None:
    assert walked(tmp_path, "kill-inside", repeat="no")[0] == -9
    code, said = walked(tmp_path, repeat="no")
    assert code == 0
    assert said.startswith("waiting task 0: the step walk#3 was in progress when the run was interrupted")
    assert (tmp_path / "log").read_text().count("step 2") == 1


def test_a_step_with_another_input_is_refused(store: Path) -> None:
    given = iter([1, 2])

    @worker
    async def step(context: WorkContext) -> str:
        await context.step("one", lambda: "x", given=next(given))
        raise ConnectionError("again")

    run = ran(
        store, Task(content="a", id="0", type="step", config=TaskConfig(max_retries=1, retry_delay_seconds=0)), step
    )
    assert "the step one#1 was done before with other input" in str(run.error)


def test_a_step_that_says_it_was_not_done_is_taken_again_even_if_it_may_not_be_repeated(store: Path) -> None:
    tries: list[int] = []

    @worker
    async def pay(context: WorkContext) -> str:
        def once() -> str:
            tries.append(1)
            if len(tries) == 1:
                raise NotDoneError("refused")
            return "paid"

        return str(await context.step("pay", once, may_repeat=False))

    task = Task(content="a", id="0", type="pay", config=TaskConfig(max_retries=1, retry_delay_seconds=0))
    assert ran(store, task, pay).result == "paid"
    assert len(tries) == 2


# Tasks that are added


def test_a_task_that_is_added_runs_beside_its_maker_and_is_composed(store: Path) -> None:
    @worker
    def maker(context: WorkContext) -> str:
        made = [context.spawn(Task(content=f"part {n}", type="part")) for n in range(3)]
        context.spawn(Task(content="last", type="part", dependencies=[made[0].id]))
        return "made"

    @worker
    def part(task: Task) -> str:
        return f"did {task.content}"

    events: list[Any] = []
    root = leaf_of(Task(content="make", id="0.1", type="maker"))
    run = ran(store, root, maker, part, on_event=events.append, jobs=4)
    assert [(task.id, task.origin, task.state.value) for task in root.subtasks] == [
        ("0.1", "planned", "DONE"), *[(f"0.{n}", "added", "DONE") for n in range(2, 6)],
    ]  # fmt: skip
    assert root.find("0.5").result == "did last"
    assert [event.task_id for event in events if event.type == "task_added"] == ["0.2", "0.3", "0.4", "0.5"]
    with Store.open(store) as opened:
        assert [task.origin for task in opened.load_tree(run.id).subtasks] == ["planned", *["added"] * 4]


def test_a_retried_maker_adds_nothing_twice(store: Path) -> None:
    @worker
    def maker(context: WorkContext) -> str:
        added = context.spawn(Task(content="part", type="model"))
        if context.attempt == 1:
            raise ConnectionError("lost")
        return added.id

    root = Task(content="all", id="0", config=TaskConfig(max_retries=1, retry_delay_seconds=0))
    root.add_subtasks([Task(content="make", id="0.1", type="maker")])
    run = ran(store, root, maker)
    assert (run.status, root.find("0.1").result, len(root.subtasks)) == ("done", "0.2", 2)


def test_what_may_not_be_added_is_refused(store: Path) -> None:
    said = []

    @worker
    def maker(context: WorkContext) -> str:
        for task in (Task(content="x", type="nobody"), Task(content="x", type="fetch")):
            with pytest.raises(UsageError) as caught:
                context.spawn(task)
            said.append(str(caught.value))
        return "x"

    ran(store, leaf_of(Task(content="make", id="0.1", type="maker")), maker, fetch)
    assert "worker 'nobody', which does not exist" in said[0]
    assert "needs the permission network" in said[1]
    run = ran(
        store,
        Task(content="make", id="0", type="maker2"),
        worker(name="maker2")(lambda context: context.spawn(Task(content="y")).id),
    )
    assert "is the root, so no task can be added beside it" in str(run.error)


@pytest.mark.fault("2.7")
def test_a_maker_is_held_to_the_most_tasks_of_a_plan(store: Path) -> None:
    @worker(name="maker")
    def make(context: WorkContext) -> str:
        while True:
            context.spawn(Task(content="more"))

    plan = '<task id="a" type="maker">make</task><task id="b">other</task>'
    model = ScriptedModel({**COMPOSED, "decompose": plan})
    run = Executor(model, store=store, plan=PlanLimits(max_depth=2, max_tasks=6), workers=[make]).run(
        Task(content="g", id="0")
    )
    assert run.status == "stopped"
    assert "would make 7 tasks, but max_tasks = 6" in str(run.error)
    assert run.raising_options == ["--max-tasks", "14"]
    again = Executor.resume(store, run.id, agent=model, workers=[make], max_tasks=8)
    assert "would make 9 tasks, but max_tasks = 8" in str(again.error)
    assert "would make 9 tasks" in str(Executor.resume(store, run.id, agent=model, workers=[make]).error)


# Middleware


def test_middleware_changes_inputs_and_outcomes_in_order_and_is_recorded(store: Path) -> None:
    order = []

    class Mark:
        def __init__(self, name: str) -> None:
            self.name = name

        def before(self, task: Task, inputs: dict[str, Any]) -> dict[str, Any] | None:
            order.append(f"before {self.name}")
            return {**inputs, "n": inputs["n"] * 10 + int(self.name)} if task.is_leaf else None

        async def after(self, task: Task, outcome: Outcome) -> str | None:
            await asyncio.sleep(0)
            order.append(f"after {self.name}")
            return f"{outcome.text}{self.name}" if task.is_leaf else None

    @worker
    def tell(n: int) -> str:
        return f"n={n}:"

    root = leaf_of(Task(content="x", id="a", type="tell", inputs={"n": 0}))
    run = ran(store, root, tell, middleware=[Mark("1"), Mark("2")])
    assert root.find("a").result == "n=12:21"
    assert order[:4] == ["before 1", "before 2", "after 2", "after 1"]
    with Store.open(store) as opened:
        changed = [event.data for event in opened.events(run.id) if event.type == "task_changed"]
    assert [(each["by"], each["what"], each["after"]) for each in changed] == [
        ("1", "inputs", '{"n": 1}'), ("2", "inputs", '{"n": 12}'), ("2", "result", "n=12:2"),
        ("1", "result", "n=12:21"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="int is not a middleware"):
        Executor(ScriptedModel({}), middleware=[3])


# The context in threads, and the command line


def test_a_plain_function_uses_its_context_from_its_thread(store: Path) -> None:
    events: list[Any] = []

    @worker
    def busy(context: WorkContext) -> str:
        assert threading.current_thread() is not threading.main_thread()
        context.progress(0.25, "reading")
        context.progress(0.26, "too soon to be told")
        context.progress(1.0, "read")
        context.emit("found", n=3)
        context.alert("look", n=4)
        return str(context.wait(context.step("add", lambda: 1 + 1)))

    run = ran(store, Task(content="x", id="0", type="busy"), busy, on_event=events.append)
    assert run.result == "2"
    told = [(event.type, dict(event.data)) for event in events if event.type in {"task_progress", "emitted", "alert"}]
    assert told == [
        ("task_progress", {"fraction": 0.25, "doing": "reading"}),
        ("task_progress", {"fraction": 1.0, "doing": "read"}),
        ("emitted", {"name": "found", "data": {"n": 3}}),
        ("alert", {"message": "look", "data": {"n": 4}}),
    ]


def test_a_cancelled_function_can_see_that_it_is(store: Path) -> None:
    started, seen = threading.Event(), threading.Event()

    @worker
    def long(context: WorkContext) -> str:
        started.set()
        if context.cancelled.wait(HANG_S):
            seen.set()
        return "x"

    run = Executor(ScriptedModel(COMPOSED), store=store, workers=[long]).start(Task(content="x", id="0", type="long"))
    assert started.wait(HANG_S)
    run.cancel()
    assert run.wait().status == "cancelled"
    assert seen.wait(HANG_S)


def test_more_plain_functions_run_at_once_than_the_machine_has_cores(store: Path) -> None:
    here = threading.Barrier(40, timeout=HANG_S)

    @worker
    def meet() -> str:
        here.wait()
        return "met"

    root = leaf_of(*(Task(content="x", id=f"0.{n}", type="meet") for n in range(40)))
    assert ran(store, root, meet, jobs=40).status == "done"


WORKER_FILE = """
from ramify.planner import worker

@worker
def shout(text: str) -> str:
    "Say it loudly."
    return text.upper()
"""


def test_the_command_line_takes_workers_from_a_file_and_resume_finds_them_again(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loud.py").write_text(textwrap.dedent(WORKER_FILE), encoding="utf-8")
    (tmp_path / "plan.yaml").write_text("goal: Shout\ntype: shout\ninputs:\n  text: hello\n", encoding="utf-8")
    missing = ramify_process("run", "plan.yaml", "--model", "rules")
    assert (missing.code, "worker 'shout', which does not exist" in missing.err) == (2, True)
    said = ramify_process("run", "plan.yaml", "--model", "rules", "--workers", "loud.py")
    assert (said.code, said.out) == (0, "HELLO\n")
    with sqlite3.connect(tmp_path / ".ramify" / "ramify.db") as database:
        database.execute("UPDATE ramify_tasks SET state = 'OPEN', result = ''")
    assert ramify_process("resume", "--last").out == "HELLO\n"
    for words, part in (
        ("gone.py", "does not exist"),
        ("json", "defines no worker"),
        ("no_such_module", "cannot be imported"),
    ):
        refused = ramify_process("run", "plan.yaml", "--model", "rules", "--workers", words)
        assert (refused.code, part in refused.err) == (2, True), refused.err


def test_results_of_needs_are_at_hand_as_data(store: Path) -> None:
    @worker
    def one() -> dict[str, int]:
        return {"n": 1}

    @worker
    def more(context: WorkContext) -> str:
        return json.dumps(context.results)

    root = leaf_of(Task(content="a", id="a", type="one"), Task(content="b", id="b", type="more", dependencies=["a"]))
    ran(store, root, one, more)
    assert root.find("b").result == '{"a": {"n": 1}}'


def test_a_resumed_run_needs_its_workers_again(store: Path) -> None:
    run = ran(store, leaf_of(Task(content="a", id="a", type="norm")), norm)
    with pytest.raises(UsageError, match="worker 'norm', which does not exist"):
        Executor.resume(store, run.id, agent=ScriptedModel(COMPOSED))
    with pytest.raises(RunError):
        Executor.resume(store, "nope", agent=ScriptedModel(COMPOSED))


def test_a_task_for_a_person_waits_when_nobody_is_there(store: Path) -> None:
    root = leaf_of(Task(content="b", id="b", priority=1), Task(content="Sign the contract", id="a", type="human"))
    run = ran(store, root, jobs=1)
    assert (run.status, root.find("b").state) == ("waiting", "DONE")
    assert root.find("a").state == "OPEN"
