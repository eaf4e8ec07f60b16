"""What is open of a plan, and how that becomes another plan by changes that a model has named.

Open are the tasks that have not begun, and those that failed: the subtasks of one task, or, where a person wants the
plan changed, all that the tree has, on every level. What is DONE stays, with its result. A task that is replaced or
dropped is DELETED: its words and its costs stay, and so does its id.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from ramify.tasks.prompt_variables import next_child_number
from ramify.tasks.replies.grammar import plain_words
from ramify.tasks.replies.replans import BELOW, Change, OpenPlan, Operator, Replan
from ramify.tasks.replies.splitting import MODEL

from .edits import Difference
from .graph import unfinished
from .node import index_of, is_below, walk, walk_up
from .rules import add_dependency, drop_dependency, waiters_of
from .running import move, put
from .states import TaskState
from .task import Task

REPLACES = "replaces"
"""The key in the metadata of a new task that says which one it is done instead of."""

_ENDING = frozenset({Operator.REPLACE, Operator.DROP})
_OPEN = frozenset({TaskState.OPEN, TaskState.FAILED})


@dataclass(slots=True)
class Changed:
    """What changes have made of a tree.

    Attributes:
        added: the new tasks that hang on the tree, in order.
        deleted: the tasks that are not done any more.
        edited: the tasks that say something else, or need something else.
        reopened: the tasks that had failed and are done again.
        needs: (task, needed) for each new need of a task that was there before.
        differences: all of it, as edits tell it.
    """

    added: list[Task] = field(default_factory=list)
    deleted: list[Task] = field(default_factory=list)
    edited: dict[Task, None] = field(default_factory=dict)
    reopened: list[Task] = field(default_factory=list)
    needs: list[tuple[Task, Task]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def is_stuck(parent: Task, failed: Collection[Task]) -> bool:
    """Return whether everything below `parent` that is not finished has failed, or waits for one of `failed`."""
    waiting = waiters_of(failed) if failed else {}
    left = (task for child in parent.subtasks for task in unfinished(child))
    return all(task in waiting or task.state is TaskState.FAILED for task in left)


def open_plan(parent: Task, failed: Collection[Task], may_split: Callable[[Task], bool]) -> OpenPlan:
    """Return what may be changed below `parent`, where those of its subtasks in `failed` are to be changed."""
    open_ones = [child for child in parent.subtasks if child.state is TaskState.OPEN]
    kept = [child for child in parent.subtasks if child.state is TaskState.DONE]
    return OpenPlan(
        failed=tuple(task.id for task in failed), **_said_of([*failed, *open_ones], open_ones, kept, may_split)
    )


def whole_open_plan(root: Task, may_split: Callable[[Task], bool], *, most: int) -> OpenPlan:
    """Return what may be changed in the whole tree of `root`, in which nothing runs: all that is open below it.

    Args:
        root: the root.
        may_split: says whether a leaf may be split.
        most: how many changes there may be.
    """
    open_ones = open_tasks(root)
    return OpenPlan(
        failed=(),
        **_said_of(open_ones, open_ones, done_tasks(root), may_split),
        parents=tuple(task.id for task in (root, *open_ones) if not task.is_leaf),
        above={task.id: tuple(above.id for above in walk_up(task) if above is not root) for task in open_ones},
        most=most,
    )


def open_tasks(root: Task) -> list[Task]:
    """Return all tasks below `root` that still have to be done, parents first."""
    return [task for task in unfinished(root) if task is not root]


def done_tasks(root: Task) -> list[Task]:
    """Return the tasks whose results stand for all that is DONE: no task above them is."""
    return [child for task in unfinished(root) for child in task.subtasks if child.state is TaskState.DONE]


def _said_of(
    changeable: Collection[Task], open_ones: Collection[Task], kept: Collection[Task], may_split: Callable[[Task], bool]
) -> dict[str, Any]:
    """Return what an `OpenPlan` says of the tasks that may be changed, and of those that stay."""
    return {
        "open": tuple(task.id for task in open_ones),
        "kept": tuple(task.id for task in kept),
        "needs": {task.id: tuple(task.dependencies) for task in changeable},
        "needed_by": {task.id: tuple(other.id for other in _needed_by(task)) for task in changeable},
        "holds": {task.id: tuple(_held_needs(task)) for task in changeable},
        "splittable": frozenset(task.id for task in changeable if task.is_leaf and may_split(task)),
        "split": frozenset(task.id for task in changeable if task.state is TaskState.FAILED and not task.is_leaf),
    }


def given_up_words(differences: Collection[dict[str, Any]]) -> Iterator[str]:
    """Yield what was to be done before changes, told as `Difference.to_data` does, and is not done any more."""
    for difference in differences:
        content = difference["fields"].get("content", {})
        if content.get("old") is not None:
            yield plain_words(content["old"])


def new_words(replan: Replan) -> Iterator[str]:
    """Yield what is to be done anew after changes."""
    for change in replan.changes:
        if change.do is Operator.RETRY:
            yield change.words
        yield from (task.content for task in change.tasks)


def change_plan(parent: Task, replan: Replan) -> Changed:
    """Make changes of the tree that `parent` is in, and return what has become of it.

    What `parse_replan` has let pass can be made. As needs may also lead through the rest of the tree, it is tried on a
    copy first.

    Raises:
        TaskError: if it cannot be; the tree is not good for anything then.
    """
    changed = Changed()
    ids = _new_ids(parent, replan)
    by_id = index_of(parent).by_id
    about = [(by_id[change.of], change) for change in replan.changes]
    for task, change in about:
        if change.do not in _ENDING:
            _reopen(task, change, changed)
    for task, change in about:
        _attach(task, change, ids, changed)
    for planned in (planned for change in replan.changes for planned in change.tasks):
        for need in planned.needs:
            add_dependency(by_id[ids[planned.key]], ids.get(need, need))
    for task, change in about:
        _rewire(task, change, [by_id[ids[key]] for key in change.last], changed)
    for task, change in about:
        if change.do in _ENDING:
            _delete(task, changed)
    return changed


def _new_ids(parent: Task, replan: Replan) -> dict[str, str]:
    """Return the id of each new task, by its key."""
    numbers: dict[str, int] = {}
    ids = {}
    for change in replan.changes:
        above = _above(index_of(parent).by_id[change.of], change)
        for task in change.tasks:
            number = numbers.get(above.id) or next_child_number(above)
            ids[task.key] = f"{above.id}.{number}"
            numbers[above.id] = number + 1
    return ids


def _above(task: Task, change: Change) -> Task:
    """Return the task that the new tasks of a change about `task` stand below."""
    return task if change.do in BELOW or task.parent is None else task.parent


def _reopen(task: Task, change: Change, changed: Changed) -> None:
    if task.state is TaskState.FAILED:
        move(task, TaskState.OPEN)
        put(task, error=None, result="", output=None, gaps=(), started_at=None, completed_at=None)
        changed.reopened.append(task)
    if change.do is Operator.RETRY:
        changed.differences.append(Difference(task.id, "changed", {"content": (task.content, change.words)}))
        put(task, content=change.words)
        changed.edited[task] = None


def _attach(task: Task, change: Change, ids: dict[str, str], changed: Changed) -> None:
    above = _above(task, change)
    new = [
        Task(
            content=planned.content,
            id=ids[planned.key],
            type=None if planned.type == MODEL else planned.type,
            metadata={REPLACES: task.id} if change.do is Operator.REPLACE else {},
        )
        for planned in change.tasks
    ]
    if new:
        above.subtasks.take(new)
    changed.added += new
    changed.differences += [
        Difference(each.id, "added", {"content": (None, each.content), "parent": (None, above.id)}) for each in new
    ]


def _rewire(task: Task, change: Change, last: Collection[Task], changed: Changed) -> None:
    """Let what needs a task that is replaced, or a task that others were put before, need the new ones."""
    if change.do is Operator.REPLACE:
        for other in _needed_by(task):
            _set_needs(other, changed, without=task, more=last)
    elif change.do is Operator.INSERT:
        _set_needs(task, changed, more=last)


def _set_needs(task: Task, changed: Changed, *, more: Collection[Task], without: Task | None = None) -> None:
    before = list(task.dependencies)
    if without is not None:
        drop_dependency(task, without.id)
    for needed in more:
        if needed.id not in task.dependencies:
            add_dependency(task, needed.id)
            changed.needs.append((task, needed))
    changed.differences.append(Difference(task.id, "changed", {"dependencies": (before, list(task.dependencies))}))
    changed.edited[task] = None


def _delete(task: Task, changed: Changed) -> None:
    for each in walk(task):
        if each.state in _OPEN:
            move(each, TaskState.DELETED)
            changed.deleted.append(each)
    above = None if task.parent is None else task.parent.id
    gone = Difference(task.id, "removed", {"content": (task.content, None), "parent": (above, None)})
    changed.differences.append(gone)


def _needed_by(task: Task) -> list[Task]:
    return [other for other in index_of(task).dependents_of(task) if other.state is not TaskState.DELETED]


def _held_needs(task: Task) -> Iterator[tuple[str, str]]:
    """Yield (other, need) for each need from outside of what is below `task`."""
    for each in walk(task):
        if each is not task and each.state in _OPEN:
            yield from ((other.id, each.id) for other in _needed_by(each) if not is_below(other, task))
