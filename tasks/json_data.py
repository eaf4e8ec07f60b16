"""What JSON data is, wherever it enters: the value that is stored is what everybody is given, or it is refused.

text, numbers, True, False, None, lists, dicts with text as keys    are taken as they are
tuples                                                              become lists
pydantic models and dataclasses                                     become what pydantic writes of them
numbers, booleans and texts of numpy                                become those of Python
NaN and infinities, other keys, everything else                     are refused, with the place in the value
"""

import math
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, Never

from pydantic import BaseModel, JsonValue, PydanticSchemaGenerationError, TypeAdapter
from pydantic_core import PydanticSerializationError
from ramify.prompts.whole_text import whole_text

from .json_text import json_text, read_json

DEEPEST = 200
"""How many levels of lists and dicts may stand in each other."""

_MOST_BITS = 14_000
"""Integers with more than about 4,200 digits are neither written nor read by Python's own JSON."""

_FLOATS, _TEXTS = {float}, {str}
"""What is looked at as a whole, as lists of it are long."""

_SCALARS = (bool, int, float, str)
_NUMPY_KINDS = "biufU"
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (dict, lambda value: dict(value.items())),
    (list, list),
    (tuple, list),
)
"""What a value of a kind of its own, such as a member of a `StrEnum` or a `Counter`, counts as."""

_HINTS = (
    (("set", "frozenset"), "; make it a list"),
    (("bytes", "bytearray", "memoryview"), "; decode it to text"),
    (("generator", "map", "filter", "zip", "range", "dict_keys", "dict_values", "deque", "array"), "; make it a list"),
    (("ndarray", "Series", "Index", "Tensor"), "; take its .tolist()"),
    (("DataFrame",), '; take its .to_dict("records")'),
    (("NoneType",), ""),
)


class NotJsonError(ValueError):
    """Raised for a value that JSON cannot hold without loss.

    Attributes:
        place: where in the value it stands, such as `result["rows"][3]`.
        why: what stands there, and what to do.
        is_of_a_kind: whether values of its type never are JSON data, though there may be a way to write them.
    """

    def __init__(self, why: str, *, is_of_a_kind: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.is_of_a_kind = is_of_a_kind
        self.place = ""
        self._path: list[str | int] = []

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"

    def below(self, step: str | int) -> None:
        """Say that it stands below a key or an index."""
        self._path.append(step)

    def inside(self, what: str) -> None:
        """Say in what it stands."""
        self.place = what + "".join(f"[{json_text(step)}]" for step in reversed(self._path))


def as_json(value: Any, what: str = "value") -> Any:
    """Return `value` as JSON data of its own, which nobody else can change.

    Args:
        value: what somebody gives.
        what: what it is, for the place in the error.

    Raises:
        NotJsonError: if it holds what JSON cannot; the error names the place and the type.

    >>> as_json({"size": (3, 4)})
    {'size': [3, 4]}
    """
    try:
        return _taken(value, DEEPEST)
    except NotJsonError as error:
        error.inside(what)
        raise


def json_or_text(words: str) -> JsonValue:
    """Return the JSON data that `words` are, else the words.

    >>> json_or_text("[1, 2]"), json_or_text("nearly [1, 2]")
    ([1, 2], 'nearly [1, 2]')
    """
    try:
        found: JsonValue = as_json(read_json(words), "result")
    except (ValueError, RecursionError):
        return words
    return found


def copy_json(value: Any) -> Any:
    """Return JSON data that can be changed without changing `value`."""
    if type(value) is dict:
        return {key: copy_json(each) if type(each) in {dict, list} else each for key, each in value.items()}
    if type(value) is list:
        return [copy_json(each) if type(each) in {dict, list} else each for each in value]
    return value


def _taken(value: Any, levels: int) -> Any:  # noqa: PLR0911 - a row for each kind, as every value of a run passes
    kind = type(value)
    if kind is str:
        return value if value.isascii() else whole_text(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if value.bit_length() <= _MOST_BITS else _refuse("an integer of more than 4,200 digits")
    if kind is float:
        return value if math.isfinite(value) else _refuse(f"{value}, which is not a JSON number; use None instead")
    if kind is dict:
        return _entries(value, levels - 1)
    if kind is list or kind is tuple:
        return _items(value, levels - 1)
    return _derived(value, levels)


def _entries(value: dict[Any, Any], levels: int) -> dict[str, Any]:
    if levels < 0:
        _refuse_depth()
    found: dict[str, Any] = {}
    for given, each in value.items():
        key = given if type(given) is str and given.isascii() else _key(given)
        if each is None or (type(each) is str and each.isascii()):
            found[key] = each
            continue
        try:
            found[key] = _taken(each, levels)
        except NotJsonError as error:
            error.below(key)
            raise
    if len(found) != len(value):
        _refuse("two keys that are the same as text")
    return found


def _items(value: Any, levels: int) -> list[Any]:
    if levels < 0:
        _refuse_depth()
    kinds = set(map(type, value))
    if (kinds == _FLOATS and all(map(math.isfinite, value))) or (kinds == _TEXTS and all(map(str.isascii, value))):
        return list(value)
    found = []
    for each in value:
        try:
            found.append(_taken(each, levels))
        except NotJsonError as error:
            error.below(len(found))
            raise
    return found


def _derived(value: Any, levels: int) -> Any:
    """Return what a value of a kind of its own counts as."""
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        return _taken(_written(value), levels)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        plain = value.item() if value.dtype.kind in _NUMPY_KINDS else None
        return _taken(plain, levels) if type(plain) in _SCALARS else _refuse_kind(value)
    for kind, plain_of in _PLAIN:
        if isinstance(value, kind):
            return _taken(plain_of(value), levels)
    return _refuse_kind(value)


def _written(value: Any) -> Any:
    kind: Any = type(value)
    try:
        return (
            value.model_dump(mode="json")
            if issubclass(kind, BaseModel)
            else _adapter(kind).dump_python(value, mode="json")
        )
    except (PydanticSerializationError, PydanticSchemaGenerationError) as error:
        return _refuse(f"{_name_of(kind)}, which pydantic cannot write as JSON ({str(error).splitlines()[0]})")


@lru_cache(maxsize=256)
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotJsonError(f"the key {key!r} ({_name_of(type(key))}); keys are text", is_of_a_kind=True)
    return whole_text(str.__str__(key))


def _refuse_kind(value: Any) -> Never:
    kind = type(value)
    hint = next((hint for names, hint in _HINTS if kind.__name__ in names), "; give text, numbers, lists or dicts")
    raise NotJsonError(f"{_name_of(kind)}, which is not JSON{hint}", is_of_a_kind=True)


def _refuse_depth() -> Never:
    _refuse(f"more than {DEEPEST} levels of lists and dicts in each other")


def _refuse(why: str) -> Never:
    raise NotJsonError(why)


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
