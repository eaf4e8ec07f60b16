"""The address of a model server: where requests go, what proves who asks, and what may be shown and stored of it.

A password before the host, and the values behind the `?`, are secrets: they go into requests and nowhere else. Stores,
errors, events, reports and logs have `***` in their place.
"""

import base64
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

HIDDEN = "***"
"""What stands in the place of a secret."""

_PLAIN = frozenset({"api-version", "api_version", "version", "beta", "region"})
"""What may stand behind the `?` and is no secret."""

_BEFORE_HOST = re.compile(r"^([a-z][a-z0-9+.-]*://)?[^/?#\s]*@", re.IGNORECASE)
_BEHIND = re.compile(r"(?<=[?&])([^=&#\s]+)=([^&#\s]*)")
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "openai._base_client", "LiteLLM", "aiohttp.client")


@dataclass(frozen=True, slots=True)
class Address:
    """An address, taken apart.

    Attributes:
        url: where requests go, without secrets.
        headers: what has to be sent along; the user and the password, as the basic scheme has it.
        query: what has to stand behind the `?` of every request.
        secrets: what may not be shown of it.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, base_url: str) -> "Address":
        """Take an address apart.

        >>> Address.of("http://ann:pw@models.example/v1?token=t").url
        'http://models.example/v1'
        """
        parts = urlsplit(base_url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        behind = [value for name, value in query.items() if name.lower() not in _PLAIN]
        _keep_out_of_logs(behind)
        secrets = tuple(filter(None, [parts.password, unquote(parts.password or ""), *behind]))
        host = parts.netloc.rpartition("@")[2]
        url = urlunsplit((parts.scheme, host, parts.path, "", ""))
        return cls(url=url, headers=_basic(parts), query=query, secrets=secrets)


def shown_address(base_url: str) -> str:
    """Return an address, or what was given as one, without its secrets.

    >>> shown_address("http://ann:pw@models.example/v1?token=t&api-version=2")
    'http://***@models.example/v1?token=***&api-version=2'
    >>> shown_address("ann:pw@models.example/v1")
    '***@models.example/v1'
    """
    without = _BEFORE_HOST.sub(rf"\g<1>{HIDDEN}@", base_url.strip())
    return _BEHIND.sub(lambda found: found[0] if found[1].lower() in _PLAIN else f"{found[1]}={HIDDEN}", without)


def has_secrets(base_url: str) -> bool:
    """Return whether something of an address may not be shown.

    >>> has_secrets("http://models.example/v1"), has_secrets("http://models.example/v1?token=t")
    (False, True)
    """
    return shown_address(base_url) != base_url.strip()


def is_hidden(base_url: str) -> bool:
    """Return whether an address has lost its secrets, so that no request can be made with it."""
    return HIDDEN in base_url


def _basic(parts: SplitResult) -> dict[str, str]:
    if "@" not in parts.netloc:
        return {}
    said = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}


class _Blotting(logging.Filter):
    """Blots the values of queries out of what HTTP clients log: they log the addresses of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: tuple[str, ...] = ()
        """Longer ones first: a short one may be the beginning of a long one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, without secrets.

        A record that holds none is left as it is: other filters, such as OpenAI's for headers, look at its arguments.
        """
        said = told = record.getMessage()
        for secret in self.secrets:
            told = told.replace(f"={secret}", f"={HIDDEN}")
        if told != said:
            record.msg, record.args = told, ()
        return True


_blotting = _Blotting()


def _keep_out_of_logs(values: Iterable[str]) -> None:
    secrets = {form for value in values if value for form in (value, quote(value), quote_plus(value))}
    if not secrets <= {*_blotting.secrets}:
        _blotting.secrets = tuple(sorted(secrets.union(_blotting.secrets), key=len, reverse=True))
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_blotting)
