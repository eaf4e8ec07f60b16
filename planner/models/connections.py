"""HTTP to model servers, over aiohttp: one pool of connections for all models, and which proxy is gone through.

Nothing here knows what is said. A key goes to the address that was given and nowhere else: redirects are not followed,
no cookie is kept, and no password is looked up (aiohttp's `trust_env` would also read `~/.netrc`, for every request).
The pool is as large as what runs at once, and lasts as long as the background loop, whose connections these are.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from ramify.planner.runtime.address import shown_address
from ramify.planner.runtime.background import before_close
from ramify.tasks.json_text import read_json

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from ssl import SSLContext

    from aiohttp import ClientResponse, ClientSession

_OK, _FIRST_REFUSAL = 200, 300
_MOST_BYTES, _MOST_OF_A_LINE = 64_000_000, 8_000_000
_MOST_OF_AN_ERROR = 100_000
_KEPT_S = 4.0
"""How long a connection that nobody uses is kept: less than the five seconds after which llama.cpp, vLLM and others
close it, as a request that crosses that is lost."""

_END_S = 0.2
"""How long the end of a body that has said all is waited for, so that its connection can be used again."""


class StatusError(Exception):
    """Raised when a server answers with an error; `classify` reads its attributes.

    Attributes:
        status_code: the HTTP status, or the one that stands in the body.
        headers: the headers of the answer.
        body: the body, if it is a JSON object.
    """

    def __init__(self, status_code: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status_code
        self.headers = headers or {}
        self.body = _object_in(text)
        super().__init__(_words_in(self.body) or text.strip() or f"status {status_code} without a message")


class TooLongError(ValueError):
    """Raised when a server sends more than any reply can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that requests are sent to.

    Attributes:
        url: the address, whole.
        headers: what is sent along.
        connect_s: how long to wait for the connection, in seconds.
        proxy: what is gone through, see `proxy_for`.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    connect_s: float
    proxy: str | None = field(repr=False)

    @classmethod
    def of(cls, url: str, *, query: Mapping[str, str], headers: Mapping[str, str], connect_s: float) -> "Endpoint":
        """Return the place at `url`, reached as the environment says."""
        behind = f"?{urlencode(query)}" if query else ""
        kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return cls(url=f"{url}{behind}", headers=kinds | dict(headers), connect_s=connect_s, proxy=proxy_for(url))


async def load_aiohttp() -> None:
    """Import aiohttp, which reads the machine's certificates as it is imported, without holding the loop up."""
    if "aiohttp" not in sys.modules:
        await asyncio.to_thread(_aiohttp)


async def ask(endpoint: Endpoint, body: bytes) -> bytes:
    """Send `body`, and return what is answered.

    Raises:
        StatusError: if that is an error.
        OSError: if there is no connection, or it broke; or another of aiohttp's exceptions.
    """
    async with _posting(endpoint, body) as response:
        await _check(response)
        return await _read(response)


async def ask_for_lines(endpoint: Endpoint, body: bytes) -> AsyncGenerator[bytes, None]:
    """Send `body`, and yield the lines of what is answered as they come, without their ends.

    Raises:
        StatusError: if that is an error.
        OSError: as `ask`.
    """
    async with _posting(endpoint, body) as response:
        await _check(response)
        rest = b""
        async for data in response.content.iter_any():
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _MOST_OF_A_LINE:
                raise TooLongError(f"a line of more than {_MOST_OF_A_LINE} bytes")
            for line in lines:
                yield line.rstrip(b"\r")
        if rest:
            yield rest.rstrip(b"\r")


async def drained(lines: AsyncIterator[bytes]) -> None:
    """Wait for the end of a body of which nothing more is needed, but not long."""
    try:
        async with asyncio.timeout(_END_S):
            async for _ in lines:
                pass
    except TimeoutError:
        return


def _posting(endpoint: Endpoint, body: bytes) -> "AbstractAsyncContextManager[ClientResponse]":
    """Send `body`, for the answer; left early, its connection is closed, which tells the server to stop."""
    aiohttp = _aiohttp()
    posting: AbstractAsyncContextManager[ClientResponse] = _session(aiohttp).post(
        endpoint.url,
        data=body,
        headers=endpoint.headers,
        proxy=endpoint.proxy,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=endpoint.connect_s),
        allow_redirects=False,
    )
    return posting


async def _check(response: "ClientResponse") -> None:
    if not _OK <= response.status < _FIRST_REFUSAL:
        raise await _refusal(response)


async def _refusal(response: "ClientResponse") -> StatusError:
    text = (await response.content.read(_MOST_OF_AN_ERROR)).decode("utf-8", "replace")
    elsewhere = response.headers.get("Location")
    if elsewhere is not None:
        text = f"redirects are not followed; this one goes to {shown_address(elsewhere)}"
    return StatusError(response.status, text, response.headers)


async def _read(response: "ClientResponse") -> bytes:
    parts, size = [], 0
    async for data in response.content.iter_any():
        parts.append(data)
        size += len(data)
        if size > _MOST_BYTES:
            raise TooLongError(f"more than {_MOST_BYTES} bytes")
    return b"".join(parts)


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address: `HTTPS_PROXY`, `ALL_PROXY`, ... and `NO_PROXY`."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class _Pool:
    """The connections of one event loop; a process that was forked has those of another."""

    loop: asyncio.AbstractEventLoop | None = None
    session: "ClientSession | None" = None


_pool = _Pool()


def _session(aiohttp: Any) -> "ClientSession":
    session, loop = _pool.session, asyncio.get_running_loop()
    if session is None or session.closed or _pool.loop is not loop:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_S, ssl=_tls())
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        _pool.session, _pool.loop = session, loop
        before_close(_close)
    return session


async def _close() -> None:
    session, _pool.session = _pool.session, None
    if session is not None:
        await session.close()


def _tls() -> "SSLContext | bool":
    """Return how certificates are checked: by the machine's store; by certifi's where the machine has none."""
    import ssl

    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return True
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _aiohttp() -> ModuleType:
    import aiohttp

    return aiohttp


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        value = read_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _words_in(body: dict[str, Any] | None) -> str:
    """Return the words of an error body, wherever its server puts them."""
    for source in (body or {}).get("error"), body:
        if isinstance(source, str):
            return source
        if isinstance(source, dict):
            words = source.get("message") or source.get("detail") or source.get("error")
            if words:
                return words if isinstance(words, str) else str(words)
    return ""
