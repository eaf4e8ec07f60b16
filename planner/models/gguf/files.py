"""Which file `gguf:...` means, and whether it can be run here: told before anything is loaded."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ramify.planner.errors import NoModelError

from .caches import PART, CachedFile, cached_files
from .fitting import Fit, fitted, in_gib
from .header import GgufError, GgufHeader, read_header

_ENDING = ".gguf"
_MOST_NAMED = 5
_KINDS = {"adapter": "an adapter for a model", "mmproj": "the eyes of a model", "imatrix": "figures about a model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """A GGUF file.

    Attributes:
        path: where it is; of a model in several files, the first.
        bytes: how large it is, all parts together.
        header: what it says of the model.
    """

    path: Path
    bytes: int
    header: GgufHeader

    @property
    def about(self) -> str:
        """What it is, in a line."""
        header = self.header
        window = f"{header.trained_window:,} tokens" if header.trained_window else ""
        flaw = why_not(header) or ("" if header.chat_template else "a base model without a chat template")
        said = (header.title, header.architecture, header.quantisation, in_gib(self.bytes), window, flaw)
        return ", ".join(" ".join(each.split()) for each in said if each)

    def fit(self, name: str, *, wanted: int | None, at_once: int, free: int | None) -> Fit:
        """Return how much of the model fits into `free` bytes of memory; None is not known.

        Raises:
            NoModelError: if it does not.
        """
        fit = fitted(self.header, self.bytes, free=free, wanted=wanted, at_once=at_once)
        if not fit.window and free is not None:
            raise NoModelError(
                f"{name} needs about {in_gib(fit.bytes)} of memory (its file {in_gib(self.bytes)}), and"
                f" {in_gib(free)} are free; close other programs, or use a smaller model or"
                " quantisation; use --window N to try anyway"
            )
        return fit


RUNS = "xllamacpp"
"""The package that runs such files."""


def is_installed(package: str = RUNS) -> bool:
    """Return whether what runs such files is installed."""
    return find_spec(package) is not None


NOT_INSTALLED = "needs the package xllamacpp, which is not installed: pip install 'ramify[local]'"


def open_gguf(name: str, argument: str, *, package: str = RUNS) -> GgufFile:
    """Return the file that is meant, if it can be run.

    Args:
        name: how the model was named, for messages.
        argument: a path, a folder with one such file, or a name in one of the usual caches.
        package: what runs it.

    Raises:
        NoModelError: if there is no such file, it cannot be run, or xllamacpp is not installed.
    """
    if not argument.strip():
        raise NoModelError(f"{name} names no file; write gguf:FILE, or gguf:NAME from `ramify models`")
    if not is_installed(package):
        raise NoModelError(f"{name} {NOT_INSTALLED}")
    file = read_file(name, _path_of(name, argument))
    if (why := why_not(file.header)) is not None:
        raise NoModelError(f"{name} cannot be used: {file.path} is {why}; name a language model")
    return file


def read_file(name: str, path: Path) -> GgufFile:
    """Return a file with what its header says.

    Raises:
        NoModelError: if it cannot be read, or a part of it is missing.
    """
    try:
        header = read_header(path)
        return GgufFile(path=path, bytes=sum(part.stat().st_size for part in _parts(name, path)), header=header)
    except GgufError as error:
        raise NoModelError(f"{name} cannot be read: {path}: {error}; download it again, or name another") from None
    except OSError as error:
        raise NoModelError(f"{name} cannot be read: {path}: {error.strerror or error}") from None


def why_not(header: GgufHeader) -> str | None:
    """Return why a file answers no questions; None if it may."""
    if header.kind != "model":
        return f"{_KINDS.get(header.kind, f'of the kind {header.kind!r}')}, not a language model"
    if header.architecture == "clip":
        return f"{_KINDS['mmproj']}, not a language model"
    if header.gives_vectors:
        return "an embedding model, which returns vectors"
    return None if header.architecture else "without an architecture"


def _parts(name: str, path: Path) -> list[Path]:
    """Return the files that a model is spread over, of which `path` is the first."""
    found = PART.search(path.name)
    if found is None:
        return [path]
    number, count = int(found[1]), int(found[2])
    begin = path.name[: found.start()]
    parts = [path.with_name(f"{begin}-{each:05}-of-{count:05}{_ENDING}") for each in range(1, count + 1)]
    if number != 1:
        raise NoModelError(f"{name} is part {number} of a model in {count} files; name the first: gguf:{parts[0]}")
    missing = next((part for part in parts if not part.is_file()), None)
    if missing is not None:
        raise NoModelError(f"{name} is a model in {count} files, but {missing.name} is missing")
    return parts


def _path_of(name: str, argument: str) -> Path:
    try:
        path = Path(argument).expanduser()
        if path.is_dir():
            return _only_one(name, path)
        if path.is_file():
            return path.absolute()
    except (OSError, RuntimeError, ValueError):  # too long for a path, or of an unknown user
        pass
    cached = cached_files()
    meant = [each for each in cached if each.is_called(argument)]
    if len(meant) > 1:
        places = ", ".join(f"gguf:{each.path}" for each in meant[:_MOST_NAMED])
        raise NoModelError(f"{name} matches several files; choose one: {places}")
    if not meant:
        raise NoModelError(_unknown(name, argument, cached))
    return meant[0].path


def _only_one(name: str, folder: Path) -> Path:
    inside = sorted(path.absolute() for path in folder.glob(f"*{_ENDING}") if "mmproj" not in path.name.lower())
    first = [path for path in inside if (part := PART.search(path.name)) is None or int(part[1]) == 1]
    if len(first) == 1:
        return first[0]
    names = ", ".join(path.name for path in first[:_MOST_NAMED])
    what = f"{len(first)} GGUF files ({names}); name one of them" if first else "no GGUF file"
    raise NoModelError(f"{name} is a folder with {what}")


def _unknown(name: str, argument: str, cached: Iterable[CachedFile]) -> str:
    if argument.lower().endswith(_ENDING):
        return f"{name}: there is no file {argument}"
    close = difflib.get_close_matches(argument, [each.name for each in cached], n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(f'gguf:{each}' for each in close)}?" if close else ""
    return f"{name}: there is no such file, and the usual caches have no such model (`ramify models`){hint}"
