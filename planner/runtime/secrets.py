"""Keys never reach a message: what looks like one, or is known to be one, is blotted out of texts that others wrote."""

import re
from collections.abc import Iterable

BLOT = "[key hidden]"

# `sk-...` and its like, bearer tokens, keys and passwords in addresses; each alternative reads a letter once.
_KEYS = re.compile(
    r"\b(?:sk|gsk|xai|hf)[-_][\w*.-]{6,}|\bAIza[\w-]{20,}|(?<=bearer )\S+|(?<=[?&]key=)[^&\s'\"]+|(?<=://)[^/@\s]+(?=@)",
    re.IGNORECASE,
)
_SHORTEST = 8


def hide_keys(text: str, *, known: Iterable[str | None] = ()) -> str:
    """Return `text` without keys: the `known` ones, and what has the form of one.

    >>> hide_keys("Incorrect API key provided: sk-abc12345.", known=["hunter22"])
    'Incorrect API key provided: [key hidden]'
    """
    for key in known:
        if key and len(key) >= _SHORTEST:
            text = text.replace(key, BLOT)
    return _KEYS.sub(BLOT, text)
