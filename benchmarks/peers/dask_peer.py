"""Dask: `distributed` with its scheduler and one worker of many threads in this process; nothing is kept on disk.

`processes=False` is what its documentation advises for bodies that release the interpreter's lock, as these do.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dask
from cases import graph_of
from contender import WARM_UP, Measured, Order, blocking_body, check, clocked, serve
from distributed import Client, LocalCluster


@contextmanager
def client(order: Order) -> Iterator[Client]:
    dask.config.set({"distributed.worker.daemon": False, "temporary-directory": str(order.folder)})
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=order.jobs, processes=False, dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster) as opened,
    ):
        run(opened, WARM_UP, order.leaf_s)
        yield opened


def run(opened: Client, size: int, leaf_s: float) -> int:
    futures = opened.map(lambda _: blocking_body(leaf_s), range(size), pure=False)
    return len(opened.gather(futures))


def leaves(order: Order) -> Measured:
    with client(order) as opened:
        with clocked() as measured:
            done = run(opened, order.size, order.leaf_s)
        check(done, order.size)
        return measured


def graph(order: Order) -> Measured:
    def leaf(*_needs: str) -> str:
        return blocking_body(order.leaf_s)

    with client(order) as opened:
        work = {
            f"n{number}": (leaf, *(f"n{need}" for need in needs)) for number, needs in enumerate(graph_of(order.size))
        }
        with clocked() as measured:
            done = len(opened.get(work, list(work)))
        check(done, order.size)
        return measured


if __name__ == "__main__":
    serve({"leaves": leaves, "graph": graph})
