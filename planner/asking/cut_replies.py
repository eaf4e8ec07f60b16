"""A reply that a length limit has cut: which limit that was, what is asked then, and what is said if it happens again.

The same question would be cut in the same place. So the model is told the limit and asked for less, once; where its
context was full, the prompt shows less too.
"""

from dataclasses import dataclass, replace

from ramify.planner.errors import ModelError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.models.retry import RULES, FailureKind
from ramify.prompts.rendered import Message

ROOM_FOR_REPLY = 1 / 3
"""How much of a window that was full the reply may have in the other try."""

_WORDS_PER_TOKEN = 0.4
_FEWEST_WORDS = 15
_SLACK = 2
_LET_GO_ON = "use another model or temperature, ask for less, or allow long replies (--no-stop-runaway)"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a reply was cut.

    Attributes:
        limit: the limit, for people and models to read.
        advice: what a person can do about it.
        words: how many words the other try may have.
        is_full: whether the model's context was full.
        is_runaway: whether no limit has cut it, and it was stopped as it had run away.
    """

    limit: str
    advice: str
    words: int
    is_full: bool = False
    is_runaway: bool = False


def cut_of(
    request: ModelRequest, *, input_tokens: int, output_tokens: int, window: int | None, stopped: str = ""
) -> Cut:
    """Return where the reply to `request` was cut.

    Args:
        request: the question.
        input_tokens: how many tokens it had; 0 if nobody counted.
        output_tokens: how many the reply had; 0 if nobody counted.
        window: how many the model can read, the reply included; None if that is not known.
        stopped: how the reply had run away, if it had.
    """
    words = max(_FEWEST_WORDS, int(output_tokens * _WORDS_PER_TOKEN))
    if stopped:
        return Cut(stopped, _LET_GO_ON, words, is_runaway=True)
    used = input_tokens + output_tokens
    if window is not None and used >= window - _SLACK:
        parts = f"{input_tokens:,} for the prompt and {output_tokens:,} for the reply"
        limit = f"the model's context of {window:,} tokens was full: {parts}"
        return Cut(limit, "attach less, ask for less, or use a model with a larger window", words, is_full=True)
    most = request.limit
    if most is not None and (not most.is_default or abs(output_tokens - most.tokens) <= _SLACK):
        return Cut(f"{most} was reached", f"raise {most.option}, or ask for less", words)
    after = f" after {output_tokens:,} tokens" if output_tokens else ""
    return Cut(
        f"the server ended it{after}, because of its own limit or a full context",
        "set max_output_tokens, ask for less, or attach less",
        words,
    )


def ask_for_less(request: ModelRequest, cut: Cut) -> ModelRequest:
    """Return the question with the limit, and how long the reply may be."""
    *first, last = request.messages
    limit = cut.limit.partition(": ")[0] if cut.is_runaway else cut.limit  # its own words may hold anything
    told = (
        f"{last['content']}\n\nYour reply to this before was cut off before its end: {limit}. Reply anew, whole and"
        f" much shorter: at most {cut.words} words in all."
    )
    return replace(request, messages=(*first, Message(role=last["role"], content=told)))


def cut_again(cut: Cut, request: ModelRequest, *, model: str) -> ModelError:
    """Return the error for a reply that was cut in the other try too."""
    means = "" if cut.is_runaway else f"{RULES[FailureKind.CUT_OFF].means}: "
    again = f"so too when {cut.words} words were asked for"
    return ModelError(
        f"{model}: {means}{cut.limit}, and {again} (its {request.purpose!r} reply); {cut.advice}",
        kind=FailureKind.CUT_OFF,
        model=model,
    )
