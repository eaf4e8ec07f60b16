"""Answers: what is the result, what are gaps, when has it failed; phrases are never judged."""

import pytest
from ramify.tasks import ReplyError
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.replies.grammar import parse_answer


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<result>42</result>", "42"),
        ("<RESULT>\n42\n</Result >", "42"),
        ("42\n", "42"),
        ("Sure! <result>42</result> Anything else?", "42"),
        ("```xml\n<result>42</result>\n```", "42"),
        ("<think>Is it <result>41</result>?</think><result>42</result>", "42"),
        ("<think>hm</think>42", "42"),
        ("hm</think>42", "42"),
        ("I put it into `<result>`: <result>42</result>", "42"),
        ("It is impossible: I cannot find an odd square of an even number.", None),
        (
            "<result>Impossible. I cannot be done, and the build failed.</result>",
            "Impossible. I cannot be done, and the build failed.",
        ),
        ("I'm sorry, but which file do you mean?", None),
        ("<result>a </result> b </result>", "a </result> b"),
        ("<result>a <result>b</result> c</result>", "a <result>b</result> c"),
        ('<result>say <failed reason="x">no</failed></result>', 'say <failed reason="x">no</failed>'),
        ("<result>x <gap>inside</gap></result>", "x <gap>inside</gap>"),
        ("<result>&lt;b&gt; &amp; R&D</result>", "&lt;b&gt; &amp; R&D"),
        ("<result>\n    indented\n  less\n\n</result>", "    indented\n  less"),
        ("<result>if a < b: <br></result>", "if a < b: <br>"),
        ("The operator is <", None),
        ("\u7b54\u6848\uff1a<result>\u56db\u5341\u4e8c</result>", "\u56db\u5341\u4e8c"),
        ("- one\n- two", None),
        ('["one", "two"]', None),
    ],
)
def test_the_result_or_else_the_text_is_the_answer(reply: str, text: str | None) -> None:
    answer = parse_answer(reply)
    assert (answer.text, answer.gaps, answer.failed) == (reply.strip() if text is None else text, (), None)


def test_gaps_are_collected_around_the_result() -> None:
    answer = parse_answer("<gap>first</gap>\n<result>42</result>\n<gap>R&amp;D\nis open</gap><gap> </gap>")
    assert (answer.text, answer.gaps) == ("42", ("first", "R&D\nis open"))


def test_gaps_are_taken_out_of_a_plain_answer() -> None:
    answer = parse_answer("It is 42.\n<gap>May is missing.</gap>")
    assert (answer.text, answer.gaps) == ("It is 42.", ("May is missing.",))


@pytest.mark.parametrize(
    ("reply", "reason", "detail"),
    [
        ('<failed reason="no_tool">No shop.</failed>', "no_tool", "No shop."),
        ("Sorry! <failed>R&amp;D says no.</failed>", "other", "R&D says no."),
        ('<failed reason="rate limit"/>', "other", "rate limit"),
        ('<failed reason="refused">no <result>x</result></failed>', "refused", "no <result>x</result>"),
        ("<failed reason='other'>one</failed>\n<failed>two</failed>", "other", "one; two"),
    ],
)
def test_a_failure_has_a_reason_and_a_detail(reply: str, reason: str, detail: str) -> None:
    answer = parse_answer(reply)
    assert answer.failed is not None
    assert (answer.text, answer.failed.reason, answer.failed.detail) == ("", reason, detail)


def test_a_failure_keeps_its_gaps() -> None:
    assert parse_answer("<failed>no</failed><gap>all of it</gap>").gaps == ("all of it",)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("", "the reply is blank"),
        (" \n\u200b ", "the reply is blank"),
        ("<think>hm</think>", "the reply holds nothing but thoughts"),
        ("<result></result>", "the answer is blank"),
        ("<result/>", "the answer is blank"),
        ("<result> \n </result>", "the answer is blank"),
        ("<gap>all</gap>", "the answer is blank"),
        ("<result>The result.</result>", "'The result.' only repeats the words of the form; write there what is meant"),
        (
            '<failed reason="missing_input">what is missing</failed>',
            "'what is missing' only repeats the words of the form; write there what is meant",
        ),
        ("<result>1</result><failed>no</failed>", "`<failed>` stands beside `<result>`; give one or the other"),
        ("<failed>no</failed><result>1</result>", "`<failed>` stands beside `<result>`; give one or the other"),
        (
            "Is it <result>41</result>?</think><result>42</result>",
            "`</think>` stands after the first element; give the reply alone, without thoughts",
        ),
    ],
)
def test_an_answer_that_is_none_is_refused(reply: str, words: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_answer(reply)
    assert not isinstance(caught.value, TruncatedReplyError)
    assert (caught.value.complaint, caught.value.reply) == (words, reply)


@pytest.mark.parametrize(
    "reply",
    [
        "4 <resul",
        "<think>so",
        "<result>4<result>2",
        "<result a",
    ],
)
def test_an_answer_that_breaks_off_is_truncated(reply: str) -> None:
    with pytest.raises(TruncatedReplyError):
        parse_answer(reply)


@pytest.mark.parametrize("reply", ["<result>42</result>", "42", "", "<failed>no</failed>"])
@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_cut_answer_is_never_an_answer(reply: str, reason: str) -> None:
    with pytest.raises(TruncatedReplyError):
        parse_answer(reply, finish_reason=reason)


@pytest.mark.fault("3.8")
@pytest.mark.parametrize(
    ("reply", "text", "gaps"),
    [
        ("<result>42", "42", ()),
        ("<result>\n42\n", "42", ()),
        ("<result>42</resul", "42", ()),
        ("<result>42</", "42", ()),
        ("```xml\n<result>42\n```", "42", ()),
        ("<result>42\n<gap>May is missing.</gap>", "42", ("May is missing.",)),
        ("<result>42</result><gap>May is missing.", "42", ("May is missing.",)),
        ("42 <gap>one <gap>two", "42", ("one", "two")),
        ("<gap>one<result>42</result>", "42", ("one",)),
    ],
)
def test_an_element_without_an_end_is_read_to_the_end_if_the_model_stopped(
    reply: str, text: str, gaps: tuple[str, ...]
) -> None:
    answer = parse_answer(reply)
    assert (answer.text, answer.gaps) == (text, gaps)
    with pytest.raises(TruncatedReplyError):
        parse_answer(reply, finish_reason="length")


@pytest.mark.fault("3.8")
@pytest.mark.parametrize("reply", ["<result>42", "<failed>no", "42 <gap>so"])
def test_an_element_without_an_end_is_cut_if_nobody_knows_why_the_model_stopped(reply: str) -> None:
    with pytest.raises(TruncatedReplyError, match="has no end"):
        parse_answer(reply, finish_reason="unknown")


@pytest.mark.fault("3.7")
@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<result>Oslo: 5</result>\n<result>Rome: 9</result>", "Oslo: 5\n\nRome: 9"),
        ("<result>7</result><result>7</result>", "7"),
        ("<result><result>5</result></result>", "5"),
        ("<result>\n<result>5</result>\n</result>", "5"),
        ("<result>as in <result>5</result></result>", "as in <result>5</result>"),
        ("<result>7</result>\nSo it is seven.\n<result>7</result>", "7"),
        ("<result>a</result><result/><result>b</result>", "a\n\nb"),
        ("<result>a</result> </result>", "a"),
        ("<result>a</result>\n<gap>g</gap>\n<result>b</result>", "a\n\nb"),
        ("<result>a</result>\n<gap>g</gap>\n</result>", "a"),
    ],
)
def test_several_results_in_a_row_are_one_answer(reply: str, text: str) -> None:
    assert parse_answer(reply).text == text


@pytest.mark.fault("3.7")
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("<result>7</result> No, wait. <result>8</result>", "there are 2 `<result>` elements with words between them"),
        ("<result>a </result> b <result> c</result>", "there are 2 `<result>` elements with words between them"),
        ("Write `<result>x</result>`. <result>8</result>", "there are 2 `<result>` elements with words between them"),
        ("<result>(empty)</result>", "the answer is `(empty)`"),
        ("(empty)", "the answer is `(empty)`"),
    ],
)
def test_an_answer_that_nobody_can_mean_is_refused(reply: str, words: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_answer(reply)
    assert not isinstance(caught.value, TruncatedReplyError)
    assert caught.value.complaint.startswith(words)


@pytest.mark.fault("3.6")
@pytest.mark.parametrize("gap", ["None", "none.", "- None", "nothing", "n/a", "N/A.", "-", "\u65e0", "Keine."])
def test_a_gap_that_says_nothing_is_none(gap: str) -> None:
    assert parse_answer(f"<result>42</result><gap>{gap}</gap>").gaps == ()
