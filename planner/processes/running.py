"""Running a command: what goes in, what comes out and how much of it, how it ended, and that nothing of it is left.

A command that is cancelled, that writes more than is allowed, or whose run dies with its process is killed together
with every process that it has started; see `supervisor`.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from ramify.planner.errors import CommandError, UsageError
from ramify.planner.runtime.gather import together

from . import supervisor

T = TypeVar("T")

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, bytes]]
"""What talks with a command over its standard output and input, and returns what stands for its output."""

_PIECE = 65_536
_KILL_AFTER_S = 10.0
_TAIL_LINES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLimits:
    """What a command may take; its time is limited by cancelling it.

    Attributes:
        max_memory_mb: memory of the command and all its children together, in MiB; None is no limit.
        max_output_bytes: what it may write to standard output.
        max_error_bytes: how much of the end of standard error is kept.
    """

    max_memory_mb: int | None = None
    max_output_bytes: int = 10_000_000
    max_error_bytes: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What came of a command that ended by itself.

    Attributes:
        exit_code: 0 if it succeeded; -9 if signal 9 ended it.
        stdout: what it wrote to standard output; what is no UTF-8 became U+FFFD.
        stderr: the end of what it wrote to standard error, likewise.
        is_utf8: whether all of both was UTF-8.
        seconds: how long it took.
        peak_memory_mb: the most memory that was seen, in MiB; None if nobody looked.
    """

    exit_code: int
    stdout: str
    stderr: str
    is_utf8: bool
    seconds: float
    peak_memory_mb: float | None

    @property
    def error_tail(self) -> str:
        """The last lines of standard error."""
        return "\n".join(self.stderr.strip().splitlines()[-_TAIL_LINES:])

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "exit_code": self.exit_code, "stdout": self.stdout, "stderr": self.stderr, "is_utf8": self.is_utf8,
            "seconds": round(self.seconds, 3), "peak_memory_mb": self.peak_memory_mb,
        }  # fmt: skip


async def run_command(
    command: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    talk: Talk | None = None,
    limits: CommandLimits | None = None,
) -> Finished:
    """Run a command, wait for its end, and return what came of it.

    Args:
        command: the program and its arguments; no shell reads them.
        cwd: the folder that it is run in.
        env: all of its environment.
        stdin: what it reads from standard input.
        talk: talks with it, instead of `stdin`.
        limits: what it may take.

    Raises:
        UsageError: if it cannot be started, or a limit cannot be kept on this system.
        CommandError: if it was killed for what it took.
    """
    limits = limits or CommandLimits()
    if limits.max_memory_mb is not None and not supervisor.IS_LINUX:
        raise UsageError("max_memory_mb works only on Linux; remove it")
    order = {"command": list(command), "cwd": str(cwd), "env": dict(env), "max_memory_mb": limits.max_memory_mb}
    began = time.monotonic()
    async with _Supervised(order) as running:
        speak = talk or _talk_of(stdin, limits.max_output_bytes, command)
        stdout, stderr = await together(
            [speak(running.stdout, running.stdin), _read_end(running.stderr, limits.max_error_bytes)]
        )
        became = await running.outcome()
    if "error" in became:
        raise UsageError(f"the command {command[0]!r} cannot be started in {cwd}: {became['error']}")
    if became.get("ended") != "exited":
        raise _killed(command, became, limits)
    texts = [_decode(stdout), _decode(stderr)]
    return Finished(
        exit_code=became["code"],
        stdout=texts[0][0],
        stderr=texts[1][0],
        is_utf8=all(is_utf8 for _, is_utf8 in texts),
        seconds=time.monotonic() - began,
        peak_memory_mb=None if limits.max_memory_mb is None else became["peak_memory_mb"],
    )


class _Supervised:
    """A command under its supervisor; leaving the context ends both, whatever happens."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order

    async def __aenter__(self) -> Self:
        control_read, self._control = os.pipe()
        self._status, status_write = os.pipe()
        words = ["-I", "-S", supervisor.__file__, str(control_read), str(status_write)]
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *words, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=(control_read, status_write),
                start_new_session=True, env={},
            )  # fmt: skip
        except BaseException:
            os.close(self._control)
            os.close(self._status)
            raise
        finally:
            os.close(control_read)
            os.close(status_write)
        with suppress(BrokenPipeError):  # then the supervisor has ended, and its outcome says nothing
            await asyncio.to_thread(os.write, self._control, json.dumps(self._order).encode() + b"\n")
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._control)
        ending = asyncio.ensure_future(self._end())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise

    @property
    def stdin(self) -> asyncio.StreamWriter:
        return _there(self._process.stdin)

    @property
    def stdout(self) -> asyncio.StreamReader:
        return _there(self._process.stdout)

    @property
    def stderr(self) -> asyncio.StreamReader:
        return _there(self._process.stderr)

    async def outcome(self) -> dict[str, Any]:
        """Wait for the end, and return what the supervisor says about it; empty if it was killed itself."""
        await self._process.wait()
        with open(self._status, "rb", closefd=False) as pipe:  # noqa: ASYNC230 - its writer has ended
            words = pipe.read()
        became: dict[str, Any] = json.loads(words) if words else {}
        return became

    async def _end(self) -> None:
        self.stdin.close()
        try:
            async with asyncio.timeout(_KILL_AFTER_S):
                await self._over()
        except TimeoutError:
            self._process.kill()
            await self._over()
        os.close(self._status)

    async def _over(self) -> None:
        """Wait for the end; a pipe that is not read to its end would never be closed."""
        await together([_skip(self.stdout), _skip(self.stderr)])
        await self._process.wait()


async def _skip(stream: asyncio.StreamReader) -> None:
    while await stream.read(_PIECE):
        pass


def _there(stream: T | None) -> T:
    if stream is None:
        raise UsageError("the command has no pipes")
    return stream


def _talk_of(words: bytes, most_bytes: int, command: Sequence[str]) -> Talk:
    """Return what writes `words` to a command, and reads what it writes meanwhile."""

    async def talk(stdout: asyncio.StreamReader, stdin: asyncio.StreamWriter) -> bytes:
        said, _ = await together([_read(stdout, most_bytes, command), _write(stdin, words)])
        return said

    return talk


async def _read(stream: asyncio.StreamReader, most_bytes: int, command: Sequence[str]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while piece := await stream.read(_PIECE):
        parts.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise CommandError(f"the command {command[0]!r} wrote more than {most_bytes:,} bytes and was killed")
    return b"".join(parts)


async def _read_end(stream: asyncio.StreamReader, most_bytes: int) -> bytes:
    end = b""
    while piece := await stream.read(_PIECE):
        end = (end + piece)[-most_bytes:]
    return end


async def _write(stream: asyncio.StreamWriter, words: bytes) -> bytes:
    with suppress(BrokenPipeError, ConnectionResetError):  # it may end without having read everything
        stream.write(words)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
    return b""


def _killed(command: Sequence[str], became: dict[str, Any], limits: CommandLimits) -> CommandError:
    if became.get("ended") == "memory":
        return CommandError(
            f"the command {command[0]!r} took more than max_memory_mb = {limits.max_memory_mb} MiB with its children"
            f" ({became['peak_memory_mb']:g} MiB) and was killed"
        )
    return CommandError(
        f"the command {command[0]!r} was killed from outside, together with its supervisor",
        may_pass=True,
    )


def _decode(words: bytes) -> tuple[str, bool]:
    try:
        return words.decode(), True
    except UnicodeDecodeError:
        return words.decode(errors="replace"), False
