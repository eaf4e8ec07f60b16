"""How a program that takes part is called, and what it answers: one process a measurement, one line of JSON.

    python PROGRAM KIND --size N --leaf-s S --jobs N --folder DIR [--resume]

Only the standard library is used here. The folder is empty, or, with `--resume`, what a killed program left behind.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WARM_UP: Final = 20
"""How many leaves run before the clock does: imports, connections and caches are paid by then."""

LOG: Final = "bodies.log"
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Order:
    """What a program is asked to do.

    Attributes:
        size: how many leaves or tasks.
        leaf_s: how long the body of a leaf takes, in seconds.
        jobs: leaves at the same time.
        folder: where it may write.
        is_resumed: whether it goes on with what it left in the folder.
    """

    size: int
    leaf_s: float
    jobs: int
    folder: Path
    is_resumed: bool = False


@dataclass(slots=True)
class Measured:
    """What a program answers.

    Attributes:
        seconds: how long it took; what was made ready before does not count.
        notes: other numbers, by name.
    """

    seconds: float = 0.0
    notes: dict[str, Any] | None = None


class LeafError(Exception):
    """Raised when a program did not do all that it was asked to do."""


class Log:
    """Where bodies say that they start and end, in lines that survive a kill."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, word: str, leaf: int) -> None:
        """Write one line, with one system call."""
        os.write(self._file, f"{word} {leaf} {time.monotonic()}\n".encode())


async def body(leaf_s: float) -> str:
    """Be the body of a leaf."""
    if leaf_s:
        await asyncio.sleep(leaf_s)
    return "ok"


def blocking_body(leaf_s: float) -> str:
    """Be the body of a leaf, for engines whose leaves are not asynchronous."""
    if leaf_s:
        time.sleep(leaf_s)
    return "ok"


@contextmanager
def clocked() -> Iterator[Measured]:
    """Give what is filled in with the time that the block takes; what was left lying about before is swept away first.

    Otherwise a full collection of the imports and the warm-up falls into the time of one program, and not of another.
    """
    measured = Measured()
    gc.collect()
    began = time.perf_counter()
    yield measured
    measured.seconds = time.perf_counter() - began


def check(done: int, size: int) -> None:
    """Raise `LeafError` unless all leaves are done.

    Raises:
        LeafError: if some are not.
    """
    if done != size:
        raise LeafError(f"{done} leaves are done instead of {size}")


def most_memory_mb() -> float:
    """Return the most memory that this process has had so far, in MB of 1,000,000 bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * _KIB / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * _KIB / 1e6


def serve(kinds: dict[str, Callable[[Order], Measured]]) -> None:
    """Do what the command line says, and print what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=sorted(kinds))
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--leaf-s", type=float, default=0.0)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    order = Order(options.size, options.leaf_s, options.jobs, options.folder, options.resume)
    measured = kinds[options.kind](order)
    print(json.dumps({"seconds": measured.seconds, "notes": measured.notes or {}, "memory_mb": most_memory_mb()}))
