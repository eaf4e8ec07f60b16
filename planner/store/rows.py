"""The one place where a task becomes a row and a row a task.

A row is a tuple in the order of `TASK_COLUMNS`; what a run changes comes last, in the order of `PROGRESS_COLUMNS`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from ramify.planner.errors import StoreError
from ramify.prompts import Material
from ramify.tasks.tree.collecting import collector_at_rest
from ramify.tasks.tree.config import NO_CONFIG, NO_USAGE, Usage
from ramify.tasks.tree.documents import assemble
from ramify.tasks.tree.states import TaskState
from ramify.tasks.tree.task import Task

from .texts import decode_text, dump_json, encode_text, load_json

Row = tuple[Any, ...]

_TIMES = ("started_at", "completed_at", "updated_at")
PROGRESS_COLUMNS = ("state", "result", "output", "gaps", "error", "attempts", "usage", *_TIMES)
_progress_values = itemgetter(*PROGRESS_COLUMNS)
_OUTPUT = PROGRESS_COLUMNS.index("output")
_FRESH = (TaskState.OPEN, "", None, (), None, 0, NO_USAGE, None, None, None)
_FRESH_PROGRESS = (TaskState.OPEN.value, "", None, None, None, 0, None, None, None, None)
TASK_COLUMNS = ("id", "parent_id", "position", "origin", "content", "spec", *PROGRESS_COLUMNS)

_PLAIN: Mapping[str, Any] = {
    "name": None,
    "description": None,
    "type": None,
    "dependencies": [],
    "inputs": {},
    "priority": 0,
    "expected_seconds": None,
    "metadata": {},
    "memory_scope": "run",
}


def progress_of(task: Task) -> Row:
    """Return what a run changes of `task`, as it is now; `progress_row` makes the columns of it.

    Raises:
        UsageError: if its output cannot be written as JSON.
    """
    values: Row = _progress_values(task.__dict__)
    output = values[_OUTPUT]
    if output is None:
        return values
    return (*values[:_OUTPUT], dump_json(output, what=f"task {task.id}: its output"), *values[_OUTPUT + 1 :])


def progress_row(progress: Row) -> Row:
    """Return what `progress_of` has seen as the last columns of a row."""
    state, result, output, gaps, error, attempts, usage, started_at, completed_at, updated_at = progress
    if state is TaskState.OPEN and progress == _FRESH:
        return _FRESH_PROGRESS
    started = None if started_at is None else _seconds(started_at)
    completed = None if completed_at is None else _seconds(completed_at)
    if updated_at is None or updated_at is completed_at:  # it mostly is the last of the others
        updated = None if updated_at is None else completed
    else:
        updated = started if updated_at is started_at else _seconds(updated_at)
    return (
        state._value_,
        encode_text(result),
        output,
        dump_json(gaps, what="gaps") if gaps else None,
        None if error is None else encode_text(error),
        attempts,
        None if usage is NO_USAGE else dump_usage(usage),
        started,
        completed,
        updated,
    )


def spec_of(task: Task) -> str:
    """Return what a run does not change of `task`, as JSON without what is left at its default.

    Raises:
        UsageError: if its inputs or metadata cannot be written as JSON.
    """
    values = task.__dict__
    spec = {
        name: value
        for name, default in _PLAIN.items()
        if (value := values[name]) is not default and value != default  # most are the very same
    }
    spec["created_at"] = _seconds(task.created_at)
    if task.attachments:
        spec["attachments"] = [_material_data(material) for material in task.attachments]
    if task.checks:
        spec["checks"] = [check.to_data() for check in task.checks]
    if task.config is not NO_CONFIG:
        spec["config"] = task.config.model_dump(mode="json", exclude_none=True)
    return dump_json(spec, what=f"task {task.id}: its inputs and metadata")


def _material_data(material: Material) -> list[Any]:
    part = () if material.part is None else (material.part,)
    return [material.name, material.text, *part]


def _material(name: str, text: str, part: tuple[int, int] | None = None) -> Material:
    return Material(name=name, text=text, part=part)


def row_of(task: Task, position: int) -> Row:
    """Return `task` as a row; `position` is its place among its siblings, from 0."""
    return (
        task.id,
        None if (parent := task.parent) is None else parent.id,
        position,
        task.origin,
        encode_text(task.content),
        spec_of(task),
        *progress_row(progress_of(task)),
    )


def position_of(task: Task) -> int:
    """Return the place of `task` among its siblings, from 0."""
    return 0 if task.parent is None else task.parent.subtasks.index(task)


def rows_of_tree(root: Task) -> Iterator[Row]:
    """Yield `root` and all below it as rows, parents before children."""
    taken: dict[Task | None, int] = {}
    for task in root.walk():
        parent = task.parent
        position = taken.get(parent, 0)
        taken[parent] = position + 1
        yield row_of(task, position)


@collector_at_rest()
def tree_of_rows(rows: Iterable[Sequence[Any]], *, run_id: str) -> Task:
    """Return the root of the tree whose tasks `rows` are, in any order; takes linear time whatever its depth.

    Raises:
        StoreError: if the rows are not one tree, or one of them is damaged.
    """
    placed = [(row[1] is not None, row[2], lone_task(row, run_id), row[1]) for row in rows]
    if not placed:
        raise _damaged(run_id, "it has no tasks")
    placed.sort(key=lambda each: (each[0], each[1], each[2].created_at))
    return assemble([(task, parent_id) for _, _, task, parent_id in placed], lambda what: _damaged(run_id, what))


def lone_task(row: Sequence[Any], run_id: str) -> Task:
    """Return the task of a row, still alone; what is at its default is left to the task."""
    task_id, _, _, origin, content, stored_spec, *progress = row
    try:
        fields = load_json(stored_spec)
        fields["created_at"] = _datetime(fields["created_at"])
        if "attachments" in fields:
            fields["attachments"] = [_material(*data) for data in fields["attachments"]]
        fields.update(_progress_fields(progress))
        return Task(decode_text(content), id=task_id, origin=origin, **fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise _damaged(run_id, f"task {task_id} cannot be read ({type(fault).__name__}: {fault})") from fault


def _progress_fields(progress: Sequence[Any]) -> dict[str, Any]:
    state, result, output, gaps, error, attempts, usage, *times = progress
    fields = {"state": TaskState(state), "attempts": attempts}
    if result:
        fields["result"] = decode_text(result)
    if output is not None:
        fields["output"] = load_json(output)
    if gaps is not None:
        fields["gaps"] = tuple(load_json(gaps))
    if error is not None:
        fields["error"] = decode_text(error)
    if usage is not None:
        fields["usage"] = load_usage(usage)
    fields.update((name, _datetime(at)) for name, at in zip(_TIMES, times, strict=True) if at is not None)
    return fields


def dump_usage(usage: Usage) -> str | None:
    """Return `usage` as JSON; None if nothing was used."""
    if usage is NO_USAGE or usage == NO_USAGE:
        return None
    return dump_json(usage.to_data(), what="usage")


def load_usage(stored: str | None) -> Usage:
    """Return what `dump_usage` was given."""
    return NO_USAGE if stored is None else Usage(**load_json(stored))


def _seconds(at: datetime) -> float:
    """Return a time as seconds since 1970; one without a time zone is taken for UTC."""
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _damaged(run_id: str, what: str) -> StoreError:
    return StoreError(f"run {run_id} is damaged in the store: {what}; restore a backup, or start the run again")
