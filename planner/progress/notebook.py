"""The progress of a run in a notebook's cell: painted while it runs, four times a second at most; its end stays there.

Nothing happens outside of an IPython kernel. A run that ends within a moment is painted once.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from ramify.planner.events.events import Event

if TYPE_CHECKING:
    from ramify.planner.run import Run

    from .lines import Line

_log = logging.getLogger("ramify.notebook")

_PERIOD_S = 0.25
_STILL_S = 1.0
"""How often the clock goes on when nothing happens, in seconds."""

_HEIGHT = 16
_LINES_WHEN_DONE = 2
"""What is left of a run that was answered: counts, and what made the answer; the tree is shown by the run itself."""

_COLOURS = {"RUNNING": "#9d6d00", "DONE": "#21883f", "FAILED": "#dd3c34", "notice": "#9d6d00"}
_LINES = "font-family:ui-monospace,monospace;font-size:12px;line-height:1.45;max-width:72em"
_LINE = "white-space:pre;overflow:hidden;text-overflow:ellipsis"
_BAR = "display:block;width:24em;margin:2px 0 4px 0"


@contextmanager
def shown_in_cell(run: "Run") -> Iterator[None]:
    """Show `run`, which is about to start, in the cell that started it, as long as the context is open."""
    cell = LiveCell(run)
    forget = run.on(cell.take)
    cell.start()
    try:
        yield
    finally:
        forget()
        cell.stop()


class LiveCell:
    """Paints one run into the output of a cell."""

    def __init__(self, run: "Run") -> None:
        from .ledger import Ledger

        self._ledger = Ledger(run.task, spent=run.usage, forked_from=run.forked_from)
        self._run_id, self._made_by = run.id, run.made_by
        self._lock = threading.Lock()
        self._is_new = False
        self._is_over = threading.Event()
        self._handle: Any = None
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._keep_painting,), name="ramify-cell", daemon=True
        )

    def take(self, event: Event) -> None:
        """Enter an event; called on the run's loop."""
        with self._lock:
            self._ledger.take(event)
        self._is_new = True

    def start(self) -> None:
        """Begin to paint, in a thread that belongs to the cell."""
        self._thread.start()

    def stop(self) -> None:
        """Paint the end, and leave it there."""
        self._is_over.set()
        self._thread.join()
        self._paint(is_over=True)

    def _keep_painting(self) -> None:
        painted_at = 0.0
        while not self._is_over.wait(_PERIOD_S):
            if self._is_new or time.monotonic() - painted_at >= _STILL_S:
                self._is_new = False
                painted_at = time.monotonic()
                self._paint(is_over=False)

    def _paint(self, *, is_over: bool) -> None:
        from .tree import lines_of

        with self._lock:
            is_done = is_over and self._ledger.phase == "done"
            lines = lines_of(
                self._ledger,
                now=time.time(),
                height=_HEIGHT,
                run_id=self._run_id,
                made_by=self._made_by,
            )
            totals = self._ledger.totals
        shown = lines[:_LINES_WHEN_DONE] if is_done else lines
        self._publish(bundle(shown, bar=None if is_over else (totals.done, totals.tasks)))

    def _publish(self, shown: dict[str, str]) -> None:
        from IPython.display import display

        try:
            if self._handle is None:
                self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(shown, raw=True)
        except Exception:  # noqa: BLE001 - the boundary of IPython; a picture that cannot be shown stops no run
            _log.exception("the progress of run %s could not be shown", self._run_id)


def bundle(lines: "list[Line]", *, bar: tuple[int, int] | None) -> dict[str, str]:
    """Return `lines` as what a notebook shows, below a bar of `(done, of)` if there is one.

    What a task or an error says is escaped.
    """
    words = [f"{line.head}{line.words}{line.note}{line.facts}" for line in lines]
    parts = [f'<div style="{_LINES}">']
    for number, (line, text) in enumerate(zip(lines, words, strict=True)):
        colour = f";color:{_COLOURS[line.look]}" if line.look in _COLOURS else ""
        rest = escape(text[len(line.head) :])
        parts.append(
            f'<div style="{_LINE}"><span style="font-weight:600{colour}">{escape(line.head)}</span>{rest}</div>'
        )
        if number == 0 and bar is not None:
            done, total = bar
            parts.append(
                f'<progress aria-label="tasks done" value="{done}" max="{max(1, total)}" style="{_BAR}"></progress>'
            )
    return {"text/plain": "\n".join(words), "text/html": "".join([*parts, "</div>"])}
