"""myriapod: a planner that gives all leaves in its first turn, and a swarm of workers; nothing is kept on disk.

Both are programs of ours instead of models, as its `testing` module has them. While a turn of its planner goes on it
looks for new tasks ten times a second; this planner's turn is over at once, so that nobody waits for that.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from cases import graph_of
from contender import WARM_UP, Measured, Order, body, check, clocked, serve
from myriapod.core.protocol import RunOutcome
from myriapod.core.scheduler import Swarm
from myriapod.core.task_tree import TaskTree


class Planner:
    """Calls for all tasks in its first turn, and says in the next that this was all."""

    name = "planner"

    def __init__(self, tools: Sequence[Callable[..., str]], tasks: list[dict[str, Any]]) -> None:
        self.tools = {tool.__name__: tool for tool in tools}
        self.tasks = tasks

    async def run(self, message: str, context: str | None = None) -> RunOutcome:  # noqa: ARG002 - its protocol
        if self.tasks:
            self.tools["plan_tasks"](parent_id="root", subtasks=self.tasks)
            self.tasks = []
        else:
            self.tools["finish"](final_answer="done")
        return RunOutcome("ok")


class Worker:
    """Has the body that all contenders have; one does all tasks, as it keeps nothing."""

    name = "worker"

    def __init__(self, order: Order) -> None:
        self.order = order

    async def run(self, message: str, context: str | None = None) -> RunOutcome:  # noqa: ARG002 - its protocol
        return RunOutcome(f"<summary>{await body(self.order.leaf_s)}</summary>")


def described(graph: list[list[int]]) -> list[dict[str, Any]]:
    """Return the tasks that a planner calls for: a need is the number of a task in the same call, from 1."""
    return [{"description": "do nothing", "depends_on": [need + 1 for need in needs]} for needs in graph]


async def run(order: Order, graph: list[list[int]]) -> int:
    worker = Worker(order)
    swarm = Swarm(
        planner_factory=lambda tools: Planner(tools, described(graph)),
        worker_factory=lambda _: worker,
        max_concurrency=order.jobs,
        max_tasks=len(graph),
    )
    return int((await swarm.arun("all of it")).tasks_done)


async def measured(order: Order, graph: list[list[int]]) -> Measured:
    await run(order, [[]] * WARM_UP)
    with clocked() as found:
        done = await run(order, graph)
    check(done, order.size)
    return found


def flat(order: Order) -> Measured:
    with clocked() as found:
        tree = TaskTree("all of it")
        tree.decompose("root", described([[]] * order.size))
    check(len(tree), order.size)
    return found


if __name__ == "__main__":
    serve({
        "leaves": lambda order: asyncio.run(measured(order, [[]] * order.size)),
        "graph": lambda order: asyncio.run(measured(order, graph_of(order.size))),
        "flat": flat,
    })  # fmt: skip
