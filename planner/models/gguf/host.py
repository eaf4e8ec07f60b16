"""One model in memory, in a process of its own that lives as long as somebody uses it, and no longer than ours.

All of it happens on the background loop. The model is loaded once for all that name its file. A process that has ended
by itself is started again when the next request comes.
"""

import asyncio
import json
import logging
import re
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ramify.planner.models.connections import Endpoint
from ramify.planner.runtime.background import before_close

from . import child
from .cores import idle_cores
from .fitting import Fit

_log = logging.getLogger("ramify.gguf")
_TAIL_LINES = 40
_LONGEST_LINE = 1 << 16
_CONNECT_S = 10.0
_DYING_S = 0.5
_LAST_WORDS_S = 10.0
_ERROR = re.compile(r"^\S+ E (?:\w+\s+)?\w+: (?:error loading model: )?(.+)")
_QUIET, _LOUD = 2, 3
_CACHE_SHARE, _MOST_CACHE_MIB = 4, 2_048
_MIB = 1 << 20


class HostError(Exception):
    """Raised when a model cannot be loaded; says why, as llama.cpp does."""


@dataclass(slots=True)
class Running:
    """A process with a model in it.

    Attributes:
        process: the process.
        endpoint: where it is asked.
        slots: held by the requests that it is at.
        hearing: reads what it has to say besides.
        said: the end of it.
        loop: the loop that it belongs to.
    """

    process: Process
    endpoint: Endpoint
    slots: asyncio.Semaphore
    hearing: asyncio.Task[None]
    said: deque[str]
    loop: asyncio.AbstractEventLoop

    async def death(self) -> str:
        """Return how the process ended, if it did so by itself, or is just doing so; empty if it did not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_S):
                code = await self.process.wait()
                await asyncio.shield(self.hearing)
                name = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
                why = self.said[-1] if self.said else "its memory may have run out"
                return f"the process that runs the model has ended ({name}): {why}"
        return ""


class Host:
    """A model that is loaded when it is first needed.

    Args:
        path: its file.
        fit: how much of it fits.
    """

    def __init__(self, path: Path, fit: Fit) -> None:
        self.fit = fit
        self._path = path
        self._starting: asyncio.Task[Running] | None = None
        self._running: Running | None = None
        self._said: deque[str] = deque(maxlen=_TAIL_LINES)

    def expects(self, at_once: int) -> None:
        """Have no more slots than `at_once`, if it is not loaded yet."""
        if self._running is None and self._starting is None:
            self.fit = replace(self.fit, slots=max(1, min(self.fit.slots, at_once)))

    async def running(self) -> Running:
        """Return the process that has the model, once it is loaded.

        Raises:
            HostError: if it cannot be.
        """
        if self._running is not None and self._is_here(self._running):
            return self._running
        if self._starting is None or self._starting.done() or self._starting.get_loop() is not _loop():
            self._starting = _loop().create_task(self._start())
            self._starting.add_done_callback(_looked_at)
        return await asyncio.shield(self._starting)  # others wait for it too

    async def end(self) -> None:
        """Let go of the memory."""
        starting, self._starting = self._starting, None
        if starting is not None and starting.get_loop() is _loop():
            starting.cancel()
            with suppress(asyncio.CancelledError, HostError):
                await starting
        running, self._running = self._running, None
        if running is not None and running.loop is _loop():
            await _killed(running.process)
            await asyncio.wait([running.hearing])

    def _is_here(self, running: Running) -> bool:
        return running.process.returncode is None and running.loop is _loop()

    async def _start(self) -> Running:
        before_close(_end_all)
        key = secrets.token_urlsafe(24)
        self._said.clear()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", child.__file__, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
            limit=_LONGEST_LINE,
        )  # fmt: skip
        hearing = asyncio.create_task(self._hear(process))
        try:
            said = await _told(process, self._order(key, await asyncio.to_thread(idle_cores)))
        except BaseException:
            await _killed(process)
            raise
        if "address" not in said:
            await asyncio.wait([hearing], timeout=_LAST_WORDS_S)
            await _killed(process)
            await hearing
            raise HostError(self._fault() or said.get("error") or "its process died while loading")
        endpoint = Endpoint(
            url=f"{said['address']}/v1/chat/completions",
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}", "Connection": "close"},
            connect_s=_CONNECT_S,
            proxy=None,
        )
        self._running = Running(process, endpoint, asyncio.Semaphore(self.fit.slots), hearing, self._said, _loop())
        return self._running

    def _order(self, key: str, threads: int) -> Mapping[str, Any]:
        return {
            "path": str(self._path),
            "window": self.fit.window,
            "slots": self.fit.slots,
            "threads": threads,
            "cache_mib": min(_MOST_CACHE_MIB, self.fit.bytes // _CACHE_SHARE // _MIB),
            "key": key,
            "verbosity": _LOUD if _log.isEnabledFor(logging.DEBUG) else _QUIET,
        }

    async def _hear(self, process: Process) -> None:
        """Read what llama.cpp writes, so that it never waits; the log has it, if anybody looks."""
        stream = process.stderr
        while stream is not None and (words := await _line(stream)):
            line = words.decode("utf-8", "replace").rstrip()
            self._said.append(line)
            _log.debug("%s", line)

    def _fault(self) -> str:
        """Return the first error that llama.cpp has told of, without what stands before it."""
        for line in self._said:
            if (found := _ERROR.search(line)) is not None:
                return found[1]
        return ""


class Hosts:
    """The models that are in memory, each with those that use it."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[Path, int | None], tuple[Host, WeakSet[Any]]] = {}

    def host_for(self, user: object, path: Path, window: int | None, fit: Callable[[], Fit]) -> Host:
        """Return what has a file in memory, or will have it: whoever names the same file and window shares it.

        Args:
            user: who uses it until `leave`.
            path: the file.
            window: how many tokens it is to read at once; None leaves that to `fit`.
            fit: says how much fits, if it is not there yet.
        """
        key = (path, window)
        if key not in self._hosts:
            self._hosts[key] = (Host(path, fit()), WeakSet())
        host, users = self._hosts[key]
        users.add(user)
        return host

    async def leave(self, user: object, host: Host) -> None:
        """Let go of the memory, if nobody else uses it."""
        for key, (each, users) in list(self._hosts.items()):
            if each is host:
                users.discard(user)
                if not users:
                    del self._hosts[key]
                    await host.end()

    async def end(self) -> None:
        """Let go of all."""
        for host, _ in self._hosts.values():
            await host.end()


HOSTS = Hosts()


async def _end_all() -> None:
    await HOSTS.end()


async def _told(process: Process, order: Mapping[str, Any]) -> dict[str, Any]:
    """Send the order, and return what the process says when it has done it; nothing if it has ended."""
    if process.stdin is None or process.stdout is None:
        return {}
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
    words = await process.stdout.readline()
    said: dict[str, Any] = json.loads(words) if words.endswith(b"\n") else {}
    return said


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than the limit, and thrown away
        return b"\n"


async def _killed(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _looked_at(task: "asyncio.Task[Running]") -> None:
    """Have nobody wonder at an error that nobody has waited for."""
    if not task.cancelled():
        task.exception()


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
