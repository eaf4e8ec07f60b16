"""A call whose reply is looked at while it comes, so that one that has run away is stopped where it is.

Leaving a stream closes its connection, at which servers stop. Where replies are not streamed, a whole one is looked at.
"""

import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ramify.planner.runtime.border import border
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.tasks.counting import counted

from .deadline import complete_in_time
from .protocol import Model, ModelReply, ModelRequest
from .runaway import Runaway, Watch, repetition_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def complete_watched(model: Model, request: ModelRequest) -> ModelReply:
    """Return the reply of `model`; one that has run away is no more than there was when that was seen, and says so.

    Raises:
        ModelError: if it does not come within the request's `timeout_s`, or as `complete`.
    """
    if getattr(model, "is_person", False) or getattr(model, "prompt_budget", DEFAULT_BUDGET) is None:
        return await complete_in_time(model, request)
    if request.tools or not getattr(model, "streams", False):
        reply = await complete_in_time(model, request)
    else:
        reply = await _streamed(model, request)
    if reply.stopped or reply.taken_from is not None or (found := repetition_in(reply.text)) is None:
        return reply
    return _stopped(reply, found)


async def _streamed(model: Model, request: ModelRequest) -> ModelReply:
    started = time.perf_counter()
    watch, said = Watch(request.variables), list[str]()
    with border:
        async with aclosing(cast("AsyncGenerator[str | ModelReply, None]", model.stream(request))) as pieces:
            async for piece in pieces:
                if isinstance(piece, ModelReply):
                    return piece
                said.append(piece)
                if (found := watch.feed(piece)) is not None:
                    break
            else:
                raise RuntimeError(f"the stream of {model.name} ended without a reply")
    reply = ModelReply(text="".join(said), model=model.name, latency_s=time.perf_counter() - started)
    return _stopped(replace(reply, output_tokens=len(said)), found)  # servers send a token a piece


def _stopped(reply: ModelReply, found: Runaway) -> ModelReply:
    after = f" after {counted(reply.output_tokens, 'token')}" if reply.output_tokens else ""
    head, colon, tail = found.words.partition(":")
    return replace(
        reply,
        stopped=f"the model {head}{after}{colon}{tail}",
        finish_reason="stop" if found.is_whole else "length",
    )
