"""Effects: idempotency keys, steps that may not be repeated, the ledger of them, and who says what became of one."""

import asyncio
import json
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from ramify.planner import Agent, Executor, Run, WorkContext, Worker, tool, worker
from ramify.planner.errors import NotDoneError, ToolError, UnknownStepError, UsageError, WorkFailedError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.work.unknown import StepAnswer, UnknownStep
from ramify.planner.workers.functions import FunctionWorker
from ramify.tasks import Check, Task, TaskConfig, load_plan

from .crash_effects import paid_through, payment_server
from .isolated_functions import crash_once, key_of
from .postgres import PostgresServer
from .ramify_command import Ramify
from .test_cli_terminal import Terminal

COMPOSED = {"compose": "<result>together</result>", "execute": "<result>done</result>"}
HALF_WAY = ValueError("half way")
AGAIN = TaskConfig(max_retries=2, retry_delay_seconds=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def ran(store: Path, root: Task, *workers: Any, **how: Any) -> Run:
    return Executor(ScriptedModel(COMPOSED), store=store, workers=workers, **how).run(root)


def states(run: Run) -> list[tuple[str, str]]:
    return [(step.key.key, step.state) for step in run.effects]


def told(store: Path, run: Run) -> list[str]:
    kinds = ["step_intended", "step_done", "step_unknown", "person_asked", "person_answered"]
    with Store.open(store) as opened:
        return [str(event.type) for event in opened.events_of(run.id, kinds)]


# Keys


@worker
async def keys(context: WorkContext, order: str = "") -> list[str]:
    """Give the keys of the task, of two steps, and of a step with another input."""

    def inside() -> str:
        return context.idempotency_key

    async def awaited() -> str:
        await asyncio.sleep(0)
        return context.idempotency_key

    steps = [
        await context.step("a", inside, may_repeat="with_key"),
        await context.step("a", awaited),
        await context.step("b", inside, given=order),
    ]
    return [context.idempotency_key, *steps]


def keys_of(run: Run, task_id: str = "0") -> list[str]:
    found: Any = run.task.find(task_id).output
    return list(found)


def test_every_task_and_every_step_has_a_key_of_its_own_in_every_run(store: Path) -> None:
    root = Task(content="all", id="0")
    root.add_subtasks([Task(content="x", id=f"0.{n}", type="keys") for n in (1, 2)])
    run, other = ran(store, root, keys), ran(store, Task(content="x", id="0.1", type="keys"), keys)
    found = [*keys_of(run, "0.1"), *keys_of(run, "0.2"), *keys_of(other, "0.1")]
    assert len(set(found)) == len(found) == 12
    assert all(str(UUID(key)) == key for key in found)


def test_a_key_is_the_same_in_every_attempt_and_after_a_resume(store: Path) -> None:
    seen: list[list[str]] = []

    @worker(name="keys")
    async def flaky(context: WorkContext) -> list[str]:
        found = [context.idempotency_key]

        def inside() -> str:
            found.append(context.idempotency_key)
            raise ConnectionError("gone")

        try:
            await context.step("pay", inside, given={"euros": 3}, may_repeat="with_key")
        finally:
            seen.append(found)
        return found

    run = ran(store, Task(content="x", id="0", type="keys", inputs={"a": 1}, config=AGAIN), flaky)
    assert (run.status, len(seen)) == ("failed", 3)
    Executor.resume(store, run.id, agent=ScriptedModel({}), workers=[flaky], retry_failed=True)
    Executor.resume(store, run.id, agent=ScriptedModel({}), workers=[flaky], from_task="0")
    assert len(seen) == 9
    assert len(set(map(tuple, seen))) == 1
    assert seen[0][0] != seen[0][1]


@pytest.mark.parametrize(
    "change",
    [
        {"set": {"0.2": "other words"}},
        {"set_result": {"0.1": "another result"}},
        {"plan": "inputs"},
        {"from_task": "0.2"},
    ],
)
def test_a_key_is_another_one_only_when_what_the_task_is_given_is(store: Path, change: dict[str, Any]) -> None:
    def tree(order: str) -> Task:
        root = Task(content="all", id="0")
        root.add_subtask(Task(content="first", id="0.1"))
        root.add_subtask(Task(content="x", id="0.2", type="keys", inputs={"order": order}, dependencies=["0.1"]))
        return root

    run = ran(store, tree("a"), keys)
    if change.get("plan"):
        change = {"plan": tree("b")}
    again = Executor.resume(store, run.id, agent=ScriptedModel(COMPOSED), workers=[keys], **change)
    before, after = keys_of(run, "0.2"), keys_of(again, "0.2")
    same = [old == new for old, new in zip(before, after, strict=True)]
    assert same == [change == {"from_task": "0.2"}] * 4


def test_a_worker_in_a_process_of_its_own_has_the_key_that_it_would_have_here(store: Path) -> None:
    far = ran(store, Task(content="x", id="0", type="key_of"), key_of)
    near = Executor.resume(
        store, far.id, agent=ScriptedModel({}), workers=[worker(name="key_of")(key_of.function)], from_task="0"
    )
    assert far.result == near.result
    assert UUID(str(near.result))


def test_a_command_finds_its_key_in_its_environment(store: Path) -> None:
    code = "import os; print(os.environ['RAMIFY_IDEMPOTENCY_KEY'])"
    inputs = {"command": [sys.executable, "-c", code], "may_repeat": "with_key"}
    run = ran(store, Task(content="x", id="0", type="subprocess", inputs=inputs), allow=["subprocess"])
    assert [step.idempotency_key for step in run.effects] == [run.result]


def test_each_call_of_a_tool_has_a_key_of_its_own(store: Path) -> None:
    seen: list[str | None] = []

    @tool(may_repeat="with_key")
    async def pay(euros: int, context: WorkContext) -> str:
        seen.append(context.idempotency_key)
        seen.append(await context.step("inside", lambda: context.idempotency_key))
        return f"paid {euros}"

    replies = ['<call tool="pay">{"euros": 3}</call><call tool="pay">{"euros": 3}</call>', "<result>ok</result>"]
    run = Executor(Agent(ScriptedModel(replies), tools=[pay]), store=store).run(Task(content="x", id="0"))
    assert run.result == "ok"
    assert len(set(seen)) == 4
    assert {step.idempotency_key for step in run.effects} < set(seen)
    assert [(step.kind, step.state) for step in run.effects] == [("call", "done")] * 2


# What may not be repeated


def raising(error: Exception | None, *, may_repeat: Any) -> tuple[Any, list[int]]:
    """Return a worker that pays in a step and then raises, and what it notes when it does."""
    paid: list[int] = []

    @worker(name="pay")
    async def pay(context: WorkContext) -> str:
        def charge() -> str:
            paid.append(1)
            if error is not None:
                raise error
            return "receipt 1"

        return str(await context.step("charge", charge, given={"euros": 3}, may_repeat=may_repeat))

    return pay, paid


def bill() -> Task:
    return Task(content="Pay the bill", id="0", type="pay", config=AGAIN)


@pytest.mark.parametrize(
    ("error", "may_repeat", "ending"),
    [
        (ValueError("declined?"), False, ("waiting", 1, ["unknown"])),
        (TimeoutError(), False, ("waiting", 1, ["unknown"])),
        (NotDoneError("no connection"), False, ("failed", 3, [])),
        (ToolError("declined"), False, ("failed", 3, [])),
        (WorkFailedError("declined", task_id="0"), False, ("failed", 1, [])),
        (ValueError("declined?"), "with_key", ("failed", 3, ["unknown"])),
        (ValueError("declined?"), True, ("failed", 3, [])),
    ],
)
def test_a_step_that_may_not_be_repeated_is_repeated_only_if_it_says_that_it_was_not_done(
    store: Path, error: Exception, may_repeat: Any, ending: tuple[str, int, list[str]]
) -> None:
    pay, paid = raising(error, may_repeat=may_repeat)
    run = ran(store, bill(), pay)
    assert (run.status, len(paid), [step.state for step in run.effects]) == ending
    assert isinstance(run.cause, UnknownStepError) is (run.status == "waiting")


def test_the_ledger_says_intended_while_a_step_is_under_way_and_done_after_it(store: Path) -> None:
    seen: list[str] = []

    @worker(name="pay")
    async def pay(context: WorkContext) -> str:
        def charge() -> str:
            with Store.open(store) as opened:
                seen.extend(step.state for step in opened.steps(context.run_id, effects=True))
            return "receipt 1"

        return str(await context.step("charge", charge, may_repeat=False))

    run = ran(store, bill(), pay)
    assert (seen, states(run)) == (["intended"], [("charge#1", "done")])
    assert told(store, run) == ["step_intended", "step_done"]


def test_a_task_that_is_broken_off_leaves_its_step_unknown(store: Path) -> None:
    @worker(name="pay", may_repeat=False)
    async def pay() -> str:
        await asyncio.sleep(3600)
        return "x"

    task = Task(content="x", id="0", type="pay", config=AGAIN.model_copy(update={"max_duration_seconds": 0.05}))
    run = ran(store, task, pay)
    assert (run.status, states(run)) == ("waiting", [("the whole task", "unknown")])


def test_a_worker_whose_process_is_lost_is_called_again_only_with_its_key(store: Path, tmp_path: Path) -> None:
    for may_repeat, status in ((False, "waiting"), ("with_key", "done")):
        made = FunctionWorker(crash_once.function, engine="process", may_repeat=cast("Any", may_repeat))
        note = tmp_path / str(may_repeat)
        task = Task(content="x", id="0", type="crash_once", inputs={"note": str(note)}, config=AGAIN)
        run = ran(store, task, made)
        assert (run.status, note.read_text()) == (status, "called\n" * (1 if may_repeat is False else 2))


def test_what_a_whole_worker_did_is_not_done_again_when_its_answer_does_not_pass(store: Path) -> None:
    paid: list[int] = []

    @worker(name="pay", may_repeat=False)
    def pay() -> dict[str, int]:
        paid.append(1)
        return {"receipt": len(paid)}

    task = Task(content="x", id="0", type="pay", checks=[Check(matches="nothing like it")], config=AGAIN)
    run = ran(store, task, pay)
    assert (run.status, paid, states(run)) == ("failed", [1], [("the whole task", "done")])


def test_an_answer_that_cannot_be_kept_leaves_a_step_unknown(store: Path) -> None:
    @worker(name="pay", may_repeat=False)
    def nothing() -> str | None:
        return ""

    class Odd(Worker):
        may_repeat = False

        async def perform(self, task: Task, context: WorkContext) -> Any:
            return f"{task.id} of {context.run_id}"

    for made in (nothing, Odd()):
        run = Executor(ScriptedModel({}), store=store, workers={"pay": made}).run(bill())
        assert (run.status, states(run)) == ("waiting", [("the whole task", "unknown")])


@pytest.mark.parametrize("made", [worker, tool])
def test_another_word_than_those_three_is_refused(made: Callable[..., Any], store: Path) -> None:
    with pytest.raises(UsageError, match="may_repeat is 'once'; use True, False or 'with_key'"):
        made(name="x", may_repeat="once")(lambda: "x")
    pay, paid = raising(None, may_repeat="once")
    run = ran(store, bill(), pay)
    assert (run.status, paid) == ("failed", [])
    assert "may_repeat is 'once'" in str(run.error)


@pytest.mark.parametrize(
    ("by_worker", "by_plan", "ending"),
    [
        (True, False, ("waiting", 1, ["unknown"])),
        (True, "with_key", ("failed", 3, ["unknown"])),
        (False, True, ("failed", 3, [])),
        (False, None, ("waiting", 1, ["unknown"])),
    ],
)
def test_a_plan_says_whether_a_task_may_be_repeated(
    store: Path, tmp_path: Path, by_worker: Any, by_plan: Any, ending: tuple[str, int, list[str]]
) -> None:
    paid: list[int] = []

    @worker(name="pay", may_repeat=by_worker)
    def pay() -> str:
        paid.append(1)
        raise HALF_WAY

    config = {"max_retries": 2, "retry_delay_seconds": 0, **({} if by_plan is None else {"may_repeat": by_plan})}
    (tmp_path / "plan.json").write_text(json.dumps({"goal": "Pay", "type": "pay", "config": config}))
    run = ran(store, load_plan(tmp_path / "plan.json"), pay)
    assert (run.status, len(paid), [step.state for step in run.effects]) == ending


def test_may_repeat_is_said_of_one_task_and_not_of_those_below_it() -> None:
    above = TaskConfig(may_repeat=False, max_retries=1)
    assert TaskConfig().over(above) == TaskConfig(max_retries=1)
    assert TaskConfig(may_repeat=True).over(above) == TaskConfig(may_repeat=True, max_retries=1)


@pytest.mark.parametrize(
    ("root", "told"),
    [
        (Task("Pay", id="0", config=TaskConfig(may_repeat=False)), "and 'model' has none; for a model's tools, write"),
        (
            Task("Pay", id="0", config=TaskConfig(may_repeat=False), subtasks=[Task("x", id="0.1")]),
            "task 0: may_repeat applies to workers, and this task is composed from its subtasks",
        ),
    ],
)
def test_may_repeat_where_it_would_do_nothing_is_refused(store: Path, root: Task, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        ran(store, root)


# Who says what became of it


def waiting(store: Path) -> Run:
    pay, _ = raising(HALF_WAY, may_repeat=False)
    run = ran(store, bill(), pay)
    assert run.status == "waiting"
    return run


@pytest.mark.parametrize(
    ("how", "result", "times"),
    [
        ({"step_done": {"0": "receipt 9"}}, "receipt 9", 0),
        ({"step_done": {"0": {"id": 9}}}, "{'id': 9}", 0),
        ({"step_again": ["0"]}, "receipt 1", 1),
        ({"step_again": "0"}, "receipt 1", 1),
        ({"on_unknown": lambda step: step.done("receipt 9")}, "receipt 9", 0),
        ({"on_unknown": lambda step: step.again()}, "receipt 1", 1),
    ],
)
def test_a_person_says_what_became_of_a_step(store: Path, how: dict[str, Any], result: str, times: int) -> None:
    run = waiting(store)
    pay, paid = raising(None, may_repeat=False)
    again = Executor.resume(store, run.id, agent=ScriptedModel({}), workers=[pay], **how)
    assert (again.status, again.result, len(paid)) == ("done", result, times)
    assert states(again) == [("charge#1", "done")]
    assert told(store, again).count("person_answered") == 1


def test_nothing_is_repeated_until_somebody_knows(store: Path) -> None:
    run = waiting(store)
    pay, paid = raising(None, may_repeat=False)
    for on_unknown in (None, lambda _: None):
        again = Executor.resume(store, run.id, agent=ScriptedModel({}), workers=[pay], on_unknown=on_unknown)
        assert (again.status, paid, states(again)) == ("waiting", [], [("charge#1", "unknown")])
        assert again.raising_options == ["--step-done", "0=RESULT"]


def failing(_: UnknownStep) -> StepAnswer:
    raise ConnectionError("the shop is closed")


@pytest.mark.parametrize(
    ("on_unknown", "said"),
    [
        (failing, "on_unknown failed: ConnectionError: the shop is closed"),
        (lambda _: "done", "on_unknown failed: it returned 'done': return step.done"),
        (lambda step: step.done({1}), "on_unknown failed: task 0: the result of charge#1 cannot be stored"),
    ],
)
def test_an_answer_that_is_none_leaves_the_run_waiting_and_is_told(store: Path, on_unknown: Any, said: str) -> None:
    pay, paid = raising(HALF_WAY, may_repeat=False)
    run = ran(store, bill(), pay, on_unknown=on_unknown)
    assert (run.status, paid) == ("waiting", [1])
    assert said in str(run.error)
    assert states(run) == [("charge#1", "unknown")]


def test_a_function_is_told_what_there_is_to_know_and_the_run_goes_on(store: Path) -> None:
    seen: list[UnknownStep] = []

    async def ask(step: UnknownStep) -> StepAnswer:
        seen.append(step)
        return step.done("receipt 9")

    pay, _ = raising(HALF_WAY, may_repeat=False)
    run = ran(store, bill(), pay, on_unknown=ask)
    assert (run.status, run.result) == ("done", "receipt 9")
    (step,) = seen
    assert (step.run_id, step.task_id, step.content) == (run.id, "0", "Pay the bill")
    assert (step.step, step.kind, step.input) == ("charge#1", "step", {"euros": 3})
    assert step.idempotency_key == run.effects[0].idempotency_key
    assert told(store, run) == ["step_intended", "step_unknown", "person_asked", "person_answered", "step_done"]


def test_what_is_said_of_a_call_is_what_the_model_is_told(store: Path) -> None:
    @tool(may_repeat=False, timeout_s=0.05)
    async def pay(euros: int) -> str:
        await asyncio.sleep(3600)
        return f"paid {euros}"

    model = ScriptedModel(['<call tool="pay">{"euros": 3}</call>', "<result>ok</result>"])
    run = Executor(Agent(model, tools=[pay]), store=store, on_unknown=lambda step: step.done({"receipt": 9})).run("Pay")
    assert run.result == "ok"
    assert '{"receipt": 9}' in str(model.requests[-1].messages[-1]["content"])


def test_steps_of_one_task_are_told_apart_by_name(store: Path) -> None:
    def paying(*, may_fail: bool) -> Any:
        @worker(name="pay")
        async def pay(context: WorkContext) -> list[str]:
            def charge() -> str:
                if may_fail:
                    raise ValueError("half way")
                return "charged"

            steps = (context.step("charge", charge, may_repeat=False) for _ in range(2))
            found = await asyncio.gather(*steps, return_exceptions=True)
            for each in found:
                if isinstance(each, Exception):
                    raise each
            return [str(each) for each in found]

        return pay

    run = ran(store, bill(), paying(may_fail=True))
    assert states(run) == [("charge#1", "unknown"), ("charge#2", "unknown")]
    resume: dict[str, Any] = {"agent": ScriptedModel({}), "workers": [paying(may_fail=False)]}
    with pytest.raises(UsageError, match="no step '0' is waiting for a person; there are: '0 charge#1'"):
        Executor.resume(store, run.id, step_again=["0"], **resume)
    said: dict[str, Any] = {"step_again": ["0 charge#2"], "step_done": {"0 charge#1": "by hand"}}
    assert Executor.resume(store, run.id, **said, **resume).task.output == ["by hand", "charged"]


def test_a_worker_that_catches_what_is_unknown_is_not_done_for_that(store: Path) -> None:
    @worker(name="careless")
    async def careless(context: WorkContext) -> str:
        try:
            return str(await context.step("charge", lambda: 1 / 0, may_repeat=False))
        except Exception:  # noqa: BLE001 - what is tested
            return "no matter"

    run = ran(store, Task(content="pay", id="0", type="careless"), careless)
    assert (run.status, states(run)) == ("waiting", [("charge#1", "unknown")])
    run = Executor.resume(store, run.id, agent=ScriptedModel({}), workers=[careless], step_done={"0": "paid"})
    assert (run.status, run.result) == ("done", "paid")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"step_done": {"0.7": 1}}, "no step '0.7' is waiting for a person; there are: '0'"),
        (
            {"step_done": {"0": 1}, "step_again": ["0"]},
            "'0' is given as done and as to be repeated; choose one",
        ),
        ({"step_done": ["0"]}, "step_done is ['0'], of type list; give what came of each step, by its task"),
        ({"step_again": 5}, "step_again is 5, of type int; give the ids of tasks"),
        ({"set": {"0": 5}}, "set is {'0': 5}, of type dict; give new contents by task"),
    ],
)
def test_what_is_said_of_no_step_is_refused_and_changes_nothing(store: Path, said: Any, words: str) -> None:
    run = waiting(store)
    with pytest.raises(UsageError, match=re.escape(words)):
        Executor.resume(store, run.id, agent=ScriptedModel({}), workers=[raising(None, may_repeat=False)[0]], **said)
    assert states(run) == [("charge#1", "unknown")]


def strict_pay() -> tuple[Any, list[int]]:
    """Return a worker that pays once, and fails if what came of that is no receipt."""
    paid: list[int] = []

    @worker(name="pay")
    async def pay(context: WorkContext) -> str:
        def charge() -> str:
            paid.append(1)
            raise HALF_WAY

        receipt = str(await context.step("charge", charge, given={"euros": 3}, may_repeat=False))
        if not receipt.startswith("receipt"):
            raise ValueError(f"{receipt} is no receipt")
        return receipt

    return pay, paid


def test_a_wrong_answer_can_be_changed_until_something_rests_on_it(store: Path) -> None:
    pay, paid = strict_pay()
    run = ran(store, bill(), pay)
    how: dict[str, Any] = {"agent": ScriptedModel({}), "workers": [pay]}
    wrong = Executor.resume(store, run.id, step_done={"0": "no idea"}, **how)
    assert (wrong.status, states(wrong)) == ("failed", [("charge#1", "done")])
    right = Executor.resume(store, run.id, step_done={"0": "receipt 9"}, retry_failed=True, **how)
    assert (right.status, right.result, len(paid)) == ("done", "receipt 9", 1)
    told = "task 0: your answer about the step charge#1 can no longer change, because task 0 is DONE with it"
    with pytest.raises(UsageError, match=re.escape(told)) as refused:
        Executor.resume(store, run.id, step_done={"0": "receipt 8"}, **how)
    assert f"--set-result 0=TEXT`, or run it again in a fork: `ramify fork {run.id} --from 0`" in str(refused.value)


def test_an_answer_is_not_changed_after_a_later_step(store: Path) -> None:
    @worker(name="pay")
    async def pay(context: WorkContext) -> str:
        receipt = await context.step("charge", lambda: 1 / 0, may_repeat=False)
        await context.step("book", lambda: receipt)
        raise ValueError("the printer is on fire")

    run = ran(store, bill(), pay)
    how: dict[str, Any] = {"agent": ScriptedModel({}), "workers": [pay]}
    assert Executor.resume(store, run.id, step_done={"0": "receipt 9"}, **how).status == "failed"
    with pytest.raises(UsageError, match="because the step book#1 was started after it"):
        Executor.resume(store, run.id, step_again=["0"], **how)


def test_a_step_with_a_key_is_not_repeated_under_another_key(store: Path) -> None:
    def paying(euros: int) -> Any:
        @worker(name="pay")
        async def pay(context: WorkContext) -> str:
            def charge() -> str:
                if euros == 3:
                    raise ValueError("half way")
                return "charged"

            return str(await context.step("charge", charge, may_repeat="with_key"))

        return pay

    class Euros:
        """Middleware that changes what the worker is given."""

        def before(self, task: Task, inputs: dict[str, Any]) -> dict[str, Any]:
            assert task.id == "0"
            return {**inputs, "euros": 4}

    run = ran(store, Task(content="x", id="0", type="pay"), paying(3))
    again = Executor.resume(
        store, run.id, agent=ScriptedModel({}), workers=[paying(4)], retry_failed=True, middleware=[Euros()]
    )
    assert (again.status, states(again)) == ("waiting", [("charge#1", "unknown")])
    assert "it must not be repeated under another key, and it is unknown" in str(again.error)
    again = Executor.resume(
        store, run.id, agent=ScriptedModel({}), workers=[paying(4)], step_again="0", middleware=[Euros()]
    )
    assert (again.result, states(again)) == ("charged", [("charge#1", "done")])


def test_a_fork_asks_about_a_step_as_its_key_is_another_one(store: Path) -> None:
    run = ran(store, bill(), raising(HALF_WAY, may_repeat="with_key")[0])
    pay, paid = raising(None, may_repeat="with_key")
    how: dict[str, Any] = {"agent": ScriptedModel({}), "workers": [pay], "retry_failed": True}
    forked = Executor.fork(store, run.id, **how)
    assert (forked.status, paid, states(forked)) == ("waiting", [], [("charge#1", "unknown")])
    assert Executor.resume(store, run.id, **how).result == "receipt 1"


# The command line


WORKERS = """
    import pathlib
    from ramify.planner import worker

    @worker
    async def pay(context):
        def charge():
            with pathlib.Path("paid").open("a") as file:
                file.write("paid\\n")
            if pathlib.Path("paid").read_text().count("paid") == 1:
                raise ValueError("half way")
            return {"receipt": 2}
        return await context.step("charge", charge, given={"euros": 3}, may_repeat=False)
"""
PLAN = "goal: Pay the bill\ntype: pay\n"
RUN = ("run", "plan.yaml", "--model", "rules", "--workers", "pay.py", "-q")


@pytest.fixture
def shop(home: Path) -> Path:
    (home / "pay.py").write_text(textwrap.dedent(WORKERS), encoding="utf-8")
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return home


@pytest.mark.parametrize(
    ("words", "out", "paid"),
    [
        (("--step-done", '0={"receipt": 1}'), '{"receipt": 1}\n', 1),
        (("--step-done", "0=paid by hand"), "paid by hand\n", 1),
        (("--step-again", "0"), '{"receipt": 2}\n', 2),
    ],
)
def test_the_command_ends_with_5_and_says_the_ways_that_go_on(
    ramify: Ramify, shop: Path, words: tuple[str, ...], out: str, paid: int
) -> None:
    asked = ramify(*RUN)
    assert (asked.code, asked.out) == (5, "")
    assert "failed (ValueError: half way); it must not be repeated, and it is unknown whether it was done" in asked.err
    assert asked.last_line.split()[3:] == ["--step-done", "0=RESULT"]
    assert ramify("resume", "--last", "-q").code == 5
    refused = ramify("resume", "--last", "-q", "--step-again", "0.9")
    assert (refused.code, "there are: '0'" in refused.err) == (2, True)
    said = ramify("resume", "--last", "-q", *words)
    assert (said.code, said.out) == (0, out), said.err
    assert (shop / "paid").read_text() == "paid\n" * paid


@pytest.mark.parametrize(
    ("typed", "code", "paid"),
    [("what\nd\nreceipt 9\n", 0, 1), ("a\n", 0, 2), ("\n", 5, 1)],
)
def test_a_person_is_asked_at_the_terminal(shop: Path, typed: str, code: int, paid: int) -> None:
    found, seen = Terminal(columns=200).run(*RUN, typed=typed)
    assert found == code, seen
    assert "task 0: was the step charge#1 done?" in seen
    assert 'given: {"euros": 3}' in seen
    assert "[d]one, do it [a]gain, or decide [l]ater:" in seen
    assert ("receipt 9" in seen.splitlines()[-1]) == (typed.startswith("what"))
    assert (shop / "paid").read_text() == "paid\n" * paid


@pytest.mark.usefixtures("shop")
def test_show_and_reports_say_what_is_known_of_each_effect(ramify: Ramify) -> None:
    ramify(*RUN)
    assert "effects: 1 unknown (0 charge#1)" in ramify("show", "--last").out
    one = ramify("show", "--last", "0").out
    assert re.search(r"effect: charge#1: unknown, must not repeat, idempotency key [0-9a-f-]{36}", one)
    (effect,) = json.loads(ramify("show", "--last", "--json").out)["effects"]
    assert (effect["state"], effect["may_repeat"], effect["kind"]) == ("unknown", False, "step")
    assert effect["idempotency_key"] in one
    for name in ("report.html", "report.md"):
        ramify("report", "--last", "-o", name)
        assert "1 unknown (0 charge#1)" in re.sub(r"<[^>]+>|\\", "", Path(name).read_text(encoding="utf-8"))
    ramify("resume", "--last", "-q", "--step-again", "0")
    assert "effects: 1 done" in ramify("show", "--last").out


# Kills: the long form is `python -m tests.crash_effects`


@pytest.mark.parametrize(
    ("way", "points", "repeated"),
    [
        ("step", ("before-step-intended", "charged"), 1),
        ("whole", ("after-step-intended", "before-step-commit"), 1),
        ("tool", ("arrived", "after-step-commit"), 0),
    ],
)
def test_kills_leave_a_true_ledger_and_every_order_is_charged_once(
    tmp_path: Path, way: str, points: tuple[str, ...], repeated: int
) -> None:
    with payment_server() as (server, address):
        plan = [(point, number) for number, point in enumerate(points, 1)]
        test = paid_through(str(tmp_path / "runs.db"), server, address, plan, way=way)
    assert (test.kills, test.waits, server.repeated) == (2, 0, repeated)


@pytest.mark.parametrize(("way", "point", "is_asked"), [("step", "charged", False), ("tool", "arrived", True)])
def test_without_a_key_nothing_is_repeated_before_somebody_has_looked(
    tmp_path: Path, way: str, point: str, *, is_asked: bool
) -> None:
    with payment_server() as (server, address):
        how: dict[str, Any] = {"way": way, "has_key": False, "is_asked": is_asked}
        test = paid_through(str(tmp_path / "runs.db"), server, address, [(point, 1)], **how)
    assert (test.kills, test.waits) == (1, 0 if is_asked else 1)


def test_effects_on_postgresql(postgres: PostgresServer) -> None:
    with payment_server() as (server, address):
        test = paid_through(postgres.empty_database(), server, address, [("charged", 1)], way="step")
    assert (test.kills, server.repeated) == (1, 1)
