"""Files that a user attaches to a goal: text, read whole, with a clear error for everything else."""

from collections.abc import Iterable
from pathlib import Path

from ramify.planner.errors import UsageError
from ramify.planner.runtime.several import several
from ramify.tasks import Material

FILE_LIMIT = 20_000_000
"""The most bytes of one attached file."""


def read_materials(files: str | Path | Iterable[str | Path]) -> list[Material]:
    """Return the files as documents, named as the user named them.

    Raises:
        UsageError: if one is missing, a folder, empty, too large, no text in UTF-8, or named twice.
    """
    materials: dict[str, Material] = {}
    for file in several(files):
        name = str(file)
        if name in materials:
            raise UsageError(f"{name} is attached twice")
        materials[name] = Material(name=name, text=read_text(Path(file)))
    return list(materials.values())


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: if it is missing, a folder, empty, too large, or no text in UTF-8.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name the text files in it")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)  # a pipe or a device does not tell its size
        if len(data) > FILE_LIMIT:
            raise UsageError(f"{path} has more than the {FILE_LIMIT:,} bytes that are allowed; split it")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    text = decode(data, str(path))
    if not text.strip():
        raise UsageError(f"{path} is empty")
    return text


def decode(data: bytes, source: str) -> str:
    """Return `data` as text; a byte order mark is left out.

    Raises:
        UsageError: if it is no text in UTF-8; `source` and the first bad byte are named.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = f"byte {error.start:,} is 0x{data[error.start]:02x}"
        raise UsageError(f"{source} is not text in UTF-8 ({bad}); convert it first") from None
