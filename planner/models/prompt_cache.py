"""What a provider does with prompts that begin alike: what it wants to be told of them, and what they cost.

What it has read once it keeps for some minutes, and reads the same beginning of another prompt from there. OpenAI finds
such beginnings by itself, better so with a key that says which requests belong together; from gpt-5.6 on, only up to
where a mark stands. Claude keeps what is marked. Of providers that are not named here, nothing is known.

Sources: OpenAI, https://developers.openai.com/api/docs/guides/prompt-caching, and the types of its SDK 2.54; Anthropic,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching; litellm, `model_prices_and_context_window`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

CACHE_CONTROL, BREAKPOINT = "cache_control", "prompt_cache_breakpoint"

MARKS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {CACHE_CONTROL: {"type": "ephemeral"}, BREAKPOINT: {"mode": "explicit"}}
)
"""What stands in the last block of what is to be kept, by the name of the field."""

LEAST_TOKENS = 1_024
"""How long a beginning has to be to be kept, unless something else is known of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCache:
    """How the beginnings of prompts are kept for one model.

    Attributes:
        takes_key: whether a request may say which others it belongs with.
        mark: the field that ends what is to be kept; None if the provider finds that out by itself.
        least_tokens: how long a beginning has to be to be kept.
        read: what a token costs that is read from the cache, as a share of a fresh one; 1 if it is no cheaper, or
            nobody knows.
        write: what a token costs that is put into it, likewise.
    """

    takes_key: bool = False
    mark: str | None = None
    least_tokens: int = LEAST_TOKENS
    read: float = 1.0
    write: float = 1.0

    @classmethod
    def of(cls, entry: Mapping[str, Any], *, takes_key: bool, mark: str | None) -> "PromptCache":
        """Return what an entry of litellm's list says.

        >>> prices = {"input_cost_per_token": 4e-06, "cache_read_input_token_cost": 4e-07}
        >>> PromptCache.of(prices, takes_key=True, mark=None).read
        0.1
        """
        return cls(
            takes_key=takes_key,
            mark=mark,
            least_tokens=int(entry.get("prompt_cache_min_tokens") or LEAST_TOKENS),
            read=_share(entry, "cache_read_input_token_cost"),
            write=_share(entry, "cache_creation_input_token_cost"),
        )

    @property
    def is_told(self) -> bool:
        """Whether requests say anything to it."""
        return self.takes_key or self.mark is not None

    @property
    def pays(self) -> bool:
        """Whether it is known that what was read before is cheaper."""
        return self.read < 1


def _share(entry: Mapping[str, Any], field: str) -> float:
    fresh, price = entry.get("input_cost_per_token"), entry.get(field)
    return round(float(price) / float(fresh), 6) if fresh and price is not None else 1.0
