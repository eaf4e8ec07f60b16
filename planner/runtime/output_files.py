"""The files that users ask for: written whole, in the format that their ending names, with one clear error."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from ramify.planner.errors import ExportError, UsageError

F = TypeVar("F")


def open_private(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Open a file to write it as `open` does; one that is made now is its owner's alone to read, as the store is."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600), **options)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to a file.

    Raises:
        ExportError: if it cannot be written.
    """
    try:
        with open_private(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise unwritable(path, error) from error


def write_text(path: Path, text: str) -> None:
    """Write `text` to a file, as UTF-8.

    Raises:
        ExportError: if it cannot be written.
    """
    write_bytes(path, utf8(text))


def utf8(text: str) -> bytes:
    r"""Return `text` as UTF-8; half a surrogate pair, which that cannot hold, becomes its escape, as in JSON.

    >>> utf8('"\ud800"')
    b'"\\ud800"'
    """
    return text.encode("utf-8", "backslashreplace")


def unwritable(path: Path, error: OSError) -> ExportError:
    """Return the error for a file that cannot be written."""
    return ExportError(f"{path} cannot be written: {error.strerror or error}; choose another file")


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before anything is done or paid for that is to stand in it.

    Raises:
        ExportError: if it could not.
    """
    folder = path.absolute().parent
    try:
        if path.is_dir():
            why = "it is a folder"
        elif not folder.is_dir():
            why = f"there is no folder {path.parent}"
        elif not os.access(path if path.exists() else folder, os.W_OK):
            why = "permission denied"
        else:
            return
    except OSError as error:  # such as a name that is too long
        raise unwritable(path, error) from None
    raise ExportError(f"{path} cannot be written: {why}; choose another file")


def check_new(path: Path | None, *, force: bool, otherwise: str = "") -> None:
    """Refuse to write over a file that holds something, before anything is done or paid for; no file is fine.

    This is the rule for every file that a command writes. Calls from Python write over what is there, as those of
    other libraries do; but for data that cost something to make, which has a keyword of its own.

    Args:
        path: the file.
        force: whether it is to be written over.
        otherwise: what else can be done, for the error.

    Raises:
        UsageError: if it is there, or there is none that `force` could write over.
    """
    if path is None and force:
        raise UsageError("--force needs -o FILE; leave it out")
    if path is not None and not force and holds_something(path):
        raise UsageError(f"{path} already exists; choose another name, or overwrite it with --force{otherwise}")


def holds_something(path: Path) -> bool:
    """Return whether a file is there that would be missed; an empty one is not, nor is a device."""
    return path.is_file() and path.stat().st_size > 0


def did_you_mean(word: str, meanings: Mapping[str, str]) -> str:
    """Return the end of an error about `word`: what is meant by the spelling that comes nearest; empty if none does."""
    from difflib import get_close_matches

    return "".join(f"; did you mean {meanings[each]}?" for each in get_close_matches(word, meanings, 1))


def format_named_by(path: Path, formats: Mapping[str, F], *, what: str, otherwise: str = ", or name the format") -> F:
    """Return the format that the ending of `path` names.

    Args:
        path: the file.
        formats: the formats by ending, as `.svg`.
        what: what is written, for the error.
        otherwise: what else can be done, for the error.

    Raises:
        UsageError: if it names none; the message says which comes near.
    """
    found = formats.get(path.suffix.lower())
    if found is None:
        hint = did_you_mean(path.suffix.lower(), {ending: ending for ending in formats})
        raise UsageError(
            f"{path} has no {what} format; use one of these endings: {', '.join(formats)}{otherwise}{hint}"
        )
    return found
