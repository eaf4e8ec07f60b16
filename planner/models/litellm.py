"""Language models, through litellm: the only file that knows it, and the keeper of the traps that it sets.

litellm is imported when it is first used (2-4 s), in quiet and offline settings. Its calls run on the one background
loop, since its connections belong to the loop that opened them. It is told to retry nothing: delays are Ramify's.
"""

import asyncio
import functools
import inspect
import logging
import os
import re
import time
import warnings
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ramify.planner.errors import ModelError
from ramify.planner.loop import before_close, on_background_loop, stream_on_background_loop
from ramify.planner.retry import Failure, classify

from .protocol import ModelReply, ModelRequest
from .said import Said
from .secrets import hide_keys

NO_KEY = "no-key"
"""What is sent as key to servers that need none."""

_LONGEST_QUOTE = 600
_NOISE = (".*`ReadOnly` qualifier", ".*Accessing the .* attribute on the instance is deprecated", "Pydantic serializer")
_LITELLMS_WORDS = re.compile(r"^(?:(?:litellm\.)?[A-Za-z]{1,40}(?::| -) )+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for a server, in seconds.

    Attributes:
        connect_s: for the connection.
        first_word_s: for the first piece of a streamed reply.
        stall_s: between two pieces of a streamed reply.
        whole_s: for the whole reply, unless the request says otherwise.
    """

    connect_s: float = 10.0
    first_word_s: float = 120.0
    stall_s: float = 60.0
    whole_s: float = 600.0


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
    """

    is_language_model = True

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self.name = name
        self.maker = name
        self._base_url = base_url
        self._api_key = api_key
        self._timeouts = timeouts or Timeouts()

    def __repr__(self) -> str:
        place = f", base_url={hide_keys(self._base_url)!r}" if self._base_url else ""
        return f"LiteLLMModel({self.name!r}{place})"

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

    async def aclose(self) -> None:
        """Do nothing: connections are shared by all models and closed with the background loop."""

    async def _complete(self, request: ModelRequest) -> ModelReply:
        litellm = await _loaded()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s or self._timeouts.whole_s):
                response = await litellm.acompletion(**self._arguments(litellm, request))
            said = Said.of(response)
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            raise self._failed(error, request) from None
        return self._reply(litellm, said, started=started)

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        litellm = await _loaded()
        started = time.perf_counter()
        said = Said()
        loop, limits = asyncio.get_running_loop(), self._timeouts
        end = loop.time() + (request.timeout_s or limits.whole_s)
        try:
            async with asyncio.timeout_at(min(end, loop.time() + limits.first_word_s)):
                chunks = await litellm.acompletion(
                    **self._arguments(litellm, request), stream=True, stream_options={"include_usage": True}
                )
            async with aclosing(chunks):
                while True:
                    pause_s = limits.stall_s if said.has_begun else limits.first_word_s
                    async with asyncio.timeout_at(min(end, loop.time() + pause_s)):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    if piece := said.add(chunk):
                        yield piece
                # litellm makes a finish reason up when the server sent none, so what it received counts.
                said.end(getattr(chunks, "received_finish_reason", None))
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            raise self._failed(error, request) from None
        yield self._reply(litellm, said, started=started)

    def _arguments(self, litellm: ModuleType, request: ModelRequest) -> dict[str, Any]:
        import httpx

        sampling = request.sampling.given()
        arguments: dict[str, Any] = {
            "model": wire_name(litellm, self.name, self._base_url),
            "messages": [dict(message) for message in request.messages],
            "timeout": httpx.Timeout(request.timeout_s or self._timeouts.whole_s, connect=self._timeouts.connect_s),
            "max_retries": 0,
            "num_retries": 0,
            "api_base": self._base_url,
            "api_key": key_to_send(self._api_key, self._base_url),
            "max_tokens": sampling.pop("max_output_tokens", None),
            **sampling,
        }
        if request.tools:
            arguments["tools"] = [dict(tool) for tool in request.tools]
        if request.schema is not None:
            form = {"name": request.purpose or "reply", "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": form}
        return {name: value for name, value in arguments.items() if value is not None}

    def _reply(self, litellm: ModuleType, said: "Said", *, started: float) -> ModelReply:
        if (fault := said.fault()) is not None:
            kind, detail = fault
            raise self._error(Failure(kind), detail)
        usage = said.usage
        return ModelReply(
            text=said.text,
            model=self.name,
            finish_reason=said.finish_reason,
            tool_calls=said.calls(),
            input_tokens=int(getattr(usage, "prompt_tokens", 0) or 0),
            output_tokens=int(getattr(usage, "completion_tokens", 0) or 0),
            cost_usd=_cost(litellm, wire_name(litellm, self.name, self._base_url), usage),
            latency_s=time.perf_counter() - started,
        )

    def _failed(self, error: Exception, request: ModelRequest) -> ModelError:
        if isinstance(error, TimeoutError):
            limits = self._timeouts
            detail = f"at most {limits.first_word_s:g} s for the first word of a stream, {limits.stall_s:g} s between"
            detail += f" words, {request.timeout_s or limits.whole_s:g} s for all"
        else:
            detail = _LITELLMS_WORDS.sub("", str(error)) or type(error).__name__
        return self._error(classify(error), detail)

    def _error(self, failure: Failure, detail: str) -> ModelError:
        detail = hide_keys(" ".join(detail.split()), known=[self._api_key, *_environment_keys()])
        if len(detail) > _LONGEST_QUOTE:
            detail = detail[:_LONGEST_QUOTE] + "..."
        place = f" at {hide_keys(self._base_url)}" if self._base_url else ""
        return ModelError(
            f"{self.name}{place}: {failure.rule.means}: {detail.rstrip('.')}; {failure.rule.advice}",
            kind=failure.kind,
            model=self.name,
            status_code=failure.status_code,
            retry_after_s=failure.retry_after_s,
        )


def wire_name(litellm: ModuleType, name: str, base_url: str | None) -> str:
    """Return the name to give to litellm: at a `base_url`, a name without a provider is that of an OpenAI-like API."""
    provider, slash, _ = name.partition("/")
    if base_url is None or (slash and provider in provider_names(litellm)):
        return name
    return f"openai/{name}"


def provider_names(litellm: ModuleType) -> set[str]:
    """Return the prefixes that choose a provider."""
    return {str(getattr(provider, "value", provider)) for provider in litellm.provider_list}


def missing_keys(name: str) -> tuple[str, ...] | None:
    """Return the variables, any of which may hold the key for `name`, if none is set; None if nobody knows the name.

    Providers that get their credentials elsewhere (AWS, Google Cloud), or need none, miss nothing.
    """
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(name)
    except Exception:  # noqa: BLE001 - litellm has no one error for a name that it does not know
        return None
    missing = litellm.validate_environment(name)["missing_keys"]
    return tuple(sorted(key for key in missing if key.endswith("API_KEY")))


def known_names() -> list[str]:
    """Return the models that litellm has by name, and its providers."""
    litellm = load_litellm()
    return [*litellm.model_list, *provider_names(litellm)]


def key_to_send(api_key: str | None, base_url: str | None) -> str | None:
    """Return the key to hand to litellm; None lets it look in the environment.

    >>> key_to_send(None, "http://127.0.0.1:8080/v1")
    'no-key'
    """
    if api_key is not None or base_url is None:
        return api_key
    may_use_environment = not base_url.lower().startswith("http://") and "OPENAI_API_KEY" in os.environ
    return None if may_use_environment else NO_KEY


@functools.cache
def load_litellm() -> ModuleType:
    """Import litellm, offline and quiet; what the user has set in the environment stays as it is."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    if "LITELLM_LOG" not in os.environ:
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


async def _loaded() -> ModuleType:
    """Import litellm without holding the loop up; and keep up the filters that hide the warnings it makes in calls."""
    litellm = load_litellm() if load_litellm.cache_info().currsize else await asyncio.to_thread(load_litellm)
    before_close(_close_connections)
    for message in _NOISE:
        # litellm sets these once, at its import: lost in programs, such as pytest, that set filters anew later.
        warnings.filterwarnings("ignore", message=message)
    return litellm


async def _close_connections() -> None:
    """Close what litellm keeps open; its own clean-up leaves OpenAI's clients out (BerriAI/litellm issue 31245)."""
    litellm = load_litellm()
    clients = getattr(litellm.in_memory_llm_clients_cache, "cache_dict", {})
    for client in list(clients.values()):
        if inspect.iscoroutinefunction(close := getattr(client, "close", None)):
            await close()
    await litellm.close_litellm_async_clients()
    clients.clear()


def token_prices(name: str, *, base_url: str | None = None) -> tuple[float, float] | None:
    """Return what an input and an output token of a model cost, in US dollars, by litellm's list; None if unknown."""
    litellm = load_litellm()
    try:
        info = litellm.get_model_info(wire_name(litellm, name, base_url))
        prices = info["input_cost_per_token"], info["output_cost_per_token"]
    except Exception:  # noqa: BLE001 - it raises bare exceptions for models that it does not list
        return None
    return None if None in prices else (float(prices[0]), float(prices[1]))


def _cost(litellm: ModuleType, model: str, usage: Any) -> float | None:
    if usage is None:
        return None
    try:
        cost = litellm.completion_cost(completion_response=litellm.ModelResponse(model=model, usage=usage), model=model)
    except Exception:  # noqa: BLE001 - whatever goes wrong with a price, the reply is there
        return None
    return float(cost)


def _environment_keys() -> list[str]:
    return [value for name, value in os.environ.items() if name.upper().endswith(("_KEY", "_TOKEN", "_SECRET"))]
