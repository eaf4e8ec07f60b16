"""How long tests wait for what must happen: so long that only a hang ends it, on a machine with twenty other jobs too.

No test reads a clock (a law): what is to be quick is counted, compared with itself at another size, or measured in
`benchmarks/`; what is to be slow waits for an event that the test gives.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping

from ramify.planner.models.protocol import ModelRequest

HANG_S = 500.0
"""The limit of every wait, in seconds; a little below the limit of a test, so that it is said what was waited for."""


def comes_true(condition: Callable[[], object]) -> bool:
    """Wait until `condition` gives something true; return whether it ever did."""
    end = time.monotonic() + HANG_S
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return bool(found)


class Gate:
    """Holds replies back, all of them or until some are there together; so tests decide what is in flight, not time.

    Args:
        replies: for a purpose, the reply.
        together: how many replies of the purpose "execute" have to be wanted before the first is given; None holds
            them until `open` is called.
    """

    def __init__(self, replies: Mapping[str, str], *, together: int | None = None) -> None:
        self._replies = replies
        self._together = together
        self._wanted = 0
        self._is_open = threading.Event()

    def open(self) -> None:
        """Let all replies go, from now on."""
        self._is_open.set()

    async def __call__(self, request: ModelRequest) -> str:
        """Return the reply to `request` when it may be given."""
        if request.purpose == "execute":
            self._wanted += 1
            if self._wanted == self._together:
                await asyncio.sleep(0.05)  # who should not be here would come now
                self.open()
            while not self._is_open.is_set():
                await asyncio.sleep(0.002)
        return self._replies[request.purpose]
