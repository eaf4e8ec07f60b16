"""When a limit comes near: at 80 % of it an event tells so, once for each limit of a run, whoever carries it on."""

from collections.abc import Iterable

from ramify.planner.events.events import Event, EventType
from ramify.planner.events.recorder import Recorder
from ramify.tasks import Task

NEAR = 0.8
"""The share of a limit from which on it is near."""


class SoftLimits:
    """Tells of limits that come near.

    Args:
        recorder: writes it down.
        told: the events that have told of some before; a limit that was raised since is another one.
    """

    def __init__(self, recorder: Recorder, told: Iterable[Event] = ()) -> None:
        self._recorder = recorder
        self._told = {(event.task_id, event.data["limit"], event.data["allowed"]) for event in told}

    def used(self, limit: str, used: float, allowed: float | None, task: Task | None = None) -> None:
        """Tell that so much of a limit is used, if that is near it and was not told.

        Args:
            limit: its name.
            used: how much is used.
            allowed: what it allows; None is no limit.
            task: the task that has the limit; None if the run has it.
        """
        if not allowed or used < NEAR * allowed:
            return
        key = None if task is None else task.id, limit, allowed
        if key in self._told:
            return
        self._told.add(key)
        owner = "the run" if task is None else f"task {task.id}"
        message = f"{owner} has used {used:g} of {limit} = {allowed:g}"
        self._recorder.put(EventType.LIMIT_NEAR, task, limit=limit, used=used, allowed=allowed, message=message)
