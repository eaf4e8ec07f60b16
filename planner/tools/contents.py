"""What a conversation with tools holds: contents in order, each of a kind, and the messages that tell a model of them.

A content is added only where the table of transitions lets it follow. The messages are made anew for every turn, so
that all data in them stands in blocks with one delimiter, which occurs in none of the data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ramify.planner.models.protocol import REQUIRED, ModelRequest
from ramify.prompts import Prompt, PromptLibrary
from ramify.prompts.blocks import cut, share, texts_of
from ramify.prompts.rendered import Message
from ramify.prompts.variables import PromptVariables, ToolCard, ToolOutcome, ToolsVariables
from ramify.tasks.json_text import json_text
from ramify.tasks.replies.answers import Answer

from .arguments import is_blank, is_json_object
from .protocol import Tool
from .transitions import End, Kind, When, check_follow_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a tool that a model wants made.

    Attributes:
        id: tells it from all others of the conversation.
        tool: the tool's name, as the model wrote it.
        arguments: the arguments, as the model wrote them.
    """

    id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One content of a conversation.

    Attributes:
        kind: what it is.
        text: the words of a message, or what is wrong.
        calls: the calls, if it is some.
        outcomes: what came of calls, in their order.
        answer: the answer that an assistant's message holds.
        finish_reason: why the model stopped, if it is a model's.
        error: what is raised if it is an error that nobody mends.
        is_last: whether the reply to it has to be an answer.
    """

    kind: Kind
    text: str = ""
    calls: tuple[Call, ...] = ()
    outcomes: tuple[ToolOutcome, ...] = ()
    answer: Answer | None = None
    finish_reason: str = "stop"
    error: Exception | None = None
    is_last: bool = False


class Conversation:
    """The contents so far.

    Args:
        holds: the conditions that hold for the whole conversation.
    """

    def __init__(self, *holds: When) -> None:
        self.contents: list[Content] = []
        self._holds = frozenset(holds)

    @property
    def last(self) -> Content:
        """The last content."""
        return self.contents[-1]

    def add(self, content: Content, *holds: When) -> None:
        """Add a content; `holds` are conditions that hold for it besides those of the conversation.

        Raises:
            FollowUpError: if it cannot follow; nothing is added.
        """
        self._check(content.kind, holds)
        self.contents.append(content)

    def end(self, event: End, *holds: When) -> None:
        """Make sure that the conversation may end so.

        Raises:
            FollowUpError: if it may not.
        """
        self._check(event, holds)

    def _check(self, new: Kind | End, holds: Sequence[When]) -> None:
        check_follow_up(self.last.kind if self.contents else None, new, self._holds.union(holds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How the contents of a conversation are put to a model.

    Attributes:
        prompts: the templates.
        opening: what the first prompt is made from.
        tools: the tools.
        is_native: whether the model calls tools by itself.
        required: `REQUIRED`, or the tool that has to be called before the answer; None if none has to be.
    """

    prompts: PromptLibrary
    opening: PromptVariables
    tools: tuple[Tool, ...]
    is_native: bool
    required: str | None = None

    def texts(self, contents: Sequence[Content]) -> list[str]:
        """Return all data that the messages will hold, for `make_nonce`."""
        said = [outcome.text for each in contents for outcome in each.outcomes]
        return [*texts_of(self.opening), *texts_of(self._variables()), *said, *(each.text for each in contents)]

    def fill(self, request: ModelRequest, contents: Sequence[Content], *, nonce: str, budget: int) -> ModelRequest:
        """Return `request`, which is that of the first prompt, with all messages and the tools.

        Args:
            request: what the first prompt has become.
            contents: the conversation.
            nonce: what delimits data.
            budget: the most characters of outcomes over the whole conversation; long ones lose their middle.
        """
        prompt = self.prompts.get(ToolsVariables.template)
        section = prompt.render(self._variables(), nonce=nonce).messages
        first = [
            Message(role=one["role"], content=f"{one['content']}\n\n{other['content']}".strip())
            for one, other in zip(request.messages, section, strict=True)
        ]
        outcomes = [len(outcome.text) for each in contents for outcome in each.outcomes]
        limit = share(outcomes, budget)
        return replace(
            request,
            data_shown=request.data_shown + sum(min(length, limit) for length in outcomes),
            data_given=request.data_given + sum(outcomes),
            messages=(*first, *self._following(prompt, contents, nonce, limit)),
            prompt_version=f"{request.prompt_version}, tools {prompt.version}",
            tools=tuple(map(_on_the_wire, self.tools)) if self.is_native else (),
        )

    def _following(self, prompt: Prompt, contents: Sequence[Content], nonce: str, limit: int) -> Iterator[Message]:
        asked: tuple[Call, ...] = ()
        for content in contents:
            if content.kind is Kind.TOOL_CALL:
                asked = content.calls
            if content.kind is Kind.TOOL_CALL and self.is_native:
                yield Message(role="assistant", content=content.text, tool_calls=list(map(_call_on_the_wire, asked)))
            elif content.kind is Kind.STRUCTURED_MESSAGE or (self.is_native and content.kind is Kind.ASSISTANT_MESSAGE):
                yield Message(role="assistant", content=content.text or "(empty)")
            elif content.kind is Kind.TOOL_RESULT:
                outcomes = tuple(each.model_copy(update={"text": cut(each.text, limit)}) for each in content.outcomes)
                yield from self._told(prompt, asked, outcomes, nonce, is_last=content.is_last)
            elif content.kind is Kind.SYSTEM_MESSAGE:
                told = self._variables(complaint=content.text, is_last=content.is_last)
                yield Message(role="user", content=prompt.render_part("error", told, nonce=nonce))

    def _told(
        self, prompt: Prompt, calls: Sequence[Call], outcomes: Sequence[ToolOutcome], nonce: str, *, is_last: bool
    ) -> Iterator[Message]:
        """Yield the messages that tell what came of calls: one in all, or one for each if the model calls by itself."""
        if not self.is_native:
            told = self._variables(outcomes=outcomes, is_last=is_last)
            yield Message(role="user", content=prompt.render_part("outcomes", told, nonce=nonce))
            return
        for call, outcome in zip(calls, outcomes, strict=True):
            told = self._variables(outcomes=(outcome,), is_last=is_last and outcome is outcomes[-1])
            content = prompt.render_part("outcomes", told, nonce=nonce)
            yield Message(role="tool", content=content, tool_call_id=call.id)

    def _variables(self, **more: Any) -> ToolsVariables:
        cards = tuple(
            ToolCard(name=each.name, description=_about(each), parameters=json_text(dict(each.parameters)))
            for each in self.tools
        )
        return ToolsVariables(
            task_id=self.opening.task_id,
            tools=cards,
            is_native=self.is_native,
            required={None: None, REQUIRED: "a tool"}.get(self.required, f"`{self.required}`"),
            examples=self.opening.examples,
            **more,
        )


def _about(tool: Tool) -> str:
    return tool.description.strip() or "(not described)"


def _on_the_wire(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": _about(tool), "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _call_on_the_wire(call: Call) -> dict[str, Any]:
    """Return a call in the chat APIs' form; providers read arguments, so what is no JSON is sent as one text."""
    arguments = call.arguments
    if is_blank(arguments):
        arguments = "{}"
    elif not is_json_object(arguments):
        arguments = json_text({"unreadable": arguments})
    return {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}}
