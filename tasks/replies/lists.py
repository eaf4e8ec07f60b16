"""Plans without tags: the first thing in a reply that is a JSON list or a numbered or bulleted list is the plan.

- The first item decides about its list: items with the same kind of marker that stand no deeper are tasks, and
  everything else below an item, nested lists included, belongs to it.
- A list of mappings in YAML is read as one (`.yaml_lists`). A line "needs: 1, 2" in others names items.
- What follows an item belongs to it up to the next one. After the last item a blank line and a line that is not
  indented end the list, unless the item before had paragraphs of that kind too: then so may the last, as many.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .json_lists import json_start, listing_of, read_json
from .nothing import says_nothing
from .planned import Item, Listing
from .yaml_lists import begins_yaml, read_yaml_list

_BULLET = re.compile(r"[-*+\u2022\u2023\u2013\u2014\u25aa\u25cf\u25e6](?=\s|$)")
_NUMBER = re.compile(
    r"(?:#{1,6}[ \t]{1,9})?(\*\*|__)?(?:(?:step|task|subtask)[ \t]{1,9})?"
    r"(?:\(?[0-9]{1,3}(?:[.):\uff0e\uff1a](?=[\s*_]|$)|[\u3001\uff09])|[\u2460-\u2473])",
    re.IGNORECASE,
)
_BOX = re.compile(r"\[[ xX]\](?=\s)")
_NEEDS = re.compile(
    r"(?:[-*+\u2022][ \t]+)?(?:\*\*|__)?(?:needs|depends[ _]on|dependencies)(?:\*\*|__)?:(?:\*\*|__)?(.{0,200})",
    re.IGNORECASE,
)
_POSITION = re.compile(r"(?:(?:task|step)s?[ \t]{1,9})?#?([0-9]{1,3})", re.IGNORECASE)
_FENCE = "```"
_TAB = 4


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    indent: int
    kind: str  # "" if it is no item
    words: str  # without the marker

    @property
    def is_blank(self) -> bool:
        return not self.text

    @property
    def is_fence(self) -> bool:
        return self.text.startswith(_FENCE)


@dataclass(slots=True)
class _Entry:
    words: str
    lines: list[_Line] = field(default_factory=list)
    loose: list[int] = field(default_factory=list)  # where in lines paragraphs begin that are not indented


def read_list(body: str, *, reply: str) -> Listing:
    """Return the plan that the first list in `body` holds; an empty one if there is no list.

    Args:
        body: the reply without thoughts.
        reply: the whole reply, for errors.

    Raises:
        TruncatedReplyError: if a JSON list has no end.
        ReplyError: if a JSON list cannot be read.
    """
    position = fences = limit = 0
    while position < len(body):
        end = body.find("\n", position) + 1 or len(body)
        line = _line(body[position:end])
        fences += line.is_fence
        if line.kind:
            return _listing(body[position:], line, is_fenced=fences % 2 == 1, reply=reply)
        start = json_start(body, position, end)
        if start >= 0:
            if limit <= start:
                limit = body.find("\n```", start) + 1 or len(body)
            listing, end = read_json(body, start, limit, reply=reply)
            if listing is not None:
                return listing
        position = end
    return Listing()


def _listing(text: str, first: _Line, *, is_fenced: bool, reply: str) -> Listing:
    if begins_yaml(first.text):
        tasks = read_yaml_list(text, reply=reply)
        if tasks is not None and (listing := listing_of(tasks, reply)) is not None:
            return listing
    entries = _entries_of(map(_line, text.split("\n")), is_fenced=is_fenced)
    return Listing(tuple(map(_item, entries)))


def _item(entry: _Entry) -> Item:
    """Return a task; a line of it that says which numbers it needs, and nothing else, is no word of it."""
    needs: list[str] = []
    lines = []
    for line in entry.lines:
        found = _NEEDS.fullmatch(line.text)
        names = (
            [_POSITION.fullmatch(name.strip(" *_.[]")) for name in re.split(r",|;|&|\band\b", found[1])]
            if found
            else []
        )
        if found and (all(names) or says_nothing(found[1])):
            needs += [name[1] for name in names if name]
        else:
            lines.append(line)
    entry.lines = lines
    return Item(_content(entry), needs=tuple(needs))


def _line(raw: str) -> _Line:
    text = raw.strip()
    blank = raw[: len(raw) - len(raw.lstrip())]
    indent = len(blank) + (_TAB - 1) * blank.count("\t")
    if found := _BULLET.match(text):
        return _Line(text, indent, "bullet", text[found.end() :])
    if found := _NUMBER.match(text):
        words = text[found.end() :]
        return _Line(text, indent, "number", words.replace(found[1], "", 1) if found[1] else words)
    return _Line(text, indent, "", text)


def _entries_of(lines: Iterator[_Line], *, is_fenced: bool) -> list[_Entry]:
    first = next(lines)
    entries = [_Entry(first.words)]
    is_code = is_after_blank = False
    for line in lines:
        entry = entries[-1]
        is_nested = line.indent > first.indent + 1
        if line.is_fence and is_fenced and not is_nested:
            break
        is_code ^= line.is_fence
        if line.kind == first.kind and not is_nested and not is_code:
            entries.append(_Entry(line.words))
        else:
            if is_after_blank and not (line.is_blank or line.kind or is_nested or is_code):
                entry.loose.append(len(entry.lines))
            entry.lines.append(line)
        is_after_blank = line.is_blank
    _end(entries)
    return entries


def _end(entries: list[_Entry]) -> None:
    last = entries[-1]
    allowed = len(entries[-2].loose) if len(entries) > 1 else 0
    if len(last.loose) > allowed:
        del last.lines[last.loose[allowed] :]


def _content(entry: _Entry) -> str:
    first = entry.words.strip()
    box = _BOX.match(first)
    margin = min((line.indent for line in entry.lines if not line.is_blank), default=0)
    return "\n".join(_joined(first[box.end() :].lstrip() if box else first, entry.lines, margin)).strip()


def _joined(first: str, lines: Iterable[_Line], margin: int) -> Iterator[str]:
    yield first
    for line in lines:
        yield " " * (line.indent - margin) + line.text if line.text else ""
