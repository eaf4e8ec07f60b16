"""What an engine is: it takes orders, which are plain data, and gives what came of them, or says that one is lost.

    job = await engine.submit(order, home)
    value = await engine.result(job)        # or raises what the function raised, or WorkerLostError
    await engine.cancel(job)                # once it is not wanted any more

An engine never does an order again by itself: whether a lost one is tried again is for the run to say. A function that
works elsewhere tells its run what it has to say, and asks it for what it wants, in messages of plain data, which
`home.hear` answers; `far.perform` is all that has to be called there.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ramify.tasks import TaskConfig
from ramify.tasks.tree.fields import MemoryScope

if TYPE_CHECKING:
    from asyncio import Future

Message = dict[str, Any]
"""What goes between a function and its run: JSON data."""


class Order(NamedTuple):
    """What has to be known to make one attempt at a task with a function, wherever it is called.

    Attributes:
        run_id: the run.
        task_id: the task.
        attempt: which attempt at it this is, from 1.
        worker: the name of the worker, for messages.
        source: where the function is found: the name of a module, or a Python file.
        name: what the function is called there.
        inputs: what the task's inputs are, as JSON data.
        limits: the limits that hold for the task.
        memory_scope: what its memory is shared with.
        is_once: whether it may not be begun a second time if nobody knows whether it was done.
    """

    run_id: str
    task_id: str
    attempt: int
    worker: str
    source: str
    name: str
    inputs: dict[str, Any]
    limits: TaskConfig
    memory_scope: MemoryScope
    is_once: bool = False

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {**self._asdict(), "limits": self.limits.model_dump(mode="json", exclude_none=True)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Order":
        """Return the order that `to_data` has made `data` of."""
        return cls(**{**data, "limits": TaskConfig.model_validate(data["limits"])})


class Home(NamedTuple):
    """What an engine has in the process of the run.

    Attributes:
        hear: answers a message of the function's; it never raises, and any thread may call it.
        call: calls the function with all that it takes, for an engine that stays in this process.
    """

    hear: Callable[[Message], Message]
    call: Callable[[], Any]


class Engine(ABC):
    """Calls functions for the tasks of one run. It is made on the run's loop when it is first asked for.

    Attributes:
        is_far: whether functions are found again by their names, in another process perhaps; then they cannot be given
            the task itself, and their context is a `FarContext`.
        keeps: the limits of `TaskConfig` that it keeps; it need not keep the time, as it is told to cancel then.
        has_places: whether it can be told where it is, as in "dask:tcp://host:8786"; its `place` says where then.
        takes_programs: whether the programs of `subprocess` tasks are run there too.

    Args:
        run_id: the run.
        jobs: how many tasks it does at a time.
    """

    is_far: ClassVar[bool] = True
    keeps: ClassVar[frozenset[str]] = frozenset()
    has_places: ClassVar[bool] = False
    takes_programs: ClassVar[bool] = False
    place: str = ""

    def __init__(self, *, run_id: str, jobs: int) -> None:
        self.run_id = run_id
        self.jobs = jobs

    @classmethod
    def check(cls) -> None:
        """Make sure that what the engine needs is installed; asked before anything of a run is begun.

        Raises:
            UsageError: if it is not, with the way to get it.
        """

    @abstractmethod
    async def submit(self, order: Order, home: Home) -> Any:
        """Take an order, and return what `result` and `cancel` know it by.

        Raises:
            UsageError: if it cannot be taken.
        """

    @abstractmethod
    async def result(self, job: Any) -> Any:
        """Return what the function gave, once it has; `far.value_of` reads that out of what `far.perform` returned.

        Raises:
            WorkerLostError: if what called the function is gone.
            Exception: whatever the function raised.
        """

    @abstractmethod
    async def cancel(self, job: Any) -> "Future[Any] | None":
        """End a job whose result nobody waits for any more, and return once it has ended.

        What cannot be ended from outside is told so, by `is_cancelled`, and runs on; what is returned then is done when
        it has ended, and until then nothing is done again for the same task.
        """

    async def aclose(self) -> None:
        """Let go of what the engine holds; called once, when the run ends, however it ends."""
