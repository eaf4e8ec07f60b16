"""The border to other people's code: every place that calls it, with every exception that ends more than a task."""

import asyncio
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, Outcome, PlanLimits, Run, WorkContext, Worker
from ramify.planner.errors import OutsideError, UsageError
from ramify.planner.events.events import Event
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.runtime.background import background_loop, run_sync
from ramify.planner.runtime.border import border, error_text
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.tools import tool
from ramify.planner.work.modules import imported
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.checks import Check

WAIT_S = 120.0
"""Longer than any run here takes; it ends a test that would hang."""


class WordlessError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class OwnStop(BaseException):
    pass


EXCEPTIONS: dict[str, tuple[Callable[[], BaseException], str]] = {
    "SystemExit": (lambda: SystemExit(1), "SystemExit: 1"),
    "KeyboardInterrupt": (KeyboardInterrupt, "KeyboardInterrupt"),
    "StopIteration": (StopIteration, "StopIteration"),
    "StopAsyncIteration": (StopAsyncIteration, "StopAsyncIteration"),
    "CancelledError": (asyncio.CancelledError, "CancelledError"),
    "GeneratorExit": (GeneratorExit, "GeneratorExit"),
    "no words": (WordlessError, "WordlessError"),
    "own BaseException": (lambda: OwnStop("enough"), "OwnStop: enough"),
    "ordinary": (lambda: LookupError("no such city"), "LookupError: no such city"),
}


class Hook:
    """Raises what it is given wherever foreign code is called; the methods are the borders."""

    def __init__(self, make: Callable[[], BaseException]) -> None:
        self._make = make

    def plain(self, *_: object) -> Any:
        raise self._make()

    async def coroutine(self, *_: object) -> Any:
        raise self._make()

    async def late(self, *_: object) -> Any:
        await asyncio.sleep(0)
        raise self._make()

    def awaitable(self, *_: object) -> Any:
        return self.late()


class Raising(Worker):
    about = "raises"

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    async def perform(self, _: Task, __: WorkContext) -> Outcome:
        return Outcome(str(self._run()))

    async def compose(self, _: Task, __: WorkContext) -> Outcome:
        return Outcome(str(self._run()))


class Closing(Raising):
    async def perform(self, _: Task, __: WorkContext) -> Outcome:
        return Outcome("fine")

    async def aclose(self) -> None:
        self._run()


class Around:
    """Middleware that calls `run` before or after the task 0.1."""

    def __init__(self, *, before: Callable[..., Any] | None = None, after: Callable[..., Any] | None = None) -> None:
        self._before, self._after = before, after

    def before(self, task: Task, _: dict[str, Any]) -> Any:
        return self._before() if self._before and task.id == "0.1" else None

    def after(self, task: Task, _: Outcome) -> Any:
        return self._after() if self._after and task.id == "0.1" else None


class RaisingModel(ScriptedModel):
    """Raises for the task 0.1, and for plans."""

    def __init__(self, run: Callable[..., Any], purposes: tuple[str, ...] = ("execute",)) -> None:
        super().__init__({"*": "<result>fine</result>"})
        self._run = run
        self._purposes = purposes

    async def complete(self, request: ModelRequest) -> ModelReply:
        if request.purpose in self._purposes and request.task_id in {"0", "0.1"}:
            self._run()
        return await super().complete(request)


def fine() -> str:
    return "fine"


def without_parameters(run: Callable[..., Any]) -> Callable[[], Any]:
    """Return `run` as a function without parameters, plain or async as it is."""

    async def coroutine() -> Any:
        return await run()

    def plain() -> Any:
        return run()

    return coroutine if asyncio.iscoroutinefunction(run) else plain


def worker_border(run: Callable[..., Any] | Worker) -> dict[str, Any]:
    return {"workers": {"bad": run, "good": fine}}


def step_border(run: Callable[..., Any]) -> dict[str, Any]:
    async def steps(context: WorkContext) -> Any:
        return await context.step("it", run)

    return worker_border(steps)


def wait_border(run: Callable[..., Any]) -> dict[str, Any]:
    return worker_border(lambda context: context.wait(context.step("it", run)))


def check_border(run: Callable[..., Any]) -> dict[str, Any]:
    return {"workers": {"bad": fine, "good": fine}, "checks": {"judge": run}}


BORDERS: dict[str, Callable[[Hook], dict[str, Any]]] = {
    "a plain worker": lambda hook: worker_border(without_parameters(hook.plain)),
    "an async worker": lambda hook: worker_border(without_parameters(hook.late)),
    "an async worker that is given the task": lambda hook: worker_border(hook_with_task(hook)),
    "a plain worker that returns an awaitable": lambda hook: worker_border(without_parameters(hook.awaitable)),
    "a Worker": lambda hook: worker_border(Raising(hook.plain)),
    "a plain step": lambda hook: step_border(hook.plain),
    "an async step": lambda hook: step_border(hook.coroutine),
    "a step of a plain worker": lambda hook: wait_border(hook.late),
    "a plain check": lambda hook: check_border(hook.plain),
    "an async check": lambda hook: check_border(hook.coroutine),
    "middleware before": lambda hook: worker_border(fine) | {"middleware": [Around(before=hook.plain)]},
    "async middleware before": lambda hook: worker_border(fine) | {"middleware": [Around(before=hook.coroutine)]},
    "middleware after": lambda hook: worker_border(fine) | {"middleware": [Around(after=hook.plain)]},
    "async middleware after": lambda hook: worker_border(fine) | {"middleware": [Around(after=hook.late)]},
    "a model": lambda hook: {"agent": RaisingModel(hook.plain), "workers": {"good": fine}},
}


def hook_with_task(hook: Hook) -> Callable[[Task], Any]:
    async def bad(task: Task) -> Any:
        return await hook.coroutine(task)

    return bad


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture(params=EXCEPTIONS)
def exception(request: pytest.FixtureRequest) -> tuple[Hook, str]:
    make, words = EXCEPTIONS[request.param]
    return Hook(make), words


@pytest.fixture(autouse=True)
def loop_stays() -> Iterator[None]:
    loop = background_loop()
    yield
    assert background_loop() is loop
    assert run_sync(asyncio.sleep(0, "alive")) == "alive"


def tree(**leaf: Any) -> Task:
    root = Task(content="all", id="0", config=TaskConfig(max_retries=0))
    root.add_subtasks([Task(content="bad", id="0.1", **leaf), Task(content="good", id="0.2", type="good")])
    return root


def ended(run: Run) -> Run:
    async def awaited() -> Run:
        return await asyncio.wait_for(run, WAIT_S)

    return asyncio.run(awaited())


def ran(store: Path, root: Task, *, agent: Any = None, **how: Any) -> Run:
    agent = agent or ScriptedModel({"*": "<result>fine</result>"})
    return ended(Executor(agent, store=store, **how).start(root))


def stored(store: Path, run: Run) -> dict[str, tuple[TaskState, str | None]]:
    with Store.open(store) as opened:
        return {task.id: (task.state, task.error) for task in opened.load_tree(run.id).walk()}


@pytest.mark.fault("1.1")
@pytest.mark.fault("1.2")
@pytest.mark.fault("1.3")
@pytest.mark.fault("1.4")
@pytest.mark.parametrize("place", BORDERS)
def test_whatever_foreign_code_raises_only_its_task_fails(store: Path, place: str, exception: tuple[Hook, str]) -> None:
    hook, words = exception
    how = BORDERS[place](hook)
    leaf: dict[str, Any] = {"type": "bad"} if "bad" in how["workers"] else {}
    if "checks" in how:
        leaf["checks"] = [Check(predicate="judge")]
    run = ran(store, tree(**leaf), **how)
    assert stored(store, run) == {
        "0": (TaskState.FAILED, f"subtask 0.1 failed: {words}"),
        "0.1": (TaskState.FAILED, words),
        "0.2": (TaskState.DONE, None),
    }
    assert run.status == "failed"


@pytest.mark.fault("1.1")
def test_later_runs_of_the_process_work(store: Path) -> None:
    def leaves() -> None:
        raise SystemExit(1)

    runs = [ran(store, tree(type="bad"), workers={"bad": leaves, "good": fine}) for _ in range(2)]
    runs.append(ran(store, tree(type="good"), workers={"good": fine}))
    assert [run.status for run in runs] == ["failed", "failed", "done"]


def test_a_model_is_told_what_a_tool_has_raised(store: Path, exception: tuple[Hook, str]) -> None:
    hook, words = exception
    replies = ['<call tool="look"></call>', "<result>seen</result>"]
    model = ScriptedModel(lambda request: replies[min(1, len(request.messages) // 3)])
    for each in (hook.plain, hook.coroutine):
        agent = Agent(model, tools=[tool(name="look", description="looks")(without_parameters(each))])
        assert ran(store, Task(content="look", id="0"), agent=agent).result == "seen"
        assert words in model.requests[-1].messages[-1]["content"]


def test_a_run_goes_on_whatever_its_subscribers_raise(store: Path, exception: tuple[Hook, str]) -> None:
    hook, _ = exception
    run = Executor("rules", store=store, workers={"good": fine}, on_event=hook.plain).start(tree(type="good"))
    run.on(print, where=hook.plain)
    run.bus.at_close(hook.plain)
    assert ended(run).status == "done"


def test_a_worker_that_cannot_be_closed_keeps_no_run_from_its_end(store: Path, exception: tuple[Hook, str]) -> None:
    hook, words = exception
    run = ran(store, tree(type="good"), workers={"bad": Closing(hook.plain), "good": fine})
    assert run.status == "done"
    with Store.open(store) as opened:
        said = [event.data["message"] for event in opened.events(run.id) if event.type == "warning"]
    assert said == [f"Closing could not be closed: {words}"]


def test_a_goal_fails_that_a_model_raises_for_as_it_is_planned(store: Path, exception: tuple[Hook, str]) -> None:
    hook, words = exception
    model = RaisingModel(hook.plain, ("decompose",))
    run = ran(store, Task(content="all", id="0"), agent=model, plan=PlanLimits(max_depth=2))
    assert stored(store, run) == {"0": (TaskState.FAILED, words)}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_a_file_of_workers_that_raises_as_it_is_imported_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"import sys\nraise sys.modules[{__name__!r}].EXCEPTIONS[{name!r}][0]()\n")
    with pytest.raises(UsageError, match="cannot be imported") as caught:
        imported(str(file))
    assert str(caught.value).endswith(EXCEPTIONS[name][1])


def test_a_task_that_cancels_itself_fails_and_the_others_go_on(store: Path) -> None:
    async def cancels() -> str:
        this = asyncio.current_task()
        assert this is not None
        this.cancel()
        await asyncio.sleep(WAIT_S)
        return "never"

    async def cancels_late() -> str:
        this = asyncio.current_task()
        assert this is not None
        this.cancel()
        return "said before it was heard of"

    for bad in (cancels, cancels_late):
        run = ran(store, tree(type="bad"), workers={"bad": bad, "good": fine}, jobs=1)
        assert stored(store, run)["0.1"] == (TaskState.FAILED, "CancelledError: it has cancelled itself")
        assert stored(store, run)["0.2"] == (TaskState.DONE, None)


def test_a_subtask_of_a_worker_that_is_to_end_the_process_ends_only_the_worker(store: Path) -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    async def bad() -> str:
        await asyncio.create_task(leaves())
        return "never"

    run = ran(store, tree(type="bad"), workers={"bad": bad, "good": fine})
    assert stored(store, run)["0.1"] == (TaskState.FAILED, "SystemExit: 3")
    assert stored(store, run)["0.2"] == (TaskState.DONE, None)


def test_the_store_of_a_worker_is_not_the_store_of_the_run(store: Path) -> None:
    def looks() -> str:
        with Store.open(store.with_name("nowhere.db"), create=False):
            return "never"

    run = ran(store, tree(type="bad"), workers={"bad": looks, "good": fine})
    state, error = stored(store, run)["0.1"]
    assert state is TaskState.FAILED
    assert str(error).startswith("StoreError: ")
    assert run.status == "failed"


@pytest.mark.parametrize("is_awaited", [False, True])
def test_a_worker_that_cancels_all_of_the_loop_is_told_with_its_task_and_nothing_is_lost(
    store: Path, *, is_awaited: bool
) -> None:
    async def first() -> str:
        return "kept"

    async def cancels() -> str:
        for each in asyncio.all_tasks():
            each.cancel()
        await asyncio.sleep(0)
        return "not heard"

    async def awaited(run: Run) -> Run:
        return await run

    root = Task(content="all", id="0")
    root.add_subtasks(
        [
            Task(content="x", id="0.1", type="first"),
            Task(content="y", id="0.2", type="cancels", dependencies=["0.1"]),
        ]
    )
    run = Executor(ScriptedModel({}), store=store, workers={"first": first, "cancels": cancels}).start(root)
    run = asyncio.run(awaited(run)) if is_awaited else run.wait()
    assert run.status == "interrupted"
    assert "cancelled all tasks of its event loop while task 0.2 ran" in (run.error or "")
    assert stored(store, run)["0.1"] == (TaskState.DONE, None)
    again = Executor.resume(
        store,
        run.id,
        workers={"first": first, "cancels": first},
        agent=Agent(ScriptedModel({"compose": "<result>together</result>"})),
    )
    assert (again.status, again.result) == ("done", "together")


def test_a_cancellation_that_was_asked_for_goes_over_the_border() -> None:
    async def waits() -> None:
        with border:
            await asyncio.sleep(WAIT_S)

    async def cancelled() -> str:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "not"

    assert run_sync(cancelled()) == "cancelled"


def test_a_coroutine_can_be_closed_at_the_border() -> None:
    async def waits() -> None:
        with border:
            await asyncio.sleep(WAIT_S)

    async def closed() -> None:
        coroutine = waits()
        coroutine.send(None)
        coroutine.close()

    run_sync(closed())


def test_ctrl_c_goes_over_the_border_in_the_main_thread() -> None:
    with pytest.raises(KeyboardInterrupt), border:
        signal.raise_signal(signal.SIGINT)


def test_a_keyboard_interrupt_of_foreign_code_is_no_ctrl_c() -> None:
    with pytest.raises(OutsideError, match="KeyboardInterrupt"), border:
        raise KeyboardInterrupt


@pytest.mark.parametrize("error", [ValueError("bad"), UsageError("bad"), OutsideError("bad")])
def test_an_ordinary_exception_goes_over_the_border_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, border:
        raise error
    assert caught.value is error


def test_the_cause_of_what_came_over_the_border_is_kept() -> None:
    with pytest.raises(OutsideError) as caught, border:
        raise SystemExit(2)
    assert isinstance(caught.value.__cause__, SystemExit)
    assert error_text(caught.value) == "SystemExit: 2"


VARIABLE: ContextVar[str] = ContextVar("variable", default="not set")


@pytest.mark.fault("1.7")
def test_context_variables_reach_everybody_who_works_for_a_run(store: Path) -> None:
    def plain() -> str:
        return VARIABLE.get()

    async def coroutine() -> str:
        return VARIABLE.get()

    async def steps(context: WorkContext) -> str:
        return str(await context.step("it", plain))

    seen: list[str] = []

    def judge(_: str) -> bool:
        seen.append(VARIABLE.get())
        return True

    @tool
    def look() -> str:
        """Look."""
        seen.append(VARIABLE.get())
        return "seen"

    replies = ['<call tool="look"></call>', "<result>seen</result>"]
    model = ScriptedModel(lambda request: replies[min(1, len(request.messages) // 3)])
    root = Task(content="all", id="0")
    root.add_subtasks([Task(content=name, id=f"0.{name}", type=name) for name in ("plain", "coroutine", "steps")])
    root.add_subtask(Task(content="look", id="0.look", checks=[Check(predicate="judge")]))
    token = VARIABLE.set("set by the caller")
    try:
        workers = {"plain": plain, "coroutine": coroutine, "steps": steps}
        run = ran(store, root, agent=Agent(model, tools=[look]), workers=workers, checks={"judge": judge})
    finally:
        VARIABLE.reset(token)
    results = [run.task.find(f"0.{name}").result for name in ("plain", "coroutine", "steps")]
    assert (results, seen) == (["set by the caller"] * 3, ["set by the caller"] * 2)


@pytest.mark.fault("1.5")
def test_a_function_whose_time_is_over_is_never_called_beside_itself(store: Path) -> None:
    running, most, calls = 0, 0, 0
    gate = threading.Lock()

    def slow(context: WorkContext) -> str:
        nonlocal running, most, calls
        with gate:
            running, calls = running + 1, calls + 1
            most = max(most, running)
        context.cancelled.wait(0.0 if calls > 2 else WAIT_S)
        with gate:
            running -= 1
        return "fine"

    config = TaskConfig(max_duration_seconds=2, max_retries=20, retry_delay_seconds=0)
    run = ran(store, Task(content="x", id="0", type="slow", config=config), workers={"slow": slow})
    assert (most, calls > 2, run.result) == (1, True, "fine")


@pytest.mark.fault("1.5")
def test_a_function_that_does_not_end_is_not_called_again(store: Path) -> None:
    end = threading.Event()
    calls: list[int] = []

    def stuck() -> str:
        calls.append(1)
        end.wait(WAIT_S)
        return "never"

    config = TaskConfig(max_duration_seconds=1, max_retries=2, retry_delay_seconds=0)
    run = ran(store, Task(content="x", id="0", type="stuck", config=config), workers={"stuck": stuck})
    end.set()
    assert len(calls) == 1
    assert "max_duration_seconds = 1; its function is still running 1 s later and is not started twice" in str(
        run.error
    )


@pytest.mark.fault("1.5")
def test_a_function_that_does_not_end_takes_nobodys_place(store: Path) -> None:
    end = threading.Event()

    def stuck() -> str:
        end.wait(WAIT_S)
        return "never"

    root = tree(type="stuck", config=TaskConfig(max_duration_seconds=0.1, max_retries=0))
    run = ran(store, root, workers={"stuck": stuck, "good": fine}, jobs=1)
    end.set()
    assert [task.state for task in run.task.subtasks] == [TaskState.FAILED, TaskState.DONE]


@pytest.mark.fault("1.6")
def test_an_async_function_that_cannot_be_ended_in_time_is_named(store: Path) -> None:
    async def holds() -> str:
        time.sleep(0.5)  # noqa: ASYNC251 - as users do
        return "late"

    config = TaskConfig(max_duration_seconds=0.1)
    run = ran(store, tree(type="holds", config=config), workers={"holds": holds, "good": fine})
    said = [event.data["message"] for event in events_of(store, run, "warning") if event.task_id == "0.1"]
    assert len(said) == 1
    assert re.match(r"task 0\.1 was done \d+\.\d s after its max_duration_seconds, and could not be", said[0])


@pytest.mark.fault("1.6")
def test_whoever_holds_the_loop_is_named_with_the_line(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    def is_told() -> bool:
        return "the event loop was blocked" in caplog.text

    async def holds() -> str:
        while not is_told():
            time.sleep(0.05)  # noqa: ASYNC251 - as users do
        return "late"

    async def waits(context: WorkContext) -> str:
        async for event in context.events("warning"):
            return str(event.data["message"])
        return "never told"

    run = ran(store, tree(type="holds"), workers={"holds": holds, "good": waits})
    said = [event.data["message"] for event in events_of(store, run, "warning")]
    assert len(said) == 1
    assert re.match(r"task 0\.1 blocked the event loop for \d+ s \(test_border\.py, line \d+, in \w+\)", said[0])


def test_the_first_of_several_exceptions_is_named_and_the_others_are_counted(store: Path) -> None:
    async def bad() -> str:
        inner = ExceptionGroup("pages", [ValueError("no such page"), KeyError("b")])
        raise ExceptionGroup("all", [inner, OSError("gone")])

    run = ran(store, tree(type="bad"), workers={"bad": bad, "good": fine})
    words = "ExceptionGroup: all (2 sub-exceptions): ValueError: no such page; and 2 more"
    assert stored(store, run)["0.1"] == (TaskState.FAILED, words)


@pytest.mark.fault("4.3")
def test_where_a_worker_has_raised_is_told_with_its_failure(store: Path) -> None:
    def looks_up() -> str:
        return str(json.loads("{"))

    def leaves() -> str:
        return sys.exit("no such file")

    async def ends() -> str:
        return next(iter(()))

    for bad, line in ((looks_up, "looks_up"), (leaves, "leaves"), (ends, "ends")):
        run = ran(store, tree(type="bad"), workers={"bad": bad, "good": fine})
        failed = [event.data for event in events_of(store, run, "task_failed") if event.task_id == "0.1"]
        assert re.fullmatch(rf"test_border\.py, line \d+, in {line}", failed[0]["where"])


def events_of(store: Path, run: Run, kind: str) -> list[Event]:
    with Store.open(store) as opened:
        return [event for event in opened.events(run.id) if event.type == kind]
