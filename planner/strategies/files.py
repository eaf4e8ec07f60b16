"""A comparison as a file: which formats there are, which one an ending means, and how each is written."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from ramify.planner.export.report.tables import defused
from ramify.planner.export.report.words import visible
from ramify.planner.runtime.output_files import format_named_by, write_text
from ramify.tasks.json_text import json_text

if TYPE_CHECKING:
    from .comparison import Comparison

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


def row_values(comparison: "Comparison") -> list[dict[str, Any]]:
    """Return a row a variant: a column a parameter, then the figures and the answer."""
    names = list(dict.fromkeys(name for each in comparison.variants for name in each.parameters))
    return [
        {
            "variant": each.name,
            **{name: _flat(each.parameters.get(name)) for name in names},
            "run": each.run,
            "status": each.status,
            "made_by": each.made_by,
            "calls": each.usage.calls,
            "tokens": each.usage.tokens,
            "cost_usd": None if each.usage.calls_without_cost else each.usage.cost_usd,
            "seconds": each.seconds,
            "answer": each.answer,
            "error": each.error,
        }
        for each in comparison.variants
    ]


def _flat(value: Any) -> Any:
    return json_text(value) if isinstance(value, dict | list) else value


def _csv(comparison: "Comparison") -> str:
    rows = row_values(comparison)
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
