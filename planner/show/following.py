"""A stored run as it goes on, whichever process carries it on: its events in order, and its tree as it stands now.

The store is looked at twice a second, each time in one transaction that only reads, so that the run is not disturbed. A
run is over once it has ended, or once the process that held it has ended without a word.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from ramify.planner.events.events import Event
from ramify.planner.export.run_data import status_of
from ramify.planner.running.controlling import Controlled, cancel_run, limit_run, pause_run
from ramify.planner.settings.options import LimitOptions
from ramify.planner.settings.settings import store_place
from ramify.planner.store import RunNews, RunRecord, RunStatus, Store, TaskNews
from ramify.tasks.tree.running import put

if TYPE_CHECKING:
    from ramify.tasks import Task

POLL_S = 0.5
"""How long to wait before the store is looked at again, in seconds."""

MOST_AT_ONCE = 5_000
"""Events that are read in one transaction."""

_CHANGING = (
    "content", "state", "result", "output", "gaps", "error", "attempts", "usage", "started_at", "completed_at",
    "updated_at",
)  # fmt: skip
"""What a run, or an edit of its plan, changes of a task."""

_STARTING_S = 3.0
"""How long a new run may be held by nobody, in seconds."""


class FollowedRun:
    """A run to follow with `for` or `async for` over its events; a context manager that closes the store.

    Args:
        store: where it is stored, as for the executor; or an open store, which stays open.
        run_id: its id, or the start of it; None for the newest run.
        after: the number after which its events begin; 0 is all of them, None those that are still to come.
        poll_s: seconds between looks at the store.

    Attributes:
        record: the run, at the last look.
        status: its status then; "interrupted" if its process died.
        root: its tree, as it stood then.
        touched: the tasks that the events of the last look are about.

    Raises:
        RunError: if there is no such run.
        StoreError: if the store cannot be read.
    """

    def __init__(
        self,
        store: Store | str | Path | None,
        run_id: str | None = None,
        *,
        after: int | None = 0,
        poll_s: float = POLL_S,
    ) -> None:
        self._store = store.shared() if isinstance(store, Store) else Store.open(store_place(store), create=False)
        self._poll_s = poll_s
        self.touched: tuple[Task, ...] = ()
        self._may_be_more = True
        self._was_silent = False
        try:
            self.record: RunRecord = self._store.last_run() if run_id is None else self._store.find_run(run_id)
            self._seen = self._store.last_seq(self.record.id) if after is None else after
            self.load()
        except BaseException:
            self._store.close()
            raise
        self.status: RunStatus = _status_of(self.record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, as far as known here."""
        return self.status != "running" and not self._may_be_more

    def load(self) -> None:
        """Read the whole tree, as after an edit that has put tasks elsewhere.

        Raises:
            RunError: if the run has been deleted.
            StoreError: if the store cannot be read.
        """
        self.root = self._store.load_tree(self.record.id)
        self._known = {task.id: task for task in self.root.walk()}

    def skip(self, most: int) -> bool:
        """Read the tree instead of the events since the last look, if they are more than `most`; return whether it was.

        Raises:
            RunError: if the run has been deleted.
            StoreError: if the store cannot be read.
        """
        last = self._store.last_seq(self.record.id)
        if last - self._seen <= most:
            return False
        self._seen = last
        self.load()
        return True

    def look(self) -> list[Event]:
        """Return events since the last look, and update `record` and `root`.

        Raises:
            RunError: if the run has been deleted.
            StoreError: if the store cannot be read.
        """
        news: RunNews = self._store.news(self.record.id, self._seen, limit=MOST_AT_ONCE)
        self.record = news.record
        self._bring_up_to_date(news.tasks)
        if news.events:
            self._seen = news.events[-1].seq
        self.status = _status_of(self.record)
        is_silent = self.record.status != self.status
        # A process that has ended may have written its last words after they were looked for here.
        self._may_be_more = len(news.events) == MOST_AT_ONCE or (is_silent and not self._was_silent)
        self._was_silent = is_silent
        return list(news.events)

    def __iter__(self) -> Iterator[Event]:
        """Yield the events from the first one to the last, as they come."""
        while not self.is_over:
            yield from self.look()
            if not self._may_be_more and not self.is_over:
                time.sleep(self._poll_s)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events from the first one to the last, as they come."""
        while not self.is_over:
            for event in await asyncio.to_thread(self.look):
                yield event
            if not self._may_be_more and not self.is_over:
                await asyncio.sleep(self._poll_s)

    def pause(self) -> Controlled:
        """Have the run start nothing more, finish what is being done, and wait until it is resumed.

        Raises:
            StoreError: if the store cannot be written.
        """
        return pause_run(self._store, self.record.id)

    def cancel(self) -> Controlled:
        """Have the run give up what is being done, and end; it can be resumed.

        Raises:
            StoreError: if the store cannot be written.
        """
        return cancel_run(self._store, self.record.id)

    def limit(self, **limits: Unpack[LimitOptions]) -> Controlled:
        """Have other limits hold for the run: at once if it goes on, else from when it is resumed.

        Args:
            **limits: those that `solve` takes too: `max_calls`, `max_cost_usd`, ...

        Raises:
            UsageError: if there is no such limit, or a value cannot be used.
            StoreError: if the store cannot be written.
        """
        return limit_run(self._store, self.record.id, limits)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _bring_up_to_date(self, tasks: tuple[TaskNews, ...]) -> None:
        needs: dict[str, list[str]] = {}
        waiting = list(tasks)
        while waiting:
            homeless = [news for news in waiting if not self._take_in(news, needs)]
            if len(homeless) == len(waiting):
                break
            waiting = homeless
        for task_id, ids in needs.items():  # what a task needs may have come after it
            put(self._known[task_id], dependencies=[each for each in ids if each in self._known])
        self.touched = tuple(self._known[news.task.id] for news in tasks if news.task.id in self._known)

    def _take_in(self, news: TaskNews, needs: dict[str, list[str]]) -> bool:
        """Take in how a task stands; return whether its place in the tree is known. What a new one needs is noted."""
        known = self._known.get(news.task.id)
        if known is not None:
            known.__dict__.update({name: news.task.__dict__[name] for name in _CHANGING})
            return True
        parent = self._known.get(news.parent_id or "")
        if parent is None:
            return False
        needs[news.task.id] = list(news.task.dependencies)
        put(news.task, dependencies=[])
        parent.add_subtask(news.task)
        self._known[news.task.id] = news.task
        return True


def _status_of(record: RunRecord) -> RunStatus:
    is_starting = record.holder is None and time.time() - record.created_at < _STARTING_S
    return record.status if is_starting else status_of(record)
