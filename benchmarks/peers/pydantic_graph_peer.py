"""pydantic-graph: a map over the leaves, joined by a reducer; nothing is kept on disk.

The library has no limit on concurrency, so a semaphore in the step holds it. A join waits for the whole of a fork, so
the layered graph runs layer by layer.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from cases import graph_of, layers_of
from contender import WARM_UP, Measured, Order, body, check, clocked, serve
from pydantic_graph import GraphBuilder, StepContext
from pydantic_graph.join import reduce_list_append


@dataclass
class State:
    order: Order
    gate: asyncio.Semaphore
    done: int = 0
    layers: list[list[int]] = field(default_factory=list)


def built() -> Any:
    made = GraphBuilder(state_type=State, input_type=list[int], output_type=list[str])

    @made.step
    async def plan(ctx: StepContext[State, None, list[int]]) -> list[int]:
        return ctx.inputs

    @made.step
    async def leaf(ctx: StepContext[State, None, int]) -> str:
        async with ctx.state.gate:
            return await body(ctx.state.order.leaf_s)

    gathered = made.join(reduce_list_append, initial_factory=list[str])
    made.add(
        made.edge_from(made.start_node).to(plan),
        made.edge_from(plan).map().to(leaf),
        made.edge_from(leaf).to(gathered),
        made.edge_from(gathered).to(made.end_node),
    )
    return made.build()


async def leaves(order: Order) -> Measured:
    graph = built()
    state = State(order, asyncio.Semaphore(order.jobs))
    await graph.run(state=state, inputs=list(range(WARM_UP)))
    with clocked() as measured:
        done = len(await graph.run(state=state, inputs=list(range(order.size))))
    check(done, order.size)
    return measured


async def graph(order: Order) -> Measured:
    layers = layers_of(graph_of(order.size))
    made = built()
    state = State(order, asyncio.Semaphore(order.jobs))
    await made.run(state=state, inputs=list(range(WARM_UP)))
    done = 0
    with clocked() as measured:
        for layer in layers:
            done += len(await made.run(state=state, inputs=layer))
    check(done, order.size)
    return measured


if __name__ == "__main__":
    serve({"leaves": lambda order: asyncio.run(leaves(order)), "graph": lambda order: asyncio.run(graph(order))})
