"""The real `ramify` command for tests: in this process where that is enough, else in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from .patience import HANG_S

COMMAND = [sys.executable, "-m", "ramify.planner.cli"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line on standard error."""
        return self.err.splitlines()[-1]


Ramify = Callable[..., Said]


def ramify_process(*words: str, stdin: bytes = b"", **environment: str) -> Said:
    """Run one command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=HANG_S,
        env={**os.environ, **environment},
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def start_ramify(*words: str) -> "subprocess.Popen[str]":
    """Start one command, whose standard error can be read line by line."""
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
