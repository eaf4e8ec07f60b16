"""Calls of a language model through Ramify, and what they cost beside no Ramify and no model.

    python benchmarks/calls.py [--against OTHER/bin/python] [--repeat 5] [--leaves 2000] [--jobs 100]

The server answers at once, so all that is measured is the way there and back. Every measurement is a process of its
own, all take turns, and the median counts. `--against` names the interpreter of another build of Ramify, to be measured
too. Processor time stands beside wall time, since it says the same on a busy machine.
"""

import argparse
import asyncio
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

MODEL: Final = "test-model"
MESSAGES: Final = [{"role": "user", "content": "Say something."}]
WARM_UP: Final = 20
CALLS: Final = 12

_CHOICE: Final = {"index": 0, "message": {"role": "assistant", "content": "<result>four</result>"}}
_USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
_REPLY: Final = json.dumps(
    {
        "id": "x", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{**_CHOICE, "finish_reason": "stop"}], "usage": _USAGE,
    }
).encode()  # fmt: skip


def answer(status: str, body: bytes) -> bytes:
    """Return an HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Server(asyncio.Protocol):
    """Answers every POST with the same reply, and knows nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport, self._unread = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        """Answer what has arrived whole."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            length = int((head.partition(b"content-length:")[2] or b"0").split(b"\r\n")[0])
            if len(self._unread) < end + 4 + length:
                return
            self._unread = self._unread[end + 4 + length :]
            self._transport.write(answer("200 OK", _REPLY) if head[:4] == b"post" else answer("404 Not Found", b"{}"))


async def serve() -> None:
    """Serve on a free port of loopback, and print the address."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1\n")
    sys.stdout.flush()
    await server.serve_forever()


def leaves_of_ramify(base_url: str, size: int, jobs: int) -> float:
    """Return how long a run of `size` leaves takes, each a call that is on disk before it counts, in seconds."""
    from ramify.planner import Agent, Executor
    from ramify.tasks import Task

    def tree(count: int) -> Task:
        root = Task(content="all of it", id="0")
        root.add_subtasks([Task(content=f"Say {number}.", id=f"0.{number}") for number in range(1, count + 1)])
        return root

    def run(count: int) -> float:
        task = tree(count)
        started = time.perf_counter()
        done = Executor(Agent(MODEL, base_url=base_url), jobs=jobs, store=Path("runs.db")).run(task)
        if done.status != "done":
            raise SystemExit(done.error)
        return time.perf_counter() - started

    run(WARM_UP)
    return run(size)


def calls_at_once(call: Callable[[], Awaitable[Any]], size: int, jobs: int) -> Awaitable[float]:
    """Make `size` calls, `jobs` at a time, and return how long it took, in seconds."""

    async def all_of(count: int) -> float:
        left = iter(range(count))

        async def some() -> None:
            for _ in left:
                await call()

        started = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(jobs)))
        return time.perf_counter() - started

    async def after_a_few() -> float:
        await all_of(WARM_UP)
        return await all_of(size)

    return after_a_few()


def calls_of_litellm(base_url: str, size: int, jobs: int) -> float:
    """Return how long bare calls of litellm take, in seconds."""
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    litellm = importlib.import_module("litellm")

    def call() -> Awaitable[Any]:
        options = {"api_base": base_url, "api_key": "none", "max_retries": 0}
        asked: Awaitable[Any] = litellm.acompletion(model=f"openai/{MODEL}", messages=MESSAGES, **options)
        return asked

    async def main() -> float:
        return await calls_at_once(call, size, jobs)

    return asyncio.run(main())


def calls_of_aiohttp(base_url: str, size: int, jobs: int) -> float:
    """Return how long bare calls of aiohttp take, their JSON written and read, in seconds."""
    aiohttp = importlib.import_module("aiohttp")

    async def main() -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def call() -> Any:
                body = {"model": MODEL, "messages": MESSAGES}
                async with session.post(f"{base_url}/chat/completions", json=body) as response:
                    return await response.json()

            return await calls_at_once(call, size, jobs)

    return asyncio.run(main())


PROGRAMS: Final = {"ramify": leaves_of_ramify, "litellm": calls_of_litellm, "aiohttp": calls_of_aiohttp}


def plans(folder: Path) -> None:
    """Write a plan of twelve tasks for a model, its root among them, and the same of templates that are filled in."""
    names = range(1, CALLS)
    asked = [f"  - {{id: t{number}, task: Say {number}}}" for number in names]
    filled = [f"{line[:-1]}, type: prompt, inputs: {{prompt: four}}}}" for line in asked]
    (folder / "model.yaml").write_text("\n".join(["goal: Say them all", "tasks:", *asked]))
    above = ["goal: Say them all", "type: prompt", "inputs: {prompt: four}", "tasks:"]
    (folder / "prompt.yaml").write_text("\n".join([*above, *filled]))


def measured(*command: str) -> tuple[float, float]:
    """Return what a process measures of itself if it says so, else how long it takes; and its processor time, in s."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        plans(Path(folder))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        whole_s = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (float(done.stdout) if command[1] == __file__ else whole_s), cpu_s


@contextmanager
def a_server() -> Iterator[str]:
    """Have the server in a process of its own, and give its address."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own command
        try:
            yield next(iter(server.stdout or ())).strip()
        finally:
            server.terminate()


def commands(base_url: str, builds: dict[str, str], options: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    """Return what is measured, by name."""
    found: dict[str, tuple[str, ...]] = {}
    for name, python in builds.items():
        run = (python, "-m", "ramify.planner.cli", "run", "-q")
        found[f"{name}, command of {CALLS} calls"] = (*run, "model.yaml", "--model", MODEL, "--base-url", base_url)
        found[f"{name}, the same without a model"] = (*run, "prompt.yaml", "--model", "rules")
        found[f"{name}, {options.leaves} leaves"] = (python, __file__, "--measure", "ramify", base_url)
    for name in ("litellm", "aiohttp"):
        found[f"bare {name}, {options.leaves} calls"] = (sys.executable, __file__, "--measure", name, base_url)
    size = ("--leaves", str(options.leaves), "--jobs", str(options.jobs))
    return {name: (*words, *size) if "--measure" in words else words for name, words in found.items()}


def compare(options: argparse.Namespace) -> None:
    """Measure all in turn, and print a table."""
    builds = {"this build": sys.executable} | ({"the other build": options.against} if options.against else {})
    seen: dict[str, list[tuple[float, float]]] = {}
    with a_server() as base_url:
        for _ in range(options.repeat):
            for name, command in commands(base_url, builds, options).items():
                seen.setdefault(name, []).append(measured(*command))
    lines = ["| what | wall, s | processor, s |", "|---|---|---|"]
    for name, times in seen.items():
        wall_s, cpu_s = (statistics.median(each) for each in zip(*times, strict=True))
        lines.append(f"| {name} | {wall_s:.2f} | {cpu_s:.2f} |")
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", help="the interpreter of another build of Ramify")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--leaves", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
    elif options.measure:
        name, base_url = options.measure
        sys.stdout.write(str(PROGRAMS[name](base_url, options.leaves, options.jobs)))
    else:
        compare(options)


if __name__ == "__main__":
    main()
