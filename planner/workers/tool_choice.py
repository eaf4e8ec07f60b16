"""Which tool a task's model has to call before it answers: `tool_choice`, as the task says it, or else its agent."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from ramify.planner.errors import UsageError
from ramify.planner.models.protocol import REQUIRED
from ramify.planner.tools.protocol import near_hint
from ramify.planner.work.context import WorkContext
from ramify.tasks import ReplyError

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent

AUTO, NONE = "auto", "none"


def may_call_tools(context: WorkContext, agent: "Agent") -> bool:
    """Return whether the task is done with tools.

    Raises:
        UsageError: if a tool has to be called, and there are none.
    """
    choice = _choice(context, agent)
    if choice not in {AUTO, NONE} and not agent.tools:
        raise UsageError(f"task {context.task.id}: tool_choice is {choice!r}, and its agent has no tools; give it some")
    return bool(agent.tools) and choice != NONE


def required_of(context: WorkContext, agent: "Agent", names: Iterable[str]) -> str | None:
    """Return `REQUIRED`, or the one of the tools `names` that has to be called first; None if none has to be.

    Raises:
        UsageError: if it is none of them.
    """
    choice = _choice(context, agent)
    if choice == AUTO:
        return None
    known = sorted(names)
    if choice != REQUIRED and choice not in known:
        hint = near_hint(choice, known)
        there = "" if hint.startswith("there") else f" (there are: {', '.join(known)})"
        words = f"task {context.task.id}: tool_choice is {choice!r}, which is no tool of its agent; {hint}{there}"
        raise UsageError(f"{words}; auto, required and none are choices too")
    return choice


def refuse_without_call(due: str, text: str) -> NoReturn:
    """Refuse the answer `text`, as the call that is `due` before it was not made.

    Raises:
        ReplyError: always.
    """
    what = "no tool was called" if due == REQUIRED else f"the tool {due} was not called"
    raise ReplyError(f"{what}, and has to be before the answer (tool_choice)", reply=text)


def _choice(context: WorkContext, agent: "Agent") -> str:
    said: str = context.config.tool_choice or agent.settings.tool_choice
    return said
