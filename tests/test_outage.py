"""A model out of reach holds all callers up, costs one call at a time, and is given up in the end."""

import asyncio
from collections.abc import Sequence

import pytest
from ramify.planner.asking.outage import OutageGate
from ramify.planner.errors import LimitError, ModelError

from .patience import HANG_S


def failure(kind: str, retry_after_s: float | None = None) -> ModelError:
    return ModelError(f"it is {kind}", kind=kind, model="m", retry_after_s=retry_after_s)


class Server:
    """Fails in the given ways, one call after the other, and then answers."""

    def __init__(self, faults: Sequence[str | ModelError]) -> None:
        self.faults = list(faults)
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight_while_down = 0

    async def call(self) -> str:
        self.calls += 1
        self.in_flight += 1
        await asyncio.sleep(0)
        if self.faults:
            self.most_in_flight_while_down = max(self.most_in_flight_while_down, self.in_flight)
        self.in_flight -= 1
        if self.faults:
            fault = self.faults.pop(0)
            raise failure(fault) if isinstance(fault, str) else fault
        return "reply"


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def gate(waits: list[tuple[str, float]], *, max_wait_s: float = 60) -> OutageGate:
    return OutageGate(max_wait_s=lambda: max_wait_s, base_s=0.001, on_waiting=lambda why, s: waits.append((why, s)))


def test_everybody_is_answered_and_nobody_but_one_tries_meanwhile() -> None:
    async def main() -> tuple[list[str], Server, int]:
        waits: list[tuple[str, float]] = []
        server, held = Server(["unreachable"] * 3 + ["overloaded"] * 4), gate(waits)
        first = asyncio.create_task(held.pass_through(server.call))
        while len(waits) < 2:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(held.pass_through(server.call)) for _ in range(20)]
        return [await each for each in (first, *rest)], server, len(waits)

    replies, server, waits = asyncio.run(main())
    assert replies == ["reply"] * 21
    assert (server.calls, server.most_in_flight_while_down, waits) == (28, 1, 2)


@pytest.mark.fault("3.12")
@pytest.mark.parametrize("kind", ["unreachable", "overloaded", "loading"])
def test_the_server_is_looked_at_every_second_or_two_however_long_it_is_away(kind: str) -> None:
    said: list[str] = []
    waits: list[float] = []

    async def slept(seconds: float) -> None:
        waits.append(seconds)

    async def main() -> None:
        held = OutageGate(max_wait_s=lambda: 1e9, base_s=1.0, on_waiting=lambda why, _: said.append(why), sleep=slept)
        assert await held.pass_through(Server([kind] * 50).call) == "reply"

    asyncio.run(main())
    assert (len(waits), said) == (50, [f"it is {kind}"])
    assert max(waits) <= 1.5
    assert min(waits[1:]) >= 0.5


@pytest.mark.fault("3.12")
def test_what_the_server_asks_for_is_waited_however_long() -> None:
    waits: list[float] = []

    async def main() -> str:
        held = OutageGate(max_wait_s=lambda: 1e9, base_s=1.0, on_waiting=lambda _, s: waits.append(s), sleep=no_sleep)
        return await held.pass_through(Server([failure("overloaded", retry_after_s=30)]).call)

    assert asyncio.run(main()) == "reply"
    assert 30 <= waits[0] <= 33


def test_other_failures_go_to_the_caller() -> None:
    with pytest.raises(ModelError, match="it is timeout"):
        asyncio.run(gate([]).pass_through(Server(["timeout"]).call))


def test_a_refusal_leaves_the_gate_open() -> None:
    async def main() -> tuple[list[str], int]:
        waits: list[tuple[str, float]] = []
        server, held = Server(["rate_limited"] * 10), gate(waits)
        return list(await asyncio.gather(*(held.pass_through(server.call) for _ in range(5)))), len(waits)

    replies, waits = asyncio.run(main())
    assert replies == ["reply"] * 5
    assert waits == 1


@pytest.mark.parametrize("kind", ["unreachable", "rate_limited"])
def test_patience_ends(kind: str) -> None:
    with pytest.raises(LimitError, match=f"it is {kind}; .*max_wait_seconds is 0.05"):
        asyncio.run(gate([], max_wait_s=0.05).pass_through(Server([kind] * 10_000_000).call))


def test_when_whoever_tries_is_cancelled_another_one_does() -> None:
    async def main() -> str:
        waits: list[tuple[str, float]] = []
        server = Server(["unreachable"])
        held = OutageGate(max_wait_s=lambda: 1e9, base_s=1e6, on_waiting=lambda why, s: waits.append((why, s)))
        first = asyncio.create_task(held.pass_through(server.call))
        while not waits:
            await asyncio.sleep(0)
        second = asyncio.create_task(held.pass_through(server.call))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(asyncio.wait_for(main(), HANG_S)) == "reply"
