"""The exit codes, and what ends with which: one table for errors, one for runs.

code  means
0     done
1     the goal FAILED; `ramify resume RUN --retry-failed` tries again
2     the command, a file, a setting or the store is invalid
3     no usable model, or a rejected key
4     stopped by a limit, a full disk, or an unusable engine; can be resumed
5     waiting for a person, or paused; can be resumed
6     partial: answered without tasks that FAILED; `ramify resume RUN --retry-failed` runs them again
70    a bug in Ramify
130   interrupted or cancelled; can be resumed
"""

from collections.abc import Mapping
from types import MappingProxyType

from ramify.planner.errors import EngineError, LimitError, ModelError, NoModelError, RunError, WaitingError
from ramify.planner.run import Run
from ramify.planner.store import RunStatus
from ramify.tasks import RamifyError

DONE, FAILED, USAGE, NO_MODEL, LIMIT, WAITING, PARTIAL, FAULT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 70, 130


class RunCancelledError(RunError):
    """Raised when a run was cancelled while a person was asked about it."""


_ERRORS: tuple[tuple[type[BaseException], int], ...] = (
    (NoModelError, NO_MODEL),
    (ModelError, NO_MODEL),
    (LimitError, LIMIT),
    (EngineError, LIMIT),
    (WaitingError, WAITING),
    (RunCancelledError, INTERRUPTED),
    (RamifyError, USAGE),
    (KeyboardInterrupt, INTERRUPTED),
)

_STATUSES: Mapping[RunStatus, int] = MappingProxyType(
    {
        "done": DONE,
        "partial": PARTIAL,
        "failed": FAILED,
        "stopped": LIMIT,
        "waiting": WAITING,
        "interrupted": INTERRUPTED,
        "cancelled": INTERRUPTED,
        "running": INTERRUPTED,
    }
)


def code_of_error(error: BaseException) -> int:
    """Return the exit code of a command that ended with `error`."""
    return next((code for kind, code in _ERRORS if isinstance(error, kind)), FAULT)


def code_of_status(status: RunStatus) -> int:
    """Return the exit code that a run of that status ends with, as far as the status alone tells it."""
    return _STATUSES[status]


def code_of_run(run: Run) -> int:
    """Return the exit code of a command that carried `run` on; the model's own failures tell more than "stopped"."""
    if run.status == "stopped" and run.cause is not None:
        return code_of_error(run.cause)
    return code_of_status(run.status)
