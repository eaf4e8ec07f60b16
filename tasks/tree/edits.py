"""What an edit of a plan means for the tree that a run has: what is different, and what has to be done again.

A result holds as long as everything holds that its prompt was made from. So a task is done again if its own words,
type, inputs, documents or needs have changed, and with it everything that cannot be finished before it is: what needs
it, what is below that, and the tasks above, which are composed again. All else is kept as it is.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ramify.tasks.checks import Check
from ramify.tasks.errors import TreeError
from ramify.tasks.json_data import json_or_text
from ramify.tasks.prompt_variables import title

from .node import index_of, walk
from .rules import waiters_of
from .states import TaskState
from .task import Task

SAID = (
    "content", "type", "dependencies", "name", "description", "priority", "expected_seconds", "inputs", "config",
    "checks", "metadata", "attachments", "memory_scope",
)  # fmt: skip
"""The fields that say what a task is."""

_OUTCOME = (
    "state", "result", "output", "gaps", "error", "attempts", "usage", "started_at", "completed_at", "updated_at"
)  # fmt: skip
_INHERITED = frozenset({"dependencies", "inputs", "attachments"})
_OWN = frozenset({"content", "type", "name", "checks", "result", "state"})


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edit has made of one task.

    Attributes:
        task_id: the task.
        kind: whether it is new, gone, or another one than before.
        fields: what has changed, each as it was and as it is, as JSON data; `parent` is where it stands, `subtasks`
            the order of what stands below it. Of a task that is new or gone: its content.
    """

    task_id: str
    kind: Literal["added", "removed", "changed"]
    fields: dict[str, tuple[Any, Any]]

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        fields = {name: {"old": old, "new": new} for name, (old, new) in self.fields.items()}
        return {"task": self.task_id, "change": self.kind, "fields": fields}


def carry_over(old: Task, new: Task) -> list[Difference]:
    """Make `new`, an edited plan of the tree `old`, the tree that the run goes on with; return what is different.

    Tasks that both have keep what has come of them, unless the plan gives another result of its own: that is a
    person's. A task that the plan leaves out is DELETED, with all below it: what it has cost stays, and so does its id.

    Raises:
        TreeError: if the two are plans of different tasks.
    """
    if old.id != new.id:
        message = f"the plan's goal is task {new.id}, the run's is task {old.id}; give the plan's goal the id {old.id}"
        raise TreeError(message, task_id=new.id)
    before = index_of(old).by_id
    has_started = any(task.attempts or task.state is not TaskState.OPEN for task in walk(old))
    for task in walk(new):
        same = before.get(task.id)
        if same is not None:
            _keep_outcome(same, task)
        elif has_started:
            task.origin = "added"
    kept = index_of(new).by_id
    for task in walk(old):
        if task.id not in kept:
            kept[task.parent.id if task.parent is not None else old.id].add_subtask(_deleted(task))
    return list(_differences(old, new))


def redo(
    root: Task,
    differences: Iterable[Difference],
    *,
    again: Iterable[Task] = (),
    partial: Iterable[Task] = (),
    results: Collection[str] = (),
    last_attempt: Callable[[str], int],
) -> list[Task]:
    """Open everything in the tree `root` that has begun and depends on what is different; return it, parents first.

    Args:
        root: the tree, as `carry_over` has left it.
        differences: what is different in it.
        again: tasks that are done again although nothing is different, with all below them.
        partial: tasks that are composed again, as what failed below them is done again.
        results: ids of tasks whose results a person has given, so that they are not done again, whatever is different.
        last_attempt: for an id, the number of the last attempt for which a reply may have been written down; the next
            one is above it, so that no such reply is taken for the new one.
    """
    given: set[Task] = set()
    seeds = {task for top in again for task in walk(top)} | set(partial)
    for difference in differences:
        task = root.find(difference.task_id)
        seeds.update(_touched(root, task, difference))
        if task.state is TaskState.DELETED or task.id in results or _is_given(task, difference):
            given.add(task)
    waiting = waiters_of(seeds | given) if seeds or given else {}
    opened = []
    for task in walk(root):
        attempts = max(task.attempts, last_attempt(task.id))
        has_begun = bool(attempts) or task.state is not TaskState.OPEN
        if task not in waiting or task in given or task.state is TaskState.DELETED or not has_begun:
            continue
        task.attempts = attempts
        if task.state is not TaskState.OPEN:
            task.reset()
        opened.append(task)
    return opened


def open_failed(root: Task) -> list[Task]:
    """Open the tasks of the tree `root` that have failed, so that they are done again; return them, parents first.

    The steps that they have taken stay taken.
    """
    failed = [task for task in walk(root) if task.state is TaskState.FAILED]
    for task in failed:
        task.reset()
    return failed


def give_result(task: Task, result: str) -> None:
    """Let `task` have a person's result; what is still open below it is not needed any more.

    Where its answer was JSON data, a result that is JSON is data too.

    Raises:
        TransitionError: if it is DELETED.
    """
    task.move(TaskState.DONE)
    output = None if task.output is None else json_or_text(result)
    task.__dict__.update(result=result, output=output, gaps=(), error=None)
    for below in walk(task):
        if below.state is TaskState.OPEN or below.state is TaskState.RUNNING:
            below.move(TaskState.DELETED)


def _keep_outcome(old: Task, new: Task) -> None:
    """Let `new` be what `old` is in everything that a plan does not say, or leaves to the run."""
    state, result, output = new.state, new.result, new.output
    new.__dict__.update({name: old.__dict__[name] for name in (*_OUTCOME, "origin", "created_at")})
    if state is TaskState.DELETED:
        new.move(state)
        return
    if new.state is TaskState.DELETED:
        new.reset()
    if state is TaskState.DONE and (result, output) != (new.result, new.output):
        new.move(state)
        new.__dict__.update(result=result, output=output, gaps=(), error=None)


def _deleted(task: Task) -> Task:
    """Return a copy of a task that the plan leaves out; it needs nothing any more."""
    gone = Task(task.content, id=task.id)
    left_out = {"id", "dependencies"}
    gone.__dict__.update({name: value for name, value in task.__dict__.items() if name not in left_out})
    gone.move(TaskState.DELETED)
    return gone


def _differences(old: Task, new: Task) -> Iterator[Difference]:
    before = index_of(old).by_id
    for task in walk(new):
        same = before.get(task.id)
        if same is None:
            yield Difference(task.id, "added", {"content": (None, task.content), "parent": (None, _parent_id(task))})
        elif task.state is TaskState.DELETED and same.state is not TaskState.DELETED:
            yield Difference(task.id, "removed", {"content": (same.content, None), "parent": (_parent_id(same), None)})
        elif fields := _changed_fields(same, task, before):
            yield Difference(task.id, "changed", fields)


def _changed_fields(old: Task, new: Task, before: dict[str, Task]) -> dict[str, tuple[Any, Any]]:
    """Return the fields that differ, as JSON data."""
    fields: dict[str, tuple[Any, Any]] = {}
    for name in SAID:
        was, now = old.__dict__[name], new.__dict__[name]
        if was != now:
            fields[name] = _data(was), _data(now)
    if _parent_id(old) != _parent_id(new):
        fields["parent"] = _parent_id(old), _parent_id(new)
    if new.state is TaskState.DONE and (old.result, old.output) != (new.result, new.output):
        fields["result"] = old.result, new.result
    elif old.state is TaskState.DELETED and new.state is not TaskState.DELETED:
        fields["state"] = old.state.value, new.state.value
    here = {child.id for child in new.subtasks if child.id in before and before[child.id].parent is old}
    order = [child.id for child in old.subtasks if child.id in here]
    if order != (now_order := [child.id for child in new.subtasks if child.id in here]) and _is_shown(new):
        fields["subtasks"] = order, now_order
    return fields


def _is_shown(task: Task) -> bool:
    return any(child.state is not TaskState.DELETED for child in task.subtasks)


def _touched(root: Task, task: Task, difference: Difference) -> Iterator[Task]:
    """Yield the tasks whose prompts a difference shows in, from which all others follow."""
    names = set(difference.fields)
    if difference.kind != "changed":
        yield task.parent or task
    if difference.kind == "added":
        yield task
    if difference.kind == "changed" and names & {*_OWN, "subtasks", "parent"}:
        yield task
    if difference.kind == "changed" and names & {*_INHERITED, "parent"}:
        yield from walk(task)
    if "parent" in names and difference.kind == "changed":
        yield from (root.find(place) for place in difference.fields["parent"] if place is not None)
    if task is root and "content" in names:
        was, now = difference.fields["content"]
        if title(was) != title(now):  # every task is told the goal in a line
            yield from walk(root)


def _is_given(task: Task, difference: Difference) -> bool:
    return "result" in difference.fields or (difference.kind == "added" and task.state is TaskState.DONE)


def _parent_id(task: Task) -> str | None:
    return None if task.parent is None else task.parent.id


def _data(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_data(item) for item in value]
    if isinstance(value, Check):
        return value.to_data()
    return value.model_dump(mode="json", exclude_none=True) if hasattr(value, "model_dump") else value
