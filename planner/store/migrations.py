"""How a store gets today's schema: a new one at once, an older one step by step in one transaction, a newer one never.

To change the schema: change `ramify.planner.store.tables`, and append to `MIGRATIONS` what turns the version before
into the new one. A migration that was ever released is never changed.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ramify.planner.errors import StoreError
from ramify.planner.runtime.failpoints import failpoint
from sqlalchemy import Connection, Table, delete, insert, inspect, select, text

from .control import Control, dump_controls
from .database import Database
from .tables import CALLS, MEMORY, META, METADATA, RUNS, SHARES, STEPS, TASKS, TIMES

FIRST_VERSION = 1

_POSTGRESQL_LOCK = 0x52414D49
"""Held while a schema is made or changed, so that one process does it: "RAMI"."""


class Migration(NamedTuple):
    """One step.

    Attributes:
        version: the schema that it makes of the one before.
        change: does it.
    """

    version: int
    change: Callable[[Connection], None]


def _add_steps_and_memory(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[STEPS, MEMORY])


def _add_gaps(connection: Connection) -> None:
    _add_columns(connection, TASKS, gaps="TEXT")


def _add_effects(connection: Connection) -> None:
    _add_columns(connection, STEPS, kind="TEXT", state="TEXT", may_repeat="TEXT", idempotency_key="TEXT")


def _add_forks(connection: Connection) -> None:
    _add_columns(connection, RUNS, forked_from="TEXT", forked_seq="BIGINT")
    _add_columns(connection, CALLS, seq="BIGINT")
    METADATA.create_all(connection, tables=[SHARES])


def _generalise_cancelling(connection: Connection) -> None:
    _add_columns(connection, RUNS, controls="TEXT")
    if "cancel_requested" not in {column["name"] for column in inspect(connection).get_columns(RUNS.name)}:
        return
    wish = dump_controls([Control(id="before", action="cancel", by="somebody", pid=0, via="cli")])
    wanted = text(f"UPDATE {RUNS.name} SET controls = :wish WHERE cancel_requested")  # noqa: S608 - our own name
    connection.execute(wanted, {"wish": wish})
    connection.execute(text(f"ALTER TABLE {RUNS.name} DROP COLUMN cancel_requested"))


def _add_times(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[TIMES])


def _add_columns(connection: Connection, table: Table, **columns: str) -> None:
    """Add the columns that are not there yet: what makes a table anew makes it as it is today."""
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for name, kind in columns.items():
        if name not in there:
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}"))


MIGRATIONS: Sequence[Migration] = (
    Migration(2, _add_steps_and_memory),
    Migration(3, _add_gaps),
    Migration(4, _add_effects),
    Migration(5, _add_forks),
    Migration(6, _generalise_cancelling),
    Migration(7, _add_times),
)


def prepare(database: Database, *, create: bool, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema of `database` to the last version.

    Raises:
        StoreError: if it is newer, another program's, empty and not to be made, or cannot be changed; it is as before.
    """
    newest = steps[-1].version if steps else FIRST_VERSION
    with database.reading() as connection:
        version = _version(database, connection)
    if version is None and not create:
        raise StoreError(f"there is no store at {database.place}; check the path, or start a run to create one")
    if database.is_read_only:
        _check_readable(database, version, newest)
        return
    database.keep_log()
    if version == newest:
        return
    with database.changing() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})"))
        version = _version(database, connection)
        if version is None:
            METADATA.create_all(connection)
        elif version > newest:
            raise _too_new(database, version, newest)
        for step in steps:
            if version is not None and step.version > version:
                step.change(connection)
        failpoint("during-migration")
        connection.execute(delete(META))
        connection.execute(insert(META).values(id=1, schema_version=newest))


def _check_readable(database: Database, version: int | None, newest: int) -> None:
    """Raise unless a store that cannot be written can be read as it is."""
    if version is not None and version > newest:
        raise _too_new(database, version, newest)
    if version != newest:
        raise StoreError(
            f"the store {database.place} must be upgraded to schema {newest} first, but the file or its folder is"
            " read-only; make both writable, or copy the store elsewhere"
        )


def _too_new(database: Database, version: int, newest: int) -> StoreError:
    return StoreError(
        f"the store {database.place} was made by a newer Ramify (schema {version}; this one knows {newest}); upgrade"
        " Ramify"
    )


def _version(database: Database, connection: Connection) -> int | None:
    """Return the schema's version; None if nothing is there yet."""
    names = set(inspect(connection).get_table_names())
    if META.name in names:
        version = connection.execute(select(META.c.schema_version)).scalar()
        if version is None:
            raise StoreError(f"the store {database.place} has no version; restore a backup")
        return int(version)
    if RUNS.name in names or (database.is_sqlite and names):
        raise StoreError(f"{database.place} belongs to another program; choose another place for the store")
    return None
