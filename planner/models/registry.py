"""Which model a name means, whether it can be used here, and how to get one: decided before any call is made."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ramify.planner.errors import NoModelError, UsageError
from ramify.planner.runtime.address import is_hidden, shown_address

from .direct import OPENAI, DirectModel, is_direct, prompt_cache_at
from .litellm import LiteLLMModel
from .litellm_server import known_names, missing_keys, prompt_cache_listed, token_prices
from .openai_itself import OpenAIModel, keys_missing_at_openai
from .prices import prices_listed
from .prompt_cache import PromptCache
from .protocol import Model
from .server import Timeouts

WAYS = """\
  - a model behind an API: --model NAME or RAMIFY_MODEL=NAME (gpt-5-mini, anthropic/..., gemini/...), with its key set
  - a local server: --base-url http://127.0.0.1:11434/v1 --model NAME (Ollama, llama.cpp, vLLM, LM Studio, ...)
  - a GGUF file, without a server: --model gguf:FILE (pip install 'ramify[local]')
  - no language model: --model rules (arithmetic, outlines and summaries of your own text)
  - a person: --model human (you read the prompts and write the replies)"""
"""The ways to get a model, for messages."""

GGUF = "gguf"
"""The name before a GGUF file."""

OWN_MODELS: Mapping[str, str] = {
    "rules": "built in, no language model: arithmetic, outlines, extractive summaries",
    "human": "a person reads prompts and types replies; human:FILE reads replies from a file",
    "replay": "answers from recorded calls: replay:RUN (a stored run) or replay:FILE",
    GGUF: "a GGUF file, run on this machine without a server: gguf:FILE, or gguf:NAME as listed below",
}
"""The models that come with Ramify, and what each is."""

PROVIDERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "OpenAI": ("gpt-5-mini", ("OPENAI_API_KEY",)),
    "Anthropic": ("anthropic/claude-sonnet-4-5", ("ANTHROPIC_API_KEY",)),
    "Google Gemini": ("gemini/gemini-2.5-flash", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "Mistral": ("mistral/mistral-large-latest", ("MISTRAL_API_KEY",)),
    "Groq": ("groq/llama-3.3-70b-versatile", ("GROQ_API_KEY",)),
    "DeepSeek": ("deepseek/deepseek-chat", ("DEEPSEEK_API_KEY",)),
    "xAI": ("xai/grok-4", ("XAI_API_KEY",)),
    "OpenRouter": ("openrouter/openai/gpt-5-mini", ("OPENROUTER_API_KEY",)),
}
"""Some of litellm's providers: the name of one model, and the variables any one of which holds the key."""


_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model, or a provider of models, for `ramify models`.

    Attributes:
        name: what to give to `--model`; for a provider, an example.
        about: what it is.
        is_usable: whether it can be used here, as far as can be told without a call.
        missing: what it lacks; empty if it is usable.
    """

    name: str
    about: str
    is_usable: bool
    missing: str = ""


def open_model(
    name: str | None,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    timeouts: Timeouts | None = None,
    store: str | Path | None = None,
    window: int | None = None,
) -> Model:
    """Return the model that `name` means; no call is made, but it is checked that calls have a chance.

    Args:
        name: `rules`, `human`, `human:FILE`, `replay:RUN`, `replay:FILE`, `gguf:FILE`, or any name of litellm's;
            with `base_url`, a name that the server knows.
        base_url: the address of an OpenAI-compatible server.
        api_key: the key; None takes the provider's variable from the environment.
        timeouts: how long to wait for a server.
        store: where `replay:RUN` looks for the run; where the settings say unless given.
        window: how many tokens a `gguf:` model is to read at once.

    Raises:
        NoModelError: if there is no such model or recording, or its key is missing.
        UsageError: if `base_url` is no address, or the name has an argument too many.
    """
    if name is None or not name.strip():
        raise NoModelError(f"no model is set. Choose one:\n{WAYS}")
    own, _, argument = name.partition(":")
    if own == GGUF and base_url is None:
        return _open_gguf(argument, timeouts, window)
    if own in OWN_MODELS and base_url is None:
        return _open_own(own, argument or None, store)
    if base_url is not None:
        _check_address(base_url)
    if base_url is not None and is_hidden(base_url):
        raise NoModelError(
            f"{name} is at {base_url}, whose password is never stored: pass the whole address again with"
            " --base-url or RAMIFY_BASE_URL"
        )
    if api_key is None and base_url is None:
        _check(name)
    kind = LiteLLMModel if not is_direct(name, base_url) else DirectModel if base_url is not None else OpenAIModel
    return kind(name, base_url=base_url, api_key=api_key, timeouts=timeouts)


def prices_of(name: str, *, base_url: str | None = None) -> tuple[float, float] | None:
    """Return what an input and an output token of a model cost, in US dollars; None if that is not known.

    Ramify's own models cost nothing.
    """
    if name.partition(":")[0] in OWN_MODELS and base_url is None:
        return 0.0, 0.0
    return prices_listed(name) if is_direct(name, base_url) else token_prices(name, base_url=base_url)


def cache_of(name: str, *, base_url: str | None = None) -> PromptCache | None:
    """Return how prompts that begin alike are kept for a model; None if nothing is known of that."""
    if name.partition(":")[0] in OWN_MODELS and base_url is None:
        return None
    return (
        prompt_cache_at(name, base_url or OPENAI) if is_direct(name, base_url) else prompt_cache_listed(name, base_url)
    )


def list_models(environment: Mapping[str, str] = os.environ) -> list[ModelInfo]:
    """Return Ramify's own models and some providers, with whether their keys are set; keys are told by name only."""
    return _list_own() + [
        ModelInfo(
            name=example,
            about=f"{provider}, {'called directly' if is_direct(example, None) else 'through litellm'}",
            is_usable=(usable := any(environment.get(key) for key in keys)),
            missing="" if usable else f"{' or '.join(keys)} is not set",
        )
        for provider, (example, keys) in PROVIDERS.items()
    ]


def _list_own() -> list[ModelInfo]:
    from .gguf.files import NOT_INSTALLED, is_installed

    missing = {} if is_installed() else {GGUF: NOT_INSTALLED}
    return [
        ModelInfo(name=name, about=about, is_usable=name not in missing, missing=missing.get(name, ""))
        for name, about in OWN_MODELS.items()
    ]


def _open_gguf(argument: str, timeouts: Timeouts | None, window: int | None) -> Model:
    from .gguf.model import GgufModel

    return GgufModel(argument, timeouts=timeouts, window=window)


def _open_own(name: str, argument: str | None, store: str | Path | None) -> Model:
    if name == "replay":
        from .replay import open_replay

        return open_replay(argument or "", store=store)
    if name == "rules":
        from .rules import RulesModel

        if argument is not None:
            raise UsageError(f"rules takes no argument, so rules:{argument} is invalid; use --model rules")
        return RulesModel()
    from .human import HumanModel

    return HumanModel(Path(argument)) if argument is not None else HumanModel()


def _check_address(base_url: str) -> None:
    shown = shown_address(base_url)
    if not base_url.lower().startswith(("http://", "https://")):
        raise UsageError(f"--base-url must start with http:// or https://, not {shown!r}")
    try:
        place = urlsplit(base_url).netloc.rpartition("@")[2]
        port = place.rpartition(":")[2] if re.search(r":[0-9]+$", place) else None
        if port is not None and not 0 < int(port) <= _LAST_PORT:
            raise UsageError(f"--base-url {shown}: port {port} is out of range; use 1 to {_LAST_PORT}")
        _ = urlsplit(base_url).port
    except ValueError as error:
        raise UsageError(f"--base-url {shown!r} is not an address: {error}") from None


def _check(name: str) -> None:
    missing = keys_missing_at_openai() if is_direct(name, None) else missing_keys(name)
    if missing is None:
        close = difflib.get_close_matches(name, [*OWN_MODELS, *known_names()], n=3, cutoff=0.7)
        hint = f"; did you mean {' or '.join(close)}?" if close else "."
        raise NoModelError(f"there is no model or provider {name!r}{hint} Choose one:\n{WAYS}")
    if missing:
        raise NoModelError(f"the model {name} needs a key: set {' or '.join(missing)} in the environment")
