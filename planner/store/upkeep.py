"""A store's upkeep: a whole copy of it while runs go on, and the space that deleted runs have left."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from ramify.planner.errors import ExportError, UsageError
from ramify.planner.settings.place import opening_of
from sqlalchemy import text

from .database import Database
from .tables import METADATA


def back_up(database: Database, path: Path) -> int:
    """Copy the store to the file `path` as it is at one instant, and return the size of the copy in bytes.

    Source: SQLite's online backup, https://www.sqlite.org/backup.html; made in one step, so that writers, who do not
    wait for it, cannot make it start again.

    Raises:
        UsageError: if the file is there already, or the store is not a file of SQLite.
        ExportError: if the copy cannot be written.
        StoreError: if the store cannot be read.
    """
    source = database.place.path
    if source is None:
        raise UsageError(
            f"the store {database.place} is in PostgreSQL; copy it with pg_dump --table='ramify_*' -Fc -f FILE URL"
        )
    if path.exists():
        raise UsageError(f"{path} already exists; choose another name, or delete it first")
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
        _copy(database, source, part)
        part.replace(path)
        return path.stat().st_size
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"{path} cannot be written: {reason}; choose another place") from error
    finally:
        for left in (part, Path(f"{part}-wal"), Path(f"{part}-shm"), Path(f"{part}-journal")):
            with suppress(OSError):
                left.unlink(missing_ok=True)


def size_of(database: Database) -> int:
    """Return how much space the store takes, in bytes.

    Raises:
        StoreError: if it cannot be read.
    """
    if database.place.path is not None:
        return sum(_size(Path(f"{database.place.path}{ending}")) for ending in ("", "-wal"))
    with database.reading() as connection:
        query = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
        return sum(int(connection.execute(query, {"name": name}).scalar_one()) for name in METADATA.tables)


def _copy(database: Database, source: Path, target: Path) -> None:
    with (
        database.explained(),
        closing(sqlite3.connect(f"{source.as_uri()}?{opening_of(source)[0]}", uri=True)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        try:
            reader.execute("SELECT count(*) FROM ramify_meta").close()
            reader.backup(writer)
        except sqlite3.OperationalError as error:
            name = str(getattr(error, "sqlite_errorname", ""))
            if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                raise OSError(f"the copy could not be written ({error})") from error
            raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
