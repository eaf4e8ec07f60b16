"""The policy `streaming`: a task is split when it is ready; its subtasks begin while their plan is being written."""

from ramify.tasks import Task

from .policy import Verb
from .upfront import Upfront


class Streaming(Upfront):
    """Splits when the turn of a task comes, beside others that run.

    Args:
        max_depth: the deepest level that a task may stand on; the root's is 1.
    """

    plans_ahead = False

    def next(self, task: Task) -> Verb:
        """Split what `upfront` would split, and do not wait for the end of its plan."""
        found = super().next(task)
        return Verb.STREAM if found is Verb.SPLIT else found
