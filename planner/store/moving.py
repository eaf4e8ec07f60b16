"""A run leaves a store as one file, with its tree, its journal and its events, and enters another under its id.

Both stream: what is in memory is some rows, and at the end of an import the tree, which is loaded before anything is
committed, since what cannot be loaded is not let in. A run that somebody works on is exported as it is at that instant.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import RunError, StoreError, UsageError
from ramify.planner.models.secrets import hide_keys
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from .database import Database
from .reading import load_tree
from .run_file import FileWriter, Line, damaged, read_head, read_lines
from .run_parts import COLUMNS, RUN, check_call, fields_of, row_of
from .streaming import snapshot, stream_calls, stream_rows
from .tables import CALLS, EVENTS, RUNS, TASKS, TEXTS
from .texts import join_texts, references_of, sha256_of

if TYPE_CHECKING:
    from .statements import Statement

_ROWS_AT_ONCE = 5000
_LONGEST_ID = 100


def export_run(database: Database, run_id: str, path: Path) -> None:
    """Write a run to the file `path`.

    Raises:
        UsageError: if the file is there already.
        ExportError: if it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} is there already; choose another name, or remove it first")
    with snapshot(database) as connection:
        run = _run_fields(connection, run_id)
        with FileWriter(path, "run", run) as file:
            for tasks in stream_rows(connection, TASKS, run_id, ("id",)):
                for row in tasks:
                    file.add("task", fields_of(row, COLUMNS["task"]))
            _write_calls(connection, run_id, file)
            for events in stream_rows(connection, EVENTS, run_id, ("seq",)):
                for row in events:
                    file.add("event", fields_of(row, COLUMNS["event"]))


def record_calls(database: Database, run_id: str, path: Path) -> None:
    """Write the calls of a run to the file `path` as a recording: a line each, whole by itself.

    Raises:
        ExportError: if it cannot be written.
    """
    with snapshot(database) as connection:
        run = _run_fields(connection, run_id)
        about = {name: value for name, value in run.items() if name in {"id", "made_by", "model", "created_at"}}
        with FileWriter(path, "recording", about) as file:
            for calls, texts in stream_calls(connection, run_id):
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
        raise UsageError(f"{path} is a recording, which holds no tasks; `--model replay:{path}` answers from it")
    try:
        columns = row_of(run, RUN)
        run_id = _checked_id(run["id"])
    except ValueError as fault:
        raise damaged(path, 1, str(fault)) from None
    with database.changing() as connection:
        values = {column.name: value for column, value in zip(RUN, columns, strict=True)}
        fresh = {"updated_at": time.time(), "lease_token": 0, "cancel_requested": False}
        try:
            connection.execute(insert(RUNS).values(**values, **fresh))
        except IntegrityError:
            raise RunError(f"run {run_id} is in the store {database.place} already; delete it there first") from None
        loader = _Loader(database, connection, run_id, path)
        for line in read_lines(path):
            loader.take(line)
        loader.finish()
    return run_id


class _Loader:
    """Turns the lines of one file into rows."""

    def __init__(self, database: Database, connection: Connection, run_id: str, path: Path) -> None:
        statements = database.statements
        self._connection = connection
        self._run_id = run_id
        self._path = path
        self._statements: Mapping[str, Statement] = {
            "task": statements.add_task,
            "text": statements.add_text,
            "call": statements.add_call,
            "event": statements.add_event,
        }
        self._rows: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in self._statements}
        self._counts = dict.fromkeys(self._statements, 0)
        self._texts: set[str] = set()
        self._called: set[str] = set()

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
        except (ValueError, TypeError) as fault:
            raise damaged(self._path, line.number, str(fault)) from None
        rows = self._rows[line.kind]
        rows.append((self._run_id, *row))
        self._counts[line.kind] += 1
        if len(rows) >= _ROWS_AT_ONCE:
            self._write(line.kind)

    def finish(self) -> None:
        """Write what is left, and make sure that what was written is a run.

        Raises:
            UsageError: if it is none.
        """
        for kind in self._rows:
            self._write(kind)
        for kind, table in (("task", TASKS), ("text", TEXTS), ("call", CALLS), ("event", EVENTS)):
            query = select(func.count()).select_from(table).where(table.c.run_id == self._run_id)
            if self._connection.execute(query).scalar() != self._counts[kind]:
                raise UsageError(f"{self._path} is damaged: it has two lines for one {kind}; take another copy of it")
        try:
            root = load_tree(self._connection, self._run_id)
        except StoreError as fault:
            raise UsageError(f"{self._path} holds no run that could be resumed: {fault}") from None
        if unknown := self._called - {task.id for task in root.walk()}:
            raise UsageError(f"{self._path} is damaged: a call is made for task {min(unknown)!r}, and there is none")

    def _write(self, kind: str) -> None:
        self._statements[kind].execute(self._connection, self._rows[kind])
        self._rows[kind] = []

    def _check_text(self, fields: Mapping[str, Any]) -> None:
        if sha256_of(fields["content"]) != fields["sha256"]:
            raise ValueError("the text is not the one that its hash says")
        self._texts.add(fields["sha256"])

    def _check_call(self, fields: Mapping[str, Any]) -> None:
        check_call(fields)
        for sha256 in references_of(fields["request"]):
            if sha256 not in self._texts:
                raise ValueError(f"the text {str(sha256)[:12]} that the request refers to does not stand before it")
        self._called.add(fields["task_id"])


def _write_calls(connection: Connection, run_id: str, file: FileWriter) -> None:
    written: set[str] = set()
    for calls, texts in stream_calls(connection, run_id):
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
        agent["base_url"] = hide_keys(agent["base_url"])
    return fields


def _checked_id(run_id: str) -> str:
    if not run_id.isprintable() or not run_id.strip() or run_id.startswith("-") or len(run_id) > _LONGEST_ID:
        raise ValueError(f"{run_id[:40]!r} cannot be the id of a run")
    return run_id
