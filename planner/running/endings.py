"""How a run ends, and in which words: answered, answered in part, failed with a reason, or stopped and resumable."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from traceback import format_exception

from ramify.planner.errors import EngineError, LimitError, ModelError, NoModelError, RunError, WaitingError
from ramify.planner.events.recorder import Recorder
from ramify.planner.models.retry import stops_run
from ramify.planner.runtime.border import error_text, origin_of
from ramify.planner.store.records import RunStatus
from ramify.prompts.tracebacks import from_own_code, raised_at
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.tree.partial import is_partial, missing_below, missing_words
from ramify.tasks.tree.schedule import Scheduler

_log = logging.getLogger("ramify.run")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        status: one of the statuses of a run; "done" if the root was answered, "partial" if something is missing in it.
        error: why it was not, or what is missing; None if it was.
        cause: the error behind it, if there is one.
        is_planned: whether it was to end there, so that an error in what is finished after that says more.
    """

    status: RunStatus
    error: str | None = None
    cause: Exception | None = None
    is_planned: bool = False

    def read_again(self) -> "Ending":
        """Return it as it reads now: at a limit, what was under way has been counted since."""
        return replace(self, error=error_text(self.cause)) if isinstance(self.cause, LimitError) else self


def settle(root: Task, scheduler: Scheduler, recorder: Recorder, cause: Exception | None) -> Ending:
    """Say how a run ended when nothing is left that can run; ancestors of failed tasks have failed too.

    Args:
        root: its tree.
        scheduler: knows what waits.
        recorder: writes what fails.
        cause: why its root failed, if it did so itself.
    """
    if is_partial(root):
        return Ending("partial", _missing(root))
    if root.state is TaskState.DONE:
        return Ending("done")
    failed = [task for task in root.walk() if task.state is TaskState.FAILED]
    if not failed:
        waiting = ", ".join(task.id for task in scheduler.held_up()[:5])
        raise RunError(f"nothing can run and nothing has failed; these tasks are waiting: {waiting}")
    for task in failed:
        for above in task.ancestors():
            if above.state is not TaskState.OPEN:
                break
            recorder.fail_too(above, error=because_of(task))
    return Ending("failed", root.error or f"task {failed[0].id} failed: {_why(failed[0])}", cause)


def because_of(failed: Task) -> str:
    """Return why a task has failed that cannot be composed without `failed`."""
    return f"subtask {failed.id} failed: {_why(failed)}"


def _missing(root: Task) -> str:
    words = missing_words(root)
    return f"the answer lacks {counted(sum(1 for _ in missing_below(root)), 'part')}: {'; '.join(words)}"


def _why(task: Task) -> str:
    return task.error or "it was already FAILED when the run started; --retry-failed runs it again"


def ending_of(error: Exception) -> Ending | None:
    """Return how a run ends that meets `error` in a task; None if only the task fails."""
    if isinstance(error, WaitingError):
        return Ending("waiting", error_text(error), error)
    if isinstance(error, EngineError | LimitError | NoModelError) or (
        isinstance(error, ModelError) and stops_run(error.kind)
    ):
        return Ending("stopped", error_text(error), error)
    return None


def failure_data(task: Task, error: Exception, redact: Callable[[str], str]) -> dict[str, str]:
    """Return what the event of a failed task tells; where an error comes from that is none of ours is logged too."""
    told = {"error": redact(error_text(error))}
    origin = origin_of(error)
    if origin is None:
        return told
    own = "".join(format_exception(type(origin), origin, from_own_code(origin.__traceback__)))
    _log.warning("task %s failed\n%s", task.id, redact(whole_text(own)))
    where = getattr(error, "where", None) or raised_at(origin)
    return told if where is None else {**told, "where": where}
