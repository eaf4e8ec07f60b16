"""The holes of a method: `Compare {first} with {second}` is held against a goal, and words are put into the same holes.

Both are plain substitution. What a hole holds is never read as a pattern, a template or code. A hole is a name in
braces; `{{name}}` stands for those very characters, and braces around anything else are nothing but braces.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_HOLE = re.compile(rf"\{{\{{({_NAME})\}}\}}|\{{({_NAME})\}}")
_WORD = re.compile(r"\S+")
_ENDS = ".!?\u2026\u3002 \t\r\n"
_FLAGS = re.IGNORECASE | re.DOTALL
MOST_TRIES = 1_000
"""How often it is tried where a hole ends that is there twice."""
LONGEST_GOAL = 100_000
"""How many characters a goal may have that is held against a pattern; a longer one holds its documents itself."""


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a parameter."""
    return re.fullmatch(_NAME, text) is not None


def holes_of(text: str) -> tuple[str, ...]:
    """Return the names of the holes of a text, each once, in order.

    >>> holes_of("Compare {a} with {b}, {a} first; {{c}} and { d } are words")
    ('a', 'b')
    """
    return tuple(dict.fromkeys(found[2] for found in _HOLE.finditer(text) if found[2]))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with words in its holes; one without words stays as it is.

    >>> filled("Describe {town} as {{town}}", {"town": "{{ 7 * 7 }}"})
    'Describe {{ 7 * 7 }} as {town}'
    """

    def put(found: re.Match[str]) -> str:
        return f"{{{found[1]}}}" if found[1] else values.get(found[2], found[0])

    return _HOLE.sub(put, text)


def closed(text: str) -> str:
    """Return what has no holes, and gives `text` when it is filled.

    >>> closed("f{x}"), filled(closed("f{x}"), {"x": "1"})
    ('f{{x}}', 'f{x}')
    """
    return re.sub(rf"\{{({_NAME})\}}", r"{{\1}}", text)


def in_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return JSON data in which every text is changed, but not the keys of its mappings."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [in_texts(each, change) for each in value]
    return {key: in_texts(each, change) for key, each in value.items()} if isinstance(value, dict) else value


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text of JSON data, but not the keys of its mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


class Pattern:
    """The words of a goal, with holes.

    It fits a goal in the same words: case, white space and the stop at the end do not count. A hole takes as little as
    it can, and something; one that is there twice takes the same words twice.

    Args:
        text: the words.

    Raises:
        ValueError: if it cannot be told what a hole takes.

    >>> Pattern("Compare {a} with {b}").match("compare  Oslo with Bergen and Rome.")
    {'a': 'Oslo', 'b': 'Bergen and Rome'}
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.names = holes_of(text)
        pieces = self._pieces(text.strip().rstrip(_ENDS))
        literals = [filled(piece, {}) for piece, _ in pieces]
        if not any(re.search(r"\w", literal) for literal in literals):
            raise ValueError("it has only blanks, so it would fit every goal")
        self.weight = sum(map(len, literals))
        """How many of its characters stand for themselves: of two that fit, the one with more says more."""
        self._regex = re.compile(self._source(pieces), _FLAGS)
        self._holes = [str(hole) for _, hole in pieces[:-1]]
        self._words: list[re.Pattern[str]] | None = None
        if len(self.names) < len(self._holes):
            last = f"{_literal(pieces[-1][0])}\\Z"
            self._words = [re.compile(words, _FLAGS) for words in [*(_literal(each) for each, _ in pieces[:-1]), last]]

    def match(self, goal: str) -> dict[str, str] | None:
        """Return what the holes take of a goal; None if it does not fit."""
        if len(goal) > LONGEST_GOAL:
            return None
        text = goal.strip().rstrip(_ENDS)
        found = self._regex.fullmatch(text)
        if found is not None:
            return {name: found[name] for name in self.names}
        return None if self._words is None else _Search(text, self._holes, self._words).found()

    @staticmethod
    def _pieces(text: str) -> list[tuple[str, str | None]]:
        """Return the words before each hole, with its name, and those after the last one."""
        pieces: list[tuple[str, str | None]] = []
        start = 0
        for found in _HOLE.finditer(text):
            if found[2]:
                if pieces and not text[start : found.start()]:
                    raise ValueError(f"there is nothing between {{{pieces[-1][1]}}} and {{{found[2]}}}")
                pieces.append((text[start : found.start()], found[2]))
                start = found.end()
        return [*pieces, (text[start:], None)]

    @staticmethod
    def _source(pieces: list[tuple[str, str | None]]) -> str:
        """Return the regular expression: nothing is tried twice, so it is linear in the goal, whatever the two say."""
        source, open_hole, seen = _literal(pieces[0][0]), pieces[0][1], set[str]()
        for number, (words, name) in enumerate(pieces[1:], 1):
            is_last = number == len(pieces) - 1
            hole = f"(?P={open_hole})" if open_hole in seen else rf"(?P<{open_hole}>\S.*{'' if is_last else '?'})"
            seen.add(str(open_hole))
            source += f"{hole}{_literal(words)}" if is_last else f"(?>{hole}{_literal(words)})"
            open_hole = name
        return source


@dataclass(slots=True)
class _Search:
    """Fits a goal to words with a hole that is there twice, of which the shortest words may not be the right ones.

    `{a} and {a}` takes `rock and roll and rock and roll` once `a` is `rock and roll`. A hole takes more as long as one
    that comes again is still ahead; a goal for which that has to be tried more than `MOST_TRIES` times does not fit.

    Attributes:
        text: the goal.
        holes: the names of the holes, as often as they are there.
        words: what stands before each hole, and after the last one.
        tries: how many ends of holes are still tried.
    """

    text: str
    holes: Sequence[str]
    words: Sequence[re.Pattern[str]]
    tries: int = MOST_TRIES

    def found(self) -> dict[str, str] | None:
        """Return what the holes take; None if the goal does not fit."""
        first = self.words[0].match(self.text)
        return None if first is None else self._rest(first.end(), 0, {})

    def _rest(self, start: int, number: int, values: dict[str, str]) -> dict[str, str] | None:
        """Return what all holes take, of which the one with `number` begins at `start`."""
        if number == len(self.holes):
            return values
        hole = self.holes[number]
        may_take_more = not set(self.holes[: number + 1]).isdisjoint(self.holes[number + 1 :])
        for end, after in self._ends(start, self.words[number + 1], values.get(hole)):
            found = self._rest(after, number + 1, {**values, hole: values.get(hole, self.text[start:end])})
            if found is not None or not may_take_more or self.tries <= 0:
                return found
        return None

    def _ends(self, start: int, words: re.Pattern[str], known: str | None) -> Iterator[tuple[int, int]]:
        """Yield where a hole may end, the nearest first, and where the words after it do."""
        if known is not None:
            end = start + len(known)
            if self.text[start:end].casefold() == known.casefold() and (found := words.match(self.text, end)):
                yield end, found.end()
            return
        if self.text[start : start + 1].isspace():
            return
        end = start
        while end < len(self.text) and (found := words.search(self.text, end + 1)):
            self.tries -= 1
            end = found.start()
            yield end, found.end()


def _literal(words: str) -> str:
    """Return the regular expression of words that stand for themselves, with any white space where they have some."""
    words = filled(words, {})
    inner = r"\s++".join(map(re.escape, _WORD.findall(words)))
    if not inner:
        return r"(?<!\s)\s++" if words else ""
    before, after = (r"(?<!\s)\s++" if words[0].isspace() else ""), (r"\s++" if words[-1].isspace() else "")
    return f"{before}{inner}{after}"
