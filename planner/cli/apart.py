"""Standard output is the answer's: what other people's code prints while a command works goes to standard error.

So it is for `print`, and for the programs that this code starts, which write to the descriptor. Standard input is the
user's: code that reads it while a run works is refused with words, instead of waiting for a terminal in silence.
"""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Self, TextIO

from ramify.planner.errors import UsageError
from ramify.planner.runtime.terminal import terminal_taken

_OUT = 1

_answers: TextIO | None = None
"""What answers are written to; None where nothing stands in the place of standard output."""
_descriptor: int | None = None
"""Where the process's standard output is kept; None where its descriptor was left alone."""


class _Aside(io.TextIOBase):
    """Stands in the place of standard output: whole lines go to standard error, where a display makes room for them."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._line = ""
        self.say: Callable[[str], object] = _say

    @property
    def buffer(self) -> BinaryIO:
        return sys.stderr.buffer

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return sys.stderr.fileno()

    def write(self, text: str) -> int:
        with self._lock:
            lines, end, self._line = f"{self._line}{text}".rpartition("\n")
            if end:
                self.say(lines)
        return len(text)

    def flush(self) -> None:
        with self._lock:
            line, self._line = self._line, ""
            if line:
                self.say(line)


class _NoInput(io.TextIOBase):
    """Stands in the place of standard input."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind

    @property
    def buffer(self) -> Self:
        return self

    def readable(self) -> bool:
        return True

    def readline(self, _: int | None = -1, /) -> str:  # type: ignore[override]
        raise UsageError(
            "a worker tried to read standard input, which is empty in a command; pass the value as an input of its"
            " task, or ask a person (type: human)"
        )

    def read(self, _: int | None = -1, /) -> str:
        return self.readline()


@contextmanager
def prints_apart() -> Iterator[None]:
    """Keep standard output for answers, as long as the context is open."""
    global _answers
    if _answers is not None:
        yield
        return
    _answers, aside = sys.stdout, _Aside()
    sys.stdout = aside
    try:
        with _moved():
            try:
                yield
            finally:
                aside.flush()
    finally:
        sys.stdout, _answers = _answers, None


@contextmanager
def lines_said_by(say: Callable[[str], object] | None) -> Iterator[None]:
    """Have `say`, if there is one, told what is printed, instead of standard error, as long as the context is open."""
    aside = sys.stdout
    if not isinstance(aside, _Aside):
        yield
        return
    aside.say = say or _say
    try:
        yield
    finally:
        aside.flush()
        aside.say = _say


@contextmanager
def no_input() -> Iterator[None]:
    """Refuse to read standard input, as long as the context is open; people are asked all the same."""
    before = sys.stdin
    sys.stdin = _NoInput(before)
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def answering() -> Iterator[TextIO]:
    """Give the standard output of the process, to write an answer to."""
    if _descriptor is None:
        yield _answers or sys.stdout
        return
    os.dup2(_descriptor, _OUT)
    try:
        yield _answers or sys.stdout
    finally:
        os.dup2(_OUT, _descriptor)  # it may have been given up meanwhile
        os.dup2(sys.stderr.fileno(), _OUT)


def is_terminal() -> bool:
    """Return whether answers are written to a terminal."""
    with answering() as out:
        return out.isatty()


@contextmanager
def _moved() -> Iterator[None]:
    """Let the descriptor of standard output be that of standard error, for programs that are started."""
    global _descriptor  # noqa: PLW0603 - there is one in a process
    try:
        is_real = (_answers or sys.stdout).fileno() == _OUT
        error = sys.stderr.fileno()
    except (OSError, ValueError):  # a stream without a file
        yield
        return
    if not is_real:
        yield
        return
    with suppress(OSError):
        (_answers or sys.stdout).flush()
    _descriptor = os.dup(_OUT)
    os.dup2(error, _OUT)
    try:
        yield
    finally:
        os.dup2(_descriptor, _OUT)
        os.close(_descriptor)
        _descriptor = None


def _say(lines: str) -> None:
    with suppress(OSError, ValueError), terminal_taken():
        sys.stderr.write(f"{lines}\n")
        sys.stderr.flush()
