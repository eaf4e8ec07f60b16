"""Reading a web address: once, strictly, into the parts that are connected to, so that no second reader can differ.

What is checked against the policy is what is connected to. An address that could be read in two ways is refused:
names and passwords in it, backslashes, control characters, numbers that only some programs take for IP addresses.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from ramify.planner.errors import RefusedError

_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65_535
_LONGEST = 8_000
_SHOWN = 200
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")
_LONGEST_NAME = 253
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class Target:
    """What an address leads to.

    Attributes:
        scheme: "http" or "https".
        host: a name in lower case and ASCII without a dot at its end, or an IP address as it is usually written.
        port: the port, the scheme's own unless said.
        path: path and query, percent-encoded.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_ip(self) -> bool:
        """Whether the host is an IP address."""
        return ":" in self.host or _NUMBER.fullmatch(self.host) is not None

    @property
    def authority(self) -> str:
        """Host and port as they stand in addresses and in the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def read_url(text: str, *, base: Target | None = None) -> Target:
    """Return what `text` leads to; an address without a scheme or host is read from `base`, as redirects are.

    >>> str(read_url("HTTP://B\u00fccher.Example.:80/a b?q=1#part"))
    'http://xn--bcher-kva.example/a%20b?q=1'

    Raises:
        RefusedError: if it cannot be fetched, or could be read in two ways.
    """
    from httpx import URL, InvalidURL

    if len(text) > _LONGEST:
        raise _refused(text, f"it is longer than {_LONGEST:,} characters")
    if "\\" in text or any(letter.isspace() and letter != " " for letter in text.strip()):
        raise _refused(text, "it has a backslash or a line break in it")
    try:
        url = URL(text.strip()) if base is None else URL(str(base)).join(text.strip())
        scheme, host, port = url.scheme, url.raw_host.decode("ascii"), url.port
    except (InvalidURL, ValueError, TypeError) as error:
        raise _refused(text, f"it cannot be read: {error}") from None
    if scheme not in _PORTS:
        raise _refused(text, "only http:// and https:// addresses are fetched")
    if url.userinfo:
        raise _refused(text, "it contains a user name; remove it")
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise _refused(text, f"there is no port {port}")
    try:
        canonical = read_host(host)
    except ValueError as error:
        raise _refused(text, str(error)) from None
    path = url.raw_path.decode("ascii")
    return Target(scheme, canonical, port or _PORTS[scheme], path if path.startswith("/") else f"/{path}")


def read_host(host: str) -> str:
    """Return the one way to write a host that is in ASCII already.

    >>> read_host("WWW.Example.COM."), read_host("2001:DB8:0::1")
    ('www.example.com', '2001:db8::1')

    Raises:
        ValueError: if it is no host; the message says why.
    """
    host = host.lower().removesuffix(".")
    if ":" in host:
        try:
            address = IPv6Address(host)
        except AddressValueError as error:
            raise ValueError(f"{host!r} is not an IPv6 address: {error}") from None
        if address.scope_id is not None:
            raise ValueError(f"{host!r} names an interface of this machine")
        return str(address)
    if _NUMBER.fullmatch(host):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise ValueError(f"{host!r} is ambiguous; write it as 127.0.0.1") from None
    if not _NAME.fullmatch(host) or len(host) > _LONGEST_NAME:
        raise ValueError(f"{host!r} is not a host name" if host else "it names no host")
    return host


def _refused(text: str, why: str) -> RefusedError:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return RefusedError(f"the address {shown!r} is not fetched: {why}", url=shown)
