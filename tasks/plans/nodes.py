"""A plan's text as values that know their place: what the readers of the three forms make, before it means anything.

Values are put together from the bottom up, on a stack of their own, so that no nesting can exhaust Python's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ramify.tasks.counting import counted
from ramify.tasks.errors import DocumentError

MAX_LEVELS = 500
"""How deep a plan's values may be nested; the readers give up below, whatever the text."""

MAX_ALIASED = 1_000_000
"""How many values the aliases of one YAML file may stand for in all."""

_MOST_LISTED = 50


class PlanFinding(NamedTuple):
    """What is wrong at one place of a plan.

    Attributes:
        line: the line, from 1.
        column: the column, from 1, counted in characters.
        message: what is wrong there, and what to do.
    """

    line: int
    column: int
    message: str


@dataclass(slots=True, eq=False)
class Node:
    """One value and where it stands.

    Attributes:
        line: the line, from 1.
        column: the column, from 1.
        value: the plain JSON value.
        text: a scalar as it was written, without quotes; None for lists and mappings.
        items: the nodes of a list; None for anything else.
        entries: the keys of a mapping, each with the node of the key and that of its value; None for anything else.
        size: how many values it stands for, aliases written out.
        height: how many levels it has.
        start: where its text begins, in characters from the beginning.
        end: where its text ends; white space may stand before it.
        is_flow: whether it is a list or mapping in brackets.
    """

    line: int
    column: int
    value: Any = None
    text: str | None = None
    items: "list[Node] | None" = None
    entries: "dict[str, tuple[Node, Node]] | None" = None
    size: int = 1
    height: int = 1
    start: int = 0
    end: int = 0
    is_flow: bool = False

    @property
    def kind(self) -> str:
        """What it is, in a person's words."""
        if self.items is not None:
            return "a list"
        if self.entries is not None:
            return "a mapping"
        return "text" if isinstance(self.value, str) else "nothing" if self.value is None else repr(self.value)

    def finding(self, message: str) -> PlanFinding:
        """Return what is wrong here as a finding."""
        return PlanFinding(self.line, self.column, message)

    def at(self, path: tuple[int | str, ...]) -> "Node":
        """Return the node that a path of keys and positions leads to, or the last one on the way that is there."""
        node = self
        for step in path:
            if node.entries is not None and step in node.entries:
                node = node.entries[str(step)][1]
            elif node.items is not None and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
        return node


def scalar(line: int, column: int, value: Any, text: str, *, start: int = 0, end: int = 0) -> Node:
    """Return the node of a scalar."""
    return Node(line, column, value, text, start=start, end=end)


def empty_list(line: int, column: int, *, start: int = 0, is_flow: bool = False) -> Node:
    """Return the node of a list that has nothing in it yet."""
    return Node(line, column, [], items=[], start=start, is_flow=is_flow)


def empty_mapping(line: int, column: int, *, start: int = 0, is_flow: bool = False) -> Node:
    """Return the node of a mapping that has nothing in it yet."""
    return Node(line, column, {}, entries={}, start=start, is_flow=is_flow)


class NodeBuilder:
    """Puts nodes together in the order in which a text mentions them.

    Attributes:
        root: the outermost node, when it is complete.
        findings: keys that stand twice or are no text; their values are left out.
    """

    def __init__(self, source: str) -> None:
        self.root: Node | None = None
        self.findings: list[PlanFinding] = []
        self._source = source
        self._open: list[Node] = []
        self._keys: list[Node | None] = []  # for each open node, the key that waits for its value
        self._aliased = 0

    def open(self, node: Node) -> None:
        """Begin a list or mapping; what is put from here on belongs to it.

        Raises:
            DocumentError: if it stands deeper than `MAX_LEVELS`.
        """
        self._check_level(node, 1)
        self._open.append(node)
        self._keys.append(None)

    def close(self, end: int = 0) -> Node:
        """End the innermost list or mapping and return it; one in brackets ends at `end`."""
        node = self._open.pop()
        self._keys.pop()
        if node.is_flow:
            node.end = end
        self.put(node)
        return node

    def put(self, node: Node) -> None:
        """Put a whole value, or a key, into the innermost open node."""
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if parent.items is not None:
            parent.items.append(node)
            parent.value.append(node.value)
        elif self._keys[-1] is None:
            self._keys[-1] = node
        else:
            self._enter(parent, self._keys[-1], node)
            self._keys[-1] = None
        parent.size += node.size
        parent.end = max(parent.end, node.end)
        parent.height = max(parent.height, node.height + 1)

    def put_alias(self, node: Node, line: int, column: int) -> None:
        """Put a value once more that stands elsewhere in the text.

        Raises:
            DocumentError: if the aliases stand for more than `MAX_ALIASED` values, or nest too deep.
        """
        place = Node(line, column)
        self._check_level(place, node.height)
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            raise DocumentError(
                f"the aliases of this file expand to more than {MAX_ALIASED} values; write less with `*`",
                source=self._source,
                line=line,
                column=column,
            )
        self.put(node)

    def _enter(self, parent: Node, key: Node, node: Node) -> None:
        if parent.entries is None or key.text is None:
            self.findings.append(key.finding(f"a key must be text, not {key.kind}"))
        elif key.text in parent.entries:
            first = parent.entries[key.text][0].line
            self.findings.append(
                key.finding(f"the key {shown(key.text)} occurs twice (first in line {first}); remove one")
            )
        else:
            parent.entries[key.text] = key, node
            parent.value[key.text] = node.value

    def _check_level(self, place: Node, height: int) -> None:
        if len(self._open) + height > MAX_LEVELS:
            raise DocumentError(
                f"values are nested deeper than {MAX_LEVELS} levels; list deep tasks in the top list with their"
                " `parent`",
                source=self._source,
                line=place.line,
                column=place.column,
            )


def error_of(findings: Sequence[PlanFinding], *, source: str) -> DocumentError:
    """Return the error that says what is wrong with a file: a line for each finding, at the place of the first."""
    first, *rest = findings
    lines = [first.message, *(f"{source}:{line}:{column}: {what}" for line, column, what in rest[: _MOST_LISTED - 1])]
    if len(findings) > _MOST_LISTED:
        lines.append(f"{source}: {counted(len(findings) - _MOST_LISTED, 'more error')}")
    return DocumentError("\n".join(lines), source=source, line=first.line, column=first.column)


def shown(text: str, limit: int = 60) -> str:
    r"""Return text of a file as it can stand in a message: one line, printable, not too long.

    >>> shown("a"), shown("a\nb")
    ('a', "'a\\nb'")
    """
    short = text if len(text) <= limit else f"{text[: limit - 3]}..."
    return short if short and short.isprintable() and short == short.strip() else repr(short)
