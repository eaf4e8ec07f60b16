"""What workers keep, on its way into the store: steps, memory and how long they took; in order, neighbours together."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Table, delete

from .changes import MemoryCleared, MemorySet, StepsForgotten, StepTaken, TimesLearned
from .statements import Statement, Statements
from .tables import MEMORY, STEPS, TIMES

if TYPE_CHECKING:
    from .rows import Row

Kept = StepTaken | StepsForgotten | MemorySet | MemoryCleared | TimesLearned


def write_kept(connection: Connection, statements: Statements, run_id: str, changes: Iterable[Kept]) -> None:
    """Write `changes` of a run; the later one of two that concern the same thing holds."""
    steps = _Ordered(connection, statements.put_step, STEPS)
    memory = _Ordered(connection, statements.put_memory, MEMORY)
    times = _Ordered(connection, statements.put_times, TIMES)
    for change in changes:
        match change:
            case StepTaken():
                steps.put(change.row[:3], (run_id, *change.row))
            case StepsForgotten():
                steps.remove((STEPS.c.run_id == run_id) & (STEPS.c.task_id == change.task_id))
            case MemorySet(value=str()):
                memory.put((change.scope, change.key), (change.scope, change.key, change.value, change.at))
            case MemorySet():
                memory.remove((MEMORY.c.scope == change.scope) & (MEMORY.c.key == change.key))
            case MemoryCleared():
                memory.remove(MEMORY.c.scope == change.scope)
            case TimesLearned():
                times.put(change.row[:2], (run_id, *change.row))
    for each in (steps, memory, times):
        each.write()


class _Ordered:
    """Rows that are put and removed in order: rows that are put wait until something is removed, or until the end."""

    def __init__(self, connection: Connection, statement: Statement, table: Table) -> None:
        self._connection = connection
        self._statement = statement
        self._table = table
        self._rows: dict[Any, Row] = {}
        self.put: Callable[[Any, Row], None] = self._rows.__setitem__

    def remove(self, which: ColumnElement[bool]) -> None:
        self.write()
        self._connection.execute(delete(self._table).where(which))

    def write(self) -> None:
        self._statement.execute(self._connection, list(self._rows.values()))
        self._rows.clear()
