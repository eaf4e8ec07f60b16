"""From HTML to what a person would read: title, text and links. Nothing is run, and every character is looked at once.

This is no tree builder: tags that are never closed cost nothing, and a page made to be slow to read is not. (The
standard library's parser takes minutes for some pages of 60 kB.)
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

_MOST_LINKS = 500
_LONGEST_TITLE = 500
_TAG_NAME = re.compile(r"/?[a-zA-Z][^\s/>]*")
_TAG_EVENT = re.compile(r">|=\s*[\"']")
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+))?")
_SPACES = re.compile(r"\s+")
_GAP = re.compile(r" *\n[ \n]*\n *")
_LINE_ENDS = re.compile(r" *\n *")

_RAW = frozenset({"script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp"})
_UNSEEN = frozenset({"noscript", "template", "svg", "math", "object", "audio", "video", "canvas", "select"})
_PARAGRAPHS = frozenset(
    {
        "address", "article", "aside", "blockquote", "details", "dl", "div", "fieldset", "figure", "footer", "form",
        "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul",
    }
)  # fmt: skip
_LINES = frozenset({"br", "dd", "dt", "figcaption", "li", "option", "summary", "tr"})
_CELLS = frozenset({"td", "th"})
_HEADINGS = {f"h{level}": f"{'#' * level} " for level in range(1, 7)}


@dataclass(frozen=True, slots=True)
class Readable:
    """What a page says.

    Attributes:
        title: its title; empty if it has none.
        text: its words, in lines and paragraphs.
        links: where it leads to, as whole addresses, each once, in order; at most 500.
    """

    title: str
    text: str
    links: tuple[str, ...]


def read_html(source: str, url: str) -> Readable:
    r"""Return what the page `source` says, which was found at `url`.

    >>> read_html("<title>T</title><p>One <b>two</b><p><a href='/x#y'>three</a><script>no</script>", "http://a.test/b")
    Readable(title='T', text='One two\n\nthree', links=('http://a.test/x',))
    """
    reader = _Reader(url)
    for kind, words in _tokens(source):
        reader.take(kind, words)
    return reader.readable()


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    """Yield ("text", words), ("tag", what stands between < and >) and (name of a raw element, its words), in order."""
    at = 0
    while at < len(source):
        begin = source.find("<", at)
        if begin < 0:
            yield "text", source[at:]
            return
        name = _TAG_NAME.match(source, begin + 1)
        if name is None and source[begin + 1 : begin + 2] not in {"!", "?", "/"}:
            yield "text", source[at : begin + 1]
            at = begin + 1
            continue
        if begin > at:
            yield "text", source[at:begin]
        end = _end_of_tag(source, name.end()) if name else _end_of_comment(source, begin)
        if end < 0:
            return
        at = end
        if name:
            yield "tag", source[begin + 1 : end - 1]
            if (raw := name[0].lower()) in _RAW:
                closing = re.compile(rf"</{raw}(?=[\s/>])", re.IGNORECASE).search(source, end)
                at = closing.start() if closing else len(source)
                yield raw, source[end:at]


def _end_of_tag(source: str, at: int) -> int:
    """Return where the tag ends that `at` is in; -1 if it never does. A quote that is never closed is no quote."""
    while event := _TAG_EVENT.search(source, at):
        if event[0] == ">":
            return event.end()
        at = max(source.find(event[0][-1], event.end()) + 1, event.end())
    return -1


def _end_of_comment(source: str, begin: int) -> int:
    mark = "-->" if source.startswith("<!--", begin) else ">"
    found = source.find(mark, begin + 2)
    return found + len(mark) if found >= 0 else -1


class _Reader:
    """Gathers what a page says from its tokens."""

    def __init__(self, url: str) -> None:
        self._base = url
        self._title: str | None = None
        self._parts: list[str] = []
        self._links: dict[str, None] = {}
        self._unseen: str | None = None
        self._depth = 0

    def take(self, kind: str, words: str) -> None:
        if kind == "tag":
            self._take_tag(words)
        elif self._unseen is None:
            if kind == "title" and self._title is None:
                self._title = " ".join(html.unescape(words).split())[:_LONGEST_TITLE]
            elif kind in {"text", "textarea", "xmp"}:
                self._parts.append(_SPACES.sub(" ", html.unescape(words) if kind != "xmp" else words))

    def readable(self) -> Readable:
        lines = _LINE_ENDS.sub("\n", _GAP.sub("\n\n", re.sub(r"  +", " ", "".join(self._parts))))
        return Readable(self._title or "", lines.strip(), tuple(self._links))

    def _take_tag(self, words: str) -> None:
        is_end = words.startswith("/")
        name = re.split(r"[\s/>]", words.removeprefix("/"), maxsplit=1)[0].lower()
        if self._unseen is not None:
            self._depth += (-1 if is_end else 1) if name == self._unseen else 0
            self._unseen = self._unseen if self._depth else None
        elif name in _UNSEEN:
            if not is_end and not words.endswith("/"):
                self._unseen, self._depth = name, 1
        else:
            self._see_tag(name, words, is_end=is_end)

    def _see_tag(self, name: str, words: str, *, is_end: bool) -> None:
        if name in _PARAGRAPHS:
            self._parts.append("\n\n")
        elif name in _LINES and not is_end:
            self._parts.append("\n")
        elif name in _CELLS:
            self._parts.append(" ")
        if is_end:
            return
        if name == "li":
            self._parts.append("- ")
        elif name in _HEADINGS:
            self._parts.append(_HEADINGS[name])
        elif name in {"a", "area", "base"}:
            self._take_link(words, is_base=name == "base")

    def _take_link(self, words: str, *, is_base: bool) -> None:
        attributes = (found.groups() for found in _ATTRIBUTE.finditer(words))
        written = next((value for key, value in attributes if key.lower() == "href" and value), None)
        if written is None or len(self._links) >= _MOST_LINKS:
            return
        try:
            address = urljoin(self._base, html.unescape(written.strip("\"'")).strip())
            parts = urlsplit(address)
        except ValueError:
            return
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return
        if is_base:
            self._base = address
        else:
            self._links[address.partition("#")[0]] = None
