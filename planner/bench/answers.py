r"""How an answer is read from a reply, and compared with what it should be; pure, and the same for every arm.

The answer is what stands behind the last `Answer:` or `####`, or in the last `\boxed{}`; without these, the whole
reply, or of numbers the last one in it.
"""

import re
import unicodedata
from collections.abc import Sequence

from ramify.planner.asking.voting import key_of_answer
from ramify.tasks.patterns import is_found

ITEM_CHECKS = ("exact", "number", "regex")
"""Ways to judge that take nothing but the reply and the answer."""

_TOLERANCE = 1e-6
_LONGEST = 20_000
_MARK = re.compile(
    r"^[^\w\n]{0,9}(?:the\s+)?(?:final\s+)?(?:answer|antwort|\u7b54\u6848)(?:\s+is)?"
    r"[*_ \t]{0,3}[:=\uff1a][*_ \t]*(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S.*)$", re.MULTILINE)
_BOXED = re.compile(r"\\boxed\{([^{}\n]{1,200})\}")
_NUMBER = re.compile(
    "[-\u2212]?(?:\\d{1,3}(?:[,'\u00a0\u2009\u202f]\\d{3})+(?!\\d)(?:\\.\\d+)?|\\d+,\\d{1,2}(?![\\d,])|\\d+(?:\\.\\d+)?|\\.\\d+)"
    "(?:[eE][-+]?\\d{1,3})?(?:/\\d+)?"
)
_FRAMES = " \t.,;:!*_`\"'\u201c\u201d\u201e\u00ab\u00bb$"


def answer_of(reply: str, form: str) -> str:
    r"""Return the answer in a reply, short enough to be shown and voted on; empty if there is none.

    Args:
        reply: the whole reply.
        form: how it is judged.

    >>> answer_of("17 * 2 = 34.\nAnswer: **34** euros", "number"), answer_of("So there are 1,200 in all", "number")
    ('34', '1200')
    >>> answer_of("It is the capital.\n**Answer:** Oslo.", "exact"), answer_of("Oslo", "exact")
    ('Oslo', 'Oslo')
    """
    text = reply[-_LONGEST:].strip()
    marked = _marked(text)
    if form == "number":
        value = number_of(text if marked is None else marked, is_marked=marked is not None)
        return "" if value is None else f"{value:.12g}"
    return (text if marked is None else marked).strip(_FRAMES)


def number_of(text: str, *, is_marked: bool = False) -> float | None:
    """Return the number that a text says: the last one; of what is marked as the answer, the first behind the last `=`.

    >>> number_of("from 3 to 1,234.5"), number_of("4 of 7 boxes", is_marked=True), number_of("3/4"), number_of("none")
    (1234.5, 4.0, 0.75, None)
    >>> number_of("2 + 2 = 4 bags of 6", is_marked=True), number_of("3,50 euros"), number_of("-7"), number_of("2-5")
    (4.0, 3.5, -7.0, 5.0)
    """
    found = list(_NUMBER.finditer(text.rpartition("=")[2] if is_marked else text))
    if not found:
        return None
    hit = found[0] if is_marked else found[-1]
    words = hit[0].replace("\u2212", "-")
    if words.startswith("-") and hit.start() and hit.string[hit.start() - 1].isalnum():
        words = words[1:]  # a dash between, as in 2-5
    whole, _, below = words.partition("/")
    value = _value(whole)
    return value / float(below) if below and float(below) else value


def is_right(reply: str, answers: Sequence[str], form: str) -> bool:
    """Return whether a reply says one of the right answers.

    >>> is_right("Answer: 12.0", ["12"], "number"), is_right("the OSLO", ["Oslo"], "exact")
    (True, False)
    >>> is_right("Answer: OSLO.", ["Oslo"], "exact"), is_right("It is Oslo or Bergen", ["Oslo|Bergen"], "regex")
    (True, True)
    """
    said = answer_of(reply, form)
    if form == "number":
        numbers = [number_of(answer) for answer in answers]
        return bool(said) and any(number is not None and _equal(float(said), number) for number in numbers)
    if form == "regex":
        return any(is_found(pattern, said) for pattern in answers)
    lines = [line for line in reply.strip().splitlines() if line.strip()]
    told = {plain(said), *(plain(line) for line in lines[-1:])}
    return any(plain(answer) in told for answer in answers)


def key_of(reply: str, form: str) -> str:
    """Return what makes two replies say the same, for votes; empty if a reply says nothing.

    >>> key_of("Answer: Oslo", "exact") == key_of("**Answer: oslo.**", "exact")
    True
    """
    said = answer_of(reply, form)
    if form == "number":
        return said
    return plain(said) if form in ITEM_CHECKS else key_of_answer(said)


def plain(text: str) -> str:
    """Return a text without what does not matter: case, white space, and what stands around it.

    >>> plain(" 'Oslo'.  "), plain("two  words")
    ('oslo', 'two words')
    """
    return " ".join(unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().split()).strip(_FRAMES)


def is_number(text: str) -> bool:
    """Return whether a text is a number and nothing else, but for a unit of money or a percent sign.

    >>> [is_number(text) for text in ("1,200", "$3.50", "25%", "three", "3 to 4")]
    [True, True, True, False, False]
    """
    return _NUMBER.fullmatch(text.strip("$\u20ac\u00a3% \t")) is not None


def _marked(text: str) -> str | None:
    """Return what is marked as the answer, last; None if nothing is."""
    found = [each for pattern in (_MARK, _HASHES, _BOXED) for each in pattern.finditer(text)]
    if not found:
        return None
    last = max(found, key=lambda each: each.start())
    inside = _BOXED.search(last[1])
    return (inside[1] if inside else last[1]).strip()


def _value(words: str) -> float:
    is_decimal_comma = re.fullmatch(r"-?\d+,\d{1,2}", words) is not None
    return float(words.replace(",", ".") if is_decimal_comma else re.sub("[,'\u00a0\u2009\u202f]", "", words))


def _equal(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(1.0, abs(other))
