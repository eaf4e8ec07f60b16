"""GGUF files in the usual places: the caches of Ollama, LM Studio, llama.cpp and the hub of Hugging Face.

Only names are looked at, in folders of known depth, and no more of them than there may be.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ramify.tasks.json_text import read_json

_MOST_FILES = 500
_MOST_BYTES_OF_MANIFEST = 1 << 20
_WEIGHTS = "application/vnd.ollama.image.model"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LIBRARY = ("registry.ollama.ai", "library")
PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf\Z")
"""How the names of files end that a large model is spread over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFile:
    """A GGUF file that another program keeps.

    Attributes:
        name: what to give behind `gguf:`, if no other file has the same name.
        path: the file.
        program: whose cache it is in.
        also: other names that it answers to.
    """

    name: str
    path: Path
    program: str
    also: tuple[str, ...] = ()

    def is_called(self, name: str) -> bool:
        """Return whether it is meant by a name; case does not matter."""
        return name.lower() in {each.lower() for each in (self.name, *self.also)}


def cached_files(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> list[CachedFile]:
    """Return the GGUF files in the usual places, each file once."""
    own = home or Path.home()
    found: dict[Path, CachedFile] = {}
    for look in _PLACES:
        for each in islice(look(environment, own), _MOST_FILES):
            found.setdefault(_real(each.path), each)
    return list(found.values())


def _ollama(environment: Mapping[str, str], home: Path) -> Iterator[CachedFile]:
    given = environment.get("OLLAMA_MODELS")
    folders = [Path(given)] if given else [home / ".ollama/models", Path("/usr/share/ollama/.ollama/models")]
    for folder in folders:
        for manifest in _in(folder / "manifests", "*/*/*/*"):
            blob = _weights(manifest)
            path = folder / "blobs" / blob.replace(":", "-") if blob else None
            if path is not None and path.is_file():
                host, owner, model, tag = manifest.relative_to(folder / "manifests").parts
                where = () if (host, owner) == _LIBRARY else (owner,) if host == _LIBRARY[0] else (host, owner)
                full = "/".join([*where, model])
                also = (full,) if tag == "latest" else ()
                yield CachedFile(name=f"{full}:{tag}", path=path, program="Ollama", also=also)


def _weights(manifest: Path) -> str | None:
    """Return the digest of the weights that a manifest names."""
    try:
        with manifest.open("rb") as file:
            layers = read_json(file.read(_MOST_BYTES_OF_MANIFEST))["layers"]
        digest = next(str(layer["digest"]) for layer in layers if layer["mediaType"] == _WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StopIteration):
        return None
    return digest if _DIGEST.fullmatch(digest) else None


def _lm_studio(_: Mapping[str, str], home: Path) -> Iterator[CachedFile]:
    for folder in home / ".lmstudio/models", home / ".cache/lm-studio/models":
        for path in _in(folder, "*/*/*.gguf"):
            yield from _named(path, "LM Studio", "/".join(path.relative_to(folder).parts[:2]))


def _llama_cpp(environment: Mapping[str, str], home: Path) -> Iterator[CachedFile]:
    usual = home / "Library/Caches" if sys.platform == "darwin" else home / ".cache"
    folder = environment.get("LLAMA_CACHE") or Path(environment.get("XDG_CACHE_HOME") or usual) / "llama.cpp"
    for path in _in(Path(folder), "*.gguf"):
        yield from _named(path, "llama.cpp")


def _hub(environment: Mapping[str, str], home: Path) -> Iterator[CachedFile]:
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    above = environment.get("HF_HOME") or cache / "huggingface"
    folder = Path(environment.get("HF_HUB_CACHE") or Path(above) / "hub")
    for form in "models--*/snapshots/*/*.gguf", "models--*/snapshots/*/*/*.gguf":
        for path in _in(folder, form):
            repository = path.relative_to(folder).parts[0].removeprefix("models--").replace("--", "/")
            yield from _named(path, "Hugging Face", repository)


_PLACES: tuple[Callable[[Mapping[str, str], Path], Iterator[CachedFile]], ...] = (_ollama, _lm_studio, _llama_cpp, _hub)


def _named(path: Path, program: str, repository: str = "") -> Iterator[CachedFile]:
    """Yield the file under the name that it has without its ending; not the later parts of a model, nor its eyes."""
    part = PART.search(path.name)
    if (part is not None and int(part[1]) != 1) or "mmproj" in path.name.lower():
        return
    name = path.name[: part.start()] if part is not None else path.stem
    also = (path.name, repository, f"{repository}/{name}") if repository else (path.name,)
    yield CachedFile(name=name, path=path, program=program, also=also)


def _in(folder: Path, form: str) -> Iterator[Path]:
    """Yield the files of a folder that fit, in order; none if it cannot be read."""
    try:
        yield from sorted(path for path in islice(folder.glob(form), _MOST_FILES * 10) if path.is_file())
    except OSError:
        return


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
