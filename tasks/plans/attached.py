"""The documents of a plan: written out in it, or named by the paths of their files, which start at the plan's folder.

    attachments: [notes.txt, {name: x, text: ...}]

Each file is read once a plan. Knows nothing of tasks.
"""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from ramify.tasks.text_files import NotTextError, read_text

from .nodes import Node, PlanFinding, shown
from .rows import PlanRow

_NOTHING = {"name": "", "text": ""}  # keeps the place of a file that cannot be read


def read_attached(rows: list[PlanRow], folder: Path | None) -> Iterator[PlanFinding]:
    """Put the text of each file that a row attaches into the row, and yield what is wrong with the files.

    Without a folder, no file can be attached.
    """
    text_of = cache(partial(_text_of, folder))
    for row in rows:
        if "attachments" not in row.fields:
            continue
        given = row.node.at(("attachments",))
        documents: list[Any] = []
        names: set[object] = set()
        paths: set[object] = set()
        for node in [given] if given.items is None else given.items:
            name, document = _named(node)
            is_path = name is document
            if name in paths or (is_path and name in names):
                yield _finding(row, node, f"{shown(str(name))} is attached twice; rename one")
            try:
                documents.append({"name": document, "text": text_of(document)} if is_path else document)
            except NotTextError as error:
                documents.append(_NOTHING)
                yield _finding(row, node, str(error))
            (paths if is_path else names).add(name)
        row.fields["attachments"] = documents


def _named(node: Node) -> tuple[object, Any]:
    """Return the name of one entry and what it attaches: its path, which is its name, or else what is written there."""
    if node.text is not None and node.value is not None:
        return node.text, node.text
    name = None if node.entries is None else node.value.get("name")
    return (name if isinstance(name, str) else node), node.value


def _finding(row: PlanRow, node: Node, message: str) -> PlanFinding:
    return node.finding(f"task {shown(row.id)}: attachments: {message}")


def _text_of(folder: Path | None, path: str) -> str:
    if folder is None:
        raise NotTextError(f"{shown(path)} names a file, but this text is in no folder; write {{name: ..., text: ...}}")
    try:
        return read_text(folder / path)
    except NotTextError as error:
        raise NotTextError(f"{error}; the paths of a plan start at its folder") from None
    except ValueError:  # the path has characters that no path can have
        raise NotTextError(f"{shown(path)} is not a file path") from None
