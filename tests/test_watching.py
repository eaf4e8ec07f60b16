"""A reply that runs away is stopped where it is, over real HTTP; it is asked for once more, and then it is an error."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ramify.planner import Agent, Executor, PlanLimits, Run
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.errors import ModelError, UsageError
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
    # it takes its time, so that it is still writing when it is left
    with OpenAIServer(lambda chat: LOOP if chat.number == 1 else GOOD, pause_s=0.002) as running:
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
    assert f'tokens: "{SENTENCE.strip()}"; its reply was stopped' in warnings[0]
    assert "cut off before its end: the model repeated itself after" in loops_once.chats[1].user
    assert SENTENCE not in loops_once.chats[1].user


def test_what_was_read_of_it_is_in_the_journal_and_counted(loops_once: OpenAIServer, store: Path) -> None:
    run, _ = run_with(DirectModel("m", base_url=loops_once.base_url), store)
    with Store.open(store) as opened:
        first, second = (call.reply for call in opened.calls(run.id))
    assert LOOP.startswith(first["text"])
    assert len(first["text"]) < 7_500
    assert first["output_tokens"] > 100, "a token a piece"
    assert first["input_tokens"] > 50, "by the length of the prompt"
    assert run.usage.output_tokens == first["output_tokens"] + second["output_tokens"]
    assert run.usage.calls == 2


def test_what_had_come_of_a_reply_that_broke_off_is_counted_and_called_an_estimate(store: Path) -> None:
    with OpenAIServer(always(GOOD)) as server:
        server.fail_next(Fault("cut_stream"))
        task = Task("Tell.", id="0", config=TaskConfig(max_retries=1, retry_delay_seconds=0))
        run = Executor(DirectModel("m", base_url=server.base_url), store=store).run(task)
    with Store.open(store) as opened:
        (failed,) = (event.data for event in opened.events(run.id) if event.type == "call_failed")
        (reply,) = (call.reply for call in opened.calls(run.id))
    assert (failed["estimated"], failed["cost_usd"]) == (True, None)
    assert failed["output_tokens"] == 6, "by the length of what had come, as its pieces hold more than a token"
    assert failed["input_tokens"] > 50, "by the length of the prompt"
    assert run.usage.output_tokens == failed["output_tokens"] + reply["output_tokens"]


def test_a_run_that_is_replayed_goes_the_same_way(loops_once: OpenAIServer, store: Path, tmp_path: Path) -> None:
    run, _ = run_with(DirectModel("m", base_url=loops_once.base_url), store)
    replayed, warnings = run_with(open_model(f"replay:{run.id}", store=store), tmp_path / "other.db")
    assert (replayed.result, replayed.usage.calls) == ("short", 0)
    assert warnings == []


def test_a_model_that_goes_on_so_is_an_error_that_says_it(store: Path) -> None:
    with OpenAIServer(always(LOOP)) as server:
        run, warnings = run_with(DirectModel("m", base_url=server.base_url), store)
        assert len(server.chats) == len(warnings) == 2
    assert run.status == "failed"
    error = run.error or ""
    assert "the model repeated itself after" in error
    assert (
        "words were asked for (its 'execute' reply); use another model or temperature, ask for less, or allow" in error
    )
    assert "(--no-stop-runaway)" in error
    assert "reached its length limit" not in error


@pytest.mark.parametrize("way", [DirectModel, LiteLLMModel])
@pytest.mark.parametrize("times", [60, 150])
def test_a_loop_that_has_ended_by_itself_is_taken(way: Callable[..., "Model"], times: int, store: Path) -> None:
    lines = "I will not talk in class again.\n" * times
    with OpenAIServer(always(f"<result>{lines}</result>")) as server:
        run, warnings = run_with(way("m", base_url=server.base_url), store)
    is_stopped = way is DirectModel and times > 100
    assert (run.status, len(warnings)) == (("failed", 2) if is_stopped else ("done", 0))


def test_with_stop_runaway_off_nothing_is_stopped_nor_streamed(store: Path) -> None:
    lines = "I will not talk in class again.\n" * 150
    with OpenAIServer(always(f"<result>{lines}</result>")) as server:
        model = DirectModel("m", base_url=server.base_url)
        agent = Agent(model, settings=AgentSettings(stop_runaway=False))
        run = Executor(agent, store=store).run(Task(content="Tell.", id="0"))
        assert is_streamed(server) == [False]
    assert run.result == lines.strip()


def test_a_resume_can_switch_it_off_and_it_stays_off(store: Path) -> None:
    lines = "I will not talk in class again.\n" * 150
    with OpenAIServer(always(f"<result>{lines}</result>")) as server:
        model = DirectModel("m", base_url=server.base_url)
        run, _ = run_with(model, store)
        assert run.status == "failed"
        again = Executor.resume(store, run.id, agent=model, retry_failed=True, stop_runaway=False)
        assert again.result == lines.strip()
        once_more = Executor.resume(store, run.id, agent=model, from_task="0")
        assert (once_more.result, len(server.chats)) == (lines.strip(), 4)
        with pytest.raises(UsageError, match="agent and stop_runaway are both given"):
            Executor.resume(store, run.id, agent=Agent(model), stop_runaway=False)


def test_a_loop_that_a_limit_has_cut_is_called_one_where_nothing_streams(store: Path) -> None:
    cut = ModelReply(text=LOOP[:7_000], model="m", finish_reason="length", output_tokens=1_700)
    model = ScriptedModel([cut, GOOD])
    run, warnings = run_with(model, store)
    assert run.result == "short"
    assert "the model repeated itself after 1,700 tokens" in warnings[0]


def test_a_model_of_ones_own_that_streams_has_its_time_too() -> None:
    request = replace(REQUEST, timeout_s=0.05)
    with pytest.raises(ModelError, match="no reply within timeout_s"):
        run_sync(complete_watched(Slow([]), request))


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
    assert "the model wrote more than 14 tasks; at most 6 were asked for after " in warnings[0]


def test_a_plan_that_talks_on_is_taken(store: Path) -> None:
    talk = " ".join(f"The goal number {n} was planned, and so was the next one." for n in range(5_000))
    plan = f'<task id="a">Look there</task><task id="b" needs="a">Say what is there</task>\n{talk}'
    with OpenAIServer(lambda chat: plan if chat.number == 1 else GOOD) as server:
        model = DirectModel("m", base_url=server.base_url)
        run, warnings = run_with(model, store, plan=PlanLimits(split="always", max_depth=2))
        assert server.clients_gone == 1
    assert len(run.task.subtasks) == 2
    assert "its text up to then is used" in warnings[0]


class Slow(ScriptedModel):
    """Streams, with pauses."""

    streams = True

    def stream(self, _: ModelRequest) -> AsyncIterator[str | ModelReply]:
        return self._slowly()

    async def _slowly(self) -> AsyncIterator[str | ModelReply]:
        for piece in ("so much", " to say") * 1_000:
            await asyncio.sleep(0.01)
            yield piece


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


THOUGHTS = "<think>The user wants a word. </think>"


def test_thoughts_that_stand_before_a_streamed_reply_are_no_part_of_it() -> None:
    with OpenAIServer(always(THOUGHTS + GOOD)) as server:
        assert asked(DirectModel("m", base_url=server.base_url)).text == GOOD


def test_a_streamed_reply_of_thoughts_alone_is_none() -> None:
    with OpenAIServer(always(THOUGHTS)) as server, pytest.raises(ModelError, match="it thought, and stopped before"):
        asked(DirectModel("m", base_url=server.base_url))


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
