"""LangGraph: a map of `Send`s, or one node a leaf; checkpoints in SQLite, `durability="sync"`.

Concurrency is held by a semaphore in the node, which serves LangGraph best: its own `max_concurrency` also holds back
the writes of leaves that have finished, behind leaves that have not started. `langgraph_limit_peer.py` measures that.

The fan-out is the documented one: a conditional edge returns one `Send` a leaf, and results are gathered by a reducer.
The checkpointer is the asynchronous SQLite one, write-ahead log and `synchronous=FULL`, as it sets them itself.
"""

import asyncio
import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from cases import graph_of
from contender import WARM_UP, Log, Measured, Order, body, check, clocked, serve
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send


@dataclass
class Limit:
    """Who holds the concurrency: a semaphore in the node, or LangGraph's `max_concurrency`."""

    is_own: bool = False


LIMIT = Limit()


class Results(TypedDict):
    leaves: list[int]
    done: Annotated[list[str], operator.add]


def fan_out(order: Order, log: Log | None = None) -> StateGraph:
    gate = nullcontext() if LIMIT.is_own else asyncio.Semaphore(order.jobs)

    async def leaf(state: dict[str, int]) -> dict[str, list[str]]:
        async with gate:
            if log is not None:
                log.write("start", state["leaf"])
            text = await body(order.leaf_s)
            if log is not None:
                log.write("end", state["leaf"])
        return {"done": [text]}

    graph = StateGraph(Results)
    graph.add_node("leaf", leaf)
    graph.add_conditional_edges(START, lambda state: [Send("leaf", {"leaf": n}) for n in state["leaves"]], ["leaf"])
    graph.add_edge("leaf", END)
    return graph


def of_nodes(order: Order) -> StateGraph:
    gate = nullcontext() if LIMIT.is_own else asyncio.Semaphore(order.jobs)

    async def leaf(_state: Results) -> dict[str, list[str]]:
        async with gate:
            return {"done": [await body(order.leaf_s)]}

    graph = StateGraph(Results)
    needed = set()
    for number, needs in enumerate(graph_of(order.size)):
        graph.add_node(f"n{number}", leaf)
        graph.add_edge([f"n{need}" for need in needs] if needs else START, f"n{number}")
        needed.update(needs)
    for number in range(order.size):
        if number not in needed:
            graph.add_edge(f"n{number}", END)
    return graph


@asynccontextmanager
async def saver(order: Order) -> AsyncIterator[AsyncSqliteSaver]:
    async with AsyncSqliteSaver.from_conn_string(str(order.folder / "langgraph.db")) as opened:
        await opened.setup()
        yield opened


async def invoke(graph: Any, order: Order, name: str, leaves: int | None) -> int:
    config: dict[str, Any] = {"configurable": {"thread_id": name}, "recursion_limit": 10_000}
    if LIMIT.is_own:
        config["max_concurrency"] = order.jobs
    given = None if leaves is None else {"leaves": list(range(leaves)), "done": []}
    return len((await graph.ainvoke(given, config, durability="sync"))["done"])


async def leaves(order: Order) -> Measured:
    async with saver(order) as opened:
        graph = fan_out(order).compile(checkpointer=opened)
        await invoke(graph, order, "warm up", WARM_UP)
        with clocked() as measured:
            done = await invoke(graph, order, "run", order.size)
        check(done, order.size)
        return measured


async def graph(order: Order) -> Measured:
    async with saver(order) as opened:
        built = of_nodes(order).compile(checkpointer=opened)
        await invoke(fan_out(order).compile(checkpointer=opened), order, "warm up", WARM_UP)
        with clocked() as measured:
            done = await invoke(built, order, "run", 0)
        check(done, order.size)
        return measured


async def crash(order: Order) -> Measured:
    async with saver(order) as opened:
        built = fan_out(order, Log(order.folder)).compile(checkpointer=opened)
        is_stored = await opened.aget_tuple({"configurable": {"thread_id": "run"}}) is not None
        with clocked() as measured:
            done = await invoke(built, order, "run", None if is_stored else order.size)
        check(done, order.size)
        return measured


def main() -> None:
    serve({
        "leaves": lambda order: asyncio.run(leaves(order)),
        "graph": lambda order: asyncio.run(graph(order)),
        "crash": lambda order: asyncio.run(crash(order)),
    })  # fmt: skip


if __name__ == "__main__":
    main()
