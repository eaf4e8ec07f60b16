"""How a plan is written as YAML: text to nodes that know their place, and data to text that is pleasant to edit.

Words are read as in the core schema of YAML 1.2: only `true`, `false`, `null`, `~` and numbers are anything but text,
so `yes`, `no` and dates stay what they are. A number that does not fit a float is text as well. Tags that make objects
are refused; anchors and aliases are read as long as they do not stand for too much.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

import math
import re
from typing import TYPE_CHECKING, Any

from ramify.tasks.errors import DocumentError

from .nodes import Node, NodeBuilder, PlanFinding, empty_list, empty_mapping, scalar, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}|0o[0-7]{1,4000}|0x[0-9a-fA-F]{1,3000}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_KNOWN_TAGS = {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_HINTS = {
    "found character that cannot start any token": "; indent with spaces, and quote text that begins with % or @",
    "did not find expected ',' or ']'": "; in brackets, quote text that has braces or brackets in it",
    "mapping values are not allowed here": "; quote text that has `: ` in it",
    "mapping values are not allowed in this context": "; quote text that has `: ` in it",
}


def read_yaml(text: str, *, source: str) -> tuple[Node, list[PlanFinding]]:
    """Return the nodes of a YAML text, and what is wrong with keys in it.

    Raises:
        DocumentError: if the text is no YAML, has more than one document or a tag that makes an object, is nested too
            deeply, or if its aliases stand for too much.
    """
    import yaml

    unreadable = _UNREADABLE.search(text)
    if unreadable is not None:
        before = text[: unreadable.start()]
        message = f"the character {unreadable.group()!a} is not allowed in YAML; write it as an escape in double quotes"
        place = {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}
        raise DocumentError(message, source=source, **place)
    reader = _Reader(source)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        problem = error.problem or "it cannot be read"
        line, column = _place(error.problem_mark)
        message = f"not YAML: {problem}{_HINTS.get(problem, '')}"
        raise DocumentError(message, source=source, line=line, column=column) from None
    if reader.builder.root is None:
        raise DocumentError("it is empty; a plan needs a `goal`", source=source, line=1, column=1)
    return reader.builder.root, reader.builder.findings


def resolve(word: str) -> Any:
    """Return what a word without quotes stands for.

    >>> [resolve(word) for word in ("yes", "null", "1e3", "0x10", "0.2.1", "1e999")]
    ['yes', None, 1000.0, 16, '0.2.1', '1e999']
    """
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _INTEGER.fullmatch(word):
        return int(word, {"0o": 8, "0x": 16}.get(word[:2], 10))
    if _FLOAT.fullmatch(word):
        number = float(word)
        return number if math.isfinite(number) else word
    return word


def write_yaml(data: dict[str, Any]) -> str:
    """Return YAML text of JSON data, in its order: block style, text of several lines as `|`, quotes where needed.

    What it writes reads the same in YAML 1.1 and 1.2.

    Raises:
        ValueError: if a number is not finite.
    """
    lines: list[str] = []
    stack = list(_entries(data, 0, ""))[::-1]
    while stack:
        head, value, indent = stack.pop()
        if isinstance(value, dict | list) and value and not (flow := _flow(value)):
            inline = head.endswith("-")
            if not inline:
                lines.append(head)
            first = f"{head} " if inline else ""
            inside = _entries(value, indent, first) if isinstance(value, dict) else _items(value, indent, first)
            stack.extend(reversed(list(inside)))
        elif isinstance(value, dict | list):
            lines.append(f"{head} {flow if value else '{}' if isinstance(value, dict) else '[]'}")
        else:
            lines.append(f"{head} {_scalar_text(value, indent)}")
    return "".join(f"{line}\n" for line in lines)


def _place(mark: "yaml.Mark | yaml._yaml.Mark | None") -> tuple[int, int]:
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _index(mark: "yaml.Mark | yaml._yaml.Mark | None") -> int:
    return 0 if mark is None else mark.index


class _Reader:
    """Takes the events of PyYAML's parser one by one; nothing of PyYAML's composer or constructor is used."""

    def __init__(self, source: str) -> None:
        self.builder = NodeBuilder(source)
        self._source = source
        self._anchors: dict[str, Node] = {}
        self._names: list[str | None] = []

    def take(self, event: "yaml.Event") -> None:
        """Take the next event of the text."""
        import yaml

        line, column = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event, line, column)
            value = resolve(event.value) if event.implicit[0] and event.tag is None else event.value
            start, end = _index(event.start_mark), _index(event.end_mark)
            self._name(event.anchor, node := scalar(line, column, value, event.value, start=start, end=end))
            self.builder.put(node)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event, line, column)
            is_list = isinstance(event, yaml.SequenceStartEvent)
            empty = empty_list if is_list else empty_mapping
            self.builder.open(empty(line, column, start=_index(event.start_mark), is_flow=bool(event.flow_style)))
            self._names.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._name(self._names.pop(), self.builder.close(_index(event.end_mark)))
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(f"the alias *{event.anchor} comes before, or inside, what it refers to", line, column)
            self.builder.put_alias(self._anchors[event.anchor], line, column)
        elif isinstance(event, yaml.DocumentStartEvent) and self.builder.root is not None:
            raise self._error("a second document starts here; a plan must be one", line, column)

    def _name(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _check_tag(self, event: "yaml.ScalarEvent | yaml.CollectionStartEvent", line: int, column: int) -> None:
        if event.tag not in _KNOWN_TAGS:
            message = f"the tag {shown(str(event.tag))} is not supported; a plan has text, numbers, lists and mappings"
            raise self._error(message, line, column)

    def _error(self, message: str, line: int, column: int) -> DocumentError:
        return DocumentError(message, source=self._source, line=line, column=column)


_Line = tuple[str, Any, int]
"""What stands before a value in its line, the value, and how far what belongs to it is indented."""

_PLAIN = re.compile(r"[^\W\d_](?:.*[^\s:])?")
_WORDS_OF_1_1 = {"y", "n", "yes", "no", "on", "off"}
_LONGEST_KEY = 250  # the parser takes a key of up to 1,024 characters for one; an escape is up to ten
_LONGEST_FLOW = 90
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_HEX = ((2, "x"), (4, "u"), (8, "U"))


def _entries(mapping: dict[str, Any], indent: int, first: str) -> "Iterator[_Line]":
    margin = " " * indent
    for number, (key, value) in enumerate(mapping.items()):
        start = first if first and not number else margin
        name = word(key)
        if len(key) > _LONGEST_KEY:
            start, name = f"{start}? {name}\n{margin}", ""
        yield f"{start}{name}:", value, indent + 2


def _items(values: list[Any], indent: int, first: str) -> "Iterator[_Line]":
    margin = " " * indent
    for number, value in enumerate(values):
        yield f"{first if first and not number else margin}-", value, indent + 2


def _flow(value: Any) -> str:
    """Return a list of a few words in one line; nothing if that does not suit it."""
    if not isinstance(value, list) or not all(isinstance(item, str | int | float | None) for item in value):
        return ""
    if sum(len(item) if isinstance(item, str) else 8 for item in value) > _LONGEST_FLOW:
        return ""
    text = ", ".join(word(item, flow=True) if isinstance(item, str) else _scalar_text(item, 0) for item in value)
    return f"[{text}]"


def _scalar_text(value: Any, indent: int) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that a file can hold")
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if not isinstance(value, str):
        return "null" if value is None else str(value).lower()
    if "\n" not in value or not _fits_block(value):
        return word(value)
    margin = " " * indent
    lines = "".join(f"\n{margin}{line}" if line else "\n" for line in value.removesuffix("\n").split("\n"))
    return f"|{'' if value.endswith(chr(10)) else '-'}{lines}"


def _fits_block(text: str) -> bool:
    """Return whether a literal block keeps every character, also when an editor strips the ends of lines."""
    lines = text.removesuffix("\n").split("\n")
    if not lines[0] or not lines[-1] or lines[0][0] == " ":
        return False
    return all(
        line.replace("\t", "").isprintable() and line == line.rstrip() and not line.startswith("\t") for line in lines
    )


def word(text: str, *, flow: bool = False) -> str:
    r"""Return text in one line, in double quotes unless it can stand without.

    >>> [word(text) for text in ("Describe Oslo", "yes", "a: b", "1e3", "a\nb")]
    ['Describe Oslo', '"yes"', '"a: b"', '"1e3"', '"a\\nb"']
    """
    is_plain = (
        _PLAIN.fullmatch(text) is not None
        and text.isprintable()
        and ": " not in text
        and " #" not in text
        and text.lower() not in _WORDS_OF_1_1
        and isinstance(resolve(text), str)
        and not (flow and any(mark in text for mark in ",[]{}?:"))
    )
    return text if is_plain else f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character.isprintable() and character not in '"\\':
        return character
    if "\ud800" <= character <= "\udfff":
        return character  # no escape can stand for half a pair; the caller refuses to encode it
    code = f"{ord(character):x}"
    width, letter = next(shape for shape in _HEX if len(code) <= shape[0])
    return _ESCAPES.get(character) or f"\\{letter}{code:0>{width}}"
