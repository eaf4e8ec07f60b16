"""Isolated workers: a function is called in a process of its own, within its memory, and breaks nothing but itself."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run, worker
from ramify.planner.errors import UsageError
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers.functions import FunctionWorker
from ramify.tasks import Task, TaskConfig

from .isolated_functions import crash, mirror, process_id
from .patience import HANG_S


def ran(folder: Path, function: FunctionWorker, *, config: dict[str, Any] | None = None, **inputs: Any) -> Run:
    limits = TaskConfig(**{"max_retries": 0, **(config or {})})
    task = Task(content="call", id="0", type=function.name, inputs=inputs, config=limits)
    return Executor(ScriptedModel({}), store=folder / "r.db", workers=[function]).run(task)


def test_inputs_and_value_cross_the_border_of_the_process(tmp_path: Path) -> None:
    run = ran(tmp_path, mirror, point={"x": 1, "y": 2}, times=2)
    assert run.task.output == {"x": 4, "y": 2}
    assert "input point.y of task 0 does not fit" in str(ran(tmp_path, mirror, point={"x": 1}).error)
    assert ran(tmp_path, process_id).task.output not in {None, os.getpid()}


def test_what_goes_wrong_there_fails_the_task_alone(tmp_path: Path) -> None:
    assert "ValueError: no such thing" in str(ran(tmp_path, crash, how="raise").error)
    assert "exit code -6" in str(ran(tmp_path, crash, how="abort").error)
    run = ran(tmp_path, crash, how="eat", config={"max_memory_mb": 120})
    assert "took more than max_memory_mb = 120 MiB" in str(run.error)


def test_a_function_that_cannot_be_isolated_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot take task"):
        worker(isolated=True)(_with_task)
    with pytest.raises(UsageError, match="must be a function at the top of a module"):
        worker(isolated=True)(lambda *, a: a)


def _with_task(task: Task) -> str:
    return task.id


def test_a_script_that_runs_as_it_is_imported_does_not_run_for_ever(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from ramify.planner import Executor, worker\nfrom ramify.tasks import Task\n"
        "@worker(isolated=True)\ndef double(n: int) -> int:\n    return 2 * n\n"
        "run = Executor('rules', workers=[double]).run(Task(content='x', id='0', type='double', inputs={'n': 4}))\n"
        "print(run.status, run.error or run.result)\n"
    )

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=HANG_S
    )
    assert done.stdout == "done 8\n"
