"""Python functions as tools: their schema is taken from type hints and docstring, and arguments are checked by it."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, overload

from pydantic import BaseModel, PydanticInvalidForJsonSchema, ValidationError
from ramify.planner.errors import ToolError, UsageError
from ramify.planner.runtime.several import several
from ramify.planner.work.signatures import read_signature
from ramify.planner.work.steps import checked_repeat
from ramify.tasks.misfits import misfit

from .docstrings import read_docstring
from .protocol import NO_PARAMETERS, Tool, ToolSource, check_name, near_hint

if TYPE_CHECKING:
    from ramify.planner.store.records import MayRepeat
    from ramify.planner.work.context import WorkContext

Function = Callable[..., Any] | Callable[..., Awaitable[Any]]

ToolsGiven = Iterable[Tool | ToolSource | Callable[..., Any]]
"""What users give as tools."""


_MOST_PROBLEMS = 5


class FunctionTool(Tool):
    """A Python function as a tool: an async one runs on the loop, another one in a thread.

    Each parameter is an argument, checked by pydantic against its annotation; one that is annotated `WorkContext` or
    called `context` is given the context. What an argument means is taken from the docstring, or from
    `Annotated[str, "..."]`.

    Args:
        function: the function.
        name: what models call it; the function's name unless given.
        description: what it does; the docstring before its first section unless given.
        may_repeat: whether a call may be made again if nobody knows whether it was done; "with_key" if others do it
            once for one `context.idempotency_key`.
        permissions: what has to be granted before any task with it is started.
        timeout_s: how long a call may take, in seconds.

    Raises:
        UsageError: if its name or a parameter cannot be used.
    """

    def __init__(
        self,
        function: Function,
        *,
        name: str | None = None,
        description: str | None = None,
        may_repeat: "MayRepeat" = True,
        permissions: Iterable[str] = (),
        timeout_s: float | None = None,
    ) -> None:
        self.function = function
        self.name = check_name(name or str(getattr(function, "__name__", type(function).__name__)))
        said, about = read_docstring(inspect.getdoc(function))
        self.description = description or said
        self.may_repeat = checked_repeat(may_repeat)
        self.permissions = frozenset(several(permissions))
        self.timeout_s = timeout_s
        self._signature = read_signature(function, f"the tool {self.name!r}", takes_task=False, about=about)
        self._inputs = self._signature.inputs
        self.parameters = NO_PARAMETERS if self._inputs is None else _schema_of(self._inputs, self.name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function itself."""
        return self.function(*arguments, **named)

    def check(self, arguments: dict[str, Any]) -> None:
        """Make sure that the function can be called with `arguments`.

        Raises:
            ToolError: if one is unknown, missing or wrong.
        """
        self._checked(arguments)

    async def call(self, arguments: dict[str, Any], context: "WorkContext") -> Any:
        """Call the function with `arguments`."""
        positional, named = self._signature.arguments(context.task, context, self._checked(arguments))
        return self._signature.written(
            await context.services.engines.call(context.task, self.function, *positional, **named)
        )

    def _checked(self, arguments: dict[str, Any]) -> BaseModel | None:
        known = list(self.parameters["properties"])
        problems = [_unknown(name, known) for name in arguments if name not in known]
        inputs = None
        try:
            inputs = None if self._inputs is None else self._inputs.model_validate(arguments)
        except ValidationError as error:
            problems += [
                f"{'.'.join(map(str, each['loc']))}: {misfit(each)}" for each in error.errors(include_url=False)
            ]
        if problems:
            more = f"; and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
            raise ToolError(
                f"the arguments do not fit the tool {self.name}: {'; '.join(problems[:_MOST_PROBLEMS])}{more}"
            )
        return inputs


@overload
def tool(function: Function, /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    may_repeat: "MayRepeat" = True,
    permissions: Iterable[str] = (),
    timeout_s: float | None = None,
) -> Callable[[Function], FunctionTool]: ...


def tool(function: Function | None = None, /, **options: Any) -> Any:
    """Turn a Python function into a tool for `Agent(tools=[...])`; you can still call it.

    Args:
        function: the function; see `FunctionTool` for its parameters.
        **options: `name`, `description`, `may_repeat`, `permissions` and `timeout_s`, as for `FunctionTool`.

    >>> @tool(may_repeat=False)
    ... def pay(euros: float) -> str:
    ...     "Pay an amount of money."
    ...     return f"paid {euros:.2f}"
    >>> pay.name, pay.description, pay.parameters["required"], pay(3)
    ('pay', 'Pay an amount of money.', ['euros'], 'paid 3.00')
    """
    return FunctionTool(function, **options) if function else lambda function: FunctionTool(function, **options)


def as_tools(given: ToolsGiven) -> tuple[Tool | ToolSource, ...]:
    """Return what users give as tools, with functions made tools.

    Raises:
        UsageError: if something is no tool, or two have one name.
    """
    found: dict[str, Tool | ToolSource] = {}
    for each in several(given):
        if not isinstance(each, Tool | ToolSource) and not callable(each):
            raise UsageError(f"{type(each).__name__} is not a tool; use a function, a Tool, or mcp_tools(...)")
        made = each if isinstance(each, Tool | ToolSource) else FunctionTool(each)
        if made.name in found:
            raise UsageError(f"two tools are named {made.name!r}; rename one")
        found[made.name] = made
    return tuple(found.values())


def names_of(given: ToolsGiven) -> set[str]:
    """Return the names of what users give as tools."""
    return {each.name for each in as_tools(given)}


def _unknown(name: str, known: list[str]) -> str:
    return f"there is no argument {name!r}; {near_hint(name, known)}"


def _schema_of(model: type[BaseModel], name: str) -> dict[str, Any]:
    try:
        schema = model.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise UsageError(f"the tool {name!r} has a parameter that JSON cannot express: {error.message}") from None
    found: dict[str, Any] = _without_titles(schema)
    return found


def _without_titles(schema: Any, *, is_named: bool = False) -> Any:
    """Return a schema without the titles that pydantic makes of names; `is_named` where the keys are users' words."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(each, is_named=key in {"properties", "$defs"} and not is_named)
        for key, each in schema.items()
        if is_named or key != "title" or not isinstance(each, str)
    }
