"""The statements of the hot path: built with Core, compiled once, executed with many rows at a time.

Rows are plain tuples, in the order that each attribute's docstring gives: SQLAlchemy's own handling of named values
costs three to five times what the databases do. Inserts may be repeated: a row that is there already is left alone.

SQLite is given many rows in one statement where it can be: Python's driver gives the interpreter's lock away and takes
it again with each execution, and has to wait for it each time while the event loop works. So a few rows too many, which
are the last one once more, cost less than one more execution.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from .rows import PROGRESS_COLUMNS, TASK_COLUMNS, Row
from .tables import CALLS, EVENTS, MEMORY, RUNS, SHARES, STEPS, TASKS, TEXTS, TIMES

_ROWS_TOGETHER = (256, 64, 16, 4)
"""Rows of one statement of SQLite."""

_TAKES_MANY = sqlite3.sqlite_version_info >= (3, 33)
"""Whether SQLite takes more than 999 values in one statement, and updates rows from a list of values."""

EDIT_COLUMNS = ("parent_id", "position", "content", "spec")


class Statement:
    """One compiled statement.

    Args:
        engine: for whose database it is compiled.
        core: the statement, for one row.
        names: the names of the values of a row, in order.
        many: returns its text for a number of rows, whose values follow each other; None if there is none. What it
            does with the same row twice is what it does with it once.

    Attributes:
        sql: its text.
    """

    def __init__(
        self, engine: Engine, core: UpdateBase, names: Sequence[str], many: Callable[[int], str] | None = None
    ) -> None:
        compiled = core.compile(engine)
        order: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        if tuple(order) != tuple(names):
            raise RuntimeError(f"a statement takes {tuple(order)}, but its rows are {tuple(names)}")
        self.sql = str(compiled)
        can_many = many is not None and engine.dialect.name == "sqlite" and _TAKES_MANY
        self._many = [(count, many(count)) for count in _ROWS_TOGETHER] if can_many and many is not None else []

    def execute(self, connection: Connection, rows: list[Row]) -> None:
        """Execute it for every row."""
        done = 0
        for count, sql in self._many:
            while (left := len(rows) - done) > count // 2:
                part = rows[done : done + count]
                if left < count:
                    part += part[-1:] * (count - left)
                connection.exec_driver_sql(sql, tuple(chain.from_iterable(part)))
                done += count
        if done < len(rows):
            connection.exec_driver_sql(self.sql, rows[done:] if done else rows)

    def first(self, connection: Connection, row: Row) -> Sequence[Any] | None:
        """Execute it for one row, and return the first row that comes back."""
        return connection.exec_driver_sql(self.sql, row).fetchone()


class Statements:
    """All of them.

    Attributes:
        heartbeat: (run id, token) -> what somebody outside asks of the run; no row if it is another's.
        touch: the same, for a transaction that writes more.
        add_text: (run id, hash, content).
        add_task: (run id, *TASK_COLUMNS).
        add_call: (run id, *the columns of a call in the table's order).
        add_event: (run id, seq, at, type, task id, data).
        add_step: (run id, *the columns of a step in the table's order); one that is there is left alone.
        put_step: the same; one that is there is replaced.
        add_share: (run id, source id, last event); one that is there is left alone.
        add_memory: (scope, key, value, time); one that is there is left alone.
        put_memory: (scope, key, value, time); a value that is there is replaced.
        put_times: (run id, type, is composed, model, tasks, seconds, time); what is there is replaced.
        change_task: (*PROGRESS_COLUMNS, run id, task id).
        edit_task: (*EDIT_COLUMNS, run id, task id).
    """

    def __init__(self, engine: Engine, *, now: ColumnElement[Any]) -> None:
        self.heartbeat = _fence(engine, heartbeat_at=now)
        self.touch = _fence(engine, heartbeat_at=now, updated_at=now)
        self.add_text = _insert(engine, TEXTS, tuple(TEXTS.c.keys()))
        self.add_task = _insert(engine, TASKS, ("run_id", *TASK_COLUMNS))
        self.add_call = _insert(engine, CALLS, tuple(CALLS.c.keys()))
        self.add_event = _insert(engine, EVENTS, tuple(EVENTS.c.keys()))
        self.add_step = _insert(engine, STEPS, tuple(STEPS.c.keys()))
        self.put_step = _upsert(engine, STEPS)
        self.add_share = _insert(engine, SHARES, tuple(SHARES.c.keys()))
        self.add_memory = _insert(engine, MEMORY, tuple(MEMORY.c.keys()))
        self.put_memory = _upsert(engine, MEMORY)
        self.put_times = _upsert(engine, TIMES)
        self.change_task = _update_task(engine, PROGRESS_COLUMNS)
        self.edit_task = _update_task(engine, EDIT_COLUMNS, is_once=False)


def insert_anew(engine: Engine, table: Table) -> Insert:
    """Return an insert that leaves a row alone that is there already."""
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def _insert(engine: Engine, table: Table, names: Sequence[str]) -> Statement:
    core = insert_anew(engine, table).values({name: bindparam(name) for name in names})

    def many(count: int) -> str:
        row = f"({', '.join('?' * len(names))})"
        head, tail = str(core.compile(engine)).split(row)
        return head + ", ".join([row] * count) + tail

    return Statement(engine, core, names, many)


def _upsert(engine: Engine, table: Table) -> Statement:
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    names = tuple(table.c.keys())
    core = insert(table).values({name: bindparam(name) for name in names})
    rest = {name: core.excluded[name] for name in names if not table.c[name].primary_key}
    core = core.on_conflict_do_update(index_elements=[*table.primary_key.columns], set_=rest)
    return Statement(engine, core, names)


def _update_task(engine: Engine, names: Sequence[str], *, is_once: bool = True) -> Statement:
    """Return an update of tasks; `is_once` says that no two rows are of one task, so that their order is no matter."""
    core = (
        update(TASKS)
        .where(TASKS.c.run_id == bindparam("of_run"), TASKS.c.id == bindparam("of_task"))
        .values({name: bindparam(name) for name in names})
    )

    def many(count: int) -> str:
        new = ", ".join((*names, "of_run", "of_task"))
        rows = ", ".join([f"({', '.join('?' * (len(names) + 2))})"] * count)
        changes = ", ".join(f"{name} = new.{name}" for name in names)
        is_the_one = f"{TASKS.name}.run_id = new.of_run AND {TASKS.name}.id = new.of_task"
        return f"WITH new({new}) AS (VALUES {rows}) UPDATE {TASKS.name} SET {changes} FROM new WHERE {is_the_one}"  # noqa: S608 - our own columns

    return Statement(engine, core, (*names, "of_run", "of_task"), many if is_once else None)


def _fence(engine: Engine, **times: ColumnElement[Any]) -> Statement:
    core = (
        update(RUNS)
        .where(RUNS.c.id == bindparam("of_run"), RUNS.c.lease_token == bindparam("of_token"))
        .values(times)
        .returning(RUNS.c.controls)
    )
    return Statement(engine, core, ("of_run", "of_token"))
