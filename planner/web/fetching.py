"""Fetching pages: every address and every redirect is checked, and what was checked is what is connected to.

A host is looked up once for each request. The connection goes to the address that was found and checked, while the
`Host` header and the name in TLS stay the host's: a name server that answers differently a moment later changes
nothing. Nothing is sent but what is written here: no cookies, no keys, no referrer, and no proxy is asked.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import FetchError
from ramify.planner.models.retry import read_retry_after

from .body import Unpacker, decode, is_html, is_text, kind_of
from .policy import WebPolicy, host_and_port
from .readable import Readable, read_html
from .robots import MOST_BYTES, RobotRules, SiteRules, rules_without_file
from .urls import Target, read_url

if TYPE_CHECKING:
    import httpx

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_DONE = frozenset({307, 308, *range(400, 500)}) - {408}
"""The statuses of a server that has done nothing of what was sent."""
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_ACCEPT = "text/html,application/xhtml+xml,text/*;q=0.9,application/json;q=0.9,application/xml;q=0.8"
_SUCCESS = range(200, 300)

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the IP addresses of a host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How much is fetched.

    Attributes:
        max_bytes: of one page, unpacked.
        max_redirects: from one address to the page.
        timeout_s: for one page with its redirects, in seconds.
        connect_s: for one connection, in seconds.
    """

    max_bytes: int = 5_000_000
    max_redirects: int = 10
    timeout_s: float = 30.0
    connect_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was fetched.

    Attributes:
        url: where it was found, after redirects.
        status: the HTTP status.
        content_type: its media type.
        title: its title; empty if it has none.
        text: what a person would read there.
        links: where it leads to.
    """

    url: str
    status: int
    content_type: str
    title: str
    text: str
    links: tuple[str, ...]

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "url": self.url, "status": self.status, "content_type": self.content_type, "title": self.title,
            "text": self.text, "links": list(self.links),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What is sent to an address, where it is not only read.

    Attributes:
        method: how it is sent, such as POST.
        headers: further headers.
        body: what is sent.
    """

    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _Response:
    """What came back from one address."""

    target: Target
    status: int
    headers: "httpx.Headers"
    body: bytes


async def find_addresses(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host, as this machine finds them.

    Raises:
        OSError: if it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(kw_only=True)
class Fetcher:
    """Fetches pages as a policy allows.

    Attributes:
        policy: where it may go.
        limits: how much it fetches.
        obeys_robots: whether sites' robots.txt are asked first.
        resolve: finds the addresses of a host.
        tls: how certificates are checked; as is usual on this machine unless given.
        site_rules: what is known of robots.txt, by which several fetchers can spare sites the same question.
    """

    policy: WebPolicy
    limits: FetchLimits = FetchLimits()
    obeys_robots: bool = True
    resolve: Resolver = find_addresses
    tls: ssl.SSLContext | None = None
    site_rules: SiteRules = field(default_factory=SiteRules)

    async def fetch(self, url: str) -> Page:
        """Return the page at `url`.

        Raises:
            RefusedError: if it may not be fetched.
            FetchError: if it could not be fetched, or is no text; `may_pass` says whether to try again.
        """
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                got = await self._follow(
                    read_url(url), obeys_robots=self.obeys_robots, most_bytes=self.limits.max_bytes
                )
        except TimeoutError:
            raise FetchError(
                f"{url} did not arrive within {self.limits.timeout_s:g} s", url=url, may_pass=True
            ) from None
        return await asyncio.to_thread(_page_of, got)

    async def send(self, url: str, sending: Sending) -> Page:
        """Send something to `url`, and return what it answers; robots.txt is for those who only read, and not asked.

        Raises:
            RefusedError: if it may not be sent there.
            FetchError: if it was not, was refused, or nobody knows; `is_unknown` is False where nothing was done.
        """
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                got = await self._sent(read_url(url), sending)
        except TimeoutError:
            raise FetchError(
                f"{url} did not answer within {self.limits.timeout_s:g} s", url=url, may_pass=True
            ) from None
        return await asyncio.to_thread(_page_of, got)

    async def _sent(self, target: Target, sending: Sending) -> _Response:
        self.policy.check(target)
        got = await self._get(target, most_bytes=self.limits.max_bytes, sending=sending)
        if got.status in _REDIRECTS:
            where = read_url(got.headers.get("location", ""), base=target)
            raise _not_done(FetchError(f"{target} answered {got.status}: not followed; send it to {where}",
                                       url=str(target)), if_so=got.status in _NOT_DONE)  # fmt: skip
        try:
            return _checked(got)
        except FetchError as error:
            raise _not_done(error, if_so=got.status in _NOT_DONE) from None

    async def _follow(self, target: Target, *, obeys_robots: bool, most_bytes: int) -> _Response:
        """Return what is found at `target` after redirects, each of them checked like the first address."""
        seen = {str(target)}
        while True:
            self.policy.check(target)
            if obeys_robots:
                await self._check_robots(target)
            got = await self._get(target, most_bytes=most_bytes)
            if got.status not in _REDIRECTS or "location" not in got.headers:
                return _checked(got)
            target = read_url(got.headers["location"], base=target)
            if str(target) in seen:
                raise FetchError(f"{target} redirects in a circle", url=str(target))
            if len(seen) > self.limits.max_redirects:
                raise FetchError(
                    f"there are more than {self.limits.max_redirects} redirects before {target}", url=str(target)
                )
            seen.add(str(target))

    async def _check_robots(self, target: Target) -> None:
        rules = await self.site_rules.of(target.origin, lambda: self._ask_for_rules(target))
        rules.check(target, self.policy.user_agent)

    async def _ask_for_rules(self, target: Target) -> RobotRules:
        try:
            got = await self._follow(read_url("/robots.txt", base=target), obeys_robots=False, most_bytes=MOST_BYTES)
        except FetchError as error:
            return rules_without_file(error)
        return RobotRules(decode(got.body, got.headers.get("content-type", "")))

    async def _get(self, target: Target, *, most_bytes: int, sending: Sending | None = None) -> _Response:
        import httpx

        addresses = await self._addresses_of(target)
        for address in addresses:
            self.policy.check_address(target, address)
        problem: Exception | None = None
        for address in addresses:
            try:
                return await self._ask(target, address, most_bytes=most_bytes, sending=sending)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
            except httpx.HTTPError as error:
                raise _broken(target, error) from None
        raise _not_done(_broken(target, problem)) from None

    async def _addresses_of(self, target: Target) -> Sequence[str]:
        if target.is_ip:
            return [target.host]
        try:
            return await self.resolve(target.host, target.port)
        except OSError as error:
            may_pass = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            told = f"{target} is not fetched: {target.host} has no address ({error})"
            raise _not_done(FetchError(told, url=str(target), may_pass=may_pass, is_unreached=True)) from None

    async def _ask(self, target: Target, address: str, *, most_bytes: int, sending: Sending | None) -> _Response:
        import httpx

        options: dict[str, Any] = {} if self.tls is None else {"verify": self.tls}
        async with httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), **options) as transport:
            response = await transport.handle_async_request(self._request(target, address, sending))
            try:
                body = b""
                kind = kind_of(response.headers.get("content-type", ""))
                if response.status_code in _SUCCESS and (sending is None or is_text(kind)):
                    body = await _read(response, target, most_bytes=most_bytes)
                return _Response(target, response.status_code, response.headers, body)
            finally:
                await response.aclose()

    def _request(self, target: Target, address: str, sending: Sending | None) -> "httpx.Request":
        import httpx

        limits = self.limits
        headers = {
            "Host": target.authority, "User-Agent": self.policy.user_agent, "Accept": _ACCEPT,
            "Accept-Encoding": "gzip, deflate", "Connection": "close",
        }  # fmt: skip
        if sending is not None:
            own = {name.lower() for name in sending.headers}
            headers = {name: value for name, value in headers.items() if name.lower() not in own} | {**sending.headers}
        timeout = {"connect": limits.connect_s, "read": limits.timeout_s, "write": limits.connect_s, "pool": None}
        return httpx.Request(
            "GET" if sending is None else sending.method,
            httpx.URL(f"{target.scheme}://{host_and_port(address, target.port)}{target.path}"),
            headers=headers,
            content=None if sending is None else sending.body,
            extensions={"timeout": timeout, "sni_hostname": target.host},
        )


async def _read(response: "httpx.Response", target: Target, *, most_bytes: int) -> bytes:
    kind = kind_of(response.headers.get("content-type", ""))
    if not is_text(kind):
        raise FetchError(f"{target} is {kind[:80]}; only text can be read", url=str(target))
    unpacker = Unpacker(response.headers.get("content-encoding", ""), most_bytes=most_bytes, url=str(target))
    async for piece in response.aiter_raw():
        unpacker.add(piece)
    return unpacker.whole()


def _not_done(error: FetchError, *, if_so: bool = True) -> FetchError:
    """Return `error`, which says that nothing was done at the address, `if_so`."""
    if if_so:
        error.is_unknown = False
    return error


def _checked(got: _Response) -> _Response:
    if got.status in _SUCCESS:
        return got
    phrase = HTTPStatus(got.status).phrase if got.status in set(HTTPStatus) else "no known status"
    raise FetchError(
        f"{got.target} answered {got.status} ({phrase})",
        url=str(got.target),
        may_pass=got.status in _MAY_PASS,
        status_code=got.status,
        retry_after_s=read_retry_after(got.headers),
    )


def _broken(target: Target, error: Exception | None) -> FetchError:
    words = str(error) or type(error).__name__
    may_pass = not any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error))
    return FetchError(f"{target} could not be fetched: {words}", url=str(target), may_pass=may_pass, is_unreached=True)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _page_of(got: _Response) -> Page:
    content_type = got.headers.get("content-type", "")
    kind = kind_of(content_type)
    text = decode(got.body, content_type)
    said = read_html(text, str(got.target)) if is_html(kind) else Readable("", text.strip(), ())
    return Page(
        url=str(got.target), status=got.status, content_type=kind, title=said.title, text=said.text, links=said.links
    )
