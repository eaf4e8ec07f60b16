"""Which tool a task's model has to call before it answers: `tool_choice`, as the task says it, or else its agent."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from ramify.planner.errors import UsageError
from ramify.planner.models.protocol import REQUIRED
from ramify.planner.tools.protocol import near_hint
from ramify.planner.work.context import WorkContext
from ramify.tasks import ReplyError, Task, TaskConfig

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent

AUTO, NONE = "auto", "none"


def may_call_tools(task: Task, config: TaskConfig, agent: "Agent") -> bool:
    """Return whether `agent` does `task` with tools.

    Raises:
        UsageError: if a tool has to be called, and there are none.
    """
    choice = _choice(config, agent)
    if choice in {AUTO, NONE} or agent.tools:
        return bool(agent.tools) and choice != NONE
    raise UsageError(
        f"task {task.id}: tool_choice is {choice!r} (--tool-choice), but there are no tools; add --tools FILE"
        " (in Python: tools=[...])"
    )


def required_of(context: WorkContext, agent: "Agent", names: Iterable[str]) -> str | None:
    """Return `REQUIRED`, or the one of the tools `names` that has to be called first; None if none has to be.

    Raises:
        UsageError: if it is none of them.
    """
    choice = _choice(context.config, agent)
    if choice == AUTO:
        return None
    known = sorted(names)
    if choice != REQUIRED and choice not in known:
        hint = near_hint(choice, known)
        there = "" if hint.startswith("there") else f" (there are: {', '.join(known)})"
        words = f"task {context.task.id}: tool_choice is {choice!r}, but its agent has no such tool; {hint}{there}"
        raise UsageError(f"{words}; or use auto, required or none")
    return choice


def refuse_without_call(due: str, text: str) -> NoReturn:
    """Refuse the answer `text`, as the call that is `due` before it was not made.

    Raises:
        ReplyError: always.
    """
    what = "no tool was called" if due == REQUIRED else f"the tool {due} was not called"
    raise ReplyError(f"{what}, but must be before the answer (tool_choice)", reply=text)


def _choice(config: TaskConfig, agent: "Agent") -> str:
    said: str = config.tool_choice or agent.settings.tool_choice
    return said
