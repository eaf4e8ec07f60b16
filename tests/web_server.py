"""A local web site for tests: pages by path, in whatever bad manner they are to come; standard library only.

with WebSite({"/": Reply("<p>Hello</p>")}) as site:
    ...                                   # site.url("/") is its address, site.asked the requests that arrived
"""

import asyncio
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self


@dataclass(frozen=True, slots=True)
class Reply:
    """What a path answers.

    Attributes:
        body: its body; text is sent as UTF-8.
        status: the HTTP status.
        kind: its content type.
        headers: further headers.
        pause_s: how long it waits before each piece of the body, in seconds.
        says_length: the length that it names, if that is not the real one.
        repeats: how often the body is sent, one after the other.
    """

    body: str | bytes = ""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    says_length: int | None = None
    repeats: int = 1

    @classmethod
    def to(cls, place: str, status: int = 302) -> "Reply":
        """Return a redirect."""
        return cls(status=status, headers={"Location": place})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived: its path, its headers in lower case, its method and its body."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: str = ""


class WebSite:
    """The site; it runs while it is entered as a context manager.

    Args:
        pages: what each path answers; a list is answered one by one, and its last for ever.
        tls: speaks TLS with this.
    """

    def __init__(self, pages: Mapping[str, Reply | list[Reply]], *, tls: ssl.SSLContext | None = None) -> None:
        self.pages = {path: [*reply] if isinstance(reply, list) else [reply] for path, reply in pages.items()}
        self.asked: list[Asked] = []
        self.port = 0
        self._tls = tls

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="web-site", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, without robots.txt."""
        return [each.path for each in self.asked if each.path != "/robots.txt"]

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        """Return the address of a path, under another name of the host if one is given."""
        return f"{'https' if self._tls else 'http'}://{f'{host}:{self.port}' if host else self.host}{path}"

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, EOFError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append(Asked(path, headers, method, body.decode()))
            await self._answer(writer, self._next(path))
        writer.transport.abort() if writer.transport.is_closing() else writer.close()

    def _next(self, path: str) -> Reply:
        replies = self.pages.get(path, [Reply("nothing here", status=404)])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    async def _answer(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        length = len(body) * reply.repeats if reply.says_length is None else reply.says_length
        headers = {"Content-Type": reply.kind, "Content-Length": str(length), **reply.headers, "Connection": "close"}
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        pieces = [body[i : i + 1] for i in range(len(body))] if reply.pause_s else [body] * reply.repeats
        for piece in pieces:
            await asyncio.sleep(reply.pause_s)
            writer.write(piece)
            await writer.drain()
