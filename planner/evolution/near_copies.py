"""Which texts are copies of each other, or nearly: found at a cost that grows with the texts and not with their pairs.

A text is the set of its pieces of four characters, without case, punctuation and white space. Two texts are near copies
if their sets are alike to the degree of `THRESHOLD` (Jaccard: what they share, divided by all that either has). Of a
text that was made from another, only the pieces that the other does not have are compared: two tasks about one long
table are not copies because the table is.

Candidates are found by the least hash values of their sets, in bands: sets that are alike agree in a band more often
than not. At `THRESHOLD` 99 pairs of 100 are found, at half of it 1 of 100 is looked at in vain; a text is compared with
`MOST_COMPARED` others at most. Source: Broder, "On the resemblance and containment of documents", 1997; Leskovec,
Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3.
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from ramify.tasks.replies.grammar import plain_words

THRESHOLD = 0.8
"""How alike near copies are, from 0 to 1."""

PIECE = 4
MOST_COMPARED = 50
_BANDS = 16
_ROWS = 6
_PRIME = (1 << 61) - 1
_CHANCE = random.Random(20)  # noqa: S311 - the same in every process, so that the same texts are found alike
_HASHES = [(_CHANCE.randrange(1, _PRIME), _CHANCE.randrange(_PRIME)) for _ in range(_BANDS * _ROWS)]

Pieces = frozenset[int]


@dataclass(frozen=True, slots=True)
class Match:
    """A text that is much like another.

    Attributes:
        key: what it was called.
        likeness: how alike they are, from 0 to 1.
    """

    key: str
    likeness: float


class NearCopies:
    """The texts that are there, to look up whether another is a copy of one of them."""

    def __init__(self) -> None:
        self._same: dict[str, str] = {}
        self._pieces: dict[str, Pieces] = {}
        self._bands: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, key: str, text: str, *, beyond: str = "") -> None:
        """Enter a text, which was made from `beyond` if that is given."""
        pieces = pieces_of(text) - pieces_of(beyond)
        self._same.setdefault(plain_words(text), key)
        self._pieces[key] = pieces
        for band in _bands(pieces):
            self._bands[band].append(key)

    def nearest(self, text: str, *, beyond: str = "", own_key: str = "") -> Match | None:
        """Return the text that is most like `text`, of those that may be near copies of it; None if none may.

        Args:
            text: the text.
            beyond: what it was made from.
            own_key: what it is called itself, if it is there already.
        """
        if (same := self._same.get(plain_words(text), own_key)) != own_key:
            return Match(same, 1.0)
        pieces = pieces_of(text) - pieces_of(beyond)
        met = Counter(key for band in _bands(pieces) for key in self._bands.get(band, ()) if key != own_key)
        matches = (Match(key, likeness(pieces, self._pieces[key])) for key, _ in met.most_common(MOST_COMPARED))
        return max(matches, key=lambda match: match.likeness, default=None)


def pieces_of(text: str) -> Pieces:
    """Return the pieces of a text, as numbers; of a text shorter than a piece, it is the piece."""
    letters = plain_words(text).replace(" ", "")
    ends = range(PIECE, max(PIECE, len(letters)) + 1) if letters else ()
    return frozenset(crc32(letters[max(0, end - PIECE) : end].encode("utf-8", "surrogatepass")) for end in ends)


def likeness(one: Pieces, other: Pieces) -> float:
    """Return how alike two texts are, from 0 to 1.

    >>> round(likeness(pieces_of("Count the legs of two spiders"), pieces_of("count the legs of two spiders!")), 2)
    1.0
    >>> round(likeness(pieces_of("Count the legs of two spiders"), pieces_of("Count the legs of six spiders")), 2)
    0.56
    """
    return len(one & other) / max(1, len(one | other))


@lru_cache(maxsize=16)  # a text that is looked up is mostly entered next
def _bands(pieces: Pieces) -> tuple[tuple[int, ...], ...]:
    """Return what sets that are alike have in common more often than not."""
    if not pieces:
        return ()
    least = [min([(factor * piece + summand) % _PRIME for piece in pieces]) for factor, summand in _HASHES]
    return tuple((band, *least[band * _ROWS : (band + 1) * _ROWS]) for band in range(_BANDS))
