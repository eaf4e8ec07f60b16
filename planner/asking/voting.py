"""Voting: the same question is asked until one answer leads by enough, first to ahead by k.

An error that comes up once in a hundred answers has to come up k more times than the right answer to win, which for
k = 3 is one time in a million; see `odds`. Answers with a red flag (too long, malformed) do not count at all: what made
the form go wrong makes the content go wrong too.

Source: Meyerson et al., "Solving a Million-Step LLM Task with Zero Errors", https://arxiv.org/abs/2511.09030
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ramify.planner.errors import LimitError, WorkFailedError
from ramify.planner.runtime.gather import together
from ramify.tasks.counting import counted
from ramify.tasks.json_text import json_text, read_json

T = TypeVar("T")

SAMPLES_A_LEAD = 10
"""How many answers are asked for at most, for each that the winner has to lead by, unless a limit says otherwise."""

_SHOWN = 5
_LONGEST = 60
_LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Ballot(Generic[T]):
    """One answer in a vote.

    Attributes:
        key: what makes two answers the same; None if this one does not count.
        value: the answer.
        flag: why it does not count, in a word or two.
    """

    key: str | None
    value: T | None = None
    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How a vote went.

    Attributes:
        samples: how many answers were asked for.
        counts: how many answers each key has got, the most first.
        discarded: how many did not count, by their flags.
        is_decided: whether one leads by enough.
    """

    samples: int
    counts: dict[str, int]
    discarded: dict[str, int]
    is_decided: bool

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data, without the answers that few have given."""
        shown = list(self.counts.items())[:_SHOWN]
        return {
            "samples": self.samples,
            "counts": [[key if len(key) <= _LONGEST else f"{key[: _LONGEST - 3]}...", count] for key, count in shown],
            "discarded": self.discarded,
            **({} if self.is_decided else {"undecided": True}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll(Tally, Generic[T]):
    """A vote that is decided.

    Attributes:
        winner: the first answer of those that lead.
    """

    winner: T


def still_needed(keys: Iterable[str | None], ahead: int) -> int:
    """Return how many more answers it takes at the least until one leads all others by `ahead`; 0 if one does.

    None is an answer that does not count. As fewer can never decide, so many can be asked for at once without one too
    many.

    >>> still_needed([], 3), still_needed(["a", "b", "a"], 3), still_needed(["a", None, "a", "a"], 3)
    (3, 2, 0)
    """
    first, second = (*(count for _, count in Counter(key for key in keys if key is not None).most_common(2)), 0, 0)[:2]
    return max(0, ahead - (first - second))


def key_of_answer(text: str) -> str:
    r"""Return what makes two answers the same: equal JSON values, or else the same words.

    JSON is compared whatever its spaces and the order of its keys; anything else without regard to white space, and
    to how a character is composed. Case and punctuation count.

    >>> key_of_answer('{"b": 1, "a": 2}') == key_of_answer('{ "a":2,"b":1 }')
    True
    >>> key_of_answer(" two\n words "), key_of_answer("42.0")
    ('two words', '42.0')
    """
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return json_text(read_json(text), sort_keys=True, separators=(",", ":"))
        except (ValueError, RecursionError):
            pass
    return " ".join(map(_composed, text.split()))


def _composed(word: str) -> str:
    # the cost of composing grows with the square of a run of combining marks
    return unicodedata.normalize("NFC", word) if len(word) <= _LONGEST_WORD else word


async def poll(
    sample: Callable[[int], Coroutine[Any, Any, Ballot[T]]],
    *,
    ahead: int,
    most: int,
    task_id: str,
    on_end: Callable[[Tally], object] = lambda _: None,
) -> Poll[T]:
    """Return the vote over `sample(0)`, `sample(1)`, ..., of which up to `ahead` run at the same time.

    Which answer wins depends on their numbers, and not on the order in which they arrive. Where a limit refuses one,
    those that are under way still arrive, so that they are there when the vote goes on.

    Args:
        sample: gives the answer of that number.
        ahead: by how many answers the winner leads.
        most: how many answers are asked for at most.
        task_id: the task that they are for.
        on_end: is told how the vote went, also of one that is not decided.

    Raises:
        LimitError: if a limit was reached.
        WorkFailedError: if no answer leads after `most`, or none can any more.
    """
    ballots: list[Ballot[T]] = []
    while more := still_needed((ballot.key for ballot in ballots), ahead):
        if len(ballots) + more > most:
            counts, flags = _counts(ballots), _flags(ballots)
            on_end(Tally(samples=len(ballots), counts=counts, discarded=flags, is_decided=False))
            raise WorkFailedError(_undecided(ballots, ahead, most), task_id=task_id, reason="ambiguous")
        ballots += await _batch(sample, range(len(ballots), len(ballots) + more))
    counts = _counts(ballots)
    key = next(iter(counts))
    winner: T = next(ballot.value for ballot in ballots if ballot.key == key)  # type: ignore[assignment]
    found = Poll(samples=len(ballots), counts=counts, discarded=_flags(ballots), is_decided=True, winner=winner)
    on_end(found)
    return found


async def _batch(sample: Callable[[int], Coroutine[Any, Any, Ballot[T]]], numbers: range) -> list[Ballot[T]]:
    refusals: list[LimitError] = []

    async def ballot(number: int) -> Ballot[T]:
        try:
            return await sample(number)
        except LimitError as error:
            refusals.append(error)
            return Ballot(None, flag="refused")

    ballots = await together(map(ballot, numbers))
    if refusals:
        raise refusals[0]
    return ballots


def _counts(ballots: Iterable[Ballot[Any]]) -> dict[str, int]:
    return dict(Counter(ballot.key for ballot in ballots if ballot.key is not None).most_common())


def _flags(ballots: Iterable[Ballot[Any]]) -> dict[str, int]:
    return dict(Counter(ballot.flag for ballot in ballots if ballot.key is None).most_common())


def _undecided(ballots: list[Ballot[Any]], ahead: int, most: int) -> str:
    counts = list(_counts(ballots).values())[:_SHOWN] or [0]
    often = " and ".join([*map(str, counts[:-1]), counted(counts[-1], "time")])
    flags = ", ".join(f"{count} {flag}" for flag, count in _flags(ballots).items())
    return (
        f"no answer leads by {ahead} after {len(ballots)} of {counted(most, 'sample')}: the most frequent came"
        f" {often}{f'; discarded: {flags}' if flags else ''};"
        " ask for a shorter, more specific answer, or raise max_samples"
    )
