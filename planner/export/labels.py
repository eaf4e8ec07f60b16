"""What the box of a task says: cleaned, measured and wrapped once for all formats.

Widths are estimates in em, a little above those of common sans-serif fonts, so that text fits whichever is used.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ramify.planner.runtime.durations import format_duration
from ramify.tasks import Usage
from ramify.tasks.counting import counted

from .view import GraphView, ViewNode, state_counts

LABEL_EM = 18.0
FACTS_EM = 19.5  # in smaller letters
LABEL_LINES = 3
LABEL_LINES_OF_MANY = 2
_MANY_NODES = 60
ID_EM = 9.0
MOST_CHARACTERS_A_LINE = 200
MOST_FULL_CHARACTERS = 4_000
ELLIPSIS = "…"

# Control characters and surrogates are illegal in XML; directional overrides would turn the text around them.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_MOST_MARKS_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class NodeText:
    """The text of one box, line by line.

    Attributes:
        id: the task's id, shortened in the middle if it is long.
        content: what is to be done, wrapped.
        facts: kind of worker, duration, cost.
        hidden: how many tasks are folded into the box; empty if none are.
    """

    id: str
    content: tuple[str, ...]
    facts: tuple[str, ...]
    hidden: tuple[str, ...]


def node_texts(view: GraphView) -> list[NodeText]:
    """Return what the boxes of `view` say, in order; contents get fewer lines where there are many boxes."""
    lines = LABEL_LINES if len(view.nodes) <= _MANY_NODES else LABEL_LINES_OF_MANY
    return [
        NodeText(
            id=shorten_middle(one_line(node.id), width_em=ID_EM),
            content=wrap(node.content, width_em=LABEL_EM, lines=lines),
            facts=wrap(facts(node), width_em=FACTS_EM, lines=2),
            hidden=wrap(hidden_words(node), width_em=FACTS_EM, lines=4),
        )
        for node in view.nodes
    ]


def full_text(node: ViewNode) -> str:
    """Return everything that is known of `node`, for readers and tooltips; very long contents are cut."""
    content = _UNFIT.sub("", node.content[:MOST_FULL_CHARACTERS])
    if len(node.content) > MOST_FULL_CHARACTERS:
        content += f"{ELLIPSIS} ({counted(len(node.content) - MOST_FULL_CHARACTERS, 'more character')})"
    parts = (f"{one_line(node.id)} {node.state.value}: {content}", facts(node), hidden_words(node))
    return "\n".join(part for part in parts if part)


def facts(node: ViewNode) -> str:
    """Return what is known of `node`: kind of worker, duration, cost, and why it stands out."""
    known = (
        node.worker,
        "" if node.duration_s is None else format_duration(node.duration_s),
        format_cost(node.usage),
        node.note or ("added" if node.is_added else ""),
        "in focus" if node.is_focus else "",
    )
    return " · ".join(one_line(fact) for fact in known if fact)


def hidden_words(node: ViewNode) -> str:
    """Return how many tasks are folded into `node` and how they stand; empty if none are.

    A box whose subtasks are partly shown says `more`.
    """
    if not node.hidden:
        return ""
    count = sum(number for _, number in node.hidden)
    more = "more " if node.has_shown_subtasks else ""
    return f"+{counted(count, f'{more}task')}: {state_counts(dict(node.hidden))}"


def format_cost(usage: Usage) -> str:
    """Return the cost, short enough for a box; empty if no model was called, and unknown is said to be unknown.

    >>> format_cost(Usage(calls=2, cost_usd=0.5, calls_without_cost=1))
    '≥ $0.5000'
    """
    if not usage.calls:
        return ""
    if usage.calls_without_cost == usage.calls:
        return "cost unknown"
    amount = f"${usage.cost_usd:,.4f}" if 0 < usage.cost_usd < 1 else f"${usage.cost_usd:,.2f}"
    return f"≥ {amount}" if usage.calls_without_cost else amount


def one_line(text: str) -> str:
    r"""Return `text` without line breaks, characters that pictures cannot hold, and piles of combining marks.

    >>> one_line("two\n lines \x00")
    'two lines'
    """
    line = " ".join(_UNFIT.sub("", text).split())
    return line if line.isascii() else "".join(_without_piles(line))


def wrap(text: str, *, width_em: float, lines: int) -> tuple[str, ...]:
    """Break `text` into at most `lines` lines, each at most `width_em` wide; what is cut off leaves an ellipsis.

    >>> wrap("Compare the two oldest bridges", width_em=8, lines=2)
    ('Compare the', 'two oldest…')
    """
    cut = text[: MOST_CHARACTERS_A_LINE * lines]
    was_cut = len(cut) < len(text)
    wrapped: list[str] = []
    line, left = "", width_em
    for word in _words(one_line(cut), width_em):
        width = text_em(word)
        space = _character_em(" ") if line else 0.0
        if width + space <= left:
            line, left = (f"{line} {word}" if line else word), left - width - space
            continue
        wrapped.append(line)
        if len(wrapped) == lines:
            return (*wrapped[:-1], shorten(f"{line}{ELLIPSIS}", width_em=width_em))
        line, left = word, width_em - width
    if was_cut:
        line = shorten(f"{line}{ELLIPSIS}", width_em=width_em)
    return (*wrapped, line) if line else tuple(wrapped)


def shorten(text: str, *, width_em: float) -> str:
    """Cut the end off `text`, leaving an ellipsis, if it is wider than `width_em`."""
    if text_em(text) <= width_em:
        return text
    head = _head(text, width_em - _character_em(ELLIPSIS)).rstrip(f" {ELLIPSIS}")
    whole_words = head.rpartition(" ")[0]
    return (whole_words if len(whole_words) > len(head) // 2 else head) + ELLIPSIS


def shorten_middle(text: str, *, width_em: float) -> str:
    """Cut the middle out of `text`, leaving an ellipsis, if it is wider than `width_em`; both ends stay.

    >>> shorten_middle("3f6c1f7a-8c1d-4f5e-9f6e-2f0d8a1b7c44", width_em=7)
    '3f6c1…7c44'
    """
    if text_em(text) <= width_em:
        return text
    half = (width_em - _character_em(ELLIPSIS)) / 2
    most = int(width_em * 4)
    return f"{_head(text[:most], half)}{ELLIPSIS}{_head(text[: -most - 1 : -1], half)[::-1]}"


def text_em(text: str) -> float:
    """Return the width of `text` in em, estimated."""
    return sum(map(_character_em, text))


def _character_em(character: str) -> float:
    known = _EM.get(character)
    if known is None:
        if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
            known = 0.0
        else:
            known = 1.05 if unicodedata.east_asian_width(character) in {"W", "F"} else 0.68
    return known


def _words(line: str, width_em: float) -> Iterator[str]:
    for word in line.split():
        rest = word
        while text_em(rest) > width_em:
            head = _head(rest, width_em) or rest[0]
            yield head
            rest = rest[len(head) :]
        if rest:
            yield rest


def _head(text: str, width_em: float) -> str:
    used = 0.0
    for count, character in enumerate(text):
        used += _character_em(character)
        if used > width_em:
            return text[:count]
    return text


def _without_piles(line: str) -> Iterator[str]:
    marks = 0
    for character in line:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS_IN_A_ROW:
            yield character


def _em_table() -> dict[str, float]:
    classes = {
        0.32: "ijl.,:;'|!`",
        0.41: 'IJfrt()[]{}/\\-" ',
        0.98: "mwMW@%",
        0.66: "0123456789bdghnopqu$#_",
        0.86: "+=<>~^OQNGDH&",
        1.02: ELLIPSIS,
    }
    table = {character: 0.72 if character.isupper() else 0.60 for character in map(chr, range(0x21, 0x7F))}
    table.update({character: width for width, characters in classes.items() for character in characters})
    return table


_EM = _em_table()
