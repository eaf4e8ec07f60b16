"""What a server says of a prompt that is too long for its model: how many tokens it has, and how many there may be.

Some say it in fields of the error's body (llama.cpp), most in a sentence of their own; so the sentences are here, as
patterns, one number each. Sources: the errors of OpenAI, Azure, Anthropic, Gemini, Mistral, xAI, OpenRouter, LM Studio,
vLLM and llama.cpp. A sentence that is not here costs some more refusals, and nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_MOST_READ = 2_000
_MOST_DIGITS = 10
_NUMBER = rf"([\d,]{{1,{_MOST_DIGITS + 3}}})"


class Sizes(NamedTuple):
    """How long a prompt is, and may be, in tokens; None is not said.

    Attributes:
        prompt: the prompt's.
        window: what the model can read, the reply included where both share one window.
    """

    prompt: int | None = None
    window: int | None = None


UNKNOWN_SIZES = Sizes()

_PROMPT = (
    rf"\({_NUMBER} (?:in the messages|of text input)",
    rf"request \({_NUMBER} tokens\)",
    rf"request has {_NUMBER} input tokens",
    rf"resulted in {_NUMBER} tokens",
    rf"prompt is too long: {_NUMBER} tokens",
    rf"prompt \(length {_NUMBER}\)",
    rf"input token count \({_NUMBER}\)",
    rf"context limit: {_NUMBER} \+",
    rf"contains {_NUMBER} tokens",
    rf"requested (?:about )?{_NUMBER} tokens",
)
_WINDOW = (
    rf"context size \({_NUMBER} tokens\)",
    rf"maximum (?:context|model|prompt|input) length (?:is|of) {_NUMBER}",
    rf"> {_NUMBER} maximum",
    rf"context limit: [\d,]{{1,13}} \+ [\d,]{{1,13}} > {_NUMBER}",
    rf"tokens allowed \(?{_NUMBER}",
    rf"with {_NUMBER} maximum context length",
    rf"configured limit of {_NUMBER} tokens",
    rf"context length of only {_NUMBER} tokens",
)
_PROMPT_WORDS, _WINDOW_WORDS = (
    tuple(re.compile(each, re.IGNORECASE) for each in given) for given in (_PROMPT, _WINDOW)
)


def read_sizes(said: Iterable[tuple[Mapping[str, Any], str]]) -> Sizes:
    """Return the sizes that an error tells, from its bodies and words, the first that has one.

    >>> read_sizes([({}, "request (4031 tokens) exceeds the available context size (1024 tokens), try increasing it")])
    Sizes(prompt=4031, window=1024)
    """
    prompt = window = None
    for body, words in said:
        text = words[:_MOST_READ]
        prompt = prompt or _count(body.get("n_prompt_tokens")) or _found(_PROMPT_WORDS, text)
        window = window or _count(body.get("n_ctx")) or _found(_WINDOW_WORDS, text)
    return Sizes(prompt, window)


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    return next((_count(found[1]) for pattern in patterns if (found := pattern.search(text))), None)


def _count(value: Any) -> int | None:
    if isinstance(value, str) and len(value.replace(",", "")) <= _MOST_DIGITS and value.replace(",", "").isdigit():
        value = int(value.replace(",", ""))
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
