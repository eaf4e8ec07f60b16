"""The events of a run as an iterator, for `for` and `async for`: from its start to its end, none lost, none twice.

The newest events wait in a buffer of bounded size. Whoever reads more slowly than events come gets the ones that had to
leave the buffer from the store, where all of them are.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Self

from ramify.planner.errors import UsageError

from .events import Event, EventBus, EventType, Wanted, event_types

BUFFER = 1_000
"""The events that wait in memory for one reader, and the events that are read from the store at once."""

_log = logging.getLogger("ramify.events")

ReadEvents = Callable[[int, int], list[Event]]
"""Reads the stored events after a number, no more than so many."""


class _Next(Enum):
    WAITS = auto()
    IS_STORED = auto()
    IS_OVER = auto()


class EventStream:
    """Gives the events of one run, one after the other, and ends when the run does; for one reader.

    Args:
        bus: where they are published.
        read: reads those that have left the buffer.
        types: which types are given; all if there are none.
        where: which of them are given; all if None.
        after: the number after which it begins; None begins with what this process carries on.

    Raises:
        UsageError: if a type is none.
    """

    def __init__(
        self,
        bus: EventBus,
        read: ReadEvents,
        types: Collection[EventType | str] = (),
        *,
        where: Wanted | None = None,
        after: int | None = None,
    ) -> None:
        self._types = event_types(types)
        self._where = where
        self._bus = bus
        self._read = read
        self._after = after
        self._lock = threading.Lock()
        self._fresh: deque[Event] = deque(maxlen=BUFFER)
        self._stored: deque[Event] = deque()
        self._waker: Callable[[], None] | None = None
        self._is_left = False
        self._forget = bus.subscribe(self._take)
        bus.at_close(self._wake)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """Return the next event, when it is there.

        Raises:
            UsageError: if this is the thread that the run itself is carried on in, which would wait for itself.
        """
        while True:
            woken = threading.Event()
            found = self._step(woken.set)
            if not isinstance(found, _Next):
                return found
            if found is _Next.IS_OVER:
                self.close()
                raise StopIteration
            if found is _Next.IS_STORED:
                self._fetch()
            elif self._bus.thread_id == threading.get_ident():
                raise UsageError("this thread carries the run on and cannot wait for it; use `async for`")
            else:
                woken.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event, when it is there."""
        loop = asyncio.get_running_loop()
        while True:
            woken = asyncio.Event()
            found = self._step(partial(_set_on, loop, woken))
            if not isinstance(found, _Next):
                return found
            if found is _Next.IS_OVER:
                self.close()
                raise StopAsyncIteration
            if found is _Next.IS_STORED:
                await asyncio.to_thread(self._fetch)
            else:
                await woken.wait()

    def close(self) -> None:
        """Give and take in no more events; for readers that leave before the end."""
        self._forget()
        with self._lock:
            self._is_left = True
            self._fresh.clear()
        self._wake()

    def _take(self, event: Event) -> None:
        with self._lock:
            self._fresh.append(event)
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            waker, self._waker = self._waker, None
        if waker is not None:
            waker()

    def _step(self, waker: Callable[[], None]) -> "Event | _Next":
        """Return the next wanted event that is at hand, or what has to be done to get on; `waker` ends a wait."""
        with self._lock:
            if self._is_left:
                return _Next.IS_OVER
            if self._after is None and self._bus.first_seq is not None:
                self._after = self._bus.first_seq - 1
            while self._after is not None and (event := self._at_hand(self._after)) is not None:
                self._after = event.seq
                if self._is_wanted(event):
                    return event
            if self._after is not None and self._bus.last_seq > self._after:
                return _Next.IS_STORED
            if self._bus.is_closed:
                return _Next.IS_OVER
            self._waker = waker
            return _Next.WAITS

    def _is_wanted(self, event: Event) -> bool:
        return (not self._types or event.type in self._types) and (self._where is None or self._where(event))

    def _at_hand(self, after: int) -> Event | None:
        if self._stored:
            return self._stored.popleft()
        while self._fresh and self._fresh[0].seq <= after:
            self._fresh.popleft()
        return self._fresh.popleft() if self._fresh and self._fresh[0].seq == after + 1 else None

    def _fetch(self) -> None:
        """Read the next events from the store; ones that never got there are passed over."""
        after = self._after or 0
        events = self._read(after, BUFFER)
        with self._lock:
            self._stored.extend(events)
            if not events:
                self._after = self._fresh[0].seq - 1 if self._fresh else self._bus.last_seq
                _log.warning("events %s to %s of the run were not stored", after + 1, self._after)


def _set_on(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed, and its reader gone
        loop.call_soon_threadsafe(woken.set)
