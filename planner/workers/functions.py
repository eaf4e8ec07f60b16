"""Python functions as workers: what of a task each parameter is given, and what becomes of the value returned."""

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, overload

from pydantic import BaseModel, PydanticSchemaGenerationError, TypeAdapter, ValidationError, create_model
from ramify.planner.errors import UsageError, WorkFailedError
from ramify.tasks import Task

from .context import WorkContext
from .protocol import Outcome, Worker

Function = Callable[..., Any] | Callable[..., Awaitable[Any]]
_TASK, _CONTEXT, _INPUT = "task", "context", "input"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


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
        self._roles, self._inputs, self._returns = _read_signature(function, self.name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function itself."""
        return self.function(*arguments, **named)

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Call the function with what it asks for.

        Raises:
            WorkFailedError: if an input is missing or wrong, or what it returns cannot be used.
        """
        positional, named = self._arguments(task, context)
        try:
            value = await context.services.call(self.function, *positional, **named)
        except BaseException:
            context.cancelled.set()
            raise
        return self._outcome(value, task)

    def _arguments(self, task: Task, context: WorkContext) -> tuple[list[Any], dict[str, Any]]:
        inputs = self._checked(task, context.inputs) if self._inputs is not None else None
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter, role in self._roles:
            value = task if role == _TASK else context if role == _CONTEXT else getattr(inputs, parameter.name)
            if parameter.kind in _POSITIONAL:
                positional.append(value)
            else:
                named[parameter.name] = value
        return positional, named

    def _checked(self, task: Task, inputs: dict[str, Any]) -> BaseModel:
        model = self._inputs
        if model is None:
            raise UsageError(f"the worker {self.name!r} takes no inputs")
        try:
            return model.model_validate({name: inputs[name] for name in model.model_fields if name in inputs})
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise WorkFailedError(
                f"the input {where} of task {task.id} does not fit the worker {self.name!r}: {problem['msg']}",
                task_id=task.id,
                reason="missing_input",
            ) from None

    def _outcome(self, value: Any, task: Task) -> Outcome:
        if self._returns is not None and value is not None:
            value = self._returns.dump_python(self._returns.validate_python(value), mode="json")
        elif isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
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
    *, name: str | None = None, about: str | None = None, permissions: Iterable[str] = (), keeps: Iterable[str] = ()
) -> Callable[[Function], FunctionWorker]: ...


def worker(function: Function | None = None, /, **options: Any) -> Any:
    """Make a worker of a Python function; it can still be called. `Executor(workers=[...])` takes it.

    Args:
        function: the function; see `FunctionWorker` for what its parameters are given.
        **options: `name`, `about`, `permissions` and `keeps`, as for `FunctionWorker`.

    >>> @worker(about="doubles a number")
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> double.name, double.about, double(4)
    ('double', 'doubles a number', 8)
    """
    if function is not None:
        return FunctionWorker(function)
    return lambda function: FunctionWorker(function, **options)


def _read_signature(
    function: Function, name: str
) -> tuple[list[tuple[inspect.Parameter, str]], type[BaseModel] | None, TypeAdapter[Any] | None]:
    """Return each parameter's role, the model of its inputs, and what checks its value; None where there is none."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except (TypeError, ValueError, NameError):  # a builtin, or annotations that only a type checker can see
        signature = inspect.Signature([inspect.Parameter("task", inspect.Parameter.POSITIONAL_ONLY)])
    parameters = list(signature.parameters.values())
    roles = [(parameter, _role_of(parameter, is_only=len(parameters) == 1)) for parameter in parameters]
    for parameter, role in roles:
        if role == _INPUT and parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            raise UsageError(f"the worker {name!r} takes *{parameter.name}: inputs are given by name, so list them")
    fields: dict[str, Any] = {
        parameter.name: (
            Any if parameter.annotation is parameter.empty else parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter, role in roles
        if role == _INPUT
    }
    inputs = create_model(f"Inputs of {name}", **fields) if fields else None
    return roles, inputs, _adapter(signature.return_annotation)


def _role_of(parameter: inspect.Parameter, *, is_only: bool) -> str:
    annotation = parameter.annotation
    if annotation is Task or (isinstance(annotation, type) and issubclass(annotation, Task)):
        return _TASK
    if annotation is WorkContext or parameter.name == _CONTEXT:
        return _CONTEXT
    is_bare = annotation is parameter.empty and parameter.default is parameter.empty
    if is_bare and (parameter.name == _TASK or (is_only and parameter.kind in _POSITIONAL)):
        return _TASK
    return _INPUT


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """Return what checks and writes values of a return type; None for types that need no check."""
    plain = {inspect.Signature.empty, None, Any, str, Outcome}
    if annotation in plain or annotation in {int, float, bool, dict, list}:
        return None
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return None
