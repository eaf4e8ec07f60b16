"""Plain functions of other people, each called in a thread: as many at a time as there are jobs, in the task's context.

The threads are daemons: a function that does not end holds up neither the end of a run nor that of the process. One
that nobody waits for any more, as its time is over, takes nobody's place; who wants to call it again for the same owner
can wait for its end.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any

from ramify.planner.errors import OutsideError
from ramify.planner.runtime.border import border, name_and_words


class _Job:
    """One call; whoever takes its `turn` first, a thread or who gives it up, decides whether it is made."""

    __slots__ = ("answer", "context", "error", "function", "owner", "turn", "value")

    def __init__(
        self, owner: Hashable, function: Callable[[], Any], answer: "asyncio.Future[None]", context: Context
    ) -> None:
        self.owner = owner
        self.function = function
        self.answer = answer
        self.context = context
        self.turn = threading.Lock()
        self.value: Any = None
        self.error: Exception | None = None

    def make(self) -> None:
        """Make the call."""
        try:
            with border:
                self.value = self.context.run(self.function)
        except BaseException as error:  # noqa: BLE001 - the border lets through what nobody here has asked for
            self.error = error if isinstance(error, Exception) else OutsideError(name_and_words(error))
        self.function = _nothing  # its arguments are let go of here and not when the next call comes


class Threads:
    """Calls plain functions for the tasks of one run; used on one event loop.

    Args:
        name: what the threads are called.
        most: how many calls are made at a time.
        loop: the event loop.
    """

    def __init__(self, name: str, most: int, loop: asyncio.AbstractEventLoop) -> None:
        self._name = name
        self._most = most
        self._loop = loop
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._left: defaultdict[Hashable, dict[_Job, asyncio.Future[None]]] = defaultdict(dict)

    async def call(self, owner: Hashable, function: Callable[[], Any]) -> Any:
        """Return what `function` gives, or raise what it raises, as an ordinary exception; `owner` is who wants it."""
        job = _Job(owner, function, self._loop.create_future(), copy_context())
        self._busy += 1
        if self._busy > self._threads and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._queue.put(job)
        try:
            await job.answer
        except asyncio.CancelledError:
            self._give_up(job)
            raise
        if job.error is None:
            return job.value
        try:
            raise job.error
        finally:
            del job  # which the error's frames hold

    async def ended(self, owner: Hashable, within_s: float) -> bool:
        """Wait for the calls of `owner` that were given up; return whether they have ended within so many seconds."""
        left = self._left.get(owner)
        if not left:
            return True
        _, going_on = await asyncio.wait(list(left.values()), timeout=within_s)
        return not going_on

    def close(self) -> None:
        """Let the threads end, each after the call that it makes."""
        for _ in range(self._threads):
            self._queue.put(None)

    def _give_up(self, job: _Job) -> None:
        if job.answer.done() and not job.answer.cancelled():
            return  # it has ended in the same moment
        if job.turn.acquire(blocking=False):  # nobody has begun, and nobody will
            self._busy -= 1
            return
        self._most += 1
        self._left[job.owner][job] = self._loop.create_future()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if not job.turn.acquire(blocking=False):
                continue
            job.make()
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                self._loop.call_soon_threadsafe(self._end, job)
            del job

    def _end(self, job: _Job) -> None:
        self._busy -= 1
        if not job.answer.done():
            job.answer.set_result(None)
            return
        self._most -= 1
        left = self._left[job.owner]
        left.pop(job).set_result(None)
        if not left:
            del self._left[job.owner]


def _nothing() -> None:
    pass
