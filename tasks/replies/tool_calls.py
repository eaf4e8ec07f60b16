"""What a reply of a model with tools says: `<call tool="name">{json}</call>` elements, or else an answer.

The inside of a call is JSON, which says itself where it ends: a `</call>` in one of its texts is text. Calls count only
where an answer could stand, so those in a `<result>` or a `<failed>`, and tags in inline code, are words. Nothing is
evaluated here: the arguments are given as they were written.
"""

import json
from dataclasses import dataclass

from ramify.tasks.errors import ReplyError

from .answers import Answer, after_thoughts, outermost, parse_answer
from .elements import refuse_begun_tag, refuse_cut
from .scanner import Scanner, Tag, unescape

MOST_CALLS = 16
"""The most tools that one reply may call."""

_NAMES = frozenset({"call", "result", "failed", "gap"})
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A model's wish to call a tool, in its own words.

    Attributes:
        tool: the tool's name.
        arguments: its arguments, as they were written; blank if there are none.
    """

    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolReply:
    """What a reply says: tools to call, or an answer.

    Attributes:
        calls: the calls, in order; empty if it is an answer.
        answer: the answer; None if tools are to be called.
    """

    calls: tuple[WrittenCall, ...] = ()
    answer: Answer | None = None


def parse_tool_reply(reply: str, *, finish_reason: str = "stop") -> ToolReply:
    """Return the calls, or the answer, that a reply holds.

    Args:
        reply: the model's words.
        finish_reason: why the model stopped; "length" and "content_filter" mean that the reply was cut.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if a call names no tool, stands beside an answer, or if there are too many, or no answer either.

    >>> parse_tool_reply('<call tool="add">{"a": 2, "b": 3}</call>').calls
    (WrittenCall(tool='add', arguments='{"a": 2, "b": 3}'),)
    """
    refuse_cut(reply, finish_reason)
    body = after_thoughts(reply, _NAMES)
    scanner = Scanner(_NAMES)
    tokens = scanner.feed(body)
    last, rest = scanner.close()
    refuse_begun_tag(rest, _NAMES, reply)
    tags = [token for token in tokens + last if isinstance(token, Tag)]
    elements, _ = outermost(body, tags, reply, is_whole=finish_reason == "stop", looks_from=_Arguments(body).end_of)
    calls = [(tag, text) for tag, text in elements if tag.name == "call"]
    if not calls:
        return ToolReply(answer=parse_answer(reply, finish_reason=finish_reason))
    others = sorted({f"`<{tag.name}>`" for tag, _ in elements if tag.name in {"result", "failed"}})
    if others:
        raise ReplyError(
            f"`<call>` stands beside {' and '.join(others)}; call tools, or hand over the result, not both", reply=reply
        )
    if len(calls) > MOST_CALLS:
        raise ReplyError(f"there are {len(calls)} calls; one reply may hold {MOST_CALLS}", reply=reply)
    return ToolReply(tuple(_written(tag, text, reply) for tag, text in calls))


def _written(tag: Tag, text: str, reply: str) -> WrittenCall:
    attributes = tag.attributes()
    name = attributes.get("tool") or attributes.get("name")
    if not name:
        raise ReplyError('a `<call>` names no tool; write `<call tool="NAME">`', reply=reply)
    words = text.strip()
    return WrittenCall(name, words if _end_of_json(words, 0) == len(words) else unescape(words))


class _Arguments:
    """Where the JSON in the calls of one text ends; each reading may go through all the rest, so there are not many."""

    def __init__(self, body: str) -> None:
        self._body = body
        self._left = MOST_CALLS + 1

    def end_of(self, tag: Tag) -> int:
        """Return where the arguments of the call that `tag` opens end; that of the tag if they are no JSON."""
        if tag.name != "call" or not self._left:
            return tag.end
        self._left -= 1
        return _end_of_json(self._body, tag.end) or tag.end


def _end_of_json(text: str, start: int) -> int | None:
    """Return where the JSON ends that begins at `start`, after white space; None if there is none."""
    begin = start + len(text[start:]) - len(text[start:].lstrip())
    try:
        return _DECODER.raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return None
