import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.errors import ModelError
from ramify.planner.models.retry import (
    RULES,
    Decision,
    Failure,
    FailureKind,
    classify,
    delay_s,
    may_retry,
    read_retry_after,
    rules_table,
    shrinks,
    stops_run,
    waits_for_all,
)


def failed(name: str, behind: BaseException | None = None, **attributes: Any) -> Exception:
    """Make an exception as another library would: a class of that name with these attributes."""
    error: Exception = type(name, (Exception,), {})("what it said")
    for attribute, value in attributes.items():
        setattr(error, attribute, value)
    error.__context__ = behind
    return error


def test_every_kind_of_failure_has_a_rule_and_a_line_in_the_documentation() -> None:
    assert set(RULES) == set(FailureKind)
    assert [line.split("`")[1] for line in rules_table().splitlines()[2:]] == [kind.value for kind in RULES]


def test_what_stops_the_run_is_what_every_other_call_would_meet_too() -> None:
    assert all(rule.is_shared for rule in RULES.values() if rule.decision is Decision.STOP_RUN)
    assert not any(rule.is_shared for rule in RULES.values() if rule.decision in {Decision.FAIL, Decision.SHRINK})


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        (
            may_retry,
            {
                "rate_limited",
                "overloaded",
                "loading",
                "server_error",
                "unreachable",
                "timeout",
                "truncated",
                "malformed",
                "empty",
            },
        ),
        (waits_for_all, {"rate_limited", "overloaded", "loading", "unreachable"}),
        (shrinks, {"context_exceeded"}),
        (stops_run, {"bad_key", "not_found", "quota_exhausted"}),
    ],
)
def test_the_questions_are_answered_from_the_table(question: Callable[[str], bool], kinds: set[str]) -> None:
    assert {kind for kind in [*FailureKind, "of another time"] if question(kind)} == kinds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "bad_request"),
        (401, "bad_key"),
        (402, "quota_exhausted"),
        (403, "bad_key"),
        (404, "not_found"),
        (408, "timeout"),
        (413, "context_exceeded"),
        (418, "bad_request"),
        (422, "bad_request"),
        (429, "rate_limited"),
        (500, "server_error"),
        (501, "unsupported"),
        (502, "server_error"),
        (503, "overloaded"),
        (504, "timeout"),
        (520, "server_error"),
        (529, "overloaded"),
    ],
)
def test_a_status_code_tells_the_kind(status: int, kind: str) -> None:
    failure = classify(failed("APIStatusError", status_code=status))
    assert (failure.kind, failure.status_code) == (kind, status)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (failed("ContextWindowExceededError", status_code=400), "context_exceeded"),
        (failed("ContentPolicyViolationError", status_code=400), "content_filtered"),
        (failed("BadRequestError", status_code=400, code="content_filter"), "content_filtered"),
        (failed("BadRequestError", status_code=400, body={"type": "exceed_context_size_error"}), "context_exceeded"),
        (failed("RateLimitError", status_code=429, body={"error": {"code": "insufficient_quota"}}), "quota_exhausted"),
        (failed("RateLimitError", status_code=429, body={"code": "rate_limit_exceeded"}), "rate_limited"),
        (failed("Timeout", status_code=408), "timeout"),
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "unreachable"),
        (ConnectionResetError(), "unreachable"),
        (failed("gaierror"), "unreachable"),
        (asyncio.CancelledError(), "cancelled"),
        (json.JSONDecodeError("cut", "{", 1), "malformed"),
        (TypeError("a mistake in the program"), "unknown"),
        (failed("Odd", status_code=True), "unknown"),
        (failed("Odd", status_code="500"), "unknown"),
    ],
)
def test_what_an_error_is_called_and_carries_tells_the_kind(error: BaseException, kind: str) -> None:
    assert classify(error).kind == kind


@pytest.mark.parametrize(
    ("behind", "kind", "status"),
    [
        (failed("OpenAIError", failed("ConnectError"), status_code=500), "unreachable", None),
        (failed("OpenAIError", failed("InternalServerError", failed("HTTPStatusError"))), "server_error", 500),
        (failed("APIError"), "server_error", 500),
        (failed("OpenAIError", json.JSONDecodeError("cut", "{", 1), status_code=500), "malformed", None),
        (failed("OpenAIError", failed("OpenAIError", status_code=500), status_code=500), "malformed", None),
        (failed("ReadTimeout"), "timeout", None),
        (failed("APITimeoutError", failed("ConnectTimeout")), "unreachable", None),
        (None, "server_error", 500),
    ],
)  # fmt: skip
def test_what_is_behind_a_500_decides_as_litellm_gives_500_to_all_that_it_does_not_know(
    behind: BaseException | None, kind: str, status: int | None
) -> None:
    failure = classify(failed("InternalServerError", behind, status_code=500))
    assert (failure.kind, failure.status_code) == (kind, status)


@pytest.mark.fault("3.12")
@pytest.mark.fault("3.16")
@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (503, "Loading model", "loading"),
        (503, "Model meta-llama/X is currently loading", "loading"),
        (503, "The model is overloaded", "overloaded"),
        (503, "downloading is slow", "overloaded"),
        (400, "Loading model", "bad_request"),
        (500, "The model produced output that does not match the expected peg-native format", "unsupported"),
        (500, "Loading model", "server_error"),
        (501, "This server does not support embeddings. Start it with `--embeddings`", "unsupported"),
    ],
)
def test_the_words_of_a_server_tell_more_than_its_status(status: int, words: str, kind: str) -> None:
    sent = failed("APIStatusError", status_code=status, body={"error": {"message": words}})
    failure = classify(failed("ServiceError", sent, status_code=status))
    assert (failure.kind, failure.status_code) == (kind, status)


@pytest.mark.fault("3.14")
def test_an_error_says_the_status_that_came_and_no_other() -> None:
    said = [
        Failure(kind, status).means
        for kind, status in [(FailureKind.CONTEXT_EXCEEDED, 400), (FailureKind.TIMEOUT, None)]
    ]
    assert said == ["the prompt is longer than the model's context window (400)", "no answer in time"]


def test_the_attempt_before_does_not_colour_the_next_one() -> None:
    earlier = ModelError("no connection", kind="unreachable", model="m")
    earlier.__context__ = ConnectionRefusedError()
    assert classify(failed("InternalServerError", failed("APIError", earlier), status_code=500)).kind == "server_error"


def test_a_cancellation_deep_behind_a_timeout_is_no_cancellation() -> None:
    assert classify(failed("ReadTimeout", asyncio.CancelledError())).kind == "timeout"


def test_a_model_error_is_what_it_says() -> None:
    error = ModelError("slow down", kind="rate_limited", model="m", status_code=429, retry_after_s=3)
    failure = classify(error)
    assert (failure.kind, failure.status_code, failure.retry_after_s) == ("rate_limited", 429, 3)
    assert classify(ModelError("?", kind="of another time", model="m")).kind == "unknown"


def test_errors_that_go_round_in_a_circle_are_told_apart_too() -> None:
    first, second = failed("A", status_code=500), failed("B")
    first.__context__, second.__context__ = second, first
    assert classify(first).kind == "malformed"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"llm_provider-retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_milliseconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers, now=datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)) == seconds


def test_retry_after_is_found_in_litellms_headers_and_in_the_response_behind() -> None:
    assert (
        classify(failed("RateLimitError", status_code=429, litellm_response_headers={"retry-after": "7"})).retry_after_s
        == 7
    )
    response = type("Response", (), {"headers": {"retry-after": "9"}})()
    assert classify(failed("A", failed("B", response=response), status_code=429)).retry_after_s == 9


@given(st.text())
def test_no_header_can_break_the_reading(text: str) -> None:
    seconds = read_retry_after({"retry-after": text, "retry-after-ms": text})
    assert seconds is None or 0 <= seconds < float("inf")


def test_delays_double_up_to_the_cap() -> None:
    assert [delay_s(n, base_s=1, random=1) for n in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_delays_stay_finite_after_any_number_of_attempts() -> None:
    assert delay_s(10**9, base_s=1, random=1) == 60


@given(
    attempt=st.integers(0, 100),
    base_s=st.floats(0, 100),
    retry_after_s=st.none() | st.floats(0, 1e6),
    random=st.floats(0, 1, exclude_max=True),
)
def test_a_delay_honours_the_server_and_spreads_calls(
    attempt: int, base_s: float, retry_after_s: float | None, random: float
) -> None:
    without = delay_s(attempt, base_s=base_s, random=random)
    assert min(60, base_s * 2.0**attempt) / 2 <= without <= 60
    with_wish = delay_s(attempt, base_s=base_s, retry_after_s=retry_after_s, random=random)
    assert max(without, retry_after_s or 0) <= with_wish <= max(without, (retry_after_s or 0) + 6)


def test_jitter_spreads_calls_that_failed_together() -> None:
    delays = [delay_s(3, base_s=1, retry_after_s=5, random=n / 10) for n in range(10)]
    assert all(earlier < later for earlier, later in itertools.pairwise(delays))
