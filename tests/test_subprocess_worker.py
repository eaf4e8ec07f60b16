"""The `subprocess` worker in runs: commands, their permissions, their folder, their limits, and that none is left."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run
from ramify.planner.errors import NotAllowedError
from ramify.planner.processes.sandbox import fault_of_bubblewrap
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

from .patience import comes_true
from .ramify_command import Ramify
from .test_processes import is_alive, pids_in


def ran(store: Path, command: Any, *, allow: list[str] | None = None, config: Any = None, **inputs: Any) -> Run:
    config = TaskConfig(**{"max_retries": 0, **(config or {})})
    task = Task(content="run", id="0", type="subprocess", inputs={"command": command, **inputs}, config=config)
    return Executor(ScriptedModel({}), store=store, allow=["subprocess", *(allow or [])]).run(task)


def output_of(run: Run) -> dict[str, Any]:
    assert isinstance(run.task.output, dict), run.error
    return dict(run.task.output)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def test_what_a_command_writes_is_the_result(store: Path) -> None:
    run = ran(store, ["tr", "a-z", "A-Z"], stdin="hello\n")
    output = output_of(run)
    assert run.result == "HELLO"
    assert (output["exit_code"], output["stdout"], output["stderr"], output["sandbox"]) == (0, "HELLO\n", "", "off")


def test_it_reads_the_results_that_it_needs_and_works_in_its_own_folder(store: Path, tmp_path: Path) -> None:
    root = Task(content="all", id="0")
    say = Task(content="say", id="say", type="subprocess", inputs={"command": ["echo", "1"]})
    add = "import json, sys, os; n = json.load(sys.stdin); open('made', 'w').close()"
    add += "; print(int(n['say']['stdout']) + 1, os.getcwd(), os.environ['HOME'], sorted(os.environ))"
    root.add_subtasks(
        [say, Task(content="add", id="add", type="subprocess", inputs={"command": python(add)}, dependencies=["say"])]
    )
    run = Executor(ScriptedModel({"compose": "<result>x</result>"}), store=store, allow=["subprocess"]).run(root)
    folder = tmp_path / "files" / run.id / "add"
    number, cwd, home, *names = str(root.find("add").result).split(maxsplit=3)
    assert (number, cwd, home) == ("2", str(folder), str(folder))
    known = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "RAMIFY_IDEMPOTENCY_KEY"}
    assert set(json.loads(names[0].replace("'", '"'))) <= known
    assert (folder / "made").exists()


def test_a_failure_shows_the_end_of_standard_error_and_is_tried_again(store: Path) -> None:
    fail = "import sys, os; n = len(os.listdir()); open(str(n), 'w'); print('try', n, file=sys.stderr); sys.exit(n < 2)"
    run = ran(store, python(fail), config={"max_retries": 3, "retry_delay_seconds": 0.01})
    assert (run.status, run.task.attempts) == ("done", 3)
    run = ran(store, python("import sys; sys.exit('what went wrong')"))
    assert f"the command '{sys.executable}' exited with code 1:\nwhat went wrong" in str(run.error)
    assert output_of(ran(store, python("raise SystemExit(3)"), ok_codes=[0, 3]))["exit_code"] == 3
    assert "was killed by signal 9" in str(ran(store, python("import os; os.kill(os.getpid(), 9)")).error)


@pytest.mark.parametrize(
    ("inputs", "missing"),
    [
        ({"command": "ls", "shell": True}, "shell"),
        ({"command": ["ls"], "network": True}, "network"),
        ({"command": ["ls"], "secrets": ["TOKEN"]}, "secret:TOKEN"),
    ],
)
def test_what_a_command_takes_more_has_to_be_granted_too(store: Path, inputs: dict[str, Any], missing: str) -> None:
    with pytest.raises(NotAllowedError, match=f"needs the permission {missing};"):
        ran(store, **inputs)


def test_a_shell_reads_a_command_only_if_that_is_granted(store: Path) -> None:
    assert ran(store, "echo $((6 * 7)) | cat", shell=True, allow=["shell"]).result == "42"  # noqa: S604 - it is ours
    assert "is a string; use a list" in str(ran(store, "echo 42").error)
    assert "is not a list with a program" in str(ran(store, []).error)


def test_a_secret_reaches_the_command_and_is_written_nowhere(store: Path) -> None:
    value = "hunter2hunter2"
    task = Task(content="run", id="0", type="subprocess")
    task.inputs = {"command": ["sh", "-c", "echo $TOKEN ${#TOKEN}"], "secrets": ["TOKEN"]}
    executor = Executor(ScriptedModel({}), store=store, allow=["subprocess"], secrets={"TOKEN": value})
    run = executor.run(task)
    assert run.result.split()[-1] == str(len(value))
    for path in store.parent.rglob("*"):
        assert path.is_dir() or value.encode() not in path.read_bytes(), path


def test_too_much_memory_time_and_output_end_it(store: Path, tmp_path: Path) -> None:
    eat = python("import time; kept = b'x' * 90_000_000; time.sleep(60)")
    run = ran(store, eat, config={"max_memory_mb": 60, "max_retries": 3})
    assert "took more than max_memory_mb = 60 MiB" in str(run.error)
    assert run.task.attempts == 1, "it would take as much again"
    assert "wrote more than 1,000 bytes" in str(ran(store, ["yes"], max_output_bytes=1000).error)
    code = (
        f"import os, subprocess, time; os.chdir({str(tmp_path)!r}); open(f'pid-{{os.getpid()}}', 'w'); time.sleep(60)"
    )
    assert "longer than max_duration_seconds = 0.5" in str(
        ran(store, python(code), config={"max_duration_seconds": 0.5}).error
    )
    assert not any(map(is_alive, pids_in(tmp_path)))


def test_a_cancelled_run_ends_its_commands(store: Path, tmp_path: Path) -> None:
    code = f"import os, time; open({str(tmp_path)!r} + f'/pid-{{os.getpid()}}', 'w'); time.sleep(600)"
    task = Task(content="run", id="0", type="subprocess", inputs={"command": python(code)})
    run = Executor(ScriptedModel({}), store=store, allow=["subprocess"]).start(task)
    assert comes_true(lambda: bool(pids_in(tmp_path)))
    run.cancel()
    assert run.wait().status == "cancelled"
    assert not any(map(is_alive, pids_in(tmp_path)))


def test_what_runs_and_in_which_sandbox_is_an_event(store: Path) -> None:
    run = ran(store, ["true"])
    with Store.open(store) as opened:
        told = [event.data for event in opened.events(run.id) if event.type == "emitted"]
    assert told == [{"name": "command_started", "data": {"command": "true", "sandbox": "off"}}]
    assert run.result == "exit code 0, no output"


@pytest.mark.skipif(fault_of_bubblewrap() is not None, reason="bubblewrap cannot be used on this machine")
def test_a_sandboxed_command_sees_its_folder_and_no_network(store: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("known to nobody")
    code = f"import os, socket; open('made', 'w'); print(os.path.exists({str(secret)!r}), len(socket.if_nameindex()))"
    run = ran(store, python(code), sandbox="bubblewrap", config={"max_memory_mb": 200})
    assert run.result == "False 1"
    assert output_of(run)["sandbox"] == "bubblewrap"
    assert (tmp_path / "files" / run.id / "0" / "made").exists()


def test_a_command_that_may_not_be_repeated_is_not_after_a_kill(store: Path, tmp_path: Path) -> None:
    code = f"""
import os, signal, threading, sys
from pathlib import Path
from ramify.planner import Executor
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task
command = ["sh", "-c", "echo x >> {tmp_path}/count; sleep 3600"]
task = Task(content="pay", id="0", type="subprocess", inputs={{"command": command, "may_repeat": False}})
run = Executor(ScriptedModel({{}}), store={str(store)!r}, allow=["subprocess"]).start(task)
while not Path({str(tmp_path)!r}, "count").exists(): threading.Event().wait(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run(python(code), check=False).returncode == -9
    run = Executor.resume(store, agent=ScriptedModel({}))
    assert run.status == "waiting", run.error
    assert "the step run#1 was in progress when the run was interrupted" in str(run.error)
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_plan_file_runs_a_command_from_the_command_line(ramify: Ramify, home: Path) -> None:
    (home / "plan.json").write_text(
        json.dumps({"goal": "Say", "type": "subprocess", "inputs": {"command": ["echo", "hi"]}})
    )
    assert ramify("run", "plan.json", "--model", "rules").code == 2
    assert ramify("run", "plan.json", "--model", "rules", "-q", "--allow", "subprocess").out == "hi\n"
