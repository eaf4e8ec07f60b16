"""What a reply answers: `<result>`, opaque up to its last closing tag, or plain text; `<gap>`s; or else `<failed>`.

The outermost element that comes first decides: a `<failed>` in a result is part of the result. Only tags say that
something has failed. A right answer may hold the word "impossible", and phrases are never judged.

- Several `<result>`s one after the other are one answer, with a blank line between; what is said twice stands once.
  With words between them, one may be a draft or an example: the reply is refused, and asked for once more.
- An element that the reply never closes reaches to the next `<gap>` or to the end, if the model stopped by itself.
- A `<gap>` that says "none" is no gap.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter

from ramify.prompts.blocks import EMPTY
from ramify.tasks.errors import ReplyError

from .elements import (
    FENCE,
    LATE_THOUGHTS,
    THOUGHTS,
    ElementReader,
    body_of,
    refuse_begun_tag,
    refuse_cut,
    unclosed,
    without_end,
)
from .nothing import says_nothing
from .planned import has_words
from .scanner import Scanner, Tag, words_of

REASONS = ("missing_input", "refused", "no_tool", "ambiguous", "other")
"""Why a model may say that it has failed."""

TOO_BIG = "too_big"
"""One more reason, which a model is told of only where its task can then be split."""

_NAMES = frozenset({"result", "failed", "gap"})
_LEFT_OPEN = {
    "result": frozenset({"gap"}),
    "failed": frozenset({"gap"}),
    "gap": frozenset({"gap", "result", "failed"}),
}
"""The elements whose end may be missing, and what ends them then."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A model's word that it could not do what was asked.

    Attributes:
        reason: one of `REASONS` or `TOO_BIG`; "other" if it gave none, or one of its own, which then begins the detail.
        detail: what stopped it, in its words; may be empty.
    """

    reason: str
    detail: str

    @property
    def words(self) -> str:
        """What stopped it, with the reason if there is a special one.

        >>> Failure("refused", "No.").words, Failure("other", "").words
        ('No. (refused)', 'the model gave no reason')
        """
        detail = self.detail or "the model gave no reason"
        return detail if self.reason == "other" else f"{detail} ({self.reason})"


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


_FORM_WORDS = frozenset({"the result", "the answer", "what is missing"})
"""What stands in the form of a reply for the words that are to come; small models write it down as it is."""

_MAY_THINK = re.compile("|".join(map(re.escape, sorted(THOUGHTS))), re.IGNORECASE)

_IN_ANOTHER = re.compile(r"\s*<result>(.*)</result>\s*", re.DOTALL)


def parse_answer(reply: str, *, finish_reason: str = "stop") -> Answer:
    """Return the answer that a reply holds; the text of a result is as it was written, entities included.

    Args:
        reply: the model's words.
        finish_reason: why the model stopped; "length" and "content_filter" mean that the reply was cut.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if the answer is blank, stands beside `<failed>`, or repeats the words of the form.

    >>> parse_answer("<result>Impossible: 7 is odd.</result><gap>Not proved.</gap>")
    Answer(text='Impossible: 7 is odd.', gaps=('Not proved.',), failed=None)
    """
    refuse_cut(reply, finish_reason)
    body = after_thoughts(reply)
    scanner = Scanner(_NAMES)
    tokens = scanner.feed(body)
    last, rest = scanner.close()
    refuse_begun_tag(rest, _NAMES, reply)
    tags = [token for token in tokens + last if isinstance(token, Tag)]
    elements, around = outermost(body, tags, reply, is_whole=finish_reason == "stop")
    failures = [
        read_failure(tag.attributes().get("reason"), words_of(text)) for tag, text in elements if tag.name == "failed"
    ]
    results = [place for place, (tag, _) in enumerate(elements) if tag.name == "result"]
    gaps = tuple(words for tag, text in elements if tag.name == "gap" and _is_gap(words := words_of(text)))
    if failures and results:
        raise ReplyError("`<failed>` stands beside `<result>`; give one or the other", reply=reply)
    if failures:
        failed = joined_failure(failures)
        _refuse_form_words(failed.detail, reply)
        return Answer("", gaps, failed)
    texts = dict.fromkeys(_unwrapped(_trimmed(elements[place][1])) for place in results) or {
        _trimmed("".join(around)): None
    }
    if len(texts) > 1 and any(map(has_words, around[results[0] + 1 : results[-1] + 1])):
        raise ReplyError(
            f"there are {len(results)} `<result>` elements with words between them; give the whole answer in one",
            reply=reply,
        )
    text = "\n\n".join(filter(has_words, texts))
    if not text:
        raise ReplyError("the answer is blank", reply=reply)
    _refuse_form_words(text, reply)
    if text.strip() == EMPTY:
        raise ReplyError(
            f"the answer is `{EMPTY}`, which stands for what is missing in the request; answer without it, or reply"
            ' with `<failed reason="missing_input">`',
            reply=reply,
        )
    return Answer(text, gaps)


def _refuse_form_words(text: str, reply: str) -> None:
    if text.strip(" .`").lower() in _FORM_WORDS:
        raise ReplyError(f"{text.strip()!r} only repeats the words of the form; write there what is meant", reply=reply)


def _unwrapped(text: str) -> str:
    """Return the text of a result, without another `<result>` that is all of it.

    >>> _unwrapped("<result>5</result>"), _unwrapped("say <result>5</result>")
    ('5', 'say <result>5</result>')
    """
    while (found := _IN_ANOTHER.fullmatch(text)) is not None and "<result" not in found[1]:
        text = _trimmed(found[1])
    return text


def read_failure(reason: str | None, detail: str) -> Failure:
    """Return a failure whose reason is one of `REASONS`, or `TOO_BIG`.

    >>> read_failure("Missing input", "no file")
    Failure(reason='missing_input', detail='no file')
    >>> read_failure("rate limit", "wait")
    Failure(reason='other', detail='rate limit: wait')
    """
    given = (reason or "").strip()
    known = "_".join(given.lower().replace("-", " ").replace("_", " ").split())
    if known in REASONS or known == TOO_BIG:
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
    if not _MAY_THINK.search(reply) and has_words(reply):
        return reply
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
    body: str,
    tags: list[Tag],
    reply: str,
    *,
    is_whole: bool = False,
    looks_from: Callable[[Tag], int] = attrgetter("end"),
) -> tuple[list[tuple[Tag, str]], list[str]]:
    """Return the outermost elements with their insides, and the texts before, between and after them.

    Args:
        body: the reply without thoughts.
        tags: the tags in it that count.
        reply: the whole reply, for errors.
        is_whole: whether the model stopped by itself, so that an element without an end reaches to the end.
        looks_from: gives the place in `body` from which the end of an element is looked for.

    Raises:
        TruncatedReplyError: if an element has no end.
    """
    tags = [tag for tag in tags if not tag.is_mention]
    elements: list[tuple[Tag, str]] = []
    around: list[str] = []
    position = place = fences = 0
    never_closed: set[str] = set()
    while place < len(tags):
        tag = tags[place]
        end = place
        if not tag.is_closing:
            if tag.name in never_closed:
                end = -1
            elif tag.name == "result" and not tag.is_empty:
                end = _end_of_result(body, tags, place)
            elif not tag.is_empty:
                end = _closing(tags, place, looks_from(tag))
            around.append(body[position : tag.start])
            fences += around[-1].count(FENCE)
            if end >= 0:
                content, position = body[tag.end : tags[end].start], tags[end].end
            else:
                never_closed.add(tag.name)
                following = _after_open(tags, place) if is_whole else -1
                if following < 0:
                    raise unclosed(tag, reply)
                position = tags[following].start if following < len(tags) else len(body)
                content = without_end(body[tag.end : position], tag.name, is_fenced=fences % 2 == 1)
                end = following - 1
            elements.append((tag, content))
        place = end + 1
    return elements, [*around, body[position:]]


def _closing(tags: list[Tag], place: int, begin: int) -> int:
    name = tags[place].name
    return next((end for end in range(place, len(tags)) if _ends(tags[end], name) and tags[end].start >= begin), -1)


def _end_of_result(body: str, tags: list[Tag], place: int) -> int:
    """Return which tag ends the result that begins at `place`; -1 if none does.

    It is the one that belongs to it, or a later one before the next result with words between: they belong to it too.
    """
    depth, end, after = 0, -1, 0
    for number in range(place, len(tags)):
        tag = tags[number]
        if tag.name != "result" or tag.is_empty:
            if depth == 0 and tag.name == "gap":
                break
            continue
        if not tag.is_closing and end >= 0 and not depth:
            break
        is_stray = tag.is_closing and not depth
        depth += 1 if not tag.is_closing else 0 if is_stray else -1
        if not depth and (not is_stray or has_words(body[after : tag.start])):
            end = number
        after = tag.end
    return end


def _after_open(tags: list[Tag], place: int) -> int:
    """Return which tag comes after the element at `place`, which has no end; -1 if that is not clear."""
    name = tags[place].name
    ends_it = _LEFT_OPEN.get(name, frozenset())
    if not ends_it or (name not in ends_it and any(tag.name == name for tag in tags[place + 1 :])):
        return -1
    return next((end for end in range(place + 1, len(tags)) if tags[end].name in ends_it), len(tags))


def _is_gap(words: str) -> bool:
    return has_words(words) and not says_nothing(words)


def _trimmed(text: str) -> str:
    """Return `text` without blank lines around it; the first line stays indented if it stands on a line of its own."""
    bare = text.lstrip()
    indent = text[: len(text) - len(bare)]
    return (indent[indent.rfind("\n") + 1 :] if "\n" in indent else "") + bare.rstrip()


def _ends(tag: Tag, name: str) -> bool:
    return tag.name == name and tag.is_closing
