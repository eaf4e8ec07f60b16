import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.asking.budget import Budget, RunLimits
from ramify.planner.asking.rates import RateLimiter
from ramify.planner.errors import LimitError, ModelError, UsageError
from ramify.planner.runtime.clock import Timer, sleep
from ramify.planner.testing import FakeClock, settle
from ramify.tasks import Task, Usage


class Calls:
    """Calls through a limiter, on a clock that is turned by hand; `starts` are (time, name) pairs."""

    def __init__(self, limiter: RateLimiter, clock: FakeClock) -> None:
        self.limiter, self.clock = limiter, clock
        self.starts: list[tuple[float, int]] = []
        self.most = 0
        self.tasks: list[asyncio.Task[None]] = []

    def add(self, count: int, *, taking_s: float = 0.0, error: Exception | None = None) -> None:
        for _ in range(count):
            self.tasks.append(asyncio.create_task(self._call(len(self.tasks), taking_s, error)))

    async def _call(self, name: int, taking_s: float, error: Exception | None) -> None:
        try:
            async with self.limiter:
                self.starts.append((round(self.clock.now(), 6), name))
                self.most = max(self.most, self.limiter.in_flight)
                if taking_s:
                    await sleep(self.clock, taking_s)
                if error is not None:
                    raise error
        except ModelError:
            pass

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.starts]


class LateClock(FakeClock):
    def call_at(self, when_s: float, callback: Callable[[], None]) -> Timer:
        return super().call_at(when_s + 0.03, callback)


def calls(**limits: Any) -> Calls:
    clock = FakeClock(start_s=100.0)
    return Calls(RateLimiter(**limits, clock=clock), clock)


def refusal(retry_after_s: float | None = None) -> ModelError:
    return ModelError("slow down", kind="rate_limited", model="m", retry_after_s=retry_after_s)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_without_limits_all_calls_start_at_once() -> None:
    async def scene() -> None:
        made = calls()
        made.add(50, taking_s=1)
        await made.clock.advance(0)
        assert made.limiter.in_flight == 50
        await made.clock.advance(1)
        assert made.limiter.in_flight == 0

    run(scene())


def test_calls_start_at_the_rate_and_in_the_order_of_asking() -> None:
    async def scene() -> None:
        made = calls(requests_per_second=2)
        made.add(5)
        await made.clock.advance(10)
        assert made.starts == [(100.0, 0), (100.5, 1), (101.0, 2), (101.5, 3), (102.0, 4)]

    run(scene())


def test_a_rest_earns_no_burst() -> None:
    async def scene() -> None:
        made = calls(requests_per_second=1)
        await made.clock.advance(60)
        made.add(3)
        await made.clock.advance(5)
        assert made.times == [160.0, 161.0, 162.0]

    run(scene())


@given(rate=st.floats(0.5, 500), gaps=st.lists(st.floats(0, 0.4), max_size=40))
def test_no_window_of_time_holds_more_starts_than_promised(rate: float, gaps: list[float]) -> None:
    async def scene() -> None:
        made = calls(requests_per_second=rate)
        for gap in gaps:
            made.add(1)
            await made.clock.advance(gap)
        await made.clock.advance(len(gaps) / rate + 1)
        assert len(made.starts) == len(gaps)
        for i, first in enumerate(made.times):
            for j in range(i, len(made.times)):
                window_s = made.times[j] - first
                assert j - i + 1 <= rate * (window_s + 0.05) + 1 + 1e-3

    run(scene())


def test_late_timers_do_not_lower_the_rate() -> None:
    async def scene() -> None:
        clock = LateClock(start_s=100.0)
        made = Calls(RateLimiter(requests_per_second=100, clock=clock), clock)
        made.add(101)
        await clock.advance(1.05)
        assert len(made.starts) == 101

    run(scene())


def test_no_more_calls_are_in_flight_than_allowed_and_the_next_starts_when_one_ends() -> None:
    async def scene() -> None:
        made = calls(concurrent_requests=3)
        made.add(7, taking_s=1)
        await made.clock.advance(10)
        assert made.most == 3
        assert made.times == [100.0] * 3 + [101.0] * 3 + [102.0]

    run(scene())


def test_a_pause_holds_every_start_back_until_its_end() -> None:
    async def scene() -> None:
        made = calls()
        made.limiter.pause_until(130.0)
        made.limiter.pause_until(110.0)
        made.add(2)
        await made.clock.advance(29)
        assert (made.starts, made.limiter.pause_s) == ([], 1.0)
        await made.clock.advance(1)
        assert made.times == [130.0, 130.0]

    run(scene())


def test_a_refusal_pauses_as_long_as_the_server_asked_and_halves_rate_and_places() -> None:
    async def scene() -> None:
        made = calls(requests_per_second=8, concurrent_requests=4)
        made.add(1, error=refusal(retry_after_s=7))
        await made.clock.advance(1)
        made.add(2)
        assert made.limiter.rate == 4
        await made.clock.advance(20)
        assert made.times == [100.0, 107.0, 107.25]

    run(scene())


def test_a_refusal_without_a_wish_pauses_for_a_second() -> None:
    async def scene() -> None:
        made = calls()
        made.add(1, error=refusal())
        await made.clock.advance(0)
        assert made.limiter.pause_s == 1.0

    run(scene())


def test_refusals_of_calls_that_flew_together_count_once() -> None:
    async def scene() -> None:
        made = calls(concurrent_requests=16)
        made.add(16, taking_s=1, error=refusal(retry_after_s=2))
        await made.clock.advance(1)
        assert made.limiter.places == 8
        await made.clock.advance(2)
        made.add(8, taking_s=1, error=refusal(retry_after_s=2))
        await made.clock.advance(1)
        assert made.limiter.places == 4

    run(scene())


def test_a_refusal_limits_calls_in_flight_even_where_no_limit_was_set() -> None:
    async def scene() -> None:
        made = calls()
        made.add(10, taking_s=1, error=refusal(retry_after_s=0))
        await made.clock.advance(1)
        assert made.limiter.places == 5

    run(scene())


def test_replies_bring_rate_and_places_back_step_by_step_and_no_further() -> None:
    async def scene() -> None:
        made = calls(requests_per_second=20, concurrent_requests=4)
        made.limiter.slow_down(retry_after_s=0)
        assert (made.limiter.rate, made.limiter.places) == (10, 1)
        made.add(1)
        await made.clock.advance(1)
        assert (made.limiter.rate, made.limiter.places) == (11, 2)
        made.add(100)
        await made.clock.advance(60)
        assert (made.limiter.rate, made.limiter.places) == (20, 4)

    run(scene())


def test_refusals_without_end_leave_a_trickle() -> None:
    async def scene() -> None:
        made = calls(requests_per_second=64, concurrent_requests=8)
        for _ in range(50):
            made.limiter.slow_down(retry_after_s=0)
        assert (made.limiter.rate, made.limiter.places) == (1, 1)

    run(scene())


def test_other_errors_neither_slow_down_nor_speed_up() -> None:
    async def scene() -> None:
        made = calls(requests_per_second=20)
        made.limiter.slow_down(retry_after_s=0)
        made.add(3, error=ModelError("late", kind="timeout", model="m"))
        await made.clock.advance(1)
        assert made.limiter.rate == 10

    run(scene())


def test_cancelled_waits_leave_no_trace() -> None:
    async def scene() -> None:
        made = calls(concurrent_requests=1)
        made.add(4, taking_s=1)
        await settle()
        made.tasks[1].cancel()
        made.tasks[2].cancel()
        await made.clock.advance(5)
        assert made.starts == [(100.0, 0), (101.0, 3)]
        assert made.limiter.in_flight == 0

    run(scene())


def test_a_call_cancelled_in_the_moment_of_its_turn_gives_the_place_on() -> None:
    async def scene() -> None:
        made = calls(concurrent_requests=1)
        async with made.limiter:
            made.add(2)
            await settle()
        made.tasks[0].cancel()  # its turn has come, but it has not run yet
        await settle()
        assert made.starts == [(100.0, 1)]
        assert made.limiter.in_flight == 0

    run(scene())


def test_a_cancelled_call_gives_its_place_back() -> None:
    async def scene() -> None:
        made = calls(concurrent_requests=1)
        made.add(2, taking_s=100)
        await settle()
        made.tasks[0].cancel()
        await settle()
        assert [name for _, name in made.starts] == [0, 1]
        made.tasks[1].cancel()
        await settle()

    run(scene())


@given(st.lists(st.tuples(st.sampled_from(["call", "cancel", "refuse", "wait"]), st.integers(0, 30)), max_size=40))
def test_no_slot_leaks_whatever_happens(script: list[tuple[str, int]]) -> None:
    async def scene() -> None:
        made = calls(requests_per_second=50, concurrent_requests=3)
        for deed, number in script:
            if deed == "call":
                made.add(1, taking_s=number / 10)
            elif deed == "refuse":
                made.add(1, taking_s=number / 10, error=refusal(retry_after_s=number / 10))
            elif deed == "cancel" and made.tasks:
                made.tasks[number % len(made.tasks)].cancel()
            else:
                await made.clock.advance(number / 10)
            assert made.limiter.in_flight <= 3
        await made.clock.advance(1000)
        assert all(task.done() for task in made.tasks)
        assert made.limiter.in_flight == 0

    run(scene())


def test_the_clock_of_the_loop_serves_where_no_other_is_given() -> None:
    async def scene() -> None:
        limiter, loop = RateLimiter(requests_per_second=100), asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            async with limiter:
                pass
        assert loop.time() - began >= 0.019

    run(scene())


@pytest.mark.parametrize(
    "limits", [{"requests_per_second": 0}, {"requests_per_second": -1}, {"concurrent_requests": 0}]
)
def test_limits_that_would_let_nothing_through_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="must be"):
        calls(**limits)


def test_what_is_under_way_is_told_beside_what_was_spent() -> None:
    root = Task(content="x", id="0")
    budget = Budget(root, RunLimits(max_calls=3))
    for _ in range(3):
        budget.reserve(root)
    budget.settle(root, Usage(calls=1))
    budget.settle(root, Usage(calls=1))
    with pytest.raises(
        LimitError, match=r"spent so far: 2 calls, 0 tokens, \$0\.0000, and 1 call in flight$"
    ) as caught:
        budget.reserve(root)
    budget.settle(root, Usage(calls=1))
    assert str(caught.value).endswith("spent so far: 3 calls, 0 tokens, $0.0000")
