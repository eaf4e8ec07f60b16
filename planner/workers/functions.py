"""Python functions as workers: what of a task each parameter is given, and what becomes of the value returned."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from functools import partial
from typing import Any, overload

from ramify.planner.engines.sending import check_sendable, done_on, order_for, place_of
from ramify.planner.engines.table import EngineGiven, engine_class
from ramify.planner.errors import UsageError, WorkFailedError
from ramify.planner.runtime.several import several
from ramify.planner.store.records import MayRepeat
from ramify.planner.work.context import WorkContext
from ramify.planner.work.inputs import read_inputs
from ramify.planner.work.protocol import Outcome, Worker
from ramify.planner.work.signatures import gives_nothing, read_signature
from ramify.planner.work.steps import checked_repeat
from ramify.tasks import Task
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text

NOTHING = "(done; no result)"
"""The text of an outcome that is none, where that is meant."""

Function = Callable[..., Any] | Callable[..., Awaitable[Any]]


class FunctionWorker(Worker):
    """Does tasks with a Python function: an async one runs on the loop, another one in a thread, or as `engine` says.

    A parameter that is annotated `Task`, or is called `task` and has no annotation, is given the task; one that is
    annotated `WorkContext` or called `context` the context. Every other parameter is an input: it is taken from the
    task's `inputs` by name, and checked by pydantic against its annotation; `**more` takes all others. A function that
    lists inputs takes no others. The value that is returned is text or JSON data, as `ramify.tasks.json_data` has it,
    or, where a return type is declared, anything that pydantic can write as JSON; where `None` is declared, nothing.

    Args:
        function: the function.
        name: the type of task that it does; the function's name unless given.
        about: what it does; the first line of its docstring unless given.
        permissions: what has to be granted before it is started.
        keeps: limits of `TaskConfig` that it keeps by itself.
        may_repeat: whether it may be called again for a task if nobody knows whether it has done it: "with_key" if what
            it does is done once for one `context.idempotency_key`; False if a person has to say.
        engine: where the function is called: "here", in this process; "process", in one of its own, in which
            `max_memory_mb` is kept; "dask"; or an engine of an installed package, or of your own; as the run says
            unless given. Elsewhere it can be given inputs and a context, and stands at the top of its module, which is
            imported again there: a script has to keep what it runs below `if __name__ == "__main__":`.

    Raises:
        UsageError: if the function has a parameter that cannot be filled by name, yields its values, or returns nothing
            and does not declare that; or if there is no such engine, or the function cannot be called there.
    """

    def __init__(
        self,
        function: Function,
        *,
        name: str | None = None,
        about: str | None = None,
        permissions: Iterable[str] = (),
        keeps: Iterable[str] = (),
        may_repeat: MayRepeat = True,
        engine: EngineGiven | None = None,
    ) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        lines = (about or inspect.getdoc(function) or f"the Python function {self.name}").strip().splitlines()
        self.about = lines[0]
        self.permissions = frozenset(several(permissions))
        self.may_repeat = checked_repeat(may_repeat)
        self.keeps = frozenset(several(keeps))
        _check_gives(function, self.name)
        self._signature = read_signature(function, f"the worker {self.name!r}")
        self.inputs = self._signature.inputs
        self._place = place_of(function)
        self.engine: EngineGiven = "here"
        self._is_far = False
        self._has_engine = engine is not None
        if engine is not None:
            self.put_on(engine)
        self._is_plain = inspect.iscoroutinefunction(function) and self._signature.takes_the_task

    def put_on(self, engine: EngineGiven) -> None:
        """Have the function called on an engine.

        Raises:
            UsageError: if there is none of that name, or the function cannot be called there.
        """
        where = engine_class(engine)
        self.engine, self._is_far = engine, where.is_far
        self.keeps |= where.keeps
        if where.is_far:
            check_sendable(self.function, self._signature, self.name)

    def placed(self, engine: EngineGiven) -> "FunctionWorker":
        """Return the worker as it is in a run whose functions are called on `engine`, unless it says where itself.

        Raises:
            UsageError: if the function cannot be called there.
        """
        if self._has_engine and not _says_where(engine, self.engine):
            return self
        there = copy(self)
        try:
            there.put_on(engine)
        except UsageError as error:
            raise UsageError(f'{error}; or leave it in this process with @worker(engine="here")') from None
        return there

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function itself."""
        return self.function(*arguments, **named)

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Call the function with what it asks for.

        Raises:
            WorkFailedError: if an input is missing or wrong, or what it returns cannot be used.
            WorkerLostError: if what called it is gone.
        """
        if self._is_plain:
            return self._outcome(await self.function(task), task)
        model = self._signature.inputs
        inputs = None if model is None else read_inputs(model, context.inputs, task, worker=self.name)
        positional, named = self._signature.arguments(task, context, inputs)
        order = order_for(self._place, self.name, context, is_once=self.may_repeat is False)
        value = await done_on(self.engine, order, context, partial(self.function, *positional, **named))
        return self._outcome(value, task, is_written=self._is_far)

    def _outcome(self, value: Any, task: Task, *, is_written: bool = False) -> Outcome:
        if self._signature.declares and not is_written and type(value) is not self._signature.plain:
            value = self._written(value, task)
        if isinstance(value, Outcome):
            return value
        if isinstance(value, str) and value.strip():
            return Outcome(value)
        if value is None or isinstance(value, str):
            return self._nothing(value, task)
        try:
            return Outcome(json_text(value), value)
        except (TypeError, ValueError, RecursionError):  # what it is, and where, is looked for only then
            return self._outcome_of_odd(value, task)

    def _written(self, value: Any, task: Task) -> Any:
        try:
            return self._signature.written(value)
        except ValueError as error:
            raise self._signature.misfit(error, worker=self.name, task_id=task.id) from None

    def _nothing(self, value: str | None, task: Task) -> Outcome:
        if value is None and self._signature.may_give_nothing:
            return Outcome(NOTHING)
        what = "nothing" if value is None else "an empty text"
        hint = ", or declare `-> None` if intended" if value is None else ""
        raise WorkFailedError(
            f"the worker {self.name!r} returned {what} for task {task.id}; return text or JSON data{hint}",
            task_id=task.id,
            is_unknown=True,
        )

    def _outcome_of_odd(self, value: Any, task: Task) -> Outcome:
        try:
            kept = as_json(value, "result")
        except NotJsonError as error:
            raise self._signature.refused(error, worker=self.name, task_id=task.id) from None
        return Outcome(kept if isinstance(kept, str) else json_text(kept), kept)


def _says_where(engine: EngineGiven, bare: EngineGiven) -> bool:
    """Return whether the run's engine is the one that a worker names, with a place, which the worker does not name."""
    return isinstance(engine, str) and isinstance(bare, str) and engine.startswith(f"{bare}:")


def _check_gives(function: Function, name: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"the worker {name!r} yields its values; return a list of them")
    if gives_nothing(function):
        raise UsageError(f"the worker {name!r} returns nothing; return a result, or declare `-> None` if intended")


@overload
def worker(function: Function, /) -> FunctionWorker: ...


@overload
def worker(
    *,
    name: str | None = None,
    about: str | None = None,
    permissions: Iterable[str] = (),
    keeps: Iterable[str] = (),
    may_repeat: MayRepeat = True,
    engine: EngineGiven | None = None,
    isolated: bool = False,
) -> Callable[[Function], FunctionWorker]: ...


def worker(function: Function | None = None, /, *, isolated: bool = False, **options: Any) -> Any:
    """Turn a Python function into a worker for `Executor(workers=[...])`; you can still call it.

    Args:
        function: the function; see `FunctionWorker` for its parameters.
        isolated: whether it runs in its own process; same as `engine="process"`.
        **options: `name`, `about`, `permissions`, `keeps`, `may_repeat` and `engine`, as for `FunctionWorker`.

    >>> @worker(about="doubles a number")
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> double.name, double.about, double(4)
    ('double', 'doubles a number', 8)
    """
    if isolated and options.setdefault("engine", "process") != "process":
        raise UsageError(f"isolated and engine={options['engine']!r} are both given; leave one out")
    return FunctionWorker(function, **options) if function is not None else partial(FunctionWorker, **options)
