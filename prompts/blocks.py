"""How data stands in a prompt: delimited blocks that data cannot close, cut to a budget; never part of instructions.

A block is `<data-NONCE kind="...">text</data-NONCE>`. The nonce occurs in no data text, so no data text can end its
block or begin another. Source: spotlighting by delimiters, https://arxiv.org/abs/2403.14720. It lowers the risk of
injected instructions; it is no guarantee.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from pydantic import BaseModel

from .variables import Material, PromptVariables, TaskResult, ToolOutcome

DEFAULT_BUDGET = 120_000
"""Characters that the supporting data of one prompt may have together: about 30,000 tokens of English."""

EMPTY = "(empty)"
"""What stands for a text that is missing, so that nothing is left out unsaid."""

_NAME_LIMIT = 200
_is_plain = re.compile(rf"[\w .:/-]{{0,{_NAME_LIMIT}}}", re.ASCII).fullmatch
_ATTRIBUTE = str.maketrans({"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"})

Group = str | TaskResult | ToolOutcome | Material | Mapping[str, str] | Sequence["Group"] | None
"""What a template may hand to `data`: one piece of data, several, or none."""


class Block(NamedTuple):
    """One piece of data.

    Attributes:
        head: what it is and what is known about it, as the attributes of the block.
        text: the data.
    """

    head: str
    text: str

    def render(self, nonce: str) -> str:
        """Return the block as it stands in the prompt."""
        text = self.text if self.text.strip() else EMPTY
        return f"<data-{nonce} {self.head}>\n{text}\n</data-{nonce}>"


def make_nonce(seed: str, *, data: Iterable[str]) -> str:
    """Return eight hexadecimal digits that follow from `seed`, and occur in none of the `data` texts.

    One seed gives nearly all prompts of a run the same nonce, so that a server's cache of prompts knows them again up
    to their first real difference.

    Args:
        seed: the run's secret; whoever does not know it cannot guess the nonce.
        data: every text that the prompt will hold as data; `texts_of` gives those of a prompt's variables.
    """
    text = "\0".join(data)  # no nonce holds the separator
    for attempt in count():
        words = f"{seed}\0{attempt}"
        nonce = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        if nonce not in text:
            break
    return nonce


def texts_of(variables: PromptVariables) -> list[str]:
    """Return every text in `variables`, for `make_nonce`."""
    texts: list[str] = []
    pending: list[object] = [variables]
    for value in pending:  # grows while it is walked through
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, TaskResult):  # there may be thousands
            texts += (value.id, value.content, value.state, value.result)
        elif isinstance(value, BaseModel):
            pending.extend(value.__dict__.values())
        elif isinstance(value, dict):
            pending.extend(value)
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
    return texts


def cut(text: str, limit: int) -> str:
    r"""Return `text` if it has at most `limit` characters, else its head, its tail, and a note on what is left out.

    Two thirds of the limit go to the head; the note is not counted. A character is a Unicode code point, so no
    multibyte character is broken.

    >>> cut("abcdefghij", 3)
    'ab\n[... 7 characters omitted ...]\nj'
    """
    if len(text) <= limit:
        return text
    tail = limit // 3
    head = limit - tail
    omitted = len(text) - limit
    characters = "character" if omitted == 1 else "characters"
    return f"{text[:head]}\n[... {omitted} {characters} omitted ...]\n{text[len(text) - tail :]}"


def share(lengths: Sequence[int], budget: int) -> int:
    """Return the limit for each text such that texts of these lengths, cut to it, keep within `budget` together.

    Short texts stay whole, and what they leave over goes to the long ones.

    >>> share([10, 500, 900], 1000)
    495
    """
    left = budget
    for place, length in enumerate(sorted(lengths)):
        limit = left // (len(lengths) - place)
        if length > limit:
            return limit
        left -= length
    return max(lengths, default=0)


class Tally:
    """How much data a prompt shows, of how much, in characters."""

    def __init__(self) -> None:
        self.shown = 0
        self.given = 0

    def add(self, lengths: Sequence[int], limit: int) -> None:
        """Count texts of these lengths, each cut to `limit`."""
        given = sum(lengths)
        self.shown += given if max(lengths, default=0) <= limit else sum(min(length, limit) for length in lengths)
        self.given += given


def render_data(
    groups: Mapping[str, Group], *, nonce: str, budget: int | None = DEFAULT_BUDGET, tally: Tally | None = None
) -> str:
    """Return the blocks of all `groups`, in the given order: what most prompts of a run share stands first.

    Args:
        groups: data by kind.
        nonce: what delimits the blocks.
        budget: the most characters of data over all groups together; the longest texts lose their middle to keep
            within it. None cuts nothing.
        tally: counts what is shown.
    """
    blocks = [blocks_of(kind, group) for kind, group in groups.items()]
    if budget is not None:
        lengths = [len(block.text) for group in blocks for block in group]
        limit = share(lengths, budget)
        if tally is not None:
            tally.add(lengths, limit)
        blocks = [[_shortened(block, limit) for block in group] for group in blocks]
    return "\n".join(block.render(nonce) for group in blocks for block in group)


def blocks_of(kind: str, group: Group) -> Sequence[Block]:
    """Return the blocks of one piece of data, or of several."""
    if isinstance(group, TaskResult):
        return _two_blocks(_attribute(kind), group)
    if group is None:
        return []
    if isinstance(group, str | Material | ToolOutcome):
        return [_one_block(kind, group)]
    if isinstance(group, Mapping):
        return [Block(_head(kind=kind, name=name), text) for name, text in group.items()]
    head = _attribute(kind)
    return [
        block
        for item in group
        for block in (_two_blocks(head, item) if isinstance(item, TaskResult) else blocks_of(kind, item))
    ]


def _two_blocks(kind: str, result: TaskResult) -> tuple[Block, Block]:
    """Return what was asked and what came of it; there may be very many of these in one prompt."""
    task_id = _attribute(result.id)
    return (
        Block(f'kind="request" id="{task_id}" state="{_attribute(result.state)}"', result.content),
        Block(f'kind="{kind}" of="{task_id}"', result.result),
    )


def _one_block(kind: str, piece: str | Material | ToolOutcome) -> Block:
    if isinstance(piece, str):
        return Block(_head(kind=kind), piece)
    if isinstance(piece, Material):
        return Block(_head(kind=kind, name=piece.name), piece.text)
    state = "failed" if piece.is_error else "done"
    return Block(_head(kind=kind, tool=piece.tool, call=str(piece.number), state=state), piece.text)


def _shortened(block: Block, limit: int) -> Block:
    return block if len(block.text) <= limit else block._replace(text=cut(block.text, limit))


def _head(**facts: str) -> str:
    return " ".join([f'{name}="{_attribute(value)}"' for name, value in facts.items()])


def _attribute(value: str) -> str:
    if _is_plain(value):
        return value
    short = value if len(value) <= _NAME_LIMIT else f"{value[:_NAME_LIMIT]}..."
    if not short.isprintable():
        short = "".join(char if char.isprintable() else " " for char in short)
    return short.translate(_ATTRIBUTE)
