"""What a new task has to pass before it counts: each check is a function of texts, and says in words what is wrong."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ramify.tasks.replies.grammar import plain_words

from .near_copies import THRESHOLD, Match, NearCopies, pieces_of

MOST_GROWTH = 1.5
MOST_ADDED = 300
"""A new task has at most `MOST_GROWTH` times the characters of the task that it was made from, and so many more."""

LEAST_NEW_PIECES = 8
"""Pieces that a new task has and its parent has not; fewer are about one word, or only leave something out."""

MOST_WORDS_OF_PROMPT = 8
"""So many words in a row that stand in the prompt, and not in the old task, are taken for words of the prompt."""

_LABEL = re.compile(
    r"\W*(?:new|old|evolved|rewritten|revised)\s+(?:task|prompt|question|instruction)\W*[:\n#]", re.IGNORECASE
)
_MARK = re.compile(r"</?(?:task|data-[0-9a-f]+)\b", re.IGNORECASE)
_ABOUT_ITSELF = re.compile(
    r"\b(?:(?:given|original|old|rewritten|evolved) (?:task|prompt)|(?:task|prompt) (?:above|given above))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks found.

    Attributes:
        fault: what is wrong with the new task; None if it passes.
        growth: its length, divided by that of its parent.
        new: which share of its pieces its parent does not have, from 0 to 1.
        nearest: the task that is most like it, of those that may be near copies; None if there is none.
    """

    fault: str | None
    growth: float
    new: float
    nearest: Match | None

    def to_data(self) -> dict[str, object]:
        """Return what was measured, as JSON data."""
        near = None if self.nearest is None else {"id": self.nearest.key, "likeness": round(self.nearest.likeness, 3)}
        return {"growth": round(self.growth, 3), "new": round(self.new, 3), "nearest": near}


def check_evolved(content: str, *, parent: str, seed: str, prompt: str, known: NearCopies, own_id: str = "") -> Checked:
    """Return what is wrong with a new task, and what was measured.

    Args:
        content: the new task.
        parent: the task that it was made from.
        seed: the task that its lineage begins with.
        prompt: the words that the model was asked with.
        known: the seeds, and the new tasks that there are already.
        own_id: what the new task is called there, if it is there already.
    """
    pieces = pieces_of(content)
    new = pieces - pieces_of(parent)
    nearest = known.nearest(content, beyond=seed, own_key=own_id)
    fault = next(_faults(content, parent, prompt, len(new), nearest), None)
    return Checked(fault, len(content) / max(1, len(parent)), len(new) / max(1, len(pieces)), nearest)


def _faults(content: str, parent: str, prompt: str, new: int, nearest: Match | None) -> Iterator[str]:
    if not plain_words(content):
        yield "it is blank"
    if plain_words(content) == plain_words(parent) or new < LEAST_NEW_PIECES:
        yield "it is not evolved: it adds hardly anything to its parent"
    most = int(MOST_GROWTH * len(parent)) + MOST_ADDED
    if len(content) > most:
        yield f"it is bloated: {len(content):,} characters; {most:,} are allowed for this parent"
    if (words := leaked_words(content, parent=parent, prompt=prompt)) is not None:
        yield f"it repeats words of the prompt: {words!r}"
    if nearest is not None and nearest.likeness >= THRESHOLD:
        yield f"it is a near copy of {nearest.key} (likeness {nearest.likeness:.2f})"


def leaked_words(content: str, *, parent: str, prompt: str) -> str | None:
    """Return words that the new task has from the prompt and not from its parent; None if it has none.

    >>> leaked_words("New task: count the wings of two birds.", parent="Count birds.", prompt="")
    'New task:'
    """
    for pattern in (_LABEL, _MARK, _ABOUT_ITSELF):
        found = pattern.match(content) if pattern is _LABEL else pattern.search(content)
        if found is not None and pattern.search(parent) is None:
            return found[0].strip()
    copied = _runs(content) & _runs(prompt)
    return min(copied - _runs(parent), default=None) if copied else None


def _runs(text: str) -> set[str]:
    words = plain_words(text).split(" ")
    starts = range(len(words) - MOST_WORDS_OF_PROMPT + 1)
    return {" ".join(words[start : start + MOST_WORDS_OF_PROMPT]) for start in starts}
