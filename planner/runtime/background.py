"""The one long-lived event loop of the process: in a thread of its own, shared by sync callers and by models.

Nothing that runs on it can end it: what asyncio lets out of a loop, `SystemExit` and `KeyboardInterrupt` of a task, is
logged, and the loop goes on.
"""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from ramify.planner.errors import OutsideError, RunError, UsageError

from .border import name_and_words

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

LONGEST_HOLD_S = 10.0
"""How long closing the loop waits for code that holds it, or does not let itself be cancelled, in seconds."""

LOOP_ENDS = "the background loop ends"
"""What tasks are cancelled with when the loop is closed; whoever cancels them otherwise is somebody else."""

_LOOK_EVERY_S = 5.0
_END = object()
_log = logging.getLogger("ramify.loop")


class _Background:
    """A loop in a daemon thread, and what has to be awaited before it is closed."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.closers: list[Callable[[], Awaitable[None]]] = []
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="ramify-loop", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """End it; one that somebody's code holds, or that cannot be ended, is left to the end of the process."""
        answers = threading.Event()
        self.loop.call_soon_threadsafe(answers.set)
        if not answers.wait(LONGEST_HOLD_S):
            _log.warning("the event loop was blocked for %s s at its end and was abandoned", LONGEST_HOLD_S)
            return
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result()
        self._is_closing = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        while not (self._is_closing or self.loop.is_closed()):
            try:
                self.loop.run_forever()
            except BaseException:  # noqa: BLE001 - whoever awaits what raised it gets it too
                _log.exception("something on the event loop tried to end the process; the loop continues")

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel(LOOP_ENDS)
        if tasks:
            await asyncio.wait(tasks, timeout=LONGEST_HOLD_S)
        for closer in reversed(self.closers):
            await closer()
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()


_lock = threading.Lock()
_background: _Background | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the background loop; it is started at the first call and closed when the process ends."""
    return _started().loop


def is_on_background_loop() -> bool:
    """Return whether the caller runs on the background loop, and must not wait for what happens there."""
    return _background is not None and _is_running_on(_background.loop)


def close_background_loop() -> None:
    """Cancel what runs on the background loop, let go of its connections, and end it; the next use starts a new one."""
    global _background
    with _lock:
        background, _background = _background, None
    if background is not None:
        background.close()


def before_close(closer: Callable[[], Awaitable[None]]) -> None:
    """Have `closer` awaited on the background loop before it is closed; once, however often it is said."""
    closers = _started().closers
    if closer in closers:
        return
    closers.append(closer)
    # Exit functions run last in, first out: ours has to come before those of the library that `closer` cleans up.
    atexit.unregister(close_background_loop)
    atexit.register(close_background_loop)


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the background loop and wait for it; works where another loop is running too, as in notebooks.

    When the wait is interrupted (Ctrl-C), `work` is cancelled and given the time to end before the interruption goes
    on; a second interruption does not wait.

    Raises:
        UsageError: if it is called on the background loop itself, which would wait for itself for ever.
        OutsideError: if `work` raised what would end a loop, such as SystemExit.
        RunError: if the loop has ended under it.
    """
    background = _started()
    loop = background.loop
    if _is_running_on(loop):
        work.close()
        raise UsageError("a sync call was made inside Ramify's event loop; await the async form instead")
    # A bare lock is what a signal cannot leave half taken, unlike the condition inside a future.
    ended = threading.Lock()
    ended.acquire()
    tasks: list[asyncio.Task[T]] = []
    try:
        loop.call_soon_threadsafe(_start, work, tasks, ended)
        _wait(background, ended)
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(_cancel, work, tasks, ended)
        _wait(background, ended)
        raise
    return tasks[0].result()


async def on_background_loop(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` on the background loop, from whatever loop this is; a cancellation is carried over."""
    loop = background_loop()
    if _is_running_on(loop):
        return await work
    return await asyncio.wrap_future(start_on_background_loop(work))


def start_on_background_loop(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Start `work` on the background loop, and return its future."""
    return asyncio.run_coroutine_threadsafe(_contained(work), background_loop())


async def stream_on_background_loop(source: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """Iterate over `source()` on the background loop, from whatever loop this is; leaving early cancels it there."""
    loop, here = background_loop(), asyncio.get_running_loop()
    if loop is here:
        async with aclosing(source()) as items:
            async for item in items:
                yield item
        return
    arrived: asyncio.Queue[Any] = asyncio.Queue()

    async def pump() -> None:
        try:
            async with aclosing(source()) as items:
                async for item in items:
                    here.call_soon_threadsafe(arrived.put_nowait, item)
        finally:
            here.call_soon_threadsafe(arrived.put_nowait, _END)

    pumping = start_on_background_loop(pump())
    try:
        while (item := await arrived.get()) is not _END:
            yield item
        await asyncio.wrap_future(pumping)
    finally:
        pumping.cancel()


def _started() -> _Background:
    global _background  # noqa: PLW0603 - the loop belongs to the process
    with _lock:
        if _background is None or not _background.is_alive:
            _background = _Background()
        return _background


async def _contained(work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, and raise what would end the loop as an ordinary exception."""
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise OutsideError(name_and_words(error)) from error


def _wait(background: _Background, ended: threading.Lock) -> None:
    while not ended.acquire(timeout=_LOOK_EVERY_S):
        if not background.is_alive and not ended.acquire(blocking=False):
            raise RunError("the event loop ended during the run; the run is stored and can be resumed")


def _is_running_on(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _start(work: Coroutine[Any, Any, T], tasks: list[asyncio.Task[T]], ended: threading.Lock) -> None:
    task = asyncio.get_running_loop().create_task(_contained(work))
    tasks.append(task)
    task.add_done_callback(lambda _: ended.release())


def _cancel(work: Coroutine[Any, Any, T], tasks: list[asyncio.Task[T]], ended: threading.Lock) -> None:
    if tasks and not tasks[0].done():
        tasks[0].cancel()
        return
    if not tasks:
        work.close()
    if ended.locked():
        ended.release()


def _forget() -> None:
    # A forked child has the memory but not the thread.
    global _background, _lock
    _background, _lock = None, threading.Lock()


atexit.register(close_background_loop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
