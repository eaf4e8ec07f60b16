"""A fork: a new run that has all that another one had at one instant, whole in the store or not at all.

Its tasks, steps and memory are copied, which is a small row each; what is large, it shares: see
`ramify.planner.store.lineage`. Nothing is written to the run that it is made of, whose own process waits meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from ramify.planner.errors import RunError
from ramify.planner.runtime.failpoints import failpoint
from ramify.tasks import Usage
from sqlalchemy import Connection, RowMapping, Table, case, func, insert, literal, null, select
from sqlalchemy.exc import IntegrityError

from .batch import Batch
from .changes import Change, EventHappened
from .database import Database
from .fields import encode_field
from .holder import Holder
from .lease import Lease
from .lineage import lineage_of, run_column
from .reader import StoreReader
from .reading import list_events_of, require_run
from .records import ENDED, RUN_FORKED, EventRecord, NewFork
from .spending import used_so_far
from .tables import EVENTS, MEMORY, RUNS, SHARES, STEPS, TASKS

Edit = Callable[[StoreReader, Callable[[], int]], Sequence[Change]]
"""Returns what is different in a fork, which it reads, from the start; and is given the numbers of its events."""

_NOT_RUN = "it was forked from run {} and has not run since"


def fork_run(database: Database, connection: Connection, fork: NewFork, edit: Edit | None) -> None:
    """Store `fork` in the transaction that `connection` is in.

    Raises:
        RunError: if there is no run to fork, or one has the fork's id already.
    """
    source = _held_still(connection, fork.forked_from)
    until = connection.execute(select(func.max(EVENTS.c.seq)).where(EVENTS.c.run_id == fork.forked_from)).scalar() or 0
    _insert_run(database, connection, fork, source, until)
    is_running = TASKS.c.state == "RUNNING"
    changed = {"usage": null(), "state": case((is_running, "OPEN"), else_=TASKS.c.state)}
    changed["started_at"] = case((is_running, null()), else_=TASKS.c.started_at)
    _copy(connection, TASKS, fork, **changed)
    _copy(connection, STEPS, fork)
    _copy(connection, MEMORY, fork)
    above = lineage_of(connection, fork.forked_from)
    shares = [(fork.forked_from, until), *(() if above is None else above.shares)]
    connection.execute(insert(SHARES), [{"run_id": fork.id, "source_id": each, "until": seq} for each, seq in shares])
    numbers = count(until + 1)
    changes: list[Change] = [_forked(connection, fork, next(numbers))]
    failpoint("during-fork-commit")
    if edit is not None:
        changes += edit(StoreReader(_Within(database, connection)), numbers.__next__)
    batch = Batch(fork.id)
    batch.add(changes)
    batch.write(connection, database.statements, Lease(fork.id, 0, Holder.this_process(), until), set())


class _Within(Database):
    """A database as it is seen inside a transaction that is open."""

    def __init__(self, database: Database, connection: Connection) -> None:
        super().__init__(database.place, database.engine)
        self._connection = connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection of the transaction."""
        yield self._connection


def _held_still(connection: Connection, run_id: str) -> RowMapping:
    """Return the row of a run, to which nobody can write until the transaction is over."""
    row = connection.execute(select(RUNS).where(RUNS.c.id == run_id).with_for_update()).mappings().one_or_none()
    if row is None:
        require_run(connection, run_id)
        raise RunError(f"run {run_id} was deleted just now; there is nothing to fork")
    return row


def _insert_run(database: Database, connection: Connection, fork: NewFork, source: RowMapping, until: int) -> None:
    kept = {name: source[name] for name in ("goal", "phase", "nonce_seed", "status", "error", "finished_at")}
    if source["status"] not in ENDED:
        kept |= {"status": "waiting", "error": _NOT_RUN.format(fork.forked_from), "finished_at": None}
    said = {name: encode_field(name, getattr(fork, name)) for name in NewFork.__dataclass_fields__}
    fresh = {"updated_at": time.time(), "lease_token": 0, "forked_seq": until}
    try:
        connection.execute(insert(RUNS).values(**kept, **said, **fresh))
    except IntegrityError:
        raise RunError(f"run {fork.id} already exists in the store {database.place}; use a new id") from None


def _copy(connection: Connection, table: Table, fork: NewFork, **changed: object) -> None:
    """Let the fork have a copy of all that the other run has in `table`, with other values where they are given."""
    own = run_column(table)
    columns = {column.name: changed.get(column.name, column) for column in table.c}
    columns[own.name] = literal(fork.id)
    rows = select(*columns.values()).where(own == fork.forked_from)  # type: ignore[call-overload]
    connection.execute(insert(table).from_select(list(columns), rows))


def _forked(connection: Connection, fork: NewFork, seq: int) -> EventHappened:
    """Return the event with which a fork begins: how far it has come, and what was paid for what it shares."""
    by_state = select(TASKS.c.state, func.count()).where(TASKS.c.run_id == fork.id).group_by(TASKS.c.state)
    tasks = {state: int(count) for state, count in connection.execute(by_state)}
    paid = used_so_far(connection, [fork.forked_from])[fork.forked_from]
    for event in list_events_of(connection, fork.forked_from, [RUN_FORKED], after=0)[-1:]:
        paid += Usage(**event.data["paid"])
    data = {"run": fork.forked_from, "tasks": sum(tasks.values()), "done": tasks.get("DONE", 0), "paid": paid.to_data()}
    return EventHappened.of(EventRecord(seq=seq, at=fork.created_at, type=RUN_FORKED, data=data))
