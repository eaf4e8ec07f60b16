"""What may stand for an agent: ours, one with CAMEL's `step`, or a plain function from text to text."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from ramify.prompts.rendered import RenderedPrompt
from ramify.prompts.variables import PromptVariables

from .errors import TaskError


@runtime_checkable
class PromptedAgent(Protocol):
    """An agent with prompts of its own that takes a rendered prompt whole, as `ramify.planner.Agent` does."""

    @property
    def prompt_settings(self) -> Mapping[str, Any]:
        """What it puts into the variables of every template."""
        ...

    def render(self, variables: PromptVariables, *, nonce: str) -> RenderedPrompt:
        """Render `variables` with its own library."""
        ...

    def ask(self, prompt: RenderedPrompt) -> str:
        """Return the words of the reply; one that was cut raises TruncatedReplyError."""
        ...


@runtime_checkable
class SteppingAgent(Protocol):
    """An agent with CAMEL's interface: `step(message).msg.content` is the reply."""

    def step(self, message: Any) -> Any:
        """Answer one message."""
        ...


AnyAgent = PromptedAgent | SteppingAgent | Callable[[str], str]


def role_of(agent: AnyAgent) -> str:
    """Return the role that an agent plays, for a prompt's first line."""
    name = getattr(agent, "role_name", None)
    return name if isinstance(name, str) and name.strip() else "assistant"


def ask(agent: AnyAgent, prompt: RenderedPrompt | str) -> str:
    """Put `prompt` to `agent` and return the words of its reply.

    Raises:
        TaskError: if it is no agent, or its answer holds no text.
    """
    if isinstance(prompt, RenderedPrompt) and isinstance(agent, PromptedAgent):
        return agent.ask(prompt)
    text = prompt.text if isinstance(prompt, RenderedPrompt) else prompt
    if isinstance(agent, SteppingAgent):
        response = agent.step(text)
        reply = getattr(getattr(response, "msg", None), "content", None)
    elif callable(agent):
        reply = agent(text)
    else:
        raise TaskError(f"{type(agent).__name__} is not an agent: it has no step(message) and is not callable")
    if not isinstance(reply, str):
        raise TaskError(f"the agent {type(agent).__name__} answered with {type(reply).__name__}, not with text")
    return reply
