"""What is new in a run since an event: the events, and the tasks that they are about, as they stand now."""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, func, select

from .lineage import Lineage
from .reading import find_run, list_events, require_run, task_rows
from .records import EventRecord, RunNews, TaskNews
from .rows import lone_task
from .streaming import ROWS_AT_ONCE
from .tables import EVENTS

_LISTS_OF_IDS = ("subtasks", "redone")


def news_of(connection: Connection, run_id: str, after: int, *, limit: int) -> RunNews:
    """Return what is new in a run; on a snapshot's connection, it is of one instant.

    Raises:
        RunError: if there is no such run.
        StoreError: if it is damaged.
    """
    lineage = require_run(connection, run_id)
    record = find_run(connection, run_id)
    events = list_events(connection, run_id, after, limit)
    tasks = _tasks(connection, lineage, _concerned(events))
    return RunNews(record=record, events=tuple(events), tasks=tuple(tasks))


def last_seq(connection: Connection, run_id: str) -> int:
    """Return the number of the last event of a run; 0 if there is none.

    Raises:
        RunError: if there is no such run.
    """
    lineage = require_run(connection, run_id)
    found = connection.execute(select(func.max(EVENTS.c.seq)).where(lineage.rows_of(EVENTS))).scalar()
    return found or 0


def _concerned(events: Collection[EventRecord]) -> list[str]:
    """Return the ids of the tasks that events are about, and of the others that they tell of."""
    found: dict[str, None] = {}
    for event in events:
        if event.task_id is not None:
            found[event.task_id] = None
        for name in _LISTS_OF_IDS:
            found.update(dict.fromkeys(map(str, event.data.get(name, ()))))
    return list(found)


def _tasks(connection: Connection, lineage: Lineage, ids: list[str]) -> Iterator[TaskNews]:
    for start in range(0, len(ids), ROWS_AT_ONCE):
        for row in task_rows(connection, lineage, ids[start : start + ROWS_AT_ONCE]):
            yield TaskNews(lone_task(row, lineage.run_id), row[1])
