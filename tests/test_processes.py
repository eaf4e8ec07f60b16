"""Commands under their supervisor: real processes, real limits, and nothing left of them, whoever dies first."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from ramify.planner.errors import CommandError, UsageError
from ramify.planner.processes import CommandLimits, Finished, Sandbox, run_command
from ramify.planner.processes.sandbox import fault_of_bubblewrap

from .patience import comes_true

PATH = {"PATH": os.environ["PATH"]}
STUBBORN = """
import os, signal, subprocess, sys, time
for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(each, signal.SIG_IGN)
if sys.argv[1:]:                       # a grandchild that has left group, session and parents
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
else:
    subprocess.Popen([sys.executable, __file__, "away"], start_new_session=True).wait()
    subprocess.Popen([sys.executable, __file__, "away"])
    print("started", flush=True)
open(f"pid-{os.getpid()}", "w").close()
time.sleep(600)
"""


def run(*command: str, folder: Path, stdin: bytes = b"", env: dict[str, str] | None = None, **limits: Any) -> Finished:
    return asyncio.run(
        run_command(command, cwd=folder, env=PATH if env is None else env, stdin=stdin, limits=CommandLimits(**limits))
    )


def python(code: str, *, folder: Path, **options: Any) -> Finished:
    return run(sys.executable, "-c", code, folder=folder, **options)


def pids_in(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_reads_writes_and_ends(tmp_path: Path) -> None:
    code = "import sys, os; print(sys.stdin.read().upper(), os.getcwd()); print('warning', file=sys.stderr)"
    done = python(code, folder=tmp_path, stdin="grüße".encode())
    assert (done.exit_code, done.stdout, done.stderr, done.is_utf8) == (0, f"GRÜSSE {tmp_path}\n", "warning\n", True)
    assert done.to_data()["peak_memory_mb"] is None


def test_words_are_not_read_by_a_shell(tmp_path: Path) -> None:
    assert run("echo", "$HOME", "; touch x", "*", folder=tmp_path).stdout == "$HOME ; touch x *\n"
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_given_is_in_the_environment(tmp_path: Path) -> None:
    done = run("/usr/bin/env", folder=tmp_path, env={"ONLY": "this"})
    assert done.stdout == "ONLY=this\n"


@pytest.mark.parametrize(
    ("code", "exit_code"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_how_it_ended_is_told(code: str, exit_code: int, tmp_path: Path) -> None:
    assert python(code, folder=tmp_path).exit_code == exit_code


def test_the_end_of_standard_error_is_kept(tmp_path: Path) -> None:
    code = "import sys\nfor n in range(100_000): print('line', n, file=sys.stderr)\nsys.exit(1)"
    done = python(code, folder=tmp_path, max_error_bytes=1000)
    assert len(done.stderr) == 1000
    assert done.error_tail.splitlines() == [f"line {n}" for n in range(99_990, 100_000)]


def test_bytes_that_are_no_text_are_marked(tmp_path: Path) -> None:
    done = python(r"import sys; sys.stdout.buffer.write(b'a\xff\x00b')", folder=tmp_path)
    assert (done.stdout, done.is_utf8) == ("a\ufffd\x00b", False)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_much_output_and_much_input_do_not_block_each_other(stream: str, tmp_path: Path) -> None:
    code = f"import sys; data = sys.stdin.buffer.read(); sys.{stream}.buffer.write(data * 2)"
    done = python(code, folder=tmp_path, stdin=b"x" * 3_000_000, max_error_bytes=10_000_000)
    assert len(getattr(done, stream)) == 6_000_000


def test_input_that_nobody_reads_is_no_fault(tmp_path: Path) -> None:
    assert run("true", folder=tmp_path, stdin=b"x" * 3_000_000).exit_code == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [("no-such-program", "No such file"), ("/etc", "Permission denied"), ("a\0b", "null byte")],
)
def test_a_command_that_cannot_be_started_is_named(command: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        run(command, folder=tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be started in .*/nowhere"):
        run("true", folder=tmp_path / "nowhere")


def test_a_command_that_writes_without_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="wrote more than 1,000,000 bytes") as caught:
        run("yes", folder=tmp_path, max_output_bytes=1_000_000)
    assert not caught.value.may_pass


def test_memory_of_one_process_is_limited(tmp_path: Path) -> None:
    code = "import time; kept = [bytearray(b'x' * 1_000_000) for _ in range(120)]; time.sleep(60)"
    with pytest.raises(CommandError, match="more than max_memory_mb = 100 MiB"):
        python(code, folder=tmp_path, max_memory_mb=100)


def test_memory_of_all_children_together_is_limited(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = 'import time; kept = bytearray(b\"x\" * 40_000_000); time.sleep(60)'\n"
        "running = [subprocess.Popen([sys.executable, '-c', child], start_new_session=True) for _ in range(4)]\n"
        "[each.wait() for each in running]"
    )
    with pytest.raises(CommandError, match="with its children"):
        python(code, folder=tmp_path, max_memory_mb=120)


def test_memory_that_is_grabbed_at_once_is_refused_by_the_kernel(tmp_path: Path) -> None:
    done = python("bytearray(4_000_000_000)", folder=tmp_path, max_memory_mb=50)
    assert done.exit_code == 1
    assert "MemoryError" in done.error_tail


def test_pages_that_children_share_are_counted_once(tmp_path: Path) -> None:
    code = (
        "import os, time\nkept = bytearray(b'x' * 60_000_000)\n"
        "for _ in range(5):\n    if not os.fork(): time.sleep(0.5); os._exit(0)\n"
        "for _ in range(5): os.wait()\nprint('fine')"
    )
    done = python(code, folder=tmp_path, max_memory_mb=150)
    assert done.stdout == "fine\n"
    assert done.peak_memory_mb is not None
    assert 60 < done.peak_memory_mb < 150


def test_what_a_command_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN.replace("time.sleep(600)", "sys.argv[1:] and time.sleep(600)"))
    assert run(sys.executable, str(script), folder=tmp_path).stdout == "started\n"
    assert not any(map(is_alive, pids_in(tmp_path)))


def test_a_cancelled_command_leaves_nothing_behind(tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN)

    async def cancel_when_all_are_there() -> None:
        running = asyncio.create_task(run_command([sys.executable, str(script)], cwd=tmp_path, env=PATH))
        while len(pids_in(tmp_path)) < 3:
            await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel_when_all_are_there())
    assert len(pids_in(tmp_path)) == 3
    assert not any(map(is_alive, pids_in(tmp_path)))


def test_a_command_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN)
    code = (
        "import asyncio, sys; from ramify.planner.processes import run_command;"
        f"asyncio.run(run_command([sys.executable, {str(script)!r}], cwd={str(tmp_path)!r}, env={PATH!r}))"
    )
    starter = subprocess.Popen([sys.executable, "-c", code])
    assert comes_true(lambda: len(pids_in(tmp_path)) >= 3)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    assert comes_true(lambda: not any(map(is_alive, pids_in(tmp_path))))


def test_a_fork_bomb_is_ended(tmp_path: Path) -> None:
    bomb = "import os\nfor _ in range(6): os.fork()\nwhile True: pass"

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await run_command([sys.executable, "-c", bomb], cwd=tmp_path, env={**PATH, "BOMB": str(tmp_path)})

    asyncio.run(cancelled())
    left = [each for each in psutil.process_iter() if _is_part_of(each, str(tmp_path))]
    assert left == []


def _is_part_of(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("BOMB") == mark
    except psutil.Error:
        return False


def sandboxed(*command: str, folder: Path, **options: Any) -> Finished:
    return run(*Sandbox(**options).wrap(command, cwd=folder), folder=folder)


def can_be_sandboxed() -> bool:
    return fault_of_bubblewrap() is None


def test_a_sandbox_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    code = (
        "from ramify.planner.processes import Sandbox\n"
        "try: Sandbox().wrap(['true'], cwd='/')\nexcept Exception as error: print(type(error).__name__, error)"
    )
    env = {"PATH": str(tmp_path)}
    missing = python(code, folder=tmp_path, env=env).stdout
    assert missing.startswith("UsageError the sandbox is not available: bubblewrap is not installed")
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    assert "(bwrap: No permissions to create new namespace); allow" in python(code, folder=tmp_path, env=env).stdout


@pytest.mark.skipif(not can_be_sandboxed(), reason="bubblewrap cannot be used on this machine")
class TestSandbox:
    def test_it_has_its_own_folder_and_no_network(self, tmp_path: Path) -> None:
        code = "import json, os, socket\nopen('made', 'w').close()\n"
        code += "print(json.dumps([socket.if_nameindex(), os.listdir()]))"
        names, files = json.loads(sandboxed(sys.executable, "-c", code, folder=tmp_path).stdout)
        assert [name for _, name in names] == ["lo"]
        assert files == ["made"]
        assert (tmp_path / "made").exists()

    def test_it_sees_no_home_and_writes_nowhere_else(self, tmp_path: Path) -> None:
        inside, outside = tmp_path / "inside", tmp_path / "outside"
        inside.mkdir()
        outside.mkdir()
        (outside / "secret").write_text("known to nobody")
        read = f"cat {outside}/secret; touch /usr/made {outside}/made"
        done = sandboxed("/bin/sh", "-c", read, folder=inside)
        assert "known to nobody" not in done.stdout
        assert not (outside / "made").exists()
        assert "Read-only file system" in done.stderr
        seen = sandboxed("cat", f"{outside}/secret", folder=inside, reads=(str(outside),))
        assert seen.stdout == "known to nobody"

    def test_its_memory_is_limited_and_nothing_is_left(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", "import time; kept = b'x' * 90_000_000; time.sleep(60)"]
        with pytest.raises(CommandError, match="more than max_memory_mb"):
            run(*Sandbox().wrap(command, cwd=tmp_path), folder=tmp_path, max_memory_mb=60)


def test_bubblewrap_is_found_where_it_is_installed() -> None:
    assert (fault_of_bubblewrap() or "").startswith("bubblewrap is not installed") is (shutil.which("bwrap") is None)
