"""A report as CSV: a row a task, UTF-8, for spreadsheets and data frames.

Every id has `task:` before it, since programs that read CSV guess what a cell is: 0.1 and 0.10 would be one number,
2.1.3 a date, NA nothing. Quotes around a cell do not keep them from it.
"""

import csv
import io

from ramify.tasks import Task
from ramify.tasks.tree.collecting import collector_at_rest

from .content import Report
from .tables import COLUMNS, Cell, defused, task_rows
from .words import visible

_ID = "task:"


@collector_at_rest()
def to_csv(report: Report) -> str:
    """Write the tasks of `report` as CSV, with a head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each, row in zip(report.tasks, task_rows(report), strict=True):
        ids = _ids(each.task)
        writer.writerow([ids.get(name, _safe(cell)) for name, cell in zip(COLUMNS, row, strict=True)])
    return text.getvalue()


def _ids(task: Task) -> dict[str, str]:
    """Return the cells of the columns that hold ids."""
    found = {"id": [task.id], "parent": [task.parent.id] if task.parent else [], "dependencies": task.dependencies}
    return {name: " ".join(f"{_ID}{visible(each)}" for each in ids) for name, ids in found.items()}


def _safe(cell: Cell) -> Cell:
    return defused(cell) if isinstance(cell, str) else cell
