"""What is ready, in the order in which it goes: by rank, and of one rank first come, first served.

As many tasks have the same rank, a heap holds only the ranks: taking one of 10,000 is taking the first of a queue.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .task import Task

_ABOVE_RANKS = 128  # bits


class Waiting:
    """What is known of one task: what still holds it up, and where it stands among those that are ready."""

    __slots__ = ("dependents", "gate_open", "place", "rank", "task", "unfinished_subtasks", "unmet")

    place: int

    def __init__(self, task: "Task", rank: int) -> None:
        self.task = task
        self.rank = rank
        self.unmet = 0
        self.unfinished_subtasks = 0
        self.gate_open = False
        self.dependents: list[Waiting] | None = None


def _key(waiting: Waiting) -> int:
    """Return what a task is sorted by: higher priorities come first, then higher ranks."""
    return -(waiting.task.priority << _ABOVE_RANKS) - waiting.rank


class ReadyQueue:
    """Tasks that may be ready; one may be in it several times."""

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._queues: dict[int, deque[Waiting]] = {}
        self._came = 0
        self._went = 0

    def __len__(self) -> int:
        return self._came - self._went

    def push(self, waiting: Waiting) -> None:
        """Put a task behind those of its rank."""
        key = _key(waiting)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            heappush(self._keys, key)
        self._came = waiting.place = self._came + 1
        queue.append(waiting)

    def first(self) -> Waiting | None:
        """Return the task that goes next; None if there is none."""
        return self._queues[self._keys[0]][0] if self._keys else None

    def pop(self) -> Waiting | None:
        """Take out the task that goes next, and return it; None if there is none."""
        if not self._keys:
            return None
        queue = self._queues[self._keys[0]]
        waiting = queue.popleft()
        self._went += 1
        if not queue:
            del self._queues[heappop(self._keys)]
        return waiting

    def __iter__(self) -> "Iterator[Waiting]":
        """Yield the tasks, in no order."""
        return (waiting for queue in self._queues.values() for waiting in queue)

    def sort(self, is_kept: "Callable[[Waiting], bool]") -> None:
        """Sort anew those that are kept, by the ranks that they have now; who came first stays so."""
        kept = sorted((waiting for waiting in self if is_kept(waiting)), key=lambda waiting: waiting.place)
        self._queues = {}
        for waiting in kept:
            self._queues.setdefault(_key(waiting), deque()).append(waiting)
        self._went = self._came - len(kept)
        self._keys = list(self._queues)
        heapify(self._keys)
