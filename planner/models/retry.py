"""What to do about a model call that failed: one table of failures, one way to tell them apart, one delay.

Nothing here calls a model, waits, or knows litellm: exceptions are read by their class names, status codes and headers.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from ramify.planner.errors import ModelError

from .window_words import UNKNOWN_SIZES, Sizes, read_sizes


class FailureKind(StrEnum):
    """The ways in which a model call fails; `ModelError.kind` is one of these."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    LOADING = "loading"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    EMPTY = "empty"
    CUT_OFF = "cut_off"
    CONTEXT_EXCEEDED = "context_exceeded"
    CONTENT_FILTERED = "content_filtered"
    BAD_KEY = "bad_key"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    UNSUPPORTED = "unsupported"
    QUOTA_EXHAUSTED = "quota_exhausted"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Decision(StrEnum):
    """What is done about a failure."""

    RETRY = "retry"
    """Make the same call again, after a delay."""
    SHRINK = "shrink"
    """Ask again with less in the prompt."""
    FAIL = "fail"
    """The task fails; the same call would fail again."""
    STOP_RUN = "stop_run"
    """The run stops, resumable: every other call would fail too, until a person does something."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    Attributes:
        decision: what is done.
        means: what has happened, for people to read.
        advice: what a person can do about it.
        codes: what servers say it with, for the documentation; an error says the one that came.
        is_shared: whether the cause lies with the server, key or line, so that all other calls to it meet it too.
    """

    decision: Decision
    means: str
    advice: str
    codes: str = ""
    is_shared: bool = False


_RETRY, _SHRINK, _FAIL, _STOP = Decision

RULES: Mapping[FailureKind, Rule] = MappingProxyType(
    {
        FailureKind.RATE_LIMITED: Rule(
            _RETRY, "too many requests", "lower requests_per_second or --jobs", codes="429", is_shared=True
        ),
        FailureKind.OVERLOADED: Rule(
            _RETRY, "the server is overloaded", "wait, or use another model", codes="503, 529", is_shared=True
        ),
        FailureKind.LOADING: Rule(
            _RETRY, "the server is loading its model", "wait; the run goes on by itself", codes="503", is_shared=True
        ),
        FailureKind.SERVER_ERROR: Rule(_RETRY, "the server had an error", "try again later", codes="500, 502, ..."),
        FailureKind.UNREACHABLE: Rule(
            _RETRY,
            "no connection: refused, reset, or no such host",
            "check --base-url, the server and the network",
            is_shared=True,
        ),
        FailureKind.TIMEOUT: Rule(_RETRY, "no answer in time", "allow more time", codes="408, 504, or our own limit"),
        FailureKind.TRUNCATED: Rule(_RETRY, "the reply broke off", "check the server and the network"),
        FailureKind.MALFORMED: Rule(
            _RETRY, "not a chat reply: HTML, or truncated or invalid JSON", "check that --base-url is a chat API"
        ),
        FailureKind.EMPTY: Rule(_RETRY, "the reply is empty", "use another model, or lower reasoning_effort"),
        FailureKind.CUT_OFF: Rule(
            _FAIL, "the reply reached its length limit", "raise max_output_tokens, attach less, or ask for less"
        ),
        FailureKind.CONTEXT_EXCEEDED: Rule(
            _SHRINK,
            "the prompt is longer than the model's context window",
            "attach less, or use a model with a larger window",
            codes="413, or 400 with a matching message",
        ),
        FailureKind.CONTENT_FILTERED: Rule(
            _FAIL, "the provider's filter stopped it", "reword the task, or use another model"
        ),
        FailureKind.BAD_KEY: Rule(
            _STOP, "the key was refused", "set the provider's key, then resume", codes="401, 403", is_shared=True
        ),
        FailureKind.NOT_FOUND: Rule(
            _STOP,
            "the server has no such model or address",
            "check --model and --base-url, then resume",
            codes="404, or a redirect",
            is_shared=True,
        ),
        FailureKind.BAD_REQUEST: Rule(
            _FAIL, "the server refuses the request", "check the sampling settings, tools and schema", codes="400, 422"
        ),
        FailureKind.UNSUPPORTED: Rule(
            _FAIL,
            "the server does not support this for its model",
            "use another model or server; with tools, try --no-native-tools",
            codes="501, or 400 and 500 with a matching message",
        ),
        FailureKind.QUOTA_EXHAUSTED: Rule(
            _STOP,
            "the account has no credit left",
            "add credit, then resume",
            codes="402, insufficient_quota",
            is_shared=True,
        ),
        FailureKind.CANCELLED: Rule(_FAIL, "the call was cancelled", "resume the run"),
        FailureKind.UNKNOWN: Rule(_FAIL, "an unexpected error", "report it with the message"),
    }
)
"""What each kind of failure means and what is done about it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure that has been told apart.

    Attributes:
        kind: its line in the table.
        status_code: the HTTP status, if there was one.
        retry_after_s: how long the server asked to wait, in seconds, if it did.
        sizes: those of a prompt that is too long, as far as the server said.
    """

    kind: FailureKind
    status_code: int | None = None
    retry_after_s: float | None = None
    sizes: Sizes = UNKNOWN_SIZES

    @property
    def rule(self) -> Rule:
        """Its line in the table."""
        return RULES[self.kind]

    @property
    def means(self) -> str:
        """What has happened, with the status that the server sent."""
        return f"{self.rule.means} ({self.status_code})" if self.status_code is not None else self.rule.means


_BY_STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), FailureKind.NOT_FOUND),
    400: FailureKind.BAD_REQUEST, 401: FailureKind.BAD_KEY, 402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.BAD_KEY, 404: FailureKind.NOT_FOUND, 408: FailureKind.TIMEOUT, 409: FailureKind.OVERLOADED,
    413: FailureKind.CONTEXT_EXCEEDED, 422: FailureKind.BAD_REQUEST, 425: FailureKind.OVERLOADED,
    429: FailureKind.RATE_LIMITED, 501: FailureKind.UNSUPPORTED, 503: FailureKind.OVERLOADED, 504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}  # fmt: skip

# The codes and types of error bodies that say more than their status: OpenAI's, Azure's, llama.cpp's.
_BY_CODE = {
    "insufficient_quota": FailureKind.QUOTA_EXHAUSTED,
    "billing_hard_limit_reached": FailureKind.QUOTA_EXHAUSTED,
    "context_length_exceeded": FailureKind.CONTEXT_EXCEEDED,
    "exceed_context_size_error": FailureKind.CONTEXT_EXCEEDED,
    "content_filter": FailureKind.CONTENT_FILTERED,
    "content_policy_violation": FailureKind.CONTENT_FILTERED,
    "invalid_api_key": FailureKind.BAD_KEY,
    "model_not_found": FailureKind.NOT_FOUND,
}

# The words of error bodies that say more than their status, which has to be one of those: llama.cpp's, vLLM's, TGI's,
# Ollama's.
_BY_WORDS = (
    ({503}, re.compile(r"\b(?:loading|warming up)\b", re.IGNORECASE), FailureKind.LOADING),
    ({500}, re.compile(r"does not match the expected [\w-]{1,40} format"), FailureKind.UNSUPPORTED),
    ({400}, re.compile(r"does not support (?:tools|chat)|requires --enable-auto-tool-choice"), FailureKind.UNSUPPORTED),
)
_MOST_READ = 2_000

_BY_CLASS = {
    "ContextWindowExceededError": FailureKind.CONTEXT_EXCEEDED,
    "ContentPolicyViolationError": FailureKind.CONTENT_FILTERED,
    **dict.fromkeys(
        ("TimeoutError", "ReadTimeout", "WriteTimeout", "PoolTimeout", "APITimeoutError", "Timeout",
         "SocketTimeoutError", "ServerTimeoutError", "LateError"), FailureKind.TIMEOUT,
    ),
    **dict.fromkeys(
        ("ConnectError", "ConnectTimeout", "ReadError", "WriteError", "RemoteProtocolError", "ClientConnectorError",
         "ClientOSError", "ClientConnectorDNSError", "ClientConnectorSSLError", "ClientConnectorCertificateError",
         "ClientProxyConnectionError", "ClientHttpProxyError", "ClientConnectionResetError", "ClientConnectionError",
         "ServerDisconnectedError", "ConnectionError", "ConnectionRefusedError",
         "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "gaierror"), FailureKind.UNREACHABLE,
    ),
    **dict.fromkeys(
        ("JSONDecodeError", "UnicodeDecodeError", "DecodingError", "ClientResponseError", "NotAReplyError",
         "TooLongError"), FailureKind.MALFORMED,
    ),
    "BrokenOffError": FailureKind.TRUNCATED,
    **dict.fromkeys(
        ("InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError", "NoAddressError"), FailureKind.NOT_FOUND,
    ),
}  # fmt: skip

# What aiohttp raises when a body cannot be read to its end; whatever was made of these, a reply had begun.
_BY_BODY = {
    "ContentEncodingError": FailureKind.MALFORMED,
    "ClientPayloadError": FailureKind.TRUNCATED,
}

_KINDS = {kind.value: kind for kind in FailureKind}
_SERVER_SAID_SO = ("HTTPStatusError", "APIError", "APIStatusError")
_ABOUT_PROMPTS = frozenset({FailureKind.CONTEXT_EXCEEDED, FailureKind.BAD_REQUEST})
_CATCH_ALL = 500
_DEEPEST = 20


def may_retry(kind: str) -> bool:
    """Return whether the same call may end better when it is made again; `kind` is that of a `ModelError`.

    >>> may_retry("timeout"), may_retry("bad_request")
    (True, False)
    """
    return _rule(kind).decision is Decision.RETRY


def waits_for_all(kind: str) -> bool:
    """Return whether all other calls to the model would fail alike for now, so that they should wait."""
    return may_retry(kind) and _rule(kind).is_shared


def shrinks(kind: str) -> bool:
    """Return whether the call has to be made again with less in its prompt."""
    return _rule(kind).decision is Decision.SHRINK


def stops_run(kind: str) -> bool:
    """Return whether all other calls to the model would fail alike until a person does something."""
    return _rule(kind).decision is Decision.STOP_RUN


def classify(error: BaseException) -> Failure:
    """Tell what kind of failure `error` is.

    Status 500 is what litellm puts on whatever it does not know, so for a 500 the exceptions behind it decide: a
    status that a server really sent, a connection that broke, JSON that could not be read. A 500 with none of these
    behind it was made of a body that is no reply.

    >>> classify(TimeoutError()).kind
    <FailureKind.TIMEOUT: 'timeout'>
    """
    if isinstance(error, ModelError):
        sizes = Sizes(error.prompt_tokens, error.window_tokens)
        return Failure(_kind_named(error.kind), error.status_code, error.retry_after_s, sizes)
    if type(error).__name__ == "CancelledError":
        return Failure(FailureKind.CANCELLED)
    chain = list(_chain(error))
    status = next((code for each in chain if (code := _status_code(each)) is not None), None)
    kind = _kind(chain, status)
    if status == _CATCH_ALL and kind not in {FailureKind.SERVER_ERROR, FailureKind.UNSUPPORTED}:
        status = None
    sizes = UNKNOWN_SIZES
    if kind in _ABOUT_PROMPTS:
        sizes = read_sizes((_body(each), said_by(each)) for each in chain)
        if None not in sizes:  # whatever it was called
            kind = FailureKind.CONTEXT_EXCEEDED
    return Failure(kind, status, _asked_delay(chain), sizes)


def delay_s(
    attempt: int, *, base_s: float, retry_after_s: float | None = None, cap_s: float = 60.0, random: float
) -> float:
    """Return how long to wait before trying again, in seconds.

    The delay is `min(cap_s, base_s * 2**attempt) * (1 + random) / 2`: it doubles, and its upper half is left to chance,
    so that calls that failed together do not come back together. With `base_s=1` the attempts 0, 1, 2, ... wait
    0.5-1 s, 1-2 s, 2-4 s, 4-8 s, 8-16 s, 16-32 s, 30-60 s, 30-60 s, ...

    What the server asks for is honoured, however long: then the delay is `retry_after_s` and up to a tenth of
    `min(cap_s, retry_after_s)` more, but never less than the delay without it.

    Args:
        attempt: how many attempts have failed before the one that has just failed; 0 for the first.
        base_s: the longest first delay, in seconds.
        retry_after_s: what the server asked for, in seconds.
        cap_s: the longest delay that is not the server's wish, in seconds.
        random: a number from 0 up to 1.

    >>> [delay_s(n, base_s=1, random=0.5) for n in range(4)]
    [0.75, 1.5, 3.0, 6.0]
    >>> delay_s(0, base_s=1, retry_after_s=7, random=0.0)
    7.0
    """
    doubled = base_s * 2.0 ** min(attempt, 1000)
    own = min(cap_s, doubled) * (1 + random) / 2
    if retry_after_s is None:
        return own
    return max(own, retry_after_s + min(cap_s, retry_after_s) * 0.1 * random)


def read_retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return how long a server asks to wait, in seconds from `now`; None if it does not, or not so that it can be read.

    `retry-after-ms` is milliseconds; `retry-after` is seconds or an HTTP date. Source: RFC 9110, 10.2.3.

    >>> read_retry_after({"Retry-After": "7"})
    7.0
    """
    lower = {str(name).lower().removeprefix("llm_provider-"): str(value).strip() for name, value in headers.items()}
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(lower.get(name, ""))
        if seconds is not None:
            return seconds * unit_s
    try:
        when = parsedate_to_datetime(lower.get("retry-after", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def rules_table() -> str:
    """Write the table in Markdown, for the documentation.

    >>> print(rules_table().splitlines()[0])
    | failure | what has happened | what Ramify does | what you can do |
    """
    lines = ["| failure | what has happened | what Ramify does | what you can do |", "|---|---|---|---|"]
    lines += [
        f"| `{kind}` | {rule.means}{f' ({rule.codes})' * bool(rule.codes)} | {_DEEDS[rule.decision, rule.is_shared]} |"
        f" {rule.advice} |"
        for kind, rule in RULES.items()
    ]
    return "\n".join(lines) + "\n"


_DEEDS = {
    (_RETRY, False): "tries again, after growing delays",
    (_RETRY, True): "tries again within two seconds, or when the server says; other calls to the model wait",
    (_SHRINK, False): "asks again with a shorter prompt",
    (_FAIL, False): "fails the task",
    (_STOP, True): "stops the run; you can resume it",
}


def _kind_named(name: str) -> FailureKind:
    return _KINDS.get(name, FailureKind.UNKNOWN)


def _rule(kind: str) -> Rule:
    return RULES[_kind_named(kind)]


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_DEEPEST):
        # A ModelError behind an error is the attempt before this one, in whose handler this one was made.
        if current is None or (current is not error and isinstance(current, ModelError)):
            return
        yield current
        current = current.__cause__ or current.__context__


def _kind(chain: list[BaseException], status: int | None) -> FailureKind:
    said = next((_BY_CODE[code] for each in chain for code in _codes(each) if code in _BY_CODE), None)
    if said is not None:  # an error body says more than the status, however deep it stands
        return said
    said = next((kind for each in chain if (kind := _said_in_words(each, status)) is not None), None)
    said = said or _of_body(chain)
    if said is not None:
        return said
    for each in chain:
        if (kind := _BY_CLASS.get(type(each).__name__)) is not None:
            return FailureKind.UNREACHABLE if kind is FailureKind.TIMEOUT and _never_connected(chain) else kind
        own = _status_code(each)
        if own is not None and own != _CATCH_ALL:
            return _BY_STATUS.get(own, FailureKind.SERVER_ERROR if own >= _CATCH_ALL else FailureKind.BAD_REQUEST)
    if status is None:
        return FailureKind.UNKNOWN
    said_by_server = len(chain) == 1 or any(type(each).__name__.endswith(_SERVER_SAID_SO) for each in chain[1:])
    return FailureKind.SERVER_ERROR if said_by_server else FailureKind.MALFORMED


def _of_body(chain: list[BaseException]) -> FailureKind | None:
    names = {type(each).__name__ for each in chain}
    return next((kind for name, kind in _BY_BODY.items() if name in names), None)


def _said_in_words(error: BaseException, status: int | None) -> FailureKind | None:
    return next(
        (kind for codes, words, kind in _BY_WORDS if status in codes and words.search(said_by(error))),
        None,
    )


def said_by(error: BaseException) -> str:
    """Return the words of an error, no more of them than one would read."""
    return str(_body(error).get("message") or error)[:_MOST_READ]


def _body(error: BaseException) -> Mapping[str, Any]:
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _never_connected(chain: list[BaseException]) -> bool:
    return any(type(each).__name__ in {"ConnectTimeout", "ConnectionTimeoutError"} for each in chain)


def _status_code(error: BaseException) -> int | None:
    code = getattr(error, "status_code", None)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _codes(error: BaseException) -> Iterator[str]:
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    for source in (inner, body):
        if isinstance(source, dict):
            yield from (str(source[name]) for name in ("code", "type") if source.get(name))
    yield str(vars(error).get("code", ""))  # a property of that name is something else, as aiohttp's


def _asked_delay(chain: list[BaseException]) -> float | None:
    for each in chain:
        for headers in _headers(each):
            if (seconds := read_retry_after(headers)) is not None:
                return seconds
    return None


def _headers(error: BaseException) -> Iterator[Mapping[str, Any]]:
    response = getattr(error, "response", None)
    for headers in (
        getattr(error, "litellm_response_headers", None), getattr(response, "headers", None),
        getattr(error, "headers", None),
    ):  # fmt: skip
        if isinstance(headers, Mapping):
            yield headers


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
