"""In which line of a TOML file a key stands, for messages; the reader of the standard library keeps no places."""

import re
from collections.abc import Sequence
from pathlib import Path

_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def line_of(text: str, key: Sequence[str]) -> int | None:
    r"""Return the line, from 1, of a key with the tables above it, or of the last of these that is there.

    >>> line_of("jobs = 3\n[mcp.shop]\ncomand = 'x'\n", ["mcp", "shop", "comand"])
    3
    >>> line_of("jobs = 3\n[mcp.shop]\n", ["mcp", "shop", "command"]), line_of("jobs = 3", ["model"])
    (2, None)
    """
    table: list[str] = []
    deepest, found = 0, None
    for number, line in enumerate(text.splitlines(), 1):
        if (opened := _TABLE.match(line)) is not None:
            names = table = _parts(opened[1])
        elif (said := _KEY.match(line)) is not None:
            names = [*table, *_parts(said[1])]
        else:
            continue
        depth = len(_common(names, key))
        if depth > deepest:
            deepest, found = depth, number
    return found


def placed(path: Path | str, *keys: Sequence[str]) -> str:
    """Return FILE:LINE of the first of `keys` that is in a file, or FILE if none is there."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError):
        return str(path)
    line = next((line for key in keys if (line := line_of(text, key)) is not None), None)
    return str(path) if line is None else f"{path}:{line}"


def _common(names: Sequence[str], key: Sequence[str]) -> Sequence[str]:
    shared = []
    for name, wanted in zip(names, key, strict=False):
        if name != wanted:
            break
        shared.append(name)
    return shared


def _parts(name: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(name)]
