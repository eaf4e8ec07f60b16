"""The far end of an engine: what calls the function of an order where it is, and what its context is there.

Everything that goes between here and the run is plain data; the near end is `hearing`.
"""

import asyncio
import functools
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from ramify.planner.errors import CommandError, NotDoneError, OutsideError, UsageError, WorkFailedError
from ramify.planner.events.events import EventType
from ramify.planner.runtime.border import border, error_text, origin_of
from ramify.planner.work.context import WorkContext
from ramify.planner.work.memory import TaskMemory
from ramify.planner.work.modules import imported
from ramify.planner.work.protocol import Outcome, Worker
from ramify.planner.work.signatures import Signature, read_signature
from ramify.planner.work.telling import Telling
from ramify.prompts.tracebacks import from_own_code, raised_at
from ramify.tasks.json_data import NotJsonError, as_json, copy_json
from ramify.tasks.tree.fields import MemoryScope

from .protocol import Message, Order

Ask = Callable[[Message], Message]
"""What sends a message to the run, and returns its answer; any thread may call it."""

module_of = functools.cache(imported)
"""Returns the module that an order names; it is imported once in a process."""

_FAILED, _NOT_DONE, _USAGE, _COMMAND, _OUTSIDE = "failed", "not done", "usage", "command", "outside"
_LOOKS_EVERY_S = 0.1


def perform(order: Message, ask: Ask, is_cancelled: Callable[[], bool] = lambda: False) -> Message:
    """Call the function that an order names, and return what came of it, for `value_of`; nothing is raised.

    Args:
        order: an `Order`, as data.
        ask: sends a message to the run, and returns its answer.
        is_cancelled: whether the run wants the function to stop.
    """
    try:
        with border:
            return _called(Order.from_data(order), ask, is_cancelled)
    except Exception as error:  # noqa: BLE001 - it crosses as data
        return {"error": packed(error)}


def value_of(said: Message) -> Any:
    """Return what was given, which `perform` or the run has put into `said`, or raise what was raised."""
    if "error" in said:
        raise unpacked(said["error"])
    if "outcome" not in said:
        return said["value"]
    outcome = said["outcome"]
    return Outcome(outcome["text"], outcome["output"], tuple(outcome["gaps"]))


def packed(error: Exception) -> Message:
    """Return an error as plain data."""
    told: Message
    if isinstance(error, WorkFailedError):
        told = {"task_id": error.task_id, "reason": error.reason, "is_unknown": error.is_unknown}
        return {"kind": _FAILED, "text": str(error), **told}
    if isinstance(error, NotDoneError):
        return {"kind": _NOT_DONE, "text": str(error)}
    if isinstance(error, CommandError):
        told = {"may_pass": error.may_pass, "exit_code": error.exit_code}
        return {"kind": _COMMAND, "text": str(error), "is_unknown": error.is_unknown, **told}
    if isinstance(error, UsageError):
        return {"kind": _USAGE, "text": str(error), "is_unknown": error.is_unknown}
    origin = origin_of(error) or error
    trace = traceback.format_exception(type(origin), origin, from_own_code(origin.__traceback__))
    return {"kind": _OUTSIDE, "text": error_text(error), "where": raised_at(origin), "trace": "".join(trace)}


def unpacked(data: Message) -> Exception:
    """Return the error that `packed` has made data of; one that is not ours comes as an `OutsideError`."""
    if data["kind"] == _FAILED:
        told = {name: data[name] for name in ("task_id", "reason", "is_unknown")}
        return WorkFailedError(data["text"], **told)
    if data["kind"] == _NOT_DONE:
        return NotDoneError(data["text"])
    if data["kind"] in {_USAGE, _COMMAND}:
        told = {name: data[name] for name in ("may_pass", "exit_code")} if data["kind"] == _COMMAND else {}
        found = CommandError(data["text"], **told) if told else UsageError(data["text"])
        found.is_unknown = data["is_unknown"]
        return found
    error = OutsideError(data["text"], where=data["where"])
    error.add_note(data["trace"])
    return error


class _Line:
    """What asks the run, in plain data."""

    def __init__(self, order: Order, ask: Ask) -> None:
        self._order = order
        self._ask = ask

    def ask(self, what: str, /, **more: Any) -> Any:
        """Send a message to the run, and return what it answers.

        Raises:
            UsageError: if it holds what JSON cannot, or the run refuses it.
        """
        try:
            message = {"ask": what, **{name: as_json(value, name) for name, value in more.items()}}
        except NotJsonError as error:
            raise UsageError(f"task {self._order.task_id} reported something that cannot be stored: {error}") from None
        return value_of(self._ask(message))


class FarContext(Telling):
    """What a function is given as its context that works elsewhere: what can be asked for and said in plain data.

    Attributes:
        run_id: the run's id.
        attempt: which attempt at the task this is, from 1.
        inputs: the task's arguments as JSON data.
        config: the limits that hold for the task.
        memory: what is remembered between tasks.
    """

    def __init__(self, order: Order, ask: Ask, is_cancelled: Callable[[], bool]) -> None:
        self._told_at = 0.0
        self._order = order
        self._line = _Line(order, ask)
        self._is_cancelled = is_cancelled
        self.run_id = order.run_id
        self.attempt = order.attempt
        self.inputs: dict[str, Any] = copy_json(order.inputs)
        self.config = order.limits
        self.memory = TaskMemory(_FarMemory(self._line), order.memory_scope)

    @property
    def is_cancelled(self) -> bool:
        """Whether the task should stop; check it in long-running functions."""
        return self._is_cancelled()

    @functools.cached_property
    def results(self) -> dict[str, JsonValue]:
        """Results of the tasks it depends on, by id: data if there is any, else text."""
        found: dict[str, JsonValue] = self._line.ask("results")
        return found

    @functools.cached_property
    def idempotency_key(self) -> str:
        """What names the task to others, so that they do it once: see `WorkContext.idempotency_key`."""
        return str(self._line.ask("idempotency_key"))

    @property
    def storage(self) -> Path:
        """A folder of the task's own, made when it is first asked for; it is where the run is."""
        return Path(self._line.ask("storage"))

    def secret(self, name: str) -> str:
        """Return the value of a granted secret; it is removed from all output.

        Raises:
            UsageError: if it is not granted.
        """
        return str(self._line.ask("secret", name=name))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(WorkContext, name):
            raise AttributeError(f"a context has no {name}")
        there = ", ".join(each for each in dir(self) if not each.startswith("_"))
        raise UsageError(
            f"the worker {self._order.worker!r} uses context.{name}, which works only in the run's own process; remove"
            f" it, or use the engine 'here'; other engines have: {there}"
        )

    def _tell(self, kind: EventType, **data: Any) -> None:
        self._line.ask(kind.value, **data)


class _FarMemory:
    """The memory of a run, from afar."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def get(self, key: str, default: Any, scope: MemoryScope) -> Any:
        found = self._line.ask("recall", key=key, scope=scope)
        return default if found is None else found

    def all(self, scope: MemoryScope) -> dict[str, Any]:
        found: dict[str, Any] = self._line.ask("recall_all", scope=scope)
        return found

    def set(self, key: str, value: Any, scope: MemoryScope) -> None:
        self._line.ask("remember", key=key, value=value, scope=scope)


def _called(order: Order, ask: Ask, is_cancelled: Callable[[], bool]) -> Message:
    """Return what the function gives, written as its signature says, as JSON data."""
    function, signature = _function_of(order.source, order.name, order.worker)
    inputs = None if signature.inputs is None else signature.inputs.model_validate(order.inputs)
    positional, named = signature.arguments(None, FarContext(order, ask, is_cancelled), inputs)
    value = function(*positional, **named)
    if isinstance(value, Awaitable):
        value = asyncio.run(_awaited(value, is_cancelled))
    try:
        value = signature.written(value)
        if not isinstance(value, Outcome):
            return {"value": as_json(value, "result")}
        output = as_json(value.output, "output")
    except NotJsonError as error:
        raise signature.refused(error, worker=order.worker, task_id=order.task_id) from None
    except ValueError as error:
        raise signature.misfit(error, worker=order.worker, task_id=order.task_id) from None
    return {"outcome": {"text": value.text, "output": output, "gaps": list(value.gaps)}}


@functools.cache
def _function_of(source: str, name: str, worker: str) -> tuple[Callable[..., Any], Signature]:
    """Return the function that an order names and how it is called, which is read once in a process."""
    found: Any = module_of(source)
    for each in name.split("."):
        found = getattr(found, each)
    function = getattr(found, "function") if isinstance(found, Worker) else found  # noqa: B009 - any kind of worker
    return function, read_signature(function, f"the worker {worker!r}")


async def _awaited(value: Awaitable[Any], is_cancelled: Callable[[], bool]) -> Any:
    """Return what an awaitable gives; it is cancelled once the run wants it to stop."""
    with border:
        at_work = asyncio.ensure_future(value)
        while not (await asyncio.wait([at_work], timeout=_LOOKS_EVERY_S))[0]:
            if is_cancelled():
                at_work.cancel()
        return at_work.result()
