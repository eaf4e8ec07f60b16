"""Who holds a run: which process on which machine, whether it still lives, and when its hold has lapsed."""

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

from ramify.planner.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that holds a run.

    Attributes:
        host: the machine's name.
        pid: the process id there.
        place: tells machines, boots and containers of one name apart; empty where nothing can be known.
        process_start: tells processes that were given the same id apart; empty where nothing can be known.
        since: when it took the run, in seconds since 1970.
        is_brief: whether it only changes something, and gives the run back at once.
    """

    host: str
    pid: int
    place: str
    process_start: str
    since: float
    is_brief: bool = False

    @classmethod
    def this_process(cls, *, is_brief: bool = False) -> Self:
        """Return a holder that stands for this process, from now on."""
        pid = os.getpid()
        start = _start_of(pid)
        return cls(
            host=socket.gethostname(), pid=pid, place=_this_place(), process_start=start or "", since=time.time(),
            is_brief=is_brief,
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` wrote.

        Raises:
            StoreError: if it did not write that.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise StoreError(f"the store's note of who holds a run cannot be read: {text!r}") from error

    def to_json(self) -> str:
        """Return it as JSON text, which older versions read too unless it is brief."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "is_brief" or value})

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.pid} on {self.host} (since {since:%Y-%m-%d %H:%M:%S} UTC)"

    def give_up(self) -> None:
        """Note that it holds nothing any more, though the store could not be told; known to this process only."""
        _given_up.add(self)

    def is_dead(self) -> bool:
        """Return whether it is known to have ended; False wherever that cannot be known from here."""
        if self in _given_up:
            return True
        if os.name != "posix" or self.host != socket.gethostname() or self.place != _this_place():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        start = _start_of(self.pid)
        return start is not None and self.process_start not in ("", start)


_given_up: set[Holder] = set()


def has_lapsed(holder: Holder, *, silent_s: float, stale_after_s: float) -> bool:
    """Return whether a run may be taken from `holder`, which was last heard of `silent_s` seconds ago."""
    return holder.is_dead() or silent_s > stale_after_s


@cache
def _this_place() -> str:
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _start_of(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot; "ended" for one that only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]
