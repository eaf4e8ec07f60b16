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
    """Does the tasks of one type. All tasks of a run share it, so it must not keep state of one task.

    Attributes:
        about: what it does, in one line, for people and planners.
        permissions: permissions that the run must grant.
        inputs: its inputs as a pydantic model, or None.
        keeps: limits of `TaskConfig` that it enforces itself.
        may_repeat: whether `perform` may repeat if its outcome is unknown; "with_key": the service accepts
            `context.idempotency_key`.
    """

    about: str = ""
    permissions: frozenset[str] = frozenset()
    inputs: "type[BaseModel] | None" = None
    keeps: frozenset[str] = frozenset()
    may_repeat: "MayRepeat" = True

    def needs(self, task: "Task") -> frozenset[str]:
        """Return the permissions that `task` needs, including those from its inputs."""
        return self.permissions

    def placed(self, engine: Any) -> "Worker":
        """Return the worker as it is in a run whose functions are called on `engine`, unless it says where itself."""
        return self

    @property
    def models(self) -> "tuple[Model, ...]":
        """Models that it calls, besides the run's."""
        return ()

    def check_edit(self, task: "Task", difference: "Difference", *, store: "Store", run_id: str) -> None:
        """Refuse an edit of `task` that has no effect, and say what to do instead.

        Args:
            task: the task, as it is to be.
            difference: what is different in it.
            store: where its run is.
            run_id: the id of its run.

        Raises:
            UsageError: if such a thing is to be changed.
        """

    def check_fork(self, task: "Task", *, run_id: str) -> None:
        """Refuse a fork of the run of `task`, and say what to do instead.

        Raises:
            UsageError: if a fork could not go on with the task.
        """

    async def prepare(self, task: "Task") -> None:
        """Load what tasks like `task` need; awaited before the first one starts."""

    @abstractmethod
    async def perform(self, task: "Task", context: "WorkContext") -> Outcome:
        """Do `task`, a leaf, once; an exception fails the attempt.

        Raises:
            WorkFailedError: if it cannot be done, and trying again would not help.
        """

    async def compose(self, task: "Task", context: "WorkContext") -> Outcome:
        """Answer `task` from its subtasks' results; by default the model does.

        Raises:
            WorkFailedError: if it cannot be answered.
        """
        return await context.compose()

    async def aclose(self) -> None:
        """Release resources; called once when the run ends."""
