"""What is new in a run since an event: the events, and the tasks that they are about, as they stand now."""

from collections.abc import Collection, Iterator

from ramify.planner.errors import RunError
from sqlalchemy import Connection, select

from .reading import find_run, list_events
from .records import EventRecord, RunNews, TaskNews
from .rows import TASK_COLUMNS, lone_task
from .streaming import ROWS_AT_ONCE
from .tables import TASKS

_LISTS_OF_IDS = ("subtasks", "redone")


def news_of(connection: Connection, run_id: str, after: int, *, limit: int) -> RunNews:
    """Return what is new in a run; on a snapshot's connection, it is of one instant.

    Raises:
        RunError: if there is no such run.
        StoreError: if it is damaged.
    """
    record = find_run(connection, run_id)
    if record.id != run_id:
        raise RunError(f"there is no run {run_id!r}; give its whole id")
    events = list_events(connection, run_id, after, limit)
    tasks = _tasks(connection, run_id, _concerned(events))
    return RunNews(record=record, events=tuple(events), tasks=tuple(tasks))


def _concerned(events: Collection[EventRecord]) -> list[str]:
    """Return the ids of the tasks that events are about, and of the others that they tell of."""
    found: dict[str, None] = {}
    for event in events:
        if event.task_id is not None:
            found[event.task_id] = None
        for name in _LISTS_OF_IDS:
            found.update(dict.fromkeys(map(str, event.data.get(name, ()))))
    return list(found)


def _tasks(connection: Connection, run_id: str, ids: list[str]) -> Iterator[TaskNews]:
    columns = [TASKS.c[name] for name in TASK_COLUMNS]
    for start in range(0, len(ids), ROWS_AT_ONCE):
        wanted = TASKS.c.id.in_(ids[start : start + ROWS_AT_ONCE])
        for row in connection.execute(select(*columns).where(TASKS.c.run_id == run_id, wanted)):
            yield TaskNews(lone_task(row, run_id), row.parent_id)
