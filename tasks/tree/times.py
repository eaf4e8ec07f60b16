"""How long a task takes, as far as that can be known: what is said of it, or else what tasks like it took.

    its `expected_seconds` > the mean of its kind in this run > the mean of its kind in earlier runs > one unit

A kind is a type of tasks, and whether they are executed or composed. A unit is the mean over the kinds that are known,
or a tenth of a second while none is: as all tasks count the same then, ranks are numbers of tasks. What took less than
that counts as so much, so that the order of quick tasks never depends on a clock. Times are whole microseconds, so
that equal ways are equal.

Knows no clock: tasks say when they began and ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from .states import TaskState

if TYPE_CHECKING:
    from .node import Node

UNIT_S = 0.1
"""What a task counts as long as nothing is known at all, and at least, in seconds."""

MOVED = 1.5
"""How much longer one kind has to have become, beside another one, for tasks to be ranked anew."""

Kind = tuple[str, bool]
"""The type of tasks, and whether they are composed from subtasks."""

_SECOND = 1_000_000
_UNIT = int(UNIT_S * _SECOND)
_MODEL = "model"
_NONE = 0, timedelta()


@dataclass(frozen=True, slots=True)
class Took:
    """What finished tasks of one kind took together.

    Attributes:
        count: how many they are.
        seconds: how long they took, each after the other.
    """

    count: int
    seconds: float

    @property
    def mean_s(self) -> float:
        """How long one took, in seconds."""
        return max(0.0, self.seconds / self.count)  # a clock that was set back turns no time around


class Times:
    """Learns how long the tasks of one run take, and says how long others will.

    Args:
        before: what tasks took in earlier runs, by kind.

    Attributes:
        ended: tasks that have ended and that are still to be learned from: who knows of one appends it.
    """

    def __init__(self, before: Mapping[Kind, Took] | None = None) -> None:
        self.ended: list[Node] = []
        self._took: dict[Kind, tuple[int, timedelta]] = {}
        self._before = dict(before or {})
        self._is_any_said = False
        self._use(self._means())

    @property
    def learned(self) -> dict[Kind, Took]:
        """What the finished tasks of this run took, by kind."""
        self._learn()
        return {kind: Took(count, total.total_seconds()) for kind, (count, total) in self._took.items()}

    @property
    def known(self) -> dict[Kind, Took]:
        """What tasks took, by kind: those of this run, else those of earlier ones."""
        return {**self._before, **self.learned}

    def of(self, task: "Node") -> int:
        """Return how long `task` itself takes, in microseconds, by what was known when tasks were ranked last."""
        values = task.__dict__
        said: float | None = values["expected_seconds"]
        if said is not None:
            self._is_any_said = True
            return round(said * _SECOND)
        if not self._used:
            return _UNIT
        return self._used.get((values["type"] or _MODEL, bool(task._subtasks)), self._unit)

    def seconds(self, task: "Node") -> float | None:
        """Return how long `task` itself takes, in seconds, by what is known now; None if nothing is."""
        if task.expected_seconds is not None:
            return task.expected_seconds
        took = self.known.get((task.type or _MODEL, bool(task._subtasks)))
        return None if took is None else took.mean_s

    def learn(self, tasks: Iterable["Node"]) -> "Times":
        """Learn from tasks, some of which ended in this run before; what was learned is used at once. Return itself."""
        self.ended.extend(tasks)
        self._use(self._means())
        return self

    def has_moved(self) -> bool:
        """Return whether what was learned changes how long tasks are beside each other; if so, it is used from now."""
        means = self._means()
        factors = [now / self._used.get(kind, self._unit) for kind, now in means.items()]
        factors += [_unit_of(means) / self._unit, *([1.0] if self._is_any_said else [])]
        if max(factors) < MOVED * min(factors):
            return False
        self._use(means)
        return True

    def _learn(self) -> None:
        """Add up what tasks took that have ended; nothing of those of which nobody knows when they began."""
        took = self._took
        for task in self.ended:
            values = task.__dict__
            began, ended = values["started_at"], values["completed_at"]
            if began is not None and ended is not None and values["state"] is TaskState.DONE:
                kind = values["type"] or _MODEL, bool(task._subtasks)
                count, total = took.get(kind, _NONE)
                took[kind] = count + 1, total + (ended - began)
        self.ended.clear()

    def _means(self) -> dict[Kind, int]:
        return {kind: max(_UNIT, round(took.mean_s * _SECOND)) for kind, took in self.known.items()}

    def _use(self, means: dict[Kind, int]) -> None:
        self._used, self._unit = means, _unit_of(means)


def _unit_of(means: Mapping[Kind, int]) -> int:
    return sum(means.values()) // len(means) if means else _UNIT
