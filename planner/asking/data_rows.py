"""Files with a record a line: JSON lines and tables, each record with where it stands, so that errors can name it."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from ramify.planner.errors import UsageError
from ramify.tasks.json_text import read_json

JSON_LINES = frozenset({".jsonl", ".ndjson"})
DELIMITERS = {".csv": ",", ".tsv": "\t"}
"""Endings of tables, and what parts their cells."""


def json_lines(text: str, name: str) -> Iterator[tuple[str, Any]]:
    """Yield each line of JSON that is not blank, after where it stands.

    Raises:
        UsageError: if a line is no JSON.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{name}:{number}", json_at(line, f"{name}:{number}")


def json_at(text: str, origin: str) -> Any:
    """Return JSON data that stand at `origin`.

    Raises:
        UsageError: if it is no JSON.
    """
    try:
        return read_json(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{origin} is not JSON: {error}") from None


def table_rows(text: str, name: str, *, delimiter: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a table by column, each after where it ends; the first one, of an empty name, has the head.

    Raises:
        UsageError: if it is no table.
    """
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield "", {column: column for column in rows.fieldnames or ()}
        for row in rows:
            yield (
                f"{name}:{rows.line_num}",
                {column: value or "" for column, value in row.items() if column is not None},
            )
    except csv.Error as error:
        raise UsageError(f"{name}:{rows.line_num} is not a table: {error}") from None
