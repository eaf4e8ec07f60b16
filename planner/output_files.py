"""The files that users ask for: written whole, in the format that their ending names, with one clear error."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from .errors import ExportError, UsageError

F = TypeVar("F")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to a file.

    Raises:
        ExportError: if it cannot be written.
    """
    try:
        path.write_bytes(data)
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


def format_named_by(path: Path, formats: Mapping[str, F], *, what: str) -> F:
    """Return the format that the ending of `path` names.

    Args:
        path: the file.
        formats: the formats by ending, as `.svg`.
        what: what is written, for the error.

    Raises:
        UsageError: if it names none.
    """
    found = formats.get(path.suffix.lower())
    if found is None:
        raise UsageError(f"{path} names no {what} format; end it in one of {', '.join(formats)}, or say the format")
    return found
