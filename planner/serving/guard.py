"""Who may see the page: whoever has the token of its address, in a browser that asks this server and no other page.

The token comes once, in the address. The answer is a cookie and the address without it, so that it is in no history and
no `Referer`. Every request, the streams of events included, has to name this server as its host, so that no foreign
name that leads to loopback reaches it; and what another page asks for is refused, but for links to look at.
"""

import hmac
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .loopback import HOST, TOKEN

_NAMES: Final = (HOST, "localhost", "[::1]")
_SAFE: Final = frozenset({"GET", "HEAD"})

# Source: https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Lets requests through to an application that come from its own pages, and puts the headers on what it answers.

    Args:
        app: the application.
        token: what an address has to hold once.
        port: where the server listens.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(f"{name}:{port}" for name in _NAMES)
        self._cookie = f"ramify-{port}"  # cookies do not tell ports apart
        self._session = hmac.digest(token.encode(), b"cookie", "sha256").hex()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope, Headers(scope=scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what is answered instead of what was asked for; None if that may be answered."""
        if headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("this page answers only at its own address", 421)
        if not self._is_of_our_pages(scope, headers):
            return PlainTextResponse("this request came from another site; open the page yourself", 403)
        if scope["path"] == "/favicon.ico":
            return Response(status_code=404)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == TOKEN]
        if given and scope["method"] in _SAFE:
            return self._welcome(scope["path"], query) if self._is_same(given[-1], self._token) else _unknown()
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        return None if self._is_same(cookie, self._session) else _unknown()

    def _is_of_our_pages(self, scope: Scope, headers: Headers) -> bool:
        """Return whether one of our pages asks, or somebody who follows a link to one."""
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self._hosts}:
            return False
        if scope["method"] not in _SAFE and origin is None:
            return False
        if headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
            return True
        return scope["method"] in _SAFE and headers.get("sec-fetch-dest") == "document"

    def _welcome(self, path: str, query: list[tuple[str, str]]) -> Response:
        """Return the way to the same address without the token, with the cookie that stands for it."""
        rest = urlencode([(name, value) for name, value in query if name != TOKEN])
        local = "/" + path.lstrip("/\\")  # two slashes would name another host
        answer = RedirectResponse(f"{local}?{rest}" if rest else local, 303)
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="lax")
        return answer

    @staticmethod
    def _is_same(given: str, wanted: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _unknown() -> Response:
    words = "open the address that `ramify serve` printed; this page needs its token"
    return PlainTextResponse(words, 401)
