"""What OpenAI's models cost and can, and which names are providers, by litellm's lists; litellm is not imported.

The lists are JSON files in litellm's package, which are read as files: in 35 ms, where importing litellm takes seconds.
A name that does not occur in the text is not looked for any further, so a model of one's own costs a millisecond.
"""

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ramify.tasks.json_text import json_text, read_json

_PRICES = "model_prices_and_context_window_backup.json"
_PROVIDERS = "provider_endpoints_support_backup.json"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_PREFIX = "openai/"
_ABOVE = "_above_"


@functools.cache
def listed(name: str) -> Mapping[str, Any]:
    """Return what the list says of a model of OpenAI's, with or without `openai/` before its name; nothing if nothing.

    >>> listed("gpt-5-mini")["mode"], listed("some/other-model")
    ('chat', mappingproxy({}))
    """
    bare = name.removeprefix(_PREFIX)
    if f"{json_text(bare)}:".encode() not in _text(_PRICES):
        return _NOTHING
    entry = _prices().get(bare)
    if not isinstance(entry, dict) or entry.get("litellm_provider") != "openai":
        return _NOTHING
    return MappingProxyType(entry)


def prices_listed(name: str) -> tuple[float, float] | None:
    """Return what an input and an output token of a model of OpenAI's cost, in US dollars; None if that is not known.

    >>> prices_listed("gpt-5-mini")
    (2.5e-07, 2e-06)
    """
    entry = listed(name)
    prices = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    return None if prices[0] is None or prices[1] is None else (float(prices[0]), float(prices[1]))


def window_listed(name: str) -> int | None:
    """Return how many tokens a model reads by the list, with or without its provider before its name; None if unknown.

    >>> window_listed("gpt-4o-mini"), window_listed("some/other-model")
    (128000, None)
    """
    for each in (name, name.partition("/")[2]):
        if each and f"{json_text(each)}:".encode() in _text(_PRICES):
            entry = _prices().get(each)
            window = entry.get("max_input_tokens") if isinstance(entry, dict) else None
            return window if isinstance(window, int) else None
    return None


def cost_listed(
    name: str, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0, written_tokens: int = 0
) -> float | None:
    """Return what a call of a model of OpenAI's has cost, in US dollars; None if that is not known.

    Args:
        name: the model.
        input_tokens: the prompt's tokens, the cached and the written ones among them.
        output_tokens: the reply's tokens, thoughts among them.
        cached_tokens: how many of the prompt's the server had read before.
        written_tokens: how many of them it has put into its cache, which has a price of its own at some models.

    >>> cost_listed("gpt-5-mini", input_tokens=1_000_000, output_tokens=0, cached_tokens=400_000)
    0.16
    >>> cost_listed("gpt-5.6", input_tokens=1_000_000, output_tokens=0, written_tokens=1_000_000)
    10.0
    """
    if prices_listed(name) is None:
        return None
    entry = listed(name)
    fresh = max(0, input_tokens - cached_tokens - written_tokens)
    by_input = _price(entry, "input_cost_per_token", input_tokens)
    by_cached = _price(entry, "cache_read_input_token_cost", input_tokens, otherwise=by_input)
    by_written = _price(entry, "cache_creation_input_token_cost", input_tokens, otherwise=by_input)
    by_output = _price(entry, "output_cost_per_token", input_tokens)
    parts = (fresh * by_input, cached_tokens * by_cached, written_tokens * by_written, output_tokens * by_output)
    return round(sum(parts), 12)


def is_provider(prefix: str) -> bool:
    """Return whether `prefix/...` is a name of litellm's for a model of some provider.

    >>> is_provider("anthropic"), is_provider("Qwen")
    (True, False)
    """
    return prefix in _providers()


def _price(entry: Mapping[str, Any], field: str, input_tokens: int, *, otherwise: float = 0.0) -> float:
    """Return the price of a token, which may be another for long prompts: `..._above_272k_tokens`."""
    price = float(entry.get(field) or otherwise)
    steps = ((_step(name), value) for name, value in entry.items() if name.startswith(f"{field}{_ABOVE}"))
    reached = [(least, float(value)) for least, value in steps if least is not None and input_tokens > least]
    return max(reached)[1] if reached else price


def _step(name: str) -> int | None:
    digits = name.partition(_ABOVE)[2].removesuffix("k_tokens")
    return int(digits) * 1000 if digits.isdigit() else None


@functools.cache
def _prices() -> Mapping[str, Any]:
    return _object(_PRICES)


@functools.cache
def _providers() -> frozenset[str]:
    return frozenset(_object(_PROVIDERS).get("providers") or ())


def _object(name: str) -> Mapping[str, Any]:
    try:
        value = read_json(_text(name) or b"{}")
    except (ValueError, RecursionError):
        return _NOTHING
    return value if isinstance(value, dict) else _NOTHING


@functools.cache
def _text(name: str) -> bytes:
    """Return the text of one of litellm's files; nothing if this litellm has none such."""
    found = importlib.util.find_spec("litellm")
    for folder in (found.submodule_search_locations if found is not None else None) or ():
        path = Path(folder) / name
        if path.is_file():
            return path.read_bytes()
    return b""
