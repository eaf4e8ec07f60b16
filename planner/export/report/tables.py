"""The tasks of a run as a table, a row a task; no cell is a formula, whatever a model wrote into it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ramify.tasks import Usage

from .content import Report, ReportedTask
from .words import visible

Cell = str | int | float | None

COLUMNS: Final = (
    "id", "parent", "depth", "state", "type", "content", "needs", "made_by", "attempts", "calls", "input_tokens",
    "output_tokens", "cost_usd", "started_at", "completed_at", "duration_s", "origin", "result", "error",
)  # fmt: skip

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def task_rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows below `COLUMNS`; a cost that nobody knows is an empty cell."""
    for each in report.tasks:
        yield _row(report, each)


def defused(text: str) -> str:
    """Return `text` such that no spreadsheet takes it for a formula: one that looks like it gets a quote before it.

    Source: https://owasp.org/www-community/attacks/CSV_Injection

    >>> defused("=1+1"), defused("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if text.lstrip(" \u00a0").startswith(_BEGINS_FORMULA) else text


def _row(report: Report, each: ReportedTask) -> tuple[Cell, ...]:
    task, usage = each.task, each.task.usage
    return (
        task.id,
        None if each.parent < 0 else report.tasks[each.parent].task.id,
        each.depth,
        task.state.value,
        task.type or "model",
        visible(task.content),
        " ".join(task.dependencies),
        visible(each.made_by),
        task.attempts,
        usage.calls,
        usage.input_tokens,
        usage.output_tokens,
        known_cost(usage),
        _time(task.started_at),
        _time(task.completed_at),
        None if each.duration_s is None else round(each.duration_s, 6),
        task.origin,
        visible(task.result),
        visible(task.error or ""),
    )


def known_cost(usage: Usage) -> float | None:
    """Return what calls have cost in US dollars; None if the cost of any is unknown."""
    return None if usage.calls_without_cost else usage.cost_usd


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
