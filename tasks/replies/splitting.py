"""Whether a plan splits its goal: only parts of it do, and at least two of them, or one that a worker is to do.

A task that says a goal again, its own or one above it, is no part: it is left out, and what needed it needs instead
what it needed. A plan of one task splits nothing; the goal stays whole. A task that names a worker hands something
over, and is kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .grammar import Plan, plain_words
from .planned import PlannedTask, shown

MODEL = "model"
"""The type of tasks that the model does, as those without a type are."""


def split_of(plan: Plan, goals: Iterable[str], *, fewest: int = 2) -> Plan:
    """Return what is left of a plan; one without tasks if it splits nothing.

    Args:
        plan: as a reply gives it.
        goals: what the tasks are to be parts of: the goal, and those above it.
        fewest: with how many tasks it is split; one that is handed over is always enough.

    >>> look, leap, jump = PlannedTask("a", "Look"), PlannedTask("b", "Leap!", ("a",)), PlannedTask("c", "Jump", ("b",))
    >>> [(task.key, task.needs) for task in split_of(Plan(tasks=(look, leap, jump)), ["leap"]).tasks]
    [('a', ()), ('c', ('a',))]
    """
    said = {plain_words(goal) for goal in goals}
    gone = {task.key: task for task in plan.tasks if not _is_handed_over(task) and plain_words(task.content) in said}
    tasks = tuple(
        replace(task, needs=_needs_of(task, gone)) if gone else task for task in plan.tasks if task.key not in gone
    )
    if len(tasks) < fewest and not any(map(_is_handed_over, tasks)):
        return replace(plan, tasks=())
    words = [f"task {shown(key)} says the goal again, and is left out" for key in gone]
    return replace(plan, tasks=tasks, notes=(*plan.notes, *(words if tasks else ())))


def _is_handed_over(task: PlannedTask) -> bool:
    return task.type not in (None, MODEL)


def _needs_of(task: PlannedTask, gone: Mapping[str, PlannedTask]) -> tuple[str, ...]:
    """Return what `task` needs where each task that is gone stands for its own needs."""
    needs: dict[str, None] = {}
    seen: set[str] = set()
    stack = list(task.needs[::-1])
    while stack:
        key = stack.pop()
        if key in gone and key not in seen:
            stack.extend(gone[key].needs[::-1])
        elif key not in gone:
            needs[key] = None
        seen.add(key)
    return tuple(needs)
