"""What is ready, in the order in which it goes: by a key, and tasks of one key first come, first served.

As many tasks have the same key, a heap holds only the keys: taking one of 10,000 tasks is taking the first of a queue.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .task import Task

Key = tuple[int, int]
"""The lowest goes first."""


class ReadyQueue:
    """Tasks by their keys. A task may be in it several times."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._queues: dict[Key, deque[tuple[int, Task]]] = {}
        self._sequence = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, key: Key, task: "Task") -> None:
        """Put a task behind those of its key."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            heappush(self._keys, key)
        self._sequence += 1
        self._count += 1
        queue.append((self._sequence, task))

    def first(self) -> "Task | None":
        """Return the task that goes next; None if there is none."""
        return self._queues[self._keys[0]][0][1] if self._keys else None

    def drop(self) -> None:
        """Take out the task that goes next."""
        queue = self._queues[self._keys[0]]
        queue.popleft()
        self._count -= 1
        if not queue:
            del self._queues[heappop(self._keys)]

    def tasks(self) -> "Iterator[Task]":
        """Yield the tasks, in no order."""
        return (task for queue in self._queues.values() for _, task in queue)

    def sort(self, key_of: "Callable[[Key, Task], Key | None]") -> None:
        """Give every task the key that is made of its old one, and take it out for None; who came first stays so."""
        entries = sorted((each, key) for key, queue in self._queues.items() for each in queue)
        self._queues = {}
        self._count = 0
        for (number, task), old in entries:
            key = key_of(old, task)
            if key is not None:
                self._queues.setdefault(key, deque()).append((number, task))
                self._count += 1
        self._keys = list(self._queues)
        heapify(self._keys)
