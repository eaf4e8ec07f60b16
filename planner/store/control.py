"""What somebody outside asks of a run: to be cancelled, to pause, to go on within other limits; and who it is.

What is asked waits in a column of the run until the process that holds it has done it. That one hears of it from the
write that proves its lease, a second later at the most.
"""

import getpass
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self
from uuid import uuid4

from ramify.planner.errors import StoreError

from .texts import dump_json, load_json

Action = Literal["cancel", "pause", "limits"]
"""What can be asked of a run from outside."""

Via = Literal["cli", "python", "page"]
"""By what it is asked: a command, a program, or the live page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One thing that is asked of a run.

    Attributes:
        id: its own id, so that it is done once.
        action: what is to be done.
        by: who asks, as `user@host`.
        pid: the process that asks, there.
        via: by what.
        limits: other limits of the run, by name; for `limits`.
    """

    id: str
    action: Action
    by: str
    pid: int
    via: Via
    limits: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, action: Action, *, via: Via, limits: Mapping[str, Any] | None = None) -> Self:
        """Return what the user of this process asks now."""
        by = f"{_user()}@{socket.gethostname()}"
        return cls(id=uuid4().hex, action=action, by=by, pid=os.getpid(), via=via, limits=limits or {})

    @property
    def told(self) -> dict[str, Any]:
        """What the event tells of it."""
        return {"action": self.action, "by": self.by, "pid": self.pid, "via": self.via}


def dump_controls(controls: Iterable[Control]) -> str | None:
    """Return them as the column holds them; None if there are none."""
    data = [asdict(control) for control in controls]
    return dump_json(data, what="what is asked of a run") if data else None


def load_controls(stored: str | None) -> tuple[Control, ...]:
    """Return what `dump_controls` was given.

    Raises:
        StoreError: if it did not write that.
    """
    if stored is None:
        return ()
    try:
        return tuple(Control(**data) for data in load_json(stored))
    except (ValueError, TypeError) as error:
        raise StoreError(f"what was asked of a run cannot be read from the store: {stored!r}") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may give a number that has no name
        return str(os.getuid()) if hasattr(os, "getuid") else "somebody"
