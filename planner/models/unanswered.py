"""What a request has used that got no reply: whatever was sent is one call, and costs what the server said, if it did.

A server that answers with an error status says that it has done no work: such a request is no call. One whose reply was
refused, cut, too late, or lost with its connection is one call, and so is one that was given up while it was under way,
or in the middle of whose reply an error came.
"""

from collections.abc import Iterator
from typing import Any

from ramify.planner.errors import ModelError
from ramify.tasks import Usage
from ramify.tasks.tree.config import NO_USAGE

from .retry import Failure, FailureKind, classify

UNKNOWN = Usage(calls=1, calls_without_cost=1)
"""What a request has used of which nothing came back: one call, and nobody knows what it has cost."""

_REFUSED_HERE = frozenset(
    {FailureKind.TIMEOUT, FailureKind.TRUNCATED, FailureKind.MALFORMED, FailureKind.EMPTY, FailureKind.CUT_OFF,
     FailureKind.CONTENT_FILTERED, FailureKind.CANCELLED}
)  # fmt: skip
_GATEWAY_GAVE_UP = frozenset({408, 504})
_BROKEN = frozenset({"ClientOSError", "ServerDisconnectedError"})
"""What aiohttp raises when a connection breaks; litellm 1.110 puts httpx's `ConnectError` on some of them."""

_DEEPEST = 20
_NEVER_CONNECTED = frozenset(
    {"ConnectError", "ConnectTimeout", "ConnectionTimeoutError", "ClientConnectorError", "ClientConnectorDNSError",
     "ClientConnectorCertificateError", "ClientConnectorSSLError", "ClientProxyConnectionError", "ClientHttpProxyError",
     "ConnectionRefusedError", "gaierror", "PoolTimeout"}
)  # fmt: skip


def used_without_reply(error: BaseException) -> Usage:
    """Return what a request has used that ended with `error`; nothing if it was not sent, or not worked on.

    >>> used_without_reply(TimeoutError()).calls, used_without_reply(ConnectionRefusedError()).calls
    (1, 0)
    """
    if isinstance(error, ModelError) and error.usage is not None:
        return error.usage
    return UNKNOWN if _was_worked_on(error, classify(error)) else NO_USAGE


def _was_worked_on(error: BaseException, failure: Failure) -> bool:
    if failure.status_code is not None and failure.status_code not in _GATEWAY_GAVE_UP:
        return False
    if failure.kind is FailureKind.UNREACHABLE and not isinstance(error, ModelError):
        names = {type(each).__name__ for each in _chain(error)}
        return bool(names & _BROKEN) or not names & _NEVER_CONNECTED
    return failure.kind in _REFUSED_HERE


def usage_of(reported: Any, cost_usd: float | None) -> Usage:
    """Return what a call has used by the `usage` of an OpenAI-like response; of one without, nobody knows the cost."""
    return Usage(
        calls=1,
        input_tokens=_count(reported, "prompt_tokens"),
        output_tokens=_count(reported, "completion_tokens"),
        cost_usd=cost_usd or 0.0,
        calls_without_cost=int(cost_usd is None),
        cached_tokens=cached_tokens_of(reported),
    )


def cached_tokens_of(reported: Any) -> int:
    """Return how many of a prompt's tokens the server had read before; they are among `prompt_tokens`.

    OpenAI, vLLM and llama.cpp say so in `prompt_tokens_details`, DeepSeek in a field of its own.
    """
    cached = _count(getattr(reported, "prompt_tokens_details", None), "cached_tokens")
    return min(cached or _count(reported, "prompt_cache_hit_tokens"), _count(reported, "prompt_tokens"))


def written_tokens_of(reported: Any) -> int:
    """Return how many of a prompt's tokens were put into the cache, at a price of their own; they are among the others.

    OpenAI says so in `prompt_tokens_details` as `cache_write_tokens`, gateways to Claude in a field of their own.
    """
    written = _count(getattr(reported, "prompt_tokens_details", None), "cache_write_tokens")
    return written or _count(reported, "cache_creation_input_tokens")


def _count(reported: Any, name: str) -> int:
    value = getattr(reported, name, None)
    return int(value) if isinstance(value, int | float) and value > 0 else 0


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_DEEPEST):
        if current is None or isinstance(current, ModelError):  # that is the attempt before
            return
        yield current
        current = current.__cause__ or current.__context__
