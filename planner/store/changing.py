"""What is done to a store outside a run's writer: a run is made, something is asked of it, it is deleted."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import islice

from ramify.planner.errors import RunError
from ramify.planner.runtime.failpoints import failpoint
from ramify.tasks.tree.task import Task
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from .control import Control, dump_controls, load_controls
from .database import Database
from .fields import encode_field
from .lease import check_free
from .lineage import hand_over
from .reading import require_run
from .records import NewRun
from .rows import Row, rows_of_tree
from .sharing import IN_TASK, share
from .tables import CALLS, EVENTS, MEMORY, RUNS, STEPS, TASKS, TEXTS

_ROWS_AT_ONCE = 5000
_RUNS_AT_ONCE = 500
_FIELDS = tuple(field.name for field in fields(NewRun))


def create_run(database: Database, connection: Connection, run: NewRun, root: Task) -> None:
    """Store a run with the whole tree of `root`.

    Raises:
        RunError: if a run with its id is there already.
        UsageError: if a task holds what cannot be written as JSON.
    """
    values = {name: encode_field(name, getattr(run, name)) for name in _FIELDS}
    try:
        connection.execute(insert(RUNS).values(**values, updated_at=time.time(), lease_token=0))
    except IntegrityError:
        raise RunError(
            f"run {run.id} already exists in the store {database.place}; resume it, or use a new id"
        ) from None
    texts: dict[str, str] = {}
    rows: Iterable[Row] = ((run.id, *share(row, IN_TASK, texts)) for row in rows_of_tree(root))
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        database.statements.add_task.execute(connection, chunk)
        database.statements.add_text.execute(connection, [(run.id, *text) for text in texts.items()])
        texts.clear()


def ask(connection: Connection, run_id: str, control: Control) -> None:
    """Note what is asked of the run; whoever holds it hears of it within two seconds.

    Raises:
        RunError: if there is no such run.
    """
    row = connection.execute(select(RUNS.c.controls).where(RUNS.c.id == run_id).with_for_update()).one_or_none()
    if row is None:
        require_run(connection, run_id)
        raise RunError(f"run {run_id} was deleted just now; there is nothing to control")
    controls = dump_controls([*load_controls(row[0]), control])
    connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(controls=controls))
    failpoint("during-control-commit")


def delete_runs(database: Database, connection: Connection, run_ids: Sequence[str], *, stale_after_s: float) -> None:
    """Delete runs with all that belongs to them; what forks share that are left, these keep.

    Raises:
        RunError: if one of them is not there.
        LeaseError: if a process holds one of them. Whatever is raised, none was deleted.
    """
    wanted = list(dict.fromkeys(run_ids))
    for start in range(0, len(wanted), _RUNS_AT_ONCE):
        part = wanted[start : start + _RUNS_AT_ONCE]
        query = select(RUNS.c.id, RUNS.c.holder, RUNS.c.heartbeat_at, database.now).where(RUNS.c.id.in_(part))
        found = connection.execute(query.with_for_update()).all()
        for run_id, holder, heartbeat_at, now in found:
            check_free(run_id, holder, silent_s=float(now) - (heartbeat_at or 0.0), stale_after_s=stale_after_s)
        for missing in set(part) - {row[0] for row in found}:
            require_run(connection, missing)
        hand_over(database, connection, part, also_gone=wanted)
        for table in (EVENTS, CALLS, STEPS, TEXTS, TASKS):
            connection.execute(delete(table).where(table.c.run_id.in_(part)))
        connection.execute(delete(MEMORY).where(MEMORY.c.scope.in_(part)))
        connection.execute(delete(RUNS).where(RUNS.c.id.in_(part)))
