"""Where time comes from, so that tests can turn it: the loop's clock, or `FakeClock` of `ramify.planner.testing`."""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that was put off."""

    def cancel(self) -> None:
        """Make it not happen."""
        ...


class Clock(Protocol):
    """Tells the time and calls back later; all times in seconds, from a start that means nothing."""

    def now(self) -> float:
        """Return the time."""
        ...

    def call_at(self, when_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` at the time `when_s`, or soon if that is past."""
        ...


class LoopClock:
    """The clock of the event loop that runs."""

    def now(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def call_at(self, when_s: float, callback: Callable[[], None]) -> Timer:
        """Let the loop call `callback`."""
        return asyncio.get_running_loop().call_at(when_s, callback)


async def sleep(clock: Clock, seconds: float) -> None:
    """Sleep by `clock`."""
    over = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not over.done():
            over.set_result(None)

    timer = clock.call_at(clock.now() + seconds, wake)
    try:
        await over
    finally:
        timer.cancel()
