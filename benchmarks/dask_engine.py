"""Leaves on a Dask cluster: what the engine costs beside Dask alone, and what becomes of them when workers are killed.

    python benchmarks/dask_engine.py speed [--leaves 1000] [--jobs 100] [--rounds 5]
    python benchmarks/dask_engine.py kills [--leaves 2000] [--kills 50]

`speed` puts the same bodies (a sleep) on the same cluster in turn: Dask alone with all calls sent at once, Dask alone
with as many under way as there are jobs, and a run with its store on disk. `kills` ends workers with SIGKILL while a
run goes on, and counts in a log that the bodies write what was begun, and begun again after it was finished.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ramify.planner import Executor, WorkContext, worker
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

PROCESSES: Final = 2
KILLED: Final = (4, 4)
"""Of the cluster whose workers are killed: processes, and threads in each."""
SEED: Final = 11


def nap(seconds: float) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds


def logs(log: str, n: int, seconds: float, context: WorkContext) -> int:
    """Say in a file that this attempt has begun, and sleep."""
    with open(log, "a", encoding="utf-8", buffering=1) as lines:  # noqa: PTH123 - one line is one write
        lines.write(f"{n} {context.attempt} {time.time()}\n")
    time.sleep(seconds)
    return n


@contextmanager
def cluster(processes: int, threads: int) -> Iterator[Any]:
    """Give a cluster as the engine starts one, with its scheduler in this process."""
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})  # it gives up a worker that takes 15 s to start
    with LocalCluster(
        n_workers=processes, threads_per_worker=threads, dashboard_address=None, silence_logs=50, memory_limit=0,
        scheduler_kwargs={"allowed_failures": 0, "dashboard_address": "127.0.0.1:0"},
    ) as made:  # fmt: skip
        yield made


def sent_at_once(made: Any, leaves: int, jobs: int, seconds: float) -> float:  # noqa: ARG001 - all take the same
    """Return how long Dask alone takes, with connecting, if it is given all calls at once."""
    from distributed import Client

    started = time.perf_counter()
    with Client(made, set_as_default=False) as client:
        futures = client.map(nap, [seconds] * leaves, pure=False)
        client.gather(futures)
        return time.perf_counter() - started


def some_under_way(made: Any, leaves: int, jobs: int, seconds: float) -> float:
    """Return how long Dask alone takes, with connecting, if no more calls are under way than there are jobs."""
    from distributed import Client, as_completed

    started = time.perf_counter()
    with Client(made, set_as_default=False) as client:
        first = client.map(nap, [seconds] * min(jobs, leaves), pure=False)
        left = leaves - len(first)
        coming = as_completed(first, loop=client.loop, with_results=True)
        for _ in coming:
            if left:
                left -= 1
                coming.add(client.submit(nap, seconds, pure=False))
        return time.perf_counter() - started


def as_a_run(made: Any, leaves: int, jobs: int, seconds: float) -> float:
    """Return how long a run takes: connecting, storing its tree, its leaves, and their results on disk."""
    root = Task(content="all", id="0", type="nap")
    root.add_subtasks([Task(content="x", id=f"0.{n}", type="nap", inputs={"seconds": seconds}) for n in range(leaves)])
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        executor = Executor(
            ScriptedModel({"compose": "<result>x</result>"}), store=Path(folder) / "r.db", workers=[nap], jobs=jobs,
            engine=f"dask:{made.scheduler_address}",
        )  # fmt: skip
        started = time.perf_counter()
        run = executor.run(root)
        took = time.perf_counter() - started
    if run.status != "done":
        raise SystemExit(f"the run is {run.status}: {run.error}")
    return took


def with_some_more(made: Any, leaves: int, jobs: int, seconds: float) -> float:
    """Return how long a run takes that has a fifth more jobs than there are threads, so that none of these waits."""
    return as_a_run(made, leaves, jobs + jobs // 5, seconds)


WAYS: Final = {
    "Dask, all at once": sent_at_once,
    "Dask, as many under way as jobs": some_under_way,
    "a run": as_a_run,
    "a run with a fifth more jobs": with_some_more,
}


def speed(options: argparse.Namespace) -> None:
    """Print the median of each way, and its ratio to Dask alone."""
    seen: dict[str, list[float]] = {name: [] for name in WAYS}
    with cluster(PROCESSES, -(-options.jobs // PROCESSES)) as made:
        for way in WAYS.values():
            way(made, 20, options.jobs, 0.0)
        for _ in range(options.rounds):
            for name, way in WAYS.items():
                seen[name].append(way(made, options.leaves, options.jobs, options.seconds))
    ideal = options.leaves / options.jobs * options.seconds
    say(f"{options.leaves} leaves of {options.seconds * 1000:.0f} ms at {options.jobs}, ideal {ideal:.2f} s; {where()}")
    first = statistics.median(seen[next(iter(WAYS))])
    for name, times in seen.items():
        median = statistics.median(times)
        say(f"  {name}: {median:.2f} s ({median / first:.2f}x; {min(times):.2f}-{max(times):.2f} of {len(times)})")


def kills(options: argparse.Namespace) -> None:
    """Kill workers while a run goes on, and print what was done again; exit with 1 if anything finished was."""
    done: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, cluster(*KILLED) as made:
        log = Path(folder) / "log"
        root = Task(content="all", id="0", type="logs", config={"max_retries": 1000, "retry_delay_seconds": 0})
        each = {"log": str(log), "seconds": options.seconds}
        leaves = [Task(content="x", id=f"0.{n}", type="logs", inputs={**each, "n": n}) for n in range(options.leaves)]
        root.add_subtasks(leaves)
        executor = Executor(
            ScriptedModel({"compose": "<result>x</result>"}), store=Path(folder) / "r.db", jobs=KILLED[0] * KILLED[1],
            workers=[worker(engine=f"dask:{made.scheduler_address}")(logs)],
            on_event=lambda event: done.setdefault(str(event.task_id), time.time()) if event.type == "task_done" else 0,
        )  # fmt: skip
        run = executor.start(root)
        stop = threading.Event()
        apart = 0.8 * options.leaves * options.seconds / (KILLED[0] * KILLED[1]) / options.kills
        killing = threading.Thread(target=kill, args=(made, options.kills, apart, stop), daemon=True)
        killing.start()
        started = time.perf_counter()
        run.wait()
        took = time.perf_counter() - started
        stop.set()
        killing.join()
        if not log.exists():
            raise SystemExit(f"the run is {run.status}: {run.error}")
        begun = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    again = [n for n, _, at in begun if float(at) > done.get(f"0.{n}", float("inf"))]
    twice = [key for key, count in Counter((n, attempt) for n, attempt, _ in begun).items() if count > 1]
    lost = [n for n in range(options.leaves) if run.task.find(f"0.{n}").output != n]
    say(f"{options.leaves} leaves of {options.seconds * 1000:.0f} ms, {KILL_COUNT[0]} kills in {took:.0f} s; {where()}")
    say(f"  run: {run.status}; leaves lost: {len(lost)}; begun again after they were finished: {len(again)}")
    say(f"  bodies begun: {len(begun)}; of one attempt begun twice by Dask itself: {len(twice)}")
    if run.status != "done":
        raise SystemExit(f"the run is {run.status}: {run.error}")
    if lost or again or KILL_COUNT[0] < options.kills:
        raise SystemExit(1)


KILL_COUNT = [0]


def kill(made: Any, most: int, apart: float, stop: threading.Event) -> None:
    """Kill a worker every `apart` seconds or so, one that calls functions, whenever two or more do."""
    chance = random.Random(SEED)  # noqa: S311 - which one is no secret
    while KILL_COUNT[0] < most and not stop.wait(apart * chance.uniform(0.2, 1.8)):
        busy = {each.address for each in list(made.scheduler.workers.values()) if each.processing}
        pids = [nanny.pid for nanny in made.workers.values() if nanny.pid and nanny.worker_address in busy]
        if len(pids) > 1:
            with suppress(ProcessLookupError):  # it is just being started again
                os.kill(chance.choice(pids), signal.SIGKILL)
                KILL_COUNT[0] += 1


def where() -> str:
    """Return what was measured, and how busy the machine was."""
    import distributed

    return f"distributed {distributed.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def say(words: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{words}\n")


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["speed", "kills"])
    parser.add_argument("--leaves", type=int)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    is_speed = options.what == "speed"
    options.leaves = options.leaves or (1000 if is_speed else 2000)
    options.seconds = options.seconds or (0.05 if is_speed else 2.0)
    (speed if is_speed else kills)(options)


if __name__ == "__main__":
    main()
