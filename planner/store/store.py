"""The store: runs, their trees, their calls and events, in SQLite or PostgreSQL.

SQLAlchemy and SQLModel are loaded when the first store is opened.
"""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

from ramify.planner.errors import LeaseError
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.settings.place import DEFAULT_STORE, read_place
from ramify.tasks.tree.task import Task

from .control import Control
from .holder import Holder
from .reader import STALE_AFTER_S, StoreReader
from .records import NewFork, NewRun, RunRecord, RunStatus
from .writer import RunWriter, WriterEvents

if TYPE_CHECKING:
    from .database import Database
    from .forking import Edit

_LOOK_EVERY_S: Final = 0.01

LOCK_WAIT_S: Final = 10.0
"""How long SQLite waits for another program's lock, in seconds."""

SERVER_WAIT_S: Final = 300.0
"""How long a writer waits for a PostgreSQL server that is gone, in seconds."""


class Store(StoreReader):
    """An open store; a context manager; thread-safe."""

    def __init__(self, database: "Database", *, is_shared: bool = False) -> None:
        super().__init__(database)
        self._is_shared = is_shared

    @classmethod
    def open(
        cls,
        place: str | Path = DEFAULT_STORE,
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
        create: bool = True,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> Self:
        """Open the store at `place`.

        Args:
            place: a file, `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.
            synchronous: FULL: what is committed survives a power cut. NORMAL: it survives `kill -9`, but a power cut
                may take the last commits. OFF: a power cut may damage the store.
            create: whether to make a store where none is.
            lock_wait_s: how long SQLite waits for another program to let go of the file, in seconds.

        Raises:
            StoreError: if it cannot be opened; the message says why and what to do.
        """
        where = read_place(place)
        from .database import Database
        from .migrations import prepare

        database = Database.open(where, synchronous=synchronous, create=create, lock_wait_s=lock_wait_s)
        try:
            prepare(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def open_again(self) -> Self:
        """Open the same store again for reading; close it separately."""
        from .database import Database

        place = self._database.place
        return type(self)(Database.open(place, synchronous="FULL", create=False, lock_wait_s=LOCK_WAIT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.place!r})"

    def close(self) -> None:
        """Close all connections; close writers first. A shared store is left to its owner."""
        if not self._is_shared:
            self._database.close()

    def shared(self) -> "Store":
        """Return this store for shared use: closing it does nothing."""
        return Store(self._database, is_shared=True)

    def create_run(self, run: NewRun, root: Task) -> None:
        """Store a new run with the whole tree of `root`, in one transaction.

        Raises:
            RunError: if a run with its id is there already.
            StoreError: if it cannot be written.
        """
        from .changing import create_run

        with self._database.changing() as connection:
            create_run(self._database, connection, run, root)

    def fork_run(self, fork: NewFork, edit: "Edit | None" = None) -> None:
        """Store a copy of a run, in one transaction; the original is unchanged.

        Args:
            fork: the new run.
            edit: returns what is different in it; see `ramify.planner.store.forking`.

        Raises:
            RunError: if there is no run to fork, or one has the fork's id already.
            StoreError: if it cannot be written.
        """
        from .files import copy_files, remove_files
        from .forking import fork_run

        has_files = copy_files(self.files, fork.forked_from, fork.id)
        try:
            with self._database.changing() as connection:
                fork_run(self._database, connection, fork, edit)
        except BaseException:
            if has_files:
                remove_files(self.files, fork.id)
            raise
        failpoint("after-fork-commit")

    def ask(self, run_id: str, control: Control) -> None:
        """Ask the process that holds a run to do something within two seconds.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be written.
        """
        from .changing import ask

        with self._database.changing() as connection:
            ask(connection, run_id, control)

    def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Delete runs, all or none; forks keep what they share.

        Raises:
            RunError: if one of them is not there.
            LeaseError: if a process holds one of them.
            StoreError: if they cannot be deleted.
        """
        from .changing import delete_runs
        from .files import remove_files

        with self._database.changing() as connection:
            delete_runs(self._database, connection, run_ids, stale_after_s=STALE_AFTER_S)
        for run_id in run_ids:
            remove_files(self.files, run_id)

    def check(self) -> list[str]:
        """Return what is damaged in the store; empty if nothing is.

        Raises:
            StoreError: if it cannot be read.
        """
        from .reading import faults_of

        with self._database.reading() as connection:
            return faults_of(connection)

    def vacuum(self) -> int:
        """Free the space of deleted runs, and return the number of bytes.

        Raises:
            StoreError: if another program holds the store, or the disk has no space for the copy that it takes.
        """
        from .upkeep import size_of

        before = size_of(self._database)
        self._database.vacuum()
        return max(0, before - size_of(self._database))

    def backup(self, path: str | Path) -> int:
        """Copy the store to a new file while runs go on; return its size in bytes.

        Raises:
            UsageError: if the file is there already, or the store is in PostgreSQL; the message says how to copy that.
            ExportError: if the copy cannot be written.
            StoreError: if the store cannot be read.
        """
        from .upkeep import back_up

        return back_up(self._database, Path(path))

    def prune(
        self,
        *,
        older_than_s: float | None = None,
        statuses: Collection[RunStatus] = (),
        keep: int = 0,
        is_rehearsal: bool = False,
    ) -> list[RunRecord]:
        """Delete runs that no process holds, each with its members, and return them, newest first.

        Args:
            older_than_s: only those of which nothing was written for that long, in seconds.
            statuses: only those of one of these.
            keep: how many of the newest stay in any case.
            is_rehearsal: whether nothing is deleted.

        Raises:
            StoreError: if they cannot be deleted; those that are gone by then are not in the store any more.
        """
        from .pruning import is_held

        found = self.runs(older_than_s=older_than_s, statuses=statuses, keep=keep, inside="")
        runs = [run for run in found if not is_held(run, stale_after_s=STALE_AFTER_S)]
        if is_rehearsal:
            return runs
        gone = []
        for run in runs:
            with suppress(LeaseError):  # somebody has taken it since
                self.delete_runs([run.id, *(member.id for member in self.runs(inside=run.id))])
                gone.append(run)
        return gone

    def export_run(self, run_id: str, path: str | Path) -> None:
        """Export a run to a new file for `import_run`.

        Raises:
            RunError: if there is no such run.
            UsageError: if the file is there already.
            ExportError: if it cannot be written.
            StoreError: if the run cannot be read.
        """
        from .moving import export_run

        export_run(self._database, run_id, Path(path))

    def import_run(self, path: str | Path) -> str:
        """Import a run from `export_run`, and return its id.

        Raises:
            RunError: if a run with its id is there already.
            UsageError: if the file is not there, is no exported run, or is damaged; a damaged line is named.
            StoreError: if the store cannot be written.
        """
        from .moving import import_run

        return import_run(self._database, Path(path))

    def record_calls(self, run_id: str, path: str | Path) -> None:
        """Write the calls of a run to a file for `replay:FILE`, replacing an existing one.

        Raises:
            RunError: if there is no such run.
            ExportError: if it cannot be written.
            StoreError: if the run cannot be read.
        """
        from .moving import record_calls

        record_calls(self._database, run_id, Path(path))

    def write(
        self,
        run_id: str,
        *,
        holder: Holder | None = None,
        stale_after_s: float = STALE_AFTER_S,
        wait_s: float = SERVER_WAIT_S,
        events: WriterEvents | None = None,
    ) -> RunWriter:
        """Take the lease of a run and return its writer; whoever has it only briefly is waited for.

        Args:
            run_id: its whole id.
            holder: who takes it; this process unless given.
            stale_after_s: how long another holder may be silent, in seconds. One that is known to have ended, as a
                process of this machine, is not waited for.
            wait_s: how long the writer waits for a server that is gone, in seconds.
            events: what the writer is to tell by itself.

        Raises:
            LeaseError: if another process, or another writer of this one, holds the run; it is named.
            RunError: if there is no such run.
            StoreError: if the store fails.
        """
        from .lease import take

        holder, give_up_at = holder or Holder.this_process(), time.monotonic() + stale_after_s
        while True:
            try:
                lease = take(self._database, run_id, holder, stale_after_s=stale_after_s)
                return RunWriter(self._database, lease, events or WriterEvents(), wait_s=wait_s)
            except LeaseError as error:
                if not error.is_brief or time.monotonic() > give_up_at:
                    raise
            time.sleep(_LOOK_EVERY_S)

    def change(self, run_id: str) -> RunWriter:
        """Take the lease of a run that nobody carries on, to change something and give it back at once.

        Raises as `write`.
        """
        return self.write(run_id, holder=Holder.this_process(is_brief=True))
