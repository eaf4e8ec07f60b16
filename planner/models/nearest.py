"""Which recorded request comes nearest to one that was not recorded, and how the two differ: pure, and bounded.

Requests are compared by the lines that they share, which takes linear time. What differs is shown as a unified diff of
the part between the first and the last difference, cut to a size that can be read.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from ramify.planner.store.records import CallRecord
from ramify.tasks.counting import counted

from .protocol import ModelRequest

LINE_LENGTH = 160
"""Longer lines are compared and shown in pieces of so many characters."""

_COMPARED = 200
_SHOWN = 40
_SHOWN_TOGETHER = 6
_CONTEXT = 2
_DATA = re.compile(r"<data-([0-9a-f]{8}) kind=")


def nearest(request: ModelRequest, calls: Iterable[CallRecord]) -> CallRecord | None:
    """Return the call whose request is most like `request`; None if there are no calls.

    One of the same task and purpose comes before one of the same purpose, and that before any other; of several that
    are equally near it is the first.
    """
    asked = set(lines_of(request.to_wire(""), request.nonce))
    best: CallRecord | None = None
    best_score: tuple[bool, bool, float] = (False, False, -1.0)
    for call in calls:
        is_purpose = call.key.purpose == request.purpose
        score = (is_purpose, is_purpose and call.key.task_id == request.task_id, 1.0)
        if score > best_score:
            score = (*score[:2], _likeness(asked, call))
        if score > best_score:
            best, best_score = call, score
    return best


def difference(request: ModelRequest, call: CallRecord) -> str:
    """Return how `request` differs from the request of `call`, as a unified diff of at most some forty lines."""
    recorded = lines_of(call.request, _nonce_of(call.request))
    asked = lines_of(request.to_wire(call.model), request.nonce)
    start = _common(recorded, asked)
    end = _common(recorded[start:][::-1], asked[start:][::-1])
    before, after = (
        lines[max(0, start - _CONTEXT) : len(lines) - end + _CONTEXT][:_COMPARED] for lines in (recorded, asked)
    )
    diff = list(difflib.unified_diff(before, after, "recorded", "asked now", n=_CONTEXT, lineterm=""))
    shown = [line for _, group in groupby(diff, key=lambda line: line[:1]) for line in _shortened(list(group))]
    return "\n".join(shown[:_SHOWN] + ["..."] * (len(shown) > _SHOWN))


def lines_of(wire: Mapping[str, Any], nonce: str) -> list[str]:
    """Return a request as lines, without what differs between any two runs: the model's name and the nonce."""
    lines = [f"{name}: {wire[name]}" for name in sorted(wire) if name not in {"model", "messages"}]
    for message in wire["messages"]:
        content = str(message["content"])
        lines.append(f"[{message['role']}]")
        for line in (content.replace(nonce, "NONCE") if nonce else content).splitlines():
            lines += [line[at : at + LINE_LENGTH] for at in range(0, len(line), LINE_LENGTH)] or [""]
    return lines


def _shortened(lines: list[str]) -> list[str]:
    """Return lines that are all removed, all added or all the same, without most of them if they are many."""
    left_out = len(lines) - _SHOWN_TOGETHER
    return (
        lines
        if left_out <= 0
        else [*lines[:_SHOWN_TOGETHER], f"{lines[0][:1]}... and {counted(left_out, 'more line')}"]
    )


def _likeness(asked: set[str], call: CallRecord) -> float:
    recorded = set(lines_of(call.request, _nonce_of(call.request)))
    return len(asked & recorded) / max(1, len(asked | recorded))


def _nonce_of(wire: Mapping[str, Any]) -> str:
    """Return the nonce of a recorded request, for showing it: data blocks begin with it."""
    for message in wire["messages"]:
        if found := _DATA.search(str(message["content"])):
            return found[1]
    return ""


def _common(one: list[str], other: list[str]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
