"""Where a store is: a file of SQLite or a PostgreSQL database, as the user wrote it; passwords are not shown."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from ramify.planner.errors import StoreError

DEFAULT_STORE: Final = Path(".ramify") / "ramify.db"
_SCHEMES: Final = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_SHOWN_OPTIONS: Final = frozenset({"host", "hostaddr", "port", "dbname", "user", "service", "sslmode"})
"""What a URL may say about the server behind its `?` and holds no secret; without it, the place is another one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is.

    Attributes:
        shown: how messages name it; without passwords.
        path: the file, whole, so that it stays the same when the working directory changes; None for PostgreSQL.
        url: the URL of a PostgreSQL database; holds the password.
        secrets: what must not be shown.
    """

    shown: str
    path: Path | None = None
    url: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.shown

    def redact(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def read_place(given: str | Path) -> Place:
    """Return the place that a path, a `sqlite:///` or a `postgresql://` URL names.

    Raises:
        StoreError: if it is no such thing; what was given is not repeated, as it may hold a password.

    >>> str(read_place("postgresql://ann:secret@db.example/runs"))
    'postgresql://ann@db.example/runs'
    >>> str(read_place("postgresql://ann@/runs?host=/run/pg&password=secret"))
    'postgresql://ann@/runs?host=/run/pg'
    >>> str(read_place("sqlite:///runs.db"))
    'runs.db'
    """
    text = str(given)
    scheme, separator, rest = text.partition("://")
    if isinstance(given, Path) or not separator:
        return _file(text)
    kind = _SCHEMES.get(scheme.partition("+")[0].lower())
    if kind is None:
        raise StoreError(f"a store cannot be at a {scheme}:// URL; use a file, sqlite:///FILE or postgresql://...")
    return _file(rest.removeprefix("/")) if kind == "sqlite" else _postgresql(rest)


def make_file(place: Path, *, create: bool) -> None:
    """Make sure that the file of a store is there, readable by its owner alone; a missing one is made if `create`.

    The folder of the default store is made too, with a `.gitignore` that keeps the store out of repositories.

    Raises:
        StoreError: if that cannot be.
    """
    try:
        if place.is_dir():
            raise StoreError(f"{place} is a folder; name a file in it, such as {place / DEFAULT_STORE.name}")
        if place.exists():
            return
        if not create:
            raise StoreError(f"there is no store at {place}; check the path, or start a run to create one")
        _make_folder(place.parent)
        os.close(os.open(place, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(
            f"the store {place} cannot be created: {error.strerror or error}; choose another place, or make that"
            " folder writable"
        ) from error


def opening_of(file: Path) -> tuple[str, bool]:
    """Return how SQLite is to open the file of a store, and whether it can only be read.

    A file that has gone is an error, not an empty store. SQLite keeps its log beside the file, so that a folder that
    cannot be written leaves reading alone; what is still in a log is then found by SQLite, or the store cannot be read.
    """
    log = file.with_name(f"{file.name}-wal")
    can_write = os.access(file, os.W_OK) and (log.exists() or os.access(file.parent, os.W_OK))
    if can_write:
        return "mode=rw", False
    has_log = log.exists() and log.stat().st_size > 0
    return "mode=ro" if has_log else "mode=ro&immutable=1", True


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise StoreError(f"the store's folder {folder} is a file; choose another place for the store")
    if folder.name != DEFAULT_STORE.parent.name or not folder.parent.is_dir():
        raise StoreError(f"the store's folder {folder} does not exist; create it, or choose another place")
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _file(text: str) -> Place:
    if not text or text.startswith(":memory:") or "\x00" in text:
        raise StoreError("a store must be a file, so that runs survive; name the file")
    return Place(shown=text, path=Path(text).absolute())


def _postgresql(rest: str) -> Place:
    try:
        parts = urlsplit(f"postgresql://{rest}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise StoreError(
            "the store's URL cannot be read; it has the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with"
            " special characters of the password %-encoded"
        ) from None
    user = f"{parts.username}@" if parts.username else ""
    options = [(name, value) for name, value in parse_qsl(parts.query) if name in _SHOWN_OPTIONS]
    query = f"?{urlencode(options, safe='/,:')}" if options else ""
    shown = f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}{query}"
    return Place(shown=shown, url=f"postgresql+psycopg://{rest}", secrets=_secrets_of(parts))


def _secrets_of(parts: SplitResult) -> tuple[str, ...]:
    found = [parts.password, unquote(parts.password)] if parts.password else []
    found += [value for name, value in parse_qsl(parts.query) if "pass" in name.lower()]
    return tuple(sorted(set(filter(None, found)), key=len, reverse=True))
