"""One call of a tool: found by name, checked, made as a step of the run that is not made again, and told to the model.

Whatever a tool raises becomes an outcome that the model reads. Only one thing does not: that nobody knows whether a
tool has done what may not be repeated. That a person has to say.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ramify.planner.errors import (
    LeaseError,
    LimitError,
    NoModelError,
    StoreError,
    ToolError,
    WaitingError,
)
from ramify.planner.events.events import EventType, ToolUse
from ramify.planner.runtime.border import border, error_text
from ramify.planner.runtime.terminal import one_printable_line
from ramify.planner.store.records import StepKey
from ramify.planner.tools.arguments import read_arguments
from ramify.planner.tools.contents import Call
from ramify.planner.tools.protocol import Tool, near_hint
from ramify.planner.work.context import WorkContext
from ramify.planner.work.keys import Taking
from ramify.planner.work.steps import Step
from ramify.planner.workers.functions import NOTHING
from ramify.prompts.blocks import cut
from ramify.prompts.variables import ToolOutcome
from ramify.prompts.whole_text import whole_text
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text

from .services import services_of

OUTCOME_LIMIT = 20_000
"""The most characters of one outcome that are kept; of a longer one, head and tail."""

_SHOWN = 60
_NOT_FOR_MODELS = (LimitError, WaitingError, NoModelError, StoreError, LeaseError)


class CallContext(WorkContext):
    """The context of one call of a tool: what it does once is told apart from what other calls do once."""

    __slots__ = ("_call",)

    def __init__(self, context: WorkContext, ready: "ReadyCall") -> None:
        services = services_of(context)
        super().__init__(context.task, services, context.inputs)
        self._call = Taking(services.steps.scope, ready.key, ready.arguments)

    def _taken(self) -> Taking:
        return self._call

    def _key(self, name: str) -> StepKey:
        prefix = self._call.key
        return prefix._replace(key=f"{prefix.key}: {super()._key(name).key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCall:
    """A call that can be made.

    Attributes:
        tool: the tool.
        arguments: its arguments, which it takes.
        key: what makes it the same step.
        number: which of the calls of one reply it is, from 1.
        id: what tells it from the other calls of the conversation.
    """

    tool: Tool
    arguments: dict[str, Any]
    key: StepKey
    number: int
    id: str


def read_call(call: Call, tools: Mapping[str, Tool], key: StepKey, number: int) -> ReadyCall | ToolOutcome:
    """Return the call that a model wrote, ready to be made; or why it cannot be made, for the model."""
    tool = tools.get(call.tool)
    if tool is None:
        name = call.tool[:_SHOWN]
        words = f"there is no tool {name!r}; {near_hint(name, tools)}"
        return ToolOutcome(tool=name, number=number, text=words, is_error=True)
    try:
        arguments = read_arguments(call.arguments)
        tool.check(arguments)
    except ToolError as error:
        return ToolOutcome(tool=tool.name, number=number, text=str(error), is_error=True)
    return ReadyCall(tool=tool, arguments=arguments, key=key, number=number, id=call.id)


async def make_call(ready: ReadyCall, context: WorkContext, *, opening: str) -> ToolOutcome:
    """Return what comes of a call: of making it now, or of the time before.

    Args:
        ready: the call.
        context: the task's.
        opening: what tells the conversation that it belongs to from others.

    Raises:
        UnknownStepError: if it may not be repeated, and nobody knows whether it was made.
    """
    services, tool = services_of(context), ready.tool
    given = {"tool": tool.name, "arguments": ready.arguments, "may_repeat": tool.may_repeat, "opening": opening}
    known = services.steps.find(ready.key, given)
    if known is None or known.ended_at is None:
        context.progress(None, f"calling {tool.name}({_shown(ready.arguments)})")
    own = CallContext(context, ready)
    step = Step(
        key=ready.key, given=given, may_repeat=tool.may_repeat, kind="call",
        idempotency_key=None if tool.may_repeat is True else own.idempotency_key,
    )  # fmt: skip
    said = await services.steps.take(context.task, step, lambda: _used(ready, own))
    if known is None or known.ended_at is None:
        services.recorder.put(EventType.STEP_DONE, context.task, step=ready.key.key)
    return ToolOutcome(tool=tool.name, number=ready.number, **said)


async def _used(ready: ReadyCall, context: CallContext) -> dict[str, Any]:
    """Return what comes of a call that is made now, with those looking on who watch tools."""
    recorder, tool = context.services.recorder, ready.tool
    redact = recorder.redactor.data
    use = ToolUse(
        task_id=context.task.id, tool=tool.name, about=tool.description, call_id=ready.id,
        arguments=redact(ready.arguments),
    )  # fmt: skip
    with recorder.bus.using(use) as tell:
        said = await _outcome(ready, context)
        tell(ToolOutcome(tool=tool.name, number=ready.number, **redact(said)))
    return said


async def _outcome(ready: ReadyCall, own: CallContext) -> dict[str, Any]:
    tool = ready.tool
    limit = asyncio.timeout(tool.timeout_s)
    try:
        async with limit:
            with border:
                said = await tool.call(ready.arguments, own)
            return {"text": cut(_text(said), OUTCOME_LIMIT), "is_error": False}
    except asyncio.CancelledError:
        own.cancelled.set()
        raise
    except _NOT_FOR_MODELS:
        raise
    except Exception as error:
        own.cancelled.set()
        failure = error
        if limit.expired():
            words = f"the tool {tool.name} took longer than {tool.timeout_s:g} s; it is unknown whether it was done"
            failure = ToolError(words, is_unknown=True)
        if getattr(failure, "is_unknown", False) and tool.may_repeat is not True:
            raise failure from error
        return {"text": cut(error_text(failure), OUTCOME_LIMIT), "is_error": True}


def _text(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        return whole_text(value)
    try:
        return json_text(as_json(value, "result"))
    except NotJsonError as error:
        raise ToolError(f"the tool returned neither text nor JSON: {error}") from None


def _shown(arguments: dict[str, Any]) -> str:
    words = one_printable_line(
        ", ".join(f"{name}={json_text(each, ensure_ascii=True)}" for name, each in arguments.items())
    )
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
