"""The GGUF files of the usual caches, for `ramify models` and `ramify doctor`: what each is, and how it is called."""

from collections import Counter

from ramify.planner.errors import NoModelError
from ramify.planner.models.registry import GGUF, ModelInfo

from .caches import CachedFile, cached_files
from .files import NOT_INSTALLED, is_installed, read_file, why_not


def list_gguf() -> list[ModelInfo]:
    """Return the files that are found, each under a name that `open_model` takes for it alone."""
    found = cached_files()
    names = Counter(each.name.lower() for each in found)
    return [_info(each, str(each.path) if names[each.name.lower()] > 1 else each.name) for each in found]


def _info(cached: CachedFile, called: str) -> ModelInfo:
    name = f"{GGUF}:{called}"
    try:
        file = read_file(name, cached.path)
    except NoModelError as error:
        return ModelInfo(name=name, about=cached.program, is_usable=False, missing=str(error))
    about = f"{cached.program}: {file.about}"
    why = why_not(file.header)
    if why is not None:
        return ModelInfo(name=name, about=about, is_usable=False, missing=about)
    return ModelInfo(name=name, about=about, is_usable=is_installed(), missing="" if is_installed() else NOT_INSTALLED)
