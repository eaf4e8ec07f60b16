"""Files that a user attaches to a goal: text, read whole, with a clear error for everything else."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ramify.planner.errors import UsageError
from ramify.planner.runtime.several import several
from ramify.tasks import Material, text_files


def read_materials(files: str | Path | Iterable[str | Path]) -> list[Material]:
    """Return the files as documents, named as the user named them.

    Raises:
        UsageError: if one is missing, a folder, empty, too large, no text in UTF-8, or named twice.
    """
    with _as_usage():
        return text_files.read_materials(several(files))


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: if it is missing, a folder, empty, too large, or no text in UTF-8.
    """
    with _as_usage():
        return text_files.read_text(path)


def decode(data: bytes, source: str) -> str:
    """Return `data` as text; a byte order mark is left out.

    Raises:
        UsageError: if it is no text in UTF-8; `source` and the first bad byte are named.
    """
    with _as_usage():
        return text_files.decode(data, source)


@contextmanager
def _as_usage() -> Iterator[None]:
    try:
        yield
    except text_files.NotTextError as error:
        raise UsageError(str(error)) from None
