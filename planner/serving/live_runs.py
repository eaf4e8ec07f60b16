"""The two things that pages watch: the list of the runs of a store, and one run with its tasks."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import RLock
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from ramify.planner.errors import RunError
from ramify.planner.events.events import EventType
from ramify.planner.export.look import ThemeName
from ramify.planner.export.report.pictures import Drawn, graph_drawn, timeline_drawn
from ramify.planner.export.run_data import status_of
from ramify.planner.export.times import timeline_of
from ramify.planner.show.following import FollowedRun
from ramify.planner.store import RunRecord, RunStatus, Store
from ramify.planner.store.records import ENDED
from ramify.tasks.tree.config import NO_USAGE

from .live import Live
from .possible import possible_acts
from .rows import Row, live_row, run_head, run_row, task_rows

MOST_RUNS: Final = 1_000
"""Runs in the list, the newest."""

_LOOK_S: Final = 0.5
_IDLE_LOOK_S: Final = 1.5
_LIST_LOOK_S: Final = 1.0
_MOST_EVENTS: Final = 1_000
"""Events since the last look from which on it costs less to read the tree."""

_SHARE_OF_MAKING: Final = 20
_MOVING: Final = frozenset({EventType.PLAN_EDITED, EventType.TASK_CHANGED})
"""Events after which tasks may stand elsewhere in the tree, or say something else."""


T = TypeVar("T")

Picture = Literal["graph", "timeline"]


class _Made(NamedTuple, Generic[T]):
    """What was made of a run at a change of that number: when, how long that took, and what came of it."""

    number: int
    at: float
    took_s: float
    value: T


class LiveRun(Live):
    """A run, with its tasks.

    Args:
        store: an open store.
        run_id: the run's whole id.
        is_read_only: whether pages may only look.
    """

    def __init__(self, store: Store, run_id: str, *, is_read_only: bool) -> None:
        super().__init__()
        self._store = store
        self._run_id = run_id
        self._is_read_only = is_read_only
        self._run: FollowedRun | None = None
        self._looked_at: tuple[RunRecord, RunStatus] | None = None
        self._head: dict[str, Any] = {}
        self._rows: dict[str, Row] = {}
        self._changes: dict[str, int] = {}
        self._whole_since = 0
        self._making = RLock()
        self._made: dict[str, _Made[Any]] = {}

    @property
    def run(self) -> FollowedRun:
        """The run, which was looked at; its tree is read with the lock.

        Raises:
            RunError: if it was not.
        """
        if self._run is None:
            raise RunError(self.trouble or f"run {self._run_id} was not read yet; try again")
        return self._run

    @property
    def look_s(self) -> float:
        """How long to wait before it is looked at again, in seconds."""
        return _LOOK_S if self._run is not None and self._run.status == "running" else _IDLE_LOOK_S

    def look(self) -> bool:
        """Look at the run; return whether anything has changed."""
        if self._run is None:
            self._run = FollowedRun(self._store, self._run_id, after=None)
            return self._take_all(self._run) | self._take_head(self._run)
        is_whole = self._run.skip(_MOST_EVENTS)
        events = self._run.look()
        now = self._run.record, self._run.status
        if not is_whole and not events and now == self._looked_at:
            return False
        if not is_whole and any(event.type in _MOVING for event in events):
            self._run.load()
            is_whole = True
        changed = self._take_all(self._run) if is_whole else self._take_touched(self._run)
        return self._take_head(self._run) | changed

    def difference(self, since: int) -> dict[str, Any]:
        """Return the head, and the tasks that have changed after the change `since`."""
        is_whole = since < self._whole_since
        tasks = [row for task_id, row in self._rows.items() if is_whole or self._changes[task_id] > since]
        return {"run": self._head, "whole": is_whole, "tasks": tasks}

    def close(self) -> None:
        """Let go of the run."""
        if self._run is not None:
            self._run.close()

    def wait_s(self, name: str) -> float:
        """How long to wait before something is made of it, in seconds, so that this takes but a share of the time."""
        known = self._made.get(name)
        if known is None or known.number == self.number:
            return 0.0
        return max(0.0, known.at + _SHARE_OF_MAKING * known.took_s - time.monotonic())

    def picture(self, picture: Picture, theme: ThemeName) -> str:
        """Return a picture of the run as it is now, as SVG; it is drawn once for all who ask for it."""
        return self.made(picture, self._draw_graph if picture == "graph" else self._draw_timeline)(theme)

    def made(self, name: str, make: Callable[[FollowedRun], T]) -> T:
        """Return what is made of the run as it is now, once for all who ask for it by this name."""
        with self._making:
            known: _Made[T] | None = self._made.get(name)
            if known is None or known.number != self.number:
                number, began = self.number, time.monotonic()
                value = make(self.run)
                ended = time.monotonic()
                known = self._made[name] = _Made(number, ended, ended - began, value)
        return known.value

    def _take_head(self, run: FollowedRun) -> bool:
        self._looked_at = run.record, run.status
        acts = {} if self._is_read_only else possible_acts(run, self._store)
        before, self._head = self._head, {**run_head(run, self._store), "acts": acts}
        return self._head != before

    def _take_all(self, run: FollowedRun) -> bool:
        """Take in the whole tree; what stands where it stood is sent only if it is different."""
        before, self._rows = self._rows, task_rows(run.root)
        number = self.number + 1
        changed = {task_id for task_id, row in self._rows.items() if row != before.get(task_id)}
        parents = [row[1] for row in before.values()]
        known = [task_id for task_id in self._rows if task_id in before]
        if known != list(before) or parents != [self._rows[task_id][1] for task_id in known]:
            self._whole_since = number
        self._changes = {task_id: number if task_id in changed else self._changes[task_id] for task_id in self._rows}
        if not before:
            self._whole_since = number
        return bool(changed) or self._whole_since == number

    def _take_touched(self, run: FollowedRun) -> bool:
        changed = False
        for task in run.touched:
            row = live_row(task)
            if row != self._rows.get(task.id):
                self._rows[task.id] = row
                self._changes[task.id] = self.number + 1
                changed = True
        return changed

    def _draw_graph(self, run: FollowedRun) -> Drawn:
        with self.lock:
            return graph_drawn(run.root, title=f"Run {run.record.id}", made_by=self._made_by)

    def _draw_timeline(self, run: FollowedRun) -> Drawn:
        events = self._store.events(run.record.id)
        with self.lock:
            until = time.time() if run.status == "running" else None
            timeline = timeline_of(run.root, events, made_by=self._made_by, until=until)
        return timeline_drawn(replace(timeline, title=f"Run {run.record.id}"))

    @property
    def _made_by(self) -> str:
        return str(self._head.get("made_by", ""))


class LiveList(Live):
    """The newest runs of a store; members of a study or sweep are in its row.

    Args:
        store: an open store.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._looked_at: Mapping[str, tuple[RunRecord, RunStatus, Mapping[RunStatus, int]]] = {}
        self._rows: dict[str, Row] = {}
        self._changes: dict[str, int] = {}
        self._whole_since = 0

    @property
    def look_s(self) -> float:
        """How long to wait before it is looked at again, in seconds."""
        return _LIST_LOOK_S

    def look(self) -> bool:
        """Look at the runs; return whether anything has changed."""
        members = self._store.members_so_far()
        records = {
            record.id: (record, status_of(record), members.get(record.id, {}))
            for record in self._store.runs(MOST_RUNS, inside="")
        }
        fresh = [run_id for run_id, now in records.items() if now != self._looked_at.get(run_id)]
        is_whole = not self._whole_since or bool(self._looked_at.keys() - records.keys())
        self._looked_at = records
        going_on = [run_id for run_id in fresh if records[run_id][0].status not in ENDED]
        used, counts = self._store.used_so_far(going_on), self._store.states_so_far(fresh)
        rows = {
            run_id: run_row(record, used.get(run_id, record.usage or NO_USAGE), counts.get(run_id, {}), inside)
            for run_id, (record, _, inside) in ((run_id, records[run_id]) for run_id in fresh)
        }
        rows = {run_id: row for run_id, row in rows.items() if row != self._rows.get(run_id)}
        if is_whole:
            self._whole_since = self.number + 1
        self._rows = {run_id: rows.get(run_id) or self._rows[run_id] for run_id in records}
        self._changes = {run_id: self.number + 1 if run_id in rows else self._changes[run_id] for run_id in records}
        return bool(rows) or is_whole

    def difference(self, since: int) -> dict[str, Any]:
        """Return the runs that have changed after the change `since`."""
        is_whole = since < self._whole_since
        runs = [row for run_id, row in self._rows.items() if is_whole or self._changes[run_id] > since]
        return {"whole": is_whole, "runs": runs, "store": self._store.place}

    def close(self) -> None:
        """Hold nothing."""
