"""What a fork takes: time, and room in the store, beside a whole copy of the run.

    python benchmarks/forks.py [--tasks 10000] [--store PLACE]

A run of many finished tasks, each with a call whose prompt and reply are long, is forked, and moved to another store
as a file, which is a whole copy. Both are timed, and the store is measured before and after.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median

from ramify.planner.models.protocol import ModelReply
from ramify.planner.store import (
    CallKey,
    CallMade,
    CallRecord,
    Change,
    EventHappened,
    EventRecord,
    NewFork,
    NewRun,
    RunChanged,
    RunWriter,
    Store,
    TaskChanged,
)
from ramify.tasks import Task, TaskState, Usage

SYSTEM = "You do one task of a plan, and say what comes of it. " * 40
ABOUT = "Words about the task, its goal and what came before it, number {}. " * 30
REPLY = "What came of the task with the number {}, in a few sentences. " * 30


def leaf_changes(writer: RunWriter, task: Task, number: int) -> Iterator[Change]:
    """Yield what a run writes of a leaf that a model does in one call."""
    words = REPLY.replace("{}", str(number))
    reply = ModelReply(text=words, model="m", finish_reason="stop", input_tokens=900, output_tokens=300)
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ABOUT.replace("{}", str(number))}]
    key = CallKey(task.id, "execute", 1, 0, 0, sha256(str(number).encode()).hexdigest())
    task.move(TaskState.RUNNING)
    yield _event(writer, "task_started", task, attempt=1, doing="execute")
    yield _event(writer, "call_started", task, purpose="execute", model="m")
    request = {"model": "m", "messages": messages}
    yield CallMade.of(
        CallRecord(key=key, model="m", request=request, reply=reply.to_data(), started_at=time.time(), latency_s=1.0)
    )
    yield _event(writer, "call_done", task, purpose="execute", recorded=False, latency_s=1.0, tokens=1200, cost_usd=0.0)
    task.spend(Usage(calls=1, input_tokens=900, output_tokens=300))
    task.finish(reply.text)
    yield TaskChanged.of(task)
    yield _event(writer, "task_done", task)


def _event(writer: RunWriter, kind: str, task: Task, **data: object) -> EventHappened:
    return EventHappened.of(EventRecord(seq=writer.next_seq(), at=time.time(), type=kind, task_id=task.id, data=data))


def make_run(store: Store, tasks: int) -> None:
    """Store a run whose leaves are all done."""
    root = Task(content="do much", id="0")
    root.add_subtasks([Task(content=f"do part {number}", id=f"0.{number}") for number in range(1, tasks)])
    store.create_run(NewRun(id="first", goal="do much", created_at=time.time(), model="m"), root)
    with store.write("first") as writer:
        for number, leaf in enumerate(root.subtasks):
            writer.put(*leaf_changes(writer, leaf, number))
        writer.put(RunChanged.of(status="interrupted"))


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--store", help="an empty store; a file in a temporary folder unless given")
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.store or str(Path(folder) / "runs.db")
        with Store.open(place) as store:
            make_run(store, given.tasks)
            run_bytes, took = size(store, place), []
            for number in range(given.repeat):
                fork = NewFork(id=f"f{number}", forked_from="first", created_at=time.time(), model="m", made_by="m")
                took.append(seconds(partial(store.fork_run, fork)))
            fork_bytes = (size(store, place) - run_bytes) / given.repeat
            copied_s = seconds(partial(copy, store, Path(folder)))
            read_s = seconds(lambda: (store.calls("f0"), store.events("f0")))
    print(f"a run of {given.tasks:,} finished tasks: {run_bytes / 1e6:.1f} MB")
    print(f"a fork of it: {median(took):.3f} s, the median of {given.repeat}; {fork_bytes / 1e6:.2f} MB more")
    if run_bytes:
        print(f"  that is {fork_bytes / run_bytes:.1%} of the run, {fork_bytes / given.tasks:.0f} bytes a task")
    print(f"a whole copy, as a file into another store: {copied_s:.2f} s")
    print(f"the calls and events of a fork are read in {read_s:.2f} s")


def size(store: Store, place: str) -> int:
    """Return how many bytes a store takes; 0 if it is no file."""
    store.vacuum()
    return Path(place).stat().st_size if Path(place).exists() else 0


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def copy(store: Store, folder: Path) -> None:
    """Copy a run whole."""
    store.export_run("first", folder / "run.jsonl")
    with Store.open(folder / "copy.db") as other:
        other.import_run(folder / "run.jsonl")


if __name__ == "__main__":
    main()
