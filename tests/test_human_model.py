"""The `human` model prints prompts safely, takes one reply at a time, and never blocks or hangs."""

import asyncio
import io
import os
import pty
import sys
from pathlib import Path

import pytest
from ramify.planner.errors import UsageError, WaitingError
from ramify.planner.models.human import HumanModel
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.planner.runtime.terminal import printable


def _request(task_id: str = "0.1", purpose: str = "execute", *, user: str = "Do it.") -> ModelRequest:
    messages = ({"role": "system", "content": "The rules."}, {"role": "user", "content": user})
    return ModelRequest(purpose=purpose, task_id=task_id, messages=messages)  # type: ignore[arg-type]


def _model(replies: str, prompts_to: io.StringIO | None = None) -> HumanModel:
    return HumanModel(source=io.StringIO(replies), prompts_to=prompts_to or io.StringIO())


def _ask(model: HumanModel, *requests: ModelRequest) -> list[str]:
    async def ask_all() -> list[str]:
        return [(await model.complete(request)).text for request in requests or (_request(),)]

    return asyncio.run(ask_all())


def test_human_is_a_model_and_no_language_model() -> None:
    model = HumanModel()
    assert isinstance(model, Model)
    assert (model.name, model.maker, model.is_language_model) == ("human", "human", False)


def test_prompt_is_printed_and_reply_read_up_to_the_dot() -> None:
    out = io.StringIO()
    assert _ask(_model("<result>\nforty-two\n</result>\n.\nmore\n", out)) == ["<result>\nforty-two\n</result>"]
    assert "execute for task 0.1" in out.getvalue()
    assert "The rules.\n\nDo it." in out.getvalue()


def test_replies_follow_each_other_on_one_stream() -> None:
    assert _ask(_model("a\n.\nb\n.\nc"), _request("1"), _request("2"), _request("3")) == ["a", "b", "c"]


def test_rules_are_printed_once() -> None:
    out = io.StringIO()
    _ask(_model("a\n.\nb\n.\n", out), _request(), _request(user="Again."))
    assert out.getvalue().count("The rules.") == 1
    assert "Again." in out.getvalue()


def test_reply_costs_nothing() -> None:
    reply = asyncio.run(_model("a\n").complete(_request()))
    assert (reply.cost_usd, reply.model, reply.finish_reason) == (0.0, "human", "stop")


def test_stream_gives_the_words_and_then_the_reply() -> None:
    async def collect() -> list[str | ModelReply]:
        return [piece async for piece in _model("a\nb\n.\n").stream(_request())]

    words, reply = asyncio.run(collect())
    assert words == "a\nb"
    assert isinstance(reply, ModelReply)
    assert reply.text == "a\nb"


def test_end_of_input_without_a_word_waits_for_a_person() -> None:
    with pytest.raises(WaitingError, match=r"\[0\.1 execute\]") as caught:
        _ask(_model(""))
    assert caught.value.task_id == "0.1"


def test_empty_reply_is_a_reply() -> None:
    assert _ask(_model(".\n")) == [""]


def test_without_a_terminal_nobody_is_asked() -> None:
    assert not sys.stdin.isatty()
    with pytest.raises(WaitingError, match="there is no terminal"):
        _ask(HumanModel())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\x1b]0;title\x07b", "a]0;titleb"),
        ("a\x9b31mb", "a31mb"),
        ("a\rb\x08\x7fc", "abc"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\u202eevil\u2066\u200b", "evil"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("\u00e9\u4eca\U0001f600", "\u00e9\u4eca\U0001f600"),
    ],
)
def test_nothing_in_a_prompt_steers_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_prompts_are_printed_without_control_characters() -> None:
    out = io.StringIO()
    _ask(_model("a\n", out), _request(user="\x1b[2Jgone"))
    assert "\x1b" not in out.getvalue()


def test_replies_of_a_file_are_given_in_order_or_by_name(tmp_path: Path) -> None:
    path = tmp_path / "replies.txt"
    path.write_text("first\n---\n[0.2 compose]\nnamed\nreply\n---\n\nsecond\n---\n")
    model = HumanModel(path, prompts_to=io.StringIO())
    asked = [_request("0.1"), _request("0.2", "compose"), _request("0.3")]
    assert _ask(model, *asked) == ["first", "named\nreply", "second"]


def test_question_that_the_file_does_not_answer_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "replies.txt"
    path.write_text("only one\n")
    out = io.StringIO()
    with pytest.raises(WaitingError, match=r"\[0\.2 execute\]"):
        _ask(HumanModel(path, prompts_to=out), _request("0.1"), _request("0.2", user="What now?"))
    assert "What now?" in out.getvalue()


@pytest.mark.parametrize("fault", ["missing", "folder", "not utf-8"])
def test_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "replies.txt"
    if fault == "folder":
        path.mkdir()
    elif fault == "not utf-8":
        path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"replies\.txt"):
        _ask(HumanModel(path, prompts_to=io.StringIO()))


def test_two_questions_at_once_are_asked_one_after_the_other() -> None:
    out = io.StringIO()
    model = _model("a\n.\nb\n.\n", out)

    async def ask_both() -> list[str]:
        replies = await asyncio.gather(model.complete(_request("1")), model.complete(_request("2")))
        return [reply.text for reply in replies]

    assert asyncio.run(ask_both()) == ["a", "b"]
    assert out.getvalue().index("task 1") < out.getvalue().index("task 2")


def test_terminal_is_waited_for_without_blocking_the_loop() -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal, encoding="utf-8") as source:

        async def ask() -> str:
            model = HumanModel(source=source, prompts_to=io.StringIO())
            question = asyncio.create_task(model.complete(_request()))
            for line in ("gr\u00fc\u00dfe\n", "an alle\n", ".\n"):
                await asyncio.sleep(0.02)
                assert not question.done()
                os.write(person, line.encode())
            return (await question).text

        assert asyncio.run(ask()) == "gr\u00fc\u00dfe\nan alle"
    os.close(person)


def test_waiting_for_a_terminal_can_be_cancelled() -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal, encoding="utf-8") as source:

        async def give_up_and_ask_again() -> str:
            model = HumanModel(source=source, prompts_to=io.StringIO())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(model.complete(_request()), timeout=0.05)
            os.write(person, b"late\n.\n")
            return (await model.complete(_request())).text

        assert asyncio.run(give_up_and_ask_again()) == "late"
    os.close(person)


def test_terminal_that_goes_away_ends_the_input() -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal, encoding="utf-8") as source:
        os.close(person)
        with pytest.raises(WaitingError):
            _ask(HumanModel(source=source, prompts_to=io.StringIO()))
