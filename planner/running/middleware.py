"""What stands between a run and its workers: it may change what tasks are given and what came of them, and is recorded.

Inputs pass the middleware in the order that was declared, outcomes in the opposite one, so the first is the outermost.
"""

import inspect
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from ramify.planner.errors import UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.runtime.border import border
from ramify.planner.runtime.several import several
from ramify.planner.workers import Outcome
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Task
from ramify.tasks.json_data import NotJsonError, as_json, copy_json
from ramify.tasks.json_text import json_text
from ramify.tasks.prompt_variables import input_data


@runtime_checkable
class Middleware(Protocol):
    """Changes inputs and outcomes of tasks; either method may be missing or async.

    It is called for every attempt, also after a crash, so it must return the same for the same task.
    """

    def before(self, task: Task, inputs: dict[str, Any]) -> "dict[str, Any] | Awaitable[dict[str, Any] | None] | None":
        """Return other inputs for `task`; None keeps `inputs`."""
        ...

    def after(self, task: Task, outcome: Outcome) -> "Outcome | str | Awaitable[Outcome | str | None] | None":
        """Return another outcome or text for `task`; None keeps `outcome`."""
        ...


def check_middleware(given: Any) -> tuple[Any, ...]:
    """Return `given`, or raise `UsageError` for one that could change nothing."""
    rows = several(given)
    for each in rows:
        if not callable(getattr(each, "before", None)) and not callable(getattr(each, "after", None)):
            raise UsageError(f"{type(each).__name__} is not a middleware: it has neither before() nor after()")
    return rows


async def change_inputs(middleware: Sequence[Any], task: Task, recorder: Recorder) -> dict[str, Any]:
    """Return the inputs of `task` as all of `middleware` leave them."""
    inputs: dict[str, Any] = input_data(task)
    for each in middleware:
        changed = await _called(each, "before", task, inputs)
        if changed is None or changed == inputs:
            continue
        if not isinstance(changed, dict):
            raise UsageError(f"the middleware {_name(each)} returned {type(changed).__name__} as inputs; return a dict")
        try:
            changed = as_json(changed, "inputs")
        except NotJsonError as error:
            raise UsageError(
                f"the middleware {_name(each)} returned something that cannot be stored: {error}"
            ) from None
        change = {"what": "inputs", "before": json_text(inputs), "after": json_text(changed)}
        recorder.put(EventType.TASK_CHANGED, task, by=_name(each), **change)
        inputs = changed
    return inputs


async def change_outcome(middleware: Sequence[Any], task: Task, outcome: Outcome, recorder: Recorder) -> Outcome:
    """Return what came of `task` as all of `middleware` leave it."""
    for each in reversed(middleware):
        changed = await _called(each, "after", task, outcome)
        if changed is None or changed == outcome:
            continue
        if isinstance(changed, str):
            changed = replace(outcome, text=whole_text(changed))
        if not isinstance(changed, Outcome) or not changed.text.strip():
            raise UsageError(f"the middleware {_name(each)} returned no outcome for task {task.id}; return text")
        change = {"what": "result", "before": outcome.text, "after": whole_text(changed.text)}
        recorder.put(EventType.TASK_CHANGED, task, by=_name(each), **change)
        outcome = changed
    return outcome


async def _called(middleware: Any, method: str, task: Task, value: Any) -> Any:
    function = getattr(middleware, method, None)
    if function is None:
        return None
    own = copy_json(value) if isinstance(value, dict) else replace(value, output=copy_json(value.output))
    with border:
        changed = function(task, own)
        return await changed if inspect.isawaitable(changed) else changed


def _name(middleware: Any) -> str:
    return str(getattr(middleware, "name", None) or type(middleware).__name__)
