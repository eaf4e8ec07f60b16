"""What a context needs of the run that it belongs to; the run's services have it, and more for workers of ours."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ramify.planner.events.events import Event
from ramify.planner.events.recorder import Recorder
from ramify.planner.store.records import StepKey
from ramify.tasks import Task, TaskConfig

from .grants import Grants
from .memory import RunMemory
from .steps import StepLog

T = TypeVar("T")


class Limits(Protocol):
    """The limits of each task."""

    def of(self, task: Task) -> TaskConfig:
        """Return the limits that hold for `task`."""


class NearEngine(Protocol):
    """The engine of the run's own process."""

    def on_loop(self, function: Callable[[], T]) -> T:
        """Call `function` on the run's event loop from any thread, and return its result."""

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what comes of `coroutine` on the run's loop; for other threads."""


class Calling(Protocol):
    """Where functions are called."""

    @property
    def here(self) -> NearEngine:
        """The engine of the run's own process."""

    async def call(self, owner: Task, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        """Return what a function gives that is called in this process for the task `owner`."""


class Calls(Protocol):
    """The calls of a script, where a script does the run's root."""

    def make(self, place: tuple[int, ...], task: Task, *, is_split: bool = False) -> Future[Any]:
        """Return the call at `place`, which is `task`: from before, or begun now."""

    async def step(self, key: StepKey, given: Any, take: Callable[[StepKey], Awaitable[Any]]) -> Any:
        """Return what comes of a step of the script, which `take` takes unless it is known."""

    def noted(self, key: StepKey, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, or what it gave before."""

    async def settle(self) -> None:
        """Return when all that is called is over, and see to what is called no more."""

    def check(self) -> None:
        """Raise what a call has raised to end the run, if one has."""

    def close(self) -> None:
        """Let nobody wait any more."""


class Share(Protocol):
    """The part of a run's services that a context itself uses; `workers.services` has what it means in full."""

    @property
    def run_id(self) -> str:
        """The run."""

    @property
    def files(self) -> Path:
        """Where workers keep files."""

    @property
    def recorder(self) -> Recorder:
        """Writes what happens."""

    @property
    def configs(self) -> Limits:
        """The limits of each task."""

    @property
    def grants(self) -> Grants:
        """What workers may do."""

    @property
    def memory(self) -> RunMemory:
        """What they remember."""

    @property
    def steps(self) -> StepLog:
        """The steps that they have taken."""

    @property
    def engines(self) -> Calling:
        """Where functions are called."""

    @property
    def calls(self) -> Calls | None:
        """The calls of its script, if a script does its root."""

    def stored_events(self, after: int, limit: int) -> list[Event]:
        """Return the run's events after a number, no more than `limit`."""

    def spawn(self, spawner: Task, task: Task, key: StepKey, /) -> Task:
        """Add `task` beside `spawner`, in the step `key`."""

    def compose(self, context: Any, /) -> Awaitable[Any]:
        """Have the run's model answer the task of a context from its subtasks' results."""
