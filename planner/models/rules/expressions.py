"""The grammar of arithmetic: text -> tokens -> a flat list of nodes, operands before operators; nothing here recurses.

Precedence, loosest first: `+ -`; `* / // mod of`; a leading sign; `^`, from right to left; `sqrt` and a trailing `%`.
A `%` is modulo where an operand follows that has no sign, as in `17 % 5`, and percent elsewhere, as in `60% + 1`.

Source: E. W. Dijkstra, "Algol 60 translation", 1961 (the shunting-yard algorithm).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import NoReturn

from .errors import ExpressionError
from .numbers import MAX_DIGITS

MAX_LENGTH = 500_000
"""The longest expression that is read, in characters."""

_MINUS, _TIMES, _OVER = "\u2212", "\u00d7\u00b7\u22c5\u2219", "\u00f7\u2215\u2044"
_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {sign: sign for sign in ("+", "-", "*", "/", "//", "%", "^", "(", ")", "of", "mod", "sqrt")}
    | dict.fromkeys([*_TIMES, "x", "times", "multiplied by"], "*")
    | dict.fromkeys([*_OVER, "divided by"], "/")
    | {"**": "^", _MINUS: "-", "plus": "+", "minus": "-", "[": "(", "]": ")", "\u221a": "sqrt"}
)
_PRECEDENCE: Mapping[str, int] = MappingProxyType(
    {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "mod": 2, "of": 2, "negate": 3, "^": 4, "sqrt": 5, "(": 0}
)
_PREFIXES = frozenset({"negate", "sqrt"})
_TOKEN = re.compile(
    rf"""\s*(?:
        (?P<number>
            (?:[0-9]{{1,3}}(?:[,'\u2019\u202f][0-9]{{3}})+(?![0-9])|[0-9]+(?:_[0-9]+)*)(?:\.[0-9]+)?|\.[0-9]+)
            (?:e(?P<power>[+-]?[0-9]{{1,9}})(?![\w.]))?
        |(?P<word>
            divided\s{{1,9}}by|multiplied\s{{1,9}}by|[a-z]+?(?=[0-9]|\W|_|$)|//|\*\*|[-+*/%^()\[\]\u221a{_MINUS}{_TIMES}{_OVER}])
    )""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(slots=True)
class Node:
    """A number, or an operator and its operands.

    Attributes:
        operator: `+ - * / // mod ^ negate sqrt percent`; empty for a number.
        operands: where its operands are in the list of nodes, always before it.
        start: where it begins in the source, without parentheses around it.
        end: where it ends, without parentheses around it.
        outer_start: where it begins with all parentheses around it.
        outer_end: where it ends with all parentheses around it.
        value: the number, if it is one.
    """

    operator: str
    operands: tuple[int, ...]
    start: int
    end: int
    outer_start: int
    outer_end: int
    value: Fraction = Fraction(0)

    @property
    def is_wrapped(self) -> bool:
        """Whether there are parentheses around it."""
        return self.outer_end > self.end


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was read; the last node is the whole of it."""

    source: str
    nodes: tuple[Node, ...]

    def text(self, index: int) -> str:
        """Return the node's own words in the source, without parentheses around it."""
        return self.source[self.nodes[index].start : self.nodes[index].end]


def is_arithmetic(text: str) -> bool:
    """Return whether `text` holds a number, and nothing but numbers and signs of arithmetic; it may be malformed."""
    place, has_number = 0, False
    end = len(text.rstrip())
    while place < end:
        token = _TOKEN.match(text, place)
        if token is None or (token["word"] and _spelling(token["word"]) is None):
            return False
        has_number = has_number or bool(token["number"])
        place = token.end()
    return has_number


def parse(text: str) -> Expression:
    """Read an expression for which `is_arithmetic` is true.

    Raises:
        ExpressionError: if it is malformed or too long; the message says where.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text):,} characters; the most is {MAX_LENGTH:,}")
    return _Reader(text).read()


def cut(text: str, length: int = 60) -> str:
    """Return `text` on one line, cut to `length` characters, for messages."""
    line = " ".join(text[: length * 4].split())
    return line if len(line) <= length and len(text) <= length * 4 else f"{line[: length - 1]}…"


def _spelling(word: str) -> str | None:
    return _SPELLINGS.get(" ".join(word.lower().split()))


class _Reader:
    """One reading of one text: a stack of operators that wait, a stack of nodes that wait for an operator."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._nodes: list[Node] = []
        self._operands: list[int] = []
        self._operators: list[tuple[str, int]] = []
        self._wants_operand = True

    def read(self) -> Expression:
        end = len(self._source.rstrip())
        place = 0
        while place < end:
            token = _TOKEN.match(self._source, place)
            if token is None:
                self._refuse("is not arithmetic", place)
            start = token.start("number") if token["number"] else token.start("word")
            place = token.end()
            if token["number"]:
                self._number(token["number"], token["power"], start, place)
            else:
                self._sign(_spelling(token["word"]), start, place)
        if self._wants_operand:
            self._refuse("is where a number is missing", end)
        while self._operators:
            if self._operators[-1][0] == "(":
                self._refuse("is a parenthesis that is never closed", self._operators[-1][1])
            self._reduce()
        return Expression(self._source, tuple(self._nodes))

    def _number(self, digits: str, power: str | None, start: int, end: int) -> None:
        if not self._wants_operand:
            self._refuse("is a number without an operator before it", start)
        if len(digits) > MAX_DIGITS or abs(int(power or 0)) > MAX_DIGITS:
            raise ExpressionError(f"{cut(self._source[start:end])} has more than {MAX_DIGITS:,} digits")
        value = Fraction(re.sub(r"[,'_\u2019\u202f]", "", digits)) * Fraction(10) ** int(power or 0)
        self._push(Node("", (), start, end, start, end, value))
        self._wants_operand = False

    def _sign(self, sign: str | None, start: int, end: int) -> None:
        if sign is None:
            self._refuse("is not arithmetic", start)
        if self._wants_operand:
            self._before_operand(sign, start)
        elif sign == ")":
            self._close(start, end)
        elif sign == "%" and not self._operand_follows(end):
            self._percent(end)
        elif sign in {"(", "sqrt"} or (sign == "of" and self._nodes[self._operands[-1]].operator != "percent"):
            self._refuse("has no operator before it" if sign != "of" else "does not follow a percentage", start)
        else:
            self._binary("mod" if sign == "%" else sign, start)

    def _before_operand(self, sign: str, start: int) -> None:
        if sign == "-":
            self._operators.append(("negate", start))
        elif sign in {"(", "sqrt"}:
            self._operators.append((sign, start))
        elif sign != "+":
            self._refuse("is where a number is missing", start)

    def _operand_follows(self, place: int) -> bool:
        token = _TOKEN.match(self._source, place)
        return token is not None and bool(token["number"] or _spelling(token["word"]) in {"(", "sqrt"})

    def _binary(self, operator: str, start: int) -> None:
        level = _PRECEDENCE[operator]
        while self._operators:
            waiting = _PRECEDENCE[self._operators[-1][0]]
            if waiting < level or (waiting == level and operator == "^"):
                break
            self._reduce()
        self._operators.append((operator, start))
        self._wants_operand = True

    def _percent(self, end: int) -> None:
        while self._operators and self._operators[-1][0] == "sqrt":
            self._reduce()
        operand = self._operands.pop()
        start = self._nodes[operand].outer_start
        self._push(Node("percent", (operand,), start, end, start, end))

    def _close(self, start: int, end: int) -> None:
        while self._operators and self._operators[-1][0] != "(":
            self._reduce()
        if not self._operators:
            self._refuse("closes a parenthesis that was never opened", start)
        node = self._nodes[self._operands[-1]]
        node.outer_start, node.outer_end = self._operators.pop()[1], end

    def _reduce(self) -> None:
        operator, start = self._operators.pop()
        right = self._operands.pop()
        end = self._nodes[right].outer_end
        operands: tuple[int, ...] = (right,)
        if operator not in _PREFIXES:
            left = self._operands.pop()
            operands = (left, right)
            start = self._nodes[left].outer_start
        self._push(Node("*" if operator == "of" else operator, operands, start, end, start, end))

    def _push(self, node: Node) -> None:
        self._operands.append(len(self._nodes))
        self._nodes.append(node)

    def _refuse(self, complaint: str, place: int) -> NoReturn:
        place = min(len(self._source) - len(self._source[place:].lstrip()), len(self._source))
        found = repr(self._source[place : place + 20]) if place < len(self._source.rstrip()) else "the end"
        message = f"cannot read the expression {cut(self._source)!r}: {found} at character {place + 1} {complaint}"
        raise ExpressionError(message, reason="ambiguous")
