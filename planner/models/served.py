"""A language model behind a server: what is the same whether litellm asks it or we do ourselves.

A subclass says how one request is made, whole and streamed, and what was used; see `litellm` and `direct`.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Generic, TypeVar

from ramify.planner.errors import ModelError
from ramify.planner.runtime.address import shown_address
from ramify.planner.runtime.background import on_background_loop, stream_on_background_loop
from ramify.tasks import Usage

from .completion import Completion
from .deadline import LateError
from .prompt_cache import BREAKPOINT, CACHE_CONTROL, MARKS, PromptCache
from .protocol import REQUIRED, ModelReply, ModelRequest
from .retry import Failure
from .schema_dialects import is_strict, without_bounds
from .server import Server
from .server_facts import ServerFacts
from .unanswered import UNKNOWN

ServerT = TypeVar("ServerT", bound=Server)


class ServedModel(ABC, Generic[ServerT]):
    """A language model behind a server.

    Attributes:
        name: the name, as it was given.
        maker: the same; who the words come from.
        is_language_model: True.
        keeps_deadline: True; the time of a request runs from when it is sent.
    """

    is_language_model = True
    keeps_deadline = True

    def __init__(self, server: ServerT) -> None:
        self.name = self.maker = server.model
        self._facts: ServerFacts | None = None
        self._server = server

    def __repr__(self) -> str:
        base_url = self._server.base_url
        place = f", base_url={shown_address(base_url)!r}" if base_url else ""
        return f"{type(self).__name__}({self.name!r}{place})"

    @property
    def has_address(self) -> bool:
        """Whether it is asked at an address that was given, where a server speaks OpenAI's API."""
        return self._server.base_url is not None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer `request` in one piece.

        Raises:
            ModelError: if the call failed, or what came is no reply: blank, HTML, cut, or stopped by a filter.
        """
        return await on_background_loop(self._complete(request))

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Answer `request` piece by piece, the whole reply last.

        Raises:
            ModelError: as `complete`, also after some pieces: then these are not a reply, nor part of one.
        """
        return stream_on_background_loop(lambda: self._stream(request))

    async def facts(self) -> ServerFacts:
        """Return what the server at `base_url` says of the model; it is asked once.

        Raises:
            ModelError: if the server cannot be reached, or is not ready.
        """
        if self._facts is None:
            self._facts = await asyncio.to_thread(self._server.facts)
        return self._facts

    async def aclose(self) -> None:
        """Do nothing: connections are shared by all models and closed with the background loop."""

    @abstractmethod
    async def _complete(self, request: ModelRequest) -> ModelReply: ...

    @abstractmethod
    def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]: ...

    @abstractmethod
    def _priced(self, reported: Any) -> Usage:
        """Return what a call has used by what the server said."""

    def _used(self, said: Completion) -> Usage | None:
        """Return what a call has used; None if the server said nothing."""
        return None if said.usage is None else self._priced(said.usage)

    def _failed(self, error: Exception, said: Completion) -> ModelError:
        """Return what the failure of a stream means; a reply that had begun was worked on, whatever came then."""
        used = self._used(said)
        if isinstance(error, LateError):
            error = error.after(len(said.text))
        return self._server.failed(error, usage=UNKNOWN if used is None and said.has_streamed else used)

    def _reply(self, said: Completion, request: ModelRequest, *, started: float) -> ModelReply:
        said.leave_thoughts_out()
        used = self._used(said)
        if (fault := said.fault(limit=request.limit, has_tools=bool(request.tools))) is not None:
            kind, detail = fault
            raise self._server.error(Failure(kind), detail, usage=used)
        return ModelReply(
            text=said.text,
            model=self.name,
            finish_reason=said.finish_reason,
            tool_calls=said.calls(),
            input_tokens=0 if used is None else used.input_tokens,
            output_tokens=0 if used is None else used.output_tokens,
            cached_tokens=0 if used is None else used.cached_tokens,
            cost_usd=None if used is None or used.calls_without_cost else used.cost_usd,
            latency_s=time.perf_counter() - started,
            has_thought=said.has_thought,
        )


def _choice_on_the_wire(request: ModelRequest) -> str | dict[str, Any]:
    """Return which tool has to be called; the only one is not named, as fewer servers know names than `required`."""
    if request.tool_choice == REQUIRED or len(request.tools) == 1:
        return REQUIRED
    return {"type": "function", "function": {"name": request.tool_choice}}


def _cache_arguments(messages: list[dict[str, Any]], request: ModelRequest, cache: PromptCache) -> dict[str, Any]:
    """Return what a provider's cache of prompts is told, with marks in `messages`.

    A mark stands where what siblings share ends, and at the end of a conversation that goes on or has tools, which is
    read again at its next turn; OpenAI sets that one by itself. In the explicit mode, it puts nothing into the cache
    but what is marked, as a token costs more there.
    """
    told: dict[str, Any] = {}
    goes_on = request.goes_on or bool(request.tools)
    if cache.takes_key:
        told["prompt_cache_key"] = request.cache_key
    if cache.mark == BREAKPOINT and not goes_on:
        told["prompt_cache_options"] = {"mode": "explicit"}
    if cache.mark == CACHE_CONTROL and goes_on:
        messages = _marked(messages, len(messages) - 1, None, cache)
    if cache.mark is not None and request.shared is not None:
        role = "user" if request.shared else "system"
        place = next((number for number, each in enumerate(messages) if each["role"] == role), None)
        messages = messages if place is None else _marked(messages, place, request.shared or None, cache)
    return told | {"messages": messages}


def _marked(messages: list[dict[str, Any]], place: int, end: int | None, cache: PromptCache) -> list[dict[str, Any]]:
    """Return `messages` with a mark in one of them, behind its first `end` characters, or at its end if that is None.

    There is none where all up to it is too short to be kept, however few characters a token has.
    """
    content = messages[place]["content"]
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    first = blocks[0]["text"]
    end = len(first) if end is None else end
    if cache.mark is None or not first or sum(map(_length, messages[:place])) + end < cache.least_tokens:
        return messages
    marked = [{"type": "text", "text": first[:end], cache.mark: dict(MARKS[cache.mark])}]
    rest = [blocks[0] | {"text": first[end:]}] if first[end:] else []
    return [*messages[:place], messages[place] | {"content": [*marked, *rest, *blocks[1:]]}, *messages[place + 1 :]]


def _length(message: dict[str, Any]) -> int:
    content = message["content"]
    return sum(len(block["text"]) for block in content) if isinstance(content, list) else len(content or "")


def wire_arguments(request: ModelRequest, *, has_bounds: bool, cache: PromptCache | None = None) -> dict[str, Any]:
    """Return what of a request stands in the body of a chat call, in OpenAI's words; what is not set is left out.

    Args:
        request: the request.
        has_bounds: whether its schema is sent with its bounds of lengths, which providers refuse.
        cache: what the provider's cache of prompts wants to be told; None for nothing.
    """
    sampling = request.sampling.given()
    said = (message for message in request.messages if message["role"] != "system" or message["content"])
    arguments: dict[str, Any] = {"messages": [dict(message) for message in said]}
    if cache is not None and request.cache_key:
        arguments |= _cache_arguments(arguments["messages"], request, cache)
    sampling.pop("max_output_tokens", None)
    if request.limit is not None:
        arguments["max_tokens"] = request.limit.tokens
    arguments |= sampling
    if request.tools:
        arguments["tools"] = [dict(tool) for tool in request.tools]
        if request.tool_choice is not None:
            arguments["tool_choice"] = _choice_on_the_wire(request)
    if request.schema is not None:
        schema = dict(request.schema) if has_bounds else without_bounds(request.schema)
        form = {"name": request.purpose or "reply", "schema": schema} | ({"strict": True} if is_strict(schema) else {})
        arguments["response_format"] = {"type": "json_schema", "json_schema": form}
    return arguments
