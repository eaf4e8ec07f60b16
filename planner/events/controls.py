"""Who has cancelled or paused a run from outside, or has changed its limits: as the events tell it, for people."""

from collections.abc import Iterable, Mapping
from typing import Any

from .events import Event, EventType

_VIA = {"cli": "a command", "python": "a program", "page": "the live page"}
_DONE = {"cancel": "cancelled the run", "pause": "paused the run"}


def who(data: Mapping[str, Any]) -> str:
    """Return who has asked, from the data of an event.

    >>> who({"by": "ana@host", "pid": 7, "via": "cli"})
    'ana@host (a command, process 7)'
    """
    return f"{data['by']} ({_VIA.get(data['via'], data['via'])}, process {data['pid']})"


def control_text(data: Mapping[str, Any]) -> str:
    """Return what somebody has done, from the data of the event.

    >>> control_text({"action": "limits", "by": "ana@host", "pid": 7, "via": "cli", "changes": {
    ...     "max_calls": {"old": None, "new": 5}, "max_cost_usd": {"old": 2.0, "new": 1.5}}})
    'ana@host (a command, process 7) changed max_calls from none to 5, max_cost_usd from 2 to 1.5'
    """
    if data["action"] in _DONE:
        return f"{who(data)} {_DONE[data['action']]}"
    return f"{who(data)} changed {changes_text(data['changes'])}"


def changes_text(changes: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return which limits are different, old and new."""
    told = (f"{name} from {_number(each['old'])} to {_number(each['new'])}" for name, each in changes.items())
    return ", ".join(told) or "no limit"


def controls_of(events: Iterable[Event]) -> list[str]:
    """Return what people outside have done to the run that has these events, in order."""
    return [control_text(event.data) for event in events if event.type == EventType.RUN_CONTROLLED]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
