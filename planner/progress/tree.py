"""The live tree as lines of text, a pure function of the ledger: all of a small tree, what moves of a large one.

Of a large tree, running tasks are shown first, then failed ones, then those that ended last, each below the nearest
of its ancestors; a line says how many subtasks it does not show.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ramify.planner.export.labels import format_cost, format_duration, one_line
from ramify.planner.export.look import GLYPHS
from ramify.tasks import Task, TaskState

from .ledger import Ledger

MOST_ANCESTORS = 6
"""Levels above a shown task that are shown with it, besides the root."""

DEEPEST_INDENT = 12
_MOST_CHARACTERS = 300
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line, in parts, so that a terminal can shorten and colour it.

    Attributes:
        head: indentation, glyph and id; never shortened.
        words: what the task is; shortened to what fits.
        facts: durations and counts, at the end.
        look: the state that colours it; "title" and "notice" for the lines that are no task's.
    """

    head: str
    words: str
    facts: str
    look: str


def lines_of(ledger: Ledger, *, now: float, height: int, title: str = "") -> list[Line]:
    """Return the picture of a run, `height` lines at the most.

    Args:
        ledger: the run.
        now: the time, in seconds since 1970.
        height: lines that there is room for.
        title: what the run is called.
    """
    lines = [_title(ledger, now=now, title=title)]
    if ledger.notice:
        lines.append(Line("  ", one_line(ledger.notice[:_MOST_CHARACTERS]), "", "notice"))
    room = max(1, height - len(lines))
    below = _below(_chosen(ledger, room))
    stack = [(ledger.root, 0)]
    while stack:
        task, level = stack.pop()
        shown = below.get(task, [])
        lines.append(_task_line(ledger, task, level, len(shown), now=now))
        stack.extend((each, level + 1) for each in reversed(shown))
    return lines


def _title(ledger: Ledger, *, now: float, title: str) -> Line:
    totals = ledger.totals
    took = 0.0 if ledger.started_at is None else max(0.0, now - ledger.started_at)
    facts = [f"{totals.done}/{totals.tasks} done", format_duration(took)]
    facts += [f"{len(ledger.running)} running"] if ledger.running else []
    facts += [f"{totals.failed} failed"] if totals.failed else []
    facts += [f"{totals.usage.tokens:,} tokens"] if totals.usage.tokens else []
    facts += [cost] if (cost := format_cost(totals.usage)) else []
    facts += [f"{totals.retries} retried"] if totals.retries else []
    return Line(f"{ledger.phase}: ", " · ".join(facts), f" · {title}" if title else "", "title")


def _chosen(ledger: Ledger, room: int) -> dict[Task, Task | None]:
    """Return the tasks to show, each with the one that it is shown below."""
    if ledger.totals.tasks <= room:
        everything = (task for task in ledger.root.walk() if task.state is not TaskState.DELETED)
        return {task: task.parent if task is not ledger.root else None for task in everything}
    chosen: dict[Task, Task | None] = {ledger.root: None}
    for task in _candidates(ledger):
        line = _line_up_to(task, chosen)
        if len(chosen) + len(line) - 1 <= room:
            chosen.update(zip(line[1:], line, strict=False))
    return chosen


def _candidates(ledger: Ledger) -> Iterator[Task]:
    yield from list(ledger.running)
    yield from reversed(list(ledger.failed))
    yield from reversed(list(ledger.recent))


def _line_up_to(task: Task, chosen: dict[Task, Task | None]) -> list[Task]:
    """Return `task` after the ancestors that have to be shown with it; the first of them is shown already."""
    line = [task]
    for above in task.ancestors():
        if line[-1] in chosen:
            break
        if len(line) > MOST_ANCESTORS:
            line.append(next(iter(chosen)))
            break
        line.append(above)
    return line[::-1]


def _below(chosen: dict[Task, Task | None]) -> dict[Task, list[Task]]:
    below: dict[Task, list[Task]] = {}
    for task, above in chosen.items():
        if above is not None:
            below.setdefault(above, []).append(task)
    for family in below.values():
        family.sort(key=_natural)
    return below


def _natural(task: Task) -> list[tuple[int, str]]:
    """Return a key that puts `0.2` before `0.10`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in _NUMBER.split(task.id[:_MOST_CHARACTERS])]


def _task_line(ledger: Ledger, task: Task, level: int, shown: int, *, now: float) -> Line:
    facts = [_duration(ledger, task, now=now)]
    hidden = len(task.subtasks) - shown
    facts += [f"+{hidden} more"] if hidden > 0 else []
    note = ledger.notes.get(task)
    words = one_line(task.content[:_MOST_CHARACTERS])
    if note:
        words = f"{words[:60]} — {one_line(note[:_MOST_CHARACTERS])}"
    head = f"{'  ' * min(level, DEEPEST_INDENT)}{GLYPHS[task.state]} {one_line(task.id[:40])} "
    return Line(head, words, "".join(f" · {fact}" for fact in facts if fact), task.state.value)


def _duration(ledger: Ledger, task: Task, *, now: float) -> str:
    since = ledger.running.get(task)
    if since is not None:
        return format_duration(max(0.0, now - since))
    if task.started_at is None or task.completed_at is None or task.state is TaskState.OPEN:
        return ""
    return format_duration(max(0.0, (task.completed_at - task.started_at).total_seconds()))
