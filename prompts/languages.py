"""The language of a text, as far as its script and its commonest words tell; a doubt is no answer.

Small models that read instructions in English answer in English. They keep to the goal's language when it is named.
"""

import re
from functools import cache, lru_cache
from pathlib import Path

_READ = 300
"""Characters that are read: how a goal begins."""
_QUOTED = re.compile(
    """(?s)["\u201c\u201e\u00ab].*?(?:["\u201d\u201c\u00bb]|$)|\\B['\u2018].*?(?:['\u2019]\\B|$)|[:\uff1a].*"""
)
"""What a goal quotes, and what stands behind a colon: text to work on, in any language."""
_FEWEST = 2
_SIGNS = (
    ("Japanese", "[\u3040-\u30ff]"),
    ("Korean", "[\uac00-\ud7af\u1100-\u11ff]"),
    ("Chinese", "[\u3400-\u9fff]"),
    ("Hebrew", "[\u05d0-\u05ea]"),
    ("Greek", "[\u03b1-\u03c9\u03ac-\u03ce]"),
    ("Thai", "[\u0e01-\u0e4e]"),
)
"""What is written in one language alone, of those that share its script; the first that is there tells."""

_WORD = re.compile(r"[^\s!-/:-@\[-`{-~]+")


@cache
def _known() -> dict[str, frozenset[str]]:
    lines = Path(__file__).with_name("common_words.txt").read_text(encoding="utf-8").splitlines()
    return {name: frozenset(words.split()) for name, words in (line.split(": ") for line in lines)}


@lru_cache(maxsize=256)
def language_of(text: str) -> str | None:
    """Return the English name of the language that `text` begins in; None if its words do not tell.

    >>> language_of("Vergleiche die Kosten von Bahn und Auto"), language_of("Compare the cost of rail and car")
    ('German', 'English')
    >>> language_of("NumPy 2.4 vs Polars")
    """
    start = _QUOTED.sub(" ", text[:_READ].lower())
    words = _WORD.findall(start)
    for name, signs in _SIGNS:
        if len(re.findall(signs, start)) * 2 >= len(words) > 0:
            return name
    hits = {name: sum(word in known for word in words) for name, known in _known().items()}
    first, second = sorted(hits.values(), reverse=True)[:2]
    if first < _FEWEST or first == second:
        return None
    return max(hits, key=hits.__getitem__)


def is_common(word: str) -> bool:
    """Return whether a word says little of what a text is about: it is one of the commonest of its language.

    >>> is_common("with"), is_common("ferry")
    (True, False)
    """
    return any(word.lower() in known for known in _known().values())
