"""Long texts of tasks are stored as those of calls are: once a run, under their hash; the row of the task refers to it.

So a fork, which has rows of its own for its tasks, shares what is long in them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ramify.planner.errors import StoreError

from .rows import PROGRESS_COLUMNS, TASK_COLUMNS, Row
from .texts import SHARED_TEXT_LENGTH, sha256_of

_REFERENCE = "\x1b$"
"""What a column begins with that refers to a text; nothing else is encoded so: see `ramify.planner.store.texts`."""

_LONG = ("content", "spec", "result", "output")
IN_TASK = tuple(map(TASK_COLUMNS.index, _LONG))
IN_PROGRESS = tuple(PROGRESS_COLUMNS.index(name) for name in _LONG if name in PROGRESS_COLUMNS)
IN_EDIT = (2, 3)
"""Where texts stand that may be long, in rows of whole tasks, of their progress, and of edits."""


def share(row: Row, places: Sequence[int], texts: dict[str, str]) -> Row:
    """Return `row` with references for the long texts at `places`, which are put into `texts` by their hashes."""
    for place in places:
        text = row[place]
        if text is not None and len(text) >= SHARED_TEXT_LENGTH:
            sha256 = sha256_of(_REFERENCE + text)  # a text of a call, which is encoded otherwise, has another hash
            texts[sha256] = text
            row = (*row[:place], _REFERENCE + sha256, *row[place + 1 :])
    return row


def whole(
    rows: Iterable[Sequence[Any]], run_id: str, texts_of: Callable[[set[str]], Mapping[str, str]]
) -> Sequence[Sequence[Any]]:
    """Return `rows` of whole tasks with the texts that they refer to.

    Args:
        rows: the rows, in the order of `TASK_COLUMNS`.
        run_id: the run that they belong to.
        texts_of: returns texts by their hashes.

    Raises:
        StoreError: if there is no such text.
    """
    rows = list(rows)
    wanted = {sha256 for row in rows for place in IN_TASK if (sha256 := _hash_in(row[place])) is not None}
    if not wanted:
        return rows
    texts = texts_of(wanted)
    if missing := wanted - texts.keys():
        why = f"{len(missing)} of the long texts of its tasks are missing"
        raise StoreError(f"run {run_id} is damaged in the store: {why}; restore a backup, or start the run again")
    return [_filled(row, texts) for row in rows]


def _filled(row: Sequence[Any], texts: Mapping[str, str]) -> Sequence[Any]:
    filled = list(row)
    for place in IN_TASK:
        sha256 = _hash_in(row[place])
        if sha256 is not None:
            filled[place] = texts[sha256]
    return filled


def _hash_in(value: str | None) -> str | None:
    return value[2:] if value is not None and value[:2] == _REFERENCE else None
