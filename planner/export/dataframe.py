"""A run as a table of pandas, a row for each task; the only file that knows pandas, which is an extra."""

from typing import TYPE_CHECKING, Any

from ramify.planner.errors import ExportError
from ramify.tasks import Task, TaskState

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

_TYPES = {
    "parent": "string",
    "depth": "int64",
    "content": "string",
    "worker": "string",
    "result": "string",
    "error": "string",
    "attempts": "int64",
    "duration_s": "float64",
    "calls": "int64",
    "input_tokens": "int64",
    "cached_tokens": "int64",
    "output_tokens": "int64",
    "cost_usd": "float64",
    "added": "bool",
}
_TIMES = ("started_at", "completed_at")


def tasks_frame(root: Task) -> "pd.DataFrame":
    """Return a table with a row for each task of the tree under `root`, in its order, indexed by their ids.

    `cost_usd` is missing where the cost of a call is unknown, `duration_s` where a task has not ended; `dependencies`
    holds ids, parted by spaces.

    Raises:
        ExportError: if pandas is not installed.
    """
    pd = _pandas()
    depths: dict[Task | None, int] = {None: 0}
    rows = []
    for task in root.walk():
        above = task.parent if task is not root else None
        depths[task] = depths[above] + 1
        rows.append(task_values(task, depths[task]))
    frame = pd.DataFrame(rows).set_index("id")
    frame.index = frame.index.astype("string")
    states = pd.CategoricalDtype(TaskState.states())
    frame = frame.astype({**_TYPES, "state": states, "dependencies": "string"})
    for name in _TIMES:
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
    return frame


def variants_frame(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """Return a table of `rows`, one a variant, indexed by their names.

    Raises:
        ExportError: if pandas is not installed.
    """
    frame = _pandas().DataFrame(rows)
    return frame.set_index("variant") if len(frame) else frame


def trials_frame(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """Return a table of `rows`, one for each item of a study in each arm, indexed by both.

    Raises:
        ExportError: if pandas is not installed.
    """
    frame = _pandas().DataFrame(rows)
    return frame.set_index(["item", "arm"]) if len(frame) else frame


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ExportError("tables need pandas, which is not installed: pip install 'ramify[dataframe]'") from error
    return pd


def task_values(task: Task, depth: int) -> dict[str, Any]:
    """Return what tables say of a task, by column; `depth` is its level, the root's is 1."""
    usage = task.usage
    return {
        "id": task.id,
        "parent": None if task.parent is None else task.parent.id,
        "depth": depth,
        "content": task.content,
        "state": task.state.value,
        "worker": task.type or "model",
        "dependencies": " ".join(task.dependencies),
        "result": task.result,
        "error": task.error,
        "attempts": task.attempts,
        "started_at": task.started_at,
        "completed_at": task.completed_at,
        "duration_s": task.duration_s,
        "calls": usage.calls,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": None if usage.calls_without_cost else usage.cost_usd,
        "added": task.origin == "added",
    }
