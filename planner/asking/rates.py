"""How fast calls may start and how many may be in flight, over all tasks that share a limiter; adapts to refusals.

Source of the spacing: the generic cell rate algorithm (ITU-T I.371), with a tolerance that makes up for late timers.
Source of the adapting: additive increase, multiplicative decrease, as in TCP (Chiu and Jain, 1989).
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Self

from ramify.planner.errors import ModelError, UsageError
from ramify.planner.models.retry import FailureKind
from ramify.planner.runtime.clock import Clock, LoopClock, Timer

_TOLERANCE_S = 0.05
_FIRST_PAUSE_S = 1.0
_STEPS_BACK = 20
_SLOWEST_SHARE = 1 / 64


class RateLimiter:
    """Lets calls start at most so often, and so many at once; first come, first served.

        async with limiter:
            reply = await model.complete(request)

    In any T seconds at most `requests_per_second * (T + 0.05) + 1` calls start. A call that ends in a rate limit (a
    `ModelError` of the kind `rate_limited`) slows the limiter down: nothing starts for as long as the server asked (1 s
    if it did not say), then half as many a second and half as many at once as before; calls that were in flight at
    that time and are refused too change nothing more. Every reply gives a twentieth of the configured rate back, and
    the places in flight grow by one for each round of them that was answered.

    Nothing polls: at most one timer is set, and only while somebody waits for time to pass. One event loop a limiter.

    Args:
        requests_per_second: calls started in a second; None sets no rate.
        concurrent_requests: calls in flight; None sets no limit, until a refusal sets one for a while.
        clock: where time comes from.

    Raises:
        UsageError: if a limit would let nothing through.
    """

    def __init__(
        self,
        *,
        requests_per_second: float | None = None,
        concurrent_requests: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        for name, limit in (("requests_per_second", requests_per_second), ("concurrent_requests", concurrent_requests)):
            if limit is not None and limit <= 0:
                raise UsageError(f"{name} is {limit}; it must be more than 0. Leave it out for no limit")
        self._clock = clock or LoopClock()
        self._full_rate = requests_per_second
        self._full_places = concurrent_requests
        self._rate = requests_per_second
        self._places: float | None = concurrent_requests
        self._waiting: deque[_Turn] = deque()
        self._in_flight: dict[asyncio.Task[object], int] = {}
        self._next_start = float("-inf")
        self._paused_until = float("-inf")
        self._refusals = 0
        self._timer: Timer | None = None

    @property
    def in_flight(self) -> int:
        """How many calls are in flight."""
        return len(self._in_flight)

    @property
    def rate(self) -> float | None:
        """How many calls a second may start now; None if there is no rate."""
        return self._rate

    @property
    def places(self) -> int | None:
        """How many calls may be in flight now; None if there is no limit."""
        return None if self._places is None else max(1, int(self._places))

    @property
    def pause_s(self) -> float:
        """For how many seconds from now nothing starts."""
        return max(0.0, self._paused_until - self._clock.now())

    def pause_until(self, when_s: float) -> None:
        """Start nothing before `when_s`, a time of the limiter's clock; a later end that is set already stays."""
        self._paused_until = max(self._paused_until, when_s)
        self._start_next()

    def slow_down(self, *, retry_after_s: float | None = None) -> None:
        """Adapt to a refusal: pause, then go on at half the rate and with half the calls in flight.

        Args:
            retry_after_s: how long the server asked to wait, in seconds.
        """
        self._refusals += 1
        busy = max(1, self.in_flight if self._places is None else min(self.in_flight, self._places))
        self._places = max(1.0, busy / 2)
        if self._rate is not None and self._full_rate is not None:
            self._rate = max(self._rate / 2, self._full_rate * _SLOWEST_SHARE)
        self.pause_until(self._clock.now() + (_FIRST_PAUSE_S if retry_after_s is None else retry_after_s))

    async def __aenter__(self) -> Self:
        """Wait for a place and for time; a cancelled wait takes neither."""
        turn = _Turn(asyncio.get_running_loop().create_future(), _this_task())
        self._waiting.append(turn)
        self._start_next()
        try:
            await turn.given
        except asyncio.CancelledError:
            self._in_flight.pop(turn.task, None)
            self._start_next()
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Give the place back, and learn from how the call went."""
        task = _this_task()
        if (
            self._in_flight[task] == self._refusals
        ):  # otherwise it started before the last refusal, and tells nothing new
            if isinstance(error, ModelError) and error.kind == FailureKind.RATE_LIMITED:
                self.slow_down(retry_after_s=error.retry_after_s)
            elif error is None:
                self._speed_up()
        del self._in_flight[task]
        self._start_next()

    def _speed_up(self) -> None:
        if self._rate is not None and self._full_rate is not None:
            self._rate = min(self._full_rate, self._rate + self._full_rate / _STEPS_BACK)
        if self._places is not None and self._places != self._full_places:
            self._places = min(self._places + 1 / self._places, self._full_places or float("inf"))

    def _start_next(self) -> None:
        while self._waiting:
            if self._waiting[0].given.cancelled():
                self._waiting.popleft()
                continue
            if self._places is not None and self.in_flight >= max(1, int(self._places)):
                return
            now, due = self._clock.now(), max(self._next_start, self._paused_until)
            if due > now:
                self._wake_at(due)
                return
            turn = self._waiting.popleft()
            self._in_flight[turn.task] = self._refusals
            if self._rate is not None:
                is_late_timer = now - self._next_start <= _TOLERANCE_S
                self._next_start = (self._next_start if is_late_timer else now) + 1 / self._rate
            turn.given.set_result(None)

    def _wake_at(self, when_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(when_s, self._start_next)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Somebody who waits, and what tells them to go on."""

    given: asyncio.Future[None]
    task: asyncio.Task[object]


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    if task is None:
        raise UsageError("a rate limiter can only be waited for by a task of a running event loop")
    return task
