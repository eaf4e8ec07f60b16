"""What a template becomes: messages in the form of the chat APIs, with the name and hash of what made them."""

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from .variables import PromptVariables


class Message(TypedDict):
    """One message of a chat: who speaks (`system`, `user`, `assistant`, `tool`), and what is said.

    An assistant's message may hold `tool_calls`, in the chat APIs' form; a tool's says to which of them it belongs.
    """

    role: str
    content: str
    tool_calls: NotRequired[list[dict[str, Any]]]
    tool_call_id: NotRequired[str]


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt that is ready to be sent.

    Attributes:
        name: the template's name, which is the purpose of the call too.
        messages: the system message, then the user's.
        variables: what it was rendered from.
        version: the template's version.
        sha256: the hash of the template's source.
        nonce: what delimits the data in its messages; empty where there is none.
        data_shown: how many characters of supporting data it shows.
        data_given: how many it would show with a budget that is large enough.
    """

    name: str
    messages: tuple[Message, ...]
    variables: PromptVariables
    version: str
    sha256: str
    nonce: str = ""
    data_shown: int = 0
    data_given: int = 0

    @property
    def text(self) -> str:
        """All messages as one text, for an agent that takes one."""
        return "\n\n".join(message["content"] for message in self.messages)
