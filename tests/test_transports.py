"""Real HTTP against the local server, through litellm and without it: the same outcomes, by the table of failures."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor
from ramify.planner.errors import ModelError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest, Sampling, ToolCall
from ramify.planner.models.server import Timeouts, key_to_send
from ramify.planner.models.unanswered import UNKNOWN
from ramify.planner.runtime.background import background_loop, close_background_loop, run_sync
from ramify.planner.runtime.secrets import hide_keys
from ramify.tasks import Check, Task, Usage
from ramify.tasks.tree.config import NO_USAGE

from .openai_server import Answer, Chat, Fault, FaultKind, OpenAIServer
from .patience import HANG_S

WORDS = "The answer is forty-two, as far as anybody knows."
REQUEST = ModelRequest(
    purpose="execute",
    task_id="0.1",
    messages=({"role": "system", "content": "Answer."}, {"role": "user", "content": "What is the answer?"}),
)
QUICK = Timeouts(connect_s=2, first_word_s=0.3, stall_s=0.3, whole_s=0.6)


Way = type[LiteLLMModel] | type[DirectModel]


@pytest.fixture(params=[LiteLLMModel, DirectModel])
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda _: WORDS) as running:
        yield running


def model_at(way: Way, server: OpenAIServer, **options: Any) -> LiteLLMModel | DirectModel:
    return way("test-model", base_url=server.base_url, **options)


def complete(model: Model, request: ModelRequest = REQUEST) -> ModelReply:
    return run_sync(model.complete(request))


async def pieces_of(model: Model, request: ModelRequest = REQUEST) -> list[str | ModelReply]:
    return [piece async for piece in model.stream(request)]


def ask(model: Model, *, streamed: bool = False, timeout_s: float | None = None) -> ModelReply:
    request = replace(REQUEST, timeout_s=timeout_s)
    if not streamed:
        return complete(model, request)
    reply = run_sync(pieces_of(model, request))[-1]
    assert isinstance(reply, ModelReply)
    return reply


@pytest.mark.parametrize("streamed", [False, True])
def test_a_reply_carries_words_tokens_latency_and_who_said_it(
    way: Way, server: OpenAIServer, *, streamed: bool
) -> None:
    reply = ask(model_at(way, server), streamed=streamed)
    assert (reply.text, reply.model, reply.finish_reason) == (WORDS, "test-model", "stop")
    assert (reply.input_tokens, reply.output_tokens) == (5, 9)
    assert reply.latency_s > 0


def test_a_stream_gives_the_words_in_order_and_the_whole_reply_once_at_the_end(way: Way, server: OpenAIServer) -> None:
    *pieces, reply = run_sync(pieces_of(model_at(way, server)))
    assert len(pieces) > 2
    assert "".join(str(piece) for piece in pieces) == WORDS
    assert isinstance(reply, ModelReply)
    assert reply.text == WORDS


def test_the_model_keeps_the_protocol(way: Way) -> None:
    model = way("gpt-5-mini")
    assert isinstance(model, Model)
    assert (model.name, model.maker, model.is_language_model) == ("gpt-5-mini", "gpt-5-mini", True)


@pytest.mark.parametrize("name", ["test-model", "openai/test-model"])
def test_a_local_server_needs_no_key_and_no_provider_in_the_name(way: Way, server: OpenAIServer, name: str) -> None:
    complete(way(name, base_url=server.base_url))
    assert server.chats[0].body["model"] == "test-model"
    assert server.chats[0].headers["authorization"] == "Bearer no-key"


def test_a_name_with_a_slash_reaches_a_local_server_whole(way: Way, server: OpenAIServer) -> None:
    complete(way("Qwen/Qwen3-8B", base_url=server.base_url))
    assert server.chats[0].body["model"] == "Qwen/Qwen3-8B"


def test_what_is_not_set_is_not_sent(way: Way, server: OpenAIServer) -> None:
    complete(model_at(way, server))
    assert set(server.chats[0].body) == {"model", "messages"}


def test_sampling_settings_are_sent_as_they_are_set(way: Way, server: OpenAIServer) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, max_output_tokens=50, seed=7, stop=("END",), reasoning_effort="low")
    complete(model_at(way, server), replace(REQUEST, sampling=sampling))
    sent = {name: value for name, value in server.chats[0].body.items() if name not in {"model", "messages"}}
    assert sent == {
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "seed": 7, "stop": ["END"], "reasoning_effort": "low",
    }  # fmt: skip


def test_a_schema_is_sent_as_the_format_of_the_reply(way: Way, server: OpenAIServer) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    complete(model_at(way, server), replace(REQUEST, schema=schema))
    form = server.chats[0].body["response_format"]
    assert (form["type"], form["json_schema"]["schema"], "strict" in form["json_schema"]) == (
        "json_schema",
        schema,
        False,
    )


@pytest.mark.parametrize(("name", "keeps"), [("gpt-4o-mini", True), ("some-local-model", True), ("gpt-4-0613", False)])
def test_models_that_are_known_to_take_no_schema_are_sent_none(tmp_path: Path, name: str, *, keeps: bool) -> None:
    task = Task(content="Give n.", id="0", checks=[Check(schema={"type": "object", "required": ["n"]})])
    with OpenAIServer(lambda _: Answer('{"n": 1}')) as server:
        agent = Agent(name, base_url=server.base_url, api_key="none")
        run = Executor(agent, store=tmp_path / "runs.db").run(task)
        assert ("response_format" in server.chats[0].body) is keeps
    assert run.task.output == {"n": 1}


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_of_tools_arrive_whole(way: Way, *, streamed: bool) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    answer = Answer(tool_calls=(("look", {"at": "the sky"}), ("wait", {})))
    with OpenAIServer(lambda _: answer) as server:
        request = replace(REQUEST, tools=(tool,))
        model = model_at(way, server)
        reply = run_sync(pieces_of(model, request))[-1] if streamed else complete(model, request)
        assert server.chats[0].body["tools"] == [tool]
    assert isinstance(reply, ModelReply)
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")
    assert reply.tool_calls == (
        ToolCall(id="call-0", name="look", arguments='{"at": "the sky"}'),
        ToolCall(id="call-1", name="wait", arguments="{}"),
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_a_reply_that_the_length_limit_cut_says_so(way: Way, *, streamed: bool) -> None:
    with OpenAIServer(lambda _: Answer("The answer is", finish_reason="length")) as server:
        assert ask(model_at(way, server), streamed=streamed).finish_reason == "length"


@pytest.mark.parametrize("streamed", [False, True])
def test_the_cost_is_known_for_models_with_a_price_and_said_to_be_unknown_for_others(
    way: Way, server: OpenAIServer, *, streamed: bool
) -> None:
    assert ask(model_at(way, server), streamed=streamed).cost_usd is None
    priced = ask(way("gpt-5-mini", base_url=server.base_url), streamed=streamed)
    assert priced.cost_usd == pytest.approx(5 * 0.25e-6 + 9 * 2e-6)


BOTH: list[tuple[FaultKind, str, int | None]] = [
    ("rate_limited", "rate_limited", 429),
    ("quota", "quota_exhausted", 429),
    ("server_error", "server_error", 500),
    ("bad_gateway", "server_error", 502),
    ("overloaded", "overloaded", 503),
    ("bad_key", "bad_key", 401),
    ("no_model", "not_found", 404),
    ("bad_request", "bad_request", 400),
    ("context", "context_exceeded", 400),
    ("filtered", "content_filtered", 400),
    ("drop", "unreachable", None),
    ("reset", "truncated", None),
    ("slow", "timeout", None),
    ("stalled", "timeout", None),
    ("html", "malformed", None),
    ("empty", "empty", None),
    ("loading", "loading", 503),
    ("unreadable_tools", "unsupported", 500),
]
CASES = [(fault, kind, status, streamed) for fault, kind, status in BOTH for streamed in (False, True)]
CASES += [
    ("cut_json", "malformed", None, False),
    ("cut_json", "truncated", None, True),
    ("cut_stream", "malformed", None, False),
    ("cut_stream", "truncated", None, True),
    ("stream_error", "server_error", 500, True),
]


@pytest.mark.parametrize(("fault", "kind", "status", "streamed"), CASES)
def test_every_fault_is_an_error_of_its_kind_after_exactly_one_request(
    way: Way, server: OpenAIServer, fault: FaultKind, kind: str, status: int | None, *, streamed: bool
) -> None:
    server.fail_next(Fault(fault, seconds=5))
    with pytest.raises(ModelError) as caught:
        ask(model_at(way, server, timeouts=QUICK), streamed=streamed)
    if way is LiteLLMModel and fault == "cut_json":  # it does not say where the JSON was cut
        kind = "malformed"
    assert (caught.value.kind, caught.value.status_code, caught.value.model) == (kind, status, "test-model")
    assert len(server.chats) == 1
    assert ask(model_at(way, server), streamed=streamed).text == WORDS


@pytest.mark.fault("2.6")
@pytest.mark.parametrize(
    ("fault", "used"),
    [
        ("empty", Usage(calls=1, input_tokens=5, calls_without_cost=1)),
        ("slow", UNKNOWN),
        ("drop", UNKNOWN),
        ("reset", UNKNOWN),
        ("html", UNKNOWN),
        ("cut_json", UNKNOWN),
        ("rate_limited", NO_USAGE),
        ("server_error", NO_USAGE),
        ("bad_request", NO_USAGE),
    ],
)
def test_an_error_says_what_the_call_has_used(way: Way, server: OpenAIServer, fault: FaultKind, used: Usage) -> None:
    server.fail_next(Fault(fault, seconds=5))
    with pytest.raises(ModelError) as caught:
        ask(model_at(way, server, timeouts=QUICK))
    assert caught.value.usage == used


@pytest.mark.fault("2.6")
def test_a_call_that_never_reached_a_server_has_used_nothing(way: Way, server: OpenAIServer) -> None:
    server.refuse()
    with pytest.raises(ModelError) as caught:
        ask(model_at(way, server))
    assert caught.value.usage == NO_USAGE


@pytest.mark.fault("2.6")
def test_an_error_after_the_first_words_of_a_stream_is_one_call(way: Way, server: OpenAIServer) -> None:
    server.fail_next(Fault("stream_error"))
    with pytest.raises(ModelError) as caught:
        ask(model_at(way, server), streamed=True)
    assert caught.value.usage == UNKNOWN


@pytest.mark.fault("3.1")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_late_reply_is_told_with_the_name_of_the_limit_and_the_way_out(
    way: Way, server: OpenAIServer, *, streamed: bool
) -> None:
    server.fail_next(Fault("slow"))
    with pytest.raises(
        ModelError, match=r"no reply within timeout_s = 0\.2 \(--timeout-s\); allow more time"
    ) as caught:
        ask(model_at(way, server), streamed=streamed, timeout_s=0.2)
    assert caught.value.kind == "timeout"


@pytest.mark.fault("3.1")
def test_a_late_stream_is_told_as_one_that_was_still_being_written(way: Way, server: OpenAIServer) -> None:
    for timeout_s in (0.3, 3, 30):  # until its first words have come in time
        server.fail_next(Fault("stalled"))
        with pytest.raises(ModelError) as caught:
            ask(model_at(way, server), streamed=True, timeout_s=timeout_s)
        if "no reply within" not in str(caught.value):
            break
    assert re.search(
        r"the reply was still being written after timeout_s = \d[.\d]* \(--timeout-s\), after \d+ characters;"
        r" allow more time, or set --max-answer-tokens$",
        str(caught.value),
    )
    assert (caught.value.kind, caught.value.usage) == ("timeout", UNKNOWN)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_server_that_is_down_is_unreachable_until_it_is_back(
    way: Way, server: OpenAIServer, *, streamed: bool
) -> None:
    model = model_at(way, server)
    server.refuse()
    with pytest.raises(ModelError) as caught:
        ask(model, streamed=streamed)
    assert caught.value.kind == "unreachable"
    assert server.base_url in str(caught.value)
    server.go_on()
    assert ask(model, streamed=streamed).text == WORDS


def test_a_host_that_does_not_exist_is_unreachable(way: Way) -> None:
    with pytest.raises(ModelError) as caught:
        complete(way("m", base_url="http://no-such-host.invalid/v1"))
    assert caught.value.kind == "unreachable"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault("rate_limited", retry_after="7"), 7.0),
        (Fault("rate_limited", retry_after_ms="250"), 0.25),
        (Fault("overloaded", retry_after="30000"), 30_000.0),
        (Fault("rate_limited"), None),
    ],
)
def test_what_the_server_asks_to_wait_is_reported_and_not_waited_for(
    way: Way, server: OpenAIServer, fault: Fault, seconds: float | None, *, streamed: bool
) -> None:
    server.fail_next(fault)
    with pytest.raises(ModelError) as caught:
        ask(model_at(way, server), streamed=streamed)
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("streamed", [False, True])
def test_a_filter_that_stops_a_reply_half_way_leaves_no_reply(way: Way, *, streamed: bool) -> None:
    answer = Answer("The answer", finish_reason="content_filter")
    with OpenAIServer(lambda _: answer) as server, pytest.raises(ModelError) as caught:
        ask(model_at(way, server), streamed=streamed)
    assert caught.value.kind == "content_filtered"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("finish", "kind"), [("length", "cut_off"), ("stop", "empty")])
def test_blank_words_are_no_reply(way: Way, finish: str, kind: str, *, streamed: bool) -> None:
    with OpenAIServer(lambda _: Answer(" \n", finish_reason=finish)) as server, pytest.raises(ModelError) as caught:
        ask(model_at(way, server), streamed=streamed)
    assert caught.value.kind == kind


PARTS: list[Any] = [{"type": "text", "text": "The answer "}, {"type": "text", "text": "is 42."}]


@pytest.mark.fault("3.10")
@pytest.mark.parametrize(
    "content",
    [
        PARTS,
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, *PARTS],
        ["The answer ", PARTS[1]],
        [{"type": "image_url", "image_url": {"url": "data:,"}}, *PARTS],
    ],
)
def test_a_content_in_parts_is_the_words_of_its_texts(way: Way, content: list[Any]) -> None:
    with OpenAIServer(lambda _: Answer("x", message={"content": content})) as server:
        reply = complete(model_at(way, server))
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("The answer is 42.", 5, 1)


@pytest.mark.fault("3.10")
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer("x", has_choices=False), "malformed", "holds no choices"),
        (Answer(message={"reasoning_content": "Let me see."}), "empty", "it thought, and stopped before its answer"),
        (Answer("<think>Let me see.</think>"), "empty", "it thought, and stopped before its answer"),
        (Answer(message={"content": [{"type": "thinking", "thinking": "hm"}]}), "empty", "the reply is empty"),
        (Answer(message={"content": [{"type": 7}, 7]}), "empty", "the reply is empty"),
        (Answer(message={"reasoning_content": "hm"}, finish_reason="length"), "cut_off", "used up by reasoning"),
        (Answer(message={"tool_calls": 7}), "malformed", "not a chat reply"),
    ],
)
def test_a_reply_without_words_is_told_as_what_it_is(way: Way, answer: Answer, kind: str, words: str) -> None:
    with OpenAIServer(lambda _: answer) as server, pytest.raises(ModelError, match=words) as caught:
        complete(model_at(way, server))
    assert caught.value.kind == kind
    assert ("--base-url" in str(caught.value)) is (kind == "malformed")
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_reply_that_its_server_broke_off_is_no_reply(way: Way, *, streamed: bool) -> None:
    answer = Answer("The answer is", finish_reason="error")
    with OpenAIServer(lambda _: answer) as server, pytest.raises(ModelError) as caught:
        ask(model_at(way, server), streamed=streamed)
    assert caught.value.kind == ("malformed" if streamed and way is LiteLLMModel else "truncated")


def test_the_timeout_of_a_request_goes_before_the_models(way: Way) -> None:
    with OpenAIServer(lambda _: WORDS, latency_s=3600) as server:
        with pytest.raises(ModelError) as caught:
            complete(model_at(way, server), replace(REQUEST, timeout_s=0.3))
        assert caught.value.kind == "timeout"


def test_a_key_is_sent_and_never_shown(way: Way) -> None:
    key = "hush-very-secret-1234"
    with OpenAIServer(lambda _: WORDS, api_key=key) as server:
        assert complete(model_at(way, server, api_key=key)).text == WORDS
        server.fail_next(Fault("bad_key", message=f"Incorrect API key provided: {key}, not sk-abcdefgh12345678"))
        with pytest.raises(ModelError) as caught:
            complete(model_at(way, server, api_key=key))
        assert key not in repr(model_at(way, server, api_key=key))
    shown = f"{caught.value!r} {caught.value}"
    assert key not in shown
    assert "sk-abcdefgh12345678" not in shown
    assert "[key hidden]" in shown


@pytest.mark.parametrize(
    ("api_key", "base_url", "sent"),
    [
        (None, None, None),
        ("k", None, "k"),
        ("k", "http://127.0.0.1:1/v1", "k"),
        (None, "http://127.0.0.1:1/v1", "no-key"),
        (None, "HTTP://gateway.example/v1", "no-key"),
    ],
)
def test_keys_of_the_environment_are_not_sent_in_the_clear(
    api_key: str | None, base_url: str | None, sent: str | None
) -> None:
    assert key_to_send(api_key, base_url) == sent


@pytest.mark.parametrize(("key", "sent"), [("k", None), (None, "no-key")])
def test_a_server_behind_tls_gets_the_key_of_the_environment_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, key: str | None, sent: str | None
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    assert key_to_send(None, "https://gateway.example/v1") == sent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer abc.def-123 is wrong", "Bearer [key hidden] is wrong"),
        ("https://x.example/v1?key=AbCd&alt=sse", "https://x.example/v1?key=[key hidden]&alt=sse"),
        ("at http://me:password@host/v1", "at http://[key hidden]@host/v1"),
        ("the known one: open-sesame!", "the known one: [key hidden]!"),
        ("task-manager, api_version, a@b.example", "task-manager, api_version, a@b.example"),
    ],
)
def test_whatever_looks_like_a_key_is_blotted_out(text: str, shown: str) -> None:
    assert hide_keys(text, known=["open-sesame", None, "", "short"]) == shown


def test_errors_are_short_and_say_what_to_do(way: Way, server: OpenAIServer) -> None:
    server.fail_next(Fault("server_error", message="x" * 100_000))
    with pytest.raises(ModelError) as caught:
        complete(model_at(way, server))
    assert len(str(caught.value)) < 1000
    assert str(caught.value).endswith("try again later")


def test_a_cancelled_call_ends_at_the_server_too(way: Way) -> None:
    async def scene(server: OpenAIServer, model: Model) -> None:
        call = asyncio.ensure_future(model.complete(REQUEST))
        await asyncio.to_thread(server.wait_for, lambda it: it.in_flight == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    with OpenAIServer(lambda _: WORDS, latency_s=3600) as server:
        run_sync(scene(server, model_at(way, server)))
        assert server.wait_for(lambda it: it.clients_gone == 1)
        asyncio.run(scene(server, model_at(way, server)))
        assert server.wait_for(lambda it: it.clients_gone == 2)


def test_a_stream_that_is_left_early_ends_at_the_server_too(way: Way, server: OpenAIServer) -> None:
    async def first_piece() -> str | ModelReply:
        stream = model_at(way, server).stream(REQUEST)
        piece = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return piece

    server.fail_next(Fault("stalled", seconds=60), Fault("stalled", seconds=60))
    assert run_sync(first_piece())
    assert server.wait_for(lambda it: it.clients_gone == 1)
    assert asyncio.run(first_piece())
    assert server.wait_for(lambda it: it.clients_gone == 2)


def test_callers_on_other_loops_are_bridged_to_the_one_loop_that_calls_run_on(way: Way, server: OpenAIServer) -> None:
    async def from_here() -> tuple[str, list[str | ModelReply]]:
        assert asyncio.get_running_loop() is not background_loop()
        return (await model_at(way, server).complete(REQUEST)).text, await pieces_of(model_at(way, server))

    for _ in range(2):  # each time a loop of its own, over the same connections
        text, pieces = asyncio.run(from_here())
        assert text == WORDS
        assert isinstance(pieces[-1], ModelReply)


def test_calls_work_again_after_the_loop_was_closed(way: Way, server: OpenAIServer) -> None:
    complete(model_at(way, server))
    close_background_loop()
    assert complete(model_at(way, server)).text == WORDS


def test_many_calls_share_the_loop(way: Way) -> None:
    async def crowd(model: Model) -> list[ModelReply]:
        return list(await asyncio.gather(*(model.complete(REQUEST) for _ in range(40))))

    async def when_many_are_there(_: Chat) -> str:
        while busy.most_in_flight <= 20:
            await asyncio.sleep(0.005)
        return WORDS

    with OpenAIServer(when_many_are_there) as busy:
        replies = run_sync(crowd(model_at(way, busy)))
        assert [reply.text for reply in replies] == [WORDS] * 40


def test_requests_are_as_the_user_wrote_them(way: Way, server: OpenAIServer) -> None:
    words = 'Grüße, 世界 \U0001f600 "quoted" <task id="x"> {braces} \\ \x0b'
    complete(model_at(way, server), replace(REQUEST, messages=({"role": "user", "content": words},)))
    assert server.chats[0].user == words


PROGRAM = """
import os, sys
os.environ.pop("LITELLM_MODE", None); os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"
from ramify.planner.runtime.background import run_sync
from ramify.planner.models.{module} import {name}
from ramify.planner.models.protocol import ModelRequest
def loaded(): return [name for name in ("litellm", "openai", "httpx", "aiohttp") if name in sys.modules]
assert not loaded()
request = ModelRequest(purpose="execute", task_id="0", messages=({{"role": "user", "content": "hello"}},))
model = {name}("test-model", base_url=sys.argv[1])
async def stream(): return [piece async for piece in model.stream(request)]
print(run_sync(model.complete(request)).text)
print(run_sync(stream())[-1].text)
print(os.environ.get("LITELLM_MODE"), *loaded())
"""


@pytest.mark.parametrize(
    ("module", "name", "loaded"),
    [
        ("litellm", "LiteLLMModel", "PRODUCTION litellm openai httpx aiohttp"),
        ("direct", "DirectModel", "None aiohttp"),
    ],
)
def test_a_process_ends_clean_and_silent_and_has_loaded_what_it_needs(
    server: OpenAIServer, module: str, name: str, loaded: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", PROGRAM.format(module=module, name=name), server.base_url],
        capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()) == (0, [WORDS, WORDS, loaded])
    assert done.stderr == ""
