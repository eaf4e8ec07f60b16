"""A report as a file: which formats there are, which one an ending means, and how each is written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args

from ramify.planner.errors import UsageError
from ramify.planner.runtime.output_files import format_named_by, utf8, write_bytes

from .content import Report
from .csv_file import to_csv
from .json_file import to_json
from .markdown import to_markdown
from .page import to_html
from .xlsx import to_xlsx

ReportFormat = Literal["html", "md", "csv", "json", "xlsx"]
REPORT_FORMATS: Final[tuple[ReportFormat, ...]] = get_args(ReportFormat)

_SUFFIXES: Mapping[str, ReportFormat] = MappingProxyType(
    {f".{form}": form for form in REPORT_FORMATS} | {".htm": "html", ".markdown": "md"}
)
_TEXTS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {"html": to_html, "md": to_markdown, "csv": to_csv, "json": to_json}
)


def report_format_of(path: Path) -> ReportFormat:
    """Return the format that the ending of `path` names.

    Raises:
        UsageError: if it names none.
    """
    return format_named_by(path, _SUFFIXES, what="report")


def render_report(report: Report, form: ReportFormat) -> bytes:
    """Return the file that `report` is in the format `form`.

    Raises:
        UsageError: if there is no such format.
        ExportError: if it needs a package that is not installed.
    """
    if form == "xlsx":
        return to_xlsx(report)
    if form not in _TEXTS:
        raise UsageError(f"there is no report format {form!r}; the formats are {', '.join(REPORT_FORMATS)}")
    return utf8(_TEXTS[form](report))


def save_report(report: Report, path: Path | str, *, form: ReportFormat | None = None) -> Path:
    """Write `report` to the file at `path`; its ending says as what, unless `form` does.

    Raises:
        UsageError: if the ending names no format.
        ExportError: if the file cannot be written, or needs a package that is not installed.
    """
    path = Path(path)
    write_bytes(path, render_report(report, form or report_format_of(path)))
    return path
