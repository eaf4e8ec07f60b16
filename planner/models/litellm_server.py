"""A server of language models that is reached through litellm: its names and prices there, and litellm's own ways.

litellm is imported when it is first used (2-4 s), in quiet and offline settings. Its calls run on the one background
loop, since its connections belong to the loop that opened them. It is told to retry nothing: delays are Ramify's.
"""

import asyncio
import functools
import importlib
import inspect
import logging
import os
import re
import warnings
from contextlib import suppress
from types import ModuleType
from typing import Any

from ramify.planner.runtime.address import Address
from ramify.planner.runtime.background import before_close
from ramify.tasks import Usage

from .prompt_cache import CACHE_CONTROL, PromptCache
from .protocol import ModelRequest
from .server import Server, key_to_send
from .unanswered import usage_of

_GRACE_S = 5.0
"""How much later than ours the client's own time limit is, so that a call has one deadline."""

_TAKE_KEYS = frozenset({"openai", "azure", "fireworks_ai"})
"""The providers that know `prompt_cache_key`; litellm says so of every other that speaks OpenAI's API too."""

_PASS_MARKS = frozenset({"anthropic", "bedrock", "vertex_ai", "azure_ai", "databricks", "openrouter"})
"""The providers of Claude to which litellm passes on what marks the end of what is to be cached."""

_NOISE = (".*`ReadOnly` qualifier", ".*Accessing the .* attribute on the instance is deprecated", "Pydantic serializer")
_TRACEBACK = re.compile(r"\s*Traceback \(most recent call last\):.*", re.DOTALL)
_LITELLMS_WORDS = re.compile(r"^(?:(?:litellm\.)?[A-Za-z]{1,40}(?::| -) )+")


class LiteLLMServer(Server):
    """Where a model is asked, and how litellm is told so."""

    __slots__ = ()

    def arguments(self, litellm: ModuleType, request: ModelRequest) -> dict[str, Any]:
        """Return the arguments of a call of litellm's that say where it goes; None stands for nothing."""
        import httpx

        address = None if self.base_url is None else Address.of(self.base_url)
        key = key_to_send(self.api_key, self.base_url)
        return {
            "model": wire_name(litellm, self.model, self.base_url),
            "timeout": httpx.Timeout(self.timeout_s(request) + _GRACE_S, connect=self.timeouts.connect_s),
            "max_retries": 0,
            "num_retries": 0,
            "api_base": address and address.url,
            "api_key": key,
            "extra_headers": (address and dict(address.headers)) or None,
            "client": _client(address.url, key, *address.query.items()) if address and address.query else None,
        }

    def calls_tools(self, litellm: ModuleType) -> bool:
        """Return whether the model is known to call tools by itself."""
        name = wire_name(litellm, self.model, self.base_url)
        try:
            return bool(litellm.supports_function_calling(name))
        except Exception:  # noqa: BLE001 - it raises bare exceptions for names that it does not know
            return False

    def thinks(self, litellm: ModuleType) -> bool:
        """Return whether the model is known to think before it answers."""
        name = wire_name(litellm, self.model, self.base_url)
        try:
            return bool(litellm.supports_reasoning(name))
        except Exception:  # noqa: BLE001 - as above
            return False

    def price(self, litellm: ModuleType, response: Any) -> float | None:
        """Return what a call has cost in US dollars, by its response or its like; None if nobody knows."""
        name = wire_name(litellm, self.model, self.base_url)
        try:
            return float(litellm.completion_cost(completion_response=response, model=name))
        except Exception:  # noqa: BLE001 - whatever goes wrong with a price, the reply is there
            return None

    def usage(self, litellm: ModuleType, response: Any) -> Usage:
        """Return what a call has used, by its response or its like; without tokens, nobody knows its cost."""
        reported = getattr(response, "usage", None)
        tokens = getattr(reported, "total_tokens", 0) or getattr(reported, "prompt_tokens", 0)
        return usage_of(reported, self.price(litellm, response) if tokens else None)

    def words_of(self, error: Exception) -> str:
        """Return what is worth quoting of an exception: not litellm's own words, and no traceback."""
        return _TRACEBACK.sub("", _LITELLMS_WORDS.sub("", str(error)))


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


@functools.cache
def load_litellm() -> ModuleType:
    """Import litellm, offline and quiet; what the user has set in the environment stays as it is."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    vars(litellm)["DEFAULT_MAX_RETRIES"] = 0  # its embeddings take a `max_retries` of 0 for one that was not said
    if "LITELLM_LOG" not in os.environ:
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


@functools.cache
def _load_for_calls() -> ModuleType:
    """Import litellm with what it imports in its first call (openai 2 loads its resources when they are first used)."""
    litellm = load_litellm()
    with suppress(ImportError):
        importlib.import_module("openai.resources")
    return litellm


async def loaded_litellm() -> ModuleType:
    """Import litellm without holding the loop up; and keep up the filters that hide the warnings it makes in calls."""
    litellm = load_litellm() if _load_for_calls.cache_info().currsize else await asyncio.to_thread(_load_for_calls)
    before_close(_close_connections)
    for message in _NOISE:
        # litellm sets these once, at its import: lost in programs, such as pytest, that set filters anew later.
        warnings.filterwarnings("ignore", message=message)
    return litellm


@functools.cache
def _client(url: str, key: str | None, *query: tuple[str, str]) -> Any:
    """Return what asks a server that wants something behind the `?`: litellm 1.110 sends `extra_query` in the body."""
    import openai

    return openai.AsyncOpenAI(base_url=url, api_key=key, default_query=dict(query), max_retries=0)


async def _close_connections() -> None:
    """Close what litellm keeps open; its own clean-up leaves OpenAI's clients out (BerriAI/litellm issue 31245)."""
    litellm = load_litellm()
    clients = getattr(litellm.in_memory_llm_clients_cache, "cache_dict", {})
    for client in list(clients.values()):
        if inspect.iscoroutinefunction(close := getattr(client, "close", None)):
            await close()
    await litellm.close_litellm_async_clients()
    clients.clear()
    _client.cache_clear()


@functools.cache
def prompt_cache_listed(name: str, base_url: str | None = None) -> PromptCache | None:
    """Return how prompts that begin alike are kept for a model; None if nothing is known of that."""
    litellm = load_litellm()
    wired = wire_name(litellm, name, base_url)
    try:
        _, provider, _, _ = litellm.get_llm_provider(wired)
    except Exception:  # noqa: BLE001 - as below
        return None
    try:
        entry = litellm.get_model_info(wired)
    except Exception:  # noqa: BLE001 - as below
        entry = {}
    mark = CACHE_CONTROL if provider in _PASS_MARKS and "claude" in wired else None
    if mark is None and not entry:
        return None
    return PromptCache.of(entry, takes_key=provider in _TAKE_KEYS, mark=mark)


def token_prices(name: str, *, base_url: str | None = None) -> tuple[float, float] | None:
    """Return what an input and an output token of a model cost, in US dollars, by litellm's list; None if unknown."""
    litellm = load_litellm()
    wired = wire_name(litellm, name, base_url)
    try:
        info = litellm.get_model_info(wired)
        prices = info["input_cost_per_token"], info["output_cost_per_token"]
    except Exception:  # noqa: BLE001 - it raises bare exceptions for models that it does not list
        return None
    return None if None in prices else (float(prices[0]), float(prices[1]))
