"""A reply that is nothing but a call of an offered tool, as JSON, is that call; anything else stays an answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, Run
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.events.events import Event
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task
from ramify.tasks.replies.json_calls import calls_written_as_json

from .openai_server import Answer, Chat, OpenAIServer

pytestmark = pytest.mark.fault("3.15")

CALL = '{"name": "add", "arguments": {"a": 2, "b": 3}}'
OTHER = '{"name": "look", "arguments": {}}'
TOOLS = {"add", "look"}


@pytest.mark.parametrize(
    "reply",
    [
        CALL,
        f"\n  {CALL}\n",
        f"```json\n{CALL}\n```",
        f"```\n{CALL}\n```",
        f"<tool_call>\n{CALL}\n</tool_call>",
        f"<tools>{CALL}</tools>",
        f"```xml\n<tool_call>{CALL}</tool_call>\n```",
        '{"name": "add", "parameters": {"a": 2, "b": 3}}',
        '{"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 3}}}',
        '{"id": "1", "name": "add", "arguments": "{\\"a\\": 2, \\"b\\": 3}"}',
        f"[{CALL}]",
    ],
)
def test_a_call_is_read_in_each_of_its_forms(reply: str) -> None:
    (call,) = calls_written_as_json(reply, TOOLS)
    assert (call.tool, json.loads(call.arguments)) == ("add", {"a": 2, "b": 3})


@pytest.mark.parametrize(
    "reply",
    [
        f"{CALL}\n{OTHER}",
        f"[{CALL}, {OTHER}]",
        f"<tool_call>{CALL}</tool_call>\n<tool_call>{OTHER}</tool_call>",
        f"```json\n{CALL}\n```\n```json\n{OTHER}\n```",
    ],
)
def test_several_calls_are_read_in_order(reply: str) -> None:
    assert [call.tool for call in calls_written_as_json(reply, TOOLS)] == ["add", "look"]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "5",
        "{}",
        "[]",
        '{"name": "Ada", "arguments": {}}',
        '{"name": "add"}',
        '{"name": "add", "arguments": {}, "why": "to know"}',
        '{"name": "add", "arguments": [2, 3]}',
        '{"name": ["add"], "arguments": {}}',
        f"I call it now: {CALL}",
        f"{CALL} gives 5",
        f"<tool_call>{CALL}",
        f"```json\n{CALL}",
        f"[{CALL}, 5]",
        "<result>5</result>",
        "{" * 100_000,
        "[" * 100_000,
    ],
)
def test_anything_else_is_no_call(reply: str) -> None:
    assert calls_written_as_json(reply, TOOLS) == ()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize("native", [True, False])
def test_the_tool_is_called_and_its_outcome_told(tmp_path: Path, *, native: bool) -> None:
    model = ScriptedModel([CALL, "<result>five</result>"], calls_tools=native)
    run = Executor(Agent(model, tools=[add]), store=tmp_path / "runs.db").run(Task(content="Add.", id="0"))
    assert (run.result, len(model.requests)) == ("five", 2)
    told: dict[str, Any] = dict(model.requests[1].messages[-1])
    assert (told["role"], "\n5\n" in told["content"]) == ("tool" if native else "user", True)


def solved(tmp_path: Path, server: OpenAIServer, events: list[Event]) -> Run:
    agent = Agent("m", base_url=server.base_url, tools=[add], settings=AgentSettings(native_tools=True))
    return Executor(agent, store=tmp_path / "runs.db", on_event=events.append).run(Task(content="Add.", id="0"))


@pytest.mark.parametrize("supports", [True, False, None])
def test_tools_are_not_sent_to_a_server_that_says_it_drops_them(tmp_path: Path, *, supports: bool | None) -> None:
    def answer(chat: Chat) -> Answer:
        return Answer("<result>five</result>" if chat.number > 1 else CALL)

    events: list[Event] = []
    with OpenAIServer(answer) as server:
        server.props = None if supports is None else {"chat_template_caps": {"supports_tools": supports}}
        run = solved(tmp_path, server, events)
    is_native = supports is not False
    assert run.result == "five"
    assert ["tools" in chat.body for chat in server.chats] == [is_native] * 2
    warnings = [str(event.data["message"]) for event in events if event.type == "warning"]
    assert len(warnings) == (not is_native)
    assert all("cannot use --native-tools" in each for each in warnings)
