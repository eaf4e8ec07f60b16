"""The tasks of a run as a table, a row a task; no cell is a formula, whatever a model wrote into it."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from ramify.planner.export.dataframe import task_values

from .content import Report
from .words import visible

Cell = str | int | float | bool | None

COLUMNS: Final = (
    "id", "parent", "depth", "state", "worker", "content", "dependencies", "made_by", "attempts", "calls",
    "input_tokens", "cached_tokens", "output_tokens", "cost_usd", "started_at", "completed_at", "duration_s", "added",
    "result", "error",
)  # fmt: skip
"""The columns of `run.to_dataframe()`, and who made the result."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def task_rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows below `COLUMNS`; a cost that nobody knows is an empty cell."""
    for each in report.tasks:
        values = {**task_values(each.task, each.depth), "made_by": each.made_by}
        yield tuple(_cell(values[name]) for name in COLUMNS)


def defused(text: str) -> str:
    """Return `text` such that no spreadsheet takes it for a formula: one that looks like it gets a quote before it.

    A number is none, with or without a sign.

    Source: https://owasp.org/www-community/attacks/CSV_Injection

    >>> defused("=1+1"), defused("1+1"), defused("-3")
    ("'=1+1", '1+1', '-3')
    """
    if not text.lstrip(" \u00a0").startswith(_BEGINS_FORMULA) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def _cell(value: Any) -> Cell:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return visible(value) if isinstance(value, str) else value
