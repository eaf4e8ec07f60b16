"""What happens in a run, as events: typed, numbered, published on a bus that belongs to the run alone.

An event that tells of a result is published after the result is on disk.
"""

import logging
from collections.abc import Callable
from enum import StrEnum

from .store.records import EventRecord

_log = logging.getLogger("ramify.events")


class EventType(StrEnum):
    """The kinds of events, with what `data` holds."""

    RUN_STARTED = "run_started"  # resumed: bool
    PLAN_ATTACHED = "plan_attached"  # subtasks: list of ids
    PLAN_ATOMIC = "plan_atomic"  # why: str
    PLANNED = "planned"  # tasks: int; the plan is complete
    TASK_STARTED = "task_started"  # attempt: int, doing: "execute" or "compose"
    TASK_PROGRESS = "task_progress"  # fraction: float or None, doing: str
    TASK_RETRYING = "task_retrying"  # attempt: int, error: str, delay_s: float
    TASK_DONE = "task_done"
    TASK_FAILED = "task_failed"  # error: str
    TASK_RELEASED = "task_released"  # why: str
    CALL_DONE = "call_done"  # purpose: str, recorded: bool, latency_s: float, tokens: int, cost_usd: float or None;
    # taken_from: str, if the reply was taken from another run or a recording: it costs nothing here
    RUN_WAITING = "run_waiting"  # why: str, delay_s: float
    RUN_STOPPING = "run_stopping"  # why: str
    WARNING = "warning"  # message: str
    RUN_FINISHED = "run_finished"  # status: str


Event = EventRecord
"""One thing that happened; `type` is an `EventType`."""

Subscriber = Callable[[Event], None]


class EventBus:
    """Hands the events of one run to whoever subscribed, in order."""

    def __init__(self) -> None:
        self._subscribers: dict[int, tuple[frozenset[EventType], Subscriber]] = {}
        self._next = 0

    def subscribe(self, subscriber: Subscriber, *types: EventType | str) -> Callable[[], None]:
        """Have `subscriber` called with every event, or with those of `types`; return what ends it.

        It is called on the loop of the run and should be quick; what it raises is logged and goes no further.
        """
        key = self._next
        self._next += 1
        self._subscribers[key] = frozenset(EventType(each) for each in types), subscriber
        return lambda: self._subscribers.pop(key, None) and None

    def publish(self, event: Event) -> None:
        """Hand `event` to the subscribers."""
        for types, subscriber in tuple(self._subscribers.values()):
            if types and event.type not in types:
                continue
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - the boundary of somebody else's code; a failure there is logged
                _log.exception("a subscriber failed on event %s (%s)", event.seq, event.type)
