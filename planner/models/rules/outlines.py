"""What an outline is: headings, lists and "first ... then ..." sentences, read as parts in the user's own words.

Numbered items and "then" come one after the other; bullets, headings and "in parallel" stand side by side. Text before
the first part is the outline's title and no part; text after the last one is a part, so nothing that follows is lost.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .runs import even_runs

_ITEM = re.compile(r"(?P<indent> *)(?:[-*+•‣]|(?P<number>[0-9]{1,9})[.)])(?P<gap> {1,8})(?:\[[ xX]\] )?(?P<text>\S.*)")
_HEADING = re.compile(r"(?P<marks>#{1,6}) (?P<text>.*[^\s#])[\s#]*")
_FENCE = re.compile(r" *(?:```|~~~)")
_NUMBERED_TITLE = re.compile(r"(?:step|part) [0-9]{1,9}\b|[0-9]{1,9}[.):] ", re.IGNORECASE)
_FIRST = re.compile(r"(?:first(?:ly)?|first of all|to begin with)\b[,:]? ?", re.IGNORECASE)
_WEAK_THEN = r"next|finally|lastly|at last|second(?:ly)?|third(?:ly)?|fourth(?:ly)?"
_STRONG_THEN = r"then|after that|after which|afterwards?"
_THEN = re.compile(
    rf"(?:[,;.:] ?(?:and )?| and )(?:(?P<strong>{_STRONG_THEN})|{_WEAK_THEN})\b(?: finally)?[,:]? ?", re.IGNORECASE
)
_MEANWHILE = re.compile(
    r"(?:[,;.] ?(?:and )?| and )(?:in parallel|meanwhile|at the same time|simultaneously)\b[,:]? ?", re.IGNORECASE
)
_CONDITION = re.compile(r"(?:if|when|whenever|since|because|as|unless|once)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an outline.

    Attributes:
        content: its words, with what is nested below it on the lines that follow.
        is_after_previous: whether it needs the part before it.
    """

    content: str
    is_after_previous: bool = False


def outline_parts(text: str) -> tuple[Part, ...]:
    """Return the outermost parts of an outline; fewer than two parts are none.

    A heading with something below it keeps its mark, so that it is known as a title.

    >>> [part.content for part in outline_parts("First boil water, then make tea.")]
    ['boil water', 'make tea']
    """
    lines = text.expandtabs(4).splitlines()
    for read in (_sections, _items):
        parts = read(lines)
        if len(parts) > 1:
            return parts
    return _sentences(" ".join(text.split()))


def starts_with_item(text: str) -> bool:
    """Return whether the first line of `text` is an item of a list."""
    return _ITEM.match(text.lstrip("\n").expandtabs(4).partition("\n")[0]) is not None


def without_mark(text: str) -> str:
    """Return `text` without the mark of a list or heading that its first line begins with."""
    bare = text.strip()
    first, newline, rest = bare.partition("\n")
    found = _ITEM.fullmatch(first) or _HEADING.fullmatch(first)
    return f"{found['text']}{newline}{rest}" if found else bare


def readings(text: str) -> tuple[str, ...]:
    r"""Return the words that may say what `text` asks for: all, all without a mark, what stands below a heading.

    >>> readings("## Hotel\n3 * 120")
    ('## Hotel\n3 * 120', '3 * 120')
    """
    bare = text.strip()
    first, _, rest = bare.partition("\n")
    if not rest or (_ITEM.fullmatch(first) and not has_items(rest)):
        return (bare, without_mark(bare))
    return (bare, rest.strip()) if _HEADING.fullmatch(first) else (bare,)


def has_items(text: str) -> bool:
    """Return whether a line of `text` is an item of a list."""
    return any(_ITEM.fullmatch(line) for line in text.expandtabs(4).splitlines())


def grouped(parts: Sequence[Part], most: int) -> tuple[Part, ...]:
    """Return at most `most` parts: runs of neighbours are put together as lists, which can be taken apart again."""
    return tuple(
        Part(_as_list(run), run[0].is_after_previous) if len(run) > 1 else run[0] for run in even_runs(parts, most)
    )


def _as_list(run: Sequence[Part]) -> str:
    is_serial = any(part.is_after_previous for part in run[1:])
    marks = [f"{number}. " if is_serial else "- " for number in range(1, len(run) + 1)]
    return "\n".join(
        mark + part.content.replace("\n", "\n" + " " * len(mark)) for mark, part in zip(marks, run, strict=True)
    )


def _unfenced(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    is_code = False
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            yield number, line


def _sections(lines: Sequence[str]) -> tuple[Part, ...]:
    headings = [(number, found) for number, line in _unfenced(lines) if (found := _HEADING.fullmatch(line))]
    while headings:
        top = min(len(found["marks"]) for _, found in headings)
        tops = [(number, found) for number, found in headings if len(found["marks"]) == top]
        if len(tops) > 1:
            ends = [number for number, _ in tops[1:]] + [len(lines)]
            parts: list[Part] = []
            for (number, found), end in zip(tops, ends, strict=True):
                body = "\n".join(lines[number + 1 : end]).strip("\n").rstrip()
                content = f"{found[0]}\n{body}" if body else found["text"]
                parts.append(Part(content, bool(parts and _NUMBERED_TITLE.match(found["text"]))))
            return tuple(parts)
        headings = [(number, found) for number, found in headings if number > tops[0][0]]
    return ()


def _items(lines: Sequence[str]) -> tuple[Part, ...]:
    found = {number: item for number, line in _unfenced(lines) if (item := _ITEM.fullmatch(line.rstrip()))}
    if not found:
        return ()
    edge = min(len(item["indent"]) for item in found.values())
    blocks: list[list[str]] = []
    numbered: list[bool] = []
    column, is_loose = 0, False
    for number in range(min(found), len(lines)):
        line, item = lines[number].rstrip(), found.get(number)
        if item and len(item["indent"]) <= edge + 1:
            blocks.append([item["text"]])
            numbered.append(item["number"] is not None)
            column = item.start("text")
        elif not line or line.startswith(" ") or not is_loose:
            blocks[-1].append(_dedented(line, column))
        else:
            blocks.append([line])
            numbered.append(False)
            column = 0
        is_loose = not line
    return tuple(
        Part("\n".join(block).rstrip(), bool(i and numbered[i] and numbered[i - 1])) for i, block in enumerate(blocks)
    )


def _dedented(line: str, column: int) -> str:
    return line[min(column, len(line) - len(line.lstrip(" "))) :]


def _sentences(line: str) -> tuple[Part, ...]:
    first = _FIRST.match(line)
    thens = list(_THEN.finditer(line))
    if not first and (_CONDITION.match(line) or not any(then["strong"] for then in thens)):
        thens = []
    for breaks, is_serial in ((thens, True), (list(_MEANWHILE.finditer(line)), False)):
        starts = [first.end() if first and is_serial else 0, *(found.end() for found in breaks)]
        ends = [*(found.start() for found in breaks), len(line)]
        words = [line[start:end].strip(" ,;.") for start, end in zip(starts, ends, strict=True)]
        if len(words) > 1 and all(words):
            return tuple(Part(content, is_serial and i > 0) for i, content in enumerate(words))
    return ()
