"""Checks on the command line: `KIND=VALUE` to a check, where the value of a schema is a file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ramify.planner.asking.attachments import read_text
from ramify.planner.errors import UsageError
from ramify.planner.runtime.terminal import one_printable_line
from ramify.planner.store import EventRecord
from ramify.tasks.json_text import read_json


def checks_given(words: Iterable[str]) -> Iterator[str]:
    """Yield checks as the Python side reads them: with a schema's file replaced by what stands in it.

    Raises:
        UsageError: if such a file cannot be read, or holds no JSON.
    """
    for each in words:
        kind, _, value = each.partition("=")
        if kind != "schema":
            yield each
            continue
        text = read_text(Path(value))
        try:
            read_json(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"the schema in {value} is not JSON: {error}") from None
        yield f"schema={text}"


def checked_events(events: Iterable[EventRecord], task_id: str) -> list[EventRecord]:
    """Return the outcomes of the checks of one task."""
    return [event for event in events if event.type == "checked" and event.task_id == task_id]


def checked_text(events: Iterable[EventRecord]) -> str:
    """Return the outcomes of checks, a line each, in order."""
    return "".join(f"{_line(event.data)}\n" for event in events)


def _line(data: Mapping[str, Any]) -> str:
    complaint = f" ({data['complaint']})" if data.get("complaint") else ""
    return one_printable_line(f"attempt {data['attempt']}, {data['check']}: {data['outcome']}{complaint}")
