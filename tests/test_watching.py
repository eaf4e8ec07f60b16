"""A reply that runs away is stopped where it is, over real HTTP; it is asked for once more, and then it is an error."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ramify.planner import Agent, Executor, PlanLimits, Run
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.models.registry import open_model
from ramify.planner.models.watching import complete_watched
from ramify.planner.runtime.background import run_sync
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

from .openai_server import Answer, Chat, Fault, OpenAIServer

if TYPE_CHECKING:
    from ramify.planner.events.events import Event
    from ramify.planner.models.protocol import Model

SENTENCE = "I will now think about the task again and then answer it. "
LOOP = "<result>Well. " + SENTENCE * 2_000
GOOD = "<result>short</result>"
REQUEST = ModelRequest(purpose="execute", task_id="0", messages=({"role": "user", "content": "Tell."},))


def always(text: str) -> Callable[[Chat], str]:
    return lambda _: text


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def loops_once() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda chat: LOOP if chat.number == 1 else GOOD) as running:
        yield running


def run_with(model: "Model", store: Path, *, plan: PlanLimits | None = None) -> tuple[Run, list[str]]:
    events: list[Event] = []
    task = Task(content="Tell.", id="0", config=TaskConfig(max_retries=0))
    run = Executor(Agent(model), store=store, plan=plan, on_event=events.append).run(task)
    return run, [str(event.data["message"]) for event in events if event.type == "warning"]


def test_a_loop_is_stopped_the_server_is_left_and_the_answer_asked_for_once_more(
    loops_once: OpenAIServer, store: Path
) -> None:
    run, warnings = run_with(DirectModel("m", base_url=loops_once.base_url), store)
    assert run.result == "short"
    assert loops_once.wait_for(lambda server: server.clients_gone == 1 and server.in_flight == 0)
    assert len(warnings) == 1
    assert warnings[0].startswith("task 0 (execute): the model repeated itself after ")
    assert f'tokens: "{SENTENCE.strip()}"; its reply was not taken' in warnings[0]
    assert "cut off before its end: the model repeated itself after" in loops_once.chats[1].user
    assert SENTENCE not in loops_once.chats[1].user


def test_what_was_read_of_it_is_in_the_journal_and_counted(loops_once: OpenAIServer, store: Path) -> None:
    run, _ = run_with(DirectModel("m", base_url=loops_once.base_url), store)
    with Store.open(store) as opened:
        first, second = (call.reply for call in opened.calls(run.id))
    assert LOOP.startswith(first["text"])
    assert len(first["text"]) < 3_000
    assert first["output_tokens"] > 100, "a token a piece"
    assert run.usage.output_tokens == first["output_tokens"] + second["output_tokens"]
    assert run.usage.calls == 2


def test_a_run_that_is_replayed_goes_the_same_way(loops_once: OpenAIServer, store: Path, tmp_path: Path) -> None:
    run, _ = run_with(DirectModel("m", base_url=loops_once.base_url), store)
    replayed, warnings = run_with(open_model(f"replay:{run.id}", store=store), tmp_path / "other.db")
    assert (replayed.result, replayed.usage.calls) == ("short", 0)
    assert warnings == []


@pytest.mark.parametrize("way", [DirectModel, LiteLLMModel])
def test_a_model_that_goes_on_so_is_an_error_that_says_it(way: Callable[..., "Model"], store: Path) -> None:
    short = LOOP[:9_000]
    with OpenAIServer(always(short)) as server:
        run, warnings = run_with(way("m", base_url=server.base_url), store)
        assert len(server.chats) == len(warnings) == 2
    assert run.status == "failed"
    assert "the model repeated itself after" in (run.error or "")
    assert "words were asked for (its 'execute' reply); use another model or temperature, or ask for less" in (
        run.error or ""
    )
    assert "longer than it may become" not in (run.error or "")


def test_a_loop_that_was_closed_is_not_taken_from_a_model_that_does_not_stream(store: Path) -> None:
    model = ScriptedModel([f"<result>{SENTENCE * 40}</result>", GOOD])
    run, warnings = run_with(model, store)
    assert run.result == "short"
    assert len(warnings) == 1


def test_a_plan_with_far_too_many_tasks_is_stopped_and_asked_for_once_more(store: Path) -> None:
    plan = "".join(f'<task id="t{n}">Do the part number {n} of it</task>\n' for n in range(2_000))
    good = '<task id="a">Look there</task><task id="b" needs="a">Say what is there</task>'

    def answer(chat: Chat) -> str:
        is_plan = "You plan work" in chat.said("system")
        return GOOD if not is_plan else plan if chat.number == 1 else good

    with OpenAIServer(answer) as server:
        model = DirectModel("m", base_url=server.base_url)
        run, warnings = run_with(model, store, plan=PlanLimits(split="always", max_children=6, max_depth=2))
        assert server.clients_gone == 1
    assert [task.content for task in run.task.subtasks] == ["Look there", "Say what is there"]
    assert "the model wrote more than 12 tasks, and had been asked for at most 6 after " in warnings[0]


def test_a_plan_that_talks_on_is_taken(store: Path) -> None:
    talk = " ".join(f"The goal number {n} was planned, and so was the next one." for n in range(5_000))
    plan = f'<task id="a">Look there</task><task id="b" needs="a">Say what is there</task>\n{talk}'
    with OpenAIServer(lambda chat: plan if chat.number == 1 else GOOD) as server:
        model = DirectModel("m", base_url=server.base_url)
        run, warnings = run_with(model, store, plan=PlanLimits(split="always", max_depth=2))
        assert server.clients_gone == 1
    assert len(run.task.subtasks) == 2
    assert "what it had said by then is taken" in warnings[0]


def asked(model: DirectModel) -> ModelReply:
    return run_sync(complete_watched(model, REQUEST))


def is_streamed(server: OpenAIServer) -> list[bool]:
    return [bool(chat.body.get("stream")) for chat in server.chats]


def test_only_servers_at_an_address_are_streamed_from() -> None:
    assert DirectModel("m", base_url="http://127.0.0.1:1/v1").streams
    assert not DirectModel("gpt-5-mini").streams


def test_requests_with_tools_are_not_streamed() -> None:
    request = ModelRequest(purpose="execute", task_id="0", messages=REQUEST.messages, tools=({"type": "function"},))
    with OpenAIServer(always(GOOD)) as server:
        run_sync(complete_watched(DirectModel("m", base_url=server.base_url), request))
        assert is_streamed(server) == [False]


def test_tokens_of_a_streamed_reply_are_those_that_the_server_says() -> None:
    with OpenAIServer(always(GOOD)) as server:
        reply = asked(DirectModel("m", base_url=server.base_url))
        assert (reply.text, reply.input_tokens, reply.output_tokens, is_streamed(server)) == (GOOD, 1, 1, [True])


@pytest.mark.parametrize(
    "words", ["Unrecognized request argument supplied: stream_options", '["body", "stream_options"]: extra forbidden']
)
def test_a_server_that_refuses_streams_is_asked_without_from_then_on(words: str) -> None:
    with OpenAIServer(always(GOOD)) as server:
        server.fail_next(Fault("bad_request", message=words))
        model = DirectModel("m", base_url=server.base_url)
        assert [asked(model).text for _ in range(2)] == [GOOD, GOOD]
        assert is_streamed(server) == [True, False, False]


def test_a_server_that_counts_no_tokens_of_streams_is_asked_without_from_then_on() -> None:
    def answer(chat: Chat) -> Answer:
        options = chat.body.get("stream_options")
        if isinstance(options, dict):
            options["include_usage"] = False
        return Answer(GOOD)

    with OpenAIServer(answer) as server:
        model = DirectModel("m", base_url=server.base_url)
        assert [asked(model).output_tokens for _ in range(3)] == [0, 1, 1]
        assert is_streamed(server) == [True, False, False]


def test_another_refusal_is_what_it_is() -> None:
    with OpenAIServer(always(GOOD)) as server:
        server.fail_next(Fault("bad_request"))
        model = DirectModel("m", base_url=server.base_url)
        with pytest.raises(Exception, match="temperature"):
            asked(model)
        assert is_streamed(server) == [True]
        assert model.streams


def test_what_was_stopped_is_data() -> None:
    reply = ModelReply(text="x", model="m", stopped="the model repeated itself")
    assert ModelReply.from_data(json.loads(json.dumps(reply.to_data()))) == reply
    assert "stopped" not in ModelReply(text="x", model="m").to_data()
