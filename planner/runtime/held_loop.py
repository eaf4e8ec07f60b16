"""Whether somebody's code holds the event loop, so that nothing else goes on: seen from a thread while it happens.

A loop that somebody watches is asked now and then to answer. If it does not for `HELD_S`, and other people's code is
what it does, the log names the place at once, and who watches is told as soon as the loop is free again.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ramify.prompts.tracebacks import running_at
from ramify.tasks import Task

HELD_S = 5.0
"""How long a loop may be held before that is told, in seconds."""

HOLDS_NO_LOOP = "an async function must await slow work, or be a plain function, which runs in a thread"

_EVERY_S = 1.0
_log = logging.getLogger("ramify.loop")


@dataclass(frozen=True, slots=True)
class Held:
    """What held a loop.

    Attributes:
        task: the task that was done; None if it cannot be told.
        seconds: for how long.
        where: the line of code.
    """

    task: Task | None
    seconds: float
    where: str


Tell = Callable[[Held], None]
Find = Callable[[object], Task | None]
"""Returns the task that an asyncio task does, if it is one of whoever watches; called in another thread."""


class _Watch:
    """Watches the loop that is running here, from a thread of its own."""

    def __init__(self) -> None:
        self.watchers: dict[Tell, Find] = {}
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._is_over = threading.Event()
        threading.Thread(target=self._look, name="ramify-watch", daemon=True).start()

    def end(self) -> None:
        self._is_over.set()

    def _look(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            while not self._is_over.wait(_EVERY_S):
                is_free = threading.Event()
                self._loop.call_soon_threadsafe(is_free.set)
                if not is_free.wait(HELD_S):
                    self._take_down(is_free)

    def _take_down(self, is_free: threading.Event) -> None:
        began = time.monotonic() - HELD_S
        frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the documented way to see another thread
        where = None if frame is None else running_at(frame)
        del frame
        told = self._concerned(asyncio.current_task(self._loop))
        if where is not None:
            _log.warning("the event loop was blocked for %g s (%s); %s", HELD_S, where, HOLDS_NO_LOOP)
        while not is_free.wait(_EVERY_S):
            if self._is_over.is_set():
                return
        if where is not None:
            for tell, task in told:
                held = Held(task, time.monotonic() - began, where)
                self._loop.call_soon_threadsafe(tell, held)

    def _concerned(self, job: object) -> list[tuple[Tell, Task | None]]:
        """Return who is to be told of which task: whose it is, or else the first who watches."""
        found = [(tell, find(job)) for tell, find in list(self.watchers.items())]
        return [each for each in found if each[1] is not None] or found[:1]


_watches: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch]" = WeakKeyDictionary()


@contextmanager
def watched(tell: Tell, find: Find) -> Iterator[None]:
    """Have `tell` called when the running loop was held for a task that `find` finds, or that nobody finds."""
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = _Watch()
    watch.watchers[tell] = find
    try:
        yield
    finally:
        del watch.watchers[tell]
        if not watch.watchers:
            del _watches[loop]
            watch.end()
