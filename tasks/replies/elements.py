"""Which elements of a reply count: the outermost ones, after the thoughts, in one place.

- A `<task>` inside a task is content; so is every other tag there. Tags of one name are balanced.
- A leading `<think>` block is left out, and so is all before a lone `</think>` that comes before the first element.
- A tag alone in inline code, as in "`<task>`", is a mention and no element. `<atomic/>` so quoted counts only if there
  is nothing else, since some models quote their whole reply.
- A whole element in inline code, on one line, is an example: it counts only if there is no other.
- Elements in a code fence count like others, but not beside elements outside it or in another fence: one of them may be
  an example, and nobody can tell which. The reply is refused with these words, and asked for once more.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from ramify.tasks.errors import ReplyError, TruncatedReplyError

from .planned import has_words, shown
from .scanner import Scanner, Tag, Token

THOUGHTS = frozenset({"think", "thinking"})

LATE_THOUGHTS = "`</think>` stands after the first element; give the reply alone, without thoughts"

FENCE = "```"
_FENCE_LENGTH = 3

_TWO_PLACES = "there are elements in a code fence and others outside of it; give the reply once, without examples"
_CUTS = {"length": "by the length limit", "content_filter": "by the provider's content filter"}
_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Element:
    """An outermost element.

    Attributes:
        tag: its opening tag.
        content: what stands between its tags, as it was written; empty for `<name/>`.
    """

    tag: Tag
    content: str = ""


class ElementReader:
    """Reads the outermost elements of one text, chunk by chunk.

    Args:
        containers: the names of elements with content.
        empties: the names of elements whose opening tag is all that counts.

    Attributes:
        names: the names of all elements that count.
        body_start: how many characters of the text are thoughts.
        open_tag: the opening tag of the element that is not closed yet; None outside of elements.
        is_thinking: whether the text is in the middle of thoughts.
        mentioned: the empty elements that stand in inline code.
        quoted: the other elements that stand in inline code.
        is_given: whether there was any but those.
        complaints: what is wrong so far, in words that can be put to a model.
    """

    def __init__(self, *, containers: Collection[str], empties: Collection[str] = ()) -> None:
        self.body_start = 0
        self.open_tag: Tag | None = None
        self.is_thinking = False
        self.mentioned: set[str] = set()
        self.quoted: list[Element] = []
        self.complaints: list[str] = []
        self.is_given = False
        self.names = frozenset({*containers, *empties})
        self._containers = frozenset(containers)
        self._scanner = Scanner(self.names | THOUGHTS)
        self._content: list[str] = []
        self._depth = 0
        self._has_inner = False
        self._around: list[str] = []  # the text since the last element
        self._is_blank = True  # whether that text is
        self._fences = 0
        self._place: int | None = None  # the fence that elements stand in, 0 for none; None before the first element
        self._is_code = False  # whether the text is in inline code
        self._held: list[tuple[Element, int]] = []  # elements in what may be inline code, and the fences they stand in
        self._begun_in = 0  # the fence that the last element stands in

    def feed(self, chunk: str) -> list[Element]:
        """Return the elements that `chunk` completes, in order."""
        return self._read(self._scanner.feed(chunk))

    def close(self) -> tuple[list[Element], str]:
        """Return the last elements, and what was begun with a `<` outside of elements and not finished."""
        tokens, rest = self._scanner.close()
        elements = self._read(tokens)
        return elements + self._not_quoted(), rest

    def left_open(self) -> Element | None:
        """Return the element that the text ends in; None if it holds another of its kind, so that nobody can tell."""
        if self.open_tag is None or self._has_inner:
            return None
        content = without_end("".join(self._content), self.open_tag.name, is_fenced=self._fences % 2 == 1)
        return Element(self.open_tag, content)

    def _read(self, tokens: list[Token]) -> list[Element]:
        return [element for token in tokens for element in self._sorted(token)]

    def _sorted(self, token: Token) -> list[Element]:
        """Return the elements that `token` makes sure of: one in what may be inline code waits for the end of that."""
        released: list[Element] = []
        if self._held and isinstance(token, str) and self.open_tag is None:
            line, end, _ = token.partition("\n")
            if "`" in line:
                self.quoted += [element for element, _ in self._held]
                self._held.clear()
            elif end:
                released = self._not_quoted()
        element = self._take(token)
        if element is not None:
            self._held.append((element, self._begun_in))
            if not self._is_code or "\n" in element.content:
                released += self._not_quoted()
        return released

    def _not_quoted(self) -> list[Element]:
        """Return the elements that were held back, as they stand in no inline code."""
        held, self._held = self._held, []
        for _, place in held:
            if self._place not in (None, place):
                self.complaints.append(_TWO_PLACES)
            self._place = place
        self.is_given = self.is_given or bool(held)
        return [element for element, _ in held]

    def _take(self, token: Token) -> Element | None:
        if self.is_thinking:
            if isinstance(token, Tag) and token.name in THOUGHTS and token.is_closing and not token.is_mention:
                self._start_body(token.end)
            return None
        if self.open_tag is not None:
            return self._inside(token, self.open_tag)
        if isinstance(token, str):
            self._skip(token)
        elif token.name in THOUGHTS:
            self._think(token)
        elif token.is_mention:
            self.mentioned |= {token.name} - self._containers
            self._around.append(token.raw)
        elif token.is_closing:
            self._stray(token)
        else:
            return self._begin(token)
        return None

    def _skip(self, text: str) -> None:
        self._around.append(text)
        self._is_blank = self._is_blank and not text.strip()

    def _think(self, tag: Tag) -> None:
        if tag.is_mention or tag.is_empty:
            self._skip(tag.raw)
        elif tag.is_closing and self._place is None:
            self._start_body(tag.end)
        elif tag.is_closing:
            self.complaints.append(LATE_THOUGHTS)
        elif self._place is None and self._is_blank:
            self.is_thinking = True
        else:
            self._skip(tag.raw)

    def _start_body(self, position: int) -> None:
        self.is_thinking = False
        self.body_start = position
        self.mentioned.clear()
        self.quoted.clear()
        self._held.clear()
        self.complaints.clear()
        self._around.clear()
        self._is_code = False
        self._is_blank = True
        self._fences = 0

    def _stray(self, tag: Tag) -> None:
        if tag.name in self._containers and not (self._is_blank and self._place is not None):
            self.complaints.append(f"there is a `</{tag.name}>` without its `<{tag.name}>`; write each element whole")

    def _begin(self, tag: Tag) -> Element | None:
        before = "".join(self._around)
        ticks = [len(run) for run in _TICKS.findall(before)]
        self._fences += sum(length >= _FENCE_LENGTH for length in ticks)
        _, is_new_line, line = before.rpartition("\n")
        ticks = [len(run) for run in _TICKS.findall(line)] if is_new_line else ticks
        is_odd = sum(length < _FENCE_LENGTH for length in ticks) % 2 == 1
        self._is_code = is_odd != (self._is_code and not is_new_line)
        self._around.clear()
        self._is_blank = True
        self._begun_in = self._fences if self._fences % 2 else 0
        if tag.is_empty or tag.name not in self._containers:
            return Element(tag)
        self.open_tag = tag
        self._has_inner = False
        self._depth = 1
        return None

    def _inside(self, token: Token, open_tag: Tag) -> Element | None:
        if isinstance(token, Tag) and token.name == open_tag.name and not (token.is_mention or token.is_empty):
            self._depth += -1 if token.is_closing else 1
            self._has_inner = True
            if not self._depth:
                element = Element(open_tag, "".join(self._content))
                self._content.clear()
                self.open_tag = None
                return element
        self._content.append(token if isinstance(token, str) else token.raw)
        return None


def close_reader(
    reader: ElementReader, reply: str, finish_reason: str, *, may_end_open: bool = True
) -> tuple[list[Element], str]:
    """Return the last elements of a reply that was fed to `reader`, and the reply without thoughts.

    An element that the text ends in is the last one, if the model stopped by itself, and `may_end_open`.

    Raises:
        TruncatedReplyError: if the reply was cut: by its finish reason, or in thoughts, an element or a tag.
        ReplyError: if it is blank.
    """
    refuse_cut(reply, finish_reason)
    elements, rest = reader.close()
    body = body_of(reader, reply)
    if reader.open_tag is not None:
        last = reader.left_open() if may_end_open and finish_reason == "stop" else None
        if last is None:
            raise unclosed(reader.open_tag, reply)
        elements.append(last)
    refuse_begun_tag(rest, reader.names, reply)
    return elements or ([] if reader.is_given else reader.quoted), body


def refuse_cut(reply: str, finish_reason: str) -> None:
    """Raise TruncatedReplyError if the finish reason says that the reply is not whole."""
    if finish_reason in _CUTS:
        raise TruncatedReplyError(f"the reply was cut {_CUTS[finish_reason]}", reply=reply)


def refuse_begun_tag(rest: str, names: Collection[str], reply: str) -> None:
    """Raise TruncatedReplyError if `rest`, with which the reply ends, is the beginning of a tag that counts."""
    begun = rest[1:].lower()
    if begun and any(f"{name} ".startswith(begun) or _follows(begun, name) for name in names):
        raise TruncatedReplyError(f"the reply ends in the middle of a tag: {shown(rest)}", reply=reply)


def unclosed(tag: Tag, reply: str) -> TruncatedReplyError:
    """Return the error for an element without an end."""
    key = tag.attributes().get("id")
    which = f" with the id {shown(key)}" if key else ""
    return TruncatedReplyError(f"the `<{tag.name}>`{which} has no end: `</{tag.name}>` is missing", reply=reply)


def without_end(content: str, name: str, *, is_fenced: bool) -> str:
    """Return what an element that a reply never closes holds: without the beginning of its end, or that of its fence.

    >>> without_end("42</resul", "result", is_fenced=False)
    '42'
    """
    begun = content.rfind("<")
    if begun >= 0 and f"</{name}>".startswith(content[begun:].lower()):
        content = content[:begun]
    return content.rstrip().removesuffix(FENCE) if is_fenced else content


def body_of(reader: ElementReader, reply: str) -> str:
    """Return what comes after the thoughts.

    Raises:
        TruncatedReplyError: if the thoughts have no end.
        ReplyError: if nothing comes.
    """
    if reader.is_thinking:
        raise TruncatedReplyError("the thoughts have no end: `</think>` is missing", reply=reply)
    body = reply[reader.body_start :]
    if not has_words(body):
        raise ReplyError(
            "the reply holds nothing but thoughts" if reader.body_start else "the reply is blank", reply=reply
        )
    return body


def _follows(begun: str, name: str) -> bool:
    return begun.startswith(name) and not begun[len(name)].isalnum()
