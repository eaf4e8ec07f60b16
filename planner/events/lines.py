"""An event as a line of JSON: what `--events FILE`, `--display json` and `ramify watch --display json` write.

docs/terminal.md describes the lines; their version grows when a reader of today could not read them.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ramify.planner.errors import UsageError
from ramify.planner.runtime.output_files import open_private
from ramify.tasks.json_text import json_text

from .events import Event

EVENTS_VERSION = 1


def event_line(event: Event, *, run_id: str) -> str:
    r"""Return an event as a line of JSON, without its end.

    >>> event_line(Event(seq=2, at=1.5, type="task_done", task_id="0.1"), run_id="r1")
    '{"version": 1, "run": "r1", "seq": 2, "at": 1.5, "type": "task_done", "task": "0.1", "data": {}}'
    """
    data = {
        "version": EVENTS_VERSION,
        "run": run_id,
        "seq": event.seq,
        "at": round(event.at, 6),
        "type": str(event.type),
        "task": event.task_id,
        "data": dict(event.data),
    }
    return _line(data)


def notice_line(words: str, *, run_id: str) -> str:
    """Return what a display has to say besides the events, as a line of JSON, without its end."""
    return _line({"version": EVENTS_VERSION, "run": run_id, "notice": words})


class EventFile:
    """Writes the events of a run to a file, a line of JSON each; lines that are there already stay.

    A context manager. `take` is what `Run.on` wants. A file that cannot be written any more does not hold the run up:
    what is missing is in the store.

    Args:
        path: the file; it is opened, and made if need be, at once.
        run_id: the run whose events they are.

    Attributes:
        error: why lines are missing; None if none are.

    Raises:
        UsageError: if the file cannot be written there.
    """

    def __init__(self, path: str | Path, run_id: str) -> None:
        self.path = Path(path)
        self.error: OSError | None = None
        self._run_id = run_id
        try:
            self._file: IO[str] = open_private(self.path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)
        except OSError as error:
            raise UsageError(
                f"the events cannot be written to {path}: {error.strerror or error}; give a file in a folder that"
                " can be written"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, event: Event) -> None:
        """Write an event."""
        if self.error is None:
            try:
                self._file.write(f"{event_line(event, run_id=self._run_id)}\n")
            except OSError as error:
                self.error = error

    def close(self) -> None:
        """Let go of the file."""
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error


def _line(data: Mapping[str, Any]) -> str:
    return json_text(data, default=str)
