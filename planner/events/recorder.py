"""Writes what a run does: changes go to the store, and events to the store and the bus, in one numbered order.

This is where a run moves its tasks: each move, and what comes with it, is written down as it is made. An event that
waits for the disk holds back the ones behind it, so that listeners get them by number too.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import PlannerError
from ramify.planner.runtime.border import error_text
from ramify.planner.runtime.redaction import Redactor
from ramify.planner.store.changes import EventHappened, RunChanged, TaskChanged
from ramify.planner.store.records import RUNNING_PHASE
from ramify.prompts.blocks import cut
from ramify.tasks import Task, TaskState
from ramify.tasks.tree import running

from .events import Event, EventBus, EventType
from .tries import Tried

if TYPE_CHECKING:
    from pydantic import JsonValue
    from ramify.planner.store import Change, RunWriter
    from ramify.planner.store.writer import Then

_LONGEST_TOLD = 4_000

_log = logging.getLogger("ramify.run")


class Recorder:
    """The pen of one run.

    Args:
        writer: where changes go.
        bus: who is told.
        redactor: blots secrets out of events.
    """

    def __init__(self, writer: "RunWriter", bus: EventBus, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self.writer = writer
        self.bus = bus
        self._pending: deque[Event] = deque()
        self._unwritten: set[int] = set()

    def put(self, kind: EventType, task: Task | None = None, *changes: "Change", **data: Any) -> None:
        """Queue `changes` and an event without waiting for the disk."""
        event = self._event(kind, task, data)
        self.writer.put(*changes, EventHappened.of(event))
        if self._pending:
            self._pending.append(event)
        else:
            self.bus.publish(event)

    async def commit(self, kind: EventType, task: Task | None = None, *changes: "Change", **data: Any) -> None:
        """Write `changes` and an event; tell who listens once they are on disk.

        Raises:
            StoreError: if they could not be written.
            LeaseError: if another process has taken the run over.
        """
        event = self._event(kind, task, data)
        happened = EventHappened.of(event)
        self._pending.append(event)
        self._unwritten.add(event.seq)
        try:
            await self.writer.written(*changes, happened)
        except asyncio.CancelledError:
            self._told_when_written(event)
            raise
        self._unwritten.remove(event.seq)
        self._tell()

    def _written(self, seq: int, then: "Then", error: PlannerError | None) -> None:
        if error is None:
            self._unwritten.remove(seq)
            self._tell()
        then(error)

    def _told_when_written(self, event: Event) -> None:
        """Have an event told for which nobody waits any more: it is written all the same, and holds others back."""

        def tell(_: object) -> None:
            self._unwritten.discard(event.seq)
            self._tell()

        with suppress(PlannerError):
            self.writer.written().add_done_callback(tell)

    def warn(self, message: str, task: Task | None = None, **more: str) -> None:
        """Tell of something that is not as it should be, and what `more` there is to it: an event, and a log line."""
        _log.warning("%s", self.redactor.text(message))
        self.put(EventType.WARNING, task, message=message, **more)

    def changed(self, kind: EventType, task: Task, **data: Any) -> None:
        """Queue the present state of `task` with an event."""
        self.put(kind, task, TaskChanged.of(task), **data)

    def commit_changed(self, kind: EventType, task: Task, **data: Any) -> Coroutine[Any, Any, None]:
        """Write the present state of `task` with an event. Raises as `commit`."""
        return self.commit(kind, task, TaskChanged.of(task), **data)

    def start(self, task: Task, *, doing: str) -> None:
        """Set `task` RUNNING; the event says what is done."""
        running.move(task, TaskState.RUNNING)
        self.changed(EventType.TASK_STARTED, task, attempt=task.attempts + 1, doing=doing)

    def release(self, task: Task, *, why: str, **told: Any) -> None:
        """Let `task` be OPEN again, as its work was broken off."""
        running.move(task, TaskState.OPEN)
        self.changed(EventType.TASK_RELEASED, task, why=why, **told)

    def split(self, task: Task, added: "Sequence[Change]", **told: Any) -> Coroutine[Any, Any, None]:
        """Write the subtasks that `task` was split into, for which it is OPEN again; awaited, it is on disk."""
        running.move(task, TaskState.OPEN)
        running.put(task, error=None)  # that was about doing it whole
        subtasks = [child.id for child in task.subtasks]
        return self.commit(EventType.PLAN_ATTACHED, task, *added, TaskChanged.of(task), subtasks=subtasks, **told)

    async def tried(self, task: Task, error: str, told: str) -> Tried:
        """Write that `task` has failed in one piece, and is split; return it as it is on disk. Raises as `commit`."""
        redact = self.redactor.text
        found = Tried(redact(error), redact(cut(told, _LONGEST_TOLD)))
        await self.commit_changed(EventType.TASK_TRIED, task, error=found.error, told=found.told)
        return found

    def kept_whole(self, task: Task, why: str) -> Coroutine[Any, Any, None]:
        """Write that `task`, which is OPEN (again), is not split; awaited, it is on disk. Raises as `commit`."""
        running.move(task, TaskState.OPEN)
        return self.commit_changed(EventType.PLAN_ATOMIC, task, why=why)

    def planned(self, tasks: int) -> Coroutine[Any, Any, None]:
        """Write that the plan is complete; awaited, it is on disk. Raises as `commit`."""
        return self.commit(EventType.PLANNED, None, RunChanged.of(phase=RUNNING_PHASE), tasks=tasks)

    def finish(
        self, task: Task, text: str, output: "JsonValue" = None, gaps: tuple[str, ...] = (), *, then: "Then"
    ) -> None:
        """Let `task` be DONE, without secrets in what came of it; `then` is called when that is on disk and was told.

        Raises:
            StoreError: if nothing can be written any more; `then` is given it if it is found out later.
            LeaseError: if another process has taken the run over; likewise.
        """
        redact = self.redactor.text
        running.finish(task, redact(text), self.redactor.data(output), tuple(map(redact, gaps)) if gaps else ())
        event = self._event(EventType.TASK_DONE, task, {})
        self._pending.append(event)
        self._unwritten.add(event.seq)
        self.writer.tell(partial(self._written, event.seq, then), TaskChanged.of(task), EventHappened.of(event))

    def fail(self, task: Task, *, error: str, **told: Any) -> Coroutine[Any, Any, None]:
        """Let `task` be FAILED, without secrets in why; awaited, it is on disk. Raises as `commit`."""
        self._set_failed(task, error)
        return self.commit_changed(EventType.TASK_FAILED, task, error=task.error, **told)

    def fail_too(self, task: Task, *, error: str, **told: Any) -> None:
        """Let `task` be FAILED without waiting for the disk."""
        self._set_failed(task, error)
        self.changed(EventType.TASK_FAILED, task, error=task.error, **told)

    def drop(self, task: Task, change: dict[str, Any]) -> None:
        """Let `task`, which a script calls no more, be DELETED with all below it; `change` is how an edit tells it."""
        gone = [each for each in task.walk() if each.state is not TaskState.DELETED]
        for each in gone:
            running.move(each, TaskState.DELETED)
        self.put(EventType.PLAN_EDITED, task, *map(TaskChanged.of, gone), changes=[change], redone=[])

    def try_again(self, task: Task, error: Exception, *, attempt: int, delay_s: float, counts_as: str) -> None:
        """Tell that attempt number `attempt` at `task` has failed with `error`, and that another one follows."""
        told = {"attempt": attempt, "error": error_text(error), "delay_s": round(delay_s, 3), "counts_as": counts_as}
        self.changed(EventType.TASK_RETRYING, task, **told)

    def attempted(self, task: Task, told: str | None = None) -> None:
        """Count an attempt at `task` that has failed; the next one is `told` why; written with what comes of it."""
        running.put(task, attempts=task.attempts + 1)
        if told is not None:
            running.put(task, error=self.redactor.text(told))

    def told_more(self, task: Task, why: str) -> None:
        """Say more of why `task` has failed: it was not the end yet."""
        running.put(task, error=self.redactor.text(f"{task.error}; {why}"))
        self.changed(EventType.WARNING, task, message=f"task {task.id} stays failed: {why}")

    def _set_failed(self, task: Task, error: str) -> None:
        running.put(task, error=self.redactor.text(error))
        running.move(task, TaskState.FAILED)

    def _tell(self) -> None:
        pending, unwritten = self._pending, self._unwritten
        while pending and pending[0].seq not in unwritten:
            self.bus.publish(pending.popleft())

    def _event(self, kind: EventType, task: Task | None, data: dict[str, Any]) -> Event:
        task_id = None if task is None else task.id
        return Event(self.writer.next_seq(), time.time(), kind, task_id, self.redactor.data(data))
