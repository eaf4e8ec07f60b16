"""Which lines of a document are prose and which are headings: Markdown, reStructuredText and plain text, line by line.

Code, tables, badges, lines of nothing but links, directives, comments and front matter are no prose. Lines are
numbered from 1.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ATX = re.compile(r" {0,3}(?P<marks>#{1,6})[ \t]+(?P<text>\S.*)")
_FENCE = re.compile(r" {0,3}(?P<mark>```+|~~~+)")
_RULE = re.compile(r"([=\-~^\"'*+#.:_`])\1{1,}[ \t]*")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+•]|[0-9]{1,9}[.)])[ \t]+(?=\S)")
_TABLE = re.compile(r"[ \t]*(?:\||\+[-=]{2}|=+[ \t]+=|:?-{2,}:?[ \t]*\|)")
_DIRECTIVE = re.compile(r"[ \t]*(?:\.\.(?: |$)|:[\w-]{1,40}:(?:\s|$)|\[[^\]\[]{1,200}\]:)")
_LINK = re.compile(
    r"!?\[[^\[\]]*\]\([^()\s]*(?:[ \t]\"[^\"()]*\")?\)|!?\[[^\[\]]*\]\[[^\[\]]*\]|<https?://[^<>\s]*>|https?://\S+"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_LETTER = re.compile(r"[^\W\d_]")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
_LEAST_UNDERLINE = 3
_CODE_INDENT = 4


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its line, its level from 1 for the outermost, its words."""

    line: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph or an item of a list: its lines of text, and the number of the first."""

    line: int
    lines: tuple[str, ...]


def read_markup(text: str, *, is_rst: bool = False) -> Iterator[Heading | Prose]:
    """Yield the headings and the paragraphs of `text`, in order.

    Args:
        text: the whole document.
        is_rst: whether it is reStructuredText, where `#` begins no heading and the order of underlines gives levels.
    """
    return _Reader(lines_of(text), is_rst=is_rst).read()


def lines_of(text: str) -> list[str]:
    """Return the lines of `text`, as editors count them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


class _Reader:
    """One reading of one document: the paragraph that is being held, and the styles of underlines seen so far."""

    def __init__(self, lines: Sequence[str], *, is_rst: bool) -> None:
        self._lines = lines
        self._is_rst = is_rst
        self._levels: list[str] = [] if is_rst else ["=", "-"]
        self._held: list[str] = []
        self._first = 0
        self._is_after_item = False

    def read(self) -> Iterator[Heading | Prose]:
        index = self._after_front_matter()
        while index < len(self._lines):
            heading, after = self._heading(index)
            if heading:
                yield from self._flush()
                yield heading
                index = after
                self._is_after_item = False
                continue
            skipped = self._skipped(index)
            if skipped > index:
                yield from self._flush()
                index = skipped
                continue
            item = _ITEM.match(self._lines[index])
            if item:
                yield from self._flush()
                self._is_after_item = True
            self._hold(index, self._lines[index][item.end() if item else 0 :])
            index += 1
        yield from self._flush()

    def _hold(self, index: int, text: str) -> None:
        if not self._held:
            self._first = index + 1
        quote = _QUOTE.match(text)
        self._held.append(text[quote.end() :] if quote else text)

    def _flush(self) -> Iterator[Prose]:
        if self._held:
            yield Prose(self._first, tuple(self._held))
            self._held = []

    def _after_front_matter(self) -> int:
        if self._lines and self._lines[0].rstrip() == "---":
            for index in range(1, min(len(self._lines), 200)):
                if self._lines[index].rstrip() in {"---", "..."}:
                    return index + 1
        return 0

    def _heading(self, index: int) -> tuple[Heading | None, int]:
        line = self._lines[index]
        atx = None if self._is_rst else _ATX.match(line)
        if atx and not self._is_deep_code(index):
            return Heading(index + 1, len(atx["marks"]), _title(atx["text"].rstrip("# \t"))), index + 1
        has_overline = self._is_rst and self._is_rule(index) and self._is_rule(index + 2)
        words = index + has_overline
        if self._held or not self._is_title(words) or not self._is_underline(words):
            return None, index
        mark = self._lines[words + 1][0]
        style = mark * 2 if has_overline else mark
        if style not in self._levels:
            if not self._is_rst:
                return None, index
            self._levels.append(style)
        return Heading(index + 1, self._levels.index(style) + 1, _title(self._lines[words].strip())), words + 2

    def _is_rule(self, index: int) -> bool:
        return index < len(self._lines) and _RULE.fullmatch(self._lines[index]) is not None

    def _is_title(self, index: int) -> bool:
        line = self._lines[index] if index < len(self._lines) else ""
        return bool(line.strip()) and not line.startswith(("    ", "\t")) and _LETTER.search(line) is not None

    def _is_underline(self, index: int) -> bool:
        if not self._is_rule(index + 1):
            return False
        words, rule = self._lines[index].strip(), self._lines[index + 1].strip()
        return len(rule) >= (len(words) if self._is_rst else _LEAST_UNDERLINE)

    def _is_deep_code(self, index: int) -> bool:
        return self._lines[index].startswith("    ")

    def _skipped(self, index: int) -> int:
        """Return the line after what stands at `index` and is no prose; `index` if it is prose."""
        line = self._lines[index]
        fence = _FENCE.match(line.lstrip())
        if fence:
            return self._after_fence(index, fence["mark"])
        if line.lstrip().startswith("<!--"):
            return self._after_comment(index)
        if not line.strip():
            return index + 1
        if self._is_indented_code(index):
            return index + 1
        if _DIRECTIVE.match(line):
            return self._after_directive(index)
        return index if _is_prose(line) else index + 1

    def _is_indented_code(self, index: int) -> bool:
        line = self._lines[index].expandtabs(_CODE_INDENT)
        is_deep = line.startswith(" " * (1 if self._is_rst else _CODE_INDENT))
        if not line.startswith(" "):
            self._is_after_item = False
        return is_deep and not self._held and not self._is_after_item and _ITEM.match(line) is None

    def _after_fence(self, index: int, mark: str) -> int:
        for after in range(index + 1, len(self._lines)):
            if self._lines[after].strip().startswith(mark):
                return after + 1
        return len(self._lines)

    def _after_comment(self, index: int) -> int:
        for after in range(index, len(self._lines)):
            if "-->" in self._lines[after]:
                return after + 1
        return len(self._lines)

    def _after_directive(self, index: int) -> int:
        after = index + 1
        if self._lines[index].lstrip().startswith(".."):
            while after < len(self._lines) and (not self._lines[after].strip() or self._lines[after][0] in " \t"):
                after += 1
        return after


def _is_prose(line: str) -> bool:
    if _TABLE.match(line) or _RULE.fullmatch(line.strip()):
        return False
    bare = _TAG.sub(" ", line)
    without = _LINK.sub(" ", _LINK.sub(" ", bare)) if "[" in bare or "://" in bare else bare
    return _LETTER.search(without) is not None


def _title(words: str) -> str:
    shown = _LINK.sub(lambda link: link[0].partition("]")[0].lstrip("![") if "[" in link[0] else link[0], words)
    return " ".join(_TAG.sub(" ", shown).split()) or words
