"""Documents as sections and sentences, and which sections a summary falls apart into."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .markup import Heading, Prose, lines_of, read_markup

LONG = 12
"""A document or section with more sentences than this is summarised section by section."""

LONGEST = 1_000
"""The longest sentence, in characters; what is longer is not quoted."""

_END = re.compile(r"[.!?…\u3002\uff01\uff1f]+[\"'\u2019”»)\]*_」』]*")
_WIDE_END = frozenset("\u3002\uff01\uff1f")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Za-z]|e\.g|i\.e|a\.k\.a|etc|vs|cf|ca|approx|fig|no|dr|mr|mrs|ms|prof|st|inc|ltd|al|resp|z\.b|bzw)\.$",
    re.IGNORECASE,
)
_SHORT_WORD = re.compile(r"(?:^|\W)\w{1,3}\.$")
_ADDRESS = re.compile(r"\]\([^()\s]*\)|<?https?://[^\s<>]+>?")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_][\w'\u2019-]*")
_LEAST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, as it stands in the document, and the line that it begins on."""

    text: str
    line: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A run of lines, both ends included; without a title where the document has none.

    Attributes:
        title: the words of its heading; empty if it has none.
        first: its first line, from 1.
        last: its last line.
        last_title: the words of its last part's heading, where several sections were put together.
    """

    title: str
    first: int
    last: int
    last_title: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read.

    Attributes:
        name: its name, as the user gave it.
        length: how many lines it has.
        headings: its headings, in order.
        sentences: its sentences, in order.
        blocks: the lines that its paragraphs begin on.
    """

    name: str
    length: int
    headings: tuple[Heading, ...]
    sentences: tuple[Sentence, ...]
    blocks: tuple[int, ...]

    def sentences_in(self, section: Section) -> Sequence[Sentence]:
        """Return the sentences that begin in `section`."""
        first = bisect_left(self.sentences, section.first, key=lambda sentence: sentence.line)
        last = bisect_left(self.sentences, section.last + 1, key=lambda sentence: sentence.line)
        return self.sentences[first:last]

    def headings_in(self, section: Section) -> Sequence[Heading]:
        """Return the headings in `section`."""
        first = bisect_left(self.headings, section.first, key=lambda heading: heading.line)
        last = bisect_left(self.headings, section.last + 1, key=lambda heading: heading.line)
        return self.headings[first:last]

    def has_prose(self, section: Section) -> bool:
        """Return whether a sentence begins in `section`."""
        return bool(self.sentences_in(section))

    @property
    def whole(self) -> Section:
        """All of it."""
        return Section("", 1, max(self.length, 1))


@lru_cache(maxsize=8)
def read_document(name: str, text: str) -> Document:
    """Return `text` as headings and sentences; a text that was read lately is not read again."""
    headings: list[Heading] = []
    sentences: list[Sentence] = []
    blocks: list[int] = []
    for piece in read_markup(text, is_rst=name.lower().endswith(".rst")):
        if isinstance(piece, Heading):
            headings.append(piece)
            continue
        found = list(_sentences(piece))
        if found:
            blocks.append(piece.line)
            sentences.extend(found)
    return Document(name, len(lines_of(text)), tuple(headings), tuple(sentences), tuple(blocks))


def sections_of(document: Document, section: Section) -> list[Section]:
    """Return the parts of `section` that have prose, two or more, or none if it does not fall apart.

    The parts are the sections of the outermost level below it; where there are no headings, runs of paragraphs. A
    part without prose belongs to the one before it, so that its lines are in one of the parts.
    """
    while True:
        parts = _by_headings(document, section) or _by_paragraphs(document, section)
        with_prose = [part for part in parts if document.has_prose(part)]
        if len(with_prose) > 1:
            return _without_holes(document, parts)
        if not with_prose or with_prose[0] == section:
            return []
        section = with_prose[0]


def silent_headings(document: Document, section: Section) -> list[Section]:
    """Return the outermost sections below `section`, headings and all, in which there is no prose."""
    found: list[Section] = []
    headings = document.headings_in(section)
    ends = _ends(headings, section.last)
    for heading, end in zip(headings, ends, strict=True):
        part = Section(heading.title, heading.line, end)
        if (not found or part.first > found[-1].last) and not document.has_prose(part):
            found.append(part)
    return found


def _ends(headings: Sequence[Heading], last: int) -> list[int]:
    ends = [last] * len(headings)
    waiting: list[int] = []
    for index, heading in enumerate(headings):
        while waiting and headings[waiting[-1]].level >= heading.level:
            ends[waiting.pop()] = heading.line - 1
        waiting.append(index)
    return ends


def _by_headings(document: Document, section: Section) -> list[Section]:
    headings = list(document.headings_in(section))
    opening = section.title
    if headings and not document.has_prose(Section("", section.first, headings[0].line - 1)):
        opening = headings.pop(0).title
    if not headings:
        return []
    top = min(heading.level for heading in headings)
    tops = [heading for heading in headings if heading.level == top]
    firsts = [section.first, *(heading.line for heading in tops)]
    lasts = [*(heading.line - 1 for heading in tops), section.last]
    titles = [opening, *(heading.title for heading in tops)]
    return [
        Section(title, first, last) for title, first, last in zip(titles, firsts, lasts, strict=True) if first <= last
    ]


def _by_paragraphs(document: Document, section: Section) -> list[Section]:
    if document.headings:
        return []
    sentences = document.sentences_in(section)
    starts = set(document.blocks)
    firsts: list[int] = []
    count = 0
    for sentence in sentences:
        if sentence.line in starts and (not firsts or count >= LONG) and (not firsts or sentence.line > firsts[-1]):
            firsts.append(sentence.line)
            count = 0
        count += 1
    if len(firsts) < 2:  # noqa: PLR2004 - one part is no split
        return []
    firsts[0] = section.first
    lasts = [*(line - 1 for line in firsts[1:]), section.last]
    return [Section("", first, last) for first, last in zip(firsts, lasts, strict=True)]


def _without_holes(document: Document, parts: Iterable[Section]) -> list[Section]:
    kept: list[Section] = []
    silent_from = 0
    for part in parts:
        if document.has_prose(part):
            kept.append(Section(part.title, silent_from or part.first, part.last))
            silent_from = 0
        elif kept:
            kept[-1] = Section(kept[-1].title, kept[-1].first, part.last)
        else:
            silent_from = silent_from or part.first
    return kept


def _sentences(prose: Prose) -> Iterable[Sentence]:
    text = "\n".join(prose.lines)
    start, line, counted = 0, prose.line, 0
    for end in _breaks(text):
        words = text[start:end]
        begin = start + len(words) - len(words.lstrip())
        line += text.count("\n", counted, begin)
        counted = begin
        sentence = _sentence(" ".join(words.split()), line)
        if sentence:
            yield sentence
        start = end


def _breaks(text: str) -> Iterable[int]:
    """Yield where sentences end; what is too long for a sentence is taken line by line."""
    start = 0
    for end in _ends_of_sentences(text):
        while end - start > LONGEST and (after := text.find("\n", start, end - 1) + 1):
            yield after
            start = after
        yield end
        start = end


def _ends_of_sentences(text: str) -> Iterable[int]:
    for found in _END.finditer(text):
        if text[found.start()] in _WIDE_END or _ends_sentence(text, found.start(), found.end()):
            yield found.end()
    yield len(text)


def _ends_sentence(text: str, start: int, end: int) -> bool:
    rest = text[end : end + 80]
    if rest and not rest[0].isspace():
        return False
    if text[start] != ".":
        return True
    before = text[max(0, start - 12) : start + 1]
    goes_on = rest.lstrip()[:1].islower() and _SHORT_WORD.search(before) is not None
    return not goes_on and _ABBREVIATION.search(before) is None


def _sentence(text: str, line: int) -> Sentence | None:
    if len(text) > LONGEST:
        return None
    words = tuple(word.lower() for word in _WORD.findall(_ADDRESS.sub(" ", text)))
    return Sentence(text, line, words) if len(words) >= _LEAST_WORDS else None
