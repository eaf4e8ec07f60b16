"""Text files that are attached to a task: read whole, with a clear word for everything that is no text."""

from collections.abc import Iterable
from pathlib import Path

from ramify.prompts import Material

FILE_LIMIT = 20_000_000
"""The most bytes of one attached file."""


class NotTextError(ValueError):
    """Raised for a file that cannot be attached; the message says which, why, and mostly what to do."""


def read_materials(files: Iterable[str | Path], *, attached: Iterable[Material] = ()) -> list[Material]:
    """Return the files as documents, named as they are given, behind those that are attached already.

    Raises:
        NotTextError: if one cannot be read as `read_text` says, or has the name of another.
    """
    materials = {material.name: material for material in attached}
    for file in files:
        name = str(file)
        if name in materials:
            raise NotTextError(f"{name} is attached twice")
        materials[name] = Material(name=name, text=read_text(Path(file)))
    return list(materials.values())


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        NotTextError: if it is missing, a folder, empty, too large, or no text in UTF-8.
    """
    try:
        if path.is_dir():
            raise NotTextError(f"{path} is a folder; name the text files in it")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)  # a pipe or a device does not tell its size
    except OSError as error:
        raise NotTextError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > FILE_LIMIT:
        raise NotTextError(f"{path} has more than {FILE_LIMIT:,} bytes, the limit; split it")
    text = decode(data, str(path))
    if not text.strip():
        raise NotTextError(f"{path} is empty")
    return text


def decode(data: bytes, source: str) -> str:
    """Return `data` as text; a byte order mark is left out.

    Raises:
        NotTextError: if it is no text in UTF-8; `source` and the first bad byte are named.
    """
    if (at := data.find(0)) >= 0:
        raise NotTextError(f"{source} is not text (byte {at:,} is 0x00); convert it first")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = f"byte {error.start:,} is 0x{data[error.start]:02x}"
        raise NotTextError(f"{source} is not text in UTF-8 ({bad}); convert it first") from None
