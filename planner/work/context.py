"""What a worker is given for one task: what the task needs, what the run grants, and the ways to say something.

The methods that are not coroutines may be called from the thread that a plain function runs in, as well as on the loop.
"""

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue
from ramify.planner.errors import UsageError
from ramify.planner.events.events import EventType, Wanted
from ramify.planner.events.stream import EventStream
from ramify.planner.store.files import folder_of
from ramify.planner.store.records import MayRepeat, StepKey
from ramify.tasks import Task, TaskConfig
from ramify.tasks.json_data import NotJsonError, as_json, copy_json
from ramify.tasks.prompt_variables import input_data, needed_results

from .keys import TAKING, Taking, key_for
from .memory import TaskMemory
from .special_types import SCRIPT
from .steps import Step, check_function, checked_repeat
from .telling import Telling

if TYPE_CHECKING:
    from ramify.prompts.variables import TaskResult

    from .outcome import Outcome
    from .share import Share

T = TypeVar("T")

SAMPLES_A_MEMBER = 10_000
"""Numbers of answers that are kept apart for each of several who work on one task."""


class WorkContext(Telling):
    """The context of one attempt at one task.

    Attributes:
        task: the task.
        services: the services of the run.
        seen: earlier answers, if several agents work on the task.
        first_sample: the number of the first answer in this context.
    """

    __slots__ = (
        "_counts", "_inputs", "_is_cancelled", "_results", "first_sample", "seen", "services", "task"
    )  # fmt: skip

    def __init__(self, task: Task, services: "Share", inputs: dict[str, Any] | None = None) -> None:
        self.task = task
        self._told_at = 0.0
        self.services = services
        self._inputs = inputs
        self._is_cancelled: threading.Event | None = None
        self._counts: Counter[str] | None = None
        self._results: dict[str, JsonValue] | None = None
        self.seen: tuple[TaskResult, ...] = ()
        self.first_sample = 0

    def beside(self, seen: "Sequence[TaskResult]", number: int) -> "WorkContext":
        """Return the context of agent `number`, from 0, if several work on the task."""
        twin = WorkContext(self.task, self.services, self._inputs)
        self._counts = twin._counts = Counter() if self._counts is None else self._counts
        twin._is_cancelled = self.cancelled
        twin.seen, twin.first_sample = tuple(seen), number * SAMPLES_A_MEMBER
        return twin

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.services.run_id

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.task.attempts + 1

    @property
    def inputs(self) -> dict[str, Any]:
        """The task's arguments: its own, and those routed from its parent by name."""
        if self._inputs is None:
            self._inputs = copy_json(input_data(self.task))
        return self._inputs

    @property
    def needs(self) -> "tuple[TaskResult, ...]":
        """The tasks it depends on, its own dependencies first: `.id`, `.content`, `.result`."""
        return needed_results(self.task)

    @property
    def results(self) -> dict[str, JsonValue]:
        """Results of the tasks it depends on, by id: data if there is any, else text.

        It is this attempt's own: what is changed in it changes nothing for anybody else.
        """
        if self._results is None:
            found = (self.task.find(need.id) for need in self.needs)
            self._results = {task.id: task.result if task.output is None else copy_json(task.output) for task in found}
        return self._results

    @property
    def idempotency_key(self) -> str:
        """A UUID for services that accept idempotency keys.

        Inside a step it is the step's, in the call of a tool the call's, else the task's. It is the same in every
        attempt and every process, and another one where the task's content, documents or inputs, the results that it
        needs, or what the step is given are others.
        """
        taking = TAKING.get()
        is_ours = taking is not None and taking.scope == self.services.steps.scope
        step = taking if is_ours and taking is not None and taking.key.task_id == self.task.id else self._taken()
        return self._key_for(step)

    @property
    def config(self) -> TaskConfig:
        """The limits of the task, with inherited ones."""
        return self.services.configs.of(self.task)

    @property
    def memory(self) -> TaskMemory:
        """Values kept between tasks, in the task's `memory_scope` by default."""
        return TaskMemory(self.services.memory, self.task.memory_scope)

    @property
    def storage(self) -> Path:
        """A folder for this task, created on first use and deleted with the run.

        With the memory scope "permanent" it is the folder of the task's type, in all runs.
        """
        return folder_of(self.services.files, self.run_id, self.task)

    @property
    def is_cancelled(self) -> bool:
        """Whether the task should stop; check it in long-running functions."""
        return self.cancelled.is_set()

    @property
    def cancelled(self) -> threading.Event:
        """Set when the task should stop."""
        if self._is_cancelled is None:
            self._is_cancelled = threading.Event()
        return self._is_cancelled

    def events(self, *types: EventType | str, where: Wanted | None = None) -> EventStream:
        """Return the run's events as they happen: see `Run.events`.

        They begin with what this process does. The run does not end before its tasks do, so a task that watches has to
        leave the loop itself, when what it waits for has happened.

        Raises:
            UsageError: if a type is none.
        """
        return EventStream(self.services.recorder.bus, self.services.stored_events, types, where=where)

    def secret(self, name: str) -> str:
        """Return the value of a granted secret; it is removed from all output.

        Raises:
            NotAllowedError: if it is not granted.
        """
        return self.services.grants.secret(name, self.task)

    def spawn(self, task: Task) -> Task:
        """Add `task` beside this one; return it, or the one that an earlier attempt added.

        It is run like any other, shows as added while running, and its parent is answered from its result too. Its id
        is the parent's next free one. It may depend on tasks of the tree, this one included.

        Raises:
            UsageError: if this task is the root, so that nothing can stand beside it, or nobody works on that type.
            NotAllowedError: if it needs a permission that is not granted.
            LimitError: if the tree would have more tasks than `max_tasks` allows.
            TreeError, DependencyError, CycleError: if it cannot stand there.
        """
        return self.on_loop(lambda: self.services.spawn(self.task, task, self._key("spawn")))

    async def step(
        self,
        name: str,
        function: Callable[[], Any] | Callable[[], Awaitable[Any]],
        *,
        given: JsonValue = None,
        may_repeat: MayRepeat = True,
    ) -> Any:
        """Run a step once: if it was already done before a crash, return the stored result.

        Steps of one name are told apart by their order, so a worker has to take them in the same order every time.

        Args:
            name: what the step is, in a word.
            function: takes it; it returns JSON data, or an awaitable of it. A plain function runs in a thread.
            given: what the step depends on; a step of the same name with another input is refused on resume.
            may_repeat: whether it can be taken again if nobody knows whether it was, as the run was killed in its
                middle, or it raised something else than `NotDoneError`. If it may not, a person is asked. "with_key" is
                for what others do once for one `context.idempotency_key`: it is written down first, and taken again.

        Raises:
            UnknownStepError: if it may not be repeated, and nobody knows whether it was taken.
            RunError: if the step was taken with another input.
        """
        return await self.step_at(self._key(name), function, given=given, may_repeat=may_repeat)

    async def step_at(
        self,
        key: StepKey,
        function: Callable[[], Any] | Callable[[], Awaitable[Any]],
        *,
        given: JsonValue = None,
        may_repeat: MayRepeat = True,
    ) -> Any:
        """Run the step with this key: see `step`."""
        check_function(function, key.key)
        taking = Taking(self.services.steps.scope, key, given)

        async def take() -> Any:
            before = TAKING.get()
            TAKING.set(taking)
            try:
                return await self.services.engines.call(self.task, function)
            finally:
                TAKING.set(before)

        named = None if may_repeat is True else self._key_for(taking)
        step = Step(key=taking.key, given=given, may_repeat=checked_repeat(may_repeat), idempotency_key=named)
        output = await self.services.steps.take(self.task, step, take)
        self._tell(EventType.STEP_DONE, step=taking.key.key)
        return output

    async def compose(self) -> "Outcome":
        """Let the run's model answer the task from its subtasks' results."""
        outcome: Outcome = await self.services.compose(self)
        return outcome

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for `coroutine` in a plain function: `context.wait(context.step(...))`."""
        return self.services.engines.here.wait(coroutine)

    def on_loop(self, function: Callable[[], T]) -> T:
        """Call `function` on the run's event loop from any thread, and return its result."""
        return self.services.engines.here.on_loop(function)

    def _tell(self, kind: EventType, **data: Any) -> None:
        try:
            kept = {name: as_json(value, name) for name, value in data.items()}
        except NotJsonError as error:
            raise UsageError(f"task {self.task.id} reported something that cannot be stored: {error}") from None
        self.on_loop(lambda: self.services.recorder.put(kind, self.task, **kept))

    def _taken(self) -> Taking | None:
        """Return the step that all that is done with this context is part of, if it is one."""
        return None

    def _key_for(self, step: Taking | None) -> str:
        is_script = self.task.type == SCRIPT  # below which there are more subtasks every time
        subtasks = [] if is_script else [[each.id, each.result] for each in self.task.subtasks]
        return key_for(self.services.steps.scope, self.task, [self.inputs, self.results, subtasks], step)

    def _key(self, name: str) -> StepKey:
        """Return the key of the next step of that name; steps count for every attempt at a task."""
        if not name.strip() or not name.isprintable():
            raise UsageError(f"task {self.task.id}: the name of a step must be printable text, not {name!r}")
        if self._counts is None:
            self._counts = Counter()
        self._counts[name] += 1
        return StepKey(self.task.id, 0, f"{name}#{self._counts[name]}")
