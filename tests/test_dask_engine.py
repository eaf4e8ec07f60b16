"""The engine `dask`: leaves on a cluster of one process, which is told, asked, lost and refused as the run says."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run, worker
from ramify.planner.engines.dask_far import difference
from ramify.planner.errors import EngineError, UnknownStepError, WorkerLostError
from ramify.planner.events.events import Event, EventType
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from . import engine_functions as functions
from .patience import comes_true
from .test_engines import Ran

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster as users have it: a scheduler that is set as we want it, and a process with four threads."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=4, dashboard_address=None,
        scheduler_kwargs={"allowed_failures": 0, "dashboard_address": "127.0.0.1:0"},
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def dask(cluster: Any) -> str:
    return f"dask:{cluster.scheduler_address}"


def worker_pid(cluster: Any) -> int:
    with distributed.Client(cluster, set_as_default=False) as client:
        pids: dict[str, int] = client.run(os.getpid)
    return next(iter(pids.values()))


@pytest.mark.parametrize("function", [functions.double, functions.double_on_a_loop])
def test_inputs_go_there_and_a_value_comes_back(tmp_path: Path, dask: str, function: Any) -> None:
    ran = Ran(tmp_path, function, dask, n=21)
    assert ran.run().task.output == 42
    connected = ran.told(EventType.EMITTED)[0]["data"]
    assert (connected["scheduler"], connected["workers"], connected["threads"]) == (dask.partition(":")[2], 1, 4)


def test_an_outcome_with_a_gap_comes_back_as_one(tmp_path: Path, dask: str) -> None:
    task = Ran(tmp_path, functions.covers_half, dask, n=3).run().task
    assert (task.result, task.output, task.gaps) == ("half of 3", {"half": 1.5}, ("the other half",))


def test_what_a_function_raises_there_fails_its_task_and_says_where(tmp_path: Path, dask: str) -> None:
    ran = Ran(tmp_path, functions.fails, dask, how="raise")
    run = ran.run(max_retries=1)
    assert (run.status, run.error, run.task.attempts) == ("failed", "ValueError: no such thing", 2)
    assert "engine_functions.py, line" in ran.told(EventType.TASK_FAILED)[0]["where"]


def test_a_function_tells_and_asks_from_there(tmp_path: Path, dask: str) -> None:
    ran = Ran(tmp_path, functions.tells, dask, word="x")
    run = ran.run()
    assert isinstance(run.task.output, dict), run.error
    assert run.task.output["recalled"] == ["x"]
    assert run.task.output["secret"] == "[secret hidden]"  # noqa: S105 - it is hidden
    assert ran.told(EventType.TASK_PROGRESS) == [{"fraction": 0.5, "doing": "half of it"}]
    assert {"name": "seen", "data": {"word": "x"}} in ran.told(EventType.EMITTED)
    assert [path.read_text() for path in tmp_path.rglob("file.txt")] == ["x"]


def test_a_function_has_the_key_there_that_it_has_here(tmp_path: Path, dask: str) -> None:
    events: list[Event] = []
    function = worker(engine=dask, may_repeat="with_key")(functions.names_its_key)
    executor = Executor(ScriptedModel({}), store=tmp_path / "r.db", workers=[function], on_event=events.append)
    run = executor.run(Task(content="x", id="0", type="names_its_key"))
    intended = [event.data["idempotency_key"] for event in events if event.type is EventType.STEP_INTENDED]
    assert intended == [run.result]


def test_a_function_of_a_cancelled_run_is_told_and_ends(tmp_path: Path, dask: str) -> None:
    run = Ran(tmp_path, functions.goes_on, dask, folder=str(tmp_path)).start()
    assert comes_true((tmp_path / "began").exists)
    run.cancel()
    assert run.wait().status == "cancelled"
    assert comes_true((tmp_path / "heard").exists)


def test_an_attempt_whose_time_is_over_is_not_followed_beside_itself(tmp_path: Path, dask: str) -> None:
    run = Ran(tmp_path, functions.goes_on, dask, folder=str(tmp_path)).run(max_duration_seconds=0.3)
    assert run.error == "TimeoutError: the attempt took longer than max_duration_seconds = 0.3"
    assert comes_true((tmp_path / "heard").exists)


class Leaves:
    """Two leaves below a root, in a run that goes to the cluster as a whole."""

    def __init__(self, folder: Path, engine: str, *leaves: Task, workers: Any = (), **options: Any) -> None:
        root = Task(content="all", id="0")
        root.add_subtasks(leaves)
        model = ScriptedModel({"compose": "<result>all of it</result>"})
        self.events: list[Event] = []
        self.run: Run = Executor(
            model, store=folder / "r.db", workers=workers, engine=engine, on_event=self.events.append, **options
        ).run(root)


def test_a_run_on_a_cluster_sends_functions_and_programs_and_keeps_what_says_here(
    tmp_path: Path, dask: str, cluster: Any
) -> None:
    show = (
        "import json, os, psutil; above = [each.pid for each in psutil.Process().parents()]"
        "; print(json.dumps([above, os.environ['RAMIFY_IDEMPOTENCY_KEY'], os.path.basename(os.getcwd())]))"
    )
    ran = Leaves(
        tmp_path, dask,
        Task(content="there", id="0.1", type="whose"),
        Task(content="here", id="0.2", type="mine"),
        Task(content="program", id="0.3", type="subprocess", inputs={"command": [sys.executable, "-c", show]}),
        workers=[functions.whose, worker(name="mine", engine="here")(functions.whose)], allow=["subprocess"],
    )  # fmt: skip
    assert ran.run.status == "done", ran.run.error
    there = worker_pid(cluster)
    assert ran.run.task.find("0.1").output == there
    assert ran.run.task.find("0.2").output == os.getpid()
    above, key, folder = json.loads(str(ran.run.task.find("0.3").result))
    assert there in above
    assert (len(key), folder) == (36, "0.3")


def test_a_program_that_fails_there_fails_its_task_with_its_own_words(tmp_path: Path, dask: str) -> None:
    command = [sys.executable, "-c", "import sys; print('no paper', file=sys.stderr); sys.exit(3)"]
    leaf = Task(content="x", id="0.1", type="subprocess", inputs={"command": command}, config={"max_retries": 0})
    run = Leaves(tmp_path, dask, leaf, allow=["subprocess"]).run
    assert "code 3:\nno paper" in str(run.task.find("0.1").error)


def refused(run: Run) -> str:
    assert isinstance(run.cause, EngineError), run.error
    assert run.status == "stopped"
    assert run.raising_options == ["--engine", "here"]
    assert run.task.find("0").attempts == 0
    return str(run.error)


def test_a_scheduler_that_does_again_by_itself_what_was_lost_is_refused_with_the_line_to_set(
    tmp_path: Path, dask: str, cluster: Any
) -> None:
    cluster.scheduler.allowed_failures = 3
    try:
        said = refused(Ran(tmp_path, functions.double, dask, n=1).run())
    finally:
        cluster.scheduler.allowed_failures = 0
    assert "would repeat the tasks of a lost worker up to 3 times by itself" in said
    assert "start it with DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0 in its environment" in said


def test_a_worker_that_has_loaded_another_version_of_a_module_is_refused_by_name(tmp_path: Path, dask: str) -> None:
    file = tmp_path / "changing.py"

    def run() -> Run:
        return Executor(
            ScriptedModel({}), store=tmp_path / "r.db", worker_sources=[str(file)], engine=dask
        ).run(Task(content="x", id="0", type="says"))  # fmt: skip

    file.write_text("from ramify.planner import worker\n@worker\ndef says() -> str:\n    return 'old'\n")
    assert run().result == "old"
    file.write_text(file.read_text().replace("old", "new"))
    said = refused(run())
    assert f"has loaded another version of {file} than the run; put the same file there, and restart" in said


def test_a_place_where_no_scheduler_answers_stops_the_run(tmp_path: Path) -> None:
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        said = refused(Ran(tmp_path, functions.double, "dask:tcp://127.0.0.1:9", n=1).run())
    assert said.startswith("no Dask scheduler answers at tcp://127.0.0.1:9: ")


SAME = {"python": "3.11", "ramify": "1.0", "build": "x", "code": "a", "source": "jobs"}


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ({}, ""),
        ({"python": "3.12"}, "has Python 3.12, and the run has 3.11; start the workers in the environment of the run"),
        ({"ramify": "2.0"}, "has ramify 2.0, and the run has 1.0; start the workers in the environment of the run"),
        ({"build": "y"}, "has other files of ramify 1.0 than the run; start the workers in the environment of"),
        ({"code": "b"}, "has loaded another version of jobs than the run; put the same file there"),
        ({"problem": "no jobs"}, "says that no jobs; install it there, or put its folder on the PYTHONPATH of the"),
    ],
)
def test_what_is_different_there_is_said_with_the_way_out(there: dict[str, str], told: str) -> None:
    found = difference(SAME, {**SAME, **there})
    assert found.startswith(told)
    assert bool(found) == bool(told)


def lost(folder: Path, dask: str, **how: Any) -> Run:
    function: Callable[..., Any] = worker(engine=dask, **how)(functions.is_lost)
    task = Task(content="x", id="0", type="is_lost", inputs={"times": 1}, config={"retry_delay_seconds": 0})
    return Executor(ScriptedModel({}), store=folder / "r.db", workers=[function]).run(task)


def test_lost_workers_are_replaced_their_leaves_tried_again_and_finished_ones_left_alone(
    tmp_path: Path, dask: str
) -> None:
    """The long form, 50 kills in 2,000 leaves, is `benchmarks/dask_engine.py kills`."""
    log = tmp_path / "log"
    config = {"max_retries": 5, "retry_delay_seconds": 0}
    leaves = [
        Task(
            content="x",
            id=f"0.{n}",
            type="notes",
            inputs={"log": str(log), "n": n, "times": times},
            config=config,
            dependencies=["0.0", "0.1", "0.2"] if n > 2 else [],
        )
        for n, times in enumerate([0, 0, 0, 2, 0])
    ]
    run = Leaves(tmp_path, dask, *leaves, workers=[functions.notes]).run
    assert run.status == "done", run.error
    assert [run.task.find(f"0.{n}").output for n in range(5)] == list(range(5))
    begun = Counter(log.read_text(encoding="utf-8").split())
    assert [begun[str(n)] for n in range(4)] == [1, 1, 1, 3]


def test_what_may_not_be_repeated_is_not_begun_again_where_a_worker_was_lost(tmp_path: Path, dask: str) -> None:
    run = lost(tmp_path, dask, may_repeat=False)
    assert isinstance(run.cause, UnknownStepError), run.error
    assert isinstance(run.cause.__cause__, WorkerLostError)
    assert (run.status, run.task.attempts) == ("waiting", 0)


def test_a_run_starts_and_ends_a_cluster_of_its_own(tmp_path: Path) -> None:
    ran = Leaves(tmp_path, "dask", Task(content="there", id="0.1", type="whose"), workers=[functions.whose], jobs=1)
    there = ran.run.task.find("0.1").output
    assert isinstance(there, int), ran.run.error
    assert there != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(there, 0)
