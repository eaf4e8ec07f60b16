"""A comparison for programs: CSV, a row a variant, and JSON."""

import csv
import io

from ramify.planner.export.report.tables import defused
from ramify.planner.export.report.words import visible
from ramify.tasks.json_text import json_text

from .content import Comparison


def to_csv(comparison: Comparison) -> str:
    """Write `comparison` as CSV, with a head."""
    rows = comparison.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: defused(visible(cell)) if isinstance(cell, str) else cell for name, cell in row.items()})
    return text.getvalue()


def to_json(comparison: Comparison) -> str:
    """Write `comparison` as a JSON document."""
    return json_text(comparison.to_data(), indent=2) + "\n"
