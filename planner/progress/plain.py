"""Progress as plain lines, for logs and pipes: one for each thing that ended or needs attention."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ramify.planner.events.controls import control_text
from ramify.planner.events.events import Event, EventType
from ramify.planner.runtime.durations import format_duration
from ramify.planner.runtime.terminal import cut_for_display, one_printable_line

_MOST_IDS = 8
_SAID_AGAIN_S = 60.0
_STOPPING = "the run is stopping"


class PlainLines:
    """Turns the events of one run into lines.

    >>> lines = PlainLines()
    >>> lines.line_of(Event(seq=1, at=10.0, type="task_started", task_id="0.2", data={"doing": "execute"}))
    >>> lines.line_of(Event(seq=2, at=13.1, type="task_done", task_id="0.2"))
    '0.2 done (3.1 s)'
    """

    def __init__(self) -> None:
        self._started: dict[str | None, float] = {}
        self._waits: tuple[str, float] | None = None

    def line_of(self, event: Event) -> str | None:
        """Return what to say about `event`; None if it is not worth a line."""
        if event.type == EventType.TASK_STARTED:
            self._started[event.task_id] = event.at
            return None
        if self._has_been_said(event):
            return None
        words = _WORDS.get(event.type)
        said = words(event.data) if words is not None else None
        if said is None:
            return None
        if event.type in _ENDS:
            started = self._started.pop(event.task_id, None)
            took = "" if started is None else f" ({format_duration(max(0.0, event.at - started))})"
            head, colon, tail = said.partition(":")
            said = f"{head}{took}{colon}{tail}"
        return one_printable_line(f"{event.task_id or ''} {cut_for_display(said)}")

    def _has_been_said(self, event: Event) -> bool:
        """Return whether the run still waits for what was said lately: it looks every second or two."""
        if event.type == EventType.CALL_DONE:
            self._waits = None
        if event.type != EventType.RUN_WAITING:
            return False
        why = str(event.data["why"])
        if self._waits is not None and self._waits[0] == why and event.at < self._waits[1] + _SAID_AGAIN_S:
            return True
        self._waits = why, event.at
        return False


def failure_words(data: Mapping[str, Any]) -> str:
    """Return why a task has failed, and where, from the data of the event."""
    return f"{data['error']} ({data['where']})" if data.get("where") else str(data["error"])


def _split_words(data: Mapping[str, Any]) -> str:
    ids = list(data["subtasks"])
    more = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    by = f" by the method {data['method']}" if "method" in data else ""
    return f"split into {len(ids)}{by}: {' '.join(ids[:_MOST_IDS])}{more}"


def _edited_words(data: Mapping[str, Any]) -> str:
    kinds = Counter(change["change"] for change in data["changes"])
    told = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    return f"the plan has changed: {told}" if told else "the plan is unchanged"


def _released_words(data: Mapping[str, Any]) -> str:
    return "not finished; it will run on resume" if data["why"] == _STOPPING else f"not finished: {data['why']}"


def _waiting_words(data: Mapping[str, Any]) -> str:
    pause = f" {format_duration(data['delay_s'])}" if data.get("delay_s") else ""
    return f"waiting{pause}: {data['why']}"


def _trial_words(data: Mapping[str, Any]) -> str:
    """Return what came of a trial of a study."""
    judged = "right" if data["right"] else "wrong"
    said = f": {data['answer']}" if data["answer"] else ""
    doubt = f", not judged: {data['unsure']}" if data.get("unsure") else ""
    return f"{data['arm']}, item {data['item']}: {judged}{said}{doubt} (run {data['run']})"


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = MappingProxyType(
    {
        EventType.PLAN_ATTACHED: _split_words,
        EventType.METHOD_PASSED_OVER: lambda data: f"the method {data['method']} was not used: {data['why']}",
        EventType.PLANNED: lambda data: f"the plan is complete, tasks: {data['tasks']}",
        EventType.PLAN_EDITED: _edited_words,
        EventType.TASK_DONE: lambda _: "done",
        EventType.EMITTED: lambda data: _trial_words(data["data"]) if data["name"] == "trial" else None,
        EventType.TASK_FAILED: lambda data: f"failed: {failure_words(data)}",
        EventType.TASK_RELEASED: _released_words,
        EventType.STEP_UNKNOWN: lambda data: f"unknown whether {data['step']} was done: {data['why']}",
        EventType.TASK_RETRYING: lambda data: (
            f"attempt {data['attempt']} failed; next attempt in {format_duration(data['delay_s'])}: {data['error']}"
        ),
        EventType.ALERT: lambda data: f"alert: {data['message']}",
        EventType.LIMIT_NEAR: lambda data: f"warning: {data['message']}",
        EventType.PERSON_ASKED: lambda data: f"asking a person: {' '.join(data['questions'])}",
        EventType.PERSON_ANSWERED: lambda data: (
            f"{'assumed' if data.get('assumed') else 'a person answered'}: {' '.join(data['answers'])}"
        ),
        EventType.RUN_WAITING: _waiting_words,
        EventType.RUN_CONTROLLED: control_text,
        EventType.PROMPT_CUT: lambda data: f"warning: {data['message']}",
        EventType.WARNING: lambda data: f"warning: {data['message']}",
    }
)
_ENDS = frozenset({EventType.TASK_DONE, EventType.TASK_FAILED})
