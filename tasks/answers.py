"""What a reply answers: `<result>`, opaque up to its last closing tag, or plain text; `<gap>`s; or else `<failed>`.

The outermost element that comes first decides: a `<failed>` in a result is part of the result. Only tags say that
something has failed. A right answer may hold the word "impossible", and phrases are never judged.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter

from .elements import LATE_THOUGHTS, ElementReader, body_of, refuse_begun_tag, refuse_cut, unclosed
from .errors import ReplyError
from .planned import has_words
from .scanner import Scanner, Tag, words_of

REASONS = ("missing_input", "refused", "no_tool", "ambiguous", "other")
"""Why a model may say that it has failed."""

_NAMES = frozenset({"result", "failed", "gap"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A model's word that it could not do what was asked.

    Attributes:
        reason: one of `REASONS`; "other" if it gave none, or one of its own, which then begins the detail.
        detail: what stopped it, in its words; may be empty.
    """

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says about a task that was to be done.

    Attributes:
        text: the answer; empty if it failed.
        gaps: what the model says is missing or unsure, in order.
        failed: why there is no answer; None if there is one.
    """

    text: str
    gaps: tuple[str, ...] = ()
    failed: Failure | None = None


def parse_answer(reply: str, *, finish_reason: str = "stop") -> Answer:
    """Return the answer that a reply holds; the text of a result is as it was written, entities included.

    Args:
        reply: the model's words.
        finish_reason: why the model stopped; "length" and "content_filter" mean that the reply was cut.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if the answer is blank, or stands beside `<failed>`.

    >>> parse_answer("<result>Impossible: 7 is odd.</result><gap>Not proved.</gap>")
    Answer(text='Impossible: 7 is odd.', gaps=('Not proved.',), failed=None)
    """
    refuse_cut(reply, finish_reason)
    body = after_thoughts(reply)
    scanner = Scanner(_NAMES)
    tokens = scanner.feed(body)
    last, rest = scanner.close()
    refuse_begun_tag(rest, _NAMES, reply)
    elements, around = outermost(body, [token for token in tokens + last if isinstance(token, Tag)], reply)
    failures = [
        read_failure(tag.attributes().get("reason"), words_of(text)) for tag, text in elements if tag.name == "failed"
    ]
    results = [text for tag, text in elements if tag.name == "result"]
    gaps = tuple(words for tag, text in elements if tag.name == "gap" and has_words(words := words_of(text)))
    if failures and results:
        raise ReplyError("`<failed>` stands beside `<result>`; give one or the other", reply=reply)
    if failures:
        return Answer("", gaps, joined_failure(failures))
    text = _trimmed(results[0] if results else around)
    if not has_words(text):
        raise ReplyError("the answer is blank", reply=reply)
    return Answer(text, gaps)


def read_failure(reason: str | None, detail: str) -> Failure:
    """Return a failure whose reason is one of `REASONS`.

    >>> read_failure("Missing input", "no file")
    Failure(reason='missing_input', detail='no file')
    >>> read_failure("rate limit", "wait")
    Failure(reason='other', detail='rate limit: wait')
    """
    given = (reason or "").strip()
    known = "_".join(given.lower().replace("-", " ").replace("_", " ").split())
    if known in REASONS:
        return Failure(known, detail)
    return Failure("other", ": ".join(part for part in (given, detail) if part))


def joined_failure(failures: Sequence[Failure]) -> Failure:
    """Return the failures of one reply as one: the first reason, and every detail."""
    return Failure(failures[0].reason, "; ".join(failure.detail for failure in failures if failure.detail))


def after_thoughts(reply: str, names: Collection[str] = _NAMES) -> str:
    """Return a reply without the thoughts that it begins with; `names` are the elements that may come after them.

    Raises:
        TruncatedReplyError: if the thoughts have no end.
        ReplyError: if they stand in the wrong place, or nothing comes after them.
    """
    reader = ElementReader(containers=names)
    reader.feed(reply)
    reader.close()
    if LATE_THOUGHTS in reader.complaints:
        raise ReplyError(LATE_THOUGHTS, reply=reply)
    return body_of(reader, reply)


def without_thoughts(reply: str) -> str:
    """Return a reply without the thoughts that it begins with; as it is if it holds nothing else.

    >>> without_thoughts("<think>Let me see.</think>42")
    '42'
    """
    try:
        return after_thoughts(reply).strip()
    except ReplyError:
        return reply


def outermost(
    body: str, tags: list[Tag], reply: str, *, looks_from: Callable[[Tag], int] = attrgetter("end")
) -> tuple[list[tuple[Tag, str]], str]:
    """Return the outermost elements with their insides, and the text around them.

    Args:
        body: the reply without thoughts.
        tags: the tags in it that count.
        reply: the whole reply, for errors.
        looks_from: gives the place in `body` from which the end of an element is looked for.

    Raises:
        TruncatedReplyError: if an element has no end.
    """
    last_result = max((place for place, tag in enumerate(tags) if _ends(tag, "result")), default=-1)
    elements: list[tuple[Tag, str]] = []
    around: list[str] = []
    position = place = 0
    while place < len(tags):
        tag = tags[place]
        end = place
        if not (tag.is_closing or tag.is_mention):
            if not tag.is_empty:
                end = last_result if tag.name == "result" else _closing(tags, place, looks_from(tag))
            if end < place:
                raise unclosed(tag, reply)
            elements.append((tag, body[tag.end : tags[end].start]))
            around.append(body[position : tag.start])
            position = tags[end].end
        place = end + 1
    return elements, "".join([*around, body[position:]])


def _closing(tags: list[Tag], place: int, begin: int) -> int:
    name = tags[place].name
    return next((end for end in range(place, len(tags)) if _ends(tags[end], name) and tags[end].start >= begin), -1)


def _trimmed(text: str) -> str:
    """Return `text` without blank lines around it; the first line stays indented if it stands on a line of its own."""
    bare = text.lstrip()
    indent = text[: len(text) - len(bare)]
    return (indent[indent.rfind("\n") + 1 :] if "\n" in indent else "") + bare.rstrip()


def _ends(tag: Tag, name: str) -> bool:
    return tag.name == name and tag.is_closing and not tag.is_mention
