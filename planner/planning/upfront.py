"""The policy `upfront`: a goal is split until every leaf is atomic or as deep as it may be; only then anything runs."""

from ramify.tasks import Task, TaskState

from .policy import Direct, Verb, whole


class Upfront(Direct):
    """Splits breadth-first, before anything else is done.

    Args:
        max_depth: the deepest level that a task may stand on; the root's is 1.
    """

    plans_ahead = True

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth

    def next(self, task: Task) -> Verb:
        """Split an open task without subtasks and without a worker of its own, if there may be a level below it."""
        is_fresh = task.is_leaf and task.type is None and task.state is TaskState.OPEN
        return Verb.SPLIT if is_fresh and task.get_depth() < self._max_depth else whole(task)
