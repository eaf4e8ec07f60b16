"""How far runs are: what they have used, and how many tasks are in which state, added up by the database."""

from collections.abc import Sequence

from ramify.tasks.tree.config import NO_USAGE, Usage
from ramify.tasks.tree.states import TaskState
from sqlalchemy import Connection, func, select

from .rows import load_usage
from .streaming import ROWS_AT_ONCE
from .tables import TASKS


def used_so_far(connection: Connection, run_ids: Sequence[str]) -> dict[str, Usage]:
    """Return what the tasks of runs have used, by run; of one that is not there, nothing.

    A task counts with what it had used when it was last written. What many tasks of a run have used alike is read once.
    """
    used = dict.fromkeys(run_ids, NO_USAGE)
    columns = (TASKS.c.run_id, TASKS.c.usage)
    for start in range(0, len(run_ids), ROWS_AT_ONCE):
        is_wanted = (TASKS.c.run_id.in_(run_ids[start : start + ROWS_AT_ONCE]), TASKS.c.usage.is_not(None))
        query = select(*columns, func.count()).where(*is_wanted).group_by(*columns)
        for run_id, stored, tasks in connection.execute(query):
            used[run_id] += load_usage(stored).times(tasks)
    return used


def states_so_far(connection: Connection, run_ids: Sequence[str]) -> dict[str, dict[TaskState, int]]:
    """Return how many tasks of runs are in which state, by run; of one that is not there, none."""
    found: dict[str, dict[TaskState, int]] = {run_id: {} for run_id in run_ids}
    columns = (TASKS.c.run_id, TASKS.c.state)
    for start in range(0, len(run_ids), ROWS_AT_ONCE):
        is_wanted = TASKS.c.run_id.in_(run_ids[start : start + ROWS_AT_ONCE])
        for run_id, state, tasks in connection.execute(
            select(*columns, func.count()).where(is_wanted).group_by(*columns)
        ):
            found[run_id][TaskState(state)] = tasks
    return found
