"""A private PostgreSQL server for tests, in a temporary folder; where none is installed, tests skip and say so."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

HOW_TO_GET_IT = "PostgreSQL's initdb and pg_ctl are not in PATH or /usr/lib/postgresql/*/bin; install postgresql"


def find_programs() -> Path | None:
    """Return the folder that holds `initdb` and `pg_ctl`; None if there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "pg_ctl").exists() and (folder / "initdb").exists()), None)


class PostgresServer:
    """A server that listens on a socket in its own folder only, and belongs to an unprivileged user."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._user = _unprivileged_user()
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        self._run(
            "initdb", "-D", str(self._data), "-U", "ramify", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"
        )

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-F -c listen_addresses='' -k {self._folder}"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once: connections break, as when a server dies."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def start_again(self) -> None:
        """Start it if a test has left it stopped."""
        if not (self._data / "postmaster.pid").exists():
            self.start()

    def empty_database(self, *, password: str = "") -> str:
        """Make the server's one database for tests empty, and return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ramify'"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url("postgres", password=password)

    def url(self, name: str, *, user: str = "ramify", password: str = "") -> str:
        """Return the URL of a database."""
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        options: dict[str, Any] = {}
        if self._user is not None:
            options = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}
        done = subprocess.run(
            [self._programs / program, *arguments],
            check=False,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **options,
        )
        assert done.returncode == 0, f"{program} failed; its log is in {self._folder}"


def _unprivileged_user() -> str | None:
    """Return the user that the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Give a server that runs, or skip the test where there is none."""
    programs = find_programs()
    if programs is None:
        pytest.skip(HOW_TO_GET_IT)
    folder = Path(tempfile.mkdtemp(prefix="ramify-pg-"))
    try:
        server = PostgresServer(programs, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give one server to all tests of a session."""
    with running_server() as server:
        yield server
