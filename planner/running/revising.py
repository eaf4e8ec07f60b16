"""A plan that a person wants otherwise: the planner is asked for the whole plan in their words; the tree follows it.

A task that the new plan says again stays, with its id and all below it; the others are DELETED, and what is new gets
ids that were never used. So each version can be told from the next by their difference, and nothing is planned again
that stays.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from ramify.planner.errors import LeaseError, StoreError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.policy import Verb
from ramify.planner.planning.split import Planner, Whole
from ramify.planner.runtime.border import error_text
from ramify.planner.store import Change
from ramify.planner.store.changes import RunChanged, TaskChanged, TaskEdited
from ramify.planner.store.records import PLANNING_PHASE
from ramify.tasks import Task, TaskState
from ramify.tasks.prompt_variables import next_child_number
from ramify.tasks.replies.grammar import Plan, is_restatement
from ramify.tasks.replies.planned import PlannedTask
from ramify.tasks.replies.splitting import MODEL
from ramify.tasks.tree.edits import Difference
from ramify.tasks.tree.node import index_of
from ramify.tasks.tree.running import move, put

from .attaching import Attaching
from .attempts import Work
from .endings import ending_of


@dataclass(frozen=True, slots=True)
class Revised:
    """What a new plan has made of the tree.

    Attributes:
        differences: what is different.
        changes: what is to be written of it.
    """

    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]

    @property
    def moved(self) -> list[str]:
        """The ids of the tasks that are new or gone."""
        return [each.task_id for each in self.differences if each.kind != "changed"]


async def plan_anew(root: Task, work: Work, planner: Planner, attaching: Attaching, recorder: Recorder) -> None:
    """Have the plan of `root` follow what a person wants of it; it stays as it is where no other can be had.

    Args:
        root: the root of a tree that nobody works on.
        work: asks for the plan.
        planner: knows what the person wants.
        attaching: puts new tasks into the tree.
        recorder: writes it down.

    Raises:
        PlannerError: if the run has to end here; it is asked again when it is resumed.
    """
    try:
        verdict = await work.perform(root, Verb.SPLIT)
    except (StoreError, LeaseError):
        raise
    except Exception as error:
        if ending_of(error) is not None:
            raise
        verdict = Whole(error_text(error), is_unusual=True)
    planner.wishes = replace(planner.wishes, is_new=False)
    plan = _plan_of(root, verdict, attaching)
    if isinstance(plan, str):
        message = f"the plan is unchanged: {plan}"
        change = RunChanged.of(phase=PLANNING_PHASE)
        await recorder.commit(EventType.WARNING, None, change, message=message, plan="kept")
        return
    if isinstance(verdict, Whole):
        planner.wishes = replace(planner.wishes, whole={**planner.wishes.whole, root.id: verdict.why})
        await recorder.kept_whole(root, verdict.why)
    revised = revise(root, plan, attaching)
    changes = [each.to_data() for each in revised.differences]
    words = planner.wishes.words[-1]
    told = {"changes": changes, "redone": [], "subtasks": revised.moved, "words": words}
    change = RunChanged.of(phase=PLANNING_PHASE)
    await recorder.commit(EventType.PLAN_EDITED, None, change, *revised.changes, **told)


def _plan_of(root: Task, verdict: object, attaching: Attaching) -> Plan | str:
    """Return the plan that a verdict is, or why there is none."""
    if isinstance(verdict, Whole):
        return verdict.why if verdict.is_unusual else Plan(atomic=True)
    if not isinstance(verdict, Plan):
        return "its documents are too long to fit into the planner's prompt"
    kept = kept_by(root, verdict)
    more = len(verdict.tasks) - len(kept) - len(_gone(root, kept.values()))
    if not attaching.has_room(more):
        return f"the new plan would exceed max_tasks = {attaching.max_tasks}"
    return verdict


def living(task: Task) -> list[Task]:
    """Return the subtasks of a task that are not DELETED."""
    return [child for child in task.subtasks if child.state is not TaskState.DELETED]


def kept_by(task: Task, plan: Plan) -> dict[str, Task]:
    """Return which subtasks of `task` a new plan for it says again, by their keys in the plan."""
    left = living(task)
    kept: dict[str, Task] = {}
    for planned in plan.tasks:
        same = next((each for each in left if _is_same(each, planned)), None)
        if same is not None:
            left.remove(same)
            kept[planned.key] = same
    return kept


def revise(task: Task, plan: Plan, attaching: Attaching) -> Revised:
    """Let the subtasks of `task` be those of a new plan, and say what is different.

    Args:
        task: the task, in a tree that nobody works on.
        plan: the new plan; one without tasks leaves no subtask.
        attaching: puts new tasks into the tree.
    """
    kept = kept_by(task, plan)
    numbers = count(next_child_number(task))
    ids = {each.key: kept[each.key].id if each.key in kept else f"{task.id}.{next(numbers)}" for each in plan.tasks}
    gone = _gone(task, kept.values())
    new = [
        Task(each.content, id=ids[each.key], type=each.type, dependencies=_needs(each, ids))
        for each in plan.tasks
        if each.key not in kept
    ]
    differences, changes = _dropped(gone)
    attaching.total -= len(gone)
    changes += attaching.attach(task, new)
    differences += [
        Difference(each.id, "added", {"content": (None, each.content), "parent": (None, task.id)}) for each in new
    ]
    for each in plan.tasks:
        if each.key in kept:
            for changed, old in _rewired(kept[each.key], _needs(each, ids)):
                fields = {"dependencies": (old, list(changed.dependencies))}
                differences.append(Difference(changed.id, "changed", fields))
                changes.append(TaskEdited.of(changed))
    return Revised(tuple(differences), tuple(changes))


def _is_same(task: Task, planned: PlannedTask) -> bool:
    is_of_type = (task.type or MODEL) == (planned.type or MODEL)
    return is_of_type and is_restatement(task.content, planned.content)


def _needs(planned: PlannedTask, ids: dict[str, str]) -> list[str]:
    return [ids.get(need, need) for need in planned.needs]


def _living_below(task: Task) -> Iterator[Task]:
    return (each for each in task.walk() if each.state is not TaskState.DELETED)


def _gone(task: Task, kept: Iterable[Task]) -> list[Task]:
    """Return what is not DELETED below `task`, but for the subtasks that are kept."""
    stays = {child.id for child in kept}
    return [each for child in living(task) if child.id not in stays for each in _living_below(child)]


def _dropped(gone: Sequence[Task]) -> tuple[list[Difference], list[Change]]:
    """Let tasks be DELETED, which then need nothing any more."""
    differences: list[Difference] = []
    changes: list[Change] = []
    for each in gone:
        parent = None if each.parent is None else each.parent.id
        differences.append(Difference(each.id, "removed", {"content": (each.content, None), "parent": (parent, None)}))
        move(each, TaskState.DELETED)
        put(each, dependencies=[])
        changes += [TaskEdited.of(each), TaskChanged.of(each)]
    return differences, changes


def _rewired(task: Task, needs: list[str]) -> Iterator[tuple[Task, list[str]]]:
    """Let a task need other tasks, and what is below it no others outside; yield what has changed, with what it was."""
    inside = {each.id for each in task.walk()}
    tree = index_of(task)
    for each in _living_below(task):
        old = list(each.dependencies)
        new = needs if each is task else [need for need in old if need in inside or need in needs]
        if new != old:
            put(each, dependencies=new)
            tree.note_dependencies(each)
            yield each, old
