"""Python functions as workers: what of a task each parameter is given, and what becomes of the value returned."""

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, overload

from pydantic import BaseModel
from ramify.planner.errors import WorkFailedError
from ramify.tasks import Task

from .context import WorkContext
from .inputs import read_inputs
from .protocol import Outcome, Worker
from .signatures import read_signature

Function = Callable[..., Any] | Callable[..., Awaitable[Any]]


class FunctionWorker(Worker):
    """Does tasks with a Python function: an async one runs on the loop, another one in a thread.

    A parameter that is annotated `Task`, is called `task`, or is the only one and has no annotation, is given the task;
    one that is annotated `WorkContext` or called `context` the context. Every other parameter is an input: it is taken
    from the task's `inputs` by name, and checked by pydantic against its annotation. The value that is returned is text
    or JSON data, or, where a return type is declared, anything that pydantic can write as JSON.

    Args:
        function: the function.
        name: the type of task that it does; the function's name unless given.
        about: what it does; the first line of its docstring unless given.
        permissions: what has to be granted before it is started.
        keeps: limits of `TaskConfig` that it keeps by itself.

    Raises:
        UsageError: if the function has a parameter that cannot be filled by name.
    """

    def __init__(
        self,
        function: Function,
        *,
        name: str | None = None,
        about: str | None = None,
        permissions: Iterable[str] = (),
        keeps: Iterable[str] = (),
    ) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        lines = (about or inspect.getdoc(function) or f"the Python function {self.name}").strip().splitlines()
        self.about = lines[0]
        self.permissions = frozenset(permissions)
        self.keeps = frozenset(keeps)
        self._signature = read_signature(function, f"the worker {self.name!r}")
        self.inputs = self._signature.inputs
        self._is_plain = inspect.iscoroutinefunction(function) and self._signature.takes_the_task

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function itself."""
        return self.function(*arguments, **named)

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Call the function with what it asks for.

        Raises:
            WorkFailedError: if an input is missing or wrong, or what it returns cannot be used.
        """
        if self._is_plain:
            return self._outcome(await self.function(task), task)
        inputs = None if self._signature.inputs is None else self._checked(self._signature.inputs, task, context.inputs)
        positional, named = self._signature.arguments(task, context, inputs)
        try:
            value = await context.services.call(task, self.function, *positional, **named)
        except BaseException:
            context.cancelled.set()
            raise
        return self._outcome(value, task)

    def _checked(self, model: type[BaseModel], task: Task, inputs: dict[str, Any]) -> BaseModel:
        taken = {name: inputs[name] for name in model.model_fields if name in inputs}
        return read_inputs(model, taken, task, worker=self.name)

    def _outcome(self, value: Any, task: Task) -> Outcome:
        if type(value) is not str or self._signature.returns is not None:
            value = self._signature.written(value)
        if isinstance(value, Outcome):
            return value
        if isinstance(value, str) and value.strip():
            return Outcome(value)
        if value is None or isinstance(value, str):
            raise WorkFailedError(f"the worker {self.name!r} returned nothing for task {task.id}", task_id=task.id)
        try:
            return Outcome(json.dumps(value, ensure_ascii=False), value)
        except (TypeError, ValueError):
            raise WorkFailedError(
                f"the worker {self.name!r} returned {type(value).__name__} for task {task.id}; return text or JSON"
                " data",
                task_id=task.id,
            ) from None


@overload
def worker(function: Function, /) -> FunctionWorker: ...


@overload
def worker(
    *,
    name: str | None = None,
    about: str | None = None,
    permissions: Iterable[str] = (),
    keeps: Iterable[str] = (),
    isolated: bool = False,
) -> Callable[[Function], FunctionWorker]: ...


def worker(function: Function | None = None, /, *, isolated: bool = False, **options: Any) -> Any:
    """Make a worker of a Python function; it can still be called. `Executor(workers=[...])` takes it.

    Args:
        function: the function; see `FunctionWorker` for what its parameters are given.
        isolated: whether it is called in a process of its own, in which `max_memory_mb` is kept; see `IsolatedWorker`.
        **options: `name`, `about`, `permissions` and `keeps`, as for `FunctionWorker`.

    >>> @worker(about="doubles a number")
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> double.name, double.about, double(4)
    ('double', 'doubles a number', 8)
    """
    if function is not None:
        return FunctionWorker(function)
    kind = FunctionWorker
    if isolated:
        from .isolated import IsolatedWorker

        kind = IsolatedWorker
    return lambda function: kind(function, **options)
