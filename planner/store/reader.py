"""What can be asked of a store: its runs, their trees, their calls, steps and events; nothing is changed."""

import time
from collections.abc import Collection, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ramify.planner.errors import RunError
from ramify.tasks.tree.config import Usage
from ramify.tasks.tree.states import TaskState
from ramify.tasks.tree.task import Task
from ramify.tasks.tree.times import Kind, Took

from .records import CallKey, CallRecord, EventRecord, RunNews, RunRecord, RunStatus, StepRecord, StoredRun

if TYPE_CHECKING:
    from .database import Database

STALE_AFTER_S: Final = 10.0
"""How long a process that holds a run may be silent before the run may be taken from it, in seconds."""


class StoreReader:
    """Reads a store. All methods may be called from any thread."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    @property
    def place(self) -> str:
        """Where the store is, without a password."""
        return str(self._database.place)

    @property
    def address(self) -> str:
        """What opens it again in another process; it may hold a password."""
        place = self._database.place
        return place.url if place.path is None else str(place.path)

    @property
    def files(self) -> Path:
        """Where workers keep files."""
        from .files import files_beside

        return files_beside(self._database.place)

    def runs(
        self,
        limit: int | None = None,
        *,
        older_than_s: float | None = None,
        statuses: Collection[RunStatus] = (),
        keep: int = 0,
        inside: str | None = None,
    ) -> list[RunRecord]:
        """Return the runs, newest first.

        Args:
            limit: no more than so many.
            older_than_s: only those of which nothing was written for that long, in seconds.
            statuses: only those of one of these.
            keep: how many of the newest are left out in any case.
            inside: only the members of this run, in order, such as the trials of a study; "" leaves out members.

        Raises:
            StoreError: if they cannot be read.
        """
        from .pruning import matching
        from .reading import list_runs

        are_all_wanted = older_than_s is None and not statuses and not keep
        with self._database.reading() as connection:
            runs = list_runs(connection, limit if are_all_wanted else None, inside)
        if are_all_wanted:
            return runs
        since = None if older_than_s is None else time.time() - older_than_s
        found = matching(runs, untouched_since=since, statuses=statuses, keep=keep, stale_after_s=STALE_AFTER_S)
        return found[:limit]

    def members_so_far(self) -> dict[str, dict[RunStatus, int]]:
        """Return how many members of which status runs have, by run; those without any are left out.

        Raises:
            StoreError: if it cannot be read.
        """
        from .members import members_so_far

        with self._database.reading() as connection:
            return members_so_far(connection)

    def used_so_far(self, run_ids: Sequence[str]) -> dict[str, Usage]:
        """Return the usage of runs, also while they go on.

        Raises:
            StoreError: if it cannot be read.
        """
        from .spending import used_so_far

        with self._database.reading() as connection:
            return used_so_far(connection, run_ids)

    def states_so_far(self, run_ids: Sequence[str]) -> dict[str, dict[TaskState, int]]:
        """Return how many tasks of runs are in which state, by run.

        Raises:
            StoreError: if it cannot be read.
        """
        from .spending import states_so_far

        with self._database.reading() as connection:
            return states_so_far(connection, run_ids)

    def find_run(self, wanted: str) -> RunRecord:
        """Return the run with the id `wanted`, or the only one that starts with it.

        Raises:
            RunError: if none or several do; the message shows ids that come near.
            StoreError: if it cannot be read.
        """
        from .reading import find_run

        with self._database.reading() as connection:
            return find_run(connection, wanted)

    def last_run(self) -> RunRecord:
        """Return the newest run that is not part of another.

        Raises:
            RunError: if there is none yet.
            StoreError: if it cannot be read.
        """
        from .reading import last_run

        with self._database.reading() as connection:
            found = last_run(connection)
        if found is None:
            raise RunError(f"the store {self.place} has no runs yet; start one first")
        return found

    def load_tree(self, run_id: str) -> Task:
        """Return the root of a run's stored tree.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be read, or is damaged.
        """
        from .reading import load_tree

        with self._database.reading() as connection:
            return load_tree(connection, run_id)

    def read_run(self, run_id: str) -> StoredRun:
        """Return everything about a run at one moment, whichever process runs it.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be read, or is damaged.
        """
        from .reading import read_run

        with self._database.reading() as connection:
            return read_run(connection, run_id)

    def news(self, run_id: str, after: int, *, limit: int) -> RunNews:
        """Return a run with at most `limit` events after number `after`, and their tasks.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be read, or is damaged.
        """
        from .news import news_of

        with self._database.reading() as connection:
            return news_of(connection, run_id, after, limit=limit)

    def calls(self, run_id: str, task_id: str | None = None) -> list[CallRecord]:
        """Return the calls of a run, or of one task, in order.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be read.
        """
        from .reading import list_calls

        with self._database.reading() as connection:
            return list_calls(connection, run_id, task_id)

    def models_asked(self, run_id: str) -> list[str]:
        """Return the names of the models that answered calls of a run, in order.

        Raises:
            StoreError: if it cannot be read.
        """
        from .reading import models_asked

        with self._database.reading() as connection:
            return models_asked(connection, run_id)

    def begun_types(self, run_id: str, *, most: int = 200) -> list[str | None]:
        """Return the types of the tasks of a run that have begun, of no more than `most` of them, each once.

        Raises:
            StoreError: if it cannot be read.
        """
        from .reading import begun_types

        with self._database.reading() as connection:
            return begun_types(connection, run_id, most)

    def last_attempts(self, run_id: str) -> dict[str, int]:
        """Return the last attempt with a reply for each task of a run, without plans.

        Raises:
            StoreError: if they cannot be read.
        """
        from .reading import last_attempts

        with self._database.reading() as connection:
            return last_attempts(connection, run_id)

    def stream_calls(self, run_id: str) -> Generator[CallRecord, None, None]:
        """Yield what `calls` returns, without loading all of it.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be read.
        """
        from .reading import require_run
        from .streaming import stream_records

        with self._database.reading() as connection:
            yield from stream_records(connection, require_run(connection, run_id))

    def last_seq(self, run_id: str) -> int:
        """Return the number of the last event of a run; 0 if there is none.

        Raises:
            RunError: if there is no such run.
            StoreError: if it cannot be read.
        """
        from .news import last_seq

        with self._database.reading() as connection:
            return last_seq(connection, run_id)

    def events(
        self, run_id: str, after: int = 0, *, limit: int | None = None, task_id: str | None = None
    ) -> list[EventRecord]:
        """Return the events of a run, or of one of its tasks, whose number is above `after`, in order; `limit` at most.

        Raises:
            RunError: if there is no such run.
            StoreError: if they cannot be read.
        """
        from .reading import list_events

        with self._database.reading() as connection:
            return list_events(connection, run_id, after, limit, task_id)

    def events_of(self, run_id: str, types: Collection[str], after: int = 0) -> list[EventRecord]:
        """Return the events of a run of these `types` after number `after`.

        Raises:
            StoreError: if they cannot be read.
        """
        from .reading import list_events_of

        with self._database.reading() as connection:
            return list_events_of(connection, run_id, types, after)

    def steps(self, run_id: str, task_id: str | None = None, *, effects: bool = False) -> list[StepRecord]:
        """Return the steps of workers of a run, or of one task, in order.

        Args:
            run_id: the run.
            task_id: the task; all unless given.
            effects: whether only those are wanted that may not simply be repeated.

        Raises:
            RunError: if there is no such run.
            StoreError: if they cannot be read.
        """
        from .reading import list_steps

        with self._database.reading() as connection:
            return list_steps(connection, run_id, task_id, effects=effects)

    def times(self, models: Collection[str]) -> dict[tuple[str, Kind], Took]:
        """Return what tasks took in the newest runs, by who did them and their kind.

        Args:
            models: names of models; the empty name is for tasks that no model does.

        Raises:
            StoreError: if it cannot be read.
        """
        from .learned import read_times

        with self._database.reading() as connection:
            return read_times(connection, models)

    def memory(self, scope: str) -> dict[str, Any]:
        """Return the memory of a scope: a run's id, or "permanent".

        Raises:
            StoreError: if it cannot be read.
        """
        from .reading import read_memory

        with self._database.reading() as connection:
            return read_memory(connection, scope)

    def find_answer(self, key: CallKey) -> tuple[str, Mapping[str, Any]] | None:
        """Return the newest stored answer to the request of `key`, with the id of its run.

        It is a whole one, to the same sample of the same attempt or a later one; None if there is none.

        Raises:
            StoreError: if it cannot be read.
        """
        from .answered import find_answer

        with self._database.reading() as connection:
            return find_answer(connection, key)
