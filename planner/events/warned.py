"""What a run was warned of while it went on, as the events tell it: also what no display has shown."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from .events import Event, EventType

_MOST = 5


class Warned(NamedTuple):
    """Something that was not as it should be, and the run went on.

    Attributes:
        task_id: the task that it is about; None if it is about the run.
        message: what it is.
    """

    task_id: str | None
    message: str

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"task": self.task_id, "message": self.message}


def warnings_of(events: Iterable[Event]) -> list[Warned]:
    """Return what a run was warned of, the same words once, in order."""
    found: dict[str, Warned] = {}
    for event in events:
        if event.type == EventType.WARNING:
            found.setdefault(event.data["message"], Warned(event.task_id, event.data["message"]))
    return list(found.values())


def warning_lines(warned: list[Warned]) -> list[str]:
    """Return the first warnings, and how many more there are.

    >>> warning_lines([Warned(None, f"{n}") for n in range(7)])[-2:]
    ['4', 'and 2 more; --json has them all']
    """
    lines = [each.message for each in warned[:_MOST]]
    return lines if len(warned) <= _MOST else [*lines, f"and {len(warned) - _MOST} more; --json has them all"]
