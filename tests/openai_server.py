"""A local server that speaks the OpenAI chat and embeddings APIs, answers by script, and fails on demand.

It answers whole messages of Anthropic's API too.

    with OpenAIServer(lambda chat: f"you said {chat.user}") as server:
        server.fail_next(Fault("rate_limited", retry_after="1"), Fault("html"))
        ...                        # point a client at server.base_url, with any model name and key
        assert server.most_in_flight <= 8

Standard library only; one thread, one event loop, loopback. As a program (`python tests/openai_server.py --help`) it
plans the made-up goals of `made_up_goals.py`.
"""

import argparse
import asyncio
import importlib
import json
import random
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Self

FaultKind = Literal[
    "rate_limited", "quota", "server_error", "bad_gateway", "overloaded", "bad_key", "no_model", "bad_request",
    "context", "filtered", "drop", "reset", "slow", "stalled", "cut_json", "cut_stream", "html", "empty",
    "stream_error", "loading", "no_embeddings", "unreadable_tools",
]  # fmt: skip

ERRORS: dict[str, tuple[int, str, str]] = {
    "rate_limited": (429, "rate_limit_exceeded", "Too many requests; slow down."),
    "quota": (429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing."),
    "server_error": (500, "server_error", "The server had an error."),
    "bad_gateway": (502, "bad_gateway", "Bad gateway."),
    "overloaded": (503, "overloaded", "The model is overloaded."),
    "loading": (503, "unavailable_error", "Loading model"),
    "no_embeddings": (501, "not_supported_error", "This server does not support embeddings."),
    "unreadable_tools": (
        500,
        "server_error",
        "The model produced output that does not match the expected peg-native format",
    ),
    "bad_key": (401, "invalid_api_key", "Incorrect API key provided."),
    "no_model": (404, "model_not_found", "The model does not exist."),
    "bad_request": (400, "invalid_value", "Invalid value for 'temperature'."),
    "context": (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
    "filtered": (400, "content_filter", "The response was filtered due to the content management policy."),
}
"""The faults that are an HTTP status with an error body: status, code, message."""

_PIECE = 12


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    Attributes:
        kind: what happens; `drop` closes the connection without a word, `reset` breaks it in the middle of the body.
        retry_after: the header's value, for the kinds that are an HTTP status.
        retry_after_ms: the header's value in milliseconds.
        seconds: how long `slow` waits before its first byte, and `stalled` after half of its words.
        message: the error body's words, instead of the table's.
    """

    kind: FaultKind
    retry_after: str | None = None
    retry_after_ms: str | None = None
    seconds: float = 3600
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: words, or tools to call as (name, arguments) pairs."""

    text: str = ""
    tool_calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    finish_reason: str | None = None

    message: Mapping[str, Any] | None = None
    """What the message holds instead, with whatever a server may put there."""
    has_choices: bool = True
    usage: Mapping[str, Any] | None = None
    """What was used, instead of a token for each word."""

    @property
    def reason(self) -> str:
        """Why it stops: as said, or as usual."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


@dataclass(frozen=True, slots=True)
class Chat:
    """A request that arrived: its number from 1, its headers in lower case, its JSON body, its path and query."""

    number: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    path: str = "/v1/chat/completions"
    query: str = ""

    @property
    def texts(self) -> list[str]:
        """What vectors are asked for; empty for a chat."""
        return list(self.body["input"]) if self.path == "/v1/embeddings" else []

    def said(self, role: str) -> str:
        return "\n".join(str(each.get("content", "")) for each in self.body["messages"] if each["role"] == role)

    @property
    def user(self) -> str:
        return self.said("user")


# What answers a request for vectors returns them as JSON.
Handler = Callable[[Chat], "str | Answer | Fault | Awaitable[str | Answer | Fault]"]


class _ClientGoneError(Exception):
    pass


@dataclass
class OpenAIServer:
    """The server; it runs while it is entered as a context manager.

    Attributes:
        handler: what answers a request; called in the server's loop, so it must not block: return an awaitable to wait.
        api_key: the only key that is let in; None lets everyone in.
        port: where it listens on loopback; 0 takes a free port.
        latency_s: how long every answer takes at least, in seconds.
        pause_s: how long a stream waits after each piece, in seconds.
        before_piece: awaited before the pieces of a stream, with the request and the number of the piece, from 0.
        models: what `/v1/models` lists.
        listed: what it lists instead, whole.
        props: what `/props` says; None answers that there is nothing.
        chats: the requests that arrived, in order.
        most_in_flight: the most requests that were there at once.
        clients_gone: requests whose client left before the answer.
    """

    handler: Handler
    api_key: str | None = None
    latency_s: float = 0.0
    pause_s: float = 0.0
    before_piece: Callable[[Chat, int], Awaitable[object]] | None = None
    models: tuple[str, ...] = ("test-model",)
    listed: list[dict[str, Any]] | None = None
    props: dict[str, Any] | None = None
    port: int = 0
    chats: list[Chat] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    clients_gone: int = 0

    def __post_init__(self) -> None:
        self._faults: deque[Fault | None] = deque()
        self._changed = threading.Condition()
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-server", daemon=True)
        self._thread.start()
        self.go_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def refuse(self) -> None:
        """Refuse new connections and break those that are there, as a dead server does, until `go_on`."""
        asyncio.run_coroutine_threadsafe(self._stop_listening(), self._loop).result()

    def go_on(self) -> None:
        """Listen (again), on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def fail_next(self, *faults: Fault | None) -> None:
        """Answer the next requests with these, one each; None lets one through."""
        self._faults.extend(faults)

    def wait_for(self, condition: Callable[[Self], bool], *, timeout_s: float = 500.0) -> bool:
        """Wait until `condition(server)` holds, asked after every change; return whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", self.port, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(_Connection(self, reader, writer).serve())
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    def count(self, *, arrived: Chat | None = None, left: int = 0, gone: int = 0) -> None:
        """Record a request that arrived, was answered, or whose client left."""
        with self._changed:
            if arrived is not None:
                self.chats.append(arrived)
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.in_flight -= left
            self.clients_gone += gone
            self._changed.notify_all()

    async def answer(self, chat: Chat) -> Answer | Fault:
        """Return what `chat` gets: the next fault of the queue, else the handler's answer."""
        if self._faults and (fault := self._faults.popleft()) is not None:
            return fault
        if self.api_key is not None and chat.headers.get("authorization") != f"Bearer {self.api_key}":
            return Fault("bad_key")
        said = self.handler(chat)
        if isinstance(said, Awaitable):
            said = await said
        return Answer(said) if isinstance(said, str) else said


class _Connection:
    """One client's connection: reads requests, writes answers and faults."""

    def __init__(self, server: OpenAIServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer

    async def serve(self) -> None:
        """Answer requests until the client leaves, or a fault ends it."""
        try:
            with suppress(ConnectionError, EOFError, _ClientGoneError):
                while await self._serve_one():
                    pass
        finally:
            self._break_off()

    async def _serve_one(self) -> bool:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        method, target, *_ = head[0].split(" ")
        path, _, query = target.partition("?")
        if (method, path) == ("GET", "/v1/models"):
            data = [{"id": name, "object": "model", "owned_by": "tests"} for name in self._server.models]
            return await self._send(200, json.dumps({"object": "list", "data": self._server.listed or data}))
        if (method, path) == ("GET", "/props") and self._server.props is not None:
            return await self._send(200, json.dumps(self._server.props))
        if method != "POST" or path not in {"/v1/chat/completions", "/v1/embeddings", "/v1/messages"}:
            return await self._send(404, json.dumps({"error": {"message": f"nothing at {method} {path}"}}))
        chat = Chat(len(self._server.chats) + 1, headers, json.loads(body), path=path, query=query)
        self._server.count(arrived=chat)
        try:
            return await self._chat(chat)
        except (_ClientGoneError, ConnectionError):
            self._server.count(gone=1)
            raise
        finally:
            self._server.count(left=1)

    def _break_off(self) -> None:
        connection: socket.socket | None = self._writer.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _chat(self, chat: Chat) -> bool:
        answering = asyncio.ensure_future(self._server.answer(chat))
        try:
            await self._wait(self._server.latency_s)
            said = await answering
        finally:
            answering.cancel()
        fault = said if isinstance(said, Fault) else None
        half = "[[0.5], [0.25]]" if chat.texts else "half of these words never reach the client"
        answer = Answer(half) if isinstance(said, Fault) else said
        if fault is not None and fault.kind in ERRORS:
            return await self._send_error(fault)
        match fault:
            case Fault(kind="drop"):
                return False
            case Fault(kind="html"):
                return await self._send(200, "<html><body>Sign in</body></html>", kind="text/html; charset=utf-8")
            case Fault(kind="slow"):
                await self._wait(fault.seconds)
                fault = None
            case Fault(kind="empty"):
                fault, answer = None, Answer("")
        if chat.body.get("stream"):
            return await self._stream(chat, answer, fault)
        return await self._whole(chat, answer, fault)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._reader.read(1)  # a client that waits sends nothing: this is the end of its connection
                    raise _ClientGoneError

    async def _send(self, status: int, text: str, *, kind: str = "application/json", extra: str = "") -> bool:
        body = text.encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n{extra}"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await self._writer.drain()
        return True

    async def _send_error(self, fault: Fault) -> bool:
        status, code, message = ERRORS[fault.kind]
        kind = code if code == "insufficient_quota" else "invalid_request_error" if status < 500 else "server_error"
        error = {"message": fault.message or message, "type": kind, "param": None, "code": code}
        wishes = (("Retry-After", fault.retry_after), ("Retry-After-Ms", fault.retry_after_ms))
        extra = "".join(f"{name}: {value}\r\n" for name, value in wishes if value is not None)
        return await self._send(status, json.dumps({"error": error}), extra=extra)

    async def _whole(self, chat: Chat, answer: Answer, fault: Fault | None) -> bool:
        make = _embeddings if chat.texts else _message if chat.path == "/v1/messages" else _completion
        text = json.dumps(make(chat, answer))
        if fault is None or fault.kind == "stream_error":
            return await self._send(200, text)
        if fault.kind in {"cut_json", "cut_stream"}:
            return await self._send(200, text[: len(text) // 2])
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        self._writer.write((head + text[: len(text) // 2]).encode())
        return await self._break_off_after(fault)

    async def _stream(self, chat: Chat, answer: Answer, fault: Fault | None) -> bool:
        self._writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        events = list(_events(chat, answer))
        for number, event in enumerate(events if fault is None else events[: len(events) // 2]):
            if self._server.before_piece is not None:
                await self._server.before_piece(chat, number)
            await self._chunk(event)
            await self._wait(self._server.pause_s)
        match fault:
            case None:
                await self._chunk("[DONE]")
            case Fault(kind="stalled" | "reset"):
                return await self._break_off_after(fault)
            case Fault(kind="cut_json"):
                await self._chunk('{"id": "x", "choices": [{"del')
            case Fault(kind="stream_error"):
                await self._chunk(
                    '{"error": {"message": "An error in the middle.", "type": "server_error", "code": null}}'
                )
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True

    async def _break_off_after(self, fault: Fault) -> bool:
        await self._writer.drain()
        await self._wait(fault.seconds if fault.kind == "stalled" else 0.02)
        return False

    async def _chunk(self, event: str) -> None:
        data = f"data: {event}\n\n".encode()
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()


def _envelope(chat: Chat, kind: str) -> dict[str, Any]:
    return {"id": f"chat-{chat.number}", "object": kind, "created": int(time.time()), "model": chat.body["model"]}


def _tool_calls(answer: Answer) -> dict[str, Any]:
    calls = [
        {"index": i, "id": f"call-{i}", "type": "function", "function": {"name": n, "arguments": json.dumps(arguments)}}
        for i, (n, arguments) in enumerate(answer.tool_calls)
    ]
    return {"tool_calls": calls} if calls else {}


def _usage(chat: Chat, answer: Answer) -> Mapping[str, Any]:
    if answer.usage is not None:
        return answer.usage
    sent = sum(len(str(each.get("content", "")).split()) for each in chat.body["messages"])
    received = len(answer.text.split())
    return {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}


def _completion(chat: Chat, answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text or None, **_tool_calls(answer), **(answer.message or {})}
    choice = {"index": 0, "message": message, "finish_reason": answer.reason}
    choices = [choice] if answer.has_choices else []
    return {**_envelope(chat, "chat.completion"), "choices": choices, "usage": _usage(chat, answer)}


def _message(chat: Chat, answer: Answer) -> dict[str, Any]:
    usage = answer.usage or {"input_tokens": 1, "output_tokens": len(answer.text.split())}
    said = {"content": [{"type": "text", "text": answer.text}], "stop_reason": "end_turn", "stop_sequence": None}
    head = {"id": f"msg_{chat.number}", "type": "message", "role": "assistant", "model": chat.body["model"]}
    return {**head, **said, "usage": usage}


def _embeddings(chat: Chat, answer: Answer) -> dict[str, Any]:
    """Return the vectors that the answer's words are, as JSON, with the rows in disorder as the API allows."""
    vectors = json.loads(answer.text) if answer.text else []
    rows = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    sent = sum(len(text.split()) for text in chat.texts)
    usage = {"prompt_tokens": sent, "total_tokens": sent}
    return {"object": "list", "data": rows[::-1], "model": chat.body["model"], "usage": usage}


def _events(chat: Chat, answer: Answer) -> Iterator[str]:
    envelope = _envelope(chat, "chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": answer.text[i : i + _PIECE]} for i in range(0, len(answer.text), _PIECE)]
    if answer.tool_calls:
        deltas.append(_tool_calls(answer))
    for delta in deltas:
        yield json.dumps({**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield json.dumps({**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": answer.reason}]})
    if (chat.body.get("stream_options") or {}).get("include_usage"):
        yield json.dumps({**envelope, "choices": [], "usage": _usage(chat, answer)})


def main() -> None:
    """Serve made-up goals until interrupted."""
    parser = argparse.ArgumentParser(description="A local OpenAI-compatible server that plans made-up goals.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the address is printed")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of requests that get 500, 429 or a reset")
    options = parser.parse_args()
    chance = random.Random(0)
    answer: Callable[[str, str], str] = importlib.import_module("made_up_goals").answer  # its folder is on the path
    faults = (Fault("server_error"), Fault("rate_limited", retry_after="0"), Fault("reset"))

    def handler(chat: Chat) -> str | Fault:
        fails = chance.random() < options.fault_rate
        return chance.choice(faults) if fails else answer(chat.said("system"), chat.user)

    with OpenAIServer(handler, latency_s=options.latency, port=options.port) as server, suppress(KeyboardInterrupt):
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
