"""A file of JSON lines that grows while a run goes on: each line stands in it once, and none is ever half there.

The store has all that the file has. So the file is made anew from the store when a process begins to write it, and once
more, in the run's order, at the end; in between lines are added as they come.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ramify.planner.errors import ExportError
from ramify.planner.runtime.output_files import check_new, format_named_by, open_private, unwritable
from ramify.tasks.json_text import json_text

_ENDS_OF_LINES = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def claim(path: Path, *, overwrite: bool = False) -> None:
    """Make sure that a new run can write its file, before anything is paid for; it is made if it is not there.

    Raises:
        UsageError: if its ending is not that of JSON Lines, or the file is there already and not empty, unless it is
            to be overwritten: somebody may need it.
        ExportError: if it cannot be written.
    """
    if path.suffix:
        format_named_by(path, {".jsonl": "", ".ndjson": ""}, what="JSON Lines", otherwise="")
    try:
        check_new(
            path,
            force=overwrite,
            otherwise=" (overwrite=True), or continue the run that writes it with `ramify resume`",
        )
        open_private(path, "ab").close()
    except OSError as error:
        raise unwritable(path, error) from None


def line_of(record: Mapping[str, Any]) -> str:
    """Return a record as a line of JSON, without its end, and without what some readers take for one."""
    line = json_text(record).encode("utf-8", "backslashreplace").decode()
    return line.translate(_ENDS_OF_LINES)


def write_whole(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Let the file hold exactly `records`; whoever reads it meanwhile has the old or the new one, whole.

    Raises:
        ExportError: if it cannot be written; it is as it was.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with open_private(part, "w", encoding="utf-8") as file:
            file.writelines(f"{line_of(record)}\n" for record in records)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(path, error) from None


def add_line(path: Path, record: Mapping[str, Any]) -> None:
    """Write one more line.

    Raises:
        ExportError: if it cannot be written whole; nothing of it is left.
    """
    line = f"{line_of(record)}\n".encode()
    try:
        with open_private(path, "ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                whole = file.write(line) == len(line)
            except OSError:
                file.truncate(before)
                raise
            if not whole:
                file.truncate(before)
                raise ExportError(f"{path} cannot be written: the disk is full; make room, and resume the run")
    except OSError as error:
        raise unwritable(path, error) from None
