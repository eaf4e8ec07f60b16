"""What a run looks like as a file: JSON lines, each an object with one key that says what it is.

    {"ramify": "run", "version": 1, "run": {...}}     an exported run, or "recording" with its calls alone
    {"task": {...}}  {"text": {...}}  {"call": {...}}  {"step": {...}}  {"memory": {...}}  {"event": {...}}
    {"end": {"task": 3, "text": 1, "call": 5, "event": 20, "sha256": "..."}}

The last line says how many of each there were, so that a file that was cut is never taken for a whole one; an exported
run's says the hash of all lines before it too. A long text stands before the first call that refers to it.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from json import JSONDecodeError
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, NamedTuple, Self

from ramify.planner.errors import ExportError, UsageError
from ramify.planner.runtime.output_files import open_private
from ramify.tasks.counting import counted
from ramify.tasks.json_text import read_json

from .texts import dump_json

FILE_VERSION: Final = 1
FileKind = Literal["run", "recording"]
PARTS: Final = ("task", "text", "call", "step", "memory", "event")

_HEAD_BYTES = 10_000_000


class Line(NamedTuple):
    """One line of a run's file.

    Attributes:
        number: its number in the file, from 1.
        kind: what it is.
        fields: what it says.
    """

    number: int
    kind: str
    fields: Mapping[str, Any]


class FileWriter:
    """Writes a file whole or not at all: it is called so only once its last line is on disk. A context manager."""

    def __init__(self, path: Path, kind: FileKind, run: Mapping[str, Any]) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._kind = kind
        self._run = run
        self._hash = hashlib.sha256()
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Begin the file.

        Raises:
            ExportError: if it cannot be written.
        """
        try:
            self._file = open_private(self._part, "wb")
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._write({"ramify": self._kind, "version": FILE_VERSION, "run": self._run})
        return self

    def add(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write one line.

        Raises:
            ExportError: if it cannot be written.
        """
        self._counts[kind] += 1
        self._write({kind: fields})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the file, or, after an error, leave nothing of it.

        Raises:
            ExportError: if it cannot be written.
        """
        try:
            if error is None:
                seal = {"sha256": self._hash.hexdigest()} if self._kind == "run" else {}
                self._write({"end": {**{part: self._counts[part] for part in PARTS}, **seal}})
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._part.replace(self._path)
        except OSError as fault:
            raise _unwritable(self._path, fault) from fault
        finally:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _write(self, line: Mapping[str, Any]) -> None:
        data = f"{dump_json(line, what=f'a line of {self._path}')}\n".encode()
        self._hash.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise _unwritable(self._path, error) from error


def read_head(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Return what kind of file `path` is, and what its first line says of the run.

    Raises:
        UsageError: if it is not there, cannot be read, or is not a run's file of this version.
    """
    with _opened(path) as file:
        return _head(path, file.readline(_HEAD_BYTES))


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a run's file between its first and its last.

    Raises:
        UsageError: if the file is not there or is no such file; if a line is damaged, which is named by its number; or
            if the file was cut or changed.
    """
    seen: Counter[str] = Counter()
    sealed = hashlib.sha256()
    number = 1
    with _opened(path) as file:
        head = file.readline()
        kind, _ = _head(path, head)
        sealed.update(head)
        for number, data in enumerate(file, 2):
            line = _line(path, number, data)
            if line.kind == "end":
                _check_end(path, line, seen, sealed.hexdigest() if kind == "run" else None)
                if file.read(1):
                    raise damaged(path, number + 1, "there is text after the last line")
                return
            sealed.update(data)
            seen[line.kind] += 1
            yield line
    raise damaged(path, number, "the file ends here without its last line: it is truncated")


def damaged(path: Path, number: int, what: str) -> UsageError:
    """Return the error for a line that cannot be what was written."""
    return UsageError(f"{path} is damaged, line {number:,}: {what}; export it again, or use another copy")


def _line(path: Path, number: int, data: bytes) -> Line:
    if not data.endswith(b"\n"):
        raise damaged(path, number, "the line is truncated")
    value = _parse(path, number, data)
    if not isinstance(value, dict) or len(value) != 1:
        raise damaged(path, number, "it is not an object with one key")
    ((kind, fields),) = value.items()
    if kind not in (*PARTS, "end") or not isinstance(fields, dict):
        raise damaged(path, number, f"{kind[:40]!r} is not a part of a run")
    return Line(number, kind, fields)


def _parse(path: Path, number: int, data: bytes) -> Any:
    try:
        return read_json(data)
    except (ValueError, RecursionError) as error:
        words = f"{error.msg} at its byte {error.colno}" if isinstance(error, JSONDecodeError) else str(error)
        raise damaged(path, number, f"it is not JSON ({words})") from None


def _head(path: Path, data: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        head = read_json(data)
        kind, version, run = head["ramify"], head["version"], head["run"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise UsageError(
            f"{path} is neither an exported run nor a recording; create one with `ramify store export` or --record"
        ) from None
    if version != FILE_VERSION:
        raise UsageError(
            f"{path} was written by another version of Ramify (its format is {version!r}, this one reads"
            f" {FILE_VERSION}); export it again, or use the version that wrote it"
        )
    if kind not in {"run", "recording"} or not isinstance(run, dict):
        raise UsageError(f"{path} is neither an exported run nor a recording, but {kind!r}")
    return kind, run


def _check_end(path: Path, line: Line, seen: Counter[str], sha256: str | None) -> None:
    for part in PARTS:
        said = line.fields.get(part, 0)
        if said != seen[part]:
            number = counted(said, "line") if isinstance(said, int) else repr(said)
            counts = f"{number} of the kind {part}, but there are {seen[part]:,}"
            raise damaged(path, line.number, f"it announces {counts}")
    if sha256 is not None and line.fields.get("sha256") != sha256:
        raise damaged(path, line.number, "its hash does not match the lines before it: one was changed")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; check the path") from None


def _unwritable(path: Path, error: OSError) -> ExportError:
    return ExportError(f"{path} cannot be written: {error.strerror or error}; choose another place")
