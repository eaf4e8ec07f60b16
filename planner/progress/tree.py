"""The live tree as lines of text, a pure function of the ledger: all of a small tree, what moves of a large one.

Of a large tree, running tasks are shown first, then failed ones, then those that ended last, each below the nearest
of its ancestors; a task not all of whose subtasks are shown says how many of them are done.
"""

import re
from collections.abc import Iterator

from ramify.planner.export.labels import format_cost, one_line
from ramify.planner.export.look import GLYPHS
from ramify.planner.export.study.content import is_study
from ramify.planner.export.study.tally import MOST_ARMS, arm_lines
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.tree.shown import shown_words

from .estimate import format_left
from .ledger import Activity, Ledger
from .lines import Line

MOST_ANCESTORS = 6
"""Levels above a shown task that are shown with it, besides the root."""

DEEPEST_INDENT = 12
_MOST_CHARACTERS = 300
_UNFINISHED = frozenset({TaskState.OPEN, TaskState.RUNNING})
_ROOM_FOR_SPENDING = 8
_MINUTE_S = 59.5
_NUMBER = re.compile(r"(\d+)")


def lines_of(ledger: Ledger, *, now: float, height: int, run_id: str = "", made_by: str = "") -> list[Line]:
    """Return the picture of a run, `height` lines at the most, but three in any case.

    Args:
        ledger: the run.
        now: the time, in seconds since 1970.
        height: lines that there is room for.
        run_id: its id.
        made_by: who answers.
    """
    lines = [_title(ledger, now=now)]
    if height >= _ROOM_FOR_SPENDING and (run_id or made_by):
        lines.append(_spending(ledger, run_id, made_by))
    if ledger.notice:
        lines.append(Line("  ", one_line(ledger.notice[:_MOST_CHARACTERS]), look="notice"))
    if is_study(ledger.root) and height >= _ROOM_FOR_SPENDING + MOST_ARMS:
        lines += [Line(f"  {one_line(name)} ", standing, look="spending") for name, standing in arm_lines(ledger.root)]
    room = max(1, height - len(lines))
    below = _below(_chosen(ledger, room))
    stack = [(ledger.root, 0)]
    while stack:
        task, level = stack.pop()
        shown = below.get(task, [])
        lines.append(_task_line(ledger, task, level, len(shown), now=now))
        stack.extend((each, level + 1) for each in reversed(shown))
    return lines


def _title(ledger: Ledger, *, now: float) -> Line:
    totals = ledger.totals
    took = 0.0 if ledger.started_at is None else max(0.0, now - ledger.started_at)
    what = "asked for" if ledger.phase == "planning" else "running"
    facts = [f"{totals.done:,}/{totals.tasks:,} done", _spent(took), *_time_left(ledger, now=now)]
    facts += [f"{len(ledger.active):,} {what}"] if ledger.active else []
    facts += [f"{totals.failed:,} failed"] if totals.failed else []
    facts += [f"{totals.retries:,} retried"] if totals.retries else []
    return Line(f"{ledger.phase}: ", " · ".join(facts), look="title")


def _time_left(ledger: Ledger, *, now: float) -> Iterator[str]:
    if ledger.phase == "planning":
        yield "time left unknown"
    elif (seconds := ledger.seconds_left(now)) is not None:
        yield f"{'at most ' if ledger.failed else ''}about {format_left(seconds)} left"


def _spending(ledger: Ledger, run_id: str, made_by: str) -> Line:
    usage = ledger.totals.usage
    facts = [counted(usage.calls, "call"), usage.tokens_text, format_cost(usage)] if usage.calls else []
    fork = f", a fork of {one_line(ledger.forked_from)}" if ledger.forked_from else ""
    facts += [one_line(made_by), f"run {one_line(run_id)}{fork}"]
    return Line("  ", " · ".join(fact for fact in facts if fact), look="spending")


def _chosen(ledger: Ledger, room: int) -> dict[Task, Task | None]:
    """Return the tasks to show, each with the one that it is shown below."""
    if ledger.totals.tasks <= room:
        everything = (task for task in ledger.root.walk() if task.state is not TaskState.DELETED)
        return {task: task.parent if task is not ledger.root else None for task in everything}
    chosen: dict[Task, Task | None] = {ledger.root: None}
    for task in _candidates(ledger):
        if len(chosen) >= room:
            break
        line = _line_up_to(task, chosen)
        if len(chosen) + len(line) - 1 <= room:
            chosen.update(zip(line[1:], line, strict=False))
    return chosen


def _candidates(ledger: Ledger) -> Iterator[Task]:
    yield from list(ledger.active)
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
    activity = ledger.active.get(task) if task.state in _UNFINISHED else None
    below = len(task.subtasks)
    facts = [f"{ledger.done_below[task]:,}/{below:,} done"] if below > shown else []
    facts += [took] if (took := _duration(task, activity, now=now)) else []
    note = activity.words if activity is not None else ledger.notes.get(task) or ledger.methods.get(task)
    words = one_line(shown_words(task)[:_MOST_CHARACTERS])
    head = f"{'  ' * min(level, DEEPEST_INDENT)}{GLYPHS[task.state]} {one_line(task.id[:40])} "
    tail = f" — {one_line(note[:_MOST_CHARACTERS])}" if note else ""
    return Line(head, words, note=tail, facts="".join(f" · {fact}" for fact in facts), look=task.state.value)


def _duration(task: Task, activity: Activity | None, *, now: float) -> str:
    if activity is not None:
        return _spent(max(0.0, now - activity.since))
    if task.started_at is None or task.completed_at is None or task.state is TaskState.OPEN:
        return ""
    return format_duration(max(0.0, (task.completed_at - task.started_at).total_seconds()))


def _spent(seconds: float) -> str:
    """Return how long something has been going on: in whole seconds, so that it is calm."""
    return f"{seconds:.0f} s" if seconds < _MINUTE_S else format_duration(seconds)
