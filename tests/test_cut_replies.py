"""A reply that a length limit has cut is asked for once more, with the limit and for less; then it is a clear error."""

import asyncio
from pathlib import Path

import pytest
from ramify.planner import Agent, Executor, PlanLimits, Run
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.errors import ModelError
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.protocol import ModelReply, ModelRequest, Sampling
from ramify.planner.models.server_facts import ServerFacts
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, Task, TaskConfig

from .openai_server import OpenAIServer

pytestmark = pytest.mark.fault("3.8")


class Cutting(ScriptedModel):
    """Cuts its first replies, which have taken so many tokens, and says the window that its server has."""

    def __init__(self, *, cuts: int, window: int | None = None, prompt: int = 900, said: int = 124) -> None:
        super().__init__(self._answer)
        self._cuts, self._window, self._tokens = cuts, window, (prompt, said)

    def _answer(self, _: ModelRequest) -> str | ModelReply:
        if len(self.requests) > self._cuts:
            return "<result>short</result>"
        prompt, said = self._tokens
        return ModelReply(
            text="<result>once upon", model="m", finish_reason="length", input_tokens=prompt, output_tokens=said
        )

    async def facts(self) -> ServerFacts:
        return ServerFacts(window=self._window)


def run_of(model: ScriptedModel, store: Path, *, most: int | None = None, task: Task | None = None) -> Run:
    agent = Agent(model, settings=AgentSettings(sampling=Sampling(max_output_tokens=most)))
    return Executor(agent, store=store).run(task or Task(content="Tell.", id="0"))


def asked(request: ModelRequest) -> str:
    return str(request.messages[-1]["content"])


LIMITS: list[tuple[int | None, int | None, str, str]] = [
    (124, None, "max_output_tokens = 124 was reached", "raise max_output_tokens, or ask for less"),
    (
        None,
        1024,
        "the model's context of 1,024 tokens was full: 900 for the prompt and 124 for the reply",
        "attach less",
    ),
    (500, 1024, "the model's context of 1,024 tokens was full", "use a model with a larger window"),
    (None, 4096, "the server ended it after 124 tokens, because of its own limit", "set max_output_tokens"),
    (None, None, "the server ended it after 124 tokens", "set max_output_tokens"),
]


@pytest.mark.fault("3.14")
@pytest.mark.parametrize(("most", "window", "limit", "advice"), LIMITS)
def test_the_other_try_is_told_the_limit_and_asked_for_less(
    tmp_path: Path, most: int | None, window: int | None, limit: str, advice: str
) -> None:
    model = Cutting(cuts=1, window=window)
    run = run_of(model, tmp_path / "runs.db", most=most)
    assert (run.result, run.task.attempts, len(model.requests)) == ("short", 1, 2)
    assert limit in asked(model.requests[1])
    assert asked(model.requests[1]).endswith("at most 49 words in all.")
    assert advice


@pytest.mark.fault("3.14")
@pytest.mark.parametrize(("most", "window", "limit", "advice"), LIMITS)
def test_what_is_cut_again_is_an_error_with_the_limit_and_the_way_out(
    tmp_path: Path, most: int | None, window: int | None, limit: str, advice: str
) -> None:
    model = Cutting(cuts=99, window=window)
    run = run_of(model, tmp_path / "runs.db", most=most)
    assert (run.status, run.task.attempts, len(model.requests)) == ("failed", 1, 2)
    assert limit in (run.error or "")
    assert advice in (run.error or "")
    assert "so too when 49 words were asked for" in (run.error or "")


@pytest.mark.fault("3.14")
def test_where_the_context_was_full_the_other_prompt_leaves_room(tmp_path: Path) -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 200
    model = Cutting(cuts=1, window=2_400, prompt=2_300, said=100)
    task = Task(content="Tell.", id="0", inputs={"notes": text})
    run = run_of(model, tmp_path / "runs.db", task=task)
    first, second = (len(str(request.messages)) for request in model.requests)
    assert run.result == "short"
    assert second < 2_400 * 4 * 3 / 4 < first
    assert [(loss.given, loss.window) for loss in run.losses] == [(len(text) + 2, 2_400)]


def test_a_reply_without_a_word_is_asked_for_shorter_too(tmp_path: Path) -> None:
    error = ModelError("only thoughts", kind="cut_off", model="m")
    model = ScriptedModel([error, "<result>short</result>"])
    assert run_of(model, tmp_path / "runs.db", most=50).result == "short"
    assert "max_output_tokens = 50" in asked(model.requests[1])


def test_a_plan_that_is_cut_twice_leaves_the_task_whole(tmp_path: Path) -> None:
    def answer(request: ModelRequest) -> str | ModelReply:
        if request.purpose != "decompose":
            return "<result>done</result>"
        return ModelReply(text='<task id="a">Look', model="m", finish_reason="length")

    model = ScriptedModel(answer)
    run = Executor(model, store=tmp_path / "runs.db", plan=PlanLimits()).run(Task(content="Tell.", id="0"))
    assert run.result == "done"
    assert [request.purpose for request in model.requests] == ["decompose", "decompose", "execute"]


def test_a_cut_answer_does_not_count_in_a_vote_and_is_not_asked_for_again(tmp_path: Path) -> None:
    config = TaskConfig(vote_ahead=1, max_samples=3)
    model = Cutting(cuts=1)
    run = run_of(model, tmp_path / "runs.db", task=Task(content="Tell.", id="0", config=config))
    assert (run.result, len(model.requests)) == ("short", 2)
    assert "cut off" not in asked(model.requests[1])


def test_a_verdict_that_is_cut_is_no_verdict(tmp_path: Path) -> None:
    def answer(request: ModelRequest) -> str | ModelReply:
        if request.purpose == "verify":
            return ModelReply(text="<verdict>", model="m", finish_reason="length")
        return "<result>done</result>"

    task = Task(content="Tell.", id="0", checks=[Check(verify="It is short.")])
    run = run_of(ScriptedModel(answer), tmp_path / "runs.db", task=task)
    assert run.status == "done", run.error


@pytest.mark.parametrize("kind", ["generate", "rewrite"])
def test_workers_that_ask_in_words_of_their_own_do_the_same(tmp_path: Path, kind: str) -> None:
    model = Cutting(cuts=99)
    task = Task(content="Tell.", id="0", type=kind, inputs={"prompt": "{{ content }}"} if kind == "rewrite" else {})
    run = run_of(model, tmp_path / "runs.db", task=task)
    assert (run.status, len(model.requests)) == ("failed", 2)
    assert "so too when 49 words were asked for" in (run.error or "")


FACTS: list[tuple[str, dict[str, object], ServerFacts]] = [
    ("llama.cpp", {"id": "m", "meta": {"n_ctx": 1024, "n_ctx_train": 8192}}, ServerFacts(window=1024)),
    ("vLLM", {"id": "m", "max_model_len": 4096}, ServerFacts(window=4096)),
    ("LM Studio", {"id": "m", "max_context_length": 32768, "loaded_context_length": 4096}, ServerFacts(window=4096)),
    ("others", {"id": "m"}, ServerFacts()),
    ("nonsense", {"id": "m", "max_model_len": "many", "meta": 7}, ServerFacts()),
]


@pytest.mark.parametrize(("program", "entry", "facts"), FACTS)
def test_a_server_is_asked_for_its_window(program: str, entry: dict[str, object], facts: ServerFacts) -> None:
    assert program
    with OpenAIServer(lambda _: "") as server:
        server.listed = [entry]
        assert asyncio.run(LiteLLMModel("m", base_url=server.base_url).facts()) == facts


def test_of_a_server_that_is_not_there_nothing_is_made_up() -> None:
    with OpenAIServer(lambda _: "") as server:
        gone = server.base_url
    with pytest.raises(ModelError) as caught:
        asyncio.run(LiteLLMModel("m", base_url=gone).facts())
    assert caught.value.kind == "unreachable"
    assert asyncio.run(LiteLLMModel("nobody/nothing").facts()) == ServerFacts()
    assert asyncio.run(LiteLLMModel("gpt-4o-mini").facts()) == ServerFacts(window=128_000), "litellm's lists say so"
