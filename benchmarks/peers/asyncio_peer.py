"""asyncio alone, the least that any engine costs: as many coroutines as leaves run at a time take the next ready leaf.

Nothing is kept on disk, and of the graph the leaf with the longest remaining path is taken first, as Ramify takes it.
"""

import asyncio
import heapq

from cases import graph_of
from contender import WARM_UP, Measured, Order, body, check, clocked, serve


async def run_all(needs: list[list[int]], order: Order) -> int:
    """Do the leaves in a list schedule; return how many were done."""
    dependents: list[list[int]] = [[] for _ in needs]
    for leaf, needed in enumerate(needs):
        for need in needed:
            dependents[need].append(leaf)
    rank = [0] * len(needs)
    for leaf in reversed(range(len(needs))):
        rank[leaf] = 1 + max((rank[other] for other in dependents[leaf]), default=0)
    unmet = [len(needed) for needed in needs]
    ready = [(-rank[leaf], leaf) for leaf, count in enumerate(unmet) if not count]
    heapq.heapify(ready)
    waiting: list[asyncio.Future[None]] = []
    done = 0

    async def worker() -> None:
        nonlocal done
        while done < len(needs):
            if not ready:
                waiting.append(asyncio.get_running_loop().create_future())
                await waiting[-1]
                continue
            leaf = heapq.heappop(ready)[1]
            await body(order.leaf_s)
            done += 1
            for other in dependents[leaf]:
                unmet[other] -= 1
                if not unmet[other]:
                    heapq.heappush(ready, (-rank[other], other))
            for _ in range(len(waiting) if done == len(needs) else min(len(ready), len(waiting))):
                waiting.pop().set_result(None)

    async with asyncio.TaskGroup() as group:
        for _ in range(order.jobs):
            group.create_task(worker())
    return done


def measure(needs: list[list[int]], order: Order) -> Measured:
    asyncio.run(run_all([[] for _ in range(WARM_UP)], order))
    with clocked() as measured:
        done = asyncio.run(run_all(needs, order))
    check(done, order.size)
    return measured


def leaves(order: Order) -> Measured:
    return measure([[] for _ in range(order.size)], order)


def graph(order: Order) -> Measured:
    return measure(graph_of(order.size), order)


if __name__ == "__main__":
    serve({"leaves": leaves, "graph": graph})
