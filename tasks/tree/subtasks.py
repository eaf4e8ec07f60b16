"""The list of a task's subtasks: a sequence that keeps parent, order and tree in step whichever way it is changed."""

from collections.abc import Iterable, Iterator, MutableSequence
from typing import SupportsIndex, overload

from ramify.tasks.counting import counted

from .node import Node, T, refuse_if_held
from .rules import attach, detach, detach_all


class Subtasks(MutableSequence[T]):
    """The subtasks of one task, in order.

    Everything that a list can do works, and obeys the rules of the tree. Taking tasks away leaves gaps that are closed
    when somebody asks for a position, so that removing n tasks one by one, from either end or by id, costs O(n). Where
    each of them stands is noted once somebody asks for it, as it takes as much memory as all else here.
    """

    __slots__ = ("_count", "_first", "_items", "_owner", "_places")

    def __init__(self, owner: T) -> None:
        self._owner = owner
        self._items: list[T | None] = []
        self._places: dict[T, int] | None = None
        self._first = 0
        self._count = 0

    @property
    def _holes(self) -> bool:
        return len(self._items) - self._first != self._count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return iter(self[:])

    def __reversed__(self) -> Iterator[T]:
        return reversed(self[:])

    def __contains__(self, task: object) -> bool:
        return isinstance(task, Node) and task._parent is self._owner

    def __eq__(self, other: object) -> bool:
        return self[:] == list(other) if isinstance(other, list | tuple | Subtasks) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:])

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T | list[T]:
        if isinstance(index, slice):
            if self._holes or self._first:
                self._close_gaps()
            return self._items[index]  # type: ignore[return-value]
        place = index.__index__()
        if not -len(self) <= place < len(self):
            raise IndexError(f"task {self._owner.id} has {counted(len(self), 'subtask')}; there is none at {place}")
        if self._holes and place not in {0, -1}:
            self._close_gaps()
        return self._items[place + self._first if place >= 0 else place]  # type: ignore[return-value]

    def index(self, value: T, start: int = 0, stop: int | None = None) -> int:
        """Return the position of the task `value`."""
        if value not in self:
            raise ValueError(f"task {value.id} is not a subtask of task {self._owner.id}")
        if self._holes:
            self._close_gaps()
        place = self._index()[value] - self._first
        if place < start or (stop is not None and place >= stop):
            raise ValueError(f"task {value.id} is not between positions {start} and {stop}")
        return place

    @overload
    def __setitem__(self, index: SupportsIndex, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: SupportsIndex | slice, value: T | Iterable[T]) -> None:
        tasks = self[:]
        tasks[index] = value  # type: ignore[index, assignment]
        self.replace(tasks)

    @overload
    def __delitem__(self, index: SupportsIndex) -> None: ...
    @overload
    def __delitem__(self, index: slice) -> None: ...
    def __delitem__(self, index: SupportsIndex | slice) -> None:
        if not isinstance(index, slice):
            self.remove(self[index])
            return
        gone = set(self[index])
        self.replace([task for task in self if task not in gone])

    def insert(self, index: SupportsIndex, value: T) -> None:
        """Put the task `value` before position `index`."""
        place = index.__index__()
        if place >= len(self):
            self.extend([value])
            return
        refuse_if_held(self._owner, "adding a task", "tasks")
        attach(self._owner, [value])
        tasks = self[:]
        tasks.insert(place, value)
        self._fill(tasks)

    def append(self, value: T) -> None:
        """Put the task `value` at the end."""
        refuse_if_held(self._owner, "adding a task", "tasks")
        attach(self._owner, [value])
        self._put([value])

    def extend(self, values: Iterable[T]) -> None:
        """Put several tasks at the end; they may depend on each other in any order."""
        refuse_if_held(self._owner, "adding tasks", "tasks")
        self.take(values)

    def take(self, values: Iterable[T]) -> None:
        """Do what `extend` does, as a run does it that holds the tree."""
        tasks = list(values)
        attach(self._owner, tasks)
        self._put(tasks)

    def remove(self, value: T) -> None:
        """Take the task `value` out; it becomes the root of its own tree."""
        if value not in self:
            raise ValueError(f"task {value.id} is not a subtask of task {self._owner.id}")
        refuse_if_held(self._owner, f"taking task {value.id} out", "words")
        detach(value)
        self._drop(value)

    def clear(self) -> None:
        """Take all subtasks out."""
        self.replace([])

    def release(self) -> list[T]:
        """Take all subtasks out, with what they need of each other, for who puts them below another task."""
        refuse_if_held(self._owner, "taking its subtasks out", "words")
        tasks = self[:]
        detach_all(tasks)
        self._fill([])
        return tasks

    def replace(self, tasks: list[T]) -> None:
        """Let exactly `tasks` be the subtasks, in that order; nothing is changed if that is not allowed."""
        refuse_if_held(self._owner, "replacing its subtasks", "words")
        before = self[:]
        kept = set(before) & set(tasks)
        if len(set(tasks)) < len(tasks):
            raise ValueError(f"a task occurs twice in the new subtasks of task {self._owner.id}")
        gone: list[T] = []
        try:
            for task in reversed(before):
                if task not in kept:
                    detach(task)
                    gone.append(task)
            attach(self._owner, [task for task in tasks if task not in kept])
        except Exception:
            attach(self._owner, gone[::-1])
            raise
        self._fill(tasks)

    def _put(self, tasks: list[T]) -> None:
        """Put tasks, which are attached, at the end."""
        if self._places is not None:
            self._places.update((task, place) for place, task in enumerate(tasks, len(self._items)))
        self._items += tasks
        self._count += len(tasks)

    def _index(self) -> dict[T, int]:
        """Return where each task stands among the items."""
        if self._places is None:
            self._places = {task: place for place, task in enumerate(self._items) if task is not None}
        return self._places

    def _drop(self, task: T) -> None:
        self._items[self._index().pop(task)] = None
        self._count -= 1
        while self._items and self._items[-1] is None:
            self._items.pop()
        while self._first < len(self._items) and self._items[self._first] is None:
            self._first += 1
        if not self._count or len(self._items) > 2 * self._count + 16:
            self._close_gaps()

    def _close_gaps(self) -> None:
        self._fill([task for task in self._items if task is not None])

    def _fill(self, tasks: list[T]) -> None:
        self._items = list(tasks)
        self._places = None
        self._count = len(tasks)
        self._first = 0
