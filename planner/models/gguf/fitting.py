"""What fits into memory: how many tokens a model can read at once here, and in how many conversations side by side.

Beside the file, llama.cpp keeps the keys and values of each token that a conversation has, and room to compute in. The
figures are from above: models that look back at some of their tokens only take less.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from .header import GgufHeader

USUAL_WINDOW = 8_192
"""How many tokens are read at once unless somebody says otherwise; memory and a slow processor both speak for few."""

_SMALLEST_WINDOW = 2_048
_STEP = 256
"""llama.cpp rounds windows up to multiples of it."""

_BYTES = 2
"""Of one number among the keys and values."""

_BATCH = 512
_GIB = 1 << 30
_OVERHEAD = 64 << 20
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Fit:
    """What fits.

    Attributes:
        window: how many tokens are read at once, the reply included; 0 if the model does not fit at all.
        slots: how many requests are answered side by side.
        bytes: what all of it takes.
    """

    window: int
    slots: int
    bytes: int


def fitted(
    header: GgufHeader, file_bytes: int, *, free: int | None, wanted: int | None = None, at_once: int = 1
) -> Fit:
    """Return what fits into `free` bytes: first the window, then as many slots as there is room for.

    Args:
        header: what the file says of the model.
        file_bytes: how large it is.
        free: the memory there is; None is not known, and then everything fits.
        wanted: the window to have, whether it fits or not.
        at_once: how many slots there may be.
    """
    trained = header.trained_window or USUAL_WINDOW
    still = file_bytes + _computing(header)
    each = token_bytes(header)
    window = _rounded(wanted or min(trained, USUAL_WINDOW))
    if free is None:
        return Fit(window, at_once, still + each * window * at_once)
    while wanted is None and still + each * window > free and window > _SMALLEST_WINDOW:
        window = max(_SMALLEST_WINDOW, _rounded(window // 2))
    if wanted is None and still + each * window > free:
        return Fit(0, 0, still + each * window)
    slots = at_once if not each else max(1, min(at_once, (free - still) // (each * window)))
    return Fit(window, slots, still + each * window * slots)


def token_bytes(header: GgufHeader) -> int:
    """Return how many bytes one token of a conversation takes."""
    layers, heads = header.number("block_count") or 0, header.of("attention.head_count")
    if isinstance(heads, list):
        heads = max(heads, default=0)
    if not layers or not heads:  # it looks back in another way, as state space models do
        return 0
    size = (header.number("embedding_length") or 0) // heads
    width = (header.number("attention.key_length") or size) + (header.number("attention.value_length") or size)
    kept = header.of("attention.head_count_kv") or heads
    return int((sum(kept[:layers]) if isinstance(kept, list) else kept * layers) * width * _BYTES)


def _computing(header: GgufHeader) -> int:
    words = header.lengths.get("tokenizer.ggml.tokens", 0)
    return _OVERHEAD + 4 * _BATCH * (words + 8 * (header.number("embedding_length") or 0))


def _rounded(window: int) -> int:
    return max(_STEP, -(-window // _STEP) * _STEP)


def free_memory() -> int | None:
    """Return how many bytes can be had; None where that cannot be told."""
    known = [size for size in (_available(), _left_to_group()) if size is not None]
    return min(known, default=None)


def in_gib(size: int) -> str:
    """Return a size in words.

    >>> in_gib(98_362_432), in_gib(5 << 30)
    ('0.1 GiB', '5.0 GiB')
    """
    return f"{size / _GIB:.1f} GiB"


def _available() -> int | None:
    try:
        if _MEMINFO.exists():
            lines = _MEMINFO.read_text(encoding="ascii").splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, IndexError, StopIteration, AttributeError):
        return None


def _left_to_group() -> int | None:
    """Return what the control group, a container's for example, has left; its page cache can be had again."""
    try:
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, limit - used + int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0)))
    except (OSError, ValueError):
        return None
