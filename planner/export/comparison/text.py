"""A comparison as text for terminals and as Markdown: figures in a table, answers with what differs marked."""

from collections.abc import Sequence

from ramify.planner.export.report.markdown import escaped, fenced
from ramify.planner.runtime.terminal import one_printable_line, printable

from .content import HEAD, Comparison
from .differences import Part
from .differing import task_lines

DIFFER = "Tasks that differ from the first run:"

_LONGEST_CELL = 48
_NUMBERS = range(3, 7)


def to_text(comparison: Comparison, *, width: int = 100) -> str:
    """Return `comparison` for a terminal; words that the first answer does not have stand between `{+` and `+}`."""
    rows = [tuple(_cut(cell) for cell in each.cells()) for each in comparison.variants]
    table = _columns([HEAD, *rows])
    lines = [one_printable_line(comparison.title), f"goal: {one_printable_line(comparison.goal)}", "", *table]
    for variant, parts in zip(comparison.variants, comparison.differences(), strict=True):
        lines += ["", f"── {one_printable_line(variant.name)} ".ljust(min(width, 72), "─")]
        lines.append(printable(marked(parts)) if variant.answer else f"(no answer: {variant.error or variant.status})")
        if variant.tasks:
            lines += ["", DIFFER, *(f"  {one_printable_line(line)}" for line in task_lines(variant.tasks))]
    return "\n".join(lines) + "\n"


def to_markdown(comparison: Comparison) -> str:
    """Return `comparison` as Markdown; the answers stand in it word for word."""
    lines = [f"# {escaped(comparison.title)}", "", f"Goal: {escaped(comparison.goal)}", ""]
    lines += [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [f"| {' | '.join(escaped(cell) for cell in each.cells())} |" for each in comparison.variants]
    for variant, parts in zip(comparison.variants, comparison.differences(), strict=True):
        lines += ["", f"## {escaped(variant.name)}", ""]
        lines.append(fenced(marked(parts)) if variant.answer else escaped(variant.error or variant.status))
        if variant.tasks:
            lines += ["", DIFFER, "", *(f"- {escaped(line)}" for line in task_lines(variant.tasks))]
    return "\n".join(lines).rstrip("\n") + "\n"


def marked(parts: Sequence[Part]) -> str:
    """Return an answer with the words that the first one does not have between `{+` and `+}`.

    >>> marked([Part("It is ", True), Part("5", False), Part(" km.", True)])
    'It is {+5+} km.'
    """
    if not any(part.is_shared for part in parts):
        return "".join(part.text for part in parts)
    return "".join(part.text if part.is_shared or not part.text.strip() else f"{{+{part.text}+}}" for part in parts)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place in _NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cut(cell: str) -> str:
    line = one_printable_line(cell)
    return line if len(line) <= _LONGEST_CELL else f"{line[: _LONGEST_CELL - 1]}…"
