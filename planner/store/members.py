"""Members of a run, such as the trials of a study: runs whose ids are that of the run with a number behind it."""

from sqlalchemy import ColumnElement, Connection, exists, func, select

from .records import RunStatus
from .tables import RUNS

_OTHERS = RUNS.alias()
_MARK = "."


def is_member(connection: Connection) -> ColumnElement[bool]:
    """Return the condition for runs that are members of one that is there; the others stand alone."""
    return RUNS.c.id.contains(_MARK) & exists().where(_OTHERS.c.id == _outermost(connection))


def members_so_far(connection: Connection) -> dict[str, dict[RunStatus, int]]:
    """Return how many members of which status there are, by the id of the run that they are members of."""
    outermost = _outermost(connection).label("outermost")
    query = select(outermost, RUNS.c.status, func.count()).where(RUNS.c.id.contains(_MARK))
    found: dict[str, dict[RunStatus, int]] = {}
    for run_id, status, number in connection.execute(query.group_by("outermost", RUNS.c.status)):
        found.setdefault(run_id, {})[status] = number
    return found


def _outermost(connection: Connection) -> ColumnElement[str]:
    """Return what stands before the first mark of an id."""
    place = func.instr if connection.dialect.name == "sqlite" else func.strpos
    return func.substr(RUNS.c.id, 1, place(RUNS.c.id, _MARK) - 1)
