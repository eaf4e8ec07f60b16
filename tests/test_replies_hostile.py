"""Hostile replies: the outcome is always a value or a ReplyError, and the work grows with the length of the reply."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.tasks import ReplyError
from ramify.tasks.replies.grammar import (
    Answer,
    Plan,
    PlannedTask,
    PlanStream,
    is_restatement,
    parse_answer,
    parse_evolved,
    parse_plan,
)

PIECES = [
    "<task>", "</task>", '<task id="a">', '<task id=\'b\' needs="a">', '<task needs="2">', "<task needs=1 3>",
    "<task/>", '<task id="a', "<task", "</task", "<TASK >", "<atomic/>", "<atomic>", "<failed>",
    '<failed reason="x > y">', "</failed>", "<think>", "</think>", "<thinking>", "<result>", "</result>", "<gap>",
    "</gap>", "<tasks>", "<b>", "<![CDATA[", "]]>", "`", "```", "```json", "\n", "\n\n", " ", "\t", "<", ">", "/",
    "=", '"', "'", "\u201c", "\u201d", "\uff02", "\\", "&amp;", "&#0;", "&", "[", "]", "{", "}", '"tasks":',
    '"task": "x"', '["a", "b"]', '{"task": "x"}', ",", ":", "1. ", "2. ", "- ", "* ", "**", "# ", "Step 1: ",
    "(1) ", "a", "b", "1", "\u200b", "\u0301", "\ud800", "\x00", "\u0644", "\U0001f600",
]  # fmt: skip

replies = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=40))

READERS: dict[str, Callable[[str], object]] = {
    "plan": parse_plan,
    "answer": parse_answer,
    "evolved": parse_evolved,
    "restatement": lambda text: is_restatement(text, text + "."),
    "stream": lambda text: streamed(list(text))[0],
}

REPEATED = {
    "open angles": ("", "<", ""),
    "begun tags": ("", "<task", ""),
    "nested tasks": ("", "<task>", ""),
    "quotes without end": ("", "<task a='\u201c", ""),
    "quoted ends": ("", "<task a='>", ""),
    "one long tag": ("<task ", "\"'\u201c", ">x</task>"),
    "many attributes": ("<task ", "a=\u201cb ", ">x</task>"),
    "many words": ("<task id=", "a ", ">x</task>"),
    "equals signs": ("<task ", "=", ">x</task>"),
    "gaps in a tag": ("<task a", " ", "b>x</task>"),
    "thoughts": ("", "<think>", ""),
    "late thoughts": ("", "x<think>", ""),
    "ends of thoughts": ("", "x</think>", ""),
    "closing tags": ("", "x</task>", ""),
    "same ids": ("", '<task id="a">x</task>', ""),
    "unknown needs": ("", '<task needs="z">x</task>', ""),
    "many needs": ('<task>x</task><task needs="', "1 ", '">x</task>'),
    "mentions": ("", "`<task>`", ""),
    "quoted tasks": ("", "`<task>x</task>` ", ""),
    "half quoted tasks": ("`", "<task>x</task> ", ""),
    "fences": ("", "```<atomic/>", ""),
    "ampersands": ("<task>", "&amp;&", "</task>"),
    "results": ("", "<result>", "</result>"),
    "ends of results": ("<result>", "</result>", ""),
    "gaps": ("", "<gap>x</gap>", ""),
    "gaps without end": ("", "<gap>", ""),
    "results and gaps": ("", "<result>x<gap>y", ""),
    "results in a row": ("", "<result>x</result>", ""),
    "ends in a row": ("<result>", "</result> x <gap>", ""),
    "brackets": ("", "[", ""),
    "objects": ("", '[{"a":', ""),
    "texts": ("[", '"a",', ""),
    "broken texts": ('["' + "x" * 100_000, '"a ', '"]'),
    "broken words": ("[{", "a b: ", "}]"),
    "small lists": ("", "[]\n", ""),
    "other objects": ("", '{"a": 1}\nx\n', ""),
    "lines of objects": ("", '{"task": "a"}\n', ""),
    "numbers": ("", "1. x\n", ""),
    "yaml": ("", "- id: a\n  task: x\n", ""),
    "broken yaml": ("", "- id: a\n  needs: a: b\n", ""),
    "yaml in one": ("- id: a\n  needs: ", "[", ""),
    "needs in a list": ("", "1. x\nneeds: 1\n", ""),
    "bullets": ("", "- x\n  - y\n", ""),
    "paragraphs": ("", "1. x\n\ny\n\n", ""),
    "headings": ("", "# ", "1. x"),
    "blank lines": ("", " \n", ""),
    "combining marks": ("<task>e", "\u0301\u0316", "</task>"),
}


def streamed(chunks: list[str]) -> tuple[Plan, list[PlannedTask]]:
    stream = PlanStream()
    given_early = [task for chunk in chunks for task in stream.feed(chunk)]
    return stream.close(), given_early


def outcome(read: Callable[[], object]) -> object:
    """Return what `read` returns, or the class and complaint of its ReplyError; other errors are not caught."""
    try:
        return read()
    except ReplyError as error:
        return type(error), error.complaint


def chain(length: int) -> str:
    """Return a plan in which each task needs the next one, so that all wait for the last."""
    links = "".join(f'<task id="t{i}" needs="t{i + 1}">x</task>' for i in range(length))
    return f'{links}<task id="t{length}">x</task>'


def calls(read: Callable[[str], object], text: str) -> int:
    """Count the calls, of Python and of C functions, that reading `text` takes."""
    count = 0

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        outcome(lambda: read(text))
    finally:
        sys.setprofile(None)
    return count


@given(reply=replies)
def test_any_reply_gives_a_plan_or_a_reply_error(reply: str) -> None:
    found = outcome(lambda: parse_plan(reply, max_tasks=5, types=["t"], known_ids=["0.1"]))
    if isinstance(found, Plan):
        assert found.atomic + bool(found.tasks) + (found.failed is not None) == 1
        keys = {task.key for task in found.tasks} | {"0.1"}
        assert all(task.content.strip() and keys.issuperset(task.needs) for task in found.tasks)
    else:
        assert isinstance(found, tuple)


@given(reply=replies)
def test_any_reply_gives_an_answer_or_a_reply_error(reply: str) -> None:
    found = outcome(lambda: parse_answer(reply))
    if isinstance(found, Answer):
        assert bool(found.text.strip()) != (found.failed is not None)
    else:
        assert isinstance(found, tuple)


@given(reply=replies)
def test_any_reply_gives_an_evolved_task_or_a_reply_error(reply: str) -> None:
    found = outcome(lambda: parse_evolved(reply))
    assert isinstance(found, tuple) or (isinstance(found, str) and found.strip())


@given(reply=replies, data=st.data())
def test_a_stream_reads_what_the_whole_reads_wherever_chunks_end(reply: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=8)))
    chunks = [reply[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    whole = outcome(lambda: parse_plan(reply))
    for pieces in (chunks, list(reply)):
        found = outcome(lambda pieces=pieces: streamed(pieces))  # type: ignore[misc]
        if isinstance(whole, Plan):
            assert isinstance(found, tuple)
            plan, early = found
            assert plan == whole
            assert tuple(early) == whole.tasks[: len(early)]
        else:
            assert found == whole


@given(reply=replies, end=st.integers(0, 60))
def test_a_cut_reply_is_never_read(reply: str, end: int) -> None:
    for read in (parse_plan, parse_answer, parse_evolved):
        found = outcome(lambda read=read: read(reply[:end], finish_reason="length"))  # type: ignore[misc]
        assert isinstance(found, tuple)
        assert "length limit" in found[1]


@given(a=st.text(), b=st.text())
def test_restating_is_symmetric(a: str, b: str) -> None:
    assert is_restatement(a, a)
    assert is_restatement(a, b) == is_restatement(b, a)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("begin", "middle", "end"), REPEATED.values(), ids=REPEATED)
def test_twice_the_text_takes_at_most_twice_the_calls(
    begin: str, middle: str, end: str, read: Callable[[str], object]
) -> None:
    small, large = (calls(read, begin + middle * count + end) for count in (400, 800))
    assert large <= 2.1 * small + 100


def test_a_chain_of_needs_takes_work_in_proportion() -> None:
    small, large = (calls(parse_plan, chain(count)) for count in (400, 800))
    assert large <= 2.1 * small + 100


@pytest.mark.parametrize(("begin", "middle", "end"), REPEATED.values(), ids=REPEATED)
def test_much_of_it_is_read_to_the_end(begin: str, middle: str, end: str) -> None:
    text = begin + middle * (300_000 // len(middle)) + end
    for read in (parse_plan, parse_answer):
        assert outcome(lambda read=read: read(text)) is not None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("<" * 10_000_000, "the reply holds neither"),
        ("<task" * 1_000_000, "the reply ends in the middle of a tag"),
        ("<task>" * 100_000, "the `<task>` has no end"),
        ("[" * 1_000_000, "the JSON is nested more than 64 levels deep"),
        ("[" * 1_000_000 + "]" * 1_000_000, "the JSON is nested more than 64 levels deep"),
        ('{"tasks": [' * 100_000, "the JSON is nested more than 64 levels deep"),
        ("<task a='" * 1_000_000, "the reply ends in the middle of a tag"),
        ('{"tasks": ["' + "a" * 5_000_000, "the JSON has no end"),
    ],
    ids=["angles", "tags", "nested", "brackets", "closed brackets", "objects", "quotes", "text"],
)
def test_megabytes_of_nonsense_are_refused_in_words(reply: str, words: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_plan(reply)
    assert caught.value.complaint.startswith(words)
    assert len(str(caught.value)) < 2000


def test_deeply_nested_tasks_are_content() -> None:
    reply = "<task>" * 100_000 + "x" + "</task>" * 100_000
    assert parse_plan(reply).tasks[0].content == reply[6:-7]


def test_a_chain_of_ten_thousand_forward_needs_is_a_plan() -> None:
    plan = parse_plan(chain(10_000))
    assert plan.tasks[0].needs == ("t1",)
    assert len(plan.tasks) == 10_001


def test_a_circle_of_ten_thousand_is_told_by_its_ends() -> None:
    reply = "".join(f'<task id="t{i}" needs="t{(i + 1) % 10_000}">x</task>' for i in range(10_000))
    with pytest.raises(ReplyError, match=r'"t9" -> \(9981 more\) -> "t9991"') as caught:
        parse_plan(reply)
    assert len(caught.value.complaint) < 2000
