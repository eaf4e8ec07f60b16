"""The places of a run: how many bodies are at work, how many are done but not on disk, and who sleeps meanwhile.

A body that has ended gives its place to the next one at once, and what came of it goes to disk beside that. What a
crash can repeat stays bounded: bodies at work, and bodies that have ended but are not on disk, are together at most
twice the number of places.
"""

import asyncio
from collections import deque

_BETWEEN_RESTS = 16
"""Bodies between two turns of the loop."""


class Places:
    """Counts who is at work, and lets workers sleep until there is something to do.

    Attributes:
        at_work: bodies that run, with all that is done about them until their place is free.
        unwritten: bodies that have ended, with results that are not on disk yet.

    Args:
        jobs: how many bodies run at the same time.
    """

    def __init__(self, jobs: int) -> None:
        self.at_work = 0
        self.unwritten = 0
        self._most = 2 * jobs
        self._sleeping: deque[asyncio.Future[None]] = deque()
        self._waking = 0
        self._begun = 0

    @property
    def has_room(self) -> bool:
        """Whether another body may begin."""
        return self.at_work + self.unwritten < self._most

    @property
    def is_quiet(self) -> bool:
        """Whether nobody works, and all that came of it is on disk."""
        return not (self.at_work or self.unwritten)

    async def sleep(self) -> None:
        """Return when there may be something to do."""
        woken = asyncio.get_running_loop().create_future()
        self._sleeping.append(woken)
        try:
            await woken
        finally:
            self._waking -= not woken.cancelled()

    async def rest(self) -> None:
        """Let others have their turn now and then, as bodies that wait for nothing would keep everybody waiting."""
        self._begun += 1
        if self._begun % _BETWEEN_RESTS == 0:
            await asyncio.sleep(0)

    def wake_for(self, ready: int) -> None:
        """Let as many of those who sleep begin as tasks are `ready` and there is room for; one at least has a look."""
        room = self._most - self.at_work - self.unwritten - self._waking
        self.wake(max(min(ready, room), not self._waking))

    def wake(self, count: int) -> None:
        """Let up to `count` of those who sleep look for something to do."""
        sleeping = self._sleeping
        while sleeping and count > 0:
            woken = sleeping.popleft()
            if not woken.done():
                woken.set_result(None)
                self._waking += 1
                count -= 1

    def wake_all(self) -> None:
        """Let all who sleep look for something to do."""
        self.wake(len(self._sleeping))
