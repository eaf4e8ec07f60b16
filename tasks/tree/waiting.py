"""Whether one event of a tree has to wait for another: two searches towards each other, at twice the cost of the less.

One goes from what is waited for, the other from what may wait; each takes an edge in turn, and the first that comes to
its end decides. So a chain is tied in any order in near linear time, from either end or in pieces.
"""

from collections.abc import Callable, Container, Iterator
from typing import Generic

from .node import T

Event = tuple[T, bool]
"""A task, and whether it is its end (True) or its start (False); see `tasks.graph` for what waits for what."""


class Waiters(Generic[T]):
    """Everything that has to wait for an event, found no further than it is asked for.

    Args:
        event: the event; the tree must not change while this is used.
        never: events that are known not to lead to any that is asked about.

    Attributes:
        looked_at: how many steps the searches have taken.
    """

    def __init__(self, event: Event[T], never: Container[Event[T]] = ()) -> None:
        self.looked_at = 0
        self._reached: dict[Event[T], Event[T] | None] = {event: None}
        self._more = _spread(event, after, self._reached, never)

    def path_from(self, event: Event[T], never: Container[Event[T]] = ()) -> list[Event[T]] | None:
        """Return the events from `event` back to the one that it has to wait for; None if it need not wait.

        Args:
            event: the event that may have to wait.
            never: events that are known not to wait.

        Source: bidirectional search, Pohl 1971; what it costs over many edges: Bender, Fineman, Gilbert and Tarjan
        2015, doi:10.1145/2756553.
        """
        reached: dict[Event[T], Event[T] | None] = {event: None}
        more = _spread(event, before, reached, never)
        following: Event[T] | None = event
        while following is not None:
            self.looked_at += 1
            if following in self._reached:
                return [*_back(following, reached)[::-1], *_back(following, self._reached)[1:]]
            waiter = next(self._more, None)
            if waiter is None:
                return None
            following = waiter if waiter in reached else next(more, None)
        return None


def before(event: Event[T]) -> Iterator[Event[T]]:
    """Yield what an event waits for; a dependency that is not in the tree is left out."""
    task, is_end = event
    if is_end:
        yield task, False
        for child in task._subtasks or ():
            yield child, True
        return
    if task._parent is not None:
        yield task._parent, False
    if task.dependencies and task._tree is not None:
        by_id = task._tree.by_id
        for dependency in task.dependencies:
            if dependency in by_id:
                yield by_id[dependency], True


def after(event: Event[T]) -> Iterator[Event[T]]:
    """Yield what waits for an event: the opposite of `before`."""
    task, is_end = event
    if not is_end:
        yield task, True
        for child in task._subtasks or ():
            yield child, False
        return
    if task._parent is not None:
        yield task._parent, True
    if task._tree is not None and task._tree.dependents:
        for other in task._tree.dependents.get(task.id, ()):
            if task.id in other.dependencies:
                yield other, False


def _spread(
    first: Event[T],
    next_to: Callable[[Event[T]], Iterator[Event[T]]],
    reached: dict[Event[T], Event[T] | None],
    never: Container[Event[T]],
) -> Iterator[Event[T]]:
    """Yield every event that can be reached, one an edge, and note in `reached` from where."""
    queue = [first]
    for event in queue:
        for other in next_to(event):
            if other not in reached and other not in never:
                reached[other] = event
                queue.append(other)
            yield other


def _back(event: Event[T], reached: dict[Event[T], Event[T] | None]) -> list[Event[T]]:
    path = []
    current: Event[T] | None = event
    while current is not None:
        path.append(current)
        current = reached[current]
    return path
