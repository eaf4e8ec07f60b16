"""The live tree in a terminal, by rich: the lines of `tree`, coloured, cut to the window, eight times a second."""

import threading
import time
from typing import TYPE_CHECKING, TextIO

from ramify.planner.events import Event

from .ledger import Ledger
from .tree import Line, lines_of

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_PER_SECOND = 8
_LEAST_WORDS = 4
"""Cells kept for the words of a task before its facts are left out; the title's words are never cut for them."""

_STYLES = {
    "title": "bold",
    "notice": "yellow",
    "OPEN": "dim",
    "RUNNING": "yellow",
    "DONE": "green",
    "FAILED": "red",
    "DELETED": "dim",
}


class LiveTree:
    """Draws a run in a terminal from `start` to `stop`.

    Args:
        ledger: the run's books.
        title: what the run is called.
        stream: the terminal.
    """

    def __init__(self, ledger: Ledger, *, title: str, stream: TextIO) -> None:
        self._ledger = ledger
        self._title = title
        self._stream = stream
        self._lock = threading.Lock()
        self._live: Live | None = None

    def start(self) -> None:
        """Begin to draw."""
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False, markup=False, emoji=False, soft_wrap=False)
        self._live = Live(
            console=console,
            get_renderable=lambda: self._draw(console.width, console.height),
            refresh_per_second=_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def take(self, event: Event) -> None:
        """Enter an event; it is drawn with the next picture."""
        with self._lock:
            self._ledger.take(event)

    def notice(self, words: str) -> None:
        """Show a line above the tree; safe in a signal handler, so no lock is taken."""
        self._ledger.notice = words

    def stop(self) -> None:
        """Draw the last picture and leave it there."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self, width: int, height: int) -> "Text":
        with self._lock:
            lines = lines_of(self._ledger, now=time.time(), height=max(2, height - 2), title=self._title)
        return text_of(lines, width=width)


def text_of(lines: list[Line], *, width: int) -> "Text":
    """Return `lines` as rich text, none wider than `width` cells: the words give way first."""
    from rich.cells import cell_len
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        words = Text(line.words)
        least = words.cell_len if line.look == "title" else _LEAST_WORDS
        facts = line.facts if cell_len(line.head) + least + cell_len(line.facts) <= width else ""
        words.truncate(max(1, width - cell_len(line.head) - cell_len(facts)), overflow="ellipsis")
        whole = Text.assemble((line.head, _STYLES[line.look]), words, (facts, "dim"))
        whole.truncate(width, overflow="ellipsis")
        text.append("\n" if number else "")
        text.append_text(whole)
    return text
