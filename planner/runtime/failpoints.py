"""Named points at which a crash test can kill this process.

The environment says where: `RAMIFY_FAILPOINT="name"`, or `"name:N"` for the Nth passing.

    before-running-commit   a task has been set RUNNING, and that is not on disk yet
    after-running-commit    that is on disk, and nobody has been told
    before-reply-commit     a model's reply has arrived, and is not on disk yet
    after-grown-commit      some tasks of a plan that is still being written are on disk, and nobody has been told
    after-tried-commit      it is on disk that a task has failed in one piece, and it is not split yet
    after-done-commit       a task is DONE on disk, and nothing that depends on it has started
    before-step-intended    a step that may not simply be repeated is about to be written down
    after-step-intended     that is on disk, and the step is not begun
    before-step-commit      a step was taken, and what came of it is not on disk yet
    after-step-commit       that is on disk, and nobody has been told
    during-plan-commit      tasks of a plan, or added by a worker, are written, in a transaction that is still open
    during-edit-commit      some of an edit's changes are written, in a transaction that is still open
    after-edit-commit       an edit is on disk, and the run does not go on yet
    during-fork-commit      a fork's tasks are written, in a transaction that is still open
    after-fork-commit       a fork is on disk, and does not go on yet
    during-control-commit   what is asked of a run is written, in a transaction that is still open
    during-migration        a schema change is made, in a transaction that is still open

The process is killed by SIGKILL, as by `kill -9`: nothing is flushed, closed or cleaned up.
"""

import os
import signal
from functools import cache
from typing import Final

from ramify.planner.errors import UsageError

POINTS: Final = (
    "before-running-commit",
    "after-running-commit",
    "before-reply-commit",
    "after-grown-commit",
    "after-tried-commit",
    "after-done-commit",
    "before-step-intended",
    "after-step-intended",
    "before-step-commit",
    "after-step-commit",
    "during-plan-commit",
    "during-edit-commit",
    "after-edit-commit",
    "during-fork-commit",
    "after-fork-commit",
    "during-control-commit",
    "during-migration",
)


class _Armed:
    """The point that was asked for, and how many more times it is passed before it kills."""

    def __init__(self, text: str) -> None:
        name, _, count = text.partition(":")
        if name not in POINTS or not (count or "1").isdecimal() or int(count or "1") < 1:
            raise UsageError(
                f"RAMIFY_FAILPOINT={text!r} names no point; it is NAME or NAME:N with NAME one of {', '.join(POINTS)}"
            )
        self.name = name
        self.left = int(count or "1")


_wanted: Final = os.environ.get("RAMIFY_FAILPOINT")


@cache
def armed() -> _Armed | None:
    """Return the point that the environment names, if it does.

    Raises:
        UsageError: if what it names is none.
    """
    return _Armed(_wanted) if _wanted else None


def failpoint(name: str) -> None:
    """Kill this process if `name` is the armed point and this is the passing that was asked for."""
    if not _wanted or (point := armed()) is None or point.name != name:
        return
    point.left -= 1
    if point.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
