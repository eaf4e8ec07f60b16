"""What a task does just now, in a few words, told from its last event: it waits, is asked, works, or is composed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ramify.planner.events.events import Event, EventType
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import Task

WAITS_TO_ASK = "waiting to ask"

_PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "execute": "asking",
        "decompose": "planning with",
        "fit": "filling in a method with",
        "replan": "replanning with",
        "steer": "changing the plan with",
        "compose": "composing with",
        "repair": "asking again",
        "verify": "checking with",
    }
)


def doing_words(event: Event, task: Task) -> str | None:
    """Return what `task` does after `event`; None if the event does not change that.

    >>> task = Task(content="x", id="0.1")
    >>> doing_words(Event(seq=1, at=0.0, type="call_started", data={"purpose": "execute", "model": "m"}), task)
    'asking m'
    >>> doing_words(Event(seq=1, at=0.0, type="task_progress", data={"fraction": 0.4, "doing": "reading"}), task)
    'reading, 40 %'
    """
    says = _WORDS.get(event.type)
    return None if says is None else says(event.data, task)


def _progress(data: Mapping[str, Any], _: Task) -> str:
    share = "" if data["fraction"] is None else f"{data['fraction'] * 100:.0f} %"
    return ", ".join(part for part in (str(data["doing"]), share) if part)


def _retrying(data: Mapping[str, Any], _: Task) -> str:
    pause = format_duration(data["delay_s"])
    return f"attempt {data['attempt']} failed, retrying in {pause}: {data['error']}"


def _at_start(doing: str, task: Task) -> str:
    if doing == "compose":
        return "composing"
    return WAITS_TO_ASK if task.type in {None, "model"} else f"worker {task.type}"


_WORDS: Mapping[str, Callable[[Mapping[str, Any], Task], str]] = MappingProxyType(
    {
        EventType.TASK_STARTED: lambda data, task: _at_start(str(data["doing"]), task),
        EventType.CALL_STARTED: lambda data, _: f"{_PURPOSES.get(data['purpose'], data['purpose'])} {data['model']}",
        EventType.CALL_DONE: lambda *_: "working",
        EventType.CALL_FAILED: lambda *_: "working",
        EventType.TASK_PROGRESS: _progress,
        EventType.STEP_INTENDED: lambda data, _: f"runs the step {data['step']} once",
        EventType.PERSON_ASKED: lambda data, _: f"waiting for a person: {' '.join(data['questions'])}",
        EventType.PERSON_ANSWERED: lambda *_: "working",
        EventType.TASK_RETRYING: _retrying,
    }
)
