"""The live tree in a terminal: the lines of `tree`, painted when something has happened, and each second besides.

It is painted by a thread of its own, eight times a second at the most; events only mark that there is something new.
"""

import threading
import time
from typing import TYPE_CHECKING, TextIO

from ramify.planner.events.events import Event
from ramify.planner.runtime.terminal import while_somebody_writes

from .ledger import Ledger
from .painter import Painter
from .tree import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

_PERIOD_S = 0.125
_SECOND_S = 1.0
_SPARE_LINES = 2
"""Lines of the window that stay free: the one of the cursor, and one above, so that a prompt is still seen."""


class LiveTree:
    """Draws a run in a terminal from `start` to `stop`.

    Args:
        ledger: the run's books.
        run_id: the run.
        made_by: who answers.
        stream: the terminal.
    """

    def __init__(self, ledger: Ledger, *, run_id: str, made_by: str, stream: TextIO) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._made_by = made_by
        self._painter = Painter(stream)
        self._lock = threading.Lock()
        self._is_new = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._forget: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to draw."""
        self._forget = while_somebody_writes(self._pause, self._go_on)
        self._go_on()

    def take(self, event: Event) -> None:
        """Enter an event; it is drawn with the next picture."""
        with self._lock:
            self._ledger.take(event)
        self._is_new.set()

    def notice(self, words: str) -> None:
        """Show a line above the tree, with the next picture."""
        self._ledger.notice = words
        self._is_new.set()

    def stop(self) -> None:
        """Draw the last picture and leave it there."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        if self._thread is not None:
            self._end_thread()
            self._draw()
            self._painter.leave()

    def _go_on(self) -> None:
        self._is_over.clear()
        self._painter.show()
        self._thread = threading.Thread(target=self._keep_drawing, name="ramify-display", daemon=True)
        self._thread.start()

    def _pause(self) -> None:
        if self._thread is not None:
            self._end_thread()
            self._painter.erase()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        self._is_over.set()
        self._is_new.set()
        if thread is not None:
            thread.join()

    def _keep_drawing(self) -> None:
        while not self._is_over.is_set():
            self._is_new.clear()
            self._draw()
            self._is_over.wait(_PERIOD_S)
            self._is_new.wait(_SECOND_S - _PERIOD_S)

    def _draw(self) -> None:
        height = max(3, self._painter.size()[1] - _SPARE_LINES)
        with self._lock:
            lines = lines_of(self._ledger, now=time.time(), height=height, run_id=self._run_id, made_by=self._made_by)
        self._painter.paint(lines)
