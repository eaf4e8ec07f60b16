"""How large what a template works out becomes at the most, told before it is made: operators, methods and filters.

Most give no more than they are given. Those that give more are in the tables at the end, and are told by what they are
given; what cannot be told beforehand, or takes ever longer the more it is given, is refused. Nothing here knows Jinja.
"""

import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from .bounds import ITEM, TooMuchError, size_of

MOST_BITS = 100_000
"""How long a number may be, in bits."""

MOST_FOR_SLOW = 200_000
"""How many characters a filter may be given that takes ever longer the more it is given."""

SLOW_FILTERS = frozenset({"int", "pprint", "striptags", "urlize", "wordwrap", "xmlattr"})

METHODS = frozenset(
    {
        "as_integer_ratio", "bit_length", "capitalize", "casefold", "center", "copy", "count", "endswith", "expandtabs",
        "find", "format", "format_map", "get", "index", "is_integer", "isalnum", "isalpha", "isascii", "isdecimal",
        "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "items",
        "join", "keys", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind",
        "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase",
        "title", "upper", "values", "zfill",
    }
)  # fmt: skip
"""The methods of texts, numbers, lists and objects that a template may call."""

_ESCAPED = 6
_LONGER_IN_CAPITALS = 3
_TAB = 8
_INDENT = 4
_WIDEST_INDENT = 100
_ASCII_SPACES = " \t\n\r\v\f\x1c\x1d\x1e\x1f"
_DIGITS = re.compile(r"\d+")


def size_of_operation(operator: str, left: Any, right: Any) -> int:
    """Return how large the value of an operator becomes at the most.

    Raises:
        TooMuchError: if a number would become too long.
    """
    if operator == "%" and isinstance(left, str):
        return _size_of_printf(left, right if isinstance(right, tuple) else (right,))
    if isinstance(left, int) and isinstance(right, int):
        _check_numbers(operator, left, right)
        return 0
    if operator == "+":
        return _length(left) + _length(right)
    if operator == "*":
        return _length(left) * _count(right) + _length(right) * _count(left)
    return 0


def size_of_method(name: str, value: Any, given: tuple[Any, ...]) -> int:
    """Return how large the value of a method of `value` becomes at the most.

    Raises:
        TooMuchError: if nobody can say.
    """
    grows = _METHODS_THAT_GROW.get(name)
    return grows(value, given) if grows is not None and isinstance(value, str) else 0


def size_of_filter(name: str, value: Any, given: tuple[Any, ...]) -> int:
    """Return how large the value of a filter of `value` becomes at the most.

    Raises:
        TooMuchError: if it is slow, and given too much.
    """
    if name in SLOW_FILTERS and size_of((value, given), MOST_FOR_SLOW) > MOST_FOR_SLOW:
        raise TooMuchError(f"the filter {name} is given more than {MOST_FOR_SLOW:,} characters")
    grows = _FILTERS_THAT_GROW.get(name)
    return grows(value, given) if grows is not None else 0


def _check_numbers(operator: str, left: int, right: int) -> None:
    bits = left.bit_length(), right.bit_length()
    grown = {"*": sum(bits), "**": bits[0] * max(0, right)}.get(operator, 0)
    if max(*bits, grown) > MOST_BITS:
        raise TooMuchError(f"a number becomes longer than {MOST_BITS:,} bits")


def _length(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return ITEM * len(value) if isinstance(value, list | tuple) else 0


def _count(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _width(given: tuple[Any, ...]) -> int:
    """Return the largest number among what is given."""
    return max(map(_count, given), default=0)


def _word(given: tuple[Any, ...]) -> int:
    """Return the length of the longest text among what is given."""
    return max((len(each) for each in given if isinstance(each, str)), default=0)


def _values(given: tuple[Any, ...]) -> list[Any]:
    return [each for value in given for each in (value.values() if isinstance(value, Mapping) else (value,))]


def _size_of_printf(form: Any, given: tuple[Any, ...]) -> int:
    text, values = str(form), _values(given)
    widths = sum(map(int, _DIGITS.findall(text))) + text.count("*") * _width(tuple(values))
    return len(text) + widths + text.count("%") * max(map(size_of, values), default=0)


def _size_of_format(form: str, given: tuple[Any, ...]) -> int:
    specs = [spec or "" for _, _, spec, _ in Formatter().parse(form)]
    if any("{" in spec for spec in specs):
        raise TooMuchError("format is given a width that is a field itself; write a number there")
    widths = sum(int(number) for spec in specs for number in _DIGITS.findall(spec))
    return len(form) + widths + len(specs) * max(map(size_of, _values(given)), default=0)


def _size_of_replace(value: Any, given: tuple[Any, ...]) -> int:
    text, words = str(value), [str(each) for each in given]  # which of them is put in is known to the callee alone
    return len(text) + max((text.count(old) * len(new) for old in words for new in words), default=0)


def _size_of_indent(value: Any, given: tuple[Any, ...]) -> int:
    text = str(value)
    return len(text) + (text.count("\n") + 1) * max(_width(given), _word(given), _INDENT)


def _size_of_tojson(value: Any, given: tuple[Any, ...]) -> int:
    if _width(given) > _WIDEST_INDENT:
        raise TooMuchError(f"the filter tojson indents by {_WIDEST_INDENT} at the most")
    return size_of(value) * (1 + _width(given))


def _check_sum(_: Any, given: tuple[Any, ...]) -> int:
    if not all(
        isinstance(each, int | float | str | None) for each in given
    ):  # adding lists up copies them again and again
        raise TooMuchError("the filter sum adds numbers alone")
    return 0


def _size_of_pieces(text: str, given: tuple[Any, ...]) -> int:
    by = next((each for each in given if isinstance(each, str) and each), None)
    if by is None and not text.isascii():
        return len(text) + ITEM * (len(text) // 2 + 1)
    return len(text) + ITEM * (1 + sum(map(text.count, [by] if by else _ASCII_SPACES)))


def _size_of_items(value: Any, _: tuple[Any, ...]) -> int:
    return ITEM * len(value) if isinstance(value, str) else 0


def _size_in_capitals(value: Any, _: tuple[Any, ...]) -> int:
    return _LONGER_IN_CAPITALS * _length(value)


def _size_padded(value: Any, given: tuple[Any, ...]) -> int:
    return _length(value) + _width(given)


def _size_escaped(value: Any, _: tuple[Any, ...]) -> int:
    return _ESCAPED * size_of(value)


def _items(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") else 0


_Grows = Callable[[Any, tuple[Any, ...]], int]

_METHODS_THAT_GROW: Mapping[str, _Grows] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _size_padded),
    **dict.fromkeys(("capitalize", "casefold", "lower", "swapcase", "title", "upper"), _size_in_capitals),
    **dict.fromkeys(("split", "rsplit", "splitlines"), _size_of_pieces),
    "expandtabs": lambda value, given: len(value) + value.count("\t") * max(_TAB, _width(given)),
    "format": _size_of_format,
    "format_map": _size_of_format,
    "join": lambda value, given: size_of(given) + len(value) * sum(map(_items, given)),
    "replace": _size_of_replace,
}

_FILTERS_THAT_GROW: Mapping[str, _Grows] = {
    **dict.fromkeys(("capitalize", "lower", "title", "upper"), _size_in_capitals),
    **dict.fromkeys(("e", "escape", "forceescape", "urlencode"), _size_escaped),
    **dict.fromkeys(("groupby", "list", "sort", "unique"), _size_of_items),
    **dict.fromkeys(("batch", "slice"), lambda _, given: ITEM * _width(given)),
    "center": _size_padded,
    "format": _size_of_printf,
    "indent": _size_of_indent,
    "join": lambda value, given: size_of(value) + _items(value) * _word(given),
    "replace": _size_of_replace,
    "sum": _check_sum,
    "tojson": _size_of_tojson,
    "wordwrap": lambda value, given: _length(value) * (1 + _word(given)),
}
