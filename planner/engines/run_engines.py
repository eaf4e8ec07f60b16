"""The engines of one run: each is made when it is first asked for, has orders done, and is closed with the run."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ramify.planner.runtime.border import border

from .here import Here
from .protocol import Engine, Home, Order
from .table import EngineGiven, engine_class, place_of

if TYPE_CHECKING:
    from ramify.planner.work.context import WorkContext


class RunEngines:
    """See the module; used on the run's loop.

    Args:
        run_id: the run.
        jobs: how many tasks it does at a time.

    Attributes:
        here: the engine that stays in this process.
    """

    def __init__(self, run_id: str, jobs: int) -> None:
        self._run_id = run_id
        self._jobs = jobs
        self.here = Here(run_id=run_id, jobs=jobs)
        self._made: dict[EngineGiven, Engine] = {Here: self.here, "here": self.here}
        self._left: defaultdict[Hashable, set[asyncio.Future[Any]]] = defaultdict(set)

    def of(self, given: EngineGiven) -> Engine:
        """Return the engine of that name.

        Raises:
            UsageError: if there is none.
        """
        found = self._made.get(given)
        if found is None:
            found = self._made[given] = engine_class(given)(run_id=self._run_id, jobs=self._jobs)
            found.place = place_of(given)
        return found

    async def do(self, owner: Hashable, engine: Engine, order: Order, home: Home) -> Any:
        """Return what comes of an order, or raise what its function raises; `owner` is the task that it is for."""
        return await self._result(owner, engine, await engine.submit(order, home))

    async def call(self, owner: Hashable, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        """Return what a function gives that is called in this process, as `here` does it, for the task `owner`."""
        if inspect.iscoroutinefunction(function):
            with border:
                return await function(*arguments, **named)
        return await self._result(owner, self.here, self.here.begin(partial(function, *arguments, **named)))

    async def ended(self, owner: Hashable, within_s: float) -> bool:
        """Wait for functions of `owner` that were given up; return whether they have ended within so many seconds."""
        left = self._left.get(owner)
        if not left:
            return True
        _, going_on = await asyncio.wait(list(left), timeout=within_s)
        return not going_on

    @property
    def used(self) -> tuple[Engine, ...]:
        """The engines that were made, and have to be closed."""
        return tuple(dict.fromkeys(self._made.values()))

    async def _result(self, owner: Hashable, engine: Engine, job: Any) -> Any:
        try:
            return await engine.result(job)
        except asyncio.CancelledError:
            ending = asyncio.ensure_future(engine.cancel(job))
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                await ending
            rest = ending.result()
            if rest is not None:
                self._left[owner].add(rest)
                rest.add_done_callback(partial(self._over, owner))
            raise

    def _over(self, owner: Hashable, rest: "asyncio.Future[Any]") -> None:
        self._left[owner].discard(rest)
        if not self._left[owner]:
            del self._left[owner]


def engines_of(context: "WorkContext") -> RunEngines:
    """Return the engines of the run that a context belongs to."""
    return cast("RunEngines", context.services.engines)
