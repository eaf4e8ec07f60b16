"""A model that cannot be reached holds the whole run up, not each task on its own.

When a call fails for a reason that lies with the server or the line, the gate closes: that caller alone tries again,
at least every two seconds unless the server asks for more time, and everybody else waits. It opens with the first
reply. So a dead server costs one call every second or two, no task loses an attempt to it, and the run goes on as soon
as it is back. A server that only wants fewer calls leaves the gate open: the rate limiter has slowed down by then, and
the call is made again when its turn comes.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ramify.planner.errors import LimitError, ModelError
from ramify.planner.models.retry import FailureKind, delay_s, waits_for_all

T = TypeVar("T")

LONGEST_PAUSE_S = 1.5
"""The longest pause before a server is looked at again, unless it asks for a longer one, in seconds."""

SAID_AGAIN_S = 60.0
"""How often it is said that the run still waits for the same reason."""

SECONDS_BETWEEN_WORDS = 1.0
"""How often, at most, users are told that the server wants fewer calls."""


class OutageGate:
    """The gate in front of one model.

    Args:
        max_wait_s: says how long to wait without a break before giving up, in seconds.
        base_s: the first pause, in seconds; it doubles up to `LONGEST_PAUSE_S`.
        on_waiting: told why, and for how many seconds, when it begins to wait, when the reason becomes another one, and
            once a minute.
        on_waited: told how long it will have waited after each pause, in seconds.
        sleep: what makes a pause.
    """

    def __init__(
        self,
        *,
        max_wait_s: Callable[[], float],
        base_s: float,
        on_waiting: Callable[[str, float], None],
        on_waited: Callable[[float], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._max_wait_s = max_wait_s
        self._base_s = base_s
        self._on_waiting = on_waiting
        self._on_waited = on_waited
        self._sleep = sleep
        self._open = asyncio.Event()
        self._open.set()
        self._closed_at = 0.0
        self._failures = 0
        self._told_until = 0.0
        self._told = "", 0.0

    @property
    def is_closed(self) -> bool:
        """Whether the model is out of reach, and one call looks whether it is back."""
        return not self._open.is_set()

    async def pass_through(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` returns, trying again as long as the model is out of reach.

        Raises:
            ModelError: if a call fails for a reason that waiting does not mend.
            LimitError: if the model has been out of reach for too long.
        """
        is_trying_for_all = False
        refused_at: float | None = None
        try:
            while True:
                if not is_trying_for_all:
                    await self._open.wait()
                try:
                    result = await attempt()
                except ModelError as error:
                    if not waits_for_all(error.kind):
                        raise
                    if error.kind == FailureKind.RATE_LIMITED:
                        refused_at = refused_at or time.monotonic()
                        self._refused(error, refused_at)
                        continue
                    if not is_trying_for_all and not self._open.is_set():
                        continue
                    is_trying_for_all = True
                    self._open.clear()
                    await self._pause(error)
                else:
                    if is_trying_for_all or self._open.is_set():
                        self._failures = 0
                    return result
        finally:
            if is_trying_for_all:
                self._open.set()

    def _refused(self, error: ModelError, since: float) -> None:
        now = time.monotonic()
        wait_s = error.retry_after_s or 0.0
        self._check_patience(error, lasted_s=now - since, wait_s=wait_s)
        if now >= self._told_until:
            self._told_until = now + max(wait_s, SECONDS_BETWEEN_WORDS)
            self._on_waiting(str(error), wait_s)

    async def _pause(self, error: ModelError) -> None:
        now = time.monotonic()
        if self._failures == 0:
            self._closed_at = now
        chance = random.random()  # noqa: S311 - jitter
        wait_s = delay_s(
            self._failures,
            base_s=self._base_s,
            retry_after_s=error.retry_after_s,
            cap_s=LONGEST_PAUSE_S,
            random=chance,
        )
        self._failures += 1
        self._check_patience(error, lasted_s=now - self._closed_at, wait_s=wait_s)
        self._tell(str(error), wait_s, now)
        await self._sleep(wait_s)

    def _tell(self, why: str, wait_s: float, now: float) -> None:
        said, at = self._told
        if self._failures == 1 or said != why or now >= at + SAID_AGAIN_S:
            self._told = why, now
            self._on_waiting(why, wait_s)

    def _check_patience(self, error: ModelError, *, lasted_s: float, wait_s: float) -> None:
        max_wait_s = self._max_wait_s()
        if lasted_s + wait_s > max_wait_s:
            raise LimitError(
                f"{error}; this has lasted {lasted_s:.0f} s, the next try is due in {wait_s:.0f} s, and"
                f" max_wait_seconds is {max_wait_s:g}",
                limit="max_wait_seconds",
            )
        self._on_waited(lasted_s + wait_s)
