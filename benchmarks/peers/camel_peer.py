"""CAMEL: its tasks, and its Workforce in pipeline mode with a worker that is a function; nothing is kept on disk.

The coordinator's model is CAMEL's own stub, extended to give every task of the prompt to the one worker. The worker has
no limit on concurrency, so a semaphore in the body holds it. What the workforce prints for each task goes nowhere.
"""

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

from camel.agents import ChatAgent
from camel.models.stub_model import StubModel
from camel.societies.workforce import Workforce, WorkforceMode
from camel.societies.workforce.worker import Worker
from camel.tasks import Task
from camel.tasks.task import TaskState
from camel.types import ChatCompletion, ModelType
from cases import graph_of
from contender import WARM_UP, Measured, Order, body, check, clocked, serve

WORKER_ID = "leaves"


class Coordinator(StubModel):
    """Gives every task to the worker."""

    def _run(self, messages: list[Any], *rest: Any, **options: Any) -> ChatCompletion:
        reply = super()._run(messages, *rest, **options)
        ids = re.findall(r"^Task ID: (\S+)$", str(messages[-1]["content"]), re.MULTILINE)
        given = [{"task_id": each, "assignee_id": WORKER_ID, "dependencies": []} for each in ids]
        reply.choices[0].message.content = json.dumps({"assignments": given})
        return reply


class Leaves(Worker):
    """Does the body of a leaf."""

    def __init__(self, order: Order) -> None:
        super().__init__("does the leaves", node_id=WORKER_ID)
        self._order = order
        self._gate = asyncio.Semaphore(order.jobs)

    async def _process_task(self, task: Task, *_rest: Any, **_options: Any) -> TaskState:
        async with self._gate:
            task.result = await body(self._order.leaf_s)
        return TaskState.DONE


async def run(order: Order, tasks: list[Task]) -> int:
    agent = ChatAgent("You give tasks to workers.", model=Coordinator(ModelType.STUB))
    force = Workforce(
        "benchmark", children=[Leaves(order)], coordinator_agent=agent, task_agent=agent, mode=WorkforceMode.PIPELINE
    )
    force.set_pipeline_tasks(tasks)
    with redirect_stdout(io.StringIO()):
        await force.process_task_async(Task(content="all of it", id="root"))
    return sum(task.state is TaskState.DONE for task in tasks)


def tasks_of(size: int, graph: list[list[int]] | None = None) -> list[Task]:
    tasks = [Task(content="do nothing", id=f"t{number}") for number in range(size)]
    for task, needs in zip(tasks, graph or (), strict=False):
        task.dependencies = [tasks[need] for need in needs]
    return tasks


async def leaves(order: Order) -> Measured:
    await run(order, tasks_of(WARM_UP))
    tasks = tasks_of(order.size)
    with clocked() as measured:
        done = await run(order, tasks)
    check(done, order.size)
    return measured


async def graph(order: Order) -> Measured:
    await run(order, tasks_of(WARM_UP))
    tasks = tasks_of(order.size, graph_of(order.size))
    with clocked() as measured:
        done = await run(order, tasks)
    check(done, order.size)
    return measured


def flat(order: Order) -> Measured:
    with clocked() as measured:
        root = Task(content="root", id="0")
        for number in range(1, order.size + 1):
            root.add_subtask(Task(content="do nothing", id=f"0.{number}"))
    check(len(root.subtasks), order.size)
    return measured


def chain(order: Order) -> Measured:
    with clocked() as measured:
        root = last = Task(content="root", id="0")
        for number in range(1, order.size):
            task = Task(content="do nothing", id=str(number))
            last.add_subtask(task)
            last = task
        root.to_string()
        root.set_state(TaskState.DONE)
    check(int(last.state is TaskState.DONE), 1)
    return measured


def quietly(work: Callable[[Order], Any]) -> Callable[[Order], Measured]:
    def measured(order: Order) -> Measured:
        logging.disable(logging.ERROR)
        return asyncio.run(work(order))

    return measured


if __name__ == "__main__":
    serve({"leaves": quietly(leaves), "graph": quietly(graph), "flat": flat, "chain": chain})
