"""The double itself, spoken to without litellm: over http.client."""

import asyncio
import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .made_up_goals import answer, last_goal, parts_of, solution_of
from .openai_server import ERRORS, Answer, Chat, Fault, FaultKind, OpenAIServer
from .patience import HANG_S

GOAL = "trip{pack{bag{}|shoes{}};leave{}}"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda chat: f"you said {chat.user}") as running:
        yield running


def post(server: OpenAIServer, words: str = "hello", **more: Any) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_S)
    try:
        body = {"model": "m", "messages": [{"role": "user", "content": words}], **more}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": "Bearer k"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read().decode()
    finally:
        connection.close()


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_whole_reply_has_words_reason_and_usage(server: OpenAIServer) -> None:
    status, _, text = post(server)
    reply = json.loads(text)
    assert (status, reply["model"]) == (200, "m")
    assert reply["choices"][0]["message"]["content"] == "you said hello"
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"] == {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}


@pytest.mark.parametrize("counted", [False, True])
def test_a_stream_ends_with_reason_usage_if_asked_for_and_done(server: OpenAIServer, *, counted: bool) -> None:
    more = {"stream_options": {"include_usage": True}} if counted else {}
    *chunks, done = events(post(server, "hello, how are you?", stream=True, **more)[2])
    assert done == "[DONE]"
    words = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"]]
    assert "".join(words) == "you said hello, how are you?"
    assert len(words) > 3
    assert [chunk["usage"]["prompt_tokens"] for chunk in chunks if "usage" in chunk] == ([4] if counted else [])


def test_the_handler_may_wait_and_may_call_tools_and_may_fail() -> None:
    async def handler(chat: Chat) -> Answer | Fault:
        return Fault("html") if chat.user == "fail" else Answer(tool_calls=(("look", {"at": 1}),))

    with OpenAIServer(handler) as server:
        choice = json.loads(post(server)[2])["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": 1}'}
        assert "<html>" in post(server, "fail")[2]


@pytest.mark.parametrize("kind", ERRORS)
def test_faults_that_are_a_status_come_with_an_error_body_and_headers(server: OpenAIServer, kind: FaultKind) -> None:
    server.fail_next(Fault(kind, retry_after="7", retry_after_ms="50"))
    status, headers, text = post(server)
    assert (status, json.loads(text)["error"]["code"]) == ERRORS[kind][:2]
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("7", "50")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("kind", "error"),
    [("drop", (ConnectionError, http.client.BadStatusLine)), ("reset", (ConnectionError, http.client.IncompleteRead))],
)
def test_broken_connections_break(
    server: OpenAIServer, kind: FaultKind, error: tuple[type[Exception], ...], *, streamed: bool
) -> None:
    server.fail_next(Fault(kind))
    with pytest.raises(error):
        post(server, stream=streamed)
    assert server.wait_for(lambda it: it.in_flight == 0)


def test_cut_bodies_are_cut(server: OpenAIServer) -> None:
    server.fail_next(Fault("cut_json"), Fault("cut_stream"), Fault("cut_json"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(post(server)[2])
    assert [event["choices"][0]["finish_reason"] for event in events(post(server, stream=True)[2])] == [None] * 3
    with pytest.raises(json.JSONDecodeError):
        events(post(server, stream=True)[2])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", ["slow", "stalled"])
def test_slow_faults_take_their_time_and_notice_when_the_client_leaves(
    server: OpenAIServer, kind: FaultKind, *, streamed: bool
) -> None:
    server.fail_next(Fault(kind, seconds=60))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.2)
    body = {"model": "m", "messages": [], "stream": streamed}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    with pytest.raises(TimeoutError):
        connection.getresponse().read()
    connection.close()
    assert server.wait_for(lambda it: it.clients_gone == 1 and it.in_flight == 0)


def test_faults_are_taken_in_order_and_none_lets_one_through(server: OpenAIServer) -> None:
    server.fail_next(Fault("server_error"), None, Fault("overloaded"))
    assert [post(server)[0] for _ in range(4)] == [500, 200, 503, 200]


def test_a_server_that_refuses_comes_back_on_the_same_port(server: OpenAIServer) -> None:
    port = server.port
    server.refuse()
    with pytest.raises(ConnectionRefusedError):
        post(server)
    server.go_on()
    assert (post(server)[0], server.port) == (200, port)


def test_a_key_can_be_asked_for() -> None:
    with (
        OpenAIServer(lambda _: "hello", api_key="k") as right,
        OpenAIServer(lambda _: "hello", api_key="other") as wrong,
    ):
        assert (post(right)[0], post(wrong)[0]) == (200, 401)


def test_requests_are_counted_and_kept() -> None:
    async def when_five_are_there(_: Chat) -> str:
        while server.most_in_flight < 5 or not is_seen.is_set():
            await asyncio.sleep(0.005)
        return "hello"

    is_seen = threading.Event()
    with OpenAIServer(when_five_are_there) as server:
        _five_requests(server, is_seen)


def _five_requests(server: OpenAIServer, is_seen: threading.Event) -> None:
    threads = [threading.Thread(target=post, args=(server, f"number {i}")) for i in range(5)]
    for thread in threads:
        thread.start()
    assert server.wait_for(lambda it: it.in_flight == 5)
    is_seen.set()
    for thread in threads:
        thread.join()
    assert server.wait_for(lambda it: it.in_flight == 0), "a client has its answer before the server knows that it has"
    assert server.most_in_flight == 5
    assert [chat.number for chat in server.chats] == [1, 2, 3, 4, 5]
    assert sorted(chat.user for chat in server.chats) == [f"number {i}" for i in range(5)]


def test_models_are_listed_and_other_addresses_are_not_there(server: OpenAIServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_S)
    connection.request("GET", "/v1/models")
    assert [model["id"] for model in json.loads(connection.getresponse().read())["data"]] == ["test-model"]
    connection.request("GET", "/elsewhere")
    assert connection.getresponse().status == 404
    connection.close()


def test_made_up_goals_fall_into_parts() -> None:
    assert parts_of(GOAL) == (["pack{bag{}|shoes{}}", "leave{}"], True)
    assert parts_of("pack{bag{}|shoes{}}") == (["bag{}", "shoes{}"], False)
    assert parts_of("bag{}") == ([], False)


def test_the_last_goal_of_a_prompt_is_the_task() -> None:
    assert last_goal(f"part of {GOAL}:\nbag{{}}\nAnswer {{soon}}.") == "bag{}"
    assert last_goal("no goal { here }") == ""


def test_the_planner_splits_serial_goals_with_needs_and_parallel_ones_without() -> None:
    plan = answer("reply with <atomic/> or tasks", GOAL)
    assert re.findall(r'<task id="(\w+)"(?: needs="(\w+)")?>', plan) == [("t0", ""), ("t1", "t0")]
    assert "needs" not in answer("or <atomic/>", "pack{bag{}|shoes{}}")
    assert answer("or <atomic/>", "bag{}") == "<atomic/>"


def test_leaves_and_compositions_give_the_solution_only_if_no_part_is_lost() -> None:
    pack = answer("compose", f"{solution_of('bag{}')} and {solution_of('shoes{}')} for pack{{bag{{}}|shoes{{}}}}")
    assert pack == f"<result>{solution_of('pack{bag{}|shoes{}}')}</result>"
    lost = answer("compose", f"{solution_of('bag{}')} for pack{{bag{{}}|shoes{{}}}}")
    assert lost != pack


def test_the_program_serves_made_up_goals() -> None:
    program = Path(__file__).with_name("openai_server.py")
    command = [sys.executable, str(program), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(":")[2].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        body = {"model": "m", "messages": [{"role": "user", "content": GOAL}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        words = json.loads(connection.getresponse().read())["choices"][0]["message"]["content"]
        connection.close()
        process.terminate()
    assert words == f"<result>{solution_of(GOAL)}</result>"
