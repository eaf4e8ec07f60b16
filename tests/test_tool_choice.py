"""A task or its agent can require that a tool is called before the answer; what is sent for that, and what is not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ramify.planner import Agent, Executor, Run, solve
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.asking.stored_agent import StoredAgent
from ramify.planner.errors import UsageError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.protocol import Model
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers.agents import agents_of, read_agents
from ramify.planner.workers.conversation import MOST_REPAIRS
from ramify.tasks import Task, TaskConfig

from .openai_server import Answer, Chat, Fault, OpenAIServer
from .ramify_command import Ramify

if TYPE_CHECKING:
    from ramify.planner.events.events import Event


def price(product: str) -> str:
    """Tell what a product costs."""
    return f"{product} costs 3 euros"


def order(product: str) -> str:
    """Order a product."""
    return f"{product} is ordered"


CALL = '<call tool="price">{"product": "tea"}</call>'
OTHER_CALL = '<call tool="order">{"product": "tea"}</call>'
ANSWER = "<result>three euros</result>"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def run_of(store: Path, model: Model, choice: str, *, by: str = "agent", tools: Any = (price, order)) -> Run:
    settings = AgentSettings(tool_choice=choice) if by == "agent" else AgentSettings()
    config = TaskConfig(max_retries=0, tool_choice=None if by == "agent" else choice)
    agent = Agent(model, tools=tools, settings=settings)
    return Executor(agent, store=store).run(Task(content="Buy tea.", id="0", config=config))


def asked(model: ScriptedModel, number: int) -> str:
    return str(model.requests[number].messages[-1]["content"])


@pytest.mark.parametrize("by", ["agent", "task"])
@pytest.mark.parametrize(("choice", "words"), [("required", "a tool"), ("price", "`price`")])
def test_the_prompt_says_which_tool_has_to_be_called(store: Path, by: str, choice: str, words: str) -> None:
    model = ScriptedModel([CALL, ANSWER])
    assert run_of(store, model, choice, by=by).result == "three euros"
    assert f"Have {words} called first" in asked(model, 0)


@pytest.mark.parametrize("choice", ["required", "price"])
def test_an_answer_without_the_call_is_put_back(store: Path, choice: str) -> None:
    model = ScriptedModel([ANSWER, CALL, ANSWER])
    assert run_of(store, model, choice).result == "three euros"
    assert "called, but must be before the answer (tool_choice)" in asked(model, 1)


def test_a_call_of_another_tool_is_made_and_is_not_the_one(store: Path) -> None:
    model = ScriptedModel([OTHER_CALL, ANSWER, CALL, ANSWER])
    assert run_of(store, model, "price").result == "three euros"
    assert "tea is ordered" in asked(model, 1)
    assert "the tool price was not called" in asked(model, 2)


def test_a_call_that_cannot_be_made_is_none(store: Path) -> None:
    model = ScriptedModel(['<call tool="price">{"produkt": "tea"}</call>', ANSWER, CALL, ANSWER])
    assert run_of(store, model, "required").result == "three euros"
    assert "no tool was called" in asked(model, 2)


def test_a_model_that_never_calls_it_fails_the_task_in_clear_words(store: Path) -> None:
    model = ScriptedModel([ANSWER] * (MOST_REPAIRS + 1))
    run = run_of(store, model, "price")
    assert run.status == "failed"
    assert "the tool price was not called, but must be before the answer (tool_choice)" in (run.error or "")


def test_a_model_may_still_say_that_it_cannot_do_the_task(store: Path) -> None:
    run = run_of(store, ScriptedModel(['<failed reason="missing_input">no product</failed>']), "price")
    assert "no product" in (run.error or "")


def test_with_none_the_tools_are_not_offered(store: Path) -> None:
    model = ScriptedModel([ANSWER], calls_tools=True)
    assert run_of(store, model, "none").result == "three euros"
    assert model.requests[0].tools == ()


def test_the_task_has_the_last_word(store: Path) -> None:
    model = ScriptedModel([ANSWER])
    agent = Agent(model, tools=[price], settings=AgentSettings(tool_choice="price"))
    task = Task(content="Buy tea.", id="0", config=TaskConfig(tool_choice="auto"))
    assert Executor(agent, store=store).run(task).result == "three euros"


@pytest.mark.parametrize(
    ("choice", "tools", "words"),
    [
        (
            "prise",
            [price, order],
            "task 0: tool_choice is 'prise', but its agent has no such tool; did you mean 'price'?",
        ),
        ("prise", [price, order], "(there are: order, price)"),
        ("weather", [price, order], "there are: order, price"),
        ("weather", [price], "or use auto, required or none"),
    ],
)
def test_a_choice_that_is_no_tool_of_the_task_is_refused(store: Path, choice: str, tools: Any, words: str) -> None:
    model = ScriptedModel([])
    run = run_of(store, model, choice, tools=tools)
    assert words in (run.error or "")
    assert model.requests == []


@pytest.mark.parametrize("by", ["agent", "task"])
@pytest.mark.parametrize("choice", ["price", "required"])
def test_a_choice_without_any_tools_is_refused_before_the_first_call(store: Path, by: str, choice: str) -> None:
    model = ScriptedModel([])
    words = rf"task 0: tool_choice is '{choice}' \(--tool-choice\), but there are no tools; add --tools FILE"
    with pytest.raises(UsageError, match=words):
        run_of(store, model, choice, by=by, tools=())
    assert model.requests == []


def test_the_command_line_refuses_a_choice_without_tools(ramify: Ramify) -> None:
    done = ramify("solve", "2 * 3", "--model", "rules", "--tool-choice", "required")
    assert (done.code, "there are no tools; add --tools FILE" in done.err) == (2, True)
    assert ramify("runs").out.count("2 * 3") == 0


def test_solve_takes_it(store: Path) -> None:
    model = ScriptedModel([ANSWER, CALL, ANSWER])
    run = solve("Buy tea.", model=model, tools=[price], tool_choice="price", max_depth=1, store=store)
    assert (run.result, len(model.requests)) == ("three euros", 3)


def test_what_is_stored_of_an_agent_and_what_a_file_says_of_one_have_it(store: Path) -> None:
    agent = Agent("rules", settings=AgentSettings(tool_choice="price"))
    assert StoredAgent.of(agent).make(store=store).settings.tool_choice == "price"
    described = read_agents({"buyer": {"tool_choice": "required"}, "critic": {}}, source="team.toml")
    team = agents_of(described, {}, agent)
    assert [team[name].settings.tool_choice for name in ("buyer", "critic")] == ["required", "auto"]


@pytest.fixture(params=[DirectModel, LiteLLMModel])
def way(request: pytest.FixtureRequest) -> type[DirectModel | LiteLLMModel]:
    found: type[DirectModel | LiteLLMModel] = request.param
    return found


def calls_once(chat: Chat) -> Answer:
    if any(each["role"] == "tool" for each in chat.body["messages"]):
        return Answer("<result>three euros</result>")
    return Answer(tool_calls=(("price", {"product": "tea"}),))


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(calls_once) as running:
        yield running


def run_at(
    server: OpenAIServer, way: Callable[..., Model], store: Path, choice: str, *, tools: Any = (price, order)
) -> tuple[Run, list[str]]:
    events: list[Event] = []
    settings = AgentSettings(tool_choice=choice, native_tools=True)
    agent = Agent(way("m", base_url=server.base_url), tools=tools, settings=settings)
    task = Task(content="Buy tea.", id="0", config=TaskConfig(max_retries=0))
    run = Executor(agent, store=store, on_event=events.append).run(task)
    return run, [str(event.data["message"]) for event in events if event.type == "warning"]


BY_NAME = {"type": "function", "function": {"name": "price"}}


@pytest.mark.parametrize(
    ("tools", "choice", "sent"),
    [
        ([price, order], "auto", None),
        ([price, order], "required", "required"),
        ([price, order], "price", BY_NAME),
        ([price], "price", "required"),
    ],
)
def test_the_choice_is_sent_until_the_call_is_made_and_then_no_more(
    server: OpenAIServer, way: Callable[..., Model], store: Path, *, tools: Any, choice: str, sent: Any
) -> None:
    run, warnings = run_at(server, way, store, choice, tools=tools)
    assert (run.result, warnings) == ("three euros", [])
    assert [chat.body.get("tool_choice") for chat in server.chats] == [sent, None]


def test_a_server_that_refuses_the_choice_is_asked_without_it_and_that_is_said(
    server: OpenAIServer, way: Callable[..., Model], store: Path
) -> None:
    server.fail_next(Fault("bad_request", message="This model does not support this tool_choice."))
    run, warnings = run_at(server, way, store, "price")
    assert run.result == "three euros"
    assert [chat.body.get("tool_choice") for chat in server.chats] == [BY_NAME, None, None]
    assert len(warnings) == 1
    assert "task 0 sends no tool_choice" in warnings[0]
    assert "This model does not support this tool_choice" in warnings[0]


def test_what_is_refused_without_the_choice_too_is_that_error(
    server: OpenAIServer, way: Callable[..., Model], store: Path
) -> None:
    server.fail_next(Fault("bad_request", message="no such thing"), Fault("bad_request", message="no tools here"))
    run, warnings = run_at(server, way, store, "required")
    assert (run.status, warnings) == ("failed", [])
    assert "no tools here" in (run.error or "")


def test_a_server_that_ignores_the_choice_is_told_in_words(store: Path) -> None:
    def ignores(chat: Chat) -> Answer:
        return calls_once(chat) if chat.number > 1 else Answer("<result>free</result>")

    with OpenAIServer(ignores) as server:
        run, _ = run_at(server, DirectModel, store, "price")
        assert run.result == "three euros"
        assert "the tool price was not called" in server.chats[1].user
        assert [chat.body.get("tool_choice") for chat in server.chats] == [BY_NAME, BY_NAME, None]
