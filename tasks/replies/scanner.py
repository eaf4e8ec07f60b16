"""From the text of a reply to tags and the text between them: tolerant, piece by piece, every character looked at once.

A tag reaches from a `<` to the next `>` that is not quoted. Another `<` before that shows that it was no tag but text.
A quote that is never closed does not swallow the reply: if no end is found on the line, the first `>` is the end after
all. So what a `<` can begin ends at the next `<` at the latest, and nothing is ever read twice.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

_DOUBLE = '"\u201c\u201d\u201e\u201f\uff02\u00ab\u00bb\u300c\u300d'
_SINGLE = "'`\u2018\u2019\u201a\u201b\uff07"
_QUOTES = dict.fromkeys(_DOUBLE, '"') | dict.fromkeys(_SINGLE, "'")
_CLOSERS = {'"': re.compile(rf"\\?[{_DOUBLE}]"), "'": re.compile(rf"\\?[{_SINGLE}]")}
_BEGIN = re.compile(r"<(?=[A-Za-z/\\]|\Z)")
_EVENT = re.compile(rf"[<>\n{_DOUBLE}{_SINGLE}]")
_TAG = re.compile(r"<(\\?/[ \t]*)?([A-Za-z]+)(?=[\s/>]|$)")
_BETWEEN = re.compile(r"[\s/]*")
_WORD = re.compile(r"[^\s=\uff1d/]+")
_EQUALS = re.compile(r"\s*[=\uff1d]\s*\\?")
_VALUE = re.compile(r"\S*")
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": "\u00a0"}
_CDATA = "<![CDATA["
_CODE_POINTS = 0x110000
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag whose name was asked for.

    Attributes:
        name: its name, in lower case.
        raw: the whole tag, as it was written.
        end: how many characters of the text it and everything before it take.
        is_closing: whether it is `</name>`.
        is_empty: whether it is `<name/>`.
        is_mention: whether it stands alone in inline code, as in "`<task>`": somebody writes about it.
    """

    name: str
    raw: str
    end: int
    is_closing: bool
    is_empty: bool
    is_mention: bool = False

    @property
    def start(self) -> int:
        """How many characters of the text stand before it."""
        return self.end - len(self.raw)

    def attributes(self) -> dict[str, str]:
        """Return its attributes by name, in lower case and without `_` and `-`; see `read_attributes`."""
        return read_attributes(self.raw)


Token = Tag | str


class Scanner:
    """Turns the chunks of one text into tags and texts; where the chunks end makes no difference.

    Args:
        names: the tags to look for, in lower case; all others are text.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._offset = 0
        self._last = ""
        self._held: Tag | None = None
        self._begin_text()

    def feed(self, chunk: str) -> list[Token]:
        """Return the tokens that `chunk` completes, in order."""
        tokens: list[Token] = []
        position = 0
        if chunk:
            self._release(tokens, chunk[0])
        while position < len(chunk):
            step = self._in_segment if self._pieces else self._in_text
            position = step(chunk, position, tokens)
        return tokens

    def close(self) -> tuple[list[Token], str]:
        """Return the last tokens, and what was begun with a `<` and not finished."""
        tokens: list[Token] = []
        self._release(tokens, "")
        rest = ""
        if self._first_end:
            self._end_segment(tokens, "")
            self._release(tokens, "")
        elif self._pieces:
            rest = "".join(self._pieces)
            self._end_segment(tokens, "")
        return tokens, rest

    def _begin_text(self) -> None:
        self._pieces: list[str] = []  # of what began with a "<"
        self._length = 0
        self._quote = ""
        self._first_end = 0  # where it ends if its open quote is never closed; 0: nowhere yet

    def _in_text(self, chunk: str, position: int, tokens: list[Token]) -> int:
        found = _BEGIN.search(chunk, position)
        if found is None:
            self._say(tokens, chunk[position:])
            return len(chunk)
        self._say(tokens, chunk[position : found.start()])
        return self._keep(chunk, found.start(), found.end())

    def _in_segment(self, chunk: str, position: int, tokens: list[Token]) -> int:
        event = _EVENT.search(chunk, position)
        if event is None:
            return self._keep(chunk, position, len(chunk))
        mark = event[0]
        if mark == "<" or (mark == "\n" and self._first_end):
            self._keep(chunk, position, event.start())
            self._end_segment(tokens, mark)
            return event.start()
        self._keep(chunk, position, event.end())
        if mark == ">":
            self._first_end = self._first_end or self._length
            if not self._quote:
                self._first_end = self._length
                self._end_segment(tokens, chunk[event.end() : event.end() + 1])
        elif mark != "\n" and self._quote in ("", _QUOTES[mark]):
            self._quote = "" if self._quote else _QUOTES[mark]
        return event.end()

    def _keep(self, chunk: str, begin: int, end: int) -> int:
        self._pieces.append(chunk[begin:end])
        self._length += end - begin
        return end

    def _end_segment(self, tokens: list[Token], following: str) -> None:
        raw, end = "".join(self._pieces), self._first_end
        self._begin_text()
        found = _TAG.match(raw, 0, end)
        if found is None or found[2].lower() not in self._names:
            self._say(tokens, raw)
            return
        self._offset += end
        is_empty = not found[1] and raw[: end - 1].rstrip().endswith("/")
        self._held = Tag(found[2].lower(), raw[:end], self._offset, is_closing=bool(found[1]), is_empty=is_empty)
        following = raw[end : end + 1] or following
        if following or self._last != "`":
            self._release(tokens, following)
        self._say(tokens, raw[end:])

    def _release(self, tokens: list[Token], following: str) -> None:
        if self._held is not None:
            is_mention = self._last == following == "`"
            tokens.append(replace(self._held, is_mention=True) if is_mention else self._held)
            self._held = None
            self._last = ">"

    def _say(self, tokens: list[Token], text: str) -> None:
        if text:
            tokens.append(text)
            self._offset += len(text)
            self._last = text[-1]


def read_attributes(raw: str) -> dict[str, str]:
    """Return the attributes of a tag by name, in lower case and without `_` and `-`.

    Values stand in any quotes or in none. Words without a name belong to the value before them, as in `needs=a b`; an
    attribute that is given twice has both values.

    >>> read_attributes("<task ID=a depends_on='b c' />")
    {'id': 'a', 'dependson': 'b c'}
    """
    end = len(raw) - 1
    end = len(raw[:end].rstrip().removesuffix("/"))
    found: dict[str, list[str]] = {}
    name = ""
    without_end: set[str] = set()
    position = _past(_TAG, raw, 0, end)
    while (position := _past(_BETWEEN, raw, position, end)) < end:
        word = _WORD.match(raw, position, end)
        position = word.end() if word else position
        equals = _EQUALS.match(raw, position, end)
        if equals:
            name = word[0].lower().replace("_", "").replace("-", "") if word else name
            value, position = _read_value(raw, equals.end(), end, without_end)
            found.setdefault(name, []).append(value)
        elif word and name:
            found[name].append(word[0])
    return {name: unescape(" ".join(values)).strip() for name, values in found.items()}


def unescape(text: str) -> str:
    """Return `text` with XML's entities and character references decoded; every other `&` stands for itself.

    >>> unescape("R&D &lt;5 &amp;lt; &#65; ?a=1&copy=2")
    'R&D <5 &lt; A ?a=1&copy=2'
    """
    return _ENTITY.sub(_character, text) if "&" in text else text


def words_of(content: str) -> str:
    """Return the text that the inside of an element stands for: decoded, without white space around it.

    >>> words_of(" Sort R&amp;D <b>first</b> ")
    'Sort R&D <b>first</b>'
    """
    text = content.strip()
    if text.startswith(_CDATA) and text.endswith("]]>"):
        return text[len(_CDATA) : -3].strip()
    return unescape(text).strip()


def _read_value(raw: str, begin: int, end: int, without_end: set[str]) -> tuple[str, int]:
    quote = _QUOTES.get(raw[begin : begin + 1]) if begin < end else None
    if quote is not None:
        begin += 1
        closer = None if quote in without_end else _CLOSERS[quote].search(raw, begin, end)
        if closer is not None:
            return raw[begin : closer.start()], closer.end()
        without_end.add(quote)  # nor has any later one; they are not looked for again
    position = _past(_VALUE, raw, begin, end)
    return raw[begin:position], position


def _past(pattern: re.Pattern[str], text: str, begin: int, end: int) -> int:
    found = pattern.match(text, begin, end)
    return found.end() if found else begin


def _character(entity: re.Match[str]) -> str:
    name: str = entity[1]
    if name[0] != "#":
        return _ENTITIES[name]
    code = int(name.lstrip("#xX"), 16 if name[1] in "xX" else 10)
    is_character = 0 < code < _CODE_POINTS and code not in _SURROGATES
    return chr(code) if is_character else entity[0]
