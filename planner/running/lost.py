"""Tasks that ran when their process ended: they are open again, unless their own code seems to be what ends it.

A Python worker that calls `os._exit`, or crashes the interpreter, takes the process with it; begun again by every
resume, it would never let the run come to an end. So it is counted how often a process has ended under such a task
since it was last done anew.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

from ramify.planner.events.events import Event, EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.store import Store
from ramify.planner.workers import Workers
from ramify.tasks import Task, TaskState

MOST_ENDS = 3
"""How many processes may end under a task before it has failed."""

_COUNTED = (EventType.TASK_RELEASED, EventType.TASK_FAILED, EventType.PLAN_EDITED)


async def settle_lost(root: Task, store: Store, recorder: Recorder, workers: Workers) -> None:
    """Open the tasks that ran when their process ended, or let them be FAILED.

    Raises:
        StoreError: if the events cannot be read.
    """
    lost = [task for task in root.walk() if task.state is TaskState.RUNNING]
    if not lost:
        return
    before = ends_of(await asyncio.to_thread(store.events_of, recorder.writer.run_id, _COUNTED))
    for task in lost:
        ends = before[task.id] + 1
        recorder.release(task, why="its process ended while it was running", lost=True)
        if ends >= MOST_ENDS and workers.may_end_process(task):
            recorder.fail_too(
                task,
                error=f"the process ended {ends} times while this ran, so its worker {task.type!r} may have killed"
                " it (os._exit, a crash, too much memory); with @worker(isolated=True) it would kill only itself",
            )


def ends_of(events: Iterable[Event]) -> Counter[str | None]:
    """Return how often a process has ended under each task, by its id, since it was last done anew."""
    ends: Counter[str | None] = Counter()
    for event in events:
        if event.type == EventType.PLAN_EDITED:
            for task_id in event.data["redone"]:
                ends.pop(task_id, None)
        elif event.type == EventType.TASK_FAILED:
            ends.pop(event.task_id, None)
        elif event.data.get("lost"):
            ends[event.task_id] += 1
    return ends
