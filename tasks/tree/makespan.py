"""How long a tree takes when so many tasks run at the same time: by the scheduler itself, and without waiting.

    makespan >= max(the critical path, all work / jobs)

A list schedule, which leaves no place empty while a task is ready, takes less than both together.

Source: Graham 1969, doi:10.1137/0117039.
"""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from .running import move, put
from .schedule import Scheduler
from .states import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable

    from .task import Task
    from .times import Times

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def drive(scheduler: Scheduler, jobs: int, seconds_of: "Callable[[Task], float]") -> float:
    """Let the tasks of `scheduler` take `seconds_of` each, `jobs` at the same time; return the seconds to the last end.

    No time passes, but tasks are DONE afterwards, and tell how long they took. What ends at the same time ends before
    anything else begins.
    """
    at_work: list[tuple[float, int, Task]] = []
    numbers, at = count(), 0.0
    while True:
        while len(at_work) < jobs and (task := scheduler.pop()) is not None:
            seconds = seconds_of(task)
            move(task, TaskState.RUNNING)
            put(task, started_at=_BEGIN, completed_at=_BEGIN + timedelta(seconds=seconds))
            heappush(at_work, (at + seconds, next(numbers), task))
        if not at_work:
            return at
        at = at_work[0][0]
        while at_work and at_work[0][0] == at:
            ended = heappop(at_work)[2]
            put(ended, state=TaskState.DONE)
            scheduler.finished(ended)


def makespan(
    root: "Task",
    jobs: int,
    seconds_of: "Callable[[Task], float]",
    times: "Times | None" = None,
    *,
    again: bool = False,
) -> float:
    """Return how long what is left of a tree takes, in seconds; `root` stays as it is.

    Args:
        root: the tree; what runs, or has failed, is taken to be done anew.
        jobs: how many tasks run at the same time.
        seconds_of: how long a task itself takes, in seconds.
        times: what tasks are ranked by; by their `expected_seconds` unless given.
        again: whether what is DONE is done anew, too.
    """
    opened = {TaskState.RUNNING, TaskState.FAILED, *([TaskState.DONE] if again else [])}
    tree = deepcopy(root)
    for task in tree.walk():
        if task.state in opened:
            move(task, TaskState.OPEN)
    return drive(Scheduler(tree, times=times), jobs, seconds_of)
