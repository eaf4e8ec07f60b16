"""How a Python function is called for a task: what each parameter is given, and how its value is written as JSON.

A parameter that is annotated `Task`, or called `task` without an annotation, is given the task; one that is annotated
`WorkContext` or called `context` the context; `**more` all inputs that no other parameter takes; every other an input.
"""

import dis
import inspect
import numbers
import types
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from ramify.planner.errors import UsageError, WorkFailedError
from ramify.tasks import Task
from ramify.tasks.json_data import NotJsonError
from ramify.tasks.tree.documents import validation_text

from .context import WorkContext
from .protocol import Outcome

TASK, CONTEXT, INPUT, REST = "task", "context", "input", "rest"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PLAIN: Mapping[type, tuple[type, ...]] = {
    str: (str,),
    int: (numbers.Integral,),
    float: (numbers.Real,),
    bool: (bool,),
    dict: (dict,),
    list: (list,),
    type(None): (),
    Outcome: (),
}
"""Return types that need no pydantic, and what values of them are; None and outcomes go without saying."""
_SEEN_BY_TYPE_CHECKERS: Mapping[str, Any] = {"Task": Task, "WorkContext": WorkContext}
"""What annotations may name that was imported for type checkers alone."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function is given, and what it gives.

    Attributes:
        roles: each parameter, and whether it is given the task, the context, an input, or all other inputs.
        inputs: what the inputs have to be; None if there are none.
        returns: checks and writes the value; None if it needs no pydantic for that.
        plain: the plain class that the value has to be of; None if none is declared.
        may_give_nothing: whether it is declared that the value may be None.
    """

    roles: tuple[tuple[inspect.Parameter, str], ...]
    inputs: type[BaseModel] | None
    returns: TypeAdapter[Any] | None
    plain: type | None = None
    may_give_nothing: bool = False

    @property
    def takes_the_task(self) -> bool:
        """Whether the function is called with the task and nothing else."""
        return len(self.roles) == 1 and self.roles[0][1] == TASK and self.roles[0][0].kind in _POSITIONAL

    def arguments(self, task: Task | None, context: Any, inputs: BaseModel | None) -> tuple[list[Any], dict[str, Any]]:
        """Return what the function is called with, by position and by name; elsewhere there is no task."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter, role in self.roles:
            if role == REST:
                named.update((inputs.model_extra if inputs is not None else None) or {})
                continue
            value = task if role == TASK else context if role == CONTEXT else getattr(inputs, parameter.name)
            if parameter.kind in _POSITIONAL:
                positional.append(value)
            else:
                named[parameter.name] = value
        return positional, named

    @property
    def declares(self) -> bool:
        """Whether it is declared what the value is."""
        return self.plain is not None or self.returns is not None

    def written(self, value: Any) -> Any:
        """Return a value of the function's as pydantic writes the declared type; as it is if none is declared.

        Raises:
            ValueError: if it is not what is declared, or two keys would be written alike.
        """
        if value is None or isinstance(value, Outcome):
            return value
        if self.plain is not None and not _is_of(self.plain, value):
            declared = "None" if self.plain is type(None) else self.plain.__name__
            raise ValueError(f"it is {type(value).__name__}, but {declared} is declared")
        if self.returns is None:
            return value
        checked = self.returns.validate_python(value)
        _refuse_lost_keys(checked)
        return self.returns.dump_python(checked, mode="json")

    def refused(self, error: NotJsonError, *, worker: str, task_id: str) -> UsageError:
        """Return how to refuse a value that cannot be kept."""
        may_be_written = error.is_of_a_kind and not self.declares
        hint = ", or declare the return type so that pydantic can convert it" if may_be_written else ""
        return UsageError(
            f"the worker {worker!r} returned a value for task {task_id} that cannot be stored: {error}{hint}"
        )

    def misfit(self, error: ValueError, *, worker: str, task_id: str) -> WorkFailedError:
        """Return how to refuse a value that is not what is declared."""
        why = validation_text(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        return WorkFailedError(
            f"the worker {worker!r} returned a value for task {task_id} that does not fit its return type: {why}",
            task_id=task_id,
            is_unknown=True,
        )


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
        takes_task: whether it is for tasks: it can be given the task and all other inputs, and takes no input that is
            not listed.
        about: what its inputs mean, by name.

    Raises:
        UsageError: if a parameter cannot be filled by name.
    """
    try:
        signature = _evaluated(function, who)
    except (TypeError, ValueError) as error:  # a builtin
        if not takes_task:
            raise UsageError(f"{who} has no readable signature ({error}); wrap it in your own function") from None
        signature = inspect.Signature([inspect.Parameter(TASK, inspect.Parameter.POSITIONAL_ONLY)])
    parameters = list(signature.parameters.values())
    roles = tuple((each, _role_of(each, is_only=len(parameters) == 1, takes_task=takes_task)) for each in parameters)
    inputs = [parameter for parameter, role in roles if role == INPUT]
    for parameter in inputs:
        if parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            raise UsageError(f"{who} takes *{parameter.name}; list its inputs by name instead")
        if parameter.name.startswith("_"):
            raise UsageError(f"{who} takes {parameter.name}; input names must not start with _")
    extra = _extra_of({role for _, role in roles}) if takes_task else None
    returned = signature.return_annotation
    return Signature(roles, _model_of(inputs, who, about or {}, extra), *_checks_of(returned), _may_be_none(returned))


def gives_nothing(function: Callable[..., Any]) -> bool:
    """Return whether `function` does not declare what it returns, and returns nothing wherever it ends.

    >>> gives_nothing(lambda task: print(task)), gives_nothing(lambda task: None)
    (False, True)
    """
    code = getattr(function, "__code__", None)
    if code is None or "return" in getattr(function, "__annotations__", {}):
        return False
    steps = list(dis.get_instructions(code))
    ends = [
        (step if step.opname == "RETURN_CONST" else before)
        for before, step in pairwise(steps)
        if step.opname in {"RETURN_VALUE", "RETURN_CONST"}
    ]
    return bool(ends) and all(end.opname in {"LOAD_CONST", "RETURN_CONST"} and end.argval is None for end in ends)


def _evaluated(function: Callable[..., Any], who: str) -> inspect.Signature:
    """Return the signature with the annotations that can be evaluated here; others name what type checkers know."""
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:
        pass
    bare = inspect.signature(function)
    known = {**getattr(inspect.unwrap(function), "__globals__", {}), **_SEEN_BY_TYPE_CHECKERS}
    parameters = []
    for each in bare.parameters.values():
        annotation = _seen(each.annotation, known)
        if isinstance(annotation, str):
            raise UsageError(
                f"{who}: the annotation {annotation} of {each.name} uses a name that is not imported when the"
                " function runs;"
                " import it outside of `if TYPE_CHECKING`, or leave the annotation out"
            )
        parameters.append(each.replace(annotation=annotation))
    returned = _seen(bare.return_annotation, known)
    return bare.replace(parameters=parameters, return_annotation=Any if isinstance(returned, str) else returned)


def _seen(annotation: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(known))  # noqa: S307 - as inspect does with annotations of the user's own code
    except NameError:
        return annotation


def _extra_of(roles: Collection[str]) -> Literal["allow", "forbid"] | None:
    """Return what becomes of other inputs; None where the function looks for its inputs itself."""
    if REST in roles:
        return "allow"
    return "forbid" if INPUT in roles or not roles else None


def _model_of(
    inputs: list[inspect.Parameter], who: str, about: Mapping[str, str], extra: Literal["allow", "forbid"] | None
) -> type[BaseModel] | None:
    fields: dict[str, Any] = {each.name: _field(each, about.get(each.name)) for each in inputs}
    if not fields and extra is None:
        return None
    config = ConfigDict(extra=extra, protected_namespaces=()) if extra else ConfigDict(protected_namespaces=())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='Field name ".*" in ".*" shadows an attribute')
        try:
            return create_model(f"Inputs of {who}", __config__=config, **fields)
        except PydanticSchemaGenerationError as error:
            raise UsageError(f"{who} has an input whose type cannot be checked: {error.message}") from None


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
    if not takes_task:
        return INPUT
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return REST
    is_unused = is_only and parameter.name.startswith("_") and parameter.kind in _POSITIONAL
    return TASK if annotation is parameter.empty and (parameter.name == TASK or is_unused) else INPUT


def _checks_of(annotation: Any) -> tuple[TypeAdapter[Any] | None, type | None]:
    """Return what checks and writes values of a return type, and the plain class that they have to be of."""
    if annotation is None or (isinstance(annotation, type) and annotation in _PLAIN):
        return None, type(None) if annotation is None else annotation
    if annotation is inspect.Signature.empty or annotation is Any:
        return None, None
    try:
        return TypeAdapter(annotation), None
    except PydanticSchemaGenerationError:
        return None, None


def _is_of(plain: type, value: Any) -> bool:
    """Return whether `value` is of a plain class, as type checkers have it; numbers of numpy are numbers."""
    known = _PLAIN[plain]
    return isinstance(value, known) or (plain is bool and type(value).__name__ in {"bool", "bool_"})


def _may_be_none(annotation: Any) -> bool:
    is_union = get_origin(annotation) in {Union, types.UnionType}
    return annotation in {None, type(None)} or (is_union and type(None) in get_args(annotation))


def _refuse_lost_keys(value: Any) -> None:
    """Refuse dicts with keys that pydantic would write alike, as one of them would be lost."""
    if isinstance(value, dict):
        written = to_jsonable_python(dict.fromkeys(value)) if not all(type(key) is str for key in value) else value
        if len(written) != len(value):
            raise ValueError(f"it has keys that are equal as text: {', '.join(map(repr, list(value)[:5]))}")
        for each in value.values():
            _refuse_lost_keys(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _refuse_lost_keys(each)
