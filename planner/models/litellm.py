"""Language models, through litellm; `litellm_server` keeps the traps that it sets."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import ModuleType
from typing import Any

from ramify.planner.runtime.background import on_background_loop
from ramify.tasks import Usage

from .completion import Completion
from .deadline import StreamClock, late, until
from .litellm_server import (
    LiteLLMServer,
    load_litellm,
    loaded_litellm,
    prompt_cache_listed,
    token_prices,
    wire_name,
)
from .prompt_cache import PromptCache
from .protocol import ModelReply, ModelRequest
from .served import ServedModel, wire_arguments
from .server import Timeouts


class LiteLLMModel(ServedModel[LiteLLMServer]):
    """A language model behind an API, by litellm's name for it.

    Args:
        name: `gpt-5-mini`, `anthropic/...`, `ollama/...`; with `base_url`, the name that the server there knows.
        base_url: the address of an OpenAI-compatible server, for example `http://127.0.0.1:8080/v1`.
        api_key: the key; None takes the provider's variable from the environment. A key from the environment is not
            sent over plain HTTP to a `base_url`: name it here if that is meant.
        timeouts: how long to wait.
    """

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        super().__init__(LiteLLMServer(model=name, base_url=base_url, api_key=api_key, timeouts=timeouts or Timeouts()))

    @property
    def calls_tools(self) -> bool:
        """Whether it is known to call tools by itself."""
        return self._server.calls_tools(load_litellm())

    @property
    def thinks(self) -> bool:
        """Whether it is known to think before it answers."""
        return self._server.thinks(load_litellm())

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

    async def prompt_cache(self) -> PromptCache | None:
        """Return how litellm's table says that its provider keeps prompts that begin alike."""
        return await on_background_loop(self._prompt_cache())

    async def _prompt_cache(self) -> PromptCache | None:
        await loaded_litellm()
        return prompt_cache_listed(self.name, self._server.base_url)

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
            said = Completion.of(response)
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            unread = Completion.of_text(heard.text)  # litellm takes a content in parts for no reply
            if unread is None:
                raise self._server.failed(error) from None
            said = unread
            tokens = {name: getattr(said.usage, name, None) or 0 for name in ("prompt_tokens", "completion_tokens")}
            said.usage = None if said.usage is None else litellm.Usage(**tokens)
        return self._reply(said, request, started=started)

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        litellm = await loaded_litellm()
        started = time.perf_counter()
        said = Completion()
        clock = StreamClock.started(self._server.timeouts, self._server.timeout_s(request))
        arguments = self._arguments(litellm, request)
        try:
            async with clock.next_piece(has_begun=False):
                chunks = await litellm.acompletion(**arguments, stream=True, stream_options={"include_usage": True})
            async with aclosing(chunks):
                while True:
                    async with clock.next_piece(has_begun=said.has_begun):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    if piece := said.add(chunk):
                        yield piece
                # litellm makes a finish reason up when the server sent none, so what it received counts.
                said.end(getattr(chunks, "received_finish_reason", None))
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            raise self._failed(error, said) from None
        yield self._reply(said, request, started=started)

    def _arguments(self, litellm: ModuleType, request: ModelRequest) -> dict[str, Any]:
        cache = prompt_cache_listed(self.name, self._server.base_url) if request.cache_key else None
        arguments = {
            **self._server.arguments(litellm, request),
            **wire_arguments(request, has_bounds=False, cache=cache),
        }
        for message in arguments["messages"]:
            if not message["content"] and message.get("tool_calls"):
                message["content"] = None  # instead of no words, Claude is told some of litellm's own as its own
        return {name: value for name, value in arguments.items() if value is not None}

    def _priced(self, reported: Any) -> Usage:
        litellm = load_litellm()
        return self._server.usage(litellm, litellm.ModelResponse(model=self.name, usage=reported))


class _Heard:
    """What a server has sent, in its own words; litellm tells it before it reads them."""

    def __init__(self) -> None:
        self.text: str | None = None

    def __call__(self, details: dict[str, Any]) -> None:
        said = details.get("original_response")
        self.text = said if isinstance(said, str) else self.text
