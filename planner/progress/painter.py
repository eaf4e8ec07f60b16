"""Paints lines in a terminal over the ones painted before: what has not changed is not written again.

The cursor rests at the beginning of the line below the picture. Where the window has another width than before, the
old lines have been wrapped anew, so that all of the picture is painted again.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from .lines import Line, drawn, fitted, width_of

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"
_DEFAULT_SIZE = (80, 24)


class Painter:
    """Paints one picture, from `show` to `leave`.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_coloured = not os.environ.get("NO_COLOR")
        self._painted: list[str] = []
        self._widths: list[int] = []
        self._columns = 0

    def size(self) -> tuple[int, int]:
        """Return the columns and the lines of the window as it is now."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return _DEFAULT_SIZE
        return (columns, lines) if columns and lines else _DEFAULT_SIZE

    def show(self) -> None:
        """Begin: the cursor is hidden."""
        self._write(_HIDE)

    def paint(self, lines: Sequence[Line]) -> None:
        """Paint `lines`, cut to the width of the window, instead of the ones that are there."""
        columns, _ = self.size()
        cut = [fitted(line, width=max(1, columns - 1)) for line in lines]
        new = [drawn(line, is_coloured=self._is_coloured) for line in cut]
        if new == self._painted and columns == self._columns:
            return
        self._write(self._repainted(new, columns) if columns != self._columns else self._changed(new))
        self._painted, self._columns = new, columns
        self._widths = [width_of(line) for line in cut]

    def erase(self) -> None:
        """Take the picture away and show the cursor, so that others can write; `paint` begins anew."""
        self._write(f"{self._repainted([], self.size()[0])}{_SHOW}")
        self._painted, self._widths = [], []

    def leave(self) -> None:
        """End: the picture stays, and the cursor is shown below it."""
        self._write(f"\r{_CLEAR_LINE}{_SHOW}")

    def _repainted(self, new: list[str], columns: int) -> str:
        rows = sum(max(1, -(-width // max(1, columns))) for width in self._widths)
        return "".join((_up(rows), "\r", _CLEAR_BELOW, *(f"{line}\r\n" for line in new)))

    def _changed(self, new: list[str]) -> str:
        """Return what turns the painted lines into `new`; both begin at the same line."""
        old = self._painted
        parts = [f"\r{_CLEAR_LINE}{_up(len(old))}"]
        skipped = 0
        for number, line in enumerate(new):
            if number < len(old) and old[number] == line:
                skipped += 1
                continue
            parts.append(f"{_down(skipped)}{line}{_CLEAR_LINE}\r\n")
            skipped = 0
        parts.append(_down(skipped))
        if len(new) < len(old):
            parts.append(_CLEAR_BELOW)
        return "".join(parts)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more
            self._stream.write(text)
            self._stream.flush()


def _up(lines: int) -> str:
    return f"\x1b[{lines}A" if lines else ""


def _down(lines: int) -> str:
    return f"\x1b[{lines}B" if lines else ""
