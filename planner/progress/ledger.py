"""What the live tree is drawn from: the run's tree, and what its events add: counts, spending, what is being done.

The events may be those that happen now, or those of a stored run from its first one on.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ramify.planner.events.controls import control_text
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.failed_calls import usage_of_failed
from ramify.tasks import Task, TaskState, TreeError, Usage
from ramify.tasks.tree.config import NO_USAGE

from .doing import doing_words
from .estimate import Durations, Left, seconds_left
from .plain import failure_words

RECENT = 50
"""Tasks that ended last, kept so that a folded tree can show them."""

_STARTING, _PLANNING, _RUNNING = "starting", "planning", "running"
_NOTICES: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        EventType.PERSON_ASKED: lambda data: f"asking a person: {' '.join(data['questions'])}",
        EventType.PERSON_ANSWERED: lambda _: "",
        EventType.LIMIT_NEAR: lambda data: str(data["message"]),
        EventType.RUN_CONTROLLED: control_text,
    }
)
"""What is said above the tree at events that are no task's."""
_ENDS_OF_CALLS = frozenset({EventType.CALL_DONE, EventType.CALL_FAILED})


@dataclass(frozen=True, slots=True)
class Activity:
    """What is being done for a task.

    Attributes:
        since: when it was begun.
        words: what is done just now.
    """

    since: float
    words: str


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
        root: the tree, as it stands before the first event, or later.
        spent: what was used before the first event.
        forked_from: the run that it is a fork of, if it is one.
    """

    def __init__(self, root: Task, *, spent: Usage = NO_USAGE, forked_from: str | None = None) -> None:
        self.root = root
        self.forked_from = forked_from
        self.active: dict[Task, Activity] = {}
        self.notes: dict[Task, str] = {}
        self.methods: dict[Task, str] = {}
        self.recent: deque[Task] = deque(maxlen=RECENT)
        self.failed: dict[Task, None] = {}
        self.done_below: Counter[Task] = Counter()
        self.phase = _STARTING
        self.notice = ""
        self.started_at: float | None = None
        self._usage = spent
        self._retries = 0
        self._is_waiting = False
        self._entered: dict[Task, tuple[TaskState, bool]] = {}
        self._counts: Counter[tuple[TaskState, bool]] = Counter()
        self._took = {True: Durations(), False: Durations()}
        self._busy_s = 0.0
        self._working_since: float | None = None
        for task in root.walk():
            self._enter(task)

    @property
    def totals(self) -> Totals:
        """The figures as of the last event."""
        tasks = len(self._entered) - self._count(TaskState.DELETED)
        return Totals(tasks, self._count(TaskState.DONE), len(self.failed), self._retries, self._usage)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the run may still take, in seconds; None if that cannot honestly be said."""
        if self.phase != _RUNNING or self._working_since is None or now <= self._working_since or self._is_waiting:
            return None
        running: dict[bool, list[float]] = {True: [], False: []}
        for task, activity in list(self.active.items()):
            running[task.is_leaf].append(max(0.0, now - activity.since))
        at_once = (self._busy_s + sum(map(sum, running.values()))) / (now - self._working_since)
        leaves, parents = (
            Left(self._took[is_leaf], self._counts[TaskState.OPEN, is_leaf], tuple(running[is_leaf]))
            for is_leaf in (True, False)
        )
        return seconds_left(leaves, parents, at_once=at_once)

    def take(self, event: Event) -> None:
        """Enter one event; events come in order. One of a task that is not in the tree any more tells nothing."""
        if self.started_at is None:
            self.started_at = event.at
        if event.task_id is None:
            self._take_run(event)
        else:
            with suppress(TreeError):  # it is not there any more
                self._take_task(event, self.root.find(event.task_id))

    def _take_run(self, event: Event) -> None:
        if event.type == EventType.RUN_STARTED:
            self.phase, self.notice, self._is_waiting = _PLANNING, "", False
            self.started_at, self._working_since, self._busy_s = event.at, None, 0.0
            self.active.clear()
        elif event.type == EventType.PLAN_EDITED:
            for task in self.root.walk():
                self._enter(task)
        elif event.type == EventType.PLANNED:
            self.phase = _RUNNING
        elif event.type == EventType.RUN_WAITING:
            pause = f" {event.data['delay_s']:g} s" if event.data.get("delay_s") else ""
            self.notice = f"waiting{pause}: {event.data['why']}"
            self._is_waiting = True
        elif event.type in _NOTICES:
            self.notice = _NOTICES[event.type](event.data)
        elif event.type == EventType.RUN_STOPPING:
            self.phase = "stopping"
        elif event.type == EventType.RUN_FINISHED:
            self.phase, self.notice = str(event.data["status"]), ""
            self.active.clear()

    def _take_task(self, event: Event, task: Task) -> None:
        self._enter(task)
        enter = _ENTRIES.get(event.type)
        if enter is not None:
            enter(self, task, event)
        words = doing_words(event, task)
        if words is not None and (task in self.active or event.type not in _ENDS_OF_CALLS):
            begun = None if event.type == EventType.TASK_STARTED else self.active.get(task)
            self.active[task] = Activity(event.at if begun is None else begun.since, words)

    def _enter(self, task: Task) -> None:
        """Count `task` as it stands."""
        before, now = self._entered.get(task), (task.state, task.is_leaf)
        if before == now:
            return
        if before is not None:
            self._counts[before] -= 1
        self._entered[task] = now
        self._counts[now] += 1
        was_done = before is not None and before[0] is TaskState.DONE
        if task.parent is not None:
            self.done_below[task.parent] += (task.state is TaskState.DONE) - was_done
        if task.state is TaskState.FAILED:
            self.failed[task] = None
            self.notes[task] = task.error or ""
        else:
            self.failed.pop(task, None)
            self.notes.pop(task, None)

    def _begin(self, _: Task, event: Event) -> None:
        self.phase = _RUNNING if self.phase in {_STARTING, _PLANNING} else self.phase
        self._working_since = self._working_since or event.at

    def _end(self, task: Task, event: Event) -> None:
        activity = self.active.pop(task, None)
        took_s = 0.0 if activity is None else max(0.0, event.at - activity.since)
        self._busy_s += took_s
        if event.type == EventType.TASK_DONE and activity is not None:
            self._took[task.is_leaf].add(took_s)
        if event.type != EventType.TASK_RELEASED:
            self.recent.append(task)
        if event.type == EventType.TASK_FAILED:
            self.notes[task] = failure_words(event.data)

    def _grow(self, task: Task, _: Event) -> None:
        for child in task.subtasks:
            for each in child.walk():
                self._enter(each)

    def _split(self, task: Task, event: Event) -> None:
        if "method" in event.data:
            self.methods[task] = f"by the method {event.data['method']}"
        self._grow(task, event)
        self._stay_whole(task, event)

    def _stay_whole(self, task: Task, _: Event) -> None:
        self.recent.append(task)
        if task.state is TaskState.OPEN:
            self.active.pop(task, None)

    def _try_again(self, _: Task, __: Event) -> None:
        self._retries += 1

    def _spend(self, _: Task, event: Event) -> None:
        if self._is_waiting:
            self.notice, self._is_waiting = "", False
        if event.data["recorded"]:
            return
        cost = event.data.get("cost_usd")
        self._usage += Usage(
            calls=1,
            input_tokens=event.data["tokens"],
            cost_usd=cost or 0.0,
            calls_without_cost=int(cost is None),
            cached_tokens=event.data.get("cached_tokens", 0),
        )

    def _count_failed(self, _: Task, event: Event) -> None:
        self._usage += usage_of_failed(event.data)

    def _warn(self, task: Task, event: Event) -> None:
        about = f"{task.id}: " if event.type == EventType.ALERT else ""
        self.notice = f"{about}{event.data['message']}"

    def _count(self, state: TaskState) -> int:
        return self._counts[state, True] + self._counts[state, False]


_ENTRIES: Mapping[str, Callable[[Ledger, Task, Event], None]] = MappingProxyType(
    {
        EventType.TASK_STARTED: Ledger._begin,  # noqa: SLF001 - the table of this class
        EventType.TASK_DONE: Ledger._end,  # noqa: SLF001
        EventType.TASK_FAILED: Ledger._end,  # noqa: SLF001
        EventType.TASK_RELEASED: Ledger._end,  # noqa: SLF001
        EventType.PLAN_GROWN: Ledger._grow,  # noqa: SLF001
        EventType.PLAN_ATTACHED: Ledger._split,  # noqa: SLF001
        EventType.PLAN_EDITED: Ledger._split,  # noqa: SLF001
        EventType.PLAN_ATOMIC: Ledger._stay_whole,  # noqa: SLF001
        EventType.TASK_RETRYING: Ledger._try_again,  # noqa: SLF001
        EventType.CALL_DONE: Ledger._spend,  # noqa: SLF001
        EventType.CALL_FAILED: Ledger._count_failed,  # noqa: SLF001
        EventType.PROMPT_CUT: Ledger._warn,  # noqa: SLF001
        EventType.WARNING: Ledger._warn,  # noqa: SLF001
        EventType.LIMIT_NEAR: Ledger._warn,  # noqa: SLF001
        EventType.ALERT: Ledger._warn,  # noqa: SLF001
    }
)
