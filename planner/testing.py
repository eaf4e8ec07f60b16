"""Models and clocks for tests, yours and ours: what they answer, how they fail and what time it is are yours to say.

    model = ScriptedModel({"decompose": "<atomic/>", "execute": "<result>42</result>"})
    run = solve("...", model=FaultyModel(model, ["rate_limited", None, "timeout"]))
    assert [request.purpose for request in model.requests] == ["decompose", "execute"]

None of these is ever a default: results say that they were scripted.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

from .errors import ModelError, NoModelError
from .models.protocol import Model, ModelReply, ModelRequest
from .models.retry import RULES, FailureKind
from .runtime.clock import Clock, LoopClock, Timer, sleep

Scripted = str | ModelReply | Exception
"""What can be scripted: the words of a reply, a whole reply, or an error to raise."""

Script = str | Mapping[str, Scripted] | Sequence[Scripted] | Callable[[ModelRequest], Scripted | Awaitable[Scripted]]

Fault = FailureKind | str | Exception | None

_PIECE = 8


class ScriptedModel:
    """A model whose replies are written in advance.

    Args:
        replies: by mapping: the reply for `"<purpose> <task id>"`, else for the task id, else for the purpose, else for
            `"*"`; by text: that text, whatever is asked; by sequence: one after the other; by function: whatever it
            returns for the request, or awaits.
        latency_s: how long each reply takes, in seconds of the clock.
        cost_usd: what each reply costs; None is a cost that nobody knows.
        clock: where time comes from.
        calls_tools: whether it calls tools by itself; the replies hold the calls then.

    Tokens are counted as words between white space.

    Attributes:
        requests: the requests that came, in order.
        most_in_flight: the most that were there at once.
    """

    is_language_model = False

    def __init__(
        self,
        replies: Script,
        *,
        name: str = "scripted",
        latency_s: float = 0.0,
        cost_usd: float | None = 0.0,
        clock: Clock | None = None,
        calls_tools: bool = False,
    ) -> None:
        self.calls_tools = calls_tools
        self.name = name
        self.maker = f"{name} (no language model)"
        self.requests: list[ModelRequest] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._latency_s = latency_s
        self._cost_usd = cost_usd
        self._clock = clock or LoopClock()
        self._script = {"*": replies} if isinstance(replies, str) else replies
        self._rest: Iterator[Scripted] = iter(())
        if not isinstance(self._script, Mapping) and not callable(self._script):
            self._rest = iter(self._script)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer `request` from the script.

        Raises:
            NoModelError: if the script says nothing for it.
        """
        self.requests.append(request)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            if self._latency_s > 0:
                await sleep(self._clock, self._latency_s)
            scripted = await self._scripted(request)
        finally:
            self._in_flight -= 1
        if isinstance(scripted, Exception):
            raise scripted
        return self._reply(request, scripted) if isinstance(scripted, str) else scripted

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Answer `request` in pieces of eight characters, then whole."""
        return self._stream(request)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        reply = await self.complete(request)
        for start in range(0, len(reply.text), _PIECE):
            yield reply.text[start : start + _PIECE]
            await asyncio.sleep(0)
        yield reply

    async def _scripted(self, request: ModelRequest) -> Scripted:
        scripted: Scripted | Awaitable[Scripted] | None
        if isinstance(self._script, Mapping):
            keys = (f"{request.purpose} {request.task_id}", request.task_id, request.purpose, "*")
            scripted = next((self._script[key] for key in keys if key in self._script), None)
        elif callable(self._script):
            scripted = self._script(request)
        else:
            scripted = next(self._rest, None)
        if scripted is None:
            raise NoModelError(
                f"the script of {self.name} has no reply for {request.purpose} of task {request.task_id},"
                f" its request number {len(self.requests)}; add one"
            )
        return await scripted if isinstance(scripted, Awaitable) else scripted

    def _reply(self, request: ModelRequest, text: str) -> ModelReply:
        return ModelReply(
            text=text,
            model=self.name,
            input_tokens=sum(len(message["content"].split()) for message in request.messages),
            output_tokens=len(text.split()),
            cost_usd=self._cost_usd,
            latency_s=self._latency_s,
        )


class FaultyModel:
    """A model that fails by schedule, and otherwise answers as the model inside it does.

    Args:
        model: the model that answers.
        faults: what happens to the calls, in order: a kind of failure (`"timeout"`), an exception, or None to let the
            call through; calls after the last one go through. Or a function from the request, and its number from 1.
        retry_after_s: how long the server asks to wait, in the faults that are given by kind.

    A streamed call fails after the first half of its words.

    Attributes:
        faults_made: the kinds of the failures so far, in order.
    """

    def __init__(
        self,
        model: Model,
        faults: Sequence[Fault] | Callable[[ModelRequest, int], Fault],
        *,
        retry_after_s: float | None = None,
    ) -> None:
        self.name = model.name
        self.maker = model.maker
        self.is_language_model = model.is_language_model
        self.calls_tools = getattr(model, "calls_tools", False)
        self.faults_made: list[str] = []
        self._model = model
        self._retry_after_s = retry_after_s
        self._faults = faults
        self._numbers = itertools.count(1)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Fail if it is time to, else answer.

        Raises:
            ModelError: the failure, if it was given by its kind; else the exception that was given.
        """
        if (error := self._next_error(request)) is not None:
            raise error
        return await self._model.complete(request)

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Answer piece by piece, and fail half way if it is time to."""
        return self._stream(request)

    async def aclose(self) -> None:
        """Let the model inside go."""
        await self._model.aclose()

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        error = self._next_error(request)
        if error is None:
            async for piece in self._model.stream(request):
                yield piece
            return
        text = (await self._model.complete(request)).text
        yield text[: len(text) // 2]
        raise error

    def _next_error(self, request: ModelRequest) -> Exception | None:
        number = next(self._numbers)
        if callable(self._faults):
            fault = self._faults(request, number)
        else:
            fault = self._faults[number - 1] if number <= len(self._faults) else None
        if fault is None:
            return None
        error = fault if isinstance(fault, Exception) else self._error(FailureKind(fault))
        self.faults_made.append(str(getattr(error, "kind", type(error).__name__)))
        return error

    def _error(self, kind: FailureKind) -> ModelError:
        message = f"{self.name}: {RULES[kind].means} (a fault that was asked for)"
        return ModelError(message, kind=kind, model=self.name, retry_after_s=self._retry_after_s)


class FakeClock:
    """A clock that stands still until it is told to go on; for `RateLimiter` and whatever else takes a `Clock`."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _FakeTimer]] = []

    def now(self) -> float:
        """Return the time."""
        return self._now_s

    def call_at(self, when_s: float, callback: Callable[[], None]) -> Timer:
        """Have `callback` called when the clock gets to `when_s`."""
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (when_s, next(self._order), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: what is due happens in order, each time with everybody given the chance to go on."""
        end_s = self._now_s + seconds
        await settle()
        while self._timers and self._timers[0][0] <= end_s:
            when_s, _, timer = heapq.heappop(self._timers)
            self._now_s = max(self._now_s, when_s)
            timer.fire()
            await settle()
        self._now_s = end_s
        await settle()


class _FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        if self._callback is not None:
            self._callback()


async def settle(rounds: int = 20) -> None:
    """Let every task of the loop go on as far as it gets, unless that takes more than `rounds` rounds."""
    for _ in range(rounds):
        await asyncio.sleep(0)
