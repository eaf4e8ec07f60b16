"""What a tree of tasks is in a plan file: its JSON data, in the order in which a person reads it.

What is here and what `plan_rows` reads are the same keys.
"""

from typing import Any

from ramify.tasks.tree.config import NO_CONFIG
from ramify.tasks.tree.node import walk
from ramify.tasks.tree.states import TaskState
from ramify.tasks.tree.task import Task

DEEPEST_NESTED = 20
"""The levels of tasks that are written one inside of the other; deeper ones name their parent, to stay linear."""


def data_of(root: Task) -> dict[str, Any]:
    """Return a tree as the JSON data of a plan: nested as far as `DEEPEST_NESTED`, flat below."""
    top: list[dict[str, Any]] = []
    goal = {"goal": root.content, **({"id": root.id} if root.id != "0" else {}), **fields_of(root)}
    levels = {root: 1}
    lists = {root: top}
    for task in walk(root):
        parent = task.parent
        if task is root or parent is None:
            continue
        entry: dict[str, Any] = {"id": task.id, "task": task.content}
        levels[task] = min(levels[parent] + 1, DEEPEST_NESTED)
        if levels[parent] == DEEPEST_NESTED:
            entry["parent"] = parent.id
            top.append(entry)
        else:
            lists[parent].append(entry)
        entry.update(fields_of(task))
        if levels[task] < DEEPEST_NESTED and task.subtasks:
            entry["tasks"] = lists[task] = []
    return {**goal, "tasks": top} if top else goal


def entry_of(task: Task) -> dict[str, Any]:
    """Return a task, and all below it, as it stands in the list of the task above."""
    data = data_of(task)
    return {"id": task.id, "task": data.pop("goal"), **data}


def fields_of(task: Task) -> dict[str, Any]:
    """Return what a plan says of a task besides its id, its content and its subtasks, as far as it has to be said."""
    values = task.__dict__
    data: dict[str, Any] = {}
    if task.dependencies:
        data["needs"] = list(dict.fromkeys(task.dependencies))
    data.update((key, values[key]) for key in ("type", "name", "description") if values[key] is not None)
    data.update((key, values[key]) for key in ("priority", "inputs") if values[key])
    if values["expected_seconds"] is not None:
        seconds = values["expected_seconds"]
        data["expected_seconds"] = int(seconds) if seconds == int(seconds) else seconds
    if task.config != NO_CONFIG:
        data["config"] = task.config.model_dump(mode="json", exclude_none=True)
    if task.checks:
        data["checks"] = [check.to_data() for check in task.checks]
    if task.metadata:
        data["metadata"] = task.metadata
    if task.attachments:
        data["attachments"] = [material.to_data() for material in task.attachments]
    if task.memory_scope != "run":
        data["memory_scope"] = task.memory_scope
    state = TaskState.OPEN if task.state is TaskState.RUNNING else task.state
    if state is not (TaskState.DONE if task.result else TaskState.OPEN):
        data["state"] = state.value
    if task.result:
        data["result"] = task.result
    data.update((key, values[key]) for key in ("output", "error") if values[key] is not None)
    return data
