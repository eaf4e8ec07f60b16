"""A study for programs: CSV, a row for each item in each arm, and JSON, with all that is worked out of them."""

import csv
import io

from ramify.planner.export.report.tables import defused
from ramify.planner.export.report.words import visible
from ramify.tasks.json_text import json_text

from .study import Study


def to_csv(study: Study) -> str:
    """Write `study` as CSV, with a head."""
    rows = study.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: defused(visible(cell)) if isinstance(cell, str) else cell for name, cell in row.items()})
    return text.getvalue()


def to_json(study: Study) -> str:
    """Write `study` as a JSON document."""
    return json_text(study.to_data(), indent=2) + "\n"
