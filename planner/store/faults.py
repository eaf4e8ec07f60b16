"""What a database's error means for the user: one table a database, from error codes to what to do now."""

import importlib.util
from collections.abc import Mapping
from typing import Final

from ramify.planner.errors import StoreError
from ramify.planner.settings.place import Place

_SQLITE: Final[Mapping[str, str]] = {
    "SQLITE_NOTADB": "the file is not a Ramify store, or is damaged; check the path, or restore a backup",
    "SQLITE_CORRUPT": "the file is damaged; restore a backup, or save what is readable with `sqlite3 FILE .recover`",
    "SQLITE_READONLY": "the file or its folder is read-only; make both writable, or copy the store elsewhere",
    "SQLITE_CANTOPEN": "the file cannot be opened; check that it and its folder can be read and written",
    "SQLITE_PERM": "access is denied; check that the file and its folder can be read and written",
    "SQLITE_FULL": "the disk is full; free some space and resume the run: nothing stored is lost",
    "SQLITE_BUSY": "another program has locked it; close that program and resume the run",
    "SQLITE_LOCKED": "another program has locked it; close that program and resume the run",
    "SQLITE_IOERR": "the disk failed; check it and its free space, then resume the run: nothing stored is lost",
}

_POSTGRESQL: Final[Mapping[str, str]] = {
    "28": "the server rejects that user; check user, password and the server's pg_hba.conf",
    "3D000": "there is no such database; create it with `createdb`, or correct the URL",
    "25006": "the database is read-only; use the primary server",
    "42501": "the user may not write there; grant it the right to use and create tables",
    "53100": "the server's disk is full; free some space and resume the run: nothing stored is lost",
    "53300": "the server has no connection left; close others, or raise its max_connections",
    "55P03": "another program has locked it; close that program and resume the run",
    "08": "the server is unreachable; check that it runs and that host and port are right",
    "57P": "the server is shutting down or starting up; try again when it is up",
}

_LOST: Final = ("08", "57P01", "57P02", "57P03")


def explain(error: BaseException, place: Place) -> StoreError:
    """Return the error that tells the user what a database error means and what to do; no secret is in it."""
    cause = getattr(error, "orig", None) or error
    words = place.redact(" ".join(str(cause).split()))
    advice = _advice(cause) or "the database reports an error"
    return StoreError(f"the store {place}: {advice} ({type(cause).__name__}: {words})")


def is_lost(error: BaseException) -> bool:
    """Return whether the connection to a server is gone, so that the same may work after connecting again."""
    if getattr(error, "connection_invalidated", False):
        return True
    cause = getattr(error, "orig", None) or error
    if not type(cause).__module__.startswith("psycopg"):
        return False
    sqlstate: str | None = getattr(cause, "sqlstate", None)
    if sqlstate is None:
        return type(cause).__name__ in {"OperationalError", "InterfaceError"}
    return sqlstate.startswith(_LOST)


def require_driver() -> None:
    """Raise `StoreError` unless PostgreSQL's driver is installed."""
    if importlib.util.find_spec("psycopg") is None:
        raise StoreError('a store in PostgreSQL needs its driver; install it with: pip install "ramify[postgres]"')


def _advice(cause: BaseException) -> str | None:
    name: str | None = getattr(cause, "sqlite_errorname", None)
    if name is not None:
        return next((advice for code, advice in _SQLITE.items() if name.startswith(code)), None)
    if not type(cause).__module__.startswith("psycopg"):
        return None
    sqlstate: str | None = getattr(cause, "sqlstate", None)
    if sqlstate is None:
        return _unreachable(str(cause))
    return next((advice for code, advice in _POSTGRESQL.items() if sqlstate.startswith(code)), None)


def _unreachable(words: str) -> str:
    """Return the advice for a connection that was never made, which has no code but the server's words."""
    for sign, code in (("authentication", "28"), ("no password", "28"), ("role", "28"), ("does not exist", "3D000")):
        if sign in words:
            return _POSTGRESQL[code]
    return _POSTGRESQL["08"]
