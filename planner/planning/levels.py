"""Planning ahead: which task is split next, level by level, and in which order the plans are attached.

The tasks of one level can be asked for at once. Their plans are attached in tree order, and the next level begins when
this one is over, so that the same replies make the same tree in whatever order they arrive. Knows no loop.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ramify.tasks import Task

Verdict = TypeVar("Verdict")


class Levels(Generic[Verdict]):
    """The tasks of a tree that are to be split.

    Args:
        root: where it begins.
        is_to_split: says whether a task is.
    """

    def __init__(self, root: Task, is_to_split: Callable[[Task], bool]) -> None:
        self._is_to_split = is_to_split
        self._level: list[Task] = []
        self._unasked: deque[Task] = deque()
        self._unattached: deque[Task] = deque()
        self._verdicts: dict[Task, Verdict] = {}
        self._enter([root])

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to split or to attach."""
        return not self._unattached

    def pop(self) -> Task | None:
        """Return the next task to split; None if the others have to wait for the rest of this level."""
        return self._unasked.popleft() if self._unasked else None

    def decided(self, task: Task, verdict: Verdict) -> None:
        """Note what comes of `task`."""
        self._verdicts[task] = verdict

    def decisions(self) -> Iterator[tuple[Task, Verdict]]:
        """Yield what can be attached now, in tree order; each plan has to be attached before the next is asked for."""
        while self._unattached and self._unattached[0] in self._verdicts:
            task = self._unattached[0]
            verdict = self._verdicts.pop(task)
            yield task, verdict
            self._unattached.popleft()
            if not self._unattached:
                self._enter([child for each in self._level for child in each.subtasks])

    def _enter(self, level: list[Task]) -> None:
        while level:
            self._level = level
            self._unattached = deque(task for task in level if self._is_to_split(task))
            if self._unattached:
                self._unasked = self._unattached.copy()
                return
            level = [child for task in level for child in task.subtasks]
