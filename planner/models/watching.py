"""A call whose reply is looked at while it comes, so that one that has run away is stopped where it is.

Leaving a stream closes its connection, at which servers stop. A reply that has ended by itself has not run away,
whatever it says; where replies are not streamed, one that a limit has cut is looked at, for what to say of it.
"""

import time
from dataclasses import replace
from typing import Final

from ramify.tasks.counting import counted

from .deadline import complete_in_time
from .listening import Listener
from .protocol import Model, ModelReply, ModelRequest
from .runaway import Runaway, Watch, patience_for, repetition_in

USUAL_BYTES: Final = 4.0
"""How many bytes of text a token has, about, where no server has counted."""


class Heard:
    """What has come of replies, also of one that broke off.

    Attributes:
        pieces: how many pieces; servers send a token in each, or more.
        size: how many bytes of text.
    """

    pieces = 0
    size = 0

    @property
    def tokens(self) -> int:
        """How many tokens, about."""
        return max(self.pieces, round(self.size / USUAL_BYTES))


async def complete_watched(
    model: Model, request: ModelRequest, listener: Listener | None = None, *, heard: Heard | None = None
) -> ModelReply:
    """Return the reply of `model`; one that has run away is no more than there was when that was seen, and says so.

    Args:
        model: who is asked.
        request: the question.
        listener: hears the words.
        heard: counts what comes, as far as it is streamed.

    Raises:
        ModelError: if it does not come within the request's `timeout_s`, or as `complete`.
    """
    if request.stop_runaway and not request.tools and getattr(model, "streams", False):
        watcher = _Watcher(model, request, listener, heard or Heard())
        try:
            reply = await complete_in_time(model, request, watcher)
        except _StopError:
            return watcher.stopped()
    else:
        reply = await complete_in_time(model, request, listener)
    is_cut = reply.finish_reason == "length" and not reply.stopped and reply.taken_from is None
    if not is_cut or not request.stop_runaway:
        return reply
    found = repetition_in(reply.text, patience_for(request.purpose))
    return reply if found is None else _stopped(reply, found)


class _StopError(Exception):
    """Raised to leave the stream of a reply that has run away."""


class _Watcher:
    """Hears a reply for its `Watch`, and lets another listener hear it too."""

    def __init__(self, model: Model, request: ModelRequest, listener: Listener | None, heard: Heard) -> None:
        self._model = model
        self._heard = heard
        self._request = request
        self._listener = listener
        self._found: Runaway | None = None

    @property
    def keeps(self) -> bool:
        """Whether the other listener keeps something."""
        return self._listener is not None and self._listener.keeps

    def begins(self) -> None:
        """Begin anew."""
        self._started = time.perf_counter()
        self._watch = Watch(self._request.purpose, self._request.variables)
        self._said: list[str] = []
        if self._listener is not None:
            self._listener.begins()

    def hears(self, words: str) -> None:
        """Take the next words; raise if the reply has run away by now."""
        self._said.append(words)
        self._heard.pieces += 1
        self._heard.size += len(words.encode("utf-8", "surrogatepass"))
        if self._listener is not None:
            self._listener.hears(words)
        self._found = self._watch.feed(words)
        if self._found is not None:
            raise _StopError(self._found.words)

    def stopped(self) -> ModelReply:
        """Return the reply as far as it was heard."""
        latency_s = time.perf_counter() - self._started
        text, tokens = "".join(self._said), self._heard.tokens
        reply = ModelReply(text=text, model=self._model.name, output_tokens=tokens, latency_s=latency_s)
        return reply if self._found is None else _stopped(reply, self._found)


def _stopped(reply: ModelReply, found: Runaway) -> ModelReply:
    after = f" after {counted(reply.output_tokens, 'token')}" if reply.output_tokens else ""
    head, colon, tail = found.words.partition(":")
    return replace(
        reply,
        stopped=f"the model {head}{after}{colon}{tail}",
        finish_reason="stop" if found.is_whole else "length",
    )
