"""How much is read at a time of what may be large: one run, as it stood at one instant, in parts that fit in memory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from .lineage import Lineage
from .reading import call_of, texts_of
from .records import CallRecord
from .tables import CALLS
from .texts import decode_text, join_texts, load_json, references_of

ROWS_AT_ONCE = 500

Text = tuple[str, str]
"""A long text that calls refer to: its hash, and its words."""


def stream_rows(
    connection: Connection, table: Table, lineage: Lineage, order: Sequence[str]
) -> Iterator[list[RowMapping]]:
    """Yield the rows of `table` that a run has, in the order of its columns `order`, some at a time."""
    query = select(table).where(lineage.rows_of(table)).order_by(*(table.c[name] for name in order))
    rows = connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).mappings()
    for part in rows.partitions():
        yield list(part)


def stream_calls(
    connection: Connection, lineage: Lineage
) -> Iterator[tuple[list[tuple[RowMapping, Mapping[str, Any]]], list[Text]]]:
    """Yield the calls of a run in the order in which they were made, some at a time.

    With each part of calls, which are rows with their requests as they are stored, come the texts that these refer to.
    """
    order = ("started_at", "task_id", "attempt", "sample", "step")
    for rows in stream_rows(connection, CALLS, lineage, order):
        calls = [(row, load_json(row["request"])) for row in rows]
        wanted = sorted({sha256 for _, request in calls for sha256 in references_of(request)})
        texts = texts_of(connection, lineage, wanted)
        yield calls, [(sha256, decode_text(texts[sha256])) for sha256 in wanted]


def stream_records(connection: Connection, lineage: Lineage) -> Iterator[CallRecord]:
    """Yield the calls of a run as records, in the order in which they were made."""
    for calls, texts in stream_calls(connection, lineage):
        words = dict(texts)
        yield from (call_of(row, join_texts(request, words), lineage) for row, request in calls)
