"""Where a person's replies are read from: a terminal or stream, line by line, or a file of replies.

A reply ends at a line that is a single `.`, or where the input ends. Waiting for a terminal can be cancelled: the
thread that waits is woken, so that an interrupted run never hangs until somebody presses Enter.
"""

import asyncio
import os
import re
import select
import sys
import threading
from collections import deque
from pathlib import Path
from typing import TextIO

from ramify.planner.errors import UsageError

END = "."
_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_KEY = re.compile(r"\[(?P<key>[^\]\[\n]{1,200})\][ \t]*(?:\n|$)")
_CHUNK = 65_536
_POLLS = sys.platform == "linux"
"""Elsewhere poll() may not know terminals; select() knows no descriptors above 1023."""


class StreamReplies:
    """Reads replies from a stream, one at a time.

    Args:
        stream: the stream; where it has a file descriptor that can be waited for, waiting can be cancelled.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._bytes = bytearray()

    async def next_reply(self) -> str | None:
        """Return the next reply; None if the input has ended and there is none."""
        if self._descriptor is None:
            return await asyncio.to_thread(_read_reply, self._stream)
        lines: list[str] = []
        while (line := await self._line(self._descriptor)) and line.rstrip("\r\n") != END:
            lines.append(line)
        return "".join(lines) if lines or line else None

    async def next_line(self) -> str:
        """Return the next line with its end; nothing if the input has ended."""
        if self._descriptor is None:
            return await asyncio.to_thread(self._stream.readline)
        return await self._line(self._descriptor)

    async def _line(self, descriptor: int) -> str:
        while b"\n" not in self._bytes:
            if not await _wait_until_readable(descriptor):
                break
            chunk = _read_chunk(descriptor)
            self._bytes += chunk
            if not chunk:
                break
        end = self._bytes.find(b"\n") + 1 or len(self._bytes)
        line = bytes(self._bytes[:end])
        del self._bytes[:end]
        return line.decode("utf-8", "replace")


class FileReplies:
    """Reads replies from a file, in which lines `---` stand between them.

    A reply whose first line is `[0.2 execute]` answers the question of that purpose about that task; the others are
    given in order to whatever is asked.

    Args:
        path: the file; it is read when the first reply is wanted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._in_order: deque[str] | None = None
        self._by_key: dict[str, deque[str]] = {}

    async def next_reply(self, key: str) -> str | None:
        """Return the next reply to the question `key`; None if there is none.

        Raises:
            UsageError: if the file cannot be read.
        """
        if self._in_order is None:
            self._in_order = self._sort(await asyncio.to_thread(self._read))
        replies = self._by_key.get(key) or self._in_order
        return replies.popleft() if replies else None

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8-sig")
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"the file of replies {self._path} cannot be read: {reason}; see human:FILE") from None
        except UnicodeDecodeError as error:
            raise UsageError(
                f"the file of replies {self._path} is not UTF-8 at byte {error.start}; save it so"
            ) from None

    def _sort(self, text: str) -> deque[str]:
        in_order: deque[str] = deque()
        for block in _SEPARATOR.split(text):
            reply = block.strip()
            key = _KEY.match(reply)
            if key:
                name = " ".join(key["key"].split())
                self._by_key.setdefault(name, deque()).append(reply[key.end() :].strip())
            elif reply:
                in_order.append(reply)
        return in_order


def _read_reply(stream: TextIO) -> str | None:
    lines: list[str] = []
    while (line := stream.readline()) and line.rstrip("\r\n") != END:
        lines.append(line)
    return "".join(lines) if lines or line else None


def _descriptor(stream: TextIO) -> int | None:
    if os.name != "posix":
        return None
    try:
        return stream.fileno()
    except (OSError, AttributeError, ValueError):
        return None


async def _wait_until_readable(descriptor: int) -> bool:
    """Wait in a thread until there is something to read; being cancelled wakes the thread."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    woken, wake = os.pipe()

    def wait() -> None:
        is_readable = _select(descriptor, woken)
        loop.call_soon_threadsafe(_set, ready, is_readable)

    thread = threading.Thread(target=wait, name="ramify-human", daemon=True)
    thread.start()
    try:
        return await ready
    finally:
        os.write(wake, b"!")
        thread.join()
        os.close(woken)
        os.close(wake)


def _select(descriptor: int, woken: int) -> bool:
    """Block until one of the two can be read, and return whether it is the first."""
    if _POLLS:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(woken, select.POLLIN)
        return any(found == descriptor for found, _ in poll.poll())
    return descriptor in select.select([descriptor, woken], [], [])[0]


def _read_chunk(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:  # the terminal is gone, which ends the input
        return b""


def _set(future: "asyncio.Future[bool]", value: bool) -> None:  # noqa: FBT001 - a result, not a switch
    if not future.done():
        future.set_result(value)
