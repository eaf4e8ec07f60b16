"""The painter: whatever was painted before, the terminal shows the lines that were painted last, and nothing else."""

import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.planner.progress.lines import Line, drawn, fitted
from ramify.planner.progress.painter import Painter

COLUMNS = 80
SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+")


class Screen:
    """What a terminal shows that obeys the sequences that the live tree uses.

    Args:
        columns: its width; longer lines go on in the next.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self.lines: list[str] = [""]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\r":
                self._column = 0
            elif part == "\n":
                self._down(1)
            elif part[0] == "\x1b":
                self._obey(part[2:-1], part[-1])
            else:
                self._write(part)

    def _obey(self, number: str, letter: str) -> None:
        if letter == "A":
            self._row = max(0, self._row - int(number))
        elif letter == "B":
            self._down(int(number))
        elif letter == "K":
            self.lines[self._row] = self.lines[self._row][: self._column]
        elif letter == "J":
            self.lines[self._row] = self.lines[self._row][: self._column]
            del self.lines[self._row + 1 :]

    def _write(self, words: str) -> None:
        assert self._column + len(words) <= self._columns
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + words + line[self._column + len(words) :]
        self._column += len(words)

    def _down(self, count: int) -> None:
        self._row += count
        self.lines += [""] * (self._row + 1 - len(self.lines))


words = st.sampled_from(["", "a", "Describe the harbour", "x" * 200, "two words"])
looks = st.sampled_from(["title", "OPEN", "RUNNING", "DONE", "FAILED"])
pictures = st.lists(st.builds(lambda head, look: Line(head, "w", look=look), words, looks), max_size=8)


@settings(deadline=None)
@given(st.lists(st.one_of(pictures, st.none()), min_size=1, max_size=8))
def test_the_terminal_shows_the_last_picture_below_what_stood_there(history: "list[list[Line] | None]") -> None:
    stream = io.StringIO()
    painter = Painter(stream)
    stream.write("before\r\n")
    last: list[Line] = []
    for picture in history:
        last = picture or []
        if picture is None:  # somebody else takes the terminal
            painter.erase()
        else:
            painter.paint(picture)
    painter.leave()
    screen = Screen(COLUMNS)
    screen.feed(stream.getvalue())
    shown = [drawn(fitted(line, width=COLUMNS - 1), is_coloured=False).rstrip() for line in last]
    assert [line.rstrip() for line in screen.lines] == ["before", *shown, ""]


def test_what_has_not_changed_is_not_written_again() -> None:
    stream = io.StringIO()
    painter = Painter(stream)
    lines = [Line("", f"line {number}") for number in range(9)]
    painter.paint(lines)
    written = len(stream.getvalue())
    painter.paint(lines)
    assert len(stream.getvalue()) == written
    painter.paint([*lines[:4], Line("", "another"), *lines[5:]])
    assert "line" not in stream.getvalue()[written:]
