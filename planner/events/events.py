"""What happens in a run, as events: typed, numbered, published on a bus that belongs to the run alone.

An event that tells of a result is published after the result is on disk. What the data of each type holds is in
`event_forms`.
"""

import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from ramify.planner.errors import UsageError
from ramify.planner.runtime.border import border
from ramify.planner.store.records import PLAN_EDITED, RUN_FORKED, EventRecord

if TYPE_CHECKING:
    from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
    from ramify.prompts.variables import ToolOutcome

_log = logging.getLogger("ramify.events")

Told = TypeVar("Told")


class EventType(StrEnum):
    """The types of events."""

    RUN_STARTED = "run_started"
    RUN_FORKED = RUN_FORKED
    PLAN_GROWN = "plan_grown"
    PLAN_ATTACHED = "plan_attached"
    METHOD_PASSED_OVER = "method_passed_over"
    PLAN_ATOMIC = "plan_atomic"
    PLANNED = "planned"
    PLAN_EDITED = PLAN_EDITED
    PLAN_APPROVED = "plan_approved"
    PLAN_REVISED = "plan_revised"
    PLAN_STEERED = "plan_steered"
    TASK_STARTED = "task_started"
    TASK_PROGRESS = "task_progress"
    TASK_RETRYING = "task_retrying"
    TASK_TRIED = "task_tried"
    CHECKED = "checked"
    VOTED = "voted"
    TASK_DONE = "task_done"
    TASK_FAILED = "task_failed"
    TASK_RELEASED = "task_released"
    CALL_STARTED = "call_started"
    TASK_ADDED = "task_added"
    TASK_CHANGED = "task_changed"
    STEP_INTENDED = "step_intended"
    STEP_DONE = "step_done"
    STEP_UNKNOWN = "step_unknown"
    CALL_DONE = "call_done"
    CALL_FAILED = "call_failed"
    PROMPT_CUT = "prompt_cut"
    EMITTED = "emitted"
    ALERT = "alert"
    LIMIT_NEAR = "limit_near"
    PERSON_ASKED = "person_asked"
    PERSON_ANSWERED = "person_answered"
    RUN_WAITING = "run_waiting"
    RUN_CONTROLLED = "run_controlled"
    RUN_STOPPING = "run_stopping"
    WARNING = "warning"
    RUN_FINISHED = "run_finished"


Event = EventRecord
"""One thing that happened; `type` is an `EventType`."""

Subscriber = Callable[[Event], None]

Wanted = Callable[[Event], bool]
"""Says of an event whether a subscriber wants it."""

CallWatcher = Callable[["Model", "ModelRequest"], AbstractContextManager[Callable[["ModelReply"], None]]]
"""What is open while a model is asked, and is given the reply; it sees the words, which events leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A call of a tool that is made now.

    Attributes:
        task_id: the task.
        tool: the tool's name.
        about: what it does.
        call_id: what the model calls the call.
        arguments: the arguments, as JSON data without secrets.
    """

    task_id: str
    tool: str
    about: str
    call_id: str
    arguments: Mapping[str, Any]


ToolWatcher = Callable[[ToolUse], AbstractContextManager[Callable[["ToolOutcome"], None]]]
"""What is open while a tool is called, and is given what comes of it, without secrets."""


class EventBus:
    """Hands the events of one run to whoever subscribed, in order.

    Attributes:
        first_seq: the number of the first event that was published; None before that.
        last_seq: the number of the last one; 0 before the first.
        is_closed: whether no more will come.
        thread_id: the thread that publishes; None before the first event.
    """

    def __init__(self) -> None:
        self.first_seq: int | None = None
        self.last_seq = 0
        self.is_closed = False
        self.thread_id: int | None = None
        self._subscribers: dict[int, tuple[frozenset[EventType], Wanted | None, Subscriber]] = {}
        self._watchers: dict[int, CallWatcher] = {}
        self._tool_watchers: dict[int, ToolWatcher] = {}
        self._closers: list[Callable[[], None]] = []
        self._next = 0

    def subscribe(
        self, subscriber: Subscriber, *types: EventType | str, where: Wanted | None = None
    ) -> Callable[[], None]:
        """Have `subscriber` called with every event, or with those of `types` that are `where`; return what ends it.

        It is called on the loop of the run and should be quick; what it or `where` raises is logged and goes no
        further.

        Raises:
            UsageError: if a type is none, or the subscriber is async, so that nobody would await it.
        """
        if inspect.iscoroutinefunction(subscriber):
            raise UsageError(
                "a subscriber must be a plain function; in async code use `async for event in run.events()`"
            )
        key = self._next
        self._next += 1
        self._subscribers[key] = event_types(types), where, subscriber
        return lambda: self._subscribers.pop(key, None) and None

    def publish(self, event: Event) -> None:
        """Hand `event` to the subscribers."""
        if self.first_seq is None:
            self.first_seq, self.thread_id = event.seq, get_ident()
        self.last_seq = event.seq
        for types, where, subscriber in tuple(self._subscribers.values()):
            if types and event.type not in types:
                continue
            try:
                with border:
                    if where is None or where(event):
                        subscriber(event)
            except Exception:  # noqa: BLE001 - a failure of somebody else's code is logged, and goes no further
                _log.exception("a subscriber failed on event %s (%s)", event.seq, event.type)

    def watch_calls(self, watcher: CallWatcher) -> Callable[[], None]:
        """Have `watcher`, which may raise nothing of its own, opened around every call; return what ends that."""
        key = self._next
        self._next += 1
        self._watchers[key] = watcher
        return lambda: self._watchers.pop(key, None) and None

    @property
    def has_call_watchers(self) -> bool:
        """Whether somebody watches calls."""
        return bool(self._watchers)

    def calling(
        self, model: "Model", request: "ModelRequest"
    ) -> "AbstractContextManager[Callable[[ModelReply], None]]":
        """Have who watches calls watch this one, which is made inside, and is told the reply with what this gives."""
        return _watched(watcher(model, request) for watcher in tuple(self._watchers.values()))

    def watch_tools(self, watcher: ToolWatcher) -> Callable[[], None]:
        """Have `watcher`, which may raise nothing of its own, opened around every use of a tool; return its end."""
        key = self._next
        self._next += 1
        self._tool_watchers[key] = watcher
        return lambda: self._tool_watchers.pop(key, None) and None

    def using(self, use: ToolUse) -> "AbstractContextManager[Callable[[ToolOutcome], None]]":
        """Have who watches tools watch this call, which is made inside, and is told what comes of it."""
        return _watched(watcher(use) for watcher in tuple(self._tool_watchers.values()))

    def close(self) -> None:
        """Say that no more events come."""
        self.is_closed = True
        closers, self._closers = self._closers, []
        for closer in closers:
            try:
                with border:
                    closer()
            except Exception:  # noqa: BLE001 - as above
                _log.exception("a callback at the end of the events failed")

    def at_close(self, closer: Callable[[], None]) -> None:
        """Have `closer` called when no more events come; at once, if that is so already."""
        if self.is_closed:
            closer()
        else:
            self._closers.append(closer)


@contextmanager
def _watched(watches: "Iterable[AbstractContextManager[Callable[[Told], None]]]") -> "Iterator[Callable[[Told], None]]":
    """Have all `watches` open, and give what tells them all."""
    with ExitStack() as stack:
        told = [stack.enter_context(watch) for watch in watches]

        def tell(what: Told) -> None:
            for each in told:
                each(what)

        yield tell


def event_types(names: Collection[EventType | str]) -> frozenset[EventType]:
    """Return the types of events that `names` name.

    Raises:
        UsageError: if a name is none; the message says which come near.
    """
    known = [str(each) for each in EventType]
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"there are no events of type {str(name)!r}; {hint}")
    return frozenset(map(EventType, names))
