"""The process between Ramify and a command: it starts the command, watches its memory, and leaves nothing of it behind.

It is run as a program of its own, `python -I -S supervisor.py CONTROL STATUS`, with the numbers of two pipes: from the
first it reads an order, one line of JSON, and to the second it writes what became of the command. When the first is
closed, by a cancelled task or by the death of Ramify itself, or when the command has ended, every process that the
command has started is killed. On Linux it takes in orphans (it is their "subreaper"), so that a process which left its
group, its session or its parents is found too; elsewhere the command's process group is killed.

Nothing of Ramify is imported here: it has to start quickly, and cannot be brought to a stop by what Ramify does.
"""

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROC = Path("/proc")
IS_LINUX = sys.platform.startswith("linux")
LOOK_EVERY_S = 0.05
"""How often the memory is looked at, in seconds."""

_PR_SET_CHILD_SUBREAPER = 36
_MIB = 1024 * 1024
_BACKSTOP = 2
"""One process alone can get so many times the limit before the kernel itself refuses more."""
_MOST_ROUNDS = 100
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class Supervisor:
    """Runs one command to its end.

    Args:
        order: `command`, `cwd`, `env`, and `max_memory_mb` or None.
        control: the pipe whose end means that the command has to end.
    """

    def __init__(self, order: dict[str, Any], control: int) -> None:
        self._order = order
        self._control = control
        limit = order["max_memory_mb"]
        self._most_bytes: int | None = None if limit is None else limit * _MIB
        self._peak_bytes = 0
        self._started: subprocess.Popen[bytes] | None = None
        self._child = 0

    def run(self) -> dict[str, Any]:
        """Run the command, and return what became of it."""
        woken = _wake_on_signals()
        if IS_LINUX:
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            self._started = self._start()  # kept, since it would take its child's end in as it is let go
            self._child = self._started.pid
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return {"error": getattr(error, "strerror", None) or str(error)}
        try:
            became = self._watch(woken)
        finally:
            self._kill_all()
        return {**became, "peak_memory_mb": round(self._peak_bytes / _MIB, 1)}

    def _start(self) -> "subprocess.Popen[bytes]":
        order = self._order
        return subprocess.Popen(  # noqa: S603 - this is what it is for
            order["command"],
            cwd=order["cwd"],
            env=order["env"],
            start_new_session=True,
            preexec_fn=self._limit,  # noqa: PLW1509 - this program has one thread
        )

    def _limit(self) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._most_bytes is not None:
            most = self._most_bytes * _BACKSTOP
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    def _watch(self, woken: int) -> dict[str, Any]:
        pause_s = None if self._most_bytes is None else LOOK_EVERY_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(pause_s)}
                if self._control in ready or (woken in ready and _ENDING & set(os.read(woken, 4096))):
                    return {"ended": "stopped"}
                if (code := self._reap()) is not None:
                    return {"ended": "exited", "code": code}
                if self._is_over_memory():
                    return {"ended": "memory"}

    def _reap(self) -> int | None:
        """Take in those that have ended; return the exit code of the command if it is among them."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self._child:
                    return os.waitstatus_to_exitcode(found[1])
        return None

    def _is_over_memory(self) -> bool:
        if self._most_bytes is None:
            return False
        pids = list(descendants())
        used = sum(map(_resident_bytes, pids))
        if used > self._most_bytes:  # pages that processes share were counted for each of them
            used = sum(map(_shared_out_bytes, pids))
        self._peak_bytes = max(self._peak_bytes, used)
        return used > self._most_bytes

    def _kill_all(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._child, signal.SIGKILL)
        for patience in range(_MOST_ROUNDS):
            pids = list(descendants())
            if not pids:
                return
            time.sleep(patience / _MOST_ROUNDS)  # those that may not be killed, as they run as another user, end alone
            for each in (signal.SIGSTOP, signal.SIGKILL):  # what stands still starts nothing new
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, each)
            for pid in pids:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def descendants() -> Iterator[int]:
    """Yield the processes below this one, parents before children; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir() if IS_LINUX else ():
        if entry.name.isdecimal():
            with contextlib.suppress(*_GONE, IndexError, ValueError):
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state != "Z" or int(parent) == os.getpid():
                    children.setdefault(int(parent), []).append(int(entry.name))
    below = children.get(os.getpid(), [])
    while below:
        yield from below
        below = [child for pid in below for child in children.get(pid, ())]


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(*_GONE, IndexError, ValueError):
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def _shared_out_bytes(pid: int) -> int:
    """Return the memory of a process in bytes, with each shared page counted in part, as many as share it."""
    with contextlib.suppress(*_GONE, OSError, StopIteration, ValueError):
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024
    return _resident_bytes(pid)


def _wake_on_signals() -> int:
    """Return a pipe that the number of every signal is written to."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for each in (*_ENDING, signal.SIGCHLD):
        signal.signal(each, lambda *_: None)
    return read


def main(control: int, status: int) -> None:
    """Do what the order says that stands in the pipe `control`."""
    with open(control, "rb", closefd=False, buffering=0) as pipe:
        order = json.loads(pipe.readline())
    became = Supervisor(order, control).run()
    os.write(status, json.dumps(became).encode())
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
