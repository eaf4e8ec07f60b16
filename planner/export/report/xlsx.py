"""A report as an Excel workbook: summary, tasks and calls, written by `openpyxl`; the only file that knows it."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import ExportError
from ramify.planner.export.making import maker_of
from ramify.planner.export.run_data import iso_time
from ramify.tasks.tree.collecting import collector_at_rest

from .content import Report, usage_of
from .tables import COLUMNS, Cell, task_rows
from .words import flat_settings, visible

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet as Sheet

_CALL_COLUMNS = (
    "task", "purpose", "attempt", "sample", "step", "made_by", "answered_as", "taken_from", "input_tokens",
    "cached_tokens", "output_tokens", "cost_usd", "latency_s", "started_at", "reply",
)  # fmt: skip
_WIDTHS = {"content": 60, "result": 60, "error": 40, "reply": 60, "made_by": 28, "started_at": 26, "completed_at": 26}
_WIDTH = 12
_MOST_CHARACTERS = 32_767
_CUT = "… (cut: too long for a cell)"
_READ_OTHERWISE = ("=", "#")
"""What texts begin with that `openpyxl` takes for formulas and errors, unless it is told that they are texts."""


@collector_at_rest()
def to_xlsx(report: Report) -> bytes:
    """Write `report` as a workbook.

    Raises:
        ExportError: if `openpyxl` is not installed.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise ExportError(
            "an Excel workbook needs the package openpyxl; install it with `pip install 'ramify[xlsx]'`, or write .csv"
        ) from None
    book = Workbook(write_only=True)
    _fill(book.create_sheet("Summary"), ("what", "is"), _summary(report), widths=(24, 90))
    _fill(book.create_sheet("Tasks"), COLUMNS, task_rows(report))
    _fill(book.create_sheet("Calls"), _CALL_COLUMNS, _call_rows(report))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _summary(report: Report) -> Iterator[tuple[Cell, ...]]:
    yield "goal", report.record.goal
    yield "run", report.record.id
    yield from report.facts()
    yield "answer", report.answer or report.why_no_answer
    yield from ((f"setting {name}", value) for name, value in flat_settings(report.record.settings))
    yield "report by", report.written_by


def _call_rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    for call in report.run.calls:
        key, usage = call.key, usage_of(call)
        yield (
            key.task_id, key.purpose, key.attempt, key.sample, key.step,
            maker_of(call.model, report.record), str(call.reply.get("model", "")),
            str(call.reply.get("taken_from") or ""),
            usage.input_tokens, usage.cached_tokens, usage.output_tokens,
            None if usage.calls_without_cost else usage.cost_usd, call.latency_s, iso_time(call.started_at),
            str(call.reply.get("text", "")),
        )  # fmt: skip


def _fill(sheet: "Sheet", head: Sequence[str], rows: Iterable[Sequence[Cell]], *, widths: Sequence[int] = ()) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    for place, name in enumerate(head):
        width = widths[place] if widths else _WIDTHS.get(name, _WIDTH)
        # the attribute is there, but the stubs do not know it
        sheet.column_dimensions[get_column_letter(place + 1)].width = width  # type: ignore[attr-defined]
    sheet.freeze_panes = "A2"
    titles = [_text_cell(sheet, name) for name in head]
    for title in titles:
        title.font = Font(bold=True)
    sheet.append(titles)
    for row in rows:
        sheet.append([_cell(sheet, value) if isinstance(value, str) else value for value in row])


def _cell(sheet: "Sheet", text: str) -> Any:
    """Return what is put into a cell: a text is visible and stays a text, even one that looks like a formula."""
    text = visible(text)
    text = text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - len(_CUT)] + _CUT
    return _text_cell(sheet, text) if text.startswith(_READ_OTHERWISE) else text


def _text_cell(sheet: "Sheet", text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    return cell
