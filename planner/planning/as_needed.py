"""The policy `as_needed`: a task is tried in one piece first, and split only when that has failed for good.

It fails for good when its retries are used, when none of its answers passes the checks, or when its model says that it
is too big. What a split cannot mend is left as it is: a key that is missing, a server that is away, a model that
refuses, or an input that nobody has given.

Source: ADaPT, arXiv 2311.05772.
"""

from ramify.planner.errors import CheckFailedError, ModelError, WorkFailedError
from ramify.planner.models.retry import FailureKind
from ramify.tasks import ReplyError, Task
from ramify.tasks.replies.answers import TOO_BIG

from .policy import Direct, Failure, Recovery, Verb, next_step

_NO_PLAN_HELPS = frozenset({"refused", "missing_input", "ambiguous"})
"""Why a model may say that it has failed, where the parts of the task would fail for the same cause."""


class AsNeeded(Direct):
    """Splits what turned out to be too much."""

    def after(self, task: Task, failure: Failure) -> Recovery:
        """Split a task of the model's that has failed for good, if smaller tasks may not fail."""
        found = next_step(failure)
        if found is not Recovery.FAIL or failure.verb is not Verb.EXECUTE:
            return found
        return Recovery.SPLIT if _is_too_much(task, failure.error) else Recovery.FAIL


def _is_too_much(task: Task, error: Exception) -> bool:
    """Return whether `error` may come of the size of `task`."""
    if isinstance(error, WorkFailedError):
        return error.reason == TOO_BIG or (task.type is None and error.reason not in _NO_PLAN_HELPS)
    if isinstance(error, ModelError):
        return error.kind == FailureKind.CUT_OFF
    return task.type is None and isinstance(error, CheckFailedError | ReplyError | TimeoutError)
