"""What the live page costs the run that it shows: the same run, watched and not, by turns.

    python benchmarks/serving.py [--leaves 10000] [--watchers 20] [--jobs 100] [--leaf-ms 50] [--repeat 5]

A run of leaves that sleep is made in a process of its own, and begins on a word. When it is watched, `ramify serve` is
a second process; whoever watches, connections that read all that they are sent, are in a third. The store is SQLite,
with `synchronous=FULL`. Have nothing else run meanwhile, and state the machine with every figure.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

_END_OF_HEAD = b"\r\n\r\n"


def measure(options: argparse.Namespace) -> None:
    """Make a run, say its id, run it on a word, and say how long it took."""
    from ramify.planner import Executor
    from ramify.tasks import Task

    async def rest(_: Task) -> str:
        await asyncio.sleep(options.leaf_ms / 1000)
        return "done"

    root = Task(content="All", id="0")
    root.add_subtasks([Task(content=f"Leaf {n}", id=f"0.{n}", type="rest") for n in range(1, options.leaves + 1)])
    run = Executor("rules", workers={"rest": rest}, jobs=options.jobs, store=options.store).new_run(root)
    print(run.id, flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    run.start().wait()
    print(json.dumps({"wall_s": time.perf_counter() - started, "status": run.status}), flush=True)


async def watch(options: argparse.Namespace) -> None:
    """Open connections to a run's stream, say when each was sent something, and read until the end of input."""
    url = urlsplit(options.url)
    ready = asyncio.Semaphore(0)
    sent = 0

    async def one() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        head = f"Host: {url.netloc}\r\nCookie: {options.cookie}\r\n\r\n"
        writer.write(f"GET /api/runs/{options.run}/events HTTP/1.1\r\n{head}".encode())
        await reader.readuntil(b"data: ")
        ready.release()
        while part := await reader.read(1 << 16):
            sent += len(part)

    watchers = [asyncio.create_task(one()) for _ in range(options.watchers)]
    for _ in watchers:
        await ready.acquire()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps({"bytes": sent}), flush=True)
    for each in watchers:
        each.cancel()


async def cookie_of(address: str) -> str:
    """Return the cookie that an address with a token gives."""
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(f"GET /?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.readuntil(_END_OF_HEAD)).decode()
    writer.close()
    line = next(line for line in head.splitlines() if line.lower().startswith("set-cookie: "))
    return line.partition(": ")[2].partition(";")[0]


@contextmanager
def program(*words: object) -> Iterator["subprocess.Popen[str]"]:
    """Start a program, and end it."""
    command = [sys.executable, *map(str, words)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - ours
        try:
            yield process
        finally:
            process.terminate()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.write("\n")
    process.stdin.flush()


def one_run(options: argparse.Namespace, folder: Path, *, watched: bool) -> float:
    """Return how long a run took, in seconds."""
    store = folder / "runs.db"
    store.unlink(missing_ok=True)
    size = ["--leaves", options.leaves, "--jobs", options.jobs, "--leaf-ms", options.leaf_ms]
    with program(__file__, "--measure", "--store", store, *size) as run:
        run_id = line_of(run)
        if not watched:
            tell(run)
            return float(json.loads(line_of(run))["wall_s"])
        with program("-m", "ramify.planner.cli", "serve", "--no-open", "--port", 0, "--store", store) as server:
            address = line_of(server)
            who = ["--url", address, "--run", run_id, "--watchers", options.watchers]
            with program(__file__, "--watch", *who, "--cookie", asyncio.run(cookie_of(address))) as watching:
                line_of(watching)
                tell(run)
                wall_s = float(json.loads(line_of(run))["wall_s"])
                tell(watching)
                sent = json.loads(line_of(watching))["bytes"]
                print(f"  {sent / max(1, options.watchers) / 1024:,.0f} KiB sent to each", file=sys.stderr)
                return wall_s


def main() -> None:
    about = (__doc__ or "").partition("\n\n")[0]
    parser = argparse.ArgumentParser(description=about)
    for name, value in (("leaves", 10_000), ("watchers", 20), ("jobs", 100), ("repeat", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--leaf-ms", type=float, default=50.0)
    for name in ("store", "url", "run", "cookie"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options)
    elif options.watch:
        asyncio.run(watch(options))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Measure by turns, and print what came of it."""
    alone, watched = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.repeat):
            turns = (False, True) if number % 2 == 0 else (True, False)
            for is_watched in turns:
                seconds = one_run(options, Path(folder), watched=is_watched)
                (watched if is_watched else alone).append(seconds)
    ratios = sorted(one / other for one, other in zip(watched, alone, strict=True))
    print(f"{options.leaves:,} leaves of {options.leaf_ms:g} ms, {options.jobs} at a time, {options.repeat} pairs")
    print(f"alone:                 {statistics.median(alone):.3f} s (median)")
    print(f"with {options.watchers} who watch:    {statistics.median(watched):.3f} s (median)")
    print(f"ratio:                 {statistics.median(ratios):.3f} (median; {ratios[0]:.3f} to {ratios[-1]:.3f})")


if __name__ == "__main__":
    main()
