"""How a row becomes a line of a run's file and a line a row: one table of columns for each kind of line.

What comes from a file is checked before it becomes a row: nothing in it is trusted.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ramify.tasks.json_text import json_text

from .records import CallKey, CallRecord
from .rows import TASK_COLUMNS
from .texts import decode_text, dump_json, encode_text, load_json

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

Form = Literal["word", "text", "object", "json", "count", "number"]
"""What a column holds: an id or name, any text, a JSON object, any JSON, a whole number, a number."""

_LARGEST = 2**63


class Column(NamedTuple):
    """One column.

    Attributes:
        name: what it is called, in tables and files.
        form: what it holds.
        is_optional: whether it may be empty; it is left out of the line then.
    """

    name: str
    form: Form
    is_optional: bool = False


_FORMS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("id", "word"),
        Column("parent_id", "word", is_optional=True),
        Column("position", "count"),
        Column("origin", "word"),
        Column("content", "text"),
        Column("spec", "object"),
        Column("state", "word"),
        Column("result", "text"),
        Column("output", "json", is_optional=True),
        Column("gaps", "json", is_optional=True),
        Column("error", "text", is_optional=True),
        Column("attempts", "count"),
        Column("usage", "object", is_optional=True),
        Column("started_at", "number", is_optional=True),
        Column("completed_at", "number", is_optional=True),
        Column("updated_at", "number", is_optional=True),
    )
}
COLUMNS: Final[Mapping[str, Sequence[Column]]] = {
    "task": tuple(_FORMS[name] for name in TASK_COLUMNS),
    "text": (Column("sha256", "word"), Column("content", "text")),
    "call": (
        Column("task_id", "word"),
        Column("purpose", "word"),
        Column("attempt", "count"),
        Column("sample", "count"),
        Column("step", "count"),
        Column("request_sha256", "word"),
        Column("model", "text"),
        Column("prompt_version", "word"),
        Column("prompt_sha256", "word"),
        Column("request", "object"),
        Column("reply", "object"),
        Column("started_at", "number"),
        Column("latency_s", "number"),
        Column("seq", "count", is_optional=True),
    ),
    "step": (
        Column("task_id", "word"),
        Column("attempt", "count"),
        Column("key", "word"),
        Column("input", "json", is_optional=True),
        Column("output", "json", is_optional=True),
        Column("started_at", "number"),
        Column("ended_at", "number", is_optional=True),
        Column("kind", "word", is_optional=True),
        Column("state", "word", is_optional=True),
        Column("may_repeat", "word", is_optional=True),
        Column("idempotency_key", "word", is_optional=True),
    ),
    "memory": (Column("key", "text"), Column("value", "json"), Column("updated_at", "number")),
    "event": (
        Column("seq", "count"),
        Column("at", "number"),
        Column("type", "word"),
        Column("task_id", "word", is_optional=True),
        Column("data", "object"),
    ),
}
"""The columns of each kind of line, in the order of the rows that statements take."""

RUN: Final = (
    Column("id", "word"),
    Column("goal", "text"),
    Column("status", "word"),
    Column("phase", "text"),
    Column("model", "text", is_optional=True),
    Column("made_by", "text", is_optional=True),
    Column("settings", "object"),
    Column("nonce_seed", "text"),
    Column("created_at", "number"),
    Column("finished_at", "number", is_optional=True),
    Column("error", "text", is_optional=True),
    Column("usage", "object", is_optional=True),
    Column("forked_from", "text", is_optional=True),
    Column("forked_seq", "count", is_optional=True),
)
"""The columns of a run that move with it; who holds it, and what is asked of it, does not."""

_REPLY: Final = (
    Column("text", "text"),
    Column("model", "text"),
    Column("finish_reason", "word"),
    Column("input_tokens", "count"),
    Column("output_tokens", "count"),
    Column("cost_usd", "number", is_optional=True),
    Column("latency_s", "number"),
    Column("taken_from", "text", is_optional=True),
    Column("cached_tokens", "count", is_optional=True),
    Column("stopped", "text", is_optional=True),
    Column("has_thought", "json", is_optional=True),
)


def fields_of(row: "RowMapping | Mapping[str, Any]", columns: Sequence[Column]) -> dict[str, Any]:
    """Return a row as the fields of a line; what is empty is left out."""
    return {column.name: _decoded(row[column.name], column.form) for column in columns if row[column.name] is not None}


def row_of(fields: Mapping[str, Any], columns: Sequence[Column]) -> tuple[Any, ...]:
    """Return the fields of a line as a row.

    Raises:
        ValueError: if one is missing, or is not what it has to be.
    """
    return tuple(_encoded(fields.get(column.name), column) for column in columns)


def call_of(fields: Mapping[str, Any]) -> CallRecord:
    """Return the fields of a call's line as a record.

    Raises:
        ValueError: if one is missing, or is not what it has to be.
    """
    row_of(fields, COLUMNS["call"])
    check_call(fields)
    rest = ("model", "prompt_version", "prompt_sha256", "request", "reply", "started_at", "latency_s")
    key = CallKey(*(fields[name] for name in CallKey._fields))
    return CallRecord(key=key, **{name: fields[name] for name in rest})


def check_call(fields: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless the reply of a call's line is one, and its request holds messages."""
    row_of(fields["reply"], _REPLY)
    messages = fields["request"].get("messages")
    if not isinstance(messages, list) or not all(_is_message(message) for message in messages):
        raise ValueError("the request holds no messages")


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(message.get("role"), str) and "content" in message


def _decoded(value: Any, form: Form) -> Any:
    if form == "text":
        return decode_text(value)
    return load_json(value) if form in {"object", "json"} else value


def _encoded(value: Any, column: Column) -> Any:
    if value is None and (column.is_optional or column.form == "json"):
        return None
    if not _fits(value, column.form):
        shown = "missing" if value is None else f"{json_text(value)[:40]}, which is no {column.form}"
        raise ValueError(f"{column.name} is {shown}")
    if column.form == "text":
        return encode_text(value)
    return dump_json(value, what=column.name) if column.form in {"object", "json"} else value


def _fits(value: Any, form: Form) -> bool:
    if form == "word":
        return isinstance(value, str) and encode_text(value) == value
    if form == "text":
        return isinstance(value, str)
    if form == "object":
        return isinstance(value, dict)
    if form == "json":
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) and abs(value) < _LARGEST if form == "count" else math.isfinite(value)
