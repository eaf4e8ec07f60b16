"""What pydantic found wrong with a value, in our words, for options, settings, plans and inputs alike."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_KINDS: Mapping[str, str] = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "literal_error": "{expected}",
}
_NO_SECRETS = frozenset(_KINDS) - {"string_type"}
_LONGEST = 60


def misfit(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, from one of the errors of a `ValidationError`; long values are not repeated.

    >>> misfit({"type": "int_parsing", "msg": "", "input": "two"})
    "it is 'two'; it must be a whole number"
    """
    kind, given = str(problem["type"]), problem.get("input")
    if kind == "extra_forbidden":
        return "unknown name"
    if kind not in _KINDS:
        why = str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "it must")
        return why[:1].lower() + why[1:]
    wanted = _KINDS[kind].format_map({name: _text(value) for name, value in problem.get("ctx", {}).items()})
    shown = repr(given)
    if kind in _NO_SECRETS and isinstance(given, str | int | float) and len(shown) <= _LONGEST:
        return f"it is {shown}; it must be {wanted}"
    return f"it must be {wanted}"


def _text(value: Any) -> str:
    """Return a bound as people write it.

    >>> _text(0.00001), _text(10_000.0), _text("'a' or 'b'")
    ('0.00001', '10,000', "'a' or 'b'")
    """
    return f"{Decimal(str(value)).normalize():,f}" if isinstance(value, int | float) else str(value)
