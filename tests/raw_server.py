"""A server that answers every request with the same bytes, and keeps what it was sent: for what real servers say.

with RawServer(b"HTTP/1.1 503 ...") as server: ...
"""

import asyncio
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from .patience import HANG_S

_BETWEEN_PIECES_S = 0.01


def answer(status: int, body: str, *, kind: str = "application/json", extra: str = "") -> bytes:
    """Return an HTTP answer of known length."""
    data = body.encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{extra}\r\n"
    return head.encode() + data


def events(*pieces: bytes, kind: str = "text/event-stream") -> list[bytes]:
    """Return an HTTP answer whose body comes in these pieces, one write each; an empty piece is its end."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return [head, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)]


class RawServer:
    """See the module.

    Attributes:
        port: where it listens on loopback.
        requests: the heads of the requests that arrived.
        bodies: their bodies.
        connections: how many connections were made.
    """

    def __init__(
        self, *pieces: bytes | Sequence[bytes], tls: ssl.SSLContext | None = None, hangs_up: bool = False
    ) -> None:
        self._pieces = [one for piece in pieces for one in ([piece] if isinstance(piece, bytes) else piece)]
        self._tls = tls
        self._hangs_up = hangs_up
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="raw-server", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(HANG_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(HANG_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                    body = await reader.readexactly(int(lengths[0].partition(":")[2])) if lengths else b""
                    self.requests.append(head)
                    self.bodies.append(body)
                    for piece in self._pieces:
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(_BETWEEN_PIECES_S)
                    if self._hangs_up:
                        return
        finally:
            writer.close()
