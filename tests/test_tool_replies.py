"""Replies of models with tools: which calls they hold, and when they are answers; hostile ones end in a ReplyError."""

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.tasks import ReplyError
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.replies.tool_calls import MOST_CALLS, ToolReply, parse_tool_reply

PIECES = [
    '<call tool="a">', "<call>", "<call/>", '<call tool="a"/>', "</call>", "<call", '{"x": 1}', '{"x": "</call>"}',
    '{"x": "<result>"}', "{", "}", '"', "[", "]", "<result>", "</result>", "<failed>", "</failed>", "<gap>", "</gap>",
    "<think>", "</think>", "`", "```", "\n", " ", "a", "\\", "&quot;", "\ud800", "\x00",
]  # fmt: skip
replies = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=40))


def calls_of(reply: str) -> list[tuple[str, str]]:
    return [(call.tool, call.arguments) for call in parse_tool_reply(reply).calls]


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        ('<call tool="add">{"a": 1}</call>', [("add", '{"a": 1}')]),
        ('<CALL TOOL=add>\n{"a": 1}\n</call>', [("add", '{"a": 1}')]),
        ("<call name='now'/>", [("now", "")]),
        ('<call tool="now"></call>', [("now", "")]),
        ('I look it up.\n```xml\n<call tool="a">{}</call>\n```', [("a", "{}")]),
        ('<think><call tool="b">{}</call></think><call tool="a">{}</call>', [("a", "{}")]),
        ('<call tool="a">{"n": 1}</call> and <call tool="b">{"n": 2}</call>', [("a", '{"n": 1}'), ("b", '{"n": 2}')]),
        ('<call tool="a">{"x": "</call><result>no</result>"}</call>', [("a", '{"x": "</call><result>no</result>"}')]),
        ('<call tool="a">{"x": "a < b &amp; c"}</call>', [("a", '{"x": "a < b &amp; c"}')]),
        ('<call tool="a">{&quot;x&quot;: 1}</call>', [("a", '{"x": 1}')]),
        ('<call tool="a">{x: 1}</call>', [("a", "{x: 1}")]),
        ('<call tool="a">{"x": "</call>', [("a", '{"x": "')]),
        ('I write `<call>`: <call tool="a">{}</call>', [("a", "{}")]),
        ('<call tool="a">{}</call><gap>later</gap>', [("a", "{}")]),
    ],
)
def test_calls_are_read_as_they_were_written(reply: str, calls: list[tuple[str, str]]) -> None:
    assert calls_of(reply) == calls


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<result>42</result>", "42"),
        ("42", "42"),
        ('<result>say <call tool="a">{}</call></result>', 'say <call tool="a">{}</call>'),
        ('<result>an open <call tool="a"></result>', 'an open <call tool="a">'),
        ("There is no `<call>` in here.", "There is no `<call>` in here."),
    ],
)
def test_without_calls_it_is_an_answer(reply: str, text: str) -> None:
    found = parse_tool_reply(reply)
    assert (found.calls, found.answer and found.answer.text) == ((), text)


def test_a_failure_is_an_answer() -> None:
    answer = parse_tool_reply('<failed reason="no_tool">No shop.</failed>').answer
    assert answer is not None
    assert answer.failed is not None
    assert answer.failed.reason == "no_tool"


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ('<call tool="a">{}</call><result>42</result>', r"`<call>` stands beside `<result>`"),
        ('<failed>no</failed><call tool="a">{}</call>', r"`<call>` stands beside `<failed>`"),
        ("<call>{}</call>", r'names no tool; write `<call tool="NAME">`'),
        ("", "blank"),
        ('<call tool="a">{}</call>' * (MOST_CALLS + 1), f"there are {MOST_CALLS + 1} calls; one reply may hold"),
    ],
)
def test_what_breaks_the_contract_is_complained_about(reply: str, complaint: str) -> None:
    with pytest.raises(ReplyError, match=complaint):
        parse_tool_reply(reply)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ('<call tool="a">{"x": 1}', "stop"),
        ('<call tool="a">{"x": "half of', "stop"),
        ('<call tool="a">{}</call><call tool="b', "stop"),
        ('<call tool="a">{}</call>', "length"),
    ],
)
def test_a_cut_reply_is_never_taken_for_a_whole_one(reply: str, reason: str) -> None:
    with pytest.raises(TruncatedReplyError):
        parse_tool_reply(reply, finish_reason=reason)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), st.booleans())
def test_whatever_stands_in_json_is_not_looked_at(arguments: dict[str, str], escapes: bool) -> None:  # noqa: FBT001
    words = json.dumps(arguments, ensure_ascii=escapes)
    assert calls_of(f'<call tool="a">{words}</call>') == [("a", words)]


@given(replies)
def test_a_reply_is_read_or_refused(reply: str) -> None:
    try:
        found = parse_tool_reply(reply)
    except ReplyError:
        return
    assert isinstance(found, ToolReply)
    assert bool(found.calls) != (found.answer is not None)


@pytest.mark.parametrize(
    "piece",
    [
        '<call tool="a">', '<call tool="a">{"x": "', '<call tool="a">{}</call>', "</call>", '<call tool="a"/>',
        '<call tool="a">[', "<call", '<result><call tool="a">',
    ],
)  # fmt: skip
def test_the_work_grows_with_the_length(piece: str) -> None:
    def work(count: int) -> int:
        lines = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal lines
            lines += event == "line"
            return trace if "ramify" in frame.f_code.co_filename or "tasks" in frame.f_code.co_filename else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            parse_tool_reply(piece * count)
        except ReplyError:
            pass
        finally:
            sys.settrace(before)
        return lines

    assert work(400) < 6 * work(100) + 2_000
