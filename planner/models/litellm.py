"""Language models, through litellm; `litellm_server` keeps the traps that it sets."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from types import ModuleType
from typing import Any

from ramify.planner.runtime.address import shown_address
from ramify.planner.runtime.background import on_background_loop, stream_on_background_loop
from ramify.tasks import Usage

from .deadline import LateError, late, until
from .litellm_server import Server, Timeouts, load_litellm, loaded_litellm, token_prices, wire_name
from .protocol import ModelReply, ModelRequest
from .retry import Failure
from .said import Said
from .server_facts import ServerFacts


class LiteLLMModel:
    """A language model behind an API, by litellm's name for it.

    Args:
        name: `gpt-5-mini`, `anthropic/...`, `ollama/...`; with `base_url`, the name that the server there knows.
        base_url: the address of an OpenAI-compatible server, for example `http://127.0.0.1:8080/v1`.
        api_key: the key; None takes the provider's variable from the environment. A key from the environment is not
            sent over plain HTTP to a `base_url`: name it here if that is meant.
        timeouts: how long to wait.

    Attributes:
        name: the name, as it was given.
        maker: the same; who the words come from.
        is_language_model: True.
        keeps_deadline: True; the time of a request runs from when it is sent.
    """

    is_language_model = True
    keeps_deadline = True

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self.name = name
        self.maker = name
        self._facts: ServerFacts | None = None
        self._server = Server(model=name, base_url=base_url, api_key=api_key, timeouts=timeouts or Timeouts())

    def __repr__(self) -> str:
        base_url = self._server.base_url
        place = f", base_url={shown_address(base_url)!r}" if base_url else ""
        return f"LiteLLMModel({self.name!r}{place})"

    @property
    def has_address(self) -> bool:
        """Whether it is asked at an address that was given, where a server speaks OpenAI's API."""
        return self._server.base_url is not None

    @property
    def calls_tools(self) -> bool:
        """Whether it is known to call tools by itself."""
        return self._server.calls_tools(load_litellm())

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

    @property
    def has_price(self) -> bool:
        """Whether litellm's list has its prices."""
        return token_prices(self.name, base_url=self._server.base_url) is not None

    async def prepare(self) -> None:
        """Load litellm, which may take longer than a call."""
        await on_background_loop(loaded_litellm())

    async def keeps_schemas(self) -> bool:
        """Return whether litellm's table says that the provider holds replies to a JSON schema."""
        return await on_background_loop(self._keeps_schemas())

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

    async def _keeps_schemas(self) -> bool:
        litellm = await loaded_litellm()
        wired = wire_name(litellm, self.name, self._server.base_url)
        return bool(litellm.supports_response_schema(model=wired))

    async def _complete(self, request: ModelRequest) -> ModelReply:
        litellm = await loaded_litellm()
        started = time.perf_counter()
        arguments = self._arguments(litellm, request)
        heard = _Heard()
        timeout_s = self._server.timeout_s(request)
        try:
            async with until(asyncio.get_running_loop().time() + timeout_s, late(timeout_s)):
                response = await litellm.acompletion(**arguments, logger_fn=heard)
            said = Said.of(response)
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            unread = Said.of_text(heard.text)  # litellm takes a content in parts for no reply
            if unread is None:
                raise self._server.failed(error) from None
            said = unread
            tokens = {name: getattr(said.usage, name, None) or 0 for name in ("prompt_tokens", "completion_tokens")}
            said.usage = None if said.usage is None else litellm.Usage(**tokens)
        return self._reply(litellm, said, request, started=started)

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        litellm = await loaded_litellm()
        started = time.perf_counter()
        said = Said()
        loop, limits = asyncio.get_running_loop(), self._server.timeouts
        timeout_s = self._server.timeout_s(request)
        end = loop.time() + timeout_s
        arguments = self._arguments(litellm, request)

        def wait(name: str, pause_s: float) -> AbstractAsyncContextManager[None]:
            due = loop.time() + pause_s
            return until(end, late(timeout_s)) if end <= due else until(due, LateError(f"{name} = {pause_s:g} s"))

        try:
            async with wait("no word within first_word_s", limits.first_word_s):
                chunks = await litellm.acompletion(**arguments, stream=True, stream_options={"include_usage": True})
            async with aclosing(chunks):
                while True:
                    async with (
                        wait("no more words within stall_s", limits.stall_s)
                        if said.has_begun
                        else wait("no word within first_word_s", limits.first_word_s)
                    ):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    if piece := said.add(chunk):
                        yield piece
                # litellm makes a finish reason up when the server sent none, so what it received counts.
                said.end(getattr(chunks, "received_finish_reason", None))
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            raise self._server.failed(error, usage=self._used(litellm, said)) from None
        yield self._reply(litellm, said, request, started=started)

    def _arguments(self, litellm: ModuleType, request: ModelRequest) -> dict[str, Any]:
        sampling = request.sampling.given()
        arguments: dict[str, Any] = {
            **self._server.arguments(litellm, request),
            "messages": [dict(message) for message in request.messages],
            "max_tokens": sampling.pop("max_output_tokens", None),
            **sampling,
        }
        if request.tools:
            arguments["tools"] = [dict(tool) for tool in request.tools]
        if request.schema is not None:
            form = {"name": request.purpose or "reply", "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": form}
        return {name: value for name, value in arguments.items() if value is not None}

    def _reply(self, litellm: ModuleType, said: Said, request: ModelRequest, *, started: float) -> ModelReply:
        used = self._used(litellm, said)
        if (fault := said.fault(max_output_tokens=request.sampling.max_output_tokens)) is not None:
            kind, detail = fault
            raise self._server.error(Failure(kind), detail, usage=used)
        return ModelReply(
            text=said.text,
            model=self.name,
            finish_reason=said.finish_reason,
            tool_calls=said.calls(),
            input_tokens=0 if used is None else used.input_tokens,
            output_tokens=0 if used is None else used.output_tokens,
            cost_usd=None if used is None or used.calls_without_cost else used.cost_usd,
            latency_s=time.perf_counter() - started,
        )

    def _used(self, litellm: ModuleType, said: "Said") -> Usage | None:
        """Return what a call has used, by what the server said; None if it said nothing."""
        if said.usage is None:
            return None
        return self._server.usage(litellm, litellm.ModelResponse(model=self.name, usage=said.usage))


class _Heard:
    """What a server has sent, in its own words; litellm tells it before it reads them."""

    def __init__(self) -> None:
        self.text: str | None = None

    def __call__(self, details: dict[str, Any]) -> None:
        said = details.get("original_response")
        self.text = said if isinstance(said, str) else self.text
