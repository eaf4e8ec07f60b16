"""What spans say, by the OpenTelemetry conventions for generative AI, and which of it holds words.

Source: open-telemetry/semantic-conventions-genai, v0.1.0 and what has come since: "invoke_agent" (a workflow is one
too), "plan", "execute_tool", "client inference" and the schemas of messages. Names of our own begin with `ramify.`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ramify.planner.events.events import Event, ToolUse
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.prompts.rendered import Message
from ramify.prompts.variables import ToolOutcome
from ramify.tasks import Task
from ramify.tasks.json_text import json_text, read_json

from .providers import provider_of

Attributes = dict[str, Any]

WORKFLOW, PLAN, AGENT, TOOL, CHAT = "invoke_workflow", "plan", "invoke_agent", "execute_tool", "chat"
"""The operations, which span names begin with."""

RAMIFY = "ramify"
"""The name of the workflow that runs are of, and of the agent that plans."""

_KINDS = {WORKFLOW: "CHAIN", PLAN: "CHAIN"}
"""The `openinference.span.kind` of operations that Phoenix 20.26 and MLflow 3.17 make nothing of; all other follow."""

_JSON = "application/json"
"""Of `input.value` and `output.value`: Phoenix shows these in its tables, and makes none of messages."""

INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"

_SAMPLING = {"max_output_tokens": "max_tokens", "stop": "stop_sequences"}
_SENT = ("temperature", "top_p", "max_output_tokens", "seed", "stop")
_PLAIN = (str, bool, int, float)
_WORDS = frozenset({"error", "message", "data", "why"})
"""What of an event's data may hold words of tasks and replies."""


def agent_of(task: Task) -> str:
    """Return who does a task, by the name that its span has."""
    return task.type or "model"


def of_operation(name: str, run_id: str, agent: str | None = None) -> Attributes:
    """Return what every span says: what is done in it, for which run, and by whom if that is to be said."""
    return {
        "gen_ai.operation.name": name,
        "gen_ai.conversation.id": run_id,
        "ramify.run.id": run_id,
        **({} if agent is None else {"gen_ai.agent.name": agent}),
        **({"openinference.span.kind": _KINDS[name]} if name in _KINDS else {}),
    }


def of_task(task: Task, run_id: str) -> Attributes:
    """Return what the span of a task says when it begins."""
    return {
        **of_operation(AGENT, run_id, agent_of(task)),
        "ramify.task.id": task.id,
        "ramify.task.type": agent_of(task),
    }


def of_use(use: ToolUse, run_id: str) -> Attributes:
    """Return what the span of a call of a tool says when it begins."""
    return {
        **of_operation(TOOL, run_id),
        "gen_ai.tool.name": use.tool,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": use.call_id,
        "ramify.task.id": use.task_id,
        **({"gen_ai.tool.description": use.about} if use.about else {}),
    }


def of_call(model: Model, request: ModelRequest, run_id: str) -> Attributes:
    """Return what the span of a call says when it begins."""
    given = request.sampling.given()
    return {
        **of_operation(CHAT, run_id),
        "gen_ai.provider.name": provider_of(model),
        "gen_ai.request.model": model.name,
        **{f"gen_ai.request.{_SAMPLING.get(name, name)}": given[name] for name in _SENT if name in given},
        "gen_ai.prompt.name": request.purpose,
        "gen_ai.prompt.version": request.prompt_version,
        "ramify.task.id": request.task_id,
        "ramify.call.attempt": request.attempt,
    }


def of_reply(reply: ModelReply) -> Attributes:
    """Return what is known of a call once its reply is there."""
    cost = {} if reply.cost_usd is None else {"ramify.call.cost_usd": reply.cost_usd}
    return {
        "gen_ai.response.model": reply.model,
        "gen_ai.response.finish_reasons": [reply.finish_reason],
        "gen_ai.usage.input_tokens": reply.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": reply.cached_tokens,
        "gen_ai.usage.output_tokens": reply.output_tokens,
        **cost,
    }


def of_event(event: Event, *, content: bool) -> Attributes:
    """Return what an event says that is noted in a span; words of tasks and replies only as `content`."""
    data: Attributes = {} if event.task_id is None else {"ramify.task.id": event.task_id}
    for name, value in event.data.items():
        if content or name not in _WORDS:
            data[f"ramify.{name}"] = value if isinstance(value, _PLAIN) else json_text(value)
    return data


def words_in(text: str) -> Attributes:
    """Return what somebody was given, as words of a user."""
    return {INPUT: json_text([_message("user", text)]), "input.value": text}


def words_out(text: str) -> Attributes:
    """Return what came of it, as words of an assistant."""
    return {OUTPUT: json_text([{**_message("assistant", text), "finish_reason": "stop"}]), "output.value": text}


def plan_out(subtasks: Iterable[Task]) -> Attributes:
    """Return what came of planning: the subtasks, a line for each."""
    return words_out("\n".join(f"{task.id}: {task.content}" for task in subtasks))


def words_of_call(request: ModelRequest) -> Attributes:
    """Return the messages of a call, and the tools that the model may call."""
    messages: Attributes = {INPUT: json_text(list(map(_message_of, request.messages)))}
    return messages | (
        {"gen_ai.tool.definitions": json_text([_flat(tool) for tool in request.tools])} if request.tools else {}
    )


def words_of_reply(reply: ModelReply) -> Attributes:
    """Return the words of a reply, and the tools that it calls."""
    wishes = [_wish(call.id, call.name, call.arguments) for call in reply.tool_calls]
    said = {**_message("assistant", reply.text, *wishes), "finish_reason": reply.finish_reason}
    words = json_text([said])
    return {OUTPUT: words, "output.value": words, "output.mime_type": _JSON}


def words_of_use(use: ToolUse) -> Attributes:
    """Return the arguments of a call of a tool."""
    words = json_text(use.arguments)
    return {"gen_ai.tool.call.arguments": words, "input.value": words, "input.mime_type": _JSON}


def words_of_outcome(outcome: ToolOutcome) -> Attributes:
    """Return what came of a call of a tool."""
    return {"gen_ai.tool.call.result": outcome.text}


def _message(role: str, text: str, *parts: dict[str, Any]) -> dict[str, Any]:
    words = [{"type": "text", "content": text}] if text or not parts else []
    return {"role": role, "parts": [*words, *parts]}


def _message_of(message: Message) -> dict[str, Any]:
    """Return a message as the conventions write it, with the tools that are called in it or have answered."""
    if "tool_call_id" in message:
        part = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
        return _message(message["role"], "", part)
    calls = [(each["id"], each["function"]) for each in message.get("tool_calls", ())]
    wishes = [_wish(call_id, called["name"], called["arguments"]) for call_id, called in calls]
    return _message(message["role"], message["content"], *wishes)


def _wish(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": _read(arguments)}


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of a tool as the conventions write it: what is below `function` stands beside the type."""
    return {"type": tool.get("type", "function"), **tool.get("function", {})}


def _read(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text
