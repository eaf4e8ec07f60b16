"""A Python function in a process of its own: what it takes is limited, and what it breaks is its own.

The child imports the module of the function again, calls it with the inputs, and writes its value as JSON. What the
function prints goes to standard error, whose end is shown if it fails.
"""

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Awaitable
from typing import Any

from ramify.planner.errors import CommandError, UsageError
from ramify.planner.processes import CommandLimits, run_command
from ramify.planner.runtime.border import border
from ramify.planner.work.context import WorkContext
from ramify.planner.work.inputs import read_inputs
from ramify.planner.work.protocol import Outcome
from ramify.planner.work.signatures import INPUT, REST, read_signature
from ramify.planner.work.sources import imported
from ramify.tasks import Task
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text

from .functions import Function, FunctionWorker

_INSIDE = "RAMIFY_ISOLATED"
_NOT_IMPORTABLE = ("__main__", "ramify_workers_")


class IsolatedWorker(FunctionWorker):
    """Does tasks with a Python function in a process of its own; the arguments are those of `FunctionWorker`.

    The function takes inputs alone, no task and no context, and stands at the top of its module, which is imported
    again in the child: a script has to keep what it runs below `if __name__ == "__main__":`.

    Raises:
        UsageError: if the function takes something else, or stands inside another function.
    """

    def __init__(self, function: Function, **options: Any) -> None:
        super().__init__(function, **options)
        self.keeps |= {"max_memory_mb"}
        others = [parameter.name for parameter, role in self._signature.roles if role not in {INPUT, REST}]
        if others:
            raise UsageError(f"the worker {self.name!r} is isolated, and takes {others[0]}: it can take inputs alone")
        if "<" in getattr(function, "__qualname__", "<"):
            raise UsageError(f"the worker {self.name!r} is isolated, so it has to stand at the top of a module")

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Call the function in a process of its own.

        Raises:
            CommandError: if it failed, or took too much.
            UsageError: if its module runs it as it is imported.
        """
        if _INSIDE in os.environ:
            raise UsageError(
                f"the module of the isolated worker {self.name!r} runs tasks as it is imported; keep that below `if"
                ' __name__ == "__main__":`'
            )
        model = self.inputs
        inputs = None if model is None else read_inputs(model, context.inputs, task, worker=self.name)
        given = {} if inputs is None else inputs.model_dump(mode="json")
        done = await run_command(
            [sys.executable, "-m", __name__],
            cwd=context.storage,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), _INSIDE: "1"},
            stdin=json_text(
                {"source": _source_of(self.function), "name": self.function.__qualname__, "inputs": given},
                allow_nan=True,
            ).encode(),
            limits=CommandLimits(max_memory_mb=context.config.max_memory_mb),
        )
        if done.exit_code:
            raise CommandError(
                f"the worker {self.name!r} ended with exit code {done.exit_code}:\n{done.error_tail}",
                may_pass=True,
                exit_code=done.exit_code,
            )
        if not done.stdout:
            raise CommandError(f"the worker {self.name!r} ended its process before it returned a value")
        said = json.loads(done.stdout)
        if "fault" in said:
            raise UsageError(f"the worker {self.name!r} gave for task {task.id} what cannot be kept: {said['fault']}")
        return self._outcome(said["value"], task)


def _source_of(function: Function) -> str:
    """Return where a function can be imported from: its module, or the file of one that has no name of its own."""
    module = str(function.__module__)
    return inspect.getfile(function) if module.startswith(_NOT_IMPORTABLE) else module


def _call(order: dict[str, Any]) -> str:
    """Return the value of the function that an order names, as JSON."""
    found: Any = imported(order["source"])
    for name in order["name"].split("."):
        found = getattr(found, name)
    function = found.function if isinstance(found, FunctionWorker) else found
    signature = read_signature(function, f"the worker {order['name']!r}")
    inputs = None if signature.inputs is None else signature.inputs.model_validate(order["inputs"])
    with border:
        value = function(**({} if inputs is None else dict(inputs)))
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
    try:
        return json_text({"value": as_json(signature.written(value), "result")})
    except NotJsonError as error:
        return json_text({"fault": str(error)})


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def main() -> None:
    """Do what the order on standard input says."""
    order = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    os.dup2(2, 1)  # what the function prints is not its value
    words = _call(order)
    with os.fdopen(answer, "wb") as pipe:
        pipe.write(words.encode())


if __name__ == "__main__":
    main()
