"""How a Python function is called for a task: what each parameter is given, and how its value is written as JSON."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field, PydanticSchemaGenerationError, TypeAdapter, create_model
from pydantic.fields import FieldInfo
from ramify.planner.errors import UsageError
from ramify.tasks import Task

from .context import WorkContext
from .protocol import Outcome

TASK, CONTEXT, INPUT = "task", "context", "input"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function is given, and what it gives.

    Attributes:
        roles: each parameter, and whether it is given the task, the context, or an input.
        inputs: what the inputs have to be; None if there are none.
        returns: checks and writes the value; None if it needs no check.
    """

    roles: tuple[tuple[inspect.Parameter, str], ...]
    inputs: type[BaseModel] | None
    returns: TypeAdapter[Any] | None

    @property
    def takes_the_task(self) -> bool:
        """Whether the function is called with the task and nothing else."""
        return len(self.roles) == 1 and self.roles[0][1] == TASK and self.roles[0][0].kind in _POSITIONAL

    def arguments(self, task: Task, context: WorkContext, inputs: BaseModel | None) -> tuple[list[Any], dict[str, Any]]:
        """Return what the function is called with, by position and by name."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter, role in self.roles:
            value = task if role == TASK else context if role == CONTEXT else getattr(inputs, parameter.name)
            if parameter.kind in _POSITIONAL:
                positional.append(value)
            else:
                named[parameter.name] = value
        return positional, named

    def written(self, value: Any) -> Any:
        """Return a value of the function's as JSON data, if pydantic can write it so; else as it is."""
        if self.returns is not None and value is not None:
            return self.returns.dump_python(self.returns.validate_python(value), mode="json")
        return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def read_signature(
    function: Callable[..., Any],
    who: str,
    *,
    takes_task: bool = True,
    about: Mapping[str, str] | None = None,
) -> Signature:
    """Return how `function` is called.

    Args:
        function: the function.
        who: what it is, for messages, such as "the worker 'fetch'".
        takes_task: whether a bare only parameter is given the task, and a function that cannot be looked into too.
        about: what its inputs mean, by name.

    Raises:
        UsageError: if a parameter cannot be filled by name.
    """
    try:
        signature = inspect.signature(function, eval_str=True)
    except (TypeError, ValueError, NameError) as error:  # a builtin, or annotations that only a type checker can see
        if not takes_task:
            raise UsageError(f"{who} cannot be looked into ({error}); wrap it in a function of your own") from None
        signature = inspect.Signature([inspect.Parameter(TASK, inspect.Parameter.POSITIONAL_ONLY)])
    parameters = list(signature.parameters.values())
    roles = tuple((each, _role_of(each, is_only=len(parameters) == 1, takes_task=takes_task)) for each in parameters)
    inputs = [parameter for parameter, role in roles if role == INPUT]
    for parameter in inputs:
        if parameter.kind in _VARIABLE:
            raise UsageError(f"{who} takes *{parameter.name}: inputs are given by name, so list them")
        if parameter.name.startswith("_"):
            raise UsageError(f"{who} takes {parameter.name}: names of inputs do not begin with _; rename it")
    return Signature(roles, _model_of(inputs, who, about or {}), _adapter(signature.return_annotation))


def _model_of(inputs: list[inspect.Parameter], who: str, about: Mapping[str, str]) -> type[BaseModel] | None:
    fields: dict[str, Any] = {each.name: _field(each, about.get(each.name)) for each in inputs}
    if not fields:
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='Field name ".*" in ".*" shadows an attribute')
        return create_model(f"Inputs of {who}", **fields)


def _field(parameter: inspect.Parameter, about: str | None) -> tuple[Any, Any]:
    annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
    default = ... if parameter.default is parameter.empty else parameter.default
    if isinstance(default, FieldInfo):
        return annotation, default
    said = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    if any(isinstance(each, FieldInfo) and each.description for each in said):
        return annotation, default
    words = next((each for each in said if isinstance(each, str)), about)
    return annotation, default if words is None else Field(default, description=words)


def _role_of(parameter: inspect.Parameter, *, is_only: bool, takes_task: bool) -> str:
    annotation = parameter.annotation
    if annotation is Task or (isinstance(annotation, type) and issubclass(annotation, Task)):
        return TASK
    if annotation is WorkContext or parameter.name == CONTEXT:
        return CONTEXT
    is_bare = annotation is parameter.empty and parameter.default is parameter.empty
    if takes_task and is_bare and (parameter.name == TASK or (is_only and parameter.kind in _POSITIONAL)):
        return TASK
    return INPUT


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """Return what checks and writes values of a return type; None for types that need no check."""
    plain = {inspect.Signature.empty, None, Any, str, Outcome}
    if annotation in plain or annotation in {int, float, bool, dict, list}:
        return None
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return None
