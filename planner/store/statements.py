"""The statements of the hot path: built with Core, compiled once, executed with many rows at a time.

Rows are plain tuples, in the order that each attribute's docstring gives: SQLAlchemy's own handling of named values
costs three to five times what the databases do. Inserts may be repeated: a row that is there already is left alone.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from .rows import PROGRESS_COLUMNS, TASK_COLUMNS, Row
from .tables import CALLS, EVENTS, MEMORY, RUNS, SHARES, STEPS, TASKS, TEXTS

EDIT_COLUMNS = ("parent_id", "position", "content", "spec")


class Statement:
    """One compiled statement.

    Attributes:
        sql: its text.
    """

    def __init__(self, engine: Engine, core: UpdateBase, names: Sequence[str]) -> None:
        compiled = core.compile(engine)
        order: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        if tuple(order) != tuple(names):
            raise RuntimeError(f"a statement takes {tuple(order)}, but its rows are {tuple(names)}")
        self.sql = str(compiled)

    def execute(self, connection: Connection, rows: list[Row]) -> None:
        """Execute it for every row."""
        if rows:
            connection.exec_driver_sql(self.sql, rows)

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
        self.change_task = _update_task(engine, PROGRESS_COLUMNS)
        self.edit_task = _update_task(engine, EDIT_COLUMNS)


def insert_anew(engine: Engine, table: Table) -> Insert:
    """Return an insert that leaves a row alone that is there already."""
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def _insert(engine: Engine, table: Table, names: Sequence[str]) -> Statement:
    return Statement(engine, insert_anew(engine, table).values({name: bindparam(name) for name in names}), names)


def _upsert(engine: Engine, table: Table) -> Statement:
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    names = tuple(table.c.keys())
    core = insert(table).values({name: bindparam(name) for name in names})
    rest = {name: core.excluded[name] for name in names if not table.c[name].primary_key}
    core = core.on_conflict_do_update(index_elements=[*table.primary_key.columns], set_=rest)
    return Statement(engine, core, names)


def _update_task(engine: Engine, names: Sequence[str]) -> Statement:
    core = (
        update(TASKS)
        .where(TASKS.c.run_id == bindparam("of_run"), TASKS.c.id == bindparam("of_task"))
        .values({name: bindparam(name) for name in names})
    )
    return Statement(engine, core, (*names, "of_run", "of_task"))


def _fence(engine: Engine, **times: ColumnElement[Any]) -> Statement:
    core = (
        update(RUNS)
        .where(RUNS.c.id == bindparam("of_run"), RUNS.c.lease_token == bindparam("of_token"))
        .values(times)
        .returning(RUNS.c.controls)
    )
    return Statement(engine, core, ("of_run", "of_token"))
