"""A line of the picture, in parts, and how it is cut to the width of a window: words first, then notes, facts last."""

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

ELLIPSIS = "…"
_LEAST_WORDS = 4
"""Cells kept for the words of a task before its facts are left out."""

_SEQUENCES = {
    "title": "1",
    "spending": "2",
    "notice": "33",
    "OPEN": "2",
    "RUNNING": "33",
    "DONE": "32",
    "FAILED": "31",
    "DELETED": "2",
}
_DIM = "2"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, in parts, so that a terminal can shorten and colour it.

    Attributes:
        head: indentation, glyph and id; shortened only where nothing else is left.
        words: what the task is; shortened to what fits.
        note: what is being done for it, or why it failed; shortened too.
        facts: durations and counts, at the end.
        look: the state that colours it; "title", "spending" and "notice" for the lines that are no task's.
    """

    head: str
    words: str
    note: str = ""
    facts: str = ""
    look: str = "OPEN"


def fitted(line: Line, *, width: int) -> Line:
    """Return `line` cut to `width` cells: words and note share what head and facts leave."""
    head = cut(line.head, width)
    facts = line.facts if cell_len(head) + _LEAST_WORDS + cell_len(line.facts) <= width else ""
    room = width - cell_len(head) - cell_len(facts)
    note = cut(line.note, max(room - cell_len(line.words), room // 2))
    words = cut(line.words, room - cell_len(note))
    return Line(head, words, note, facts, line.look)


def cut(text: str, width: int) -> str:
    """Return `text`, or its beginning and an ellipsis if it is wider than `width` cells.

    >>> [cut("Describe", width) for width in (8, 7, 1, 0)]
    ['Describe', 'Descri…', '…', '']
    """
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1).rstrip()}{ELLIPSIS}" if width > 0 else ""


def drawn(line: Line, *, is_coloured: bool) -> str:
    """Return `line` as a terminal gets it, with colours or without."""
    if not is_coloured:
        return f"{line.head}{line.words}{line.note}{line.facts}"
    head = f"\x1b[{_SEQUENCES[line.look]}m{line.head}\x1b[0m"
    dim = f"\x1b[{_DIM}m{line.note}{line.facts}\x1b[0m" if line.note or line.facts else ""
    return f"{head}{line.words}{dim}"


def width_of(line: Line) -> int:
    """Return how many cells `line` takes."""
    return cell_len(f"{line.head}{line.words}{line.note}{line.facts}")
