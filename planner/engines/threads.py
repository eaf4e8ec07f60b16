"""Plain functions of other people, each called in a thread: as many at a time as there are jobs, in the task's context.

The threads are daemons: a function that does not end holds up neither the end of a run nor that of the process. One
that nobody waits for any more, as its time is over, takes nobody's place; who wants to call it again can wait for its
end.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any

from ramify.planner.errors import OutsideError
from ramify.planner.runtime.border import border, name_and_words


class Job:
    """One call; whoever takes its `turn` first, a thread or who gives it up, decides whether it is made."""

    __slots__ = ("answer", "context", "ended", "error", "function", "is_over", "turn", "value")

    def __init__(self, function: Callable[[], Any], answer: "asyncio.Future[None]", context: Context) -> None:
        self.function = function
        self.answer = answer
        self.ended: asyncio.Future[None] | None = None
        self.is_over = False
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
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0

    def begin(self, function: Callable[[], Any]) -> Job:
        """Have `function` called in a thread as soon as one is free."""
        job = Job(function, self._loop.create_future(), copy_context())
        self._busy += 1
        if self._busy > self._threads and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._queue.put(job)
        return job

    async def result(self, job: Job) -> Any:
        """Return what a call gives, or raise what it raises, as an ordinary exception."""
        await job.answer
        if job.error is None:
            return job.value
        error, job.error = job.error, None
        try:
            raise error
        finally:
            del error  # which its own frames hold

    def give_up(self, job: Job) -> "asyncio.Future[None] | None":
        """Wait no longer for a call; return what is done when it has ended, or None if it has, or was never begun."""
        if job.is_over:
            return None
        if job.turn.acquire(blocking=False):  # nobody has begun, and nobody will
            self._busy -= 1
            return None
        self._most += 1
        job.ended = self._loop.create_future()
        return job.ended

    def close(self) -> None:
        """Let the threads end, each after the call that it makes."""
        for _ in range(self._threads):
            self._queue.put(None)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if not job.turn.acquire(blocking=False):
                continue
            job.make()
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                self._loop.call_soon_threadsafe(self._end, job)
            del job

    def _end(self, job: Job) -> None:
        self._busy -= 1
        job.is_over = True
        if job.ended is not None:
            self._most -= 1
            job.ended.set_result(None)
        elif not job.answer.done():
            job.answer.set_result(None)


def _nothing() -> None:
    pass
