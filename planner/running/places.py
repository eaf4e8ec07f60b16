"""The places of a run: how many bodies are at work, how many are done but not on disk, and who sleeps meanwhile.

A body that has ended gives its place to the next one at once, and what came of it goes to disk beside that. What a
crash can repeat stays bounded: bodies at work, and bodies that have ended but are not on disk, are together at most
twice the number of places.
"""

import asyncio
from collections import deque


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
        await woken

    def wake(self, count: int) -> None:
        """Let up to `count` of those who sleep look for something to do."""
        sleeping = self._sleeping
        while sleeping and count > 0:
            woken = sleeping.popleft()
            if not woken.done():
                woken.set_result(None)
                count -= 1

    def wake_all(self) -> None:
        """Let all who sleep look for something to do."""
        self.wake(len(self._sleeping))
