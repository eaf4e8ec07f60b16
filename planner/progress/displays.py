"""Which display a run gets, and its whole life: opened before the run starts, closed whatever happens."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from ramify.planner.events.events import Event
from ramify.planner.events.lines import event_line, notice_line
from ramify.planner.runtime.terminal import printable
from ramify.planner.show.following import FollowedRun

from .ledger import Ledger
from .live import LiveTree
from .plain import PlainLines

if TYPE_CHECKING:
    from ramify.planner.run import Run

DisplayKind = Literal["tree", "plain", "json", "none"]


class Display(Protocol):
    """Shows one run; `take` and `notice` are quick and raise nothing."""

    def start(self) -> None:
        """Begin."""

    def take(self, event: Event) -> None:
        """Show an event; called on the run's loop."""

    def notice(self, words: str) -> None:
        """Say something at once; called on the run's loop."""

    def stop(self) -> None:
        """End."""


class _Lines:
    """Writes a line for each event that is worth one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = PlainLines()

    def start(self) -> None:
        pass

    def take(self, event: Event) -> None:
        line = self._lines.line_of(event)
        if line is not None:
            self._write(line)

    def notice(self, words: str) -> None:
        self._write(words)

    def stop(self) -> None:
        pass

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more
            self._stream.write(f"{line}\n")
            self._stream.flush()


class _JsonLines(_Lines):
    """Writes each event as a line of JSON."""

    def __init__(self, stream: TextIO, run_id: str) -> None:
        super().__init__(stream)
        self._run_id = run_id

    def take(self, event: Event) -> None:
        self._tell(event_line(event, run_id=self._run_id))

    def notice(self, words: str) -> None:
        self._tell(notice_line(words, run_id=self._run_id))

    def _tell(self, line: str) -> None:
        self._write(printable(line) if self._stream.isatty() else line)


class _Nothing(_Lines):
    def take(self, event: Event) -> None:
        pass

    def notice(self, words: str) -> None:
        pass


def fitting_kind(stream: TextIO, *, made_by: str) -> DisplayKind:
    """Return the display that suits `stream`: a tree in a terminal, unless a person is asked there too."""
    is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    is_terminal = is_terminal and (stream.encoding or "").lower().replace("-", "") == "utf8"
    return "tree" if is_terminal and made_by != "human" else "plain"


@contextmanager
def open_display(run: "Run", kind: DisplayKind | None = None, *, stream: TextIO | None = None) -> Iterator[Display]:
    """Show `run`, which has not started yet, on `stream` as long as the context is open.

    Args:
        run: the run.
        kind: how; what fits the stream unless given.
        stream: where; standard error unless given.
    """
    stream = stream or sys.stderr
    kind = kind or fitting_kind(stream, made_by=run.made_by)
    ledger = partial(Ledger, run.task, spent=run.usage, forked_from=run.forked_from)
    display = _display(kind, ledger, run.id, run.made_by, stream)
    forget = run.on(display.take)
    with _shown(display):
        try:
            yield display
        finally:
            forget()


@contextmanager
def follow_on_display(
    run: FollowedRun, kind: DisplayKind | None = None, *, stream: TextIO | None = None
) -> Iterator[Display]:
    """Show a run that another process carries on, from its first event, as long as the context is open.

    Whoever follows it hands each event to the display's `take`. The other arguments are those of `open_display`.
    """
    stream = stream or sys.stderr
    kind = kind or fitting_kind(stream, made_by="")
    record = run.record
    ledger = partial(Ledger, run.root, forked_from=record.forked_from)
    display = _display(kind, ledger, record.id, record.made_by or "", stream)
    with _shown(display):
        yield display


@contextmanager
def _shown(display: Display) -> Iterator[None]:
    display.start()
    try:
        yield
    finally:
        display.stop()


def _display(
    kind: DisplayKind, make_ledger: Callable[[], Ledger], run_id: str, made_by: str, stream: TextIO
) -> Display:
    if kind == "tree":
        return LiveTree(make_ledger(), run_id=run_id, made_by=made_by, stream=stream)
    if kind == "json":
        return _JsonLines(stream, run_id)
    return _Lines(stream) if kind == "plain" else _Nothing(stream)
