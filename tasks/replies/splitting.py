"""Whether a plan splits its goal: only parts of it do, and at least two of them, or one that a worker is to do.

A task that says a goal again, its own or one above it, is no part: it is left out, and what needed it needs instead
what it needed. Nor is one that says again what stands elsewhere: a task before it in the plan, or one that the goal
waits for, is needed in its place; one that waits for the goal comes later in any case. A plan of one task splits
nothing; the goal stays whole. A task that names a worker hands something over, and is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from .grammar import Plan, plain_words
from .planned import PlannedTask, find_cycle, shown

MODEL = "model"
"""The type of tasks that the model does, as those without a type are."""


class Around(NamedTuple):
    """What a plan is made for, and what stands around that.

    Attributes:
        goals: what its tasks are to be parts of: the goal, and those above it.
        before: the contents of tasks that the goal waits for, by id.
        after: the contents of tasks that wait for the goal, by id.
    """

    goals: Sequence[str]
    before: Mapping[str, str] = MappingProxyType({})
    after: Mapping[str, str] = MappingProxyType({})


def split_of(plan: Plan, around: Around, *, fewest: int = 2) -> Plan:
    """Return what is left of a plan; one without tasks if it splits nothing.

    Args:
        plan: as a reply gives it.
        around: what it is made for.
        fewest: with how many tasks it is split; one that is handed over is always enough.

    >>> look, leap, jump = PlannedTask("a", "Look"), PlannedTask("b", "Leap!", ("a",)), PlannedTask("c", "Jump", ("b",))
    >>> [(task.key, task.needs) for task in split_of(Plan(tasks=(look, leap, jump)), Around(["leap"])).tasks]
    [('a', ()), ('c', ('a',))]
    """
    own: dict[str, tuple[str, ...]] = {}  # the keys of tasks that are left out, and what stands in their place
    twins: dict[str, tuple[str, ...]] = {}
    notes = []
    goals = {plain_words(goal) for goal in around.goals}
    before = {plain_words(content): task_id for task_id, content in around.before.items()}
    after = {plain_words(content): task_id for task_id, content in around.after.items()}
    first: dict[str, str] = {}
    keys = {task.key for task in plan.tasks}
    for task in plan.tasks:
        if _is_handed_over(task):
            continue
        words = plain_words(task.content)
        if words in goals:
            own[task.key] = task.needs
            notes.append(f"task {shown(task.key)} says the goal again, and is left out")
        elif words in before or words in after:
            other = before.get(words) or after[words]
            own[task.key] = (other,) if words in before and other not in keys else task.needs
            notes.append(f"task {shown(task.key)} repeats task {other}, and is left out")
        elif first.setdefault(words, task.key) != task.key:
            twins[task.key] = (first[words],)
            notes.append(f"task {shown(task.key)} repeats task {shown(first[words])}, and is left out")
    tasks = _left(plan, own | twins)
    if twins and find_cycle({task.key: task.needs for task in tasks}):
        tasks = _left(plan, own | {task.key: task.needs for task in plan.tasks if task.key in twins})
    if len(tasks) < fewest and not any(map(_is_handed_over, tasks)):
        return replace(plan, tasks=())
    return replace(plan, tasks=tasks, notes=(*plan.notes, *(notes if tasks else ())))


def _is_handed_over(task: PlannedTask) -> bool:
    return task.type not in (None, MODEL)


def _left(plan: Plan, gone: Mapping[str, Sequence[str]]) -> tuple[PlannedTask, ...]:
    """Return the tasks that are not `gone`, with what stands in the place of those in their needs."""
    if not gone:
        return plan.tasks
    return tuple(replace(task, needs=_needs_of(task, gone)) for task in plan.tasks if task.key not in gone)


def _needs_of(task: PlannedTask, gone: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return what `task` needs, where other tasks stand for each that is gone."""
    needs: dict[str, None] = {}
    seen: set[str] = set()
    stack = list(task.needs[::-1])
    while stack:
        key = stack.pop()
        if key in gone and key not in seen:
            stack.extend(gone[key][::-1])
        elif key not in gone:
            needs[key] = None
        seen.add(key)
    return tuple(needs)
