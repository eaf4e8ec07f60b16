"""The versions of a plan: the first one, and each change of it with who made it, why, and what is different.

The events of a run hold the differences; what lies between any two versions is put together from them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.events.events import Event, EventType

TOLD_BY = (EventType.PLANNED, EventType.PLAN_EDITED)
"""The events that make a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """One version of a plan.

    Attributes:
        number: its number, from 1.
        at: when it was made, in seconds since 1970; None for a plan that was given.
        tasks: how many tasks it had, if the planner made it.
        by: "person" if somebody edited it, "steer" if the planner changed it as somebody wanted while it was under way,
            "replan" if the run changed it after a failure; empty for the first one.
        below: the task whose subtasks the run has changed.
        failed: why the run has: by id, which tasks had failed, with their errors.
        words: what a person has said, by which the planner changed it.
        changes: what is different from the version before, as JSON data: see `Difference`.
        redone: the ids of the tasks that are done again.
    """

    number: int
    at: float | None = None
    tasks: int | None = None
    by: str = ""
    below: str = ""
    failed: dict[str, str] = field(default_factory=dict)
    words: str = ""
    changes: tuple[dict[str, Any], ...] = ()
    redone: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "plan": self.number,
            "at": self.at,
            "tasks": self.tasks,
            "by": self.by,
            "below": self.below,
            "failed": self.failed,
            "words": self.words,
            "changes": list(self.changes),
            "redone": list(self.redone),
        }


def versions_of(events: Iterable[Event]) -> list[PlanVersion]:
    """Return the versions that events tell of, in order; a run has one at least."""
    versions = [PlanVersion(number=1)]
    for event in events:
        if event.type == EventType.PLANNED and len(versions) == 1:
            versions = [PlanVersion(number=1, at=event.at, tasks=event.data["tasks"])]
        elif event.type == EventType.PLAN_EDITED and event.data["changes"]:
            data = event.data
            versions.append(
                PlanVersion(
                    number=len(versions) + 1,
                    at=event.at,
                    by=data.get("by", "person"),
                    below=data.get("below", ""),
                    failed=dict(data.get("failed", {})),
                    words=data.get("words", ""),
                    changes=tuple(data["changes"]),
                    redone=tuple(data["redone"]),
                )
            )
    return versions


def between(versions: Sequence[PlanVersion], first: int, last: int) -> list[dict[str, Any]]:
    """Return what is different in version `last` from version `first`, as JSON data: see `Difference`.

    Raises:
        UsageError: if there is no such version, or the second does not come after the first.
    """
    if not 1 <= first < last <= len(versions):
        numbers = f"use two numbers from 1 to {len(versions)}, the smaller first"
        raise UsageError(f"plans {first} and {last} cannot be compared; {numbers}")
    changes: dict[str, list[dict[str, Any]]] = {}
    for version in versions[first:last]:
        for change in version.changes:
            changes.setdefault(change["task"], []).append(change)
    found = (_together(each) for each in changes.values())
    return [change for change in found if change is not None]


def _together(changes: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what several changes of one task are together; None if nothing."""
    fields: dict[str, dict[str, Any]] = {}
    for change in changes:
        for name, values in change["fields"].items():
            old = fields[name]["old"] if name in fields else values["old"]
            fields[name] = {"old": old, "new": values["new"]}
    was_new, is_gone = changes[0]["change"] == "added", changes[-1]["change"] == "removed"
    if was_new and is_gone:
        return None
    if was_new or is_gone:
        kept = {name: fields[name] for name in ("content", "parent") if name in fields}
        return {"task": changes[0]["task"], "change": "added" if was_new else "removed", "fields": kept}
    differ = {name: values for name, values in fields.items() if values["old"] != values["new"]}
    return {"task": changes[0]["task"], "change": "changed", "fields": differ} if differ else None
