r"""How a plan is read from a Markdown outline: its lines to nodes that know their place.

    # Compare two cities
    In ten lines at most.                            text below belongs to the item above it, line by line

    - [x] Describe Oslo {#a}                         a bullet; [x] is DONE, [ ] and nothing are OPEN
    - Describe Bergen {#b type=writer}               its id, and what else is said of it
      1. Look it up                                  numbers: each needs the one before
      2. Write it down
    - Compare them {needs=a,b name="the comparison"}

An item is below the nearest one above it that is indented less; `##` headings are items as well, above all bullets. A
backslash keeps a mark from being one, and `&#32;` is the character with that number.
"""

import re
import sys
from dataclasses import dataclass

from ramify.tasks.errors import DocumentError
from ramify.tasks.json_text import read_json

from .nodes import Node, PlanFinding, empty_list, empty_mapping, scalar, shown
from .rows import made_id, near_miss

BRACE_KEYS = ("needs", "type", "name", "description", "priority", "expected_seconds", "memory_scope", "state")
"""What the braces of an item can say beside its id."""

HEADING = re.compile(r"(#{1,6})(?:[ \t]+(.*))?$")
ITEM = re.compile(r"(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+(.*))?$")

_BOX = re.compile(r"\[([ xX])\](?:[ \t]+|$)")
_VALUE = r'(?:"(?:[^"\\]|\\.)*+"|[^\s{}",=]+)'
_VALUES = rf"{_VALUE}(?:,[ \t]*{_VALUE})*"
_PART = rf"(?:#{_VALUE}|[\w-]+={_VALUES})"
_BRACES = re.compile(rf"(?<!\S)\{{[ \t]*{_PART}(?:[ \t]+{_PART})*[ \t]*\}}")
_BROKEN_BRACES = re.compile(r"(?<!\S)\{#[^{}]*\}$")
_NAMED_PART = re.compile(rf"#({_VALUE})|([\w-]+)=({_VALUES})")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|&#(\d{1,7});")
_ABOVE_BULLETS = 8
_TAB = 4


@dataclass(slots=True, eq=False)
class _Item:
    """An item of the outline, and what becomes of it.

    Attributes:
        line: its line, from 1.
        column: the column of its words, from 1.
        indent: how far it is indented; less than 0 for headings.
        text_indent: how far its words are indented.
        lines: the lines of its text.
        is_numbered: whether it has a number.
        id: its id; known when it has been read.
        node: what it is in a plan; complete when it has been read.
        children: how many items have been read below it.
        last: the item that was read last below it.
    """

    line: int
    column: int
    indent: int
    text_indent: int
    lines: list[str]
    is_numbered: bool
    id: str
    node: Node
    children: int = 0
    last: "_Item | None" = None

    def say(self, key: str, value: Node) -> None:
        """Put a key and its value into the node."""
        if self.node.entries is not None:
            self.node.entries[key] = (value, value)


def read_markdown(text: str, *, source: str) -> tuple[Node, list[PlanFinding]]:
    """Return the nodes of an outline, in the shape of any plan, and what is wrong with its lines.

    Raises:
        DocumentError: if it does not begin with `# Goal`.
    """
    findings: list[PlanFinding] = []
    items = _items(text, findings)
    if not items or items[0].indent != 1 - _ABOVE_BULLETS:
        place = items[0].line if items else 1
        raise DocumentError("an outline must start with its goal: `# Goal`", source=source, line=place, column=1)
    goal = items[0]
    _read_item(goal, None, findings)
    path = [goal]
    for item in items[1:]:
        if item.indent <= goal.indent:
            findings.append(
                PlanFinding(item.line, item.column, "a second `#` goal; a plan has one; use `##` for its parts")
            )
            continue
        while item.indent <= path[-1].indent:
            path.pop()
        _read_item(item, path[-1], findings)
        path.append(item)
    return goal.node, findings


def _items(text: str, findings: list[PlanFinding]) -> list[_Item]:
    """Return the items of an outline in order, each with the lines of its text."""
    items: list[_Item] = []
    blank = 0
    for number, whole in enumerate(text.split("\n"), 1):
        line = whole.rstrip()
        words = line.lstrip(" \t")
        indent = len(line[: len(line) - len(words)].expandtabs(_TAB))
        if not line:
            blank += 1
            continue
        item = _begun(line, words, indent, number)
        if item is not None:
            items.append(item)
        elif not items or indent <= items[-1].indent:
            column = len(line) - len(words) + 1
            findings.append(
                PlanFinding(number, column, "this text belongs to no task; indent it below one, or start it with `-`")
            )
        else:
            items[-1].lines += [""] * blank
            items[-1].lines.append(" " * max(0, indent - items[-1].text_indent) + words)
        blank = 0
    return items


def _begun(line: str, words: str, indent: int, number: int) -> _Item | None:
    """Return the item that begins with a line; None if none does."""
    heading = HEADING.match(line)
    if heading is not None:
        level, text = len(heading[1]), heading[2] or ""
        return _item(number, len(line) - len(text) + 1, level - _ABOVE_BULLETS, 0, text)
    found = ITEM.match(words)
    if found is None:
        return None
    text = found[2] or ""
    text_indent = indent + (len(words) - len(text) if text else 2)
    item = _item(number, len(line) - len(text) + 1, indent, text_indent, text)
    item.is_numbered = found[1] is not None
    return item


def _item(line: int, column: int, indent: int, text_indent: int, text: str) -> _Item:
    node = empty_mapping(line, column)
    return _Item(line, column, indent, text_indent, [text], is_numbered=False, id="0", node=node)


def _read_item(item: _Item, parent: _Item | None, findings: list[PlanFinding]) -> None:
    """Make the node of an item out of its lines, and put it into the node of its parent."""
    if parent is not None:
        parent.children += 1
        item.id = made_id(parent.id, parent.children)
        if parent.children == 1:
            parent.say("tasks", empty_list(item.line, item.column))
        tasks = parent.node.at(("tasks",))
        if tasks.items is not None:
            tasks.items.append(item.node)
    needs = empty_list(item.line, item.column)
    before = parent.last if parent is not None else None
    if item.is_numbered and before is not None and before.is_numbered and needs.items is not None:
        needs.items.append(scalar(item.line, item.column, before.id, before.id))
    _read_first_line(item, needs, findings)
    if needs.items:
        item.say("needs", needs)
    content = unescape("\n".join(item.lines))
    item.say("goal" if parent is None else "task", scalar(item.line, item.column, content, content))
    if parent is not None:
        parent.last = item


def _read_first_line(item: _Item, needs: Node, findings: list[PlanFinding]) -> None:
    """Read the box before and the braces after the words of an item; leave the words."""
    first = item.lines[0]
    box = _BOX.match(first) if item.indent >= 0 else None
    if box is not None:
        state = "OPEN" if box[1] == " " else "DONE"
        item.say("state", scalar(item.line, item.column, state, state))
    start = box.end() if box is not None else 0
    braces = (
        [found for found in _BRACES.finditer(first, start) if found.end() == len(first)] if first[-1:] == "}" else []
    )
    if braces:
        _read_braces(item, braces[0], needs, findings)
        item.lines[0] = first[start : braces[0].start()].rstrip()
    else:
        item.lines[0] = first[start:]
        broken = _BROKEN_BRACES.search(first, start) if first[-1:] == "}" else None
        if broken is not None:
            message = 'these braces are invalid; write them like {#id needs=a,"b c" type=writer}'
            findings.append(PlanFinding(item.line, item.column + broken.start(), message))


def _read_braces(item: _Item, braces: re.Match[str], needs: Node, findings: list[PlanFinding]) -> None:
    for part in _NAMED_PART.finditer(braces[0]):
        key = "id" if part[1] else part[2]
        column = item.column + braces.start() + part.start()
        nodes = [_value(found, item.line, column, findings) for found in re.findall(_VALUE, part[1] or part[3])]
        if key == "needs" and needs.items is not None:
            needs.items += nodes
        elif key not in {"id", *BRACE_KEYS}:
            hint = near_miss(key, BRACE_KEYS)
            findings.append(PlanFinding(item.line, column, f"unknown key {shown(key)}{hint}"))
        elif len(nodes) > 1 or (item.node.entries is not None and key in item.node.entries):
            findings.append(PlanFinding(item.line, column, f"{key} is given twice"))
        else:
            item.say(key, nodes[0])
            item.id = nodes[0].text or item.id if key == "id" else item.id


def _value(word: str, line: int, column: int, findings: list[PlanFinding]) -> Node:
    text = word
    if word.startswith('"'):
        try:
            text = read_json(word)
            text.encode()
        except ValueError:
            findings.append(PlanFinding(line, column, f"{shown(word)} is invalid; write quoted text as in JSON"))
            text = word
    return scalar(line, column, text, text)


def unescape(text: str) -> str:
    r"""Return the text that an outline's words stand for.

    >>> unescape(r"1\. \\a &#65; \&#65;")
    '1. \\a A &#65;'
    """
    return _ESCAPED.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return found[1]
    code = int(found[2])
    character = chr(code) if code <= sys.maxunicode else ""
    return found[0] if not character or "\ud800" <= character <= "\udfff" else character
