"""A clock that goes on only when nothing else does: what a busy machine is slow at takes no time on it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

from ramify.planner.run import Run

_LOOKS = 2
_REST_S = 0.002


class VirtualClock:
    """Stands still while a run has anything to do, and then jumps to the next thing that is due.

    Attributes:
        fired: how often it has jumped.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._due: list[tuple[float, int, _Due]] = []
        self._order = itertools.count()
        self._stirred = 0

    def now(self) -> float:
        """Return the time."""
        return self._now_s

    def call_at(self, when_s: float, callback: Callable[[], None]) -> "_Due":
        """Have `callback` called when the clock gets to `when_s`."""
        self._stirred += 1
        due = _Due(callback)
        heapq.heappush(self._due, (when_s, next(self._order), due))
        return due

    async def time(self, run: Run) -> float:
        """Carry `run` on to its end on this clock, and return how long it took."""
        run.on(lambda _: self._stir())
        driving = asyncio.ensure_future(run.drive())
        while not driving.done():
            if await self._is_quiet(run) and not driving.done():
                self._jump()
        await driving
        return self._now_s

    def _stir(self) -> None:
        self._stirred += 1

    async def _is_quiet(self, run: Run) -> bool:
        """Return whether nothing happens any more: all is on disk, and nothing has come of that."""
        for _ in range(_LOOKS):
            before = self._stirred
            await asyncio.to_thread(lambda: run.losses)  # waits for the disk
            await asyncio.sleep(_REST_S)
            if self._stirred != before:
                return False
        return True

    def _jump(self) -> None:
        while self._due:
            when_s, _, due = heapq.heappop(self._due)
            if due.callback is not None:
                self._now_s = max(self._now_s, when_s)
                due.callback()
                return


class _Due:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None
