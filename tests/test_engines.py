"""Engines: one contract, held by the one that stays here, by processes, and by a pool of threads that is new here."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run, worker
from ramify.planner.engines import Engine, Home, Order
from ramify.planner.engines.far import packed, perform, unpacked, value_of
from ramify.planner.engines.run_engines import RunEngines
from ramify.planner.engines.table import EngineGiven, engine_class
from ramify.planner.errors import CommandError, UsageError, WorkerLostError
from ramify.planner.events.events import Event, EventType
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

from . import engine_functions as functions
from .patience import HANG_S, comes_true


class Pool(Engine):
    """A pool of threads, which are given nothing but plain data: all that it takes to add an engine."""

    def __init__(self, *, run_id: str, jobs: int) -> None:
        super().__init__(run_id=run_id, jobs=jobs)
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="pool")

    async def submit(self, order: Order, home: Home) -> Any:
        stop = threading.Event()

        def ask(message: dict[str, Any]) -> dict[str, Any]:
            return plain(home.hear(plain(message)))

        return stop, asyncio.wrap_future(self._pool.submit(perform, plain(order.to_data()), ask, stop.is_set))

    async def result(self, job: Any) -> Any:
        said = plain(await asyncio.shield(job[1]))
        if "error" in said and said["error"]["text"] == "ThreadGoneError":
            raise WorkerLostError("a thread was lost", task_id="")
        return value_of(said)

    async def cancel(self, job: Any) -> "asyncio.Future[Any]":
        stop, future = job
        stop.set()
        return asyncio.ensure_future(asyncio.wait([future]))

    async def aclose(self) -> None:
        self._pool.shutdown(wait=False)


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """Return what comes of it on the other side of any wire; it raises for what is no JSON data."""
    crossed: dict[str, Any] = json.loads(json.dumps(data, allow_nan=False))
    return crossed


FAR: tuple[EngineGiven, ...] = ("process", Pool)
ALL: tuple[EngineGiven, ...] = ("here", *FAR)

every_engine = pytest.mark.parametrize("engine", ALL, ids=str)
every_far_engine = pytest.mark.parametrize("engine", FAR, ids=str)


class Ran:
    """A run of one task with one function on one engine, and what was told of it."""

    def __init__(self, folder: Path, function: Callable[..., Any], engine: EngineGiven, /, **inputs: Any) -> None:
        self.events: list[Event] = []
        self.function = worker(engine=engine)(function)
        self._inputs = inputs
        self._executor = Executor(
            ScriptedModel({}), store=folder / "r.db", workers=[self.function], on_event=self.events.append,
            allow=["secret:KEY"], secrets={"KEY": "a value"},
        )  # fmt: skip

    def start(self, **config: Any) -> Run:
        limits = TaskConfig(**{"max_retries": 0, "retry_delay_seconds": 0, **config})
        task = Task(content="call", id="0", type=self.function.name, inputs=self._inputs, config=limits)
        return self._executor.start(task)

    def run(self, **config: Any) -> Run:
        return self.start(**config).wait()

    def told(self, kind: EventType) -> list[dict[str, Any]]:
        return [dict(event.data) for event in self.events if event.type is kind]


@every_engine
@pytest.mark.parametrize("function", [functions.double, functions.double_on_a_loop])
def test_inputs_go_out_and_a_value_comes_back(tmp_path: Path, engine: EngineGiven, function: Any) -> None:
    assert Ran(tmp_path, function, engine, n=21).run().task.output == 42
    assert "lacks the input n" in str(Ran(tmp_path, function, engine).run().error)


@every_engine
def test_an_outcome_comes_back_as_one(tmp_path: Path, engine: EngineGiven) -> None:
    task = Ran(tmp_path, functions.covers_half, engine, n=3).run().task
    assert (task.result, task.output, task.gaps) == ("half of 3", {"half": 1.5}, ("the other half",))


@every_engine
def test_nothing_comes_back_where_that_is_declared(tmp_path: Path, engine: EngineGiven) -> None:
    assert Ran(tmp_path, functions.gives_nothing, engine).run().result == "(done; no result)"


@every_engine
@pytest.mark.parametrize(
    ("how", "said", "attempts"),
    [("raise", "ValueError: no such thing", 2), ("exit", "SystemExit: 4", 2), ("cannot", "nobody can do that", 1)],
)
def test_what_a_function_raises_fails_its_task_alone(
    tmp_path: Path, engine: EngineGiven, how: str, said: str, attempts: int
) -> None:
    ran = Ran(tmp_path, functions.fails, engine, how=how)
    run = ran.run(max_retries=1)
    assert (run.status, run.error, run.task.attempts) == ("failed", said, attempts)
    assert how == "cannot" or "engine_functions.py, line" in ran.told(EventType.TASK_FAILED)[0]["where"]


@every_engine
def test_a_function_is_told_which_attempt_it_is(tmp_path: Path, engine: EngineGiven) -> None:
    assert Ran(tmp_path, functions.fails_once, engine).run(max_retries=1).task.output == 2


@every_engine
def test_a_function_tells_and_asks_alike_wherever_it_is(tmp_path: Path, engine: EngineGiven) -> None:
    ran = Ran(tmp_path, functions.tells, engine, word="x")
    run = ran.run()
    assert run.task.output == {
        "recalled": ["x"], "all": {"word": ["x"]}, "unknown": 5, "results": {}, "inputs": {"word": "x"}, "attempt": 1,
        "run": run.id, "secret": "[secret hidden]", "is_cancelled": False, "retries": 0,
    }  # fmt: skip
    assert ran.told(EventType.TASK_PROGRESS) == [{"fraction": 0.5, "doing": "half of it"}]
    assert ran.told(EventType.EMITTED) == [{"name": "seen", "data": {"word": "x"}}]
    assert ran.told(EventType.ALERT) == [{"message": "look", "data": {"word": "x"}}]
    assert [path.read_text() for path in tmp_path.rglob("file.txt")] == ["x"]


@every_engine
def test_much_goes_through(tmp_path: Path, engine: EngineGiven) -> None:
    text = "wide \u20ac" * 100_000
    assert Ran(tmp_path, functions.copies, engine, text=text).run().result == text


@every_engine
def test_a_function_sees_what_its_task_needs(tmp_path: Path, engine: EngineGiven) -> None:
    root = Task(content="all", id="0")
    root.add_subtasks([Task(content=str(n), id=f"0.{n}", type="double", inputs={"n": n}) for n in (1, 2)])
    root.add_subtask(Task(content="sum", id="0.3", type="adds", dependencies=["0.1", "0.2"]))
    workers = [worker(engine=engine)(each) for each in (functions.double, functions.adds)]
    model = ScriptedModel({"compose": "<result>all of it</result>"})
    assert Executor(model, store=tmp_path / "r.db", workers=workers).run(root).task.find("0.3").output == 6


@every_engine
def test_a_function_whose_time_is_over_is_ended_or_told(tmp_path: Path, engine: EngineGiven) -> None:
    run = Ran(tmp_path, functions.goes_on, engine, folder=str(tmp_path)).run(max_duration_seconds=0.1)
    assert run.error == "TimeoutError: the attempt took longer than max_duration_seconds = 0.1"


@every_engine
def test_a_function_of_a_cancelled_run_is_ended_or_told(tmp_path: Path, engine: EngineGiven) -> None:
    run = Ran(tmp_path, functions.goes_on, engine, folder=str(tmp_path)).start()
    began, heard = tmp_path / "began", tmp_path / "heard"
    assert comes_true(lambda: began.exists() and began.read_text())
    run.cancel()
    assert run.wait().status == "cancelled"
    if engine == "process":
        with pytest.raises(ProcessLookupError):
            os.kill(int(began.read_text()), 0)
    assert comes_true(heard.exists) if engine != "process" else not heard.exists()


def test_an_async_function_of_a_cancelled_run_is_cancelled_where_it_is(tmp_path: Path) -> None:
    run = Ran(tmp_path, functions.waits, Pool, folder=str(tmp_path)).start()
    assert comes_true((tmp_path / "began").exists)
    run.cancel()
    assert run.wait().status == "cancelled"
    assert comes_true((tmp_path / "heard").exists)


def test_what_a_program_raises_elsewhere_says_the_same_here() -> None:
    error = unpacked(plain(packed(CommandError("no paper", may_pass=True, exit_code=3))))
    assert isinstance(error, CommandError)
    assert (str(error), error.may_pass, error.exit_code, error.is_unknown) == ("no paper", True, 3, False)


@every_far_engine
def test_a_lost_worker_is_tried_again(tmp_path: Path, engine: EngineGiven) -> None:
    ran = Ran(tmp_path, functions.is_lost, engine, times=1)
    run = ran.run(max_retries=1)
    assert (run.result, run.task.attempts) == ("done at last", 2)
    assert [each["attempt"] for each in ran.told(EventType.TASK_RETRYING)] == [1]
    run = Ran(tmp_path, functions.is_lost, engine, times=1).run()
    assert isinstance(run.cause, WorkerLostError)
    assert "lost" in str(run.error)


def test_a_process_that_is_lost_says_how_it_ended(tmp_path: Path) -> None:
    run = Ran(tmp_path, functions.is_lost, "process", times=1).run()
    assert "the worker 'is_lost' was lost: its process ended with exit code 3 before it returned" in str(run.error)


@every_engine
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("emit", 'task 0 reported something that cannot be stored: data["value"]: set'),
        ("remember", "the memory cannot store this|value: object"),
        ("return", "cannot be stored: result: set"),
        ("secret", "needs the permission secret:OTHER"),
    ],
)
def test_what_is_no_plain_data_is_refused_by_name(tmp_path: Path, engine: EngineGiven, how: str, said: str) -> None:
    run = Ran(tmp_path, functions.unsendable, engine, how=how).run(max_retries=1)
    assert any(words in str(run.error) for words in said.split("|")), run.error
    assert run.task.attempts == 1


@every_far_engine
def test_what_a_context_has_only_here_is_refused_by_name(tmp_path: Path, engine: EngineGiven) -> None:
    run = Ran(tmp_path, functions.unsendable, engine, how="spawn").run()
    assert "the worker 'unsendable' uses context.spawn, which works only in the run's own process" in str(run.error)


class Doubles:
    def double(self, n: int) -> int:
        return 2 * n


def takes_a_task(task: Task) -> str:
    return task.id


def made_from_text() -> Any:
    found: dict[str, Any] = {"__name__": "__main__"}
    exec("def typed_in(n: int) -> int:\n    return n\n", found)  # noqa: S102 - as in a session without a file
    return found["typed_in"]


@every_far_engine
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (takes_a_task, "cannot take task; take inputs, and `context` for anything else"),
        (lambda *, n: n, "must be a function at the top of a module"),
        (Doubles().double, "must be a function at the top of a module"),
        (made_from_text(), "cannot import it because it is in no file; put it in one"),
    ],
)
def test_a_function_that_cannot_be_sent_is_refused_as_it_is_made_a_worker(
    engine: EngineGiven, function: Any, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        worker(engine=engine, name="w")(function)
    assert str(refused.value).startswith("the worker 'w' ")
    assert said in str(refused.value)


def test_a_limit_is_refused_where_the_engine_does_not_keep_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_memory_mb is a limit for workers that run programs"):
        Ran(tmp_path, functions.double, Pool, n=1).run(max_memory_mb=500)
    assert Ran(tmp_path, functions.double, "process", n=1).run(max_memory_mb=500).result == "2"


def test_an_order_is_plain_data() -> None:
    order = Order(
        run_id="r", task_id="0.1", attempt=2, worker="w", source="a.b", name="c", inputs={"n": [1]},
        limits=TaskConfig(max_retries=3), memory_scope="run",
    )  # fmt: skip
    assert plain(order.to_data())["limits"] == {"max_retries": 3}
    assert Order.from_data(plain(order.to_data())) == order


def test_nothing_is_over_for_a_task_before_what_was_given_up_has_ended() -> None:
    began, release = threading.Event(), threading.Event()

    def works() -> bool:
        began.set()
        return release.wait(HANG_S)

    async def give_up() -> tuple[bool, bool, bool]:
        engines = RunEngines("r", 2)
        call = asyncio.ensure_future(engines.call("owner", works))
        while not began.is_set():
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
        before, of_another = await engines.ended("owner", 0), await engines.ended("other", 0)
        release.set()
        after = await engines.ended("owner", HANG_S)
        await engines.here.aclose()
        return before, of_another, after

    assert asyncio.run(give_up()) == (False, True, True)


def test_isolated_is_short_for_one_engine_and_stands_beside_no_other() -> None:
    assert worker(isolated=True)(functions.double).engine == "process"
    with pytest.raises(UsageError, match="isolated and engine='here' are both given; leave one out"):
        worker(isolated=True, engine="here")(functions.double)


def test_an_engine_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no engine 'proces' \(did you mean 'process'\?\); there are: dask, here"):
        worker(engine="proces")(functions.double)


def test_a_package_adds_an_engine_by_its_entry_points(tmp_path: Path) -> None:
    info = tmp_path / "added-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ramify.engines]\nadded = added:Added\nodd = added:odd\ngone = gone:X\n")
    (tmp_path / "added.py").write_text(
        "from ramify.planner.engines.process import Process\nclass Added(Process):\n    pass\nodd = 1\n"
    )
    program = (
        "from ramify.planner.engines.table import engine_class\nfrom ramify.planner.errors import UsageError\n"
        "print(engine_class('added').__name__)\n"
        "for name in ('odd', 'gone'):\n    try:\n        engine_class(name)\n    except UsageError as error:\n"
        "        print(error)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True, timeout=HANG_S
    )
    added, odd, gone = done.stdout.splitlines()
    assert added == "Added"
    assert odd == "added:odd, given as the engine 'odd', is not an engine class"
    assert gone.startswith("the engine 'gone' (gone:X) cannot be imported: ModuleNotFoundError: No module named 'gone'")


def test_an_engine_of_your_own_is_given_as_its_class() -> None:
    assert engine_class(Pool) is Pool


def pid_of(folder: Path, of_the_run: str | None, **given: Any) -> int:
    function = worker(**given)(functions.whose)
    executor = Executor(ScriptedModel({}), store=folder / "r.db", workers=[function], engine=of_the_run)
    pid = executor.run(Task(content="x", id="0", type="whose")).task.output
    assert isinstance(pid, int)
    return pid


def test_a_run_says_where_functions_are_called_whose_workers_do_not(tmp_path: Path) -> None:
    assert pid_of(tmp_path, "process") != os.getpid()
    assert pid_of(tmp_path, "process", engine="here") == os.getpid()
    assert pid_of(tmp_path, None) == os.getpid()


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("proces", r"no engine 'proces' \(did you mean 'process'\?\)"),
        ("process:here", "the engine 'process' takes no address, but 'process:here' has one; use 'process'"),
        ("process", "must be a function at the top of a module; or leave it in this process with @worker"),
    ],
)
def test_an_engine_of_a_run_is_refused_before_anything_is_stored(tmp_path: Path, engine: str, said: str) -> None:
    executor = Executor(ScriptedModel({}), store=tmp_path / "r.db", workers={"w": lambda: "x"}, engine=engine)
    with pytest.raises(UsageError, match=said):
        executor.run(Task(content="x", id="0", type="w"))
    assert not (tmp_path / "r.db").exists()
