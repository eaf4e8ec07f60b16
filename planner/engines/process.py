"""The engine whose functions each run in a process of their own: what one takes is limited, what it breaks is its own.

The child imports the module of the function again, and calls it. What the function prints goes to standard error, whose
end is shown if the process is lost. A function that is cancelled is killed, with every process that it has started.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Any

from ramify.planner.errors import CommandError, UsageError, WorkerLostError
from ramify.planner.processes import CommandLimits, run_command
from ramify.tasks.json_text import json_text

from . import child
from .far import value_of
from .protocol import Engine, Home, Order

_INSIDE = "RAMIFY_ISOLATED"
_LIMITS = CommandLimits()


class Process(Engine):
    """Calls each function in a new process of this machine, within `max_memory_mb`."""

    keeps = frozenset({"max_memory_mb"})

    async def submit(self, order: Order, home: Home) -> "asyncio.Task[Any]":
        """Start a process for the order, in the folder of its task.

        Raises:
            UsageError: if this is such a process itself.
        """
        if _INSIDE in os.environ:
            raise UsageError(
                f"the module of the isolated worker {order.worker!r} runs tasks when it is imported; put that below `if"
                ' __name__ == "__main__":`'
            )
        folder = home.hear({"ask": "storage"})
        return asyncio.ensure_future(_done(order, home, value_of(folder)))

    async def result(self, job: "asyncio.Task[Any]") -> Any:
        """Return what the function gave.

        Raises:
            WorkerLostError: if its process ended before that.
            CommandError: if it took too much.
            Exception: what the function raised, as plain data has it.
        """
        return value_of(await asyncio.shield(job))

    async def cancel(self, job: "asyncio.Task[Any]") -> None:
        """Kill the process, with all that it has started."""
        job.cancel()
        await asyncio.wait([job])


async def _done(order: Order, home: Home, folder: str) -> Any:
    """Return what the child says of an order."""

    async def talk(stdout: asyncio.StreamReader, stdin: asyncio.StreamWriter) -> bytes:
        said = b""
        await _send(stdin, order.to_data())
        while (words := await _received(stdout, order)) is not None:
            message = json.loads(words)
            if "ask" in message:
                await _send(stdin, home.hear(message))
            else:
                said = words
                stdin.close()
        return said

    try:
        done = await run_command(
            [sys.executable, "-m", child.__name__],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), _INSIDE: "1"},
            talk=talk,
            limits=CommandLimits(max_memory_mb=order.limits.max_memory_mb),
        )
    except CommandError as error:
        if error.may_pass:
            raise WorkerLostError(f"the worker {order.worker!r} was lost: {error}", task_id=order.task_id) from error
        raise
    if not done.stdout:
        tail = f":\n{done.error_tail}" if done.error_tail else ""
        raise WorkerLostError(
            f"the worker {order.worker!r} was lost: its process ended with exit code {done.exit_code} before it"
            f" returned a value{tail}",
            task_id=order.task_id,
        )
    return json.loads(done.stdout)


async def _send(stdin: asyncio.StreamWriter, message: Any) -> None:
    stdin.write(child.framed(json_text(message, allow_nan=True).encode()))
    with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, and how is told at once
        await stdin.drain()


async def _received(stdout: asyncio.StreamReader, order: Order) -> bytes | None:
    """Return the next message of the child; None if it has ended."""
    try:
        size = int(await stdout.readuntil(b"\n"))
        if size > _LIMITS.max_output_bytes:
            raise CommandError(
                f"the worker {order.worker!r} sent more than {_LIMITS.max_output_bytes:,} bytes at once and was killed"
            )
        return await stdout.readexactly(size)
    except asyncio.IncompleteReadError:
        return None
