"""The one deadline of a call: a reply that is not whole when it is over is late, and the error names the limit.

A model that asks a server keeps it by itself, from when the request is sent; every other model is held to it here. A
person has all the time that it takes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import cast

from ramify.planner.errors import ModelError
from ramify.planner.runtime.border import border
from ramify.tasks.counting import counted

from .listening import Listener
from .protocol import Model, ModelReply, ModelRequest
from .retry import RULES, FailureKind
from .server import Timeouts


class LateError(TimeoutError):
    """Raised when something did not come in time; says what, and within which limit.

    Attributes:
        timeout_s: the limit of the whole reply, if it is this one.
        advice: what a person can do about it, where there is more than to allow more time.
    """

    def __init__(self, message: str, *, timeout_s: float | None = None, advice: str = "") -> None:
        super().__init__(message)
        self.timeout_s = timeout_s
        self.advice = advice

    def after(self, written: int) -> "LateError":
        """Return the same for a reply of which so many characters had come by then."""
        if self.timeout_s is None or not written:
            return self
        return LateError(
            f"the reply was still being written after timeout_s = {self.timeout_s:g} (--timeout-s),"
            f" after {counted(written, 'character')}",
            advice="allow more time, or set --max-answer-tokens",
        )


def late(timeout_s: float) -> LateError:
    """Return the error for a reply that was not there after `timeout_s`."""
    return LateError(f"no reply within timeout_s = {timeout_s:g} (--timeout-s)", timeout_s=timeout_s)


@asynccontextmanager
async def until(when_s: float, error: LateError) -> AsyncGenerator[None]:
    """Have what is done inside end at `when_s`, a time of the running loop, with `error`."""
    try:
        async with asyncio.timeout_at(when_s) as clock:
            yield
    except TimeoutError:
        if clock.expired():
            raise error from None
        raise


@dataclass(frozen=True, slots=True)
class StreamClock:
    """The time limits of one streamed reply, which is asked for now.

    Attributes:
        timeouts: how long to wait for its pieces.
        timeout_s: how long to wait for the whole of it.
        end_s: when the whole of it has to be there, a time of the running loop.
    """

    timeouts: Timeouts
    timeout_s: float
    end_s: float

    @classmethod
    def started(cls, timeouts: Timeouts, timeout_s: float) -> "StreamClock":
        """Return the limits of a reply that is asked for now."""
        return cls(timeouts, timeout_s, asyncio.get_running_loop().time() + timeout_s)

    def next_piece(self, *, has_begun: bool) -> AbstractAsyncContextManager[None]:
        """Have the next piece be waited for inside, and end with an error that names the limit."""
        if has_begun:
            words, pause_s = "no more text within stall_s", self.timeouts.stall_s
        else:
            words, pause_s = "no text within first_word_s", self.timeouts.first_word_s
        due_s = asyncio.get_running_loop().time() + pause_s
        if self.end_s <= due_s:
            return until(self.end_s, late(self.timeout_s))
        return until(due_s, LateError(f"{words} = {pause_s:g} s"))


async def complete_in_time(model: Model, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
    """Return the reply of `model`, if it comes within the request's `timeout_s`; a `listener` hears its words before.

    Raises:
        ModelError: if it does not, or as `complete`.
    """
    timeout_s = request.timeout_s
    if timeout_s is None or getattr(model, "keeps_deadline", False) or getattr(model, "is_person", False):
        return await _reply_of(model, request, listener)
    try:
        async with until(asyncio.get_running_loop().time() + timeout_s, late(timeout_s)):
            return await _reply_of(model, request, listener)
    except LateError as error:
        advice = RULES[FailureKind.TIMEOUT].advice
        raise ModelError(f"{model.name}: {error}; {advice}", kind=FailureKind.TIMEOUT, model=model.name) from None


async def _reply_of(model: Model, request: ModelRequest, listener: Listener | None) -> ModelReply:
    if listener is None:
        with border:
            return await model.complete(request)
    listener.begins()
    with border:
        async with aclosing(cast("AsyncGenerator[str | ModelReply, None]", model.stream(request))) as pieces:
            async for piece in pieces:
                if isinstance(piece, ModelReply):
                    return piece
                listener.hears(piece)
    raise RuntimeError(f"the stream of {model.name} ended without a reply")
