"""How many pages the HTTP workers of a run have fetched, under each task that limits them (`max_pages`)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ramify.planner.errors import LimitError
from ramify.tasks import Task

if TYPE_CHECKING:
    from ramify.planner.store.records import StepKey

FETCH = "fetch"
"""The step of fetching a page."""


class PageCount:
    """The pages of one run.

    Args:
        root: its tree.
        taken: the steps that were taken before the run was resumed; pages among them count.
    """

    def __init__(self, root: Task, taken: "Iterable[StepKey]" = ()) -> None:
        self._root = root
        self._counts: Counter[str] = Counter()
        for key in taken:
            if key.key.partition("#")[0] == FETCH:
                self.add(root.find(key.task_id))

    def add(self, task: Task) -> None:
        """Count a page that was fetched for `task`."""
        self._counts.update(each.id for each in (task, *task.ancestors()))

    def left(self, task: Task) -> int | None:
        """Return how many more pages may be fetched for `task`; None if there is no limit."""
        rooms = [limit - self._counts[each.id] for each, limit in _limits(task)]
        return max(0, min(rooms)) if rooms else None

    def check(self, task: Task) -> None:
        """Make sure that another page may be fetched for `task`.

        Raises:
            LimitError: if the limit of a task at or above it is reached.
        """
        for each, limit in _limits(task):
            if self._counts[each.id] >= limit:
                raise LimitError(
                    f"task {each.id} has reached max_pages = {limit}; raise it in its config in an edited plan",
                    limit="max_pages",
                    options=("--plan", "FILE"),
                )


def _limits(task: Task) -> Iterator[tuple[Task, int]]:
    for each in (task, *task.ancestors()):
        if each.config.max_pages is not None:
            yield each, each.config.max_pages
