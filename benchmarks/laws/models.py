"""Models whose errors and times are known; what is drawn depends on the question alone, not on order and speed."""

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from clock import VirtualClock
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.runtime.clock import sleep
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

RIGHT = "right"


def draw(*what: object) -> float:
    """Return a number from 0 to 1 that is always the same for the same things."""
    return random.Random(" ".join(map(str, what))).random()  # noqa: S311 - a simulation, not a secret


def erring(seed: object, rate: float, *, stuck: float = 0.0) -> Callable[[ModelRequest], str]:
    """Return a script: answers are wrong at `rate`, all alike; those to exactly a share of `stuck` tasks always are."""

    def answer(request: ModelRequest) -> str:
        if request.purpose != "execute":
            return "<result>all</result>"
        number = int(request.task_id.split(".")[-1])
        is_stuck = int(number * stuck) > int((number - 1) * stuck)
        is_wrong = is_stuck or draw(seed, request.task_id, request.attempt, request.sample) < rate
        return f"<result>{'wrong' if is_wrong else RIGHT}</result>"

    return answer


class Cook(ScriptedModel):
    """Can do what is one layer deep, and says of anything else that it is too big; halves what it is to split.

    Args:
        root: the tree that it works at; a task's content says how deep it is.
    """

    def __init__(self, root: Task) -> None:
        super().__init__(self._said)
        self._root = root

    def _said(self, request: ModelRequest) -> str:
        if request.purpose == "compose":
            return "<result>done</result>"
        depth = int(re.findall(r"\d+", self._root.find(request.task_id).content)[0])
        if request.purpose == "decompose":
            halves = (f"<task>{dish(depth - 1, side)}</task>" for side in ("left", "right"))
            return "".join(halves) if depth > 1 else "<atomic/>"
        return "<result>done</result>" if depth == 1 else '<failed reason="too_big">this takes several dishes</failed>'


def dish(depth: int, side: str = "whole") -> str:
    """Return the words of a task that is so many layers deep."""
    return f"Cook the {side} dish of {depth} layers, and put each of its parts on the table"


class Timed(ScriptedModel):
    """Writes a plan item by item, and does each in its time, by a clock of its own.

    Args:
        clock: the clock.
        arrivals: how long it writes on each item of the plan, in seconds.
        works: how long each then takes.
    """

    def __init__(self, clock: VirtualClock, arrivals: Sequence[float], works: Sequence[float]) -> None:
        super().__init__(self._answer)
        self._virtual = clock
        self._arrivals, self._works = arrivals, works

    def _answer(self, request: ModelRequest) -> str | Awaitable[str]:
        return self._planned() if request.purpose == "decompose" else self._done(request)

    async def _planned(self) -> str:
        await sleep(self._virtual, sum(self._arrivals))
        return "".join(self._items())

    async def _done(self, request: ModelRequest) -> str:
        if request.purpose == "execute":
            await sleep(self._virtual, self._works[int(request.task_id.split(".")[-1]) - 1])
        return "<result>done</result>"

    def _items(self) -> list[str]:
        return [f'<task id="t{n}">Describe the city number {n}</task>\n' for n in range(1, len(self._works) + 1)]

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Write a plan item by item; anything else comes at once when its time is over."""
        return self._written(request) if request.purpose == "decompose" else super().stream(request)

    async def _written(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        self.requests.append(request)
        for seconds, item in zip(self._arrivals, self._items(), strict=True):
            await sleep(self._virtual, seconds)
            yield item
        yield ModelReply(text="".join(self._items()), model=self.name, cost_usd=0.0)
