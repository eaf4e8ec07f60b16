"""The table of options as pydantic reads it: the fields of a model, with the types and bounds that values must have."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Optional, Union, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from ramify.tasks.misfits import misfit

from .options import Entry, Option, Words


def model_of(entries: Mapping[str, Entry]) -> type[BaseModel]:
    """Return a frozen model whose fields are options, by the names in `entries`; classes are made of it."""
    fields: dict[str, Any] = {name: _field(entry) for name, entry in entries.items()}
    config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)
    return create_model("Options", __config__=config, **fields)


def _field(entry: Entry) -> tuple[Any, Any]:
    """Return the type of an option, with its bounds, and its default."""
    option = entry.option
    kind = option.kind or Union[tuple(each for each in get_args(entry.type) if each is not NoneType)]  # noqa: UP007
    bounds: dict[str, Any] = {"ge": option.at_least, "gt": option.above, "le": option.at_most}
    if kind is float:
        kind = Annotated[kind, Field(**bounds, allow_inf_nan=False), BeforeValidator(partial(_no_truth, option))]
    elif kind is int:
        kind = Annotated[kind, Field(**bounds), BeforeValidator(partial(_no_truth, option))]
    elif kind is Words:
        kind = Annotated[kind, BeforeValidator(_listed)]
    if option.default is None:
        kind = Optional[kind]  # noqa: UP045 - a kind may be text
    return kind, Field(
        option.default, description=option.about, repr=not option.is_secret, validate_default=option.default == {}
    )


def why_unusable(error: ValidationError) -> str:
    """Return which option has a value that cannot be used, what it is and what it may be, in words for people."""
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))} cannot be used: {misfit(problem)}"


def misfit_of(entry: Entry, value: Any) -> str | None:
    """Return why `value` cannot be that of an option; None if it can."""
    try:
        TypeAdapter(_field(entry)[0]).validate_python(value)
    except ValidationError as error:
        return misfit(error.errors(include_url=False)[0])
    return None


def _no_truth(option: Option, value: Any) -> Any:
    """Refuse True and False as the number of an option, which pydantic would take as 1 and 0."""
    if isinstance(value, bool):
        bounds = {"at least": option.at_least, "more than": option.above, "at most": option.at_most}
        words = " and ".join(f"{name} {bound}" for name, bound in bounds.items() if bound is not None)
        raise ValueError(  # noqa: TRY004 - pydantic takes no other
            f"it is {value}; it must be a number{', ' if words else ''}{words}"
        )
    return value


def _listed(value: Any) -> Any:
    """Return the words of a text that separates them by commas, or a row of them, with paths as texts."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    if isinstance(value, Path):
        return [str(value)]
    is_row = isinstance(value, Iterable) and not isinstance(value, bytes | Mapping)
    return [str(each) if isinstance(each, Path) else each for each in value] if is_row else value
