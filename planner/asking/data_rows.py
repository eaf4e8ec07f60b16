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
        UsageError: if it is no table, a column occurs twice, or a row has more cells than the head.
    """
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        head = rows.fieldnames or ()
        if twice := [column for column in head if column and head.count(column) > 1]:
            raise UsageError(f"{name} has more than one column {twice[0]!r}; give each column a name of its own")
        yield "", {column: column for column in head}
        for row in rows:
            more = row.pop(None, [])
            if any(more):
                raise UsageError(
                    f"{name}:{rows.line_num} has {len(head) + len(more)} cells, but the head has {len(head)}; put"
                    f" a cell that contains {delimiter!r} in quotes"
                )
            yield f"{name}:{rows.line_num}", {column: value or "" for column, value in row.items()}
    except csv.Error as error:
        raise UsageError(f"{name}:{rows.line_num} is not a table: {error}") from None
