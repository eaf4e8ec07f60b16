"""How a database is opened, and how a transaction on it is begun: the same for SQLite and PostgreSQL.

SQLite: write-ahead log, `synchronous=FULL` unless told otherwise, foreign keys, and a write transaction that takes its
lock at once, so that it waits at its start or not at all. Errors leave as `StoreError`, with what to do.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

from ramify.planner.errors import StoreError
from ramify.planner.settings.place import Place, make_file, opening_of
from sqlalchemy import ColumnElement, Connection, Engine, create_engine, event, extract, func, literal_column
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from .faults import explain, require_driver
from .statements import Statements
from .tables import METADATA

Synchronous = Literal["FULL", "NORMAL", "OFF"]

CONNECT_TIMEOUT_S = 10
"""How long a PostgreSQL server may take to answer, in seconds."""

_MOST_CONNECTIONS = 60
"""Connections that one process may have at a time besides those that it keeps open; a further thread waits."""

_BEGIN = "ramify_begin"

_STATEMENTS: dict[str, Statements] = {}
"""Compiled statements, by the name of SQLAlchemy's dialect."""


class Database:
    """An open database.

    Attributes:
        place: where it is.
        engine: SQLAlchemy's engine on it.
        is_read_only: whether its file, or the folder of that, cannot be written, so that it can only be read.
    """

    def __init__(self, place: Place, engine: Engine, *, is_read_only: bool = False) -> None:
        self.place = place
        self.engine = engine
        self.is_read_only = is_read_only

    @classmethod
    def open(cls, place: Place, *, synchronous: Synchronous, create: bool, lock_wait_s: float) -> Self:
        """Open the database at `place`; nothing is read yet.

        Raises:
            StoreError: if there is none and it cannot be made, or its driver is missing.
        """
        if place.path is not None:
            make_file(place.path, create=create)
            mode, is_read_only = opening_of(place.path)
            engine = _sqlite_engine(f"{place.path.as_uri()}?{mode}", synchronous, lock_wait_s)
            return cls(place, engine, is_read_only=is_read_only)
        require_driver()
        return cls(place, _postgresql_engine(place, synchronous))

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.place.path is not None

    @property
    def now(self) -> ColumnElement[Any]:
        """The database's own clock, in seconds since 1970: one clock for all that share the store."""
        if self.is_sqlite:
            return literal_column("(julianday('now') - 2440587.5) * 86400.0")
        return extract("epoch", func.clock_timestamp())

    @property
    def statements(self) -> Statements:
        """The statements that are executed most, compiled: once in a process for each kind of database."""
        kind = self.engine.dialect.name
        if kind not in _STATEMENTS:
            _STATEMENTS[kind] = Statements(self.engine, now=self.now)
        return _STATEMENTS[kind]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads, and sees the store as it is at its first question, whatever others write.

        Raises:
            StoreError: if the database fails.
        """
        with self.explained(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that may write, and commit it at the end.

        Raises:
            StoreError: if the database fails; nothing was changed.
        """
        with self.explained(), self.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn the database's errors into `StoreError`.

        Raises:
            StoreError: instead of what the database raised.
        """
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise explain(error, self.place) from _without_words(error)

    def connect(self) -> Connection:
        """Return a connection whose transactions may write; the caller closes it."""
        return self.engine.connect().execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    def execute_alone(self, sql: str) -> None:
        """Execute what no transaction may surround, as VACUUM.

        Raises:
            StoreError: if the database fails.
        """
        alone = {_BEGIN: ""} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        with self.explained(), self.engine.connect() as connection:
            connection.execution_options(**alone).exec_driver_sql(sql).close()

    def vacuum(self) -> None:
        """Give free space back to the system.

        Raises:
            StoreError: if the database fails.
        """
        if self.is_sqlite:
            self.execute_alone("VACUUM")
            self.execute_alone("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            self.execute_alone(f"VACUUM {', '.join(METADATA.tables)}")

    def keep_log(self) -> None:
        """Have SQLite write ahead, so that readers and the writer do not wait for each other; the file remembers it.

        Raises:
            StoreError: if the file cannot be written.
        """
        if self.is_sqlite:
            self.execute_alone("PRAGMA journal_mode=WAL")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _sqlite_engine(file: str, synchronous: Synchronous, lock_wait_s: float) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(
            file, uri=True, timeout=lock_wait_s, isolation_level=None, check_same_thread=False
        ),
        poolclass=QueuePool,  # the pool that an address without a file would get closes connections that are in use
        max_overflow=_MOST_CONNECTIONS,
        hide_parameters=True,
    )
    pragmas = (f"synchronous={synchronous}", "foreign_keys=ON")

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        begin = connection.get_execution_options().get(_BEGIN, "BEGIN")
        if begin:
            connection.exec_driver_sql(begin)

    return engine


def _postgresql_engine(place: Place, synchronous: Synchronous) -> Engine:
    try:
        url = make_url(place.url)
        engine = create_engine(
            url,
            paramstyle="format",
            pool_pre_ping=True,
            max_overflow=_MOST_CONNECTIONS,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "ramify"},
        )
    except ArgumentError:
        raise StoreError(f"the URL of the store {place} is invalid; check it") from None
    if synchronous != "FULL":

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.execute("SET synchronous_commit TO off")
            connection.commit()

    return engine


def _without_words(error: BaseException) -> BaseException | None:
    """Return the cause to show beside our error; what a server says may hold a password, so it stays out."""
    return error if isinstance(getattr(error, "orig", error), sqlite3.Error) else None
