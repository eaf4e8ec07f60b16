"""Which functions can be sent to an engine, and what the order says of one: it is found again by its name."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.work.context import WorkContext
from ramify.planner.work.signatures import TASK, Signature

from .protocol import Order

_NOT_IMPORTABLE = ("__main__", "ramify_workers_")


def check_sendable(function: Callable[..., Any], signature: Signature, worker: str) -> None:
    """Make sure that a function can be found again elsewhere, and takes only what can be sent there.

    Raises:
        UsageError: if it takes the task, or does not stand at the top of a module that can be imported.
    """
    taken = [parameter.name for parameter, role in signature.roles if role == TASK]
    if taken:
        raise UsageError(
            f"the worker {worker!r} is called in another process, and takes {taken[0]}: a task cannot be sent there;"
            " take inputs, and `context` for what else it needs"
        )
    if "<" in getattr(function, "__qualname__", "<") or inspect.ismethod(function):
        raise UsageError(
            f"the worker {worker!r} is called in another process, so it has to be a function at the top of a module"
        )
    if not place_of(function)[0]:
        raise UsageError(
            f"the worker {worker!r} is called in another process, which cannot import it, as it stands in no file;"
            " put it into one"
        )


def order_for(place: tuple[str, str], worker: str, context: WorkContext) -> Order:
    """Return the order to call the function at `place` for the task of a context."""
    source, name = place
    task = context.task
    return Order(
        run_id=context.run_id,
        task_id=task.id,
        attempt=context.attempt,
        worker=worker,
        source=source,
        name=name,
        inputs=context.inputs,
        limits=context.config,
        memory_scope=task.memory_scope,
    )


def place_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Return where a function can be imported from, its module or file, and its name there; "" if it cannot be."""
    module = str(getattr(function, "__module__", ""))
    name = str(getattr(function, "__qualname__", ""))
    if module.startswith(_NOT_IMPORTABLE):
        file = Path(getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", ""))
        module = str(file) if file.suffix == ".py" and file.is_file() else ""
    return module, name
