"""Which functions can be sent to an engine, what an order says of one, and how it is done: it is found by its name."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.work.context import WorkContext
from ramify.planner.work.signatures import TASK, Signature

from .hearing import Hearing
from .protocol import Home, Order
from .run_engines import engines_of
from .table import EngineGiven

_NOT_IMPORTABLE = ("__main__", "ramify_workers_")


def check_sendable(function: Callable[..., Any], signature: Signature, worker: str) -> None:
    """Make sure that a function can be found again elsewhere, and takes only what can be sent there.

    Raises:
        UsageError: if it takes the task, or does not stand at the top of a module that can be imported.
    """
    taken = [parameter.name for parameter, role in signature.roles if role == TASK]
    if taken:
        raise UsageError(
            f"the worker {worker!r} runs in another process, so it cannot take {taken[0]};"
            " take inputs, and `context` for anything else"
        )
    if "<" in getattr(function, "__qualname__", "<") or inspect.ismethod(function):
        raise UsageError(
            f"the worker {worker!r} runs in another process, so it must be a function at the top of a module"
        )
    if not place_of(function)[0]:
        raise UsageError(
            f"the worker {worker!r} runs in another process, which cannot import it because it is in no file;"
            " put it in one"
        )


async def done_on(given: EngineGiven, order: Order, context: WorkContext, call: Callable[[], Any]) -> Any:
    """Return what an engine gives for an order of the task of a context.

    Args:
        given: the engine.
        order: what is to be done there.
        context: hears what the function says, and is cancelled if it is broken off.
        call: calls the function here, for an engine that stays here.

    Raises:
        WorkerLostError: if what called the function is gone.
        EngineError: if the engine cannot be used.
        Exception: whatever the function raised.
    """
    engines, hearing = engines_of(context), Hearing(context)
    try:
        return await engines.do(context.task, engines.of(given), order, Home(hearing, call))
    except BaseException as error:
        context.cancelled.set()
        if hearing.fatal is not None and isinstance(error, Exception):
            raise hearing.fatal from error
        raise


def order_for(
    place: tuple[str, str], worker: str, context: WorkContext, *, inputs: dict[str, Any] | None = None, is_once: bool
) -> Order:
    """Return the order to call the function at `place` for the task of a context, with its inputs or with others."""
    source, name = place
    task = context.task
    return Order(
        run_id=context.run_id,
        task_id=task.id,
        attempt=context.attempt,
        worker=worker,
        source=source,
        name=name,
        inputs=context.inputs if inputs is None else inputs,
        limits=context.config,
        memory_scope=task.memory_scope,
        is_once=is_once,
    )


def place_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Return where a function can be imported from, its module or file, and its name there; "" if it cannot be."""
    module = str(getattr(function, "__module__", ""))
    name = str(getattr(function, "__qualname__", ""))
    if module.startswith(_NOT_IMPORTABLE):
        file = Path(getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", ""))
        module = str(file) if file.suffix == ".py" and file.is_file() else ""
    return module, name
