"""A report as CSV: a row a task, UTF-8, for spreadsheets and data frames."""

import csv
import io

from .content import Report
from .tables import COLUMNS, Cell, defused, task_rows


def to_csv(report: Report) -> str:
    """Write the tasks of `report` as CSV, with a head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(cell) for cell in row] for row in task_rows(report))
    return text.getvalue()


def _safe(cell: Cell) -> Cell:
    return defused(cell) if isinstance(cell, str) else cell
