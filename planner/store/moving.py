"""A run leaves a store as one file, with its tree, its journal and its events, and enters another under its id.

Both stream: what is in memory is some rows and, for an import, the tree. A run that somebody works on is exported as it
is at that instant. A file is read and checked to its end, and its tree is built once, before the store is touched: so
nothing but a whole run gets in, and other writers are held up for no longer than the rows take.
"""

import pickle
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from ramify.planner.errors import RunError, StoreError, UsageError
from ramify.planner.runtime.address import shown_address
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from .database import Database
from .lineage import Lineage, run_column
from .reading import require_run, texts_of
from .rows import TASK_COLUMNS, Row, tree_of_rows
from .run_file import FileWriter, Line, damaged, read_head, read_lines
from .run_parts import COLUMNS, RUN, check_call, fields_of, row_of
from .sharing import whole
from .streaming import stream_calls, stream_rows
from .tables import CALLS, EVENTS, MEMORY, RUNS, STEPS, TASKS, TEXTS
from .texts import join_texts, references_of, sha256_of

_ROWS_AT_ONCE = 5000
_LONGEST_ID = 100
_TABLES = {"task": TASKS, "text": TEXTS, "call": CALLS, "step": STEPS, "memory": MEMORY, "event": EVENTS}
_AFTER_CALLS = {"step": ("started_at", "task_id", "attempt", "key"), "memory": ("key",), "event": ("seq",)}
"""The kinds of lines that stand behind the calls, with the columns that order them."""


def export_run(database: Database, run_id: str, path: Path) -> None:
    """Write a run to the file `path`.

    Raises:
        UsageError: if the file is there already.
        ExportError: if it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} already exists; choose another name, or delete it first")
    with database.reading() as connection:
        run, lineage = _run_fields(connection, run_id), require_run(connection, run_id)
        with FileWriter(path, "run", run) as file:
            for tasks in stream_rows(connection, TASKS, lineage, ("id",)):
                short = ([row[name] for name in TASK_COLUMNS] for row in tasks)
                for task in whole(short, run_id, partial(texts_of, connection, lineage)):
                    file.add("task", fields_of(dict(zip(TASK_COLUMNS, task, strict=True)), COLUMNS["task"]))
            _write_calls(connection, lineage, file)
            for kind, order in _AFTER_CALLS.items():
                for rows in stream_rows(connection, _TABLES[kind], lineage, order):
                    for row in rows:
                        file.add(kind, fields_of(row, COLUMNS[kind]))


def record_calls(database: Database, run_id: str, path: Path) -> None:
    """Write the calls of a run to the file `path` as a recording: a line each, whole by itself.

    Raises:
        ExportError: if it cannot be written.
    """
    with database.reading() as connection:
        run, lineage = _run_fields(connection, run_id), require_run(connection, run_id)
        about = {name: value for name, value in run.items() if name in {"id", "made_by", "model", "created_at"}}
        with FileWriter(path, "recording", about) as file:
            for calls, texts in stream_calls(connection, lineage):
                words = dict(texts)
                for row, request in calls:
                    fields = fields_of(row, COLUMNS["call"])
                    file.add("call", {**fields, "request": join_texts(request, words)})


def import_run(database: Database, path: Path) -> str:
    """Store the run in the file `path`, whole or not at all, and return its id.

    Raises:
        RunError: if a run with its id is there already.
        UsageError: if the file is not there, is no exported run, or is damaged; a damaged line is named.
    """
    kind, run = read_head(path)
    if kind != "run":
        raise UsageError(f"{path} is a recording without tasks; use it with `--model replay:{path}`")
    try:
        columns = row_of(run, RUN)
        run_id = _checked_id(run["id"])
    except ValueError as fault:
        raise damaged(path, 1, str(fault)) from None
    values = {column.name: value for column, value in zip(RUN, columns, strict=True)}
    with tempfile.TemporaryFile() as spool:
        checker = _Checker(path, run_id, spool)
        for line in read_lines(path):
            checker.take(line)
        checker.finish()
        with database.changing() as connection:
            _insert_run(database, connection, values)
            for kind, rows in checker.rows():
                getattr(database.statements, f"add_{kind}").execute(connection, rows)
            checker.compare(connection)
    return run_id


def _insert_run(database: Database, connection: Connection, values: Mapping[str, Any]) -> None:
    fresh = {"updated_at": time.time(), "lease_token": 0}
    try:
        connection.execute(insert(RUNS).values(**values, **fresh))
    except IntegrityError:
        raise RunError(
            f"run {values['id']} already exists in the store {database.place}; delete it there first"
        ) from None


class _Checker:
    """Turns the lines of one file into rows, which wait in a temporary file until all of them are known to be right."""

    def __init__(self, path: Path, run_id: str, spool: IO[bytes]) -> None:
        self._path = path
        self._run_id = run_id
        self._spool = spool
        self._rows: dict[str, list[Row]] = {kind: [] for kind in COLUMNS}
        self._counts = dict.fromkeys(COLUMNS, 0)
        self._tasks: list[Row] = []
        self._texts: set[str] = set()
        self._called: set[str] = set()
        self._parts = 0

    def take(self, line: Line) -> None:
        """Take one line in.

        Raises:
            UsageError: if it is damaged.
        """
        try:
            row = row_of(line.fields, COLUMNS[line.kind])
            if line.kind == "text":
                self._check_text(line.fields)
            elif line.kind == "call":
                self._check_call(line.fields)
            elif line.kind == "step":
                self._called.add(line.fields["task_id"])
        except (ValueError, TypeError) as fault:
            raise damaged(self._path, line.number, str(fault)) from None
        self._counts[line.kind] += 1
        if line.kind == "task":
            self._tasks.append(row)
        rows = self._rows[line.kind]
        rows.append((self._run_id, *row))
        if len(rows) >= _ROWS_AT_ONCE:
            self._put_aside(line.kind)

    def finish(self) -> None:
        """Make sure that what was taken in is a run.

        Raises:
            UsageError: if it is none.
        """
        for kind in self._rows:
            self._put_aside(kind)
        try:
            root = tree_of_rows(self._tasks, run_id=self._run_id)
        except StoreError as fault:
            raise UsageError(f"{self._path} has no run that could be resumed: {fault}") from None
        if unknown := self._called - {task.id for task in root.walk()}:
            raise UsageError(
                f"{self._path} is damaged: a call or step belongs to task {min(unknown)!r}, which does not exist"
            )
        self._tasks = []

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield all rows, some at a time, after their kind."""
        self._spool.seek(0)
        for _ in range(self._parts):
            yield pickle.load(self._spool)  # noqa: S301 - written by this process, into a file without a name

    def compare(self, connection: Connection) -> None:
        """Make sure that every row is in the store: of two with one key, the second is left out.

        Raises:
            UsageError: if one is not.
        """
        for kind, table in _TABLES.items():
            query = select(func.count()).select_from(table).where(run_column(table) == self._run_id)
            if connection.execute(query).scalar() != self._counts[kind]:
                raise UsageError(f"{self._path} is damaged: it has two lines for one {kind}; use another copy")

    def _put_aside(self, kind: str) -> None:
        pickle.dump((kind, self._rows[kind]), self._spool)
        self._parts += 1
        self._rows[kind] = []

    def _check_text(self, fields: Mapping[str, Any]) -> None:
        if sha256_of(fields["content"]) != fields["sha256"]:
            raise ValueError("the text does not match its hash")
        self._texts.add(fields["sha256"])

    def _check_call(self, fields: Mapping[str, Any]) -> None:
        check_call(fields)
        for sha256 in references_of(fields["request"]):
            if sha256 not in self._texts:
                raise ValueError(f"the text {str(sha256)[:12]} that the request refers to is missing before it")
        self._called.add(fields["task_id"])


def _write_calls(connection: Connection, lineage: Lineage, file: FileWriter) -> None:
    written: set[str] = set()
    for calls, texts in stream_calls(connection, lineage):
        for sha256, content in texts:
            if sha256 not in written:
                written.add(sha256)
                file.add("text", {"sha256": sha256, "content": content})
        for row, _ in calls:
            file.add("call", fields_of(row, COLUMNS["call"]))


def _run_fields(connection: Connection, run_id: str) -> dict[str, Any]:
    row = connection.execute(select(RUNS).where(RUNS.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise RunError(f"there is no run {run_id!r} in the store; `ramify runs` lists them")
    fields = fields_of(row, RUN)
    agent = fields["settings"].get("agent") or {}
    if agent.get("base_url"):
        agent["base_url"] = shown_address(agent["base_url"])
    return fields


def _checked_id(run_id: str) -> str:
    if not run_id.isprintable() or not run_id.strip() or run_id.startswith("-") or len(run_id) > _LONGEST_ID:
        raise ValueError(f"{run_id[:40]!r} cannot be the id of a run")
    return run_id
