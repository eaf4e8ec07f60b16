"""How much is read at a time of what may be large: one run, as it stood at one instant, in parts that fit in memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, select

from .database import Database
from .reading import call_of
from .records import CallRecord
from .tables import CALLS, MEMORY, TEXTS
from .texts import decode_text, join_texts, load_json, references_of

ROWS_AT_ONCE = 500

Text = tuple[str, str]
"""A long text that calls refer to: its hash, and its words."""


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Give a connection that sees the store as it is now for as long as it is used, whatever others write.

    Raises:
        StoreError: if the database fails.
    """
    with database.explained(), database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def run_column(table: Table) -> ColumnElement[str]:
    """Return the column of `table` that says which run a row belongs to."""
    return table.c.scope if table is MEMORY else table.c.run_id


def stream_rows(connection: Connection, table: Table, run_id: str, order: Sequence[str]) -> Iterator[list[RowMapping]]:
    """Yield the rows of `table` that belong to a run, in the order of its columns `order`, some at a time."""
    query = select(table).where(run_column(table) == run_id).order_by(*(table.c[name] for name in order))
    rows = connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).mappings()
    for part in rows.partitions():
        yield list(part)


def stream_calls(
    connection: Connection, run_id: str
) -> Iterator[tuple[list[tuple[RowMapping, Mapping[str, Any]]], list[Text]]]:
    """Yield the calls of a run in the order in which they were made, some at a time.

    With each part of calls, which are rows with their requests as they are stored, come the texts that these refer to.
    """
    order = ("started_at", "task_id", "attempt", "sample", "step")
    for rows in stream_rows(connection, CALLS, run_id, order):
        calls = [(row, load_json(row["request"])) for row in rows]
        wanted = sorted({sha256 for _, request in calls for sha256 in references_of(request)})
        yield calls, list(_texts(connection, run_id, wanted))


def stream_records(connection: Connection, run_id: str) -> Iterator[CallRecord]:
    """Yield the calls of a run as records, in the order in which they were made."""
    for calls, texts in stream_calls(connection, run_id):
        words = dict(texts)
        yield from (call_of(row, join_texts(request, words)) for row, request in calls)


def _texts(connection: Connection, run_id: str, wanted: Sequence[str]) -> Iterator[Text]:
    query = select(TEXTS.c.sha256, TEXTS.c.content).where(TEXTS.c.run_id == run_id)
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        is_wanted = TEXTS.c.sha256.in_(wanted[start : start + ROWS_AT_ONCE])
        for sha256, content in connection.execute(query.where(is_wanted).order_by(TEXTS.c.sha256)):
            yield sha256, decode_text(content)
