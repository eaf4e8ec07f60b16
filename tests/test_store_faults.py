"""What a database's error means for the user."""

import sqlite3
from typing import Any

import psycopg
import pytest
from ramify.planner.settings.place import read_place
from ramify.planner.store.faults import explain, is_lost
from sqlalchemy.exc import DBAPIError, OperationalError

FILE = read_place("runs.db")
SERVER = read_place("postgresql://ann:pa55word@db/runs")


def sqlite_error(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("words of sqlite")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("SQLITE_FULL", "the disk is full; free some space and resume the run"),
        ("SQLITE_IOERR_WRITE", "the disk failed; check it"),
        ("SQLITE_BUSY_SNAPSHOT", "another program has locked it"),
        ("SQLITE_READONLY_DIRECTORY", "the file or its folder is read-only"),
        ("SQLITE_CORRUPT_INDEX", "the file is damaged; restore a backup"),
        ("SQLITE_CANTOPEN", "the file cannot be opened"),
        ("SQLITE_SCHEMA", "the database reports an error"),
    ],
)
def test_error_of_sqlite_says_what_to_do(name: str, advice: str) -> None:
    error = explain(OperationalError("SELECT 1", {}, sqlite_error(name)), FILE)
    assert str(error).startswith(f"the store runs.db: {advice}")
    assert "OperationalError: words of sqlite" in str(error)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (psycopg.errors.DiskFull("x"), "the server's disk is full"),
        (psycopg.errors.InsufficientPrivilege("x"), "the user may not write there"),
        (psycopg.errors.TooManyConnections("x"), "the server has no connection left"),
        (psycopg.errors.ReadOnlySqlTransaction("x"), "the database is read-only"),
        (psycopg.errors.AdminShutdown("x"), "the server is shutting down or starting up"),
        (psycopg.errors.InvalidPassword("x"), "the server rejects that user"),
        (psycopg.errors.UndefinedTable("x"), "the database reports an error"),
        (psycopg.OperationalError("connection refused"), "the server is unreachable"),
        (psycopg.OperationalError("password authentication failed"), "the server rejects that user"),
        (ValueError("x"), "the database reports an error"),
    ],
)
def test_error_of_postgresql_says_what_to_do(error: Exception, advice: str) -> None:
    assert str(explain(error, SERVER)).startswith(f"the store postgresql://ann@db/runs: {advice}")


def test_password_in_what_a_server_says_is_hidden() -> None:
    assert "pa55word" not in str(explain(psycopg.OperationalError("bad line: password=pa55word"), SERVER))


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), True),
        (psycopg.InterfaceError("the connection is closed"), True),
        (psycopg.errors.AdminShutdown("x"), True),
        (psycopg.errors.CannotConnectNow("x"), True),
        (psycopg.errors.ConnectionFailure("x"), True),
        (psycopg.errors.DiskFull("x"), False),
        (psycopg.errors.UniqueViolation("x"), False),
        (psycopg.ProgrammingError("x"), False),
        (sqlite_error("SQLITE_BUSY"), False),
    ],
)
def test_only_a_connection_that_is_gone_is_worth_a_second_try(error: Any, lost: bool) -> None:  # noqa: FBT001
    assert is_lost(DBAPIError("SELECT 1", {}, error)) is lost
    assert is_lost(error) is lost
