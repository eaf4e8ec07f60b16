"""Where the time of a leaf goes: the run's time line, processor time by thread, each stage by itself, samples.

    python benchmarks/stages.py [--size 10000] [--output PROFILE.md]

The stages are the engine's own functions, each called by itself on the rows of a real run; their sum is less than the
whole, which also holds the event loop, locks, and two threads that take turns. Samples of a run come last, if py-spy is
installed.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent))

from contenders import HERE
from ours import Composer, flat_tree
from ramify.planner import Executor, Store
from ramify.planner.events.events import Event, EventType
from ramify.planner.executor import open_store
from ramify.planner.store import NewRun
from ramify.planner.store.batch import Batch
from ramify.planner.store.changes import Change, EventHappened, TaskChanged
from ramify.planner.store.holder import Holder
from ramify.planner.store.lease import take
from ramify.planner.workers import FunctionWorker, WorkContext
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.schedule import Scheduler
from spying import RATE, spied

JOBS: Final = 100
Changes = tuple[Change, ...]

WRITER: Final = "ramify writer"


async def nothing(_task: Task) -> str:
    return "ok"


@dataclass
class Watched:
    """One run, as it was seen from outside.

    Attributes:
        size: how many leaves it has.
        total_s: from the call to its return.
        loop_s: processor time of the event loop's thread.
        writer_s: processor time of the writer's thread.
        commits: transactions that were committed.
        moments: when what happened, in seconds from the call.
    """

    size: int
    total_s: float = 0.0
    loop_s: float = 0.0
    writer_s: float = 0.0
    commits: int = 0
    moments: dict[str, float] = field(default_factory=dict)

    def us(self, seconds: float) -> str:
        """Return a time as microseconds a leaf."""
        return f"{seconds / self.size * 1e6:,.1f}"


def watch(folder: Path, size: int) -> Watched:
    """Run `size` leaves that do nothing on this thread's loop, and note what can be seen from outside."""
    seen = Watched(size)
    began_at = time.time()

    def on_event(event: Event) -> None:
        name = "the root is composed" if event.type == "task_done" and event.task_id == "0" else str(event.type)
        if event.type == "task_done" and event.task_id != "0":
            name = "the last leaf is done"
        if name == "task_started":
            name = "the first leaf starts" if "the first leaf starts" not in seen.moments else "the root starts"
        seen.moments[name] = event.at - began_at
        if name == "the root is composed":
            seen.writer_s = _thread_s(WRITER)

    root = flat_tree(size)
    executor = Executor(
        Composer(), workers={"leaf": nothing}, jobs=JOBS, store=folder / f"{uuid4().hex}.db", on_event=on_event
    )
    began, began_loop, began_at = time.perf_counter(), time.thread_time(), time.time()
    run = asyncio.run(executor.arun(root))
    seen.total_s, seen.loop_s = time.perf_counter() - began, time.thread_time() - began_loop
    seen.commits = run._session._recorder.writer.commits  # noqa: SLF001 - nobody else needs it
    return seen


def _thread_s(name: str) -> float:
    """Return the processor time of the thread whose name begins with `name`; 0 where that cannot be asked."""
    thread = next((each for each in threading.enumerate() if each.name.startswith(name)), None)
    if thread is None or thread.ident is None or not hasattr(time, "pthread_getcpuclockid"):
        return 0.0
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


class Stages:
    """Times stages one after the other.

    Attributes:
        rows: name and seconds.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[str, float]] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Time the block."""
        began = time.perf_counter()
        yield
        self.rows.append((name, time.perf_counter() - began))


def stages_of(folder: Path, size: int, leaves_a_commit: int) -> Stages:
    """Time the stages of `size` leaves, each by itself, in the order in which a run passes them."""
    stages = Stages()
    root = flat_tree(size)
    new = NewRun(id="r" + uuid4().hex[:10], goal="x", created_at=time.time())
    with open_store(folder / "stages.db") as store:
        with stages.of("storing the tree: rows of all tasks, one transaction"):
            store.create_run(new, root)
        with stages.of("scheduling: check the tree, make the ready queue"):
            scheduler = Scheduler(root)
        leaves = [task for task in root.walk() if task is not root]
        with stages.of("scheduling: pop"):
            taken = [scheduler.pop() for _ in leaves]
        with stages.of("state: to RUNNING"):
            for task in leaves:
                task.move(TaskState.RUNNING)
        with stages.of("rows: the task started, and its event"):
            started = _rows(leaves, EventType.TASK_STARTED, {"attempt": 1, "doing": "execute"}, first=1)
        asyncio.run(_bodies(stages, leaves))
        with stages.of("state: to DONE, with the result"):
            for task in leaves:
                task.finish("ok")
        with stages.of("rows: the task is done, and its event"):
            done = _rows(leaves, EventType.TASK_DONE, {}, first=size + 1)
        with stages.of("scheduling: finished"):
            for leaf in taken:
                scheduler.finished(leaf or root)
        _write(stages, store, new.id, [(*a, *b) for a, b in zip(started, done, strict=True)], leaves_a_commit)
    return stages


def _rows(tasks: Sequence[Task], kind: EventType, data: dict[str, Any], *, first: int) -> list[Changes]:
    return [
        (TaskChanged.of(task), EventHappened.of(Event(seq=seq, at=time.time(), type=kind, task_id=task.id, data=data)))
        for seq, task in enumerate(tasks, start=first)
    ]


async def _bodies(stages: Stages, leaves: Sequence[Task]) -> None:
    """Time the worker's call in its time limit, and the loop's waking of a waiter a leaf from another thread."""
    worker = FunctionWorker(nothing)
    services: Any = None  # a function that takes the task alone looks at nothing of the run
    with stages.of("the worker: time limit, context, call, read what it returns"):
        for task in leaves:
            async with asyncio.timeout(None):
                await worker.perform(task, WorkContext(task, services))
    loop = asyncio.get_running_loop()
    with stages.of("waiting for the disk: a future made, resolved, awaited"):
        for start in range(0, len(leaves), JOBS):
            waiters = [loop.create_future() for _ in leaves[start : start + JOBS]]
            loop.call_soon(_resolve, waiters)
            await asyncio.gather(*waiters)


def _resolve(waiters: Sequence[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        waiter.set_result(None)


def _write(stages: Stages, store: Store, run_id: str, leaves: Sequence[Changes], leaves_a_commit: int) -> None:
    """Time what the writer does, in as many transactions as the real run had."""
    database = store._database  # noqa: SLF001 - the writer's own parts are called here one by one
    lease = take(database, run_id, Holder.this_process(), stale_after_s=10.0)
    batches = []
    with stages.of("the writer: sort the changes of a commit by kind"):
        for start in range(0, len(leaves), leaves_a_commit):
            batch = Batch(run_id)
            for changes in leaves[start : start + leaves_a_commit]:
                batch.add(changes)
            batches.append(batch)
    spent = {"begin": 0.0, "write": 0.0, "commit": 0.0}
    with database.connect() as connection:
        for batch in batches:
            moments = [time.perf_counter()]
            transaction = connection.begin()
            moments.append(time.perf_counter())
            batch.write(connection, database.statements, lease, set())
            moments.append(time.perf_counter())
            transaction.commit()
            moments.append(time.perf_counter())
            for name, (before, after) in zip(spent, pairwise(moments), strict=True):
                spent[name] += after - before
    stages.rows.append(("the writer: begin", spent["begin"]))
    stages.rows.append(("the writer: prove the lease, update tasks, insert events", spent["write"]))
    stages.rows.append((f"the writer: commit, with fsync ({len(batches)} of them)", spent["commit"]))


def page_of(size: int, folder: Path) -> str:
    """Return PROFILE.md."""
    watch(folder, 50)
    sizes = [watch(folder, max(20, size // 10)), watch(folder, size)]
    by_mode = {mode: _with_mode(mode, lambda: watch(folder, size)) for mode in ("NORMAL", "OFF")}
    leaves_a_commit = max(1, round(size / max(1, sizes[-1].commits)))
    stages = stages_of(folder, size, leaves_a_commit)
    parts = [
        "# Where the time of a leaf goes",
        f"Written by `python benchmarks/stages.py --size {size}` on {time.strftime('%Y-%m-%d')}.",
        f"{os.cpu_count()} cores, Python {platform.python_version()}; {JOBS} leaves at a time that do nothing.",
        "## A run, from outside",
        _watched_table([("FULL", each) for each in sizes] + list(by_mode.items())),
        "## Its time line",
        _time_line(sizes),
        "## Stage by stage",
        _stage_table(stages, size, sizes[-1]),
        f"## Sampled by py-spy, {RATE} times a second",
        *(f"### {name}\n\n```text\n{words}\n```" for name, words in spied(folder, size, JOBS).items()),
    ]
    return "\n\n".join(parts) + "\n"


def _with_mode(mode: str, make: Callable[[], Watched]) -> Watched:
    os.environ["RAMIFY_SYNCHRONOUS"] = mode
    try:
        return make()
    finally:
        del os.environ["RAMIFY_SYNCHRONOUS"]


def _watched_table(runs: Sequence[tuple[str, Watched]]) -> str:
    rows = [
        "| leaves | synchronous | us a leaf | loop thread, us | writer thread, us | commits | leaves a commit |",
        "|---|---|---|---|---|---|---|",
    ]
    for mode, seen in runs:
        times = " | ".join(seen.us(each) for each in (seen.total_s, seen.loop_s, seen.writer_s))
        rows.append(f"| {seen.size:,} | {mode} | {times} | {seen.commits} | {seen.size / max(1, seen.commits):.0f} |")
    return "\n".join(rows)


def _time_line(runs: Sequence[Watched]) -> str:
    names = ("run_started", "the first leaf starts", "the last leaf is done", "the root starts", "the root is composed")
    rows = [
        f"| ms from the call | {' | '.join(f'{each.size:,} leaves' for each in runs)} |",
        "|---" * (len(runs) + 1) + "|",
    ]
    rows += [
        f"| {name} | {' | '.join(f'{each.moments.get(name, 0) * 1000:,.1f}' for each in runs)} |" for name in names
    ]
    rows.append(f"| the call returns | {' | '.join(f'{each.total_s * 1000:,.1f}' for each in runs)} |")
    return "\n".join(rows)


def _stage_table(stages: Stages, size: int, whole: Watched) -> str:
    rows = ["| stage, by itself | us a leaf |", "|---|---|"]
    composing = whole.moments["the root is composed"] - whole.moments["the root starts"]
    stages.rows.append(("composing the root: the prompt with all results (as in the run above)", composing))
    rows += [f"| {name} | {seconds / size * 1e6:,.1f} |" for name, seconds in stages.rows]
    total = sum(seconds for _, seconds in stages.rows)
    rows.append(f"| together | {total / size * 1e6:,.1f} |")
    rows.append(f"| a whole run | {whole.us(whole.total_s)} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000, help="leaves of the larger run")
    parser.add_argument(
        "--folder", type=Path, default=HERE, help="where stores are written, in a folder that is removed"
    )
    parser.add_argument("--output", type=Path, default=HERE / "PROFILE.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=".work-") as folder:
        options.output.write_text(page_of(options.size, Path(folder)), encoding="utf-8")
    print(f"the profile is in {options.output.name}")


if __name__ == "__main__":
    main()
