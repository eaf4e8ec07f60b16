"""What may follow what in a conversation with tools: one table, from which the diagram in `docs/tools.md` is drawn.

Doing a task is a chain of contents: messages, calls of tools, their results, errors. Each is made from the one before,
and the table says what it may be. The roles are A (assistant), U (user), S (system) and F (function).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from ramify.planner.errors import FollowUpError


class Kind(StrEnum):
    """The kinds of contents."""

    UPLOADED_FILES = "uploaded_files"
    USER_MESSAGE = "user_message"
    STRUCTURED_MESSAGE = "structured_message"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    ASSISTANT_MESSAGE = "assistant_message"
    ERROR_REPORT = "error_report"
    SYSTEM_MESSAGE = "system_message"


class End(StrEnum):
    """The events with which a conversation ends."""

    TERMINATION = "TERMINATION"
    ERROR = "ERROR"


ROLES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.UPLOADED_FILES: "U",
        Kind.USER_MESSAGE: "U",
        Kind.STRUCTURED_MESSAGE: "A",
        Kind.TOOL_CALL: "F",
        Kind.TOOL_RESULT: "F",
        Kind.ASSISTANT_MESSAGE: "A",
        Kind.ERROR_REPORT: "S",
        Kind.SYSTEM_MESSAGE: "S",
    }
)
"""Who speaks."""


class When(StrEnum):
    """The conditions under which something may follow."""

    TOOLS = "tools are enabled"
    NATIVE = "the model calls tools itself"
    ANSWER = "it holds an answer"
    COMMAND = "it carries a command"
    UNUSABLE = "it cannot be used"
    REPAIR = "a repair is left"
    NO_REPAIR = "no repair is left"
    AUTONOMOUS = "the agent is autonomous"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What may follow, and which conditions have to hold for it, all of them."""

    kind: Kind | End
    when: tuple[When, ...] = ()


def _to(kind: Kind | End, *when: When) -> FollowUp:
    return FollowUp(kind, when)


FOLLOW_UPS: Mapping[Kind, tuple[FollowUp, ...]] = MappingProxyType(
    {
        Kind.UPLOADED_FILES: (
            _to(Kind.USER_MESSAGE),
            _to(Kind.ASSISTANT_MESSAGE),
            _to(Kind.STRUCTURED_MESSAGE, When.TOOLS),
        ),
        Kind.USER_MESSAGE: (
            _to(Kind.ASSISTANT_MESSAGE),
            _to(Kind.STRUCTURED_MESSAGE, When.TOOLS),
            _to(Kind.TOOL_CALL, When.NATIVE),
        ),
        Kind.STRUCTURED_MESSAGE: (
            _to(Kind.ASSISTANT_MESSAGE, When.ANSWER),
            _to(Kind.TOOL_CALL, When.COMMAND),
            _to(Kind.ERROR_REPORT, When.UNUSABLE),
        ),
        Kind.TOOL_CALL: (_to(Kind.TOOL_RESULT), _to(Kind.ERROR_REPORT, When.UNUSABLE)),
        Kind.TOOL_RESULT: (
            _to(Kind.STRUCTURED_MESSAGE),
            _to(Kind.TOOL_CALL, When.NATIVE),
            _to(Kind.ASSISTANT_MESSAGE, When.NATIVE),
        ),
        Kind.ASSISTANT_MESSAGE: (
            _to(End.TERMINATION),
            _to(Kind.ERROR_REPORT, When.UNUSABLE),
            _to(Kind.STRUCTURED_MESSAGE, When.AUTONOMOUS),
            _to(Kind.TOOL_CALL, When.AUTONOMOUS, When.NATIVE),
            _to(Kind.ASSISTANT_MESSAGE, When.AUTONOMOUS, When.NATIVE),
        ),
        Kind.ERROR_REPORT: (_to(Kind.SYSTEM_MESSAGE, When.REPAIR), _to(End.ERROR, When.NO_REPAIR)),
        Kind.SYSTEM_MESSAGE: (
            _to(Kind.STRUCTURED_MESSAGE),
            _to(Kind.TOOL_CALL, When.NATIVE),
            _to(Kind.ASSISTANT_MESSAGE, When.NATIVE),
        ),
    }
)
"""The table."""

FIRST = (Kind.UPLOADED_FILES, Kind.USER_MESSAGE)
"""What a conversation may begin with."""


def check_follow_up(old: Kind | None, new: Kind | End, holds: Collection[When] = ()) -> None:
    """Raise `FollowUpError` unless `new` may follow `old`; None is the beginning.

    Args:
        old: the last content.
        new: what is to follow.
        holds: the conditions that hold.

    >>> check_follow_up(Kind.USER_MESSAGE, Kind.TOOL_CALL, {When.NATIVE})
    """
    found = [each for each in follow_ups(old) if each.kind is new]
    if any(set(each.when) <= set(holds) for each in found):
        return
    raise FollowUpError(
        "the beginning" if old is None else old.value,
        new.value,
        allowed=[_words(each) for each in follow_ups(old)],
        missing=[when for each in found for when in each.when if when not in holds],
    )


def follow_ups(old: Kind | None) -> tuple[FollowUp, ...]:
    """Return what may follow `old`, in the table's order; None is the beginning."""
    return tuple(map(FollowUp, FIRST)) if old is None else FOLLOW_UPS[old]


def transition_diagram(form: Literal["mermaid", "dot"] = "mermaid") -> str:
    """Draw the table as a Mermaid flowchart, or in the DOT language.

    >>> print(transition_diagram().splitlines()[0])
    flowchart TD
    """
    return "\n".join(_dot() if form == "dot" else _mermaid()) + "\n"


def _mermaid() -> Iterator[str]:
    yield "flowchart TD"
    for kind in Kind:
        yield f'    {kind}["{_title(kind)}"]'
    for end in End:
        yield f"    {end}{{{{{end}}}}}"
    for old, new in _edges():
        arrow = f'-- "if {_joined(new.when)}" -->' if new.when else "-->"
        yield f"    {old} {arrow} {new.kind}"


def _dot() -> Iterator[str]:
    yield "digraph transitions {"
    yield "    node [shape=box, style=rounded];"
    for kind in Kind:
        yield f'    {kind} [label="{_title(kind)}"];'
    for end in End:
        yield f"    {end} [shape=hexagon, style=solid];"
    for old, new in _edges():
        label = f' [label="if {_joined(new.when)}"]' if new.when else ""
        yield f"    {old} -> {new.kind}{label};"
    yield "}"


def _edges() -> Iterator[tuple[Kind, FollowUp]]:
    return ((old, new) for old, found in FOLLOW_UPS.items() for new in found)


def _title(kind: Kind) -> str:
    return f"{kind.replace('_', ' ')} ({ROLES[kind]})"


def _words(follow_up: FollowUp) -> str:
    return f"{follow_up.kind} (if {_joined(follow_up.when)})" if follow_up.when else follow_up.kind.value


def _joined(when: Collection[When]) -> str:
    return " and ".join(when)
