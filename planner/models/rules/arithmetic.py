"""Arithmetic, exactly: an expression's value, the operands that it falls apart into, and how their values join again.

Values are fractions throughout; nothing is rounded. What has no exact value, or too large a one, is refused.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from types import MappingProxyType

from ramify.tasks.counting import counted

from .errors import ExpressionError
from .expressions import Expression, Node, cut, parse
from .numbers import MAX_BITS, MAX_DIGITS, is_too_large
from .runs import even_runs

_CHAINS: Mapping[str, frozenset[str]] = MappingProxyType(
    {**dict.fromkeys("+-", frozenset("+-")), **dict.fromkeys("*/", frozenset("*/"))}
)

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Operand:
    """One operand of a chain such as `a - b + c`.

    Attributes:
        sign: the operator before it, in the tree's spelling; that of the chain for the first one.
        index: where its node is.
    """

    sign: str
    index: int


def evaluate(expression: Expression, given: Mapping[int, Fraction] | None = None) -> Fraction:
    """Return the exact value of `expression`.

    Args:
        expression: the expression.
        given: values of nodes that are known already; what is below these is not looked at.

    Raises:
        ExpressionError: for a division by zero, a root or power that is not exact, or a number that is too large.
    """
    values = dict(given or {})
    for index in _needed(expression.nodes, values):
        node = expression.nodes[index]
        try:
            value = node.value if not node.operator else _OPERATIONS[node.operator](*(values[i] for i in node.operands))
        except ZeroDivisionError:
            raise ExpressionError(f"division by zero in {cut(expression.text(index))}") from None
        except _InexactError as error:
            raise ExpressionError(f"{cut(expression.text(index))} {error}") from None
        if is_too_large(value):
            raise ExpressionError(f"{cut(expression.text(index))} has more than {MAX_DIGITS:,} digits")
        values[index] = value
    return values[len(expression.nodes) - 1]


def value_of(text: str) -> Fraction:
    """Return the exact value of a text that is an expression.

    >>> value_of("((17*23 + 4^5) / (9 - 2)) * 60%")
    Fraction(849, 7)

    Raises:
        ExpressionError: if it is none, or has no exact value.
    """
    return evaluate(parse(text))


def subexpressions(text: str, *, most: int) -> list[str]:
    """Return the parts that an expression is better worked out in, in its own words; none if it is simple.

    An expression is split at its outermost operator, a chain of sums or of products as a whole, if one of the
    operands is itself made of several.

    Args:
        text: the expression.
        most: the most parts; longer chains are cut into runs of operands.

    >>> subexpressions("(1 + 2*3) * (4 - 5)", most=8)
    ['1 + 2*3', '4 - 5']

    Raises:
        ExpressionError: if it is malformed.
    """
    expression = parse(text)
    operands = _operands(expression, len(expression.nodes) - 1)
    if not any(_operands(expression, operand.index) for operand in operands):
        return []
    return _contents(expression, operands, min(most, len(operands)))


def recompose(text: str, parts: Sequence[tuple[str, Fraction]]) -> Fraction:
    """Return the value of an expression from the values of its parts.

    Args:
        text: the expression.
        parts: the parts, as `subexpressions` gave them, each with its value. A part is found by its words. Where one
            part stands for each operand, the words of some may have been changed since: these keep their places, as
            long as another one stands with its words in its own.

    Raises:
        ExpressionError: if the parts do not make up the expression, or the value is not exact.
    """
    expression = parse(text)
    operands = _operands(expression, len(expression.nodes) - 1)
    count = len(parts)
    if not 2 <= count <= len(operands):  # noqa: PLR2004 - a chain has two ends
        raise _unfit(text, parts)
    expected = _contents(expression, operands, count)
    values = _matched(expected, parts)
    if values is None:
        words = [content for content, _ in parts]
        if count != len(operands) or not any(_bare(a) == _bare(b) for a, b in zip(expected, words, strict=True)):
            raise _unfit(text, parts, expected)
        values = [value for _, value in parts]
    return evaluate(expression, _given(expression, operands, values))


def _given(expression: Expression, operands: Sequence[Operand], values: Sequence[Fraction]) -> dict[int, Fraction]:
    if len(values) == len(operands):
        return {operand.index: value for operand, value in zip(operands, values, strict=True)}
    join = "+" if operands[0].sign in "+-" else "*"
    total = Fraction(0 if join == "+" else 1)
    for value in values:
        total = _OPERATIONS[join](total, value)
    return {_chain(expression, len(expression.nodes) - 1): total}


def _unfit(text: str, parts: Sequence[tuple[str, Fraction]], expected: Sequence[str] = ()) -> ExpressionError:
    message = f"the results of {counted(len(parts), 'subtask')} do not make up the expression {cut(text)}"
    if expected:
        message += f": they are of {_some([content for content, _ in parts])}, and its parts are {_some(expected)}"
    return ExpressionError(message, reason="ambiguous")


def _some(contents: Sequence[str]) -> str:
    return ", ".join([*(cut(each, 40) for each in contents[:_MOST_NAMED]), *["..."] * (len(contents) > _MOST_NAMED)])


def _matched(expected: Sequence[str], parts: Sequence[tuple[str, Fraction]]) -> list[Fraction] | None:
    waiting: dict[str, deque[Fraction]] = {}
    for content, value in parts:
        waiting.setdefault(_bare(content), deque()).append(value)
    values = []
    for content in map(_bare, expected):
        if not waiting.get(content):
            return None
        values.append(waiting[content].popleft())
    return values


def _bare(text: str) -> str:
    return "".join(text.split())


def _needed(nodes: Sequence[Node], known: Mapping[int, Fraction]) -> Iterable[int]:
    needed = bytearray(len(nodes))
    needed[-1] = 1
    for index in range(len(nodes) - 1, -1, -1):
        if needed[index] and index not in known:
            for operand in nodes[index].operands:
                needed[operand] = 1
    return (index for index, is_needed in enumerate(needed) if is_needed and index not in known)


def _chain(expression: Expression, index: int) -> int:
    """Return the outermost node at or below `index` that has two operands or none, past signs and roots."""
    while len(expression.nodes[index].operands) == 1:
        index = expression.nodes[index].operands[0]
    return index


def _operands(expression: Expression, index: int) -> list[Operand]:
    nodes = expression.nodes
    index = _chain(expression, index)
    top = nodes[index].operator
    if not top:
        return []
    chain = _CHAINS.get(top, frozenset())
    found = []
    left, right = nodes[index].operands
    found.append(Operand(top, right))
    while nodes[left].operator in chain and not nodes[left].is_wrapped:
        sign = nodes[left].operator
        left, right = nodes[left].operands
        found.append(Operand(sign, right))
    found.append(Operand("+" if top in "+-" else "*" if top in chain else top, left))
    return found[::-1]


def _contents(expression: Expression, operands: Sequence[Operand], count: int) -> list[str]:
    if count == len(operands):
        return [_no_item(expression.text(operand.index)) for operand in operands]
    source, nodes = expression.source, expression.nodes
    contents = []
    for run in even_runs(range(len(operands)), count):
        first, last = operands[run[0]], operands[run[-1]]
        start, end = nodes[first.index].outer_start, nodes[last.index].outer_end
        content = source[start:end]
        if first.sign in "-/" and run[0]:
            before = source[nodes[operands[run[0] - 1].index].outer_end : start]
            content = f"{'1' if first.sign == '/' else ''}{before}{content}"
        contents.append(_no_item(content))
    return contents


def _no_item(content: str) -> str:
    """Return `content` so that a sign at its start is not taken for the mark of a list's item."""
    bare = content.strip()
    return f"{bare[0]}{bare[1:].lstrip()}" if bare[0] in "+-" else bare


class _InexactError(ArithmeticError):
    """An operation that has no exact value, or too large a one."""


def _power(number: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise _InexactError("has an exponent that is not a whole number; such powers are not exact")
    bits = max(number.numerator.bit_length(), number.denominator.bit_length()) - 1
    if bits * abs(exponent.numerator) > MAX_BITS:
        raise _InexactError(f"has more than {MAX_DIGITS:,} digits")
    return Fraction(number**exponent.numerator)


def _root(number: Fraction) -> Fraction:
    if number >= 0:
        root = Fraction(isqrt(number.numerator), isqrt(number.denominator))
        if root * root == number:
            return root
    raise _InexactError("is not a rational number; only roots of perfect squares are exact")


_OPERATIONS: Mapping[str, Callable[..., Fraction]] = MappingProxyType(
    {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "//": lambda a, b: Fraction(a // b),
        "mod": lambda a, b: a % b,
        "^": _power,
        "negate": lambda a: -a,
        "sqrt": _root,
        "percent": lambda a: a / 100,
    }
)
