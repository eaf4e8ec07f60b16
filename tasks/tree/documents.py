"""A task tree as one flat JSON document: a list of tasks, each naming its parent, whatever the depth."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import ValidationError
from ramify.tasks.errors import DocumentError, TaskError
from ramify.tasks.json_text import json_text, read_json
from ramify.tasks.misfits import misfit

from .collecting import collector_at_rest
from .config import NO_CONFIG, NO_USAGE
from .fields import TaskFields
from .graph import check_tree
from .node import Node, T, index_of, walk

FORMAT = 1
"""The version of the document's shape; it grows when a reader of today could not read it."""

_PLAIN = (
    "content", "id", "type", "name", "description", "expected_seconds", "memory_scope", "origin", "result", "error"
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {"memory_scope": "run", "origin": "planned", "result": ""}
_COPIED = ("dependencies", "inputs", "metadata")
_TIMES = ("created_at", "updated_at", "started_at", "completed_at")


def task_to_data(task: TaskFields) -> dict[str, Any]:
    """Return one task's own fields as JSON data; fields with their default value are left out."""
    values = task.__dict__
    data = {name: values[name] for name in _PLAIN if values[name] != _DEFAULTS.get(name)}
    data["state"] = task.state.value
    data.update((name, values[name].copy()) for name in _COPIED if values[name])
    data.update((name, values[name].isoformat()) for name in _TIMES if values[name] is not None)
    data.update((name, values[name]) for name in ("priority", "attempts") if values[name])
    if task.output is not None:
        data["output"] = task.output
    if task.gaps:
        data["gaps"] = list(task.gaps)
    if task.attachments:
        data["attachments"] = [material.to_data() for material in task.attachments]
    if task.checks:
        data["checks"] = [check.to_data() for check in task.checks]
    if task.usage is not NO_USAGE and task.usage != NO_USAGE:
        data["usage"] = task.usage.to_data()
    if task.config is not NO_CONFIG and task.config != NO_CONFIG:
        data["config"] = task.config.model_dump(mode="json", exclude_none=True)
    return data


def tree_to_data(root: Node, *, next_tasks: bool = False, kept: Collection[Node] | None = None) -> dict[str, Any]:
    """Return a tree as JSON data: `{"format": 1, "tasks": [...]}`, parents before children, siblings in order.

    Args:
        root: the top of what is written; what is above it is left out.
        next_tasks: whether each task also lists the tasks that depend on it, for other tools; ignored when read.
        kept: the tasks that are written, with all that is above each; all unless given.
    """
    tree = index_of(root)
    tasks = []
    for task in walk(root):
        if kept is not None and task not in kept:
            continue
        data = task_to_data(task)
        if task is not root and task.parent is not None:
            data["parent"] = task.parent.id
        if next_tasks:
            data["next_tasks"] = [other.id for other in tree.dependents_of(task)]
        tasks.append(data)
    return {"format": FORMAT, "tasks": tasks}


def tree_to_json(root: Node, *, indent: int | None = None) -> str:
    """Return a tree as a JSON document."""
    return json_text(tree_to_data(root), indent=indent)


@collector_at_rest()
def tree_from_json(text: str, kind: type[T], *, source: str = "JSON document") -> T:
    """Return the tree that a JSON document holds, of tasks of the class `kind`.

    Raises:
        DocumentError: if the text is no JSON, or does not hold one whole tree.
    """
    try:
        data = read_json(text)
    except json.JSONDecodeError as error:
        raise DocumentError(f"not JSON: {error.msg}", source=source, line=error.lineno, column=error.colno) from None
    except ValueError as error:
        raise DocumentError(f"not JSON: {error}", source=source) from None
    except RecursionError:
        raise DocumentError("not a task document: values are nested too deeply", source=source) from None
    return tree_from_data(data, kind, source=source)


@collector_at_rest()
def tree_from_data(data: Any, kind: type[T], *, source: str = "task document") -> T:
    """Return the tree that JSON data of `tree_to_data` describes, of tasks of the class `kind`.

    Raises:
        DocumentError: if it does not hold one whole tree; the task and the reason are named.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("tasks"), list) or not data["tasks"]:
        raise DocumentError("not a task document: it needs a list `tasks` with at least one task", source=source)
    if data.get("format") != FORMAT:
        raise DocumentError(
            f"its format is {data.get('format')!r}, this Ramify reads format {FORMAT}; upgrade Ramify", source=source
        )
    rows = [(dict(row), number) for number, row in enumerate(data["tasks"], 1) if isinstance(row, Mapping)]
    if len(rows) < len(data["tasks"]):
        raise DocumentError("every entry of `tasks` must be an object", source=source)
    built = [(_read_task(row, kind, number, source), row.get("parent")) for row, number in rows]
    return assemble(built, lambda message: DocumentError(message, source=source))


def assemble(rows: list[tuple[T, str | None]], error: Callable[[str], Exception]) -> T:
    """Build one tree of tasks and their parents' ids; the first row is the root, siblings come in order.

    Dependencies are checked once for the whole tree, so the rows may name each other in any order.

    Raises:
        Exception: what `error` makes of a message, if the rows are not one whole tree.
    """
    by_id = _by_id(rows, error)
    root = rows[0][0]
    dependencies = {task: task.dependencies[:] for task, _ in rows if task.dependencies}
    for task in dependencies:
        task.dependencies.clear()
    try:
        for parent_id, family in _families(rows, by_id, error).items():
            by_id[parent_id].subtasks.extend(family)
        tree = index_of(root)
        if len(tree.by_id) < len(rows):
            stray = next(task_id for task_id in by_id if task_id not in tree.by_id)
            raise error(f"task {stray} is not below the root {root.id}")
        for task, needed in dependencies.items():
            task.dependencies.extend(needed)
            tree.note_dependencies(task)
        check_tree(root)
    except TaskError as problem:
        raise error(str(problem)) from None
    return root


def _by_id(rows: list[tuple[T, str | None]], error: Callable[[str], Exception]) -> dict[str, T]:
    by_id: dict[str, T] = {}
    for task, _ in rows:
        if task.id in by_id:
            raise error(f"task {task.id} occurs twice")
        by_id[task.id] = task
    return by_id


def _families(
    rows: list[tuple[T, str | None]], by_id: Mapping[str, T], error: Callable[[str], Exception]
) -> dict[str, list[T]]:
    """Return the children of each parent, in order."""
    root, above = rows[0]
    if above is not None:
        raise error(f"the first task, {root.id}, has a parent; the root comes first")
    families: dict[str, list[T]] = {}
    for task, parent in rows[1:]:
        if parent is None or parent not in by_id:
            raise error(f"task {task.id} names the unknown parent {parent!r}")
        families.setdefault(parent, []).append(task)
    return families


def _read_task(row: dict[str, Any], kind: type[T], number: int, source: str) -> T:
    fields = {name: value for name, value in row.items() if name not in {"parent", "next_tasks"}}
    if "subtasks" in row or not isinstance(row.get("parent"), str | None):
        label = row.get("id", f"number {number}")
        raise DocumentError(
            f"task {label}: its place is given by `parent`, the id of a task, and nothing else", source=source
        )
    try:
        return kind(**fields)
    except (ValidationError, TypeError) as error:
        raise DocumentError(
            f"task {row.get('id', f'number {number}')}: {validation_text(error)}", source=source
        ) from None


def validation_text(error: Exception) -> str:
    """Return what pydantic found wrong, in one line.

    >>> validation_text(TypeError("no"))
    'no'
    """
    if not isinstance(error, ValidationError):
        return str(error)
    parts = []
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{place}: {misfit(problem)}" if place else misfit(problem))
    return "; ".join(parts)
