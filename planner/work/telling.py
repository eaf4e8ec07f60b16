"""What a worker says while it works, in whatever process: how far it is, events of its own, and alerts."""

import time
from typing import Any

from pydantic import JsonValue
from ramify.planner.events.events import EventType

PROGRESS_EVERY_S = 0.1
"""How often a task's progress is told at the most; the end is always told."""


class Telling:
    """What tells of a task. Whoever is one says in `_tell` where it goes, and sets `_told_at` to 0."""

    __slots__ = ("_told_at",)
    _told_at: float

    def progress(self, fraction: float | None = None, doing: str = "") -> None:
        """Report progress: a fraction from 0 to 1 or None, and what it is doing."""
        now = time.monotonic()
        is_end = fraction is not None and fraction >= 1
        if now - self._told_at < PROGRESS_EVERY_S and not is_end:
            return
        self._told_at = now
        share = None if fraction is None else round(min(1.0, max(0.0, fraction)), 4)
        self._tell(EventType.TASK_PROGRESS, fraction=share, doing=doing)

    def emit(self, name: str, **data: JsonValue) -> None:
        """Publish your own event, which is stored; `data` is JSON data.

        Raises:
            UsageError: if it is not.
        """
        self._tell(EventType.EMITTED, name=name, data=data)

    def alert(self, message: str, **data: JsonValue) -> None:
        """Raise an alert; `data` is JSON data.

        Raises:
            UsageError: if it is not.
        """
        self._tell(EventType.ALERT, message=message, data=data)

    def _tell(self, kind: EventType, **data: Any) -> None:
        raise NotImplementedError
