"""What the live tree is drawn from: the run's tree, and what its events add: counts, spending, attempts, waits."""

from collections import deque
from dataclasses import dataclass

from ramify.planner.budget import total_usage
from ramify.planner.events import Event, EventType
from ramify.tasks import Task, TaskState, Usage

RECENT = 50
"""Tasks that ended last, kept so that a folded tree can show them."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures above the tree.

    Attributes:
        tasks: tasks that there are.
        done: tasks that are finished.
        failed: tasks that have failed.
        retries: attempts that were made again.
        usage: what this process's calls, and the ones that were recorded before, have used.
    """

    tasks: int
    done: int
    failed: int
    retries: int
    usage: Usage


class Ledger:
    """Keeps the books of one run; each event costs the same, however large the tree.

    Args:
        root: the tree, as it stands before the first event.
    """

    def __init__(self, root: Task) -> None:
        self.root = root
        self.running: dict[Task, float] = {}
        self.notes: dict[Task, str] = {}
        self.recent: deque[Task] = deque(maxlen=RECENT)
        self.failed: dict[Task, None] = {}
        self.phase = "starting"
        self.notice = ""
        self.started_at: float | None = None
        self._tasks = self._done = self._retries = 0
        self._usage = total_usage(root)
        for task in root.walk():
            self._tasks += task.state is not TaskState.DELETED
            self._done += task.state is TaskState.DONE
            if task.state is TaskState.FAILED:
                self.failed[task] = None

    @property
    def totals(self) -> Totals:
        """The figures as of the last event."""
        return Totals(self._tasks, self._done, len(self.failed), self._retries, self._usage)

    def take(self, event: Event) -> None:
        """Enter one event; events come in order."""
        if self.started_at is None:
            self.started_at = event.at
        if event.task_id is None:
            self._take_run(event)
        else:
            self._take_task(event, self.root.find(event.task_id))

    def _take_run(self, event: Event) -> None:
        if event.type == EventType.RUN_STARTED:
            self.phase = "planning"
        elif event.type == EventType.PLANNED:
            self.phase = "running"
        elif event.type == EventType.RUN_WAITING:
            pause = f" {event.data['delay_s']:g} s" if event.data.get("delay_s") else ""
            self.notice = f"waiting{pause}: {event.data['why']}"
        elif event.type == EventType.RUN_STOPPING:
            self.phase = "stopping"
        elif event.type == EventType.RUN_FINISHED:
            self.phase = str(event.data["status"])
            self.notice = ""

    def _take_task(self, event: Event, task: Task) -> None:
        if event.type == EventType.TASK_STARTED:
            self.phase = "running" if self.phase == "planning" else self.phase
            self.running[task] = event.at
            self.failed.pop(task, None)
        elif event.type in {EventType.TASK_DONE, EventType.TASK_FAILED, EventType.TASK_RELEASED}:
            self._end(task, event)
        elif event.type == EventType.PLAN_ATTACHED:
            self._tasks += len(event.data["subtasks"])
            self.recent.append(task)
        elif event.type == EventType.TASK_RETRYING:
            self._retries += 1
            self.notes[task] = f"attempt {event.data['attempt']} failed: {event.data['error']}"
        elif event.type == EventType.CALL_DONE:
            self._spend(event)
        elif event.type == EventType.WARNING:
            self.notice = str(event.data["message"])
        elif event.type == EventType.ALERT:
            self.notice = f"{event.data['level']} alert of task {task.id}: {event.data['message']}"

    def _end(self, task: Task, event: Event) -> None:
        self.running.pop(task, None)
        if event.type == EventType.TASK_RELEASED:
            return
        self.recent.append(task)
        if event.type == EventType.TASK_FAILED:
            self.failed[task] = None
            self.notes[task] = str(event.data["error"])
        else:
            self._done += 1
            self.notes.pop(task, None)

    def _spend(self, event: Event) -> None:
        self.notice = "" if self.notice.startswith("waiting") else self.notice
        if event.data["recorded"]:
            return
        cost = event.data.get("cost_usd")
        self._usage += Usage(
            calls=1, input_tokens=event.data["tokens"], cost_usd=cost or 0.0, calls_without_cost=int(cost is None)
        )
