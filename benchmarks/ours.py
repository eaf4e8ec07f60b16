"""Ramify: trees of leaves that are Python functions; SQLite, `synchronous=FULL`, every step on disk before it counts.

What is timed is `Executor.run` as a user calls it: storing the tree, running every leaf, composing the root from the
results. The composing model answers at once and is no part of the comparison. Besides the peers' cases this does the
large ones: 100,000 leaves stored, opened again and exported, and a million tasks.
"""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from math import isqrt
from pathlib import Path
from typing import Final, TypeVar

from ramify.planner import Executor, Run, Store
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.tasks import Task, TaskState

sys.path.insert(0, str(Path(__file__).parent))

from cases import graph_of
from contender import WARM_UP, LeafError, Log, Measured, Order, body, check, clocked, serve

Worker = Callable[[Task], Awaitable[str]]

STORE: Final = "ramify.db"

Made = TypeVar("Made")


class Composer:
    """A model that answers at once, and keeps nothing of what it is asked."""

    name = "composer"
    maker = "composer (no language model)"
    is_language_model = False

    async def complete(self, request: ModelRequest) -> ModelReply:  # noqa: ARG002 - the model protocol
        return ModelReply(text="<result>together</result>", model=self.name, cost_usd=0.0)

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        raise NotImplementedError(request.purpose)

    async def aclose(self) -> None:
        pass


def flat_tree(size: int, *, kind: str = "leaf") -> Task:
    """Return a root with `size` leaves."""
    root = Task(content="all of it", id="0")
    root.add_subtasks([Task(content="do nothing", id=f"0.{number}", type=kind) for number in range(1, size + 1)])
    return root


def graph_tree(graph: list[list[int]]) -> Task:
    """Return a root with a leaf for each entry of `graph`; the needs are dependencies."""
    root = Task(content="all of it", id="0")
    root.add_subtasks([
        Task(content="do nothing", id=f"0.{number}", type="leaf", dependencies=[f"0.{need + 1}" for need in needs])
        for number, needs in enumerate(graph, start=1)
    ])  # fmt: skip
    return root


def grouped_tree(size: int) -> Task:
    """Return a tree of about `size` tasks: a root, groups, and as many leaves in each group as there are groups."""
    groups = isqrt(size)
    root = Task(content="all of it", id="0")
    for group in range(1, groups + 1):
        above = Task(content="a group", id=f"0.{group}")
        above.add_subtasks([
            Task(content="do nothing", id=f"0.{group}.{number}", type="leaf") for number in range(1, size // groups)
        ])  # fmt: skip
        root.add_subtask(above)
    return root


def sleeping(leaf_s: float) -> Worker:
    """Return a worker with the body that all contenders have."""

    async def leaf(_task: Task) -> str:
        return await body(leaf_s)

    return leaf


def logged(order: Order) -> Worker:
    """Return a worker whose body says that it starts and ends."""
    log = Log(order.folder)

    async def leaf(task: Task) -> str:
        number = int(task.id.rpartition(".")[2])
        log.write("start", number)
        text = await body(order.leaf_s)
        log.write("end", number)
        return text

    return leaf


def executor(order: Order, worker: Worker) -> Executor:
    """Return an executor on the store of the order's folder."""
    return Executor(Composer(), workers={"leaf": worker}, jobs=order.jobs, store=order.folder / STORE)


def resumed(order: Order, worker: Worker) -> Run:
    """Go on with the last run of the order's folder."""
    return Executor.resume(order.folder / STORE, agent=Composer(), workers={"leaf": worker})


def done_in(run: Run) -> int:
    """Return how many leaves of a run are done; the root has to be done too."""
    if run.status != "done":
        raise LeafError(f"the run is {run.status}: {run.error}")
    return sum(task.state is TaskState.DONE for task in run.task.walk() if task.is_leaf)


def run_tree(order: Order, make: Callable[[], Task]) -> Measured:
    """Run the tree that `make` returns, after a small one."""
    worker = sleeping(order.leaf_s)
    executor(order, worker).run(flat_tree(WARM_UP))
    root = make()
    with clocked() as measured:
        run = executor(order, worker).run(root)
    check(done_in(run), order.size)
    return measured


def leaves(order: Order) -> Measured:
    return run_tree(order, lambda: flat_tree(order.size))


def graph(order: Order) -> Measured:
    return run_tree(order, lambda: graph_tree(graph_of(order.size)))


def crash(order: Order) -> Measured:
    worker = logged(order)
    with clocked() as measured:
        run = resumed(order, worker) if order.is_resumed else executor(order, worker).run(flat_tree(order.size))
    check(done_in(run), order.size)
    return measured


def flat(order: Order) -> Measured:
    with clocked() as measured:
        root = Task(content="all of it", id="0")
        for number in range(1, order.size + 1):
            root.add_subtask(Task(content="do nothing", id=f"0.{number}"))
    check(len(root.subtasks), order.size)
    return measured


def chain(order: Order) -> Measured:
    with clocked() as measured:
        root = last = Task(content="all of it", id="0")
        for number in range(1, order.size):
            task = Task(content="do nothing", id=str(number))
            last.add_subtask(task)
            last = task
        root.to_string()
        root.set_state(TaskState.DONE)
    check(sum(task.state is TaskState.DONE for task in root.walk()), order.size)
    return measured


def stored(order: Order) -> Measured:
    notes: dict[str, float] = {}
    with clocked() as measured:
        root = flat_tree(order.size)
        half = _part(notes, "the first half", lambda: _first_half(order, root))
        _part(notes, "load the tree", lambda: _load(order, half.id))
        run = _part(notes, "resume and finish", lambda: resumed(order, sleeping(order.leaf_s)))
        _part(notes, "export as JSON", lambda: run.save(order.folder / "run.json"))
        _part(notes, "export as SVG", lambda: run.save(order.folder / "run.svg"))
    check(done_in(run), order.size)
    notes["store, MB"] = sum(file.stat().st_size for file in order.folder.glob(f"{STORE}*")) / 1e6
    measured.notes = notes
    return measured


def million(order: Order) -> Measured:
    notes: dict[str, float] = {}
    root = _part(notes, "make the tree", lambda: grouped_tree(order.size))
    with clocked() as measured:
        run = executor(order, sleeping(order.leaf_s)).run(root)
    notes["run it"] = measured.seconds
    notes["tasks"] = sum(task.state is TaskState.DONE for task in run.task.walk())
    if run.status != "done":
        raise LeafError(f"the run is {run.status}: {run.error}")
    measured.notes = notes
    return measured


def _first_half(order: Order, root: Task) -> Run:
    """Run the tree until half of it is done, and stop."""
    left = order.size // 2

    async def leaf(_task: Task) -> str:
        nonlocal left
        left -= 1
        if left == 0:
            run.stop()
        return await body(order.leaf_s)

    run = executor(order, leaf).start(root)
    return run.wait()


def _load(order: Order, run_id: str) -> Task:
    with Store.open(order.folder / STORE) as store:
        return store.load_tree(run_id)


def _part(notes: dict[str, float], name: str, make: Callable[[], Made]) -> Made:
    began = time.perf_counter()
    made = make()
    notes[name] = time.perf_counter() - began
    return made


if __name__ == "__main__":
    serve({
        "leaves": leaves,
        "graph": graph,
        "crash": crash,
        "flat": flat,
        "chain": chain,
        "stored": stored,
        "million": million,
    })  # fmt: skip
