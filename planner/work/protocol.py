"""The interface of a worker, which does all tasks of one `type`."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from .outcome import Outcome

if TYPE_CHECKING:
    from pydantic import BaseModel
    from ramify.planner.models.protocol import Model
    from ramify.planner.store import Store
    from ramify.planner.store.records import MayRepeat
    from ramify.tasks import Task
    from ramify.tasks.tree.edits import Difference

    from .context import WorkContext

__all__ = ["Outcome", "Worker"]


class Worker(ABC):
    """Does the tasks of one type. A worker is shared by all tasks of a run, so it keeps nothing of one of them.

    Attributes:
        about: what it does, in a line; people read it in lists, and planners choose by it.
        permissions: what the runner has to grant before any of its tasks is started, by name.
        inputs: what it takes of a task's inputs, as a pydantic model; None if it does not say.
        keeps: the limits of `TaskConfig` that it keeps besides those that hold for every worker.
        may_repeat: whether `perform` may be called again for a task if nobody knows whether it was done; "with_key" if
            what it does is done once for one `context.idempotency_key`.
    """

    about: str = ""
    permissions: frozenset[str] = frozenset()
    inputs: "type[BaseModel] | None" = None
    keeps: frozenset[str] = frozenset()
    may_repeat: "MayRepeat" = True

    def needs(self, task: "Task") -> frozenset[str]:
        """Return the permissions that `task` takes: those of the worker, and any that its inputs make necessary."""
        return self.permissions

    def placed(self, engine: Any) -> "Worker":
        """Return the worker as it is in a run whose functions are called on `engine`, unless it says where itself."""
        return self

    @property
    def models(self) -> "tuple[Model, ...]":
        """The models that it asks, besides the run's own."""
        return ()

    def check_edit(self, task: "Task", difference: "Difference", *, store: "Store", run_id: str) -> None:
        """Refuse an edit of `task` that would change nothing, with the way to what was meant; none is, by default.

        Args:
            task: the task, as it is to be.
            difference: what is different in it.
            store: where its run is.
            run_id: the id of its run.

        Raises:
            UsageError: if such a thing is to be changed.
        """

    def check_fork(self, task: "Task", *, run_id: str) -> None:
        """Refuse to have the run of `task` forked, with the way to what was meant; none is, by default.

        Raises:
            UsageError: if a fork could not go on with the task.
        """

    async def prepare(self, task: "Task") -> None:
        """Load what tasks such as `task` need; awaited before the first of them starts, so that none pays for it."""

    @abstractmethod
    async def perform(self, task: "Task", context: "WorkContext") -> Outcome:
        """Do `task`, a leaf, once; whatever is raised fails the attempt, and may be tried again.

        Raises:
            WorkFailedError: if it cannot be done, and trying again would not help.
        """

    async def compose(self, task: "Task", context: "WorkContext") -> Outcome:
        """Answer `task`, whose subtasks are all done, from their results; the model does, unless a worker knows better.

        Raises:
            WorkFailedError: if it cannot be answered.
        """
        return await context.compose()

    async def aclose(self) -> None:
        """Let go of what the worker holds; called once, when the run ends, however it ends."""
