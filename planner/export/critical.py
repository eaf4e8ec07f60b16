"""Which tasks of a tree its critical path runs through: the chain that decides how long the whole takes."""

from typing import Literal

from ramify.tasks import Task, TaskManager

PathLength = Literal["time", "steps"]
"""What makes a path long: the time that its tasks took, or how many they are."""


def critical_path_of(root: Task, *, by: PathLength | None = None) -> list[str]:
    """Return the ids along the critical path of the tree under `root`, in order.

    Args:
        root: the tree.
        by: what makes a path long; the time unless given, or steps where no task has run.
    """
    if by is None:
        by = "time" if any(task.duration_s is not None for task in root.walk()) else "steps"
    manager = TaskManager(root)
    path = manager.critical_path(lambda task: task.duration_s or 0.0) if by == "time" else manager.critical_path()
    return [task.id for task in path]
