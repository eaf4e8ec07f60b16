"""The soak: many leaves against the local server, some of its answers faults, over a long time; nothing may grow.

    python -m tests.soak --leaves 50000 --seconds 3600

Samples memory, file descriptors, threads and event-loop tasks of this process every ten seconds, and ends with what it
saw. It fails if a leaf is lost or wrong, if memory grows from the middle to the end by more than the results explain,
or if descriptors or loop tasks do.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ramify.planner import Agent, Executor, RunLimits
from ramify.planner.runtime.background import background_loop
from ramify.planner.store import Store
from ramify.tasks import Task, TaskConfig, TaskState

from .made_up_goals import solution_of

SERVER = Path(__file__).with_name("openai_server.py")
GROUP = 500
RESULT_KB = 1.0
"""What a finished leaf may hold more than an open one: its result, usage and times."""


@dataclass(frozen=True)
class Sample:
    """What the process held at one moment; memory in MB."""

    at_s: float
    done: int
    memory_mb: float
    descriptors: int
    threads: int
    loop_tasks: int

    def __str__(self) -> str:
        return (
            f"{self.at_s:7.0f} s {self.done:8} leaves {self.memory_mb:8.1f} MB {self.descriptors:4} descriptors"
            f" {self.threads:3} threads {self.loop_tasks:4} loop tasks"
        )


def sample(began: float, done: int) -> Sample:
    """Look at this process."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return Sample(
        at_s=time.monotonic() - began,
        done=done,
        memory_mb=int(status["VmRSS"].split()[0]) / 1024,
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=int(status["Threads"]),
        loop_tasks=len(asyncio.all_tasks(background_loop())),
    )


def tree(leaves: int, *, rate: float) -> Task:
    """Return groups of leaves; calls start `rate` times a second at most."""
    config = TaskConfig(requests_per_second=rate, retry_delay_seconds=0.2, max_retries=10)
    root = Task(content="all{}", id="0", config=config)
    for first in range(0, leaves, GROUP):
        group = Task(content=f"group-{first}{{}}", id=f"g{first}")
        root.add_subtask(group)
        group.add_subtasks(
            [Task(content=f"leaf-{n}{{}}", id=f"l{n}") for n in range(first, min(leaves, first + GROUP))]
        )
    return root


def soak(leaves: int, seconds: float, fault_rate: float, folder: Path) -> tuple[list[Sample], Task, Counter[str]]:
    """Run, and return the samples, the tree, and how often each kind of event happened."""
    command = [sys.executable, str(SERVER), "--fault-rate", str(fault_rate), "--latency", "0.05"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        agent = Agent("openai/test-model", base_url=server.stdout.readline().strip())
        events: Counter[str] = Counter()
        root = tree(leaves, rate=leaves / seconds)
        executor = Executor(
            agent,
            jobs=16,
            store=folder / "soak.db",
            limits=RunLimits(),
            on_event=lambda event: events.update([event.type]),
        )
        run = executor.start(root)
        began, samples = time.monotonic(), []
        ended = threading.Event()
        while not ended.wait(10 if seconds >= 60 else seconds / 6):
            samples.append(sample(began, events["task_done"]))
            print(samples[-1], flush=True)
            if run.status != "running":
                ended.set()
        run.wait()
        assert run.status == "done", run.error
        return samples, root, events
    finally:
        server.kill()
        server.wait()


def check(samples: list[Sample], root: Task, folder: Path) -> None:
    """Check that nothing was lost and that nothing grew."""
    for task in root.walk():
        assert task.state is TaskState.DONE, task
        assert task.result == solution_of(task.content), task.id
    with Store.open(folder / "soak.db", create=False) as store:
        stored = store.load_tree(store.last_run().id)
        assert stored.get_result() == root.get_result()
    working = samples[1:-1]
    middle, last = working[len(working) // 2], working[-1]
    leaves_since = max(1, last.done - middle.done)
    growth_mb = last.memory_mb - middle.memory_mb
    print(f"memory from the middle to the end: {growth_mb:+.1f} MB in {leaves_since} leaves")
    assert growth_mb < 10 + leaves_since * RESULT_KB / 1024, "memory grows by more than the leaves' results"
    assert last.descriptors <= middle.descriptors + 8, "file descriptors leak"
    assert last.loop_tasks <= middle.loop_tasks + 8, "loop tasks leak"


def main() -> None:
    """Run the soak and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--fault-rate", type=float, default=0.05)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        samples, root, events = soak(options.leaves, options.seconds, options.fault_rate, Path(name))
        check(samples, root, Path(name))
    print(f"every one of {options.leaves} leaves is there and right; events: {dict(events)}")


if __name__ == "__main__":
    main()
