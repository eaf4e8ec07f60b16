"""The grid of a strategy: from parameters and their values to variations, each named by its own values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from pydantic import JsonValue
from ramify.planner.errors import UsageError
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text

MOST_VARIATIONS = 10_000
_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Variation:
    """One way to do the task.

    Attributes:
        name: made of its parameters, such as `model=a, max_depth=2`; used once in a strategy.
        parameters: its values, as JSON data.
    """

    name: str
    parameters: Mapping[str, JsonValue]


def variations(grid: Mapping[str, Sequence[Any]]) -> list[Variation]:
    """Return the variations of `grid`: every combination of its values, the last parameter changing fastest.

    Raises:
        UsageError: if a parameter has no values, or one of them twice, or there would be too many.

    >>> [each.name for each in variations({"model": ["a", "b"], "max_depth": [1, 2]})]
    ['model=a, max_depth=1', 'model=a, max_depth=2', 'model=b, max_depth=1', 'model=b, max_depth=2']
    """
    if not grid:
        raise UsageError("a sweep needs at least one parameter with values, such as model=A,B")
    grid = {name: _checked(name, values) for name, values in grid.items()}
    total = prod(len(values) for values in grid.values())
    if total > MOST_VARIATIONS:
        raise UsageError(f"the grid has {total:,} variants; {MOST_VARIATIONS:,} are allowed; use fewer values")
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    names = [", ".join(f"{key}={_shown(value)}" for key, value in each.items()) for each in combinations]
    return [Variation(name, each) for name, each in zip(_unique(names), combinations, strict=True)]


def _checked(name: str, values: Sequence[Any]) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UsageError(f"the parameter {name!r} needs a list of values, not {values!r}")
    if not values:
        raise UsageError(f"the parameter {name!r} has no values; add one, or leave it out")
    try:
        kept = [as_json(value, f"{name}[{place}]") for place, value in enumerate(values)]
    except NotJsonError as error:
        raise UsageError(f"the parameter {name!r} has a value that is not JSON: {error}") from None
    written = [json_text(value, sort_keys=True) for value in kept]
    twice = next((value for place, value in enumerate(written) if value in written[:place]), None)
    if twice is not None:
        raise UsageError(f"the parameter {name!r} has the value {twice[:60]} twice")
    return kept


def _shown(value: Any) -> str:
    """Return a value in a name, on one line and short."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {_shown(each)}" for key, each in value.items()) + "}"
    else:
        text = value if isinstance(value, str) else json_text(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _unique(names: Sequence[str]) -> list[str]:
    """Return `names` with a number behind those that have occurred before."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
