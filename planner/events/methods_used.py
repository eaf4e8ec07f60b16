"""Which methods a run has used, and which it has found and passed over, as its events tell it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .events import Event, EventType

TOLD_BY = (EventType.PLAN_ATTACHED, EventType.METHOD_PASSED_OVER)


class MethodUse(NamedTuple):
    """A method that was found for a task.

    Attributes:
        task_id: the task.
        method: the method's name.
        parameters: what its parameters stood for.
        why: why it was passed over; empty if it has split the task.
    """

    task_id: str
    method: str
    parameters: Mapping[str, str]
    why: str = ""

    @property
    def text(self) -> str:
        """What became of it, for people to read.

        >>> MethodUse("0", "compare", {"a": "Oslo"}).text, MethodUse("0", "compare", {}, "no").text
        ('split by the method compare (a: Oslo)', 'the method compare is not used: no')
        """
        if self.why:
            return f"the method {self.method} is not used: {self.why}"
        stood = ", ".join(f"{name}: {' '.join(words.split())}" for name, words in self.parameters.items())
        return f"split by the method {self.method}{f' ({stood})' if stood else ''}"

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        told = {"why": self.why} if self.why else {"parameters": dict(self.parameters)}
        return {"task": self.task_id, "method": self.method, "is_used": not self.why, **told}


def methods_of(events: Iterable[Event]) -> list[MethodUse]:
    """Return the methods that were found for tasks, in order; what was found again after a resume is said once."""
    found: dict[tuple[str, str, str], MethodUse] = {}
    for event in events:
        if event.type in TOLD_BY and "method" in event.data:
            given, why = event.data.get("parameters", {}), str(event.data.get("why", ""))
            use = MethodUse(str(event.task_id), str(event.data["method"]), dict(given), why)
            found.setdefault((use.task_id, use.method, why), use)
    return list(found.values())


def methods_text(uses: Iterable[MethodUse]) -> str:
    """Return in a line which tasks were split by which methods; empty if none was."""
    by_method: dict[str, list[str]] = {}
    for use in uses:
        if not use.why:
            by_method.setdefault(use.method, []).append(use.task_id)
    return "; ".join(f"{name} has split task{'s' * (len(ids) > 1)} {' '.join(ids)}" for name, ids in by_method.items())
