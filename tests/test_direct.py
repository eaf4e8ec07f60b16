"""The transport of our own: the words of real servers, the forms that streams take, and what reaches whom."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, RunLimits
from ramify.planner.errors import ModelError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.openai_itself import OpenAIModel
from ramify.planner.models.protocol import ModelReply, Sampling, ToolCall
from ramify.planner.models.retry import may_retry, waits_for_all
from ramify.planner.models.server import Timeouts
from ramify.planner.models.unanswered import UNKNOWN
from ramify.planner.runtime.background import run_sync
from ramify.prompts.rendered import Message
from ramify.tasks import Task, TaskConfig
from ramify.tasks.tree.config import NO_USAGE

from .openai_server import Chat, OpenAIServer
from .patience import HANG_S
from .raw_server import RawServer, answer, events
from .test_transports import REQUEST, ask, complete, pieces_of
from .test_web_fetching import certificate

LLAMA_TOO_LONG = (
    '{"error":{"code":400,"message":"request (4031 tokens) exceeds the available context size (1024 tokens), try '
    'increasing it","type":"exceed_context_size_error","n_prompt_tokens":4031,"n_ctx":1024}}'
)
VLLM_TOO_LONG = (
    "This model's maximum context length is 2048 tokens. However, your request has 3000 input tokens. Please reduce "
    "the length of the input messages."
)


def error(message: str, **more: Any) -> str:
    return json.dumps({"error": {"message": message, **more}})


SAID: list[tuple[str, int, str, str, str]] = [
    ("llama.cpp, too long", 400, LLAMA_TOO_LONG, "context_exceeded", "request (4031 tokens) exceeds"),
    ("llama.cpp, loading", 503, error("Loading model", type="unavailable_error", code=503), "loading", "Loading model"),
    ("llama.cpp, key", 401, error("Invalid API Key", type="authentication_error", code=401), "bad_key", "Invalid API"),
    ("llama.cpp, none such", 501, error("not supported", type="not_supported_error"), "unsupported", "not supported"),
    ("vLLM, too long", 400, error(VLLM_TOO_LONG, type="BadRequestError", code=400), "context_exceeded", "2048 tokens"),
    (
        "vLLM before 0.10",
        400,
        json.dumps({"object": "error", "message": VLLM_TOO_LONG, "type": "BadRequestError", "code": 400}),
        "context_exceeded",
        "2048 tokens",
    ),
    ("vLLM, model", 404, error("The model `m` does not exist.", type="NotFoundError", code=404), "not_found", "`m`"),
    ("vLLM, key", 401, '{"error": "Unauthorized"}', "bad_key", "Unauthorized"),
    (
        "vLLM, tools",
        400,
        error('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', code=400),
        "unsupported",
        "--no-native-tools",
    ),
    ("Ollama, model", 404, error("model 'm' not found", type="not_found_error", code=None), "not_found", "'m'"),
    (
        "Ollama, busy",
        503,
        error("server busy, please try again.  maximum pending requests exceeded", type="api_error", code=None),
        "overloaded",
        "server busy",
    ),
    (
        "Ollama, tools",
        400,
        error("registry.ollama.ai/library/m does not support tools", type="invalid_request_error"),
        "unsupported",
        "--no-native-tools",
    ),
    ("FastAPI", 404, '{"detail": "Not Found"}', "not_found", "Not Found"),
    ("a proxy", 502, "<html>Bad gateway</html>", "server_error", "Bad gateway"),
    ("nobody", 500, "", "server_error", "status 500 without a message"),
    ("a gateway, in a success", 200, error("Rate limit exceeded", code=429), "rate_limited", "Rate limit exceeded"),
    ("a gateway, in a success", 200, error("Provider returned error", code="x"), "server_error", "Provider returned"),
    ("something else", 200, '{"models": []}', "malformed", "--base-url"),
    ("something else", 200, "[]", "malformed", "--base-url"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("who", "status", "body", "kind", "words"), SAID)
def test_the_errors_of_real_servers_are_told_apart_and_quoted(
    who: str, status: int, body: str, kind: str, words: str, *, streamed: bool
) -> None:
    assert who
    with RawServer(answer(status, body)) as server, pytest.raises(ModelError) as caught:
        ask(DirectModel("m", base_url=server.base_url), streamed=streamed)
    assert caught.value.kind == kind
    assert words in str(caught.value)


BROKEN_BODIES: list[tuple[str, bytes, str]] = [
    ("length", b"Content-Length: 100\r\n\r\nhalf of it", "truncated"),
    ("chunks", b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf of it", "truncated"),
    ("encoding", b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf", "malformed"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("what", "rest", "kind"), BROKEN_BODIES)
def test_a_reply_that_had_begun_is_no_missing_connection(what: str, rest: bytes, kind: str, *, streamed: bool) -> None:
    assert what
    server = RawServer(b"HTTP/1.1 200 OK\r\n" + rest, hangs_up=True)
    with server, pytest.raises(ModelError) as caught:
        ask(DirectModel("m", base_url=server.base_url), streamed=streamed)
    assert (caught.value.kind, may_retry(kind), waits_for_all(kind)) == (kind, True, False)
    assert caught.value.usage == UNKNOWN
    assert "400" not in str(caught.value).partition("/v1: ")[2]  # no server has sent such a status


@pytest.mark.parametrize(
    ("body", "prompt", "window"), [(LLAMA_TOO_LONG, 4031, 1024), (error(VLLM_TOO_LONG), 3000, 2048)]
)
def test_a_prompt_that_is_too_long_is_told_with_its_numbers(body: str, prompt: int, window: int) -> None:
    with RawServer(answer(400, body)) as server, pytest.raises(ModelError) as caught:
        complete(DirectModel("m", base_url=server.base_url))
    assert (caught.value.prompt_tokens, caught.value.window_tokens) == (prompt, window)


def chunk(**more: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": None, **more}]}, ensure_ascii=False)


WORD = chunk(delta={"content": "Grüße"})
END = chunk(finish_reason="stop")
USED = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
WHOLE = json.dumps({"choices": [{"message": {"content": "Grüße"}, "finish_reason": "stop"}]}, indent=1)
CUT_LETTER = f"data: {WORD}\n\ndata: {END}\n\n".encode()

STREAMS: list[tuple[str, Sequence[bytes]]] = [
    ("as usual", [f"data: {WORD}\n\ndata: {END}\n\ndata: {USED}\n\ndata: [DONE]\n\n".encode(), b""]),
    ("without a last word", [f"data: {WORD}\n\ndata: {END}\n\n".encode(), b""]),
    ("with CRLF, no blanks", [f"data:{WORD}\r\n\r\ndata:{END}\r\n\r\ndata:[DONE]\r\n\r\n".encode(), b""]),
    ("with signs of life", [f": PROCESSING\n\nevent: x\nid: 7\ndata: {WORD}\n\n: \n\ndata: {END}\n\n".encode(), b""]),
    ("in pieces", [*(bytes([byte]) for byte in CUT_LETTER), b""]),
    ("left open", [f"data: {WORD}\n\ndata: {END}\n\ndata: [DONE]\n\n".encode()]),
    ("without a line's end", [f"data: {WORD}\n\ndata: {END}".encode(), b""]),
    ("whole, though asked for in pieces", [WHOLE.encode(), b""]),
]


@pytest.mark.parametrize(("form", "pieces"), STREAMS)
def test_a_stream_may_come_in_many_forms(form: str, pieces: Sequence[bytes]) -> None:
    assert form
    with RawServer(*events(*pieces)) as server:
        *words, reply = run_sync(pieces_of(DirectModel("m", base_url=server.base_url)))
    assert words == ["Grüße"]
    assert isinstance(reply, ModelReply)
    assert (reply.text, reply.finish_reason) == ("Grüße", "stop")


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        (f"data: {error('slot unavailable', code=503)}", "overloaded", 503),
        (f"error: {error('it broke', code=500)}", "server_error", 500),
        (f"data: {error('no code', code=None)}", "server_error", 500),
        (f"data: {json.dumps({'object': 'error', 'message': 'aborted', 'code': 400})}", "bad_request", 400),
        ("data: nonsense", "malformed", None),
        ("data: 7", "malformed", None),
        ('data: {"choices": 7}', "malformed", None),
    ],
)
def test_an_error_in_the_middle_of_a_stream_leaves_no_reply(event: str, kind: str, status: int | None) -> None:
    raw = RawServer(*events(f"data: {WORD}\n\n{event}\n\ndata: [DONE]\n\n".encode(), b""))
    with raw as server, pytest.raises(ModelError) as caught:
        run_sync(pieces_of(DirectModel("m", base_url=server.base_url)))
    assert (caught.value.kind, caught.value.status_code, caught.value.usage) == (kind, status, UNKNOWN)


def test_an_error_before_the_first_piece_of_a_stream_is_no_call() -> None:
    raw = RawServer(*events(f"data: {error('slot unavailable', code=503)}\n\ndata: [DONE]\n\n".encode(), b""))
    with raw as server, pytest.raises(ModelError) as caught:
        run_sync(pieces_of(DirectModel("m", base_url=server.base_url)))
    assert caught.value.usage == NO_USAGE


def test_a_limit_on_calls_holds_where_errors_come_in_the_middle_of_streams(tmp_path: Path) -> None:
    raw = RawServer(*events(f"data: {WORD}\n\ndata: {error('it broke', code=500)}\n\n".encode(), b""))
    task = Task(content="x", id="0", config=TaskConfig(max_retries=5, retry_delay_seconds=0.0))
    with raw as server:
        agent = Agent("m", base_url=server.base_url)
        run = Executor(agent, store=tmp_path / "runs.db", limits=RunLimits(max_calls=2)).run(task)
    sent = [head for head in server.requests if head.startswith("POST")]
    assert (run.status, run.usage.calls, len(sent)) == ("stopped", 2, 2)
    assert (run.usage.output_tokens, run.usage.calls_without_cost) == (4, 2)  # a word of seven bytes each had come


def test_a_stream_that_ends_within_an_event_has_broken_off() -> None:
    raw = RawServer(*events(f"data: {WORD}\n\ndata: {WORD[:20]}".encode(), b""))
    with raw as server, pytest.raises(ModelError) as caught:
        run_sync(pieces_of(DirectModel("m", base_url=server.base_url)))
    assert caught.value.kind == "truncated"
    assert "the reply broke off: the stream ended in the middle of an event, after" in str(caught.value)


def test_a_line_without_an_end_is_no_reply() -> None:
    raw = RawServer(*events(b"data: " + b"x" * 9_000_000))
    with raw as server, pytest.raises(ModelError, match="a line of more than 8000000 bytes") as caught:
        run_sync(pieces_of(DirectModel("m", base_url=server.base_url)))
    assert caught.value.kind == "malformed"


def test_signs_of_life_are_no_words() -> None:
    signs = [b": still there\n\n"] * 200
    timeouts = Timeouts(first_word_s=0.5)
    with RawServer(*events(*signs, f"data: {WORD}\n\n".encode())) as server, pytest.raises(ModelError) as caught:
        run_sync(pieces_of(DirectModel("m", base_url=server.base_url, timeouts=timeouts)))
    assert "no text within first_word_s = 0.5" in str(caught.value)


def whole(usage: dict[str, Any] | None = None, **message: Any) -> bytes:
    choice = {"message": {"content": "ok", **message}, "finish_reason": "stop"}
    return answer(200, json.dumps({"choices": [choice], "usage": usage}))


def test_tools_may_be_called_with_an_object_where_a_text_is_due() -> None:
    call = {"id": "c", "function": {"name": "look", "arguments": {"at": {"the": "sky"}}}}
    with RawServer(whole(tool_calls=[call])) as server:
        reply = complete(DirectModel("m", base_url=server.base_url))
    assert reply.tool_calls == (ToolCall(id="c", name="look", arguments='{"at": {"the": "sky"}}'),)


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ({"content": 42}, "malformed", "its content is a number, not text"),
        ({"content": {"answer": 4}}, "malformed", "its content is an object, not text"),
        ({"content": None, "function_call": {"name": "look"}}, "malformed", "it called look with function_call"),
        (
            {"content": None, "tool_calls": [{"id": "c", "function": {"name": "look", "arguments": "{}"}}]},
            "empty",
            "it called look but was given no tools",
        ),
        ({"content": None}, "empty", "the reply is empty"),
    ],
)
def test_what_came_instead_of_words_is_named(message: dict[str, Any], kind: str, words: str) -> None:
    with RawServer(whole(**message)) as server, pytest.raises(ModelError) as caught:
        complete(DirectModel("m", base_url=server.base_url))
    assert (caught.value.kind, words in str(caught.value)) == (kind, True)


@pytest.mark.parametrize("head", [b"204 None\r\n\r\n", b"200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_an_answer_without_a_body_is_told_as_one(head: bytes) -> None:
    server = RawServer(b"HTTP/1.1 " + head, hangs_up=True)
    with server, pytest.raises(ModelError, match="the answer has no body; check") as caught:
        complete(DirectModel("m", base_url=server.base_url))
    assert caught.value.kind == "malformed"


def test_a_refusal_is_told_as_one() -> None:
    with RawServer(whole(content=None, refusal="I would rather not.")) as server, pytest.raises(ModelError) as caught:
        complete(DirectModel("m", base_url=server.base_url))
    assert caught.value.kind == "content_filtered"
    assert "I would rather not" in str(caught.value)


@pytest.mark.parametrize(
    ("usage", "cached", "cost_usd"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, 0, 1000 * 0.25e-6 + 100 * 2e-6),
        (
            {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 900}},
            900,
            100 * 0.25e-6 + 900 * 0.025e-6 + 100 * 2e-6,
        ),
        (
            {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_cache_hit_tokens": 900},
            900,
            100 * 0.25e-6 + 900 * 0.025e-6 + 100 * 2e-6,
        ),
        (
            {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": None},
            0,
            1000 * 0.25e-6 + 100 * 2e-6,
        ),
        ({"prompt_tokens": "many"}, 0, None),
        (None, 0, None),
    ],
)
def test_cached_tokens_are_told_and_cost_what_they_cost(
    usage: dict[str, Any] | None, cached: int, cost_usd: float | None
) -> None:
    with RawServer(whole(usage)) as server:
        reply = complete(DirectModel("gpt-5-mini", base_url=server.base_url))
    assert reply.cached_tokens == cached
    assert reply.cost_usd == (None if cost_usd is None else pytest.approx(cost_usd))
    assert ModelReply.from_data(reply.to_data()) == reply


@pytest.mark.parametrize("way", [DirectModel, LiteLLMModel])
@pytest.mark.parametrize("where", ["details", "usage"])
def test_tokens_that_are_put_into_a_cache_cost_what_that_costs(
    way: type[DirectModel] | type[LiteLLMModel], where: str
) -> None:
    details = {"cached_tokens": 1000} | ({"cache_write_tokens": 2000} if where == "details" else {})
    usage = {"prompt_tokens": 4000, "completion_tokens": 10, "total_tokens": 4010, "prompt_tokens_details": details}
    usage |= {"cache_creation_input_tokens": 2000} if where == "usage" else {}
    with RawServer(whole(usage)) as server:
        reply = complete(way("gpt-5.6", base_url=server.base_url))
    assert (reply.input_tokens, reply.cached_tokens) == (4000, 1000)
    assert reply.cost_usd == pytest.approx(1000 * 4e-6 + 1000 * 0.4e-6 + 2000 * 5e-6 + 10 * 20e-6)


def test_a_reasoning_model_of_openais_is_told_its_limit_by_its_new_name() -> None:
    request = replace(REQUEST, sampling=Sampling(max_output_tokens=50))
    with OpenAIServer(lambda _: "ok") as server:
        complete(DirectModel("gpt-5-mini", base_url=server.base_url), request)
        complete(DirectModel("gpt-4o-mini", base_url=server.base_url), request)
    limits = [{name: chat.body[name] for name in chat.body if name.startswith("max")} for chat in server.chats]
    assert limits == [{"max_completion_tokens": 50}, {"max_tokens": 50}]


def test_a_system_message_without_words_is_not_sent() -> None:
    said = (Message(role="system", content=""), Message(role="user", content="Hi"))
    with OpenAIServer(lambda _: "Hello") as server:
        complete(DirectModel("m", base_url=server.base_url), replace(REQUEST, messages=said))
        assert [each["role"] for each in server.chats[0].body["messages"]] == ["user"]


def test_calls_one_after_the_other_share_a_connection() -> None:
    with RawServer(whole()) as server:
        model = DirectModel("m", base_url=server.base_url)
        for _ in range(3):
            complete(model)
        assert (len(server.requests), server.connections) == (3, 1)
    with RawServer(*events(f"data: {WORD}\n\ndata: {END}\n\ndata: [DONE]\n\n".encode(), b"")) as server:
        model = DirectModel("m", base_url=server.base_url)
        for _ in range(3):
            run_sync(pieces_of(model))
        assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_redirect_is_not_followed_and_its_aim_is_told(status: int, *, streamed: bool) -> None:
    with OpenAIServer(lambda _: "ok") as other:
        location = f"Location: {other.base_url.replace('//', '//ann:pw@')}/chat/completions?token=hush\r\n"
        with RawServer(answer(status, "moved", extra=location)) as server, pytest.raises(ModelError) as caught:
            ask(DirectModel("m", base_url=server.base_url, api_key="hush-very-secret"), streamed=streamed)
        assert other.chats == []
    assert (caught.value.kind, caught.value.status_code, caught.value.usage) == ("not_found", status, NO_USAGE)
    assert f"127.0.0.1:{other.port}/v1/chat/completions" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "ann:pw" not in str(caught.value)


def test_no_cookie_is_kept() -> None:
    body = json.dumps({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})
    with RawServer(answer(200, body, extra="Set-Cookie: session=1; Path=/\r\n")) as server:
        model = DirectModel("m", base_url=server.base_url)
        complete(model)
        complete(model)
    assert "cookie" not in server.requests[1].lower()


def test_no_password_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with OpenAIServer(lambda _: "ok", api_key="k") as server:
        assert complete(DirectModel("m", base_url=server.base_url, api_key="k")).text == "ok"


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_the_proxy_of_the_environment_is_gone_through(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with RawServer(whole()) as proxy:
        monkeypatch.setenv(variable, f"http://ann:pw@127.0.0.1:{proxy.port}")
        assert complete(DirectModel("m", base_url="http://models.invalid/v1")).text == "ok"
    assert proxy.requests[0].startswith("POST http://models.invalid/v1/chat/completions HTTP/1.1")
    assert "Proxy-Authorization: Basic YW5uOnB3" in proxy.requests[0]


def test_no_proxy_is_gone_through_where_none_is_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with OpenAIServer(lambda _: "ok") as server:
        assert complete(DirectModel("m", base_url=server.base_url)).text == "ok"


def test_a_proxy_that_is_not_there_is_unreachable_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RawServer() as proxy:
        port = proxy.port
    monkeypatch.setenv("http_proxy", f"http://ann:hush@127.0.0.1:{port}")
    with pytest.raises(ModelError) as caught:
        complete(DirectModel("m", base_url="http://models.invalid/v1"))
    assert (caught.value.kind, caught.value.usage) == ("unreachable", NO_USAGE)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://[::1/v1", "http://h:99999/v1", "http:///v1", "http://h:abc/v1"])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_address_that_is_none_is_told_without_its_secrets(address: str, *, streamed: bool) -> None:
    with pytest.raises(ModelError, match="that is not an address; check --model and --base-url") as caught:
        ask(DirectModel("m", base_url=f"{address}?token=hush"), streamed=streamed)
    assert (caught.value.kind, caught.value.usage) == ("not_found", NO_USAGE)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_no_http_is_no_reply(*, streamed: bool) -> None:
    with RawServer(b"SSH-2.0-OpenSSH_9.2\r\n") as server, pytest.raises(ModelError) as caught:
        ask(DirectModel("m", base_url=server.base_url), streamed=streamed)
    assert caught.value.kind == "malformed"


def test_a_reply_may_come_in_any_encoding_that_was_asked_for() -> None:
    import gzip

    body = gzip.compress(json.dumps({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}).encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with RawServer(head + body) as server:
        assert complete(DirectModel("m", base_url=server.base_url)).text == "ok"


def test_the_key_of_the_environment_goes_to_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(chat: Chat) -> str:
        return chat.headers["authorization"]

    with OpenAIServer(handler) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "k\n")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert complete(DirectModel("openai/gpt-5-mini")).text == "Bearer k"
    assert server.chats[0].body["model"] == "gpt-5-mini"


TLS = """
import sys
from ramify.planner.errors import ModelError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.runtime.background import run_sync
request = ModelRequest(purpose="execute", task_id="0", messages=({"role": "user", "content": "hello"},))
try:
    print(run_sync(DirectModel("m", base_url=sys.argv[1], api_key="k").complete(request)).text)
except ModelError as error:
    print(error.kind, error.usage.calls)
"""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
def test_certificates_are_checked_by_what_the_machine_trusts(tmp_path: Path) -> None:
    def said(base_url: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", TLS, base_url], env={**os.environ, **environment},
            capture_output=True, text=True, timeout=HANG_S, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    with RawServer(whole(), tls=certificate(tmp_path, "localhost")) as server:
        named = server.base_url.replace("127.0.0.1", "localhost")
        trusted = {"SSL_CERT_FILE": str(tmp_path / "cert.pem")}
        assert said(named, **trusted) == "ok"
        assert said(server.base_url, **trusted) == "unreachable 0"  # the certificate has another name
        assert said(named) == "unreachable 0"


@pytest.mark.parametrize("streamed", [False, True])
def test_only_tools_of_openais_reasoning_models_go_through_litellm(
    monkeypatch: pytest.MonkeyPatch, *, streamed: bool
) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_ORG_ID", "ours")
    with OpenAIServer(lambda _: "ok", api_key="k") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        for name, tools in (("gpt-5-mini", ()), ("gpt-4o-mini", (tool,)), ("gpt-5-mini", (tool,))):
            request = replace(REQUEST, tools=tools)
            model = OpenAIModel(name)
            reply = run_sync(pieces_of(model, request))[-1] if streamed else complete(model, request)
            assert isinstance(reply, ModelReply)
            assert (reply.text, reply.cost_usd is None) == ("ok", False)
    agents = [chat.headers["user-agent"] for chat in server.chats]
    assert ["aiohttp" in agent and "OpenAI" not in agent for agent in agents] == [True, True, False]
    assert [chat.headers.get("openai-organization") for chat in server.chats[:2]] == ["ours", "ours"]


def test_an_address_without_a_path_is_said_to_end_in_v1_mostly() -> None:
    with RawServer(answer(404, '{"error": "unknown route"}')) as server:
        host = server.base_url.removesuffix("/v1")
        for base_url, is_told in ((host, True), (f"{host}/", True), (server.base_url, False)):
            with pytest.raises(ModelError, match="unknown route") as caught:
                complete(DirectModel("m", base_url=base_url))
            assert (f"; most addresses end in /v1, such as {host}/v1" in str(caught.value)) is is_told


def test_a_reply_in_another_encoding_is_said_to_be_that() -> None:
    body = b'{"choices": [{"message": {"content": "caf\xe9"}, "finish_reason": "stop"}]}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        RawServer(head + body) as server,
        pytest.raises(ModelError, match=r"what came is not UTF-8 \(byte 41 is 0xe9\), and begins with: {") as caught,
    ):
        complete(DirectModel("m", base_url=server.base_url))
    assert caught.value.kind == "malformed"
