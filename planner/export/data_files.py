"""Comparisons and studies for programs: CSV, a row for each variant or trial, and JSON with all that is known."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ramify.planner.export.report.tables import defused
from ramify.planner.export.report.words import visible
from ramify.tasks.json_text import json_text


class Rows(Protocol):
    """What can be written: a `Comparison`, a `Study`."""

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Return its rows, all with the same columns."""

    def to_data(self) -> Mapping[str, Any]:
        """Return all of it as JSON data."""


def to_csv(shown: Rows) -> str:
    """Write the rows as CSV, with a head."""
    rows = shown.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: defused(visible(cell)) if isinstance(cell, str) else cell for name, cell in row.items()})
    return text.getvalue()


def to_json(shown: Rows) -> str:
    """Write all of it as a JSON document."""
    return json_text(shown.to_data(), indent=2) + "\n"
