"""How the text of a YAML or JSON plan is changed at single places: a value, a key, an item of a list, and nothing else.

Changes are noted first and made at once, so that places stay what they are. Comments, quotes, blank lines and the order
of keys are kept because they are never touched. Whether the text says afterwards what it should is for the caller to
check, who has to have another way: there are texts (aliases, tags, odd layouts) that cannot be changed so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ramify.tasks.json_text import json_text

from .nodes import Node
from .yaml_plans import word, write_yaml

Entries = Mapping[str, tuple[Node, Node]]
Span = tuple[int, int]


class Patch:
    """Changes to one text. What belongs further inside is to be noted first.

    Args:
        text: the text.
        is_json: whether it is JSON, where every text is quoted.
    """

    def __init__(self, text: str, *, is_json: bool) -> None:
        self._text = text if text.endswith("\n") else f"{text}\n"
        self._is_json = is_json
        self._changes: list[tuple[int, int, str]] = []

    def result(self) -> str:
        """Return the changed text.

        Raises:
            ValueError: if two changes are about the same characters.
        """
        changes = sorted(self._changes, key=lambda change: change[:2])
        if any(before[1] > after[0] for before, after in pairwise(changes)):
            raise ValueError("two changes overlap")
        parts = []
        done = 0
        for start, end, words in changes:
            parts += [self._text[done:start], words]
            done = end
        return "".join([*parts, self._text[done:]])

    def set_key(self, mapping: Node, key: str, value: Any, *, before: str | None = None) -> None:
        """Give a key of a mapping another value; a new key comes last, or before the key `before`."""
        entries = mapping.entries or {}
        if key not in entries:
            self._add_key(mapping, key, value, before)
            return
        place, old = entries[key]
        end = self._end(old)
        if mapping.is_flow or (_is_word(old, value) and self._is_alone(end, value)):
            space = " " if self._text[old.start - 1] == ":" else ""
            self._change(old.start, end, space + self._inline(value, is_flow=mapping.is_flow))
        else:
            self._change(place.start, end, _block({key: value}, mapping.column - 1).strip())

    def set_text(self, node: Node, text: str, *, is_flow: bool) -> None:
        """Write another text, in a line, in the place of one that is an item of a list."""
        self._change(node.start, self._end(node), self._inline(text, is_flow=is_flow))

    def drop_keys(self, mapping: Node, keys: Collection[str]) -> None:
        """Take keys out of a mapping, with their values; one at least is to stay."""
        spans = [(place.start, self._end(value, place)) for place, value in (mapping.entries or {}).values()]
        is_gone = [key in keys for key in mapping.entries or {}]
        if mapping.is_flow:
            self._drop_from_flow(spans, is_gone)
            return
        first = is_gone.index(False) if False in is_gone else 0
        if first:  # the first key shares its line with what stands before it
            self._change(spans[0][0], spans[first][0], "")
        for span, gone in list(zip(spans, is_gone, strict=True))[first:]:
            if gone:
                self._change(self._line_start(span[0]), self._after_line(span[1]), "")

    def drop_items(self, items: Node, gone: Collection[int]) -> None:
        """Take items out of a list by their positions; one at least is to stay."""
        nodes = items.items or []
        if items.is_flow:
            self._drop_from_flow(
                [(node.start, self._end(node)) for node in nodes], [i in gone for i in range(len(nodes))]
            )
            return
        for position in gone:
            node = nodes[position]
            self._change(self._dash(items, node), self._after_line(self._end(node)), "")

    def add_items(self, items: Node, after: int | None, values: Sequence[Any]) -> None:
        """Put `values` behind the item at position `after` of a list that has items; None puts them first."""
        nodes = items.items or []
        if items.is_flow:
            words = [self._inline(value, is_flow=True) for value in values]
            if after is None:
                self._change(nodes[0].start, nodes[0].start, "".join(f"{word}, " for word in words))
                return
            end = self._end(nodes[after])
            separator = self._separator(nodes[after].start)
            self._change(end, end, "".join(separator + word for word in words))
            return
        place = self._dash(items, nodes[0]) if after is None else self._after_line(self._end(nodes[after]))
        self._change(place, place, _items(values, items.column - 1))

    def widen(self, node: Node, key: str, fields: Mapping[str, Any], *, is_flow: bool) -> None:
        """Make a mapping of a text: the text stays as it is written, as the value of `key`, with `fields` around it."""
        end = self._end(node)
        source = self._text[node.start : end]
        own = fields.get(key)
        if is_flow:
            words = [f"{self._key(name)}: {self._inline(value, is_flow=True)}" for name, value in fields.items()]
            if own is None:
                words.insert(int("id" in fields), f"{self._key(key)}: {source}")
            self._change(node.start, end, f"{{{', '.join(words)}}}")
            return
        first = {"id": fields["id"]} if "id" in fields else {}
        rest = {name: value for name, value in fields.items() if name not in {"id", key}}
        margin = node.column - 1
        text = (node.text or "") if own is None else own
        if own is None and "\n" not in source:
            said = f"{key}: {source}"
        elif self._is_alone(end, text):
            said = f"{key}: {self._inline(text, is_flow=False)}"
        else:
            said = _block({key: text}, margin).strip()
        self._change(node.start, end, _block(first, margin).lstrip() + " " * (margin if first else 0) + said)
        line = self._after_line(end)
        self._change(line, line, _block(rest, margin))

    def _add_key(self, mapping: Node, key: str, value: Any, before: str | None) -> None:
        entries = mapping.entries or {}
        names = list(entries)
        last = names[names.index(before) - 1] if before in entries and names[0] != before else names[-1]
        place, last_value = entries[last]
        end = self._end(last_value, place)
        if mapping.is_flow:
            words = f"{self._key(key)}: {self._inline(value, is_flow=True)}"
            self._change(end, end, self._separator(place.start) + words)
            return
        line = self._after_line(end)
        self._change(line, line, _block({key: value}, mapping.column - 1))

    def _drop_from_flow(self, spans: list[Span], is_gone: list[bool]) -> None:
        for i, (start, end) in enumerate(spans):
            if not is_gone[i]:
                continue
            if False in is_gone[:i]:
                self._change(spans[i - 1][1], end, "")
            else:
                self._change(start, spans[i + 1][0], "")

    def _inline(self, value: Any, *, is_flow: bool) -> str:
        if isinstance(value, str) and not self._is_json:
            return word(value, flow=is_flow)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return f"[{', '.join(self._inline(item, is_flow=True) for item in value)}]"
        return json_text(value)

    def _key(self, key: str) -> str:
        return json_text(key, ensure_ascii=True) if self._is_json else key

    def _separator(self, start: int) -> str:
        """Return what stands between two entries in brackets, the first of which begins at `start`."""
        margin = self._text[self._line_start(start) : start]
        return f",\n{margin}" if self._is_json and margin.isspace() else ", "

    def _is_alone(self, end: int, value: Any) -> bool:
        """Return whether a value can be written in a line: it has no line breaks, or a comment stands behind it."""
        rest = self._text[end : self._after_line(end)].strip()
        return bool(rest) or not (isinstance(value, str) and "\n" in value)

    def _end(self, node: Node, place: Node | None = None) -> int:
        """Return where a node ends, without the white space that belongs to it."""
        start, end = node.start, node.end
        if place is not None and end <= place.end:  # nothing stands behind the key
            return place.end + 1
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return end

    def _dash(self, items: Node, node: Node) -> int:
        """Return where the line of an item's dash begins.

        Raises:
            ValueError: if something stands before it.
        """
        line = self._line_start(node.start)
        while line > 0 and self._text[line + items.column - 1] != "-":
            line = self._line_start(line - 1)
        if self._text[line : line + items.column - 1].strip():
            raise ValueError("a list begins within a line")
        return line

    def _line_start(self, place: int) -> int:
        return self._text.rfind("\n", 0, place) + 1

    def _after_line(self, place: int) -> int:
        return self._text.find("\n", place) + 1

    def _change(self, start: int, end: int, words: str) -> None:
        self._changes.append((start, end, words))


def _is_word(old: Node, value: Any) -> bool:
    return old.text is not None and not isinstance(value, list | dict)


def _block(mapping: Mapping[str, Any], margin: int) -> str:
    return _indented(write_yaml(dict(mapping)).splitlines(), margin)


def _items(values: Sequence[Any], margin: int) -> str:
    lines = write_yaml({"items": [*values, {}]}).splitlines()  # a mapping in it keeps the list from one line
    return _indented((line.removeprefix("  ") for line in lines[1:-1]), margin)


def _indented(lines: Iterable[str], margin: int) -> str:
    return "".join(f"{' ' * margin}{line}\n" if line else "\n" for line in lines)
