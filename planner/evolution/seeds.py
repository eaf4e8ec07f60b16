"""Seeds: the tasks that new ones are made from, read from a call, or from a file with a task a line, JSON lines or CSV.

Nothing is left out unsaid: a line that holds no task is an error that names the line.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ramify.planner.asking.attachments import read_text
from ramify.planner.asking.data_rows import DELIMITERS, JSON_LINES, json_lines, table_rows
from ramify.planner.errors import UsageError
from ramify.tasks import Task
from ramify.tasks.replies.grammar import plain_words

FIELD = "content"
"""What holds the task, in JSON lines and tables, unless somebody says otherwise."""

MOST_CHARACTERS = 20_000
"""The longest seed."""

SUFFIXES = frozenset({".txt", ".md", *JSON_LINES, *DELIMITERS})

SeedSource = str | Path | Task | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seed:
    """A task to start from.

    Attributes:
        content: the task.
        origin: where it stands, for people to read.
        id: what its data calls it; empty if it has no name.
    """

    content: str
    origin: str
    id: str = ""


def read_seeds(source: SeedSource | Iterable[SeedSource], *, field: str = FIELD) -> list[Seed]:
    """Return the tasks that `source` holds, in order; one that repeats another but for case and such is left out.

    Args:
        source: a task as text, as `Task`, or as data with a `field`; a file, as `Path`; or several of these.
        field: the field of JSON data, or the column of a table, that holds the task.

    Raises:
        UsageError: if a file cannot be read, or something in it is no task; the line is named.
    """
    several = [source] if isinstance(source, str | Path | Task | Mapping) else list(source)
    seeds: dict[str, Seed] = {}
    for number, each in enumerate(several, 1):
        for seed in _seeds_of(each, number, field):
            if not plain_words(seed.content):
                raise UsageError(f"{seed.origin} is blank; a seed must be a task")
            if len(seed.content) > MOST_CHARACTERS:
                raise UsageError(f"{seed.origin} has {len(seed.content):,} characters; {MOST_CHARACTERS:,} are allowed")
            seeds.setdefault(plain_words(seed.content), seed)
    if not seeds:
        raise UsageError("there are no seeds; pass a task, or a file with one task per line")
    return list(seeds.values())


def _seeds_of(source: SeedSource, number: int, field: str) -> Iterator[Seed]:
    if isinstance(source, Path):
        yield from _file_seeds(source, field)
    elif isinstance(source, str):
        yield Seed(source.strip(), f"seed {number}")
    elif isinstance(source, Task):
        yield Seed(source.content.strip(), f"task {source.id}", source.id)
    else:
        yield _data_seed(source, field, f"seed {number}")


def _file_seeds(path: Path, field: str) -> Iterator[Seed]:
    text = read_text(path)
    kind = path.suffix.lower()
    if kind in DELIMITERS:
        yield from _table_seeds(text, str(path), field, delimiter=DELIMITERS[kind])
    elif kind in JSON_LINES:
        yield from (_data_seed(data, field, origin) for origin, data in json_lines(text, str(path)))
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield Seed(line.strip(), f"{path}:{number}")


def _data_seed(data: Any, field: str, origin: str) -> Seed:
    if isinstance(data, str):
        return Seed(data.strip(), origin)
    if not isinstance(data, Mapping):
        raise UsageError(f"{origin} is neither text nor an object with the field {field!r}")
    value = data.get(field)
    if not isinstance(value, str):
        there = ", ".join(map(str, data)) or "none"
        raise UsageError(
            f"{origin} has no text in the field {field!r}; its fields: {there} (choose one with --field NAME)"
        )
    name = data.get("id")
    return Seed(value.strip(), origin, name if isinstance(name, str) else "")


def _table_seeds(text: str, name: str, field: str, *, delimiter: str) -> Iterator[Seed]:
    rows = table_rows(text, name, delimiter=delimiter)
    _, columns = next(rows)
    if field not in columns:
        raise UsageError(
            f"{name} has no column {field!r}; its columns: {', '.join(columns)} (choose one with --field NAME)"
        )
    yield from (Seed(row[field].strip(), origin) for origin, row in rows)
