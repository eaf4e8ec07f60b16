"""What pages watch: it is looked at once, whoever many watch, and only differences are sent.

Each change has a number. A page says which one it has seen last, and is sent what has changed since, so that a lost
connection costs nothing; a number of another epoch, as of a server that has ended, means that all is sent.
"""

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from threading import Lock
from typing import Any, Final

from ramify.planner.errors import PlannerError, RunError
from ramify.tasks.json_text import json_text

_SHARE: Final = 10
"""Looking takes one part of so many of the time at most, so that pages slow no run down, however large it is."""

_BEAT_S: Final = 15.0
_KEPT_S: Final = 20.0
_AFTER_TROUBLE_S: Final = 3.0


class Live(ABC):
    """Something that pages watch.

    Attributes:
        number: the number of its last change; 0 before it was looked at.
        trouble: why it cannot be looked at now; empty if it can.
        is_over: whether nobody looks at it any more.
    """

    def __init__(self) -> None:
        self.number = 0
        self.trouble = ""
        self.is_over = False
        self.lock = Lock()
        self._epoch = secrets.token_hex(4)
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._watchers = 0
        self._message: tuple[int, int, bytes] = (0, 0, b"")

    @property
    @abstractmethod
    def look_s(self) -> float:
        """How long to wait before it is looked at again, in seconds."""

    @abstractmethod
    def look(self) -> bool:
        """Look at the store, in a thread, with the lock; return whether anything has changed.

        Raises:
            PlannerError: if that cannot be.
        """

    @abstractmethod
    def difference(self, since: int) -> dict[str, Any]:
        """Return what has changed after the change `since`, as JSON data; 0 is all. The caller has the lock."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what it holds."""

    async def go_on(self) -> None:
        """Look again and again, until nobody has watched for some time."""
        idle_s = 0.0
        try:
            while idle_s < _KEPT_S and not self.is_over:
                self._wanted.clear()
                before, took_s = self.number, await asyncio.to_thread(self._look)
                if self.number != before:
                    self._tell()
                wait_s = max(_AFTER_TROUBLE_S if self.trouble else self.look_s, _SHARE * took_s)
                idle_s = 0.0 if self._watchers else idle_s + wait_s
                await _within(self._wanted, wait_s)
        finally:
            self.end()
            self.close()

    async def seen(self) -> None:
        """Return when it was looked at once.

        Raises:
            RunError: if that could not be.
        """
        while not self.number and not self.is_over:
            await self._changed.wait()
        if self.trouble:
            raise RunError(self.trouble)

    def wake(self) -> None:
        """Have it looked at now."""
        self._wanted.set()

    def end(self) -> None:
        """Let everybody who watches go."""
        self.is_over = True
        self._wanted.set()
        self._tell()

    async def updates(self, seen: str) -> AsyncIterator[bytes]:
        """Yield server-sent events, each with what has changed since the one before; `seen` is the id of the last."""
        since = self._number_of(seen)
        self._watchers += 1
        self.wake()
        try:
            yield b"retry: 1000\n\n"
            while not self.is_over:
                changed = self._changed
                if self.number > since:
                    since, message = await asyncio.to_thread(self._message_since, since)
                    yield message
                elif not await _within(changed, _BEAT_S):
                    yield b": still here\n\n"
        finally:
            self._watchers -= 1

    def _look(self) -> float:
        """Look once, and return how long that has kept a processor, in seconds."""
        began = time.thread_time()
        with self.lock:
            try:
                changed, trouble = self.look(), ""
            except PlannerError as error:
                changed, trouble = False, str(error)
            if changed or trouble != self.trouble:
                self.number += 1
            self.trouble = trouble
        return time.thread_time() - began

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _number_of(self, seen: str) -> int:
        epoch, _, number = seen.partition(".")
        is_known = epoch == self._epoch and number.isdecimal() and int(number) <= self.number
        return int(number) if is_known else 0

    def _message_since(self, since: int) -> tuple[int, bytes]:
        """Return the number of the last change, and what pages are sent that have seen `since`: made once for all."""
        with self.lock:
            if self._message[:2] != (since, self.number):
                data = {**self.difference(since), "trouble": self.trouble}
                words = json_text(data, separators=(",", ":"))
                message = f"id: {self._epoch}.{self.number}\ndata: {words}\n\n".encode("utf-8", "replace")
                self._message = since, self.number, message
            return self._message[1:]


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Return whether something happens within so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
