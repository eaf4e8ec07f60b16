"""asyncio alone, the least that any engine costs: as many coroutines as leaves run at a time take the next ready leaf.

Nothing is kept on disk, and of the graph the leaf with the longest remaining path is taken first, as Ramify takes it.
"""

import asyncio
import heapq

from cases import graph_of
from contender import WARM_UP, Measured, Order, body, check, clocked, serve


class Greedy:
    """A list schedule of leaves that need others.

    Args:
        needs: for each leaf the numbers of those that it needs, all below its own.
        order: what is asked for.

    Attributes:
        done: how many leaves are done.
    """

    def __init__(self, needs: list[list[int]], order: Order) -> None:
        self.done = 0
        self._order = order
        self._size = len(needs)
        self._dependents: list[list[int]] = [[] for _ in needs]
        for leaf, needed in enumerate(needs):
            for need in needed:
                self._dependents[need].append(leaf)
        self._rank = [0] * len(needs)
        for leaf in reversed(range(len(needs))):
            self._rank[leaf] = 1 + max((self._rank[other] for other in self._dependents[leaf]), default=0)
        self._unmet = [len(needed) for needed in needs]
        self._ready = [(-self._rank[leaf], leaf) for leaf, count in enumerate(self._unmet) if not count]
        heapq.heapify(self._ready)
        self._sleeping: list[asyncio.Future[None]] = []

    async def run(self) -> "Greedy":
        """Do them all."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._order.jobs):
                group.create_task(self._worker())
        return self

    async def _worker(self) -> None:
        while self.done < self._size:
            if self._ready:
                leaf = heapq.heappop(self._ready)[1]
                await body(self._order.leaf_s)
                self._finish(leaf)
            else:
                woken = asyncio.get_running_loop().create_future()
                self._sleeping.append(woken)
                await woken

    def _finish(self, leaf: int) -> None:
        self.done += 1
        for other in self._dependents[leaf]:
            self._unmet[other] -= 1
            if not self._unmet[other]:
                heapq.heappush(self._ready, (-self._rank[other], other))
        count = len(self._sleeping) if self.done == self._size else len(self._ready)
        for woken in self._sleeping[:count]:
            woken.set_result(None)
        del self._sleeping[:count]


def measure(needs: list[list[int]], order: Order) -> Measured:
    """Do the leaves after a few others."""
    asyncio.run(Greedy([[] for _ in range(WARM_UP)], order).run())
    with clocked() as measured:
        done = asyncio.run(Greedy(needs, order).run()).done
    check(done, order.size)
    return measured


def leaves(order: Order) -> Measured:
    return measure([[] for _ in range(order.size)], order)


def graph(order: Order) -> Measured:
    return measure(graph_of(order.size), order)


if __name__ == "__main__":
    serve({"leaves": leaves, "graph": graph})
