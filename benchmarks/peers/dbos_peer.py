"""DBOS: one workflow whose steps run side by side; its system database in SQLite, or where `DBOS_URL` says.

Steps are called in the same order every time, as recovery demands; what a step needs it awaits in its body, and a
semaphore there holds the concurrency. Recovery is its own: the workflow that was pending goes on at launch.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cases import graph_of
from contender import WARM_UP, Log, Measured, Order, body, check, clocked, serve
from dbos import DBOS, DBOSConfig, SetWorkflowID


class Now:
    """What this process is asked to do; decorated functions have no other way to know."""

    order: Order
    log: Log | None = None


@DBOS.step()
async def step(leaf: int) -> str:
    return await logged(leaf)


async def logged(leaf: int) -> str:
    if Now.log is not None:
        Now.log.write("start", leaf)
    text = await body(Now.order.leaf_s)
    if Now.log is not None:
        Now.log.write("end", leaf)
    return text


@DBOS.workflow()
async def fan_out(size: int) -> int:
    gate = asyncio.Semaphore(Now.order.jobs)

    async def one(leaf: int) -> str:
        async with gate:
            return await step(leaf)

    return len(await asyncio.gather(*(one(leaf) for leaf in range(size))))


@DBOS.workflow()
async def of_needs(size: int) -> int:
    gate = asyncio.Semaphore(Now.order.jobs)
    running: list[asyncio.Task[str]] = []

    async def one(leaf: int, needs: list[asyncio.Task[str]]) -> str:
        if needs:
            await asyncio.gather(*needs)
        async with gate:
            return await step(leaf)

    for leaf, needs in enumerate(graph_of(size)):
        running.append(asyncio.create_task(one(leaf, [running[need] for need in needs])))
    return len(await asyncio.gather(*running))


def write_ahead(path: Path) -> str:
    """Return the URL of a database with a write-ahead log; DBOS leaves SQLite's slower rollback journal on."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return f"sqlite:///{path}"


@contextmanager
def launched(order: Order) -> Iterator[None]:
    Now.order = order
    url = os.environ.get("DBOS_URL") or write_ahead(order.folder / "dbos.sqlite")
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": url,
        "log_level": "ERROR",
        "application_version": "1",
        "executor_id": "benchmark",
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


async def start(workflow: object, size: int, name: str) -> int:
    with SetWorkflowID(name):
        handle = await DBOS.start_workflow_async(workflow, size)
    return await handle.get_result(polling_interval_sec=0.001)


async def timed(workflow: object, order: Order) -> Measured:
    await start(workflow, WARM_UP, f"warm up {os.getpid()}")
    with clocked() as measured:
        done = await start(workflow, order.size, f"run {os.getpid()}")
    check(done, order.size)
    return measured


def leaves(order: Order) -> Measured:
    with launched(order):
        return asyncio.run(timed(fan_out, order))


def graph(order: Order) -> Measured:
    with launched(order):
        return asyncio.run(timed(of_needs, order))


def crash(order: Order) -> Measured:
    Now.log = Log(order.folder)
    with launched(order), clocked() as measured:
        done = asyncio.run(start(fan_out, order.size, "run"))
    check(done, order.size)
    return measured


if __name__ == "__main__":
    serve({"leaves": leaves, "graph": graph, "crash": crash})
