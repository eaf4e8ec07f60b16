"""A comparison as a file: which formats there are, which one an ending means, and how each is written."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from ramify.planner.export.report.tables import defused
from ramify.planner.export.report.words import visible
from ramify.planner.runtime.output_files import format_named_by, write_text
from ramify.tasks.json_text import json_text

if TYPE_CHECKING:
    from .content import Comparison

ComparisonFormat = Literal["txt", "md", "html", "csv", "json", "svg"]
COMPARISON_FORMATS: Final[tuple[ComparisonFormat, ...]] = get_args(ComparisonFormat)
SUFFIXES: Mapping[str, ComparisonFormat] = MappingProxyType({f".{form}": form for form in COMPARISON_FORMATS})


def render(comparison: "Comparison", form: ComparisonFormat) -> str:
    """Return `comparison` in the format `form`."""
    return _WRITERS[form](comparison)


def format_of(path: Path) -> ComparisonFormat:
    """Return the format that the ending of `path` names.

    Raises:
        UsageError: if it names none.
    """
    return format_named_by(path, SUFFIXES, what="comparison")


def save(comparison: "Comparison", path: Path, *, form: ComparisonFormat | None = None) -> Path:
    """Write `comparison` to the file `path`.

    Raises:
        UsageError: if the ending names no format.
        ExportError: if the file cannot be written.
    """
    write_text(path, render(comparison, form or format_of(path)))
    return path


def _csv(comparison: "Comparison") -> str:
    rows = comparison.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: defused(visible(cell)) if isinstance(cell, str) else cell for name, cell in row.items()})
    return text.getvalue()


_WRITERS: Mapping[str, Callable[["Comparison"], str]] = MappingProxyType(
    {
        "txt": lambda comparison: comparison.to_text(),
        "md": lambda comparison: comparison.to_markdown(),
        "html": lambda comparison: comparison.to_html(),
        "csv": _csv,
        "json": lambda comparison: json_text(comparison.to_data(), indent=2) + "\n",
        "svg": lambda comparison: comparison.to_svg(),
    }
)
