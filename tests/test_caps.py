"""Plans and verdicts have a cap by default, which does not cut off who thinks; options set one for every verb."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, PlanLimits, Run
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.errors import ModelError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.protocol import Cap, ModelReply, ModelRequest, Sampling
from ramify.planner.models.registry import open_model
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.prompts.variables import DecomposeVariables, PromptVariables, VerifyVariables
from ramify.tasks import Check, Task, TaskConfig

from .openai_server import Answer, Chat, Fault, OpenAIServer
from .ramify_command import Ramify

PLAN = '<task id="a">Look there</task><task id="b" needs="a">Say what is there</task>'
REPLIES = {
    "decompose": PLAN,
    "execute": "<result>4</result>",
    "compose": "<result>four</result>",
    "verify": '<verdict value="pass"/>',
}
LIMITS = PlanLimits(split="always", max_children=6, max_depth=2)
PLANNED = 400 + 6 * 150


def verb_of(chat: Chat) -> str:
    begins = {"You plan work": "decompose", "You check a result": "verify", "You answer a goal": "compose"}
    return next((verb for words, verb in begins.items() if words in chat.said("system")), "execute")


def one() -> Task:
    return Task(content="Tell.", id="0", checks=[Check(verify="It is short.")], config=TaskConfig(max_retries=0))


def run_with(model: Any, store: Path, *, plan: PlanLimits | None = LIMITS, **asking: Any) -> tuple[Run, list[str]]:
    events: list[Any] = []
    agent = Agent(model, settings=AgentSettings(constrain="never", **asking))
    run = Executor(agent, store=store, plan=plan, on_event=events.append).run(one())
    return run, [str(event.data["message"]) for event in events if event.type == "warning"]


def caps_of(requests: list[ModelRequest]) -> dict[str, int | None]:
    return {request.purpose: None if request.limit is None else request.limit.tokens for request in requests}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


DEFAULTS = {"decompose": PLANNED, "verify": 1_500, "execute": None, "compose": None}


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        ({}, {}),
        ({"max_plan_tokens": 300}, {"decompose": 300}),
        ({"max_plan_tokens": 9_000}, {"decompose": 9_000}),
        ({"max_verdict_tokens": 50}, {"verify": 50}),
        ({"max_answer_tokens": 70}, {"execute": 70, "compose": 70}),
        ({"sampling": Sampling(max_output_tokens=9_000)}, dict.fromkeys(DEFAULTS, 9_000)),
        (
            {"sampling": Sampling(max_output_tokens=90), "max_plan_tokens": 80, "max_answer_tokens": 100},
            {**dict.fromkeys(DEFAULTS, 90), "decompose": 80},
        ),
        ({"sampling": Sampling(reasoning_effort="low")}, {"decompose": None, "verify": None}),
    ],
    ids=str,
)
def test_each_verb_has_its_cap(asking: dict[str, Any], expected: dict[str, int | None], store: Path) -> None:
    model = ScriptedModel(REPLIES)
    run, _ = run_with(model, store, **asking)
    assert run.result == "four"
    assert caps_of(model.requests) == DEFAULTS | expected


def test_a_repair_has_the_cap_of_what_it_repairs(store: Path) -> None:
    model = ScriptedModel({**REPLIES, "decompose": "Hm.", "repair": PLAN})
    run_with(model, store)
    assert caps_of(model.requests)["repair"] == PLANNED


def request_of(variables: PromptVariables, **asking: Any) -> ModelRequest:
    agent = Agent(ScriptedModel([]), settings=AgentSettings(**asking))
    return agent.request(agent.render(variables, nonce="n"))


@pytest.mark.parametrize(
    "variables",
    [
        DecomposeVariables(task_id="0", goal="Tell."),
        VerifyVariables(task_id="0", goal="Tell.", result="4", criteria="short"),
    ],
)
def test_a_cap_is_no_part_of_the_hash_so_that_older_runs_are_found_again(variables: PromptVariables) -> None:
    request = request_of(variables)
    hashes = {
        each.sha256("m") for each in (request, replace(request, cap=None), request_of(variables, max_plan_tokens=7))
    }
    assert request.cap is not None
    assert len(hashes) == 1


@pytest.mark.parametrize("way", [DirectModel, LiteLLMModel])
def test_it_is_what_the_server_is_told(way: Callable[..., Any], store: Path) -> None:
    with OpenAIServer(lambda chat: REPLIES[verb_of(chat)]) as server:
        run_with(way("m", base_url=server.base_url), store)
        assert {verb_of(chat): chat.body.get("max_tokens") for chat in server.chats} == DEFAULTS


def test_the_command_line_sets_it(ramify: Ramify) -> None:
    asked = ("--split", "always", "--max-depth", "2", "--max-children", "3", "--max-plan-tokens", "77")
    with OpenAIServer(lambda chat: REPLIES[verb_of(chat)]) as server:
        ramify("solve", "-q", "Tell.", "--model", "m", "--base-url", server.base_url, *asked)
        assert server.chats[0].body["max_tokens"] == 77


def cut(tokens: int, text: str = '<task id="a">Look') -> ModelReply:
    return ModelReply(text=text, model="m", finish_reason="length", input_tokens=50, output_tokens=tokens)


def test_a_plan_that_is_cut_by_it_is_asked_for_once_more_and_says_the_way_out(store: Path) -> None:
    model = ScriptedModel({**REPLIES, "decompose": cut(PLANNED)})
    run, warnings = run_with(model, store)
    assert [request.purpose for request in model.requests] == ["decompose", "decompose", "execute", "verify"]
    assert f"max_plan_tokens = {PLANNED} (its default) was reached" in str(model.requests[1].messages[-1]["content"])
    assert run.result == "4"
    assert run.usage.output_tokens >= 2 * PLANNED
    told = "\n".join(warnings)
    assert f"max_plan_tokens = {PLANNED} (its default) was reached, and so too when" in told
    assert "raise max_plan_tokens, or ask for less" in told


def test_a_verdict_that_is_cut_by_it_is_none_and_says_the_way_out(store: Path) -> None:
    model = ScriptedModel({**REPLIES, "verify": cut(1_500, "It is")})
    run, _ = run_with(model, store, plan=None)
    with Store.open(store) as opened:
        found = " ".join(str(event.data.get("complaint")) for event in opened.events(run.id))
    assert "max_verdict_tokens = 1500 (its default) was reached" in found
    assert "raise max_verdict_tokens" in found


def test_an_answer_that_is_cut_by_its_option_is_an_error_with_the_way_out(store: Path) -> None:
    model = ScriptedModel({**REPLIES, "execute": cut(30, "<result>once")})
    run, _ = run_with(model, store, plan=None, max_answer_tokens=30)
    assert "max_answer_tokens = 30 was reached, and so too when" in (run.error or "")
    assert "raise max_answer_tokens, or ask for less" in (run.error or "")


def test_a_server_with_a_limit_of_its_own_is_not_taken_for_the_default(store: Path) -> None:
    model = ScriptedModel({**REPLIES, "decompose": cut(512)})
    run_with(model, store)
    assert "the server ended it after 512 tokens" in str(model.requests[1].messages[-1]["content"])


# Models that think.


def test_models_that_are_known_to_think_have_no_default_cap() -> None:
    assert DirectModel("gpt-5-mini").thinks
    assert not DirectModel("gpt-4o-mini").thinks
    assert LiteLLMModel("anthropic/claude-sonnet-4-5").thinks
    assert not LiteLLMModel("mistral/mistral-small").thinks
    assert not DirectModel("some/model", base_url="http://127.0.0.1:1/v1").thinks


class Thinker(ScriptedModel):
    """Is known to think."""

    thinks = True


def test_what_is_set_holds_for_them_all_the_same(store: Path) -> None:
    model = Thinker(REPLIES)
    run_with(model, store, max_verdict_tokens=99)
    assert caps_of(model.requests) == {"decompose": None, "verify": 99, "execute": None, "compose": None}


ALL_THOUGHTS = Answer("<think>The user wants a plan. First I look at the goal, and", finish_reason="length")
APART = Answer(finish_reason="length", message={"content": "", "reasoning_content": "The user wants a plan."})


@pytest.mark.parametrize("thoughts", [ALL_THOUGHTS, APART], ids=["in the reply", "in a field of their own"])
@pytest.mark.parametrize("way", [DirectModel, LiteLLMModel])
def test_a_plan_that_was_used_up_by_thoughts_is_asked_for_again_without_a_cap(
    way: Callable[..., Any], thoughts: Answer, store: Path
) -> None:
    with OpenAIServer(lambda chat: thoughts if chat.number == 1 else REPLIES[verb_of(chat)]) as server:
        run, warnings = run_with(way("m", base_url=server.base_url), store)
        first, second, *others = server.chats
        assert (first.body["max_tokens"], first.user) == (PLANNED, second.user)
        assert [chat.body.get("max_tokens") for chat in (second, *others)] == [None] * (len(others) + 1)
    assert run.result == "four"
    assert run.usage.calls == len(others) + 2
    assert f"max_plan_tokens = {PLANNED} (its default) was used up " in warnings[0]
    assert "the default limit is off for the rest of the run" in warnings[0]
    assert "raise max_output_tokens" not in warnings[0]
    assert len(warnings) == 1


def test_who_has_thought_in_one_reply_has_no_default_cap_in_the_next(store: Path) -> None:
    with OpenAIServer(lambda chat: f"<think>So.</think>{REPLIES[verb_of(chat)]}") as server:
        run_with(DirectModel("m", base_url=server.base_url), store)
        assert [chat.body.get("max_tokens") for chat in server.chats] == [PLANNED, *[None] * 4]


def test_thoughts_and_half_a_plan_are_asked_for_again_without_a_cap(store: Path) -> None:
    half = replace(cut(PLANNED), has_thought=True)
    model = ScriptedModel(lambda request: half if len(model.requests) == 1 else REPLIES[request.purpose])
    run_with(model, store)
    assert [request.limit for request in model.requests[:2]] == [Cap("max_plan_tokens", PLANNED, is_default=True), None]


def test_a_limit_that_was_set_is_kept_whatever_it_cuts(store: Path) -> None:
    with OpenAIServer(lambda chat: ALL_THOUGHTS if verb_of(chat) == "decompose" else REPLIES[verb_of(chat)]) as server:
        run, warnings = run_with(DirectModel("m", base_url=server.base_url), store, max_plan_tokens=33)
        assert [chat.body.get("max_tokens") for chat in server.chats] == [33, 33, None, 1_500]
    assert "max_plan_tokens = 33 was reached, and so too when" in "\n".join(warnings)
    assert run.result == "4"


# Servers that refuse a cap.

TOO_LARGE = (
    "'max_tokens' or 'max_completion_tokens' is too large: 1300. This model's maximum context length is 1024 tokens"
    " and your request has 600 input tokens (1300 > 1024 - 600)."
)


@pytest.mark.parametrize(
    "words", [TOO_LARGE, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."]
)
def test_a_server_that_refuses_a_cap_is_asked_without_from_then_on(words: str, store: Path) -> None:
    with OpenAIServer(lambda chat: REPLIES[verb_of(chat)]) as server:
        server.fail_next(Fault("bad_request", message=words))
        run, warnings = run_with(DirectModel("m", base_url=server.base_url), store)
        assert [chat.body.get("max_tokens") for chat in server.chats] == [PLANNED, *[None] * 5]
    assert run.result == "four"
    assert len(warnings) == 1
    assert "the default limit is off for the rest of the run" in warnings[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("bad_request"),
        Fault("bad_request", message="request (4031 tokens) exceeds the available context size (1024 tokens)"),
        Fault("filtered"),
    ],
    ids=["another reason", "a prompt that is too long by itself", "a filter"],
)
def test_what_is_refused_for_another_reason_is_not_asked_again_for_the_cap(fault: Fault, store: Path) -> None:
    with OpenAIServer(lambda chat: fault) as server:
        run, _ = run_with(DirectModel("m", base_url=server.base_url), store)
        assert run.status == "failed"
        assert {chat.body["max_tokens"] for chat in server.chats} == {PLANNED}


# What was recorded.


def test_a_run_that_is_replayed_or_resumed_takes_the_replies_that_it_has_got(store: Path, tmp_path: Path) -> None:
    half = replace(cut(PLANNED), has_thought=True)
    model = ScriptedModel(lambda request: half if len(model.requests) == 1 else REPLIES[request.purpose])
    run, _ = run_with(model, store)
    with Store.open(store) as opened:
        replies = [call.reply for call in opened.calls(run.id)]
    assert [reply.get("has_thought", False) for reply in replies] == [True, *[False] * (len(replies) - 1)]
    replayed, warnings = run_with(open_model(f"replay:{run.id}", store=store), tmp_path / "other.db")
    assert (replayed.result, replayed.usage.calls, warnings) == ("four", 0, [])


def test_after_a_crash_no_reply_is_asked_for_again_whatever_the_cap_was_then(store: Path) -> None:
    half = replace(cut(PLANNED), has_thought=True)

    def answer(request: ModelRequest) -> str | ModelReply | Exception:
        if request.purpose == "execute" and is_down:
            return ModelError("gone", kind="bad_key", model="m")
        return half if len(model.requests) == 1 else REPLIES[request.purpose]

    model, is_down = ScriptedModel(answer), True
    run, _ = run_with(model, store)
    assert [request.purpose for request in model.requests] == ["decompose", "decompose", "execute"]
    is_down = False
    model.requests.append(model.requests[0])  # so that none is the first
    again = Executor.resume(store, run.id, agent=model)
    assert again.result == "four"
    assert [request.purpose for request in model.requests[4:]].count("decompose") == 0


def test_what_a_reply_says_of_thoughts_is_data() -> None:
    reply = ModelReply(text="x", model="m", has_thought=True)
    assert ModelReply.from_data(reply.to_data()) == reply
    assert "has_thought" not in ModelReply(text="x", model="m").to_data()
