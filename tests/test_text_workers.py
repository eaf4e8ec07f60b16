"""`prompt`, `generate`, `rewrite` and `embed` in runs: what the model reads and gives, one text or a list of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, AgentSettings, Executor, Run, RunLimits
from ramify.planner.errors import NoModelError
from ramify.planner.models.hashing import hashed
from ramify.planner.models.protocol import Sampling
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers.lists import task_for_each
from ramify.tasks import Task, TaskConfig

from .openai_server import Answer, Chat, Fault, OpenAIServer


def answer(chat: Chat) -> str | Answer:
    if chat.texts:
        return json.dumps([[len(text), 0.5] for text in chat.texts])
    if "cut" in chat.user:
        return Answer("half of", finish_reason="length")
    return f"{chat.body['model']} read: {chat.user}"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(answer) as running:
        yield running


def at(server: OpenAIServer, **asking: Any) -> Agent:
    return Agent("test-model", base_url=server.base_url, settings=AgentSettings(**asking))


def ran(agent: Any, store: Path, task: Task, **how: Any) -> Run:
    return Executor(agent, store=store, **how).run(task)


def leaf(kind: str, content: str = "the text", **inputs: Any) -> Task:
    return Task(content=content, id="0", type=kind, inputs=inputs, config=TaskConfig(max_retries=0))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


NO_MODEL = ScriptedModel({})


def test_a_template_is_filled_in_with_content_inputs_and_results(store: Path) -> None:
    assert ran(NO_MODEL, store, leaf("prompt", prompt="{{ content }}, {{ n + 1 }}", n=1)).result == "the text, 2"
    root = Task(content="all", id="0", type="prompt")
    first = Task(content="one", id="a", type="prompt", inputs={"prompt": "{{ content | upper }}"})
    then = Task(content="x", id="b", type="prompt", inputs={"prompt": "<{{ results.a }}>"}, dependencies=["a"])
    root.add_subtasks([first, then])
    run = ran(NO_MODEL, store, root)
    assert (run.task.output, run.result) == (["ONE", "<ONE>"], '["ONE", "<ONE>"]')
    assert run.usage.calls == 0


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("{{ contents }}", "'contents' is undefined"),
        ("{% if %}", "line 1:"),
        ("{{ content.__class__.__mro__ }}", "unsafe"),
        ("{{ cycler.__init__.__globals__ }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "a template must be one text"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("  {# nothing #}  ", "is empty once filled in"),
    ],
)
def test_a_template_that_cannot_be_filled_in_fails_its_task(store: Path, prompt: str, words: str) -> None:
    run = ran(NO_MODEL, store, leaf("prompt", prompt=prompt))
    assert words in str(run.error)
    assert run.task.attempts == 1


def test_words_of_others_are_never_read_as_a_template(store: Path) -> None:
    run = ran(NO_MODEL, store, leaf("prompt", content="{{ 7 * 7 }}", prompt="<{{ content }}>"))
    assert run.result == "<{{ 7 * 7 }}>"


def test_a_model_reads_the_text_as_it_stands(server: OpenAIServer, store: Path) -> None:
    run = ran(at(server), store, leaf("generate"))
    assert run.result == "test-model read: the text"
    assert server.chats[0].body["messages"] == [{"role": "user", "content": "the text"}]
    more: dict[str, Any] = {
        "content": "another",
        "system": "Be brief.",
        "model": "other-model",
        "params": {"temperature": 0.5, "stop": "END"},
    }
    run = ran(at(server, sampling=Sampling(seed=1)), store, leaf("generate", **more))
    assert run.result == "other-model read: another"
    body = server.chats[1].body
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert (body["temperature"], body["stop"], body.get("seed")) == (0.5, ["END"], None)


def test_what_a_model_cannot_be_asked_is_named(server: OpenAIServer, store: Path) -> None:
    assert "'heat' is not a sampling setting" in str(ran(at(server), store, leaf("generate", params={"heat": 1})).error)
    assert "so too when 15 words were asked for" in str(
        ran(at(server), store, leaf("generate", content="cut this")).error
    )
    assert "task 0 lacks the input prompt" in str(ran(at(server), store, leaf("rewrite")).error)
    assert len(server.chats) == 2


def test_a_text_is_rewritten_and_so_is_what_another_task_gave(server: OpenAIServer, store: Path) -> None:
    run = ran(at(server), store, leaf("rewrite", prompt="Shorter: {{ content }}"))
    assert run.result == "test-model read: Shorter: the text"
    root = Task(content="all", id="0", type="rewrite")
    draft = Task(content="draft", id="a", type="prompt", inputs={"prompt": "a draft"})
    better = Task(content="x", id="b", type="rewrite", inputs={"prompt": "Better: {{ content }}"}, dependencies=["a"])
    root.add_subtasks([draft, better])
    assert ran(at(server), store, root).task.output == ["a draft", "test-model read: Better: a draft"]


def test_a_list_of_texts_is_rewritten_like_one(server: OpenAIServer, store: Path) -> None:
    task = task_for_each(
        ["one", {"content": "two", "tone": "calm"}], leaf("rewrite", prompt="{{ content }}!", tone="loud")
    )
    run = ran(at(server), store, task)
    assert run.task.output == ["test-model read: one!", "test-model read: two!"]
    assert (run.usage.calls, len(server.chats)) == (2, 2)


def test_the_vector_of_a_text_is_the_output(server: OpenAIServer, store: Path) -> None:
    run = ran(at(server), store, leaf("embed", model="vectors"))
    assert (run.task.output, run.result) == ([8.0, 0.5], "[8.0, 0.5]")
    assert (run.usage.calls, run.usage.input_tokens, run.usage.calls_without_cost) == (1, 2, 1)
    with Store.open(store) as opened:
        (call,) = opened.calls(run.id)
    assert (call.key.purpose, call.model) == ("embed", "vectors")


def test_many_texts_are_embedded_in_batches_in_order(server: OpenAIServer, store: Path) -> None:
    texts = ["x" * n for n in range(1, 151)]
    run = ran(at(server), store, leaf("embed", model="vectors", texts=texts, dimensions=2))
    assert run.task.output == [[float(n), 0.5] for n in range(1, 151)]
    assert [len(chat.texts) for chat in server.chats] == [64, 64, 22]


def sizes(server: OpenAIServer) -> list[int]:
    return [len(chat.texts) for chat in server.chats]


def batches(*, retries: int) -> Task:
    task = leaf("embed", model="vectors", texts=["x" * n for n in range(1, 151)])
    task.config = TaskConfig(max_retries=retries, retry_delay_seconds=0.01)
    return task


def test_a_failed_batch_is_asked_again_and_the_others_are_not(server: OpenAIServer, store: Path) -> None:
    server.fail_next(None, Fault("server_error"), None, Fault("server_error"))
    run = ran(at(server), store, batches(retries=2))
    assert (run.status, run.task.attempts, run.usage.calls) == ("done", 3, 3)
    assert run.task.output == [[float(n), 0.5] for n in range(1, 151)]
    assert sizes(server) == [64, 64, 64, 22, 22], "the second and the third failed once each"


def test_batches_that_arrived_are_kept_when_a_failed_task_is_done_again(server: OpenAIServer, store: Path) -> None:
    server.fail_next(None, None, Fault("server_error"))
    run = ran(at(server), store, batches(retries=0))
    assert run.status == "failed"
    again = Executor.resume(store, run.id, agent=at(server), retry_failed=True)
    assert (again.status, again.usage.calls, sizes(server)) == ("done", 3, [64, 64, 22, 22])
    assert again.task.output == [[float(n), 0.5] for n in range(1, 151)]
    anew = Executor.resume(store, run.id, agent=at(server), from_task="0")
    assert (anew.status, sizes(server)[4:]) == ("done", [64, 64, 22]), "done anew, everything is asked for"


def test_what_are_no_vectors_is_asked_for_again(store: Path) -> None:
    replies = iter(['[["no"]]', "[[1.0, 2.0]]"])
    with OpenAIServer(lambda _: next(replies)) as server:
        task = leaf("embed", model="vectors")
        task.config = TaskConfig(max_retries=1, retry_delay_seconds=0.01)
        assert ran(at(server), store, task).task.output == [1.0, 2.0]


def test_limits_hold_for_vectors_too_and_a_resumed_run_asks_nothing_twice(server: OpenAIServer, store: Path) -> None:
    task = leaf("embed", model="vectors", texts=["x"] * 100)
    run = ran(at(server), store, task, limits=RunLimits(max_calls=1))
    assert run.status == "stopped"
    run = Executor.resume(store, run.id, agent=at(server), limits=RunLimits())
    assert (run.status, len(server.chats), run.usage.calls) == ("done", 2, 2)


def test_a_recorded_run_is_replayed_without_a_model(server: OpenAIServer, store: Path) -> None:
    root = Task(content="all", id="0", type="embed")
    root.add_subtask(Task(content="one", id="a", type="embed", inputs={"model": "vectors"}))
    root.add_subtask(Task(content="two", id="b", type="generate", inputs={"model": "other"}))
    first = ran(at(server), store, root)
    again = Task.from_json(root.to_json())
    for each in again.walk():
        each.reset()
    replayed = ran(Agent(f"replay:{first.id}", store=store), store, again)
    assert replayed.task.output == first.task.output
    assert (len(server.chats), replayed.usage.calls) == (2, 0)


def test_hashing_needs_no_server(store: Path) -> None:
    run = ran(NO_MODEL, store, leaf("embed", model="hashing", dimensions=16))
    assert run.task.output == hashed("the text", 16)
    assert run.cost_usd == 0.0


def test_without_an_embedding_model_the_run_stops_and_says_how_to_get_one(
    store: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ran(NO_MODEL, store, leaf("embed"))
    assert run.status == "stopped"
    assert isinstance(run.cause, NoModelError)
    assert "RAMIFY_EMBEDDING_MODEL=NAME" in str(run.error)
    assert home.exists()
    monkeypatch.setenv("RAMIFY_EMBEDDING_MODEL", "hashing")
    assert Executor.resume(store, run.id, agent=NO_MODEL).status == "done"
