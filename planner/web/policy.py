"""Where HTTP workers may go: the domains, the scheme and the addresses of one task, as a pure decision.

A domain means its subdomains too. What is blocked stays blocked, whatever is allowed. Private addresses (loopback,
link-local, those of the local network) are reached only by hosts that were named for it, one by one.
"""

from dataclasses import dataclass

from ramify.planner.errors import RefusedError, UsageError
from ramify.tasks import TaskConfig

from .addresses import inner_address, why_not_public
from .urls import Target, read_host

DEFAULT_USER_AGENT = "Ramify"
"""How HTTP workers name themselves unless `user_agent` says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPolicy:
    """What one task may fetch.

    Attributes:
        allowed_domains: the only domains that may be reached, with their subdomains; None allows all.
        blocked_domains: domains that may not be reached, nor their subdomains.
        require_https: whether plain HTTP is refused.
        private_hosts: hosts that may be reached although their address is private: `127.0.0.1:8080`, or a host without
            a port for all of its ports.
        user_agent: how a request names itself.

    Raises:
        UsageError: if one of the domains or hosts is none.
    """

    allowed_domains: tuple[str, ...] | None = None
    blocked_domains: tuple[str, ...] = ()
    require_https: bool = False
    private_hosts: tuple[str, ...] = ()
    user_agent: str = DEFAULT_USER_AGENT

    def __post_init__(self) -> None:
        if self.allowed_domains is not None:
            object.__setattr__(self, "allowed_domains", _domains("allowed_domains", self.allowed_domains))
        object.__setattr__(self, "blocked_domains", _domains("blocked_domains", self.blocked_domains))
        object.__setattr__(self, "private_hosts", tuple(read_private_host(each) for each in self.private_hosts))
        if not self.user_agent.isprintable() or not self.user_agent.isascii() or not self.user_agent.strip():
            raise UsageError(f"user_agent must be one line of ASCII, not {self.user_agent!r}")

    @classmethod
    def of(cls, config: TaskConfig, *, private_hosts: tuple[str, ...] = ()) -> "WebPolicy":
        """Return the policy that the limits of a task make."""
        return cls(
            allowed_domains=config.allowed_domains,
            blocked_domains=config.blocked_domains or (),
            require_https=bool(config.require_https),
            private_hosts=private_hosts,
            user_agent=config.user_agent or DEFAULT_USER_AGENT,
        )

    def check(self, target: Target) -> None:
        """Decide about an address before its host is looked up.

        Raises:
            RefusedError: if it may not be fetched; the message names the limit.
        """
        if self.require_https and target.scheme != "https":
            raise RefusedError(f"{target} is not fetched: require_https is set", url=str(target))
        for domain in self.blocked_domains:
            if _is_within(target.host, domain):
                raise RefusedError(
                    f"{target} is not fetched: {target.host} is in blocked_domains ({domain})", url=str(target)
                )
        if self.allowed_domains is None or any(_is_within(target.host, each) for each in self.allowed_domains):
            return
        allowed = ", ".join(self.allowed_domains) or "empty"
        raise RefusedError(
            f"{target} is not fetched: {target.host} is not in allowed_domains ({allowed})", url=str(target)
        )

    def check_address(self, target: Target, address: str) -> None:
        """Decide about the IP address that the host of `target` was found to have, before it is connected to.

        Raises:
            RefusedError: if it is blocked, or is not a public one and the host was not named for that.
        """
        if not {address, inner_address(address)}.isdisjoint(self.blocked_domains):
            raise RefusedError(f"{target} is not fetched: {address} is in blocked_domains", url=str(target))
        means = why_not_public(address)
        if means is None or {target.host, host_and_port(target.host, target.port)} & set(self.private_hosts):
            return
        where = address if target.host == address else f"{target.host} is {address}, which"
        raise RefusedError(
            f"{target} is not fetched: {where} is {means}; private hosts must be allowed by name, such as"
            f" {host_and_port(target.host, target.port)}",
            url=str(target),
        )


def host_and_port(host: str, port: int) -> str:
    """Return a host with its port, in the one way to write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_private_host(text: str) -> str:
    """Return the one way to write a host, with or without a port.

    >>> read_private_host("LocalHost:8080"), read_private_host("[::1]:80"), read_private_host("::1")
    ('localhost:8080', '[::1]:80', '::1')

    Raises:
        UsageError: if it is none.
    """
    host, colon, port = text.strip().rpartition(":")
    has_port = colon and port.isascii() and port.isdecimal() and (":" not in host or host.startswith("["))
    try:
        if has_port:
            return host_and_port(read_host(host.strip("[]")), int(port))
        return read_host(text.strip().strip("[]"))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a host such as 127.0.0.1:8080: {error}") from None


def _domains(limit: str, domains: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_read_domain(limit, domain) for domain in domains)


def _read_domain(limit: str, domain: str) -> str:
    from httpx import URL, InvalidURL

    bare = domain.strip().removeprefix("*.").removeprefix(".")
    is_bare = not set(bare) & set("/@?#\\ ") and bare.count(":") != 1
    try:
        is_ipv6 = ":" in bare
        return read_host(bare if is_ipv6 or not is_bare else URL(f"http://{bare}/").raw_host.decode("ascii"))
    except (InvalidURL, ValueError) as error:
        raise UsageError(f"{limit}: {domain!r} is not a domain such as example.com: {error}") from None


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
