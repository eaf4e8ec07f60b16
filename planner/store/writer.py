"""One thread and one connection write a run: changes come in from any thread or loop, and leave in group commits.

Everything that waits goes into one transaction, up to `BATCH_ROWS`; while it is being written the next one fills up. A
caller's own group of changes is never divided. Changes for whose writing nobody waits stay for up to `GATHER_S`, so
that they go along with what comes next. When nothing comes the thread wakes once a second, to show that it lives and to
hear what somebody outside asks of the run. What went wrong once is what every later caller is told: nothing is written
after an error.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from ramify.planner.errors import LeaseError, PlannerError, StoreError
from ramify.planner.runtime.failpoints import failpoint

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .batch import Batch
    from .changes import Change
    from .control import Control
    from .database import Database
    from .lease import Lease

_log = logging.getLogger("ramify.store")

BATCH_ROWS: Final = 5000
HEARTBEAT_S: Final = 1.0
GATHER_S: Final = 0.002
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
KNOWN_TEXTS: Final = 10_000
"""How many texts are remembered as stored; a forgotten one is offered again and left alone by the database."""

Then = Callable[[PlannerError | None], None]
"""Told in its event loop that changes are on disk, or what has kept them from it."""


class _Listener(NamedTuple):
    loop: asyncio.AbstractEventLoop
    then: Then

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop


_Waiter = asyncio.Future[None] | Future[None] | _Listener


def _ignore(_: object = None) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterEvents:
    """What a writer tells by itself: plain functions, called in its thread, that return at once and do not raise.

    Attributes:
        on_control: somebody outside asks something of the run; told once of each.
        on_waiting: the database cannot be reached, and the writer tries again; gets words for the user.
        on_failure: nothing can be written any more; gets the error that every later caller will get.
    """

    on_control: "Callable[[Control], None]" = _ignore
    on_waiting: Callable[[str], None] = _ignore
    on_failure: Callable[[PlannerError], None] = _ignore


class _Request(NamedTuple):
    changes: "tuple[Change, ...]"
    waiter: _Waiter | None = None
    is_last: bool = False


class _Queue:
    """What waits to be written. One thread takes; whoever else calls a method holds `gate`, which is a lock."""

    def __init__(self, gate: threading.Lock) -> None:
        self._gate = gate
        self._requests: list[_Request] = []
        self._is_awaited = False
        self._is_urgent = False
        self._bell = threading.Lock()  # locked as long as there is no news
        self._bell.acquire()

    def add(self, request: _Request) -> None:
        """Add a request; the thread hears of it, and takes its time."""
        self._requests.append(request)
        if request.waiter is not None:
            self._is_awaited = True
        if len(self._requests) == 1:
            self._ring()

    def hurry(self) -> None:
        """Have everything taken now, if somebody waits for any of it."""
        if self._is_awaited:
            self._is_urgent = True
            self._ring()

    def take(self) -> list[_Request]:
        """Return everything that waits, in order, up to `BATCH_ROWS`; nothing if nothing came for `HEARTBEAT_S`."""
        if self._bell.acquire(timeout=HEARTBEAT_S) and not self._is_urgent:
            self._bell.acquire(timeout=GATHER_S)
        with self._gate:
            taken = self._up_to_the_limit()
            self._requests = self._requests[len(taken) :]
            self._is_urgent = self._is_awaited = bool(self._requests)
            self._bell.acquire(blocking=False)
            if self._requests:
                self._ring()
        return taken

    def _ring(self) -> None:
        if self._bell.locked():
            self._bell.release()

    def _up_to_the_limit(self) -> list[_Request]:
        size = 0
        for place, request in enumerate(self._requests, start=1):
            size += len(request.changes)
            if size >= BATCH_ROWS:
                return self._requests[:place]
        return self._requests


class RunWriter:
    """Writes one run, under its lease. Made by `Store.write`; a context manager that closes itself.

    Attributes:
        run_id: the run.
        holder: who holds it, for people to read.
        commits: transactions that were committed with changes in them.
        first_seq: the number of the first event that it writes.
    """

    def __init__(self, database: "Database", lease: "Lease", events: WriterEvents, *, wait_s: float) -> None:
        self.run_id = lease.run_id
        self.holder = str(lease.holder)
        self.commits = 0
        self.first_seq = lease.last_seq + 1
        self._database = database
        self._lease = lease
        self._events = events
        self._wait_s = wait_s
        self._seqs = count(self.first_seq)
        self._gate = threading.Lock()
        self._queue = _Queue(self._gate)
        self._is_hurrying = False
        self._is_closed = False
        self._failure: Callable[[], PlannerError] | None = None
        self._told: set[str] = set()
        self._connection: Connection | None = None
        self._known_texts: set[str] = set()
        self._thread = threading.Thread(target=self._work, name=f"ramify writer {self.run_id}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(PlannerError):
                self.close()

    @property
    def has_failed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._failure is not None

    def next_seq(self) -> int:
        """Return the number of the run's next event; every number is given out once."""
        return next(self._seqs)

    def put(self, *changes: "Change") -> None:
        """Have `changes` written soon, together, after what came before; does not wait. Any thread may call it.

        Raises:
            LeaseError: if the run was taken over.
            StoreError: if writing has failed before, or the writer is closed.
        """
        self._ask(_Request(changes))

    def written(self, *changes: "Change") -> "asyncio.Future[None]":
        """Have `changes` written as `put` does; what is returned is done when they, and all before, are on disk.

        Cancelling it does not take the changes back. What all calls in one turn of the loop are given goes together.

        Raises:
            LeaseError: at once or when awaited, if the run was taken over; `changes` were not written.
            StoreError: at once or when awaited, if writing has failed; `changes` were not written.
        """
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._ask_soon(loop, _Request(changes, waiter))
        return waiter

    def tell(self, then: Then, *changes: "Change") -> None:
        """Have `changes` written as `written` does; `then` is called in this loop when that is done. It must not raise.

        Raises:
            LeaseError: at once, or `then` is given it, if the run was taken over; `changes` were not written.
            StoreError: at once, or `then` is given it, if writing has failed; `changes` were not written.
        """
        loop = asyncio.get_running_loop()
        self._ask_soon(loop, _Request(changes, _Listener(loop, then)))

    async def commit(self, *changes: "Change") -> None:
        """Have `changes` written, and return when they are on disk. Raises as `written`."""
        await self.written(*changes)

    def flush(self) -> None:
        """Return when all that was put is on disk. Raises as `written`."""
        waiter: Future[None] = Future()
        self._ask(_Request((), waiter))
        self._hurry()
        waiter.result()

    def close(self, *changes: "Change") -> None:
        """Write `changes` and all that was put, give the run back, and end the thread; a second time does nothing.

        Raises:
            LeaseError: if the run was taken over.
            StoreError: if something that was put could not be written.
        """
        waiter: Future[None] = Future()
        with self._gate:
            if self._is_closed:
                return
            self._is_closed = True
            self._queue.add(_Request(changes, waiter, is_last=True))
            self._queue.hurry()
        try:
            waiter.result()
        finally:
            self._thread.join()

    def _ask_soon(self, loop: asyncio.AbstractEventLoop, request: _Request) -> None:
        self._ask(request)
        if not self._is_hurrying:
            self._is_hurrying = True
            loop.call_soon(self._hurry)

    def _ask(self, request: _Request) -> None:
        with self._gate:
            if self._failure is not None:
                raise self._failure()
            if self._is_closed:
                raise StoreError(f"the writer of run {self.run_id} is closed; open the run again to write to it")
            self._queue.add(request)

    def _hurry(self) -> None:
        self._is_hurrying = False
        with self._gate:
            self._queue.hurry()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            requests = self._queue.take()
            is_last = bool(requests) and requests[-1].is_last
            try:
                if self._failure is None:
                    self._settle(self._batch_of(requests), is_last=is_last)
                if is_last:
                    self._end()
            except Exception as error:  # noqa: BLE001 - the worker's boundary: whatever it is, nobody may wait for ever
                _log.exception("the writer of run %s failed", self.run_id)
                self._fail(partial(StoreError, f"run {self.run_id}: writing failed: {type(error).__name__}: {error}"))
            _answer([request.waiter for request in requests if request.waiter is not None], self._failure)

    def _batch_of(self, requests: list[_Request]) -> "Batch":
        from .batch import Batch

        batch = Batch(self.run_id)
        for request in requests:
            batch.add(request.changes)
        return batch

    def _settle(self, batch: "Batch", *, is_last: bool) -> None:
        """Write `batch`, waiting for a server that is gone; note the failure if it cannot be written."""
        from sqlalchemy.exc import SQLAlchemyError

        from .batch import LeaseLostError
        from .faults import explain, is_lost

        give_up_at: float | None = None
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return self._write(batch, is_last=is_last)
            except LeaseLostError:
                return self._fail(self._lease_error())
            except SQLAlchemyError as error:
                now = time.monotonic()
                told = explain(error, self._database.place)
                give_up_at = give_up_at or now + self._wait_s
                self._disconnect()
                if not is_lost(error) or now + pause_s > give_up_at:
                    return self._fail(partial(StoreError, str(told)))
                if pause_s == FIRST_PAUSE_S:
                    with suppress(RuntimeError):
                        self._events.on_waiting(f"{told}; run {self.run_id} waits up to {self._wait_s:.0f} s for it")
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _write(self, batch: "Batch", *, is_last: bool) -> None:
        """Write `batch` in one transaction; the last one gives the run back, too."""
        from .lease import release

        if self._connection is None:
            self._connection = self._database.connect()
        with self._connection.begin():
            asked = batch.write(self._connection, self._database.statements, self._lease, self._known_texts)
            if batch.is_running:
                failpoint("before-running-commit")
            if is_last:
                release(self._connection, self._lease)
        if batch.is_running:
            failpoint("after-running-commit")
        if len(self._known_texts) > KNOWN_TEXTS:
            self._known_texts.clear()
        self._known_texts.update(batch.texts)
        self.commits += batch.size > 0
        if asked is not None:
            self._tell(asked)

    def _tell(self, asked: str) -> None:
        from .control import load_controls

        for control in load_controls(asked):
            if control.id not in self._told:
                self._told.add(control.id)
                with suppress(RuntimeError):  # the event loop that was to hear of it is closed
                    self._events.on_control(control)

    def _lease_error(self) -> Callable[[], PlannerError]:
        from .lease import lost

        with self._database.reading() as connection:
            message, holder = lost(connection, self._lease)
        return partial(LeaseError, message, holder=holder)

    def _fail(self, make_error: Callable[[], PlannerError]) -> None:
        with self._gate:
            self._failure = make_error
        with suppress(RuntimeError):
            self._events.on_failure(make_error())

    def _end(self) -> None:
        """Let go of the connection, and of the run if that is not given back.

        If the store cannot be told, this process remembers, and for others the lease lapses.
        """
        from .lease import release

        self._disconnect()
        if self._failure is None:
            return
        try:
            with self._database.changing() as connection:
                release(connection, self._lease)
        except StoreError:
            self._lease.holder.give_up()

    def _disconnect(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None


def _answer(waiters: Iterable[_Waiter], failure: Callable[[], PlannerError] | None) -> None:
    """Tell all who wait how it went: one call into each event loop, however many wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None] | _Listener]] = {}
    for waiter in waiters:
        if isinstance(waiter, Future):
            _resolve([waiter], failure)
        else:
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, group in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_resolve, group, failure)


def _resolve(waiters: Iterable[_Waiter], failure: Callable[[], PlannerError] | None) -> None:
    for waiter in waiters:
        if isinstance(waiter, _Listener):
            waiter.then(None if failure is None else failure())
        elif waiter.done():
            continue
        elif failure is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(failure())
