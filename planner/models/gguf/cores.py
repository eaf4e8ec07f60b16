"""How many threads a model computes in: as many as there are cores that nobody else is using.

llama.cpp's threads wait for each other, spinning, after every step. Where one of them has no core for itself, all of
them are slow: beside another busy process on two cores, two threads wrote 2 to 17 tokens a second where one wrote 50.
"""

import os
import time
from pathlib import Path

_LOADAVG, _SMT, _QUOTA = (
    Path("/proc/loadavg"),
    Path("/sys/devices/system/cpu/smt/active"),
    Path("/sys/fs/cgroup/cpu.max"),
)
_LOOKS, _BETWEEN_S = 9, 0.01


def idle_cores() -> int:
    """Return how many cores nobody is using, of those that this process may use; it looks for a moment, and waits."""
    there = os.cpu_count() or 1
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    return threads_for(there=there, mine=mine, quota=_quota(), busy=_busy(), doubled=_read(_SMT) == "1")


def threads_for(*, there: int, mine: int, quota: float | None, busy: int, doubled: bool) -> int:
    """Return how many threads there are to be.

    Args:
        there: the cores of the machine.
        mine: those that this process may run on.
        quota: how many of them it may keep busy; None is no limit.
        busy: how many others are running.
        doubled: whether each two of the cores are one, which computes no faster for it (hyper-threading).

    >>> threads_for(there=8, mine=8, quota=None, busy=1, doubled=False)
    7
    >>> threads_for(there=64, mine=64, quota=2.5, busy=30, doubled=True)
    2
    """
    allowed = mine if quota is None else min(mine, int(quota))
    share = 2 if doubled else 1
    return max(1, min(allowed, mine // share, (there - busy) // share))


def _busy() -> int:
    """Return how many other threads are running or want to: the middle one of several looks; 0 if nobody says."""
    seen = []
    for _ in range(_LOOKS):
        running, _, _ = _read(_LOADAVG).partition("/")
        word = running.rpartition(" ")[2]
        seen.append(int(word) - 1 if word.isdigit() else 0)  # the one that looks is running too
        time.sleep(_BETWEEN_S)
    return sorted(seen)[_LOOKS // 2]


def _quota() -> float | None:
    try:
        most, period = (int(word) for word in _read(_QUOTA).split())
    except ValueError:
        return None
    return most / period if period else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
