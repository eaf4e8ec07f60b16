"""The one deadline of a call: a reply that is not whole when it is over is late, and the error names the limit.

A model that asks a server keeps it by itself, from when the request is sent; every other model is held to it here. A
person has all the time that it takes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ramify.planner.errors import ModelError
from ramify.planner.runtime.border import border

from .protocol import Model, ModelReply, ModelRequest
from .retry import RULES, FailureKind


class LateError(TimeoutError):
    """Raised when something did not come in time; says what, and within which limit."""


def late(timeout_s: float) -> LateError:
    """Return the error for a reply that was not there after `timeout_s`."""
    return LateError(f"no reply within timeout_s = {timeout_s:g} (--timeout-s)")


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


async def complete_in_time(model: Model, request: ModelRequest) -> ModelReply:
    """Return the reply of `model`, if it comes within the request's `timeout_s`.

    Raises:
        ModelError: if it does not, or as `complete`.
    """
    timeout_s = request.timeout_s
    if timeout_s is None or getattr(model, "keeps_deadline", False) or getattr(model, "is_person", False):
        with border:
            return await model.complete(request)
    try:
        async with until(asyncio.get_running_loop().time() + timeout_s, late(timeout_s)):
            with border:
                return await model.complete(request)
    except LateError as error:
        advice = RULES[FailureKind.TIMEOUT].advice
        raise ModelError(f"{model.name}: {error}; {advice}", kind=FailureKind.TIMEOUT, model=model.name) from None
