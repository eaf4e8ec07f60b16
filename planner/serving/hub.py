"""What is watched now: one `Live` for each thing, as long as somebody watches it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ramify.planner.store import Store

from .live import Live
from .live_runs import LiveList, LiveRun

T = TypeVar("T", bound=Live)

_LIST = ""


class Hub:
    """Has things looked at that pages watch, on the event loop of the server.

    Args:
        store: an open store.
        is_read_only: whether pages may only look.
    """

    def __init__(self, store: Store, *, is_read_only: bool) -> None:
        self._store = store
        self._is_read_only = is_read_only
        self._lives: dict[str, Live] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._is_over = False

    def list(self) -> LiveList:
        """Return the list of the runs."""
        return self._live(_LIST, LiveList, lambda: LiveList(self._store))

    def run(self, run_id: str) -> LiveRun:
        """Return a run, by its whole id."""
        return self._live(run_id, LiveRun, lambda: LiveRun(self._store, run_id, is_read_only=self._is_read_only))

    async def end(self) -> None:
        """Let all go who watch."""
        self._is_over = True
        for live in self._lives.values():
            live.end()
        await asyncio.gather(*self._looking, return_exceptions=True)

    def _live(self, name: str, kind: type[T], make: Callable[[], T]) -> T:
        known = self._lives.get(name)
        if isinstance(known, kind) and not known.is_over:
            return known
        made = make()
        self._lives[name] = made
        looking = asyncio.create_task(self._look(name, made))
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)
        if self._is_over:
            made.end()
        return made

    async def _look(self, name: str, live: Live) -> None:
        try:
            await live.go_on()
        finally:
            if self._lives.get(name) is live:
                del self._lives[name]
