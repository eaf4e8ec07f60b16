"""Where a run comes from that was forked, and what it has taken over: the event with which it begins says so.

What that run had paid for what is shared has cost the fork nothing, and is told apart from what the fork has paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ramify.tasks import Usage
from ramify.tasks.counting import counted

from .events import Event, EventType


@dataclass(frozen=True, slots=True)
class Origin:
    """What a fork was made of.

    Attributes:
        run: the id of the run that was forked.
        tasks: the tasks that it had.
        done: how many of them were done.
        paid: what its calls had used by then, and those of the runs that it was forked from itself.
    """

    run: str
    tasks: int
    done: int
    paid: Usage

    def __str__(self) -> str:
        """Return it for people to read."""
        paid = f"; paid for there: {self.paid.text}" if self.paid.calls else ""
        return f"run {self.run}, with {self.done:,} of {counted(self.tasks, 'task')} done{paid}"

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"run": self.run, "tasks": self.tasks, "done": self.done, "paid": self.paid.to_data()}


def origin_of(events: Sequence[Event]) -> Origin | None:
    """Return where the run comes from that has these events; None if it is no fork."""
    forked = [event.data for event in events if event.type == EventType.RUN_FORKED]
    if not forked:
        return None
    last = forked[-1]
    return Origin(last["run"], last["tasks"], last["done"], Usage(**last["paid"]))
