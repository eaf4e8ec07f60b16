"""JSON schemas: whether a value fits one, and where it does not; nothing is fetched, and no pattern can hang."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from .patterns import check_pattern, is_found

_MOST_FAULTS = 5
_LONGEST_FAULT = 300
_LEFT_OUT = ("patternProperties", "$recursiveRef", "$dynamicRef")


def check_schema(schema: Any) -> None:
    """Raise `ValueError` if `schema` is no JSON schema that answers can be held against."""
    from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]

    try:
        _validator_class(schema).check_schema(schema)
        for keyword, value in _keywords(schema):
            if keyword in _LEFT_OUT:
                raise ValueError(f"{keyword} is not supported in the schema of a check; name the properties")
            if keyword == "pattern" and isinstance(value, str):
                check_pattern(value)
            if keyword == "$ref" and isinstance(value, str) and not value.startswith("#"):
                raise ValueError(f"$ref {value!r} points outside the schema; copy its target into $defs")
    except SchemaError as error:
        place = "".join(f"/{step}" for step in error.absolute_path)
        raise ValueError(f"not a JSON schema: {place or 'it'}: {_cut(error.message)}") from None
    except RecursionError:
        raise ValueError("not a JSON schema that can be used: it is nested too deeply") from None


def misfits(schema: Any, value: Any) -> list[str]:
    """Return where `value` does not fit `schema`, one line each, no more than five; none if it fits.

    >>> misfits({"type": "object", "required": ["n"]}, {"m": 1})
    ["the answer: 'n' is a required property"]
    """
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        validator = _bounded(_validator_class(schema))(schema, registry=Registry())
        faults = sorted(validator.iter_errors(value), key=lambda fault: [str(step) for step in fault.absolute_path])
    except RecursionError:
        return ["the schema refers to itself without end"]
    except Unresolvable as error:
        return [f"the schema cannot be used: {error}"]
    lines = []
    for fault in faults[:_MOST_FAULTS]:
        place = "".join(f"/{step}" for step in fault.absolute_path)
        lines.append(f"{place or 'the answer'}: {_cut(fault.message)}")
    return lines


def _validator_class(schema: Any) -> Any:
    from jsonschema.validators import (  # type: ignore[import-untyped]
        Draft202012Validator,
        validator_for,
    )

    return validator_for(schema, default=Draft202012Validator)


@cache
def _bounded(validator: Any) -> Any:
    """Return a class of validators whose patterns are bounded in time."""
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[Any]:
        if isinstance(instance, str):
            try:
                if not is_found(wanted, instance):
                    yield ValidationError(f"{instance!r} does not match {wanted!r}")
            except ValueError as error:
                yield ValidationError(str(error))

    return extend(validator, {"pattern": pattern})


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key in `schema` with its value, however deep it stands."""
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield from value.items()
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_FAULT else f"{text[: _LONGEST_FAULT - 3]}..."
