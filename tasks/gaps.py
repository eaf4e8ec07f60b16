"""The gaps of an answer, as people read them: what it does not cover, and what was assumed for it.

What was asked about a goal, and answered or assumed, is kept as documents of the root, which are known by their names.
"""

from collections.abc import Iterable

from ramify.prompts import Material

ANSWERED = "answers to questions about the goal"
ASSUMED = "assumptions about the goal, as nobody could be asked"

ASSUMES = "assumed: "
"""What a gap begins with that tells of an assumption."""


def clarifications_of(attachments: Iterable[Material]) -> tuple[Material, ...]:
    """Return the documents of a root in which questions about the goal are answered, by people or by assumptions."""
    return tuple(each for each in attachments if each.name.startswith((ANSWERED, ASSUMED)))


def told_gaps(gaps: Iterable[str]) -> list[tuple[str, str]]:
    """Return what kind of gap each is, and its words.

    >>> told_gaps(["the fares", "assumed: Rome in Italy"])
    [('not covered', 'the fares'), ('assumed', 'Rome in Italy')]
    """
    return [("assumed", gap[len(ASSUMES) :]) if gap.startswith(ASSUMES) else ("not covered", gap) for gap in gaps]


def gaps_by_kind(gaps: Iterable[str]) -> list[tuple[str, str]]:
    """Return the words of all gaps of a kind together, for each kind that there is.

    >>> gaps_by_kind(["the fares", "the hours"])
    [('not covered', 'the fares; the hours')]
    """
    told = told_gaps(gaps)
    return [(kind, "; ".join(words for each, words in told if each == kind)) for kind in dict(told)]
