"""The engine that stays in this process: async functions are called on the run's loop, plain ones in threads."""

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ramify.planner.runtime.border import border

from .protocol import Engine, Home, Order
from .threads import Job, Threads

T = TypeVar("T")


class Here(Engine):
    """Calls functions in this process; they see the context variables of whoever started the run."""

    is_far = False

    def __init__(self, *, run_id: str, jobs: int) -> None:
        super().__init__(run_id=run_id, jobs=jobs)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._threads = Threads(f"ramify {run_id}", jobs, self._loop)

    async def submit(self, order: Order, home: Home) -> Job | Callable[[], Any]:  # noqa: ARG002 - it has the call
        """Have a plain function called; an async one is begun by whoever waits for its result."""
        return self.begin(home.call)

    def begin(self, call: Callable[[], Any]) -> Job | Callable[[], Any]:
        """Do as `submit` does."""
        return call if inspect.iscoroutinefunction(call) else self._threads.begin(call)

    async def result(self, job: Job | Callable[[], Any]) -> Any:
        """Return what the function gave, or what the awaitable gives that it returned; its errors are ordinary ones."""
        if isinstance(job, Job):
            value = await self._threads.result(job)
            if not inspect.isawaitable(value):
                return value
        else:
            value = job()
        with border:
            return await value

    async def cancel(self, job: Job | Callable[[], Any]) -> "asyncio.Future[None] | None":
        """Give a plain function up; it may run on. An async one was cancelled as it was waited for."""
        return self._threads.give_up(job) if isinstance(job, Job) else None

    async def aclose(self) -> None:
        """Let the threads end, each after the call that it makes."""
        self._threads.close()

    def on_loop(self, function: Callable[[], T]) -> T:
        """Call `function` on the run's event loop from any thread, and return its result."""
        if threading.get_ident() == self._thread:
            return function()
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def call() -> None:
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that asked
                done.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return done.result()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what comes of `coroutine` on the run's loop; for other threads."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
