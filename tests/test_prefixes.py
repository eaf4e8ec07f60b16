"""What caches of providers are told of prompts that begin alike."""

from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor
from ramify.planner.models.direct import prompt_cache_at
from ramify.planner.models.litellm_server import prompt_cache_listed
from ramify.planner.models.prompt_cache import BREAKPOINT, CACHE_CONTROL, PromptCache
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.models.served import wire_arguments
from ramify.planner.store import Store
from ramify.planner.testing import Script, ScriptedModel
from ramify.tasks import Material, Task

from .openai_server import Answer, Chat, Fault, OpenAIServer

DOCUMENT = "\n".join(f"Line {number} of what all of them read." for number in range(400))
OWN = "Only one of them reads this."


class Provider(ScriptedModel):
    """A scripted model whose provider keeps what prompts begin with."""

    def __init__(self, cache: PromptCache, script: Script = ()) -> None:
        super().__init__(script)
        self._cache = cache

    async def prompt_cache(self) -> PromptCache:
        return self._cache


def tree(*contents: str, own: bool = False) -> Task:
    root = Task(content="Study it", id="0", attachments=(Material(name="doc", text=DOCUMENT),))
    root.add_subtasks([Task(content=content, id=f"0.{number}") for number, content in enumerate(contents, 1)])
    if own:
        root.subtasks[0].attachments = (Material(name="own", text=OWN),)
    return root


def answer(chat: Chat) -> str:
    return f"<result>answer {chat.number}</result>"


def run_at(server: OpenAIServer, root: Task, store: Path, *, model: str = "gpt-5-mini") -> Any:
    return Executor(Agent(model, base_url=server.base_url, api_key="k"), store=store / "runs.db").run(root)


def blocks(chat: Chat) -> list[dict[str, Any]]:
    content = next(each["content"] for each in chat.body["messages"] if each["role"] == "user")
    return content if isinstance(content, list) else [{"text": content}]


def words(chat: Chat) -> str:
    return "".join(block["text"] for block in blocks(chat))


def executed(server: OpenAIServer) -> list[Chat]:
    return [chat for chat in server.chats if "Do this task:" in words(chat)]


def test_all_requests_of_a_run_have_one_key_and_other_runs_have_another(tmp_path: Path) -> None:
    with OpenAIServer(answer) as server:
        for _ in range(2):
            run_at(server, tree("Axe", "Bow"), tmp_path)
    keys = [chat.body["prompt_cache_key"] for chat in server.chats]
    assert len(keys) == 6
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1
    assert keys[0] != keys[3]


def test_a_run_that_is_resumed_keeps_its_key(tmp_path: Path) -> None:
    def fails_at_first(chat: Chat) -> str | Fault:
        return Fault("filtered") if "Bow" in words(chat) and chat.number < 3 else answer(chat)

    with OpenAIServer(fails_at_first) as server:
        agent = Agent("gpt-5-mini", base_url=server.base_url, api_key="k")
        store = tmp_path / "runs.db"
        run = Executor(agent, store=store, jobs=1).run(tree("Axe", "Bow"))
        asked = len(server.chats)
        Executor.resume(store, run.id, agent=agent, retry_failed=True)
    assert 0 < asked < len(server.chats)
    assert len({chat.body["prompt_cache_key"] for chat in server.chats}) == 1


@pytest.mark.parametrize(
    ("name", "key", "mark"),
    [("gpt-5-mini", True, None), ("gpt-5.6", True, BREAKPOINT), ("my-model", False, None)],
)
def test_what_is_told_follows_from_the_model(tmp_path: Path, name: str, *, key: bool, mark: str | None) -> None:
    with OpenAIServer(answer) as server:
        run_at(server, tree("Axe", "Bow"), tmp_path, model=name)
    for chat in executed(server):
        assert ("prompt_cache_key" in chat.body) is key
        assert ("prompt_cache_options" in chat.body) is (mark is not None)
        assert [BREAKPOINT in block for block in blocks(chat)] == ([True, False] if mark else [False])


def test_a_mark_stands_behind_what_siblings_share_and_changes_no_words(tmp_path: Path) -> None:
    with OpenAIServer(answer) as server:
        run_at(server, tree("Axe", "Bow"), tmp_path, model="gpt-5.6")
        run_at(server, tree("Axe", "Bow"), tmp_path, model="my-model")
    marked, plain = executed(server)[:2], executed(server)[2:]
    first, second = (blocks(chat)[0] for chat in marked)
    assert first == second
    assert DOCUMENT in first["text"]
    assert first["text"].endswith(">")
    assert "Study it" in first["text"]
    assert [len(words(chat)) for chat in marked] == [len(words(chat)) for chat in plain]


def test_what_only_one_of_them_reads_is_not_in_front_of_the_mark(tmp_path: Path) -> None:
    with OpenAIServer(answer) as server:
        run_at(server, tree("Axe", "Bow", own=True), tmp_path, model="gpt-5.6")
    own = next(chat for chat in executed(server) if OWN in words(chat))
    assert DOCUMENT in blocks(own)[0]["text"]
    assert OWN not in blocks(own)[0]["text"]


def test_a_task_without_siblings_has_no_mark(tmp_path: Path) -> None:
    with OpenAIServer(answer) as server:
        run_at(server, tree(), tmp_path, model="gpt-5.6")
    assert all(BREAKPOINT not in block for chat in server.chats for block in blocks(chat))


def test_what_caches_are_told_is_in_no_record(tmp_path: Path) -> None:
    with OpenAIServer(answer) as server:
        told = run_at(server, tree("Axe", "Bow"), tmp_path, model="gpt-5.6")
        records = []
        with Store.open(tmp_path / "runs.db") as store:
            records = list(store.calls(told.id))
        replayed = Executor(f"replay:{told.id}", store=tmp_path / "runs.db").run(tree("Axe", "Bow"))
    assert replayed.result == told.result
    assert not [record for record in records if "cache" in str(record.request.keys())]
    assert all(isinstance(message["content"], str) for record in records for message in record.request["messages"])


REFUSED = Fault("bad_request", message="Unrecognized request argument supplied: prompt_cache_key")


def test_a_server_that_refuses_the_key_is_told_so_once_and_spared_it(tmp_path: Path) -> None:
    def strict(chat: Chat) -> str | Fault:
        return REFUSED if "prompt_cache_key" in chat.body else answer(chat)

    said: list[str] = []
    with OpenAIServer(strict) as server:
        agent = Agent("gpt-5-mini", base_url=server.base_url, api_key="k")
        told = Executor(
            agent,
            store=tmp_path / "runs.db",
            jobs=1,
            on_event=lambda event: said.append(event.data.get("message", "")),
        ).run(tree("Axe", "Bow"))
    assert told.task.state.value == "DONE"
    assert ["prompt_cache_key" in chat.body for chat in server.chats] == [True, False, False, False]
    warnings = [each for each in said if "cache" in each]
    assert len(warnings) == 1
    assert "from here on requests say nothing to its cache of prompts" in warnings[0]


def test_a_request_that_is_bad_in_itself_fails_as_before(tmp_path: Path) -> None:
    with OpenAIServer(lambda _: Fault("bad_request")) as server:
        agent = Agent("gpt-5-mini", base_url=server.base_url, api_key="k")
        run = Executor(agent, store=tmp_path / "runs.db").run(Task(content="Axe", id="0"))
    assert "Invalid value for 'temperature'" in str(run.error)


def test_tables_say_how_prompts_are_kept() -> None:
    assert prompt_cache_at("gpt-5.6", None) == PromptCache(takes_key=True, mark=BREAKPOINT, read=0.1, write=1.25)
    assert prompt_cache_at("my-model", "http://127.0.0.1:8080/v1") is None
    assert prompt_cache_at("my-model", "http://[nothing") is None
    assert prompt_cache_at("ft:mine", "https://eu.api.openai.com/v1") == PromptCache(takes_key=True)
    assert prompt_cache_at("ft:mine", "https://api.openai.com.example.org/v1") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic/claude-haiku-4-5", PromptCache(mark=CACHE_CONTROL, least_tokens=4096, read=0.1, write=1.25)),
        ("openrouter/anthropic/claude-of-tomorrow", PromptCache(mark=CACHE_CONTROL)),
        ("azure/gpt-4o-mini", PromptCache(takes_key=True, read=0.5)),
        ("groq/nobody-knows-it", None),
    ],
)
def test_the_table_of_litellm_says_it_for_other_providers(name: str, expected: PromptCache | None) -> None:
    found = prompt_cache_listed(name)
    assert found == expected


def claude_at(server: OpenAIServer, store: Path) -> Any:
    address = server.base_url.removesuffix("/v1")
    agent = Agent("anthropic/claude-sonnet-4-5", base_url=address, api_key="k")
    return Executor(agent, store=store / "runs.db", jobs=1).run(tree("Axe", "Bow"))


def test_claude_is_told_by_marks_and_writes_and_reads_have_their_prices(tmp_path: Path) -> None:
    counted = {"input_tokens": 100, "output_tokens": 10, "cache_creation_input_tokens": 4000}
    with OpenAIServer(lambda _: Answer("<result>x</result>", usage=counted)) as server:
        run = claude_at(server, tmp_path)
        first, second, whole = server.chats
    assert first.path == "/v1/messages"
    assert blocks(first)[0] == blocks(second)[0]
    assert blocks(first)[0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in str(whole.body)
    assert [len(blocks(chat)) for chat in (first, second)] == [2, 2]
    used = run.task.subtasks[0].usage
    assert used.input_tokens == 4100
    assert used.cost_usd == pytest.approx(100 * 3e-6 + 4000 * 3.75e-6 + 10 * 15e-6)


@pytest.mark.parametrize(
    ("system", "shared", "marked"),
    [
        ("s" * 2000, 0, ["s" * 2000]),
        ("s" * 20, 0, []),
        ("s" * 1000, 30, ["u" * 30]),
        ("", 0, []),
        ("s" * 2000, None, []),
    ],
)
def test_what_is_too_short_to_be_kept_is_not_marked(system: str, shared: int | None, marked: list[str]) -> None:
    request = ModelRequest(
        purpose="execute",
        task_id="0",
        messages=({"role": "system", "content": system}, {"role": "user", "content": "u" * 50}),
        cache_key="k",
        shared=shared,
    )
    messages = wire_arguments(request, has_bounds=True, cache=PromptCache(mark=CACHE_CONTROL))["messages"]
    parts = [part for each in messages if isinstance(each["content"], list) for part in each["content"]]
    assert [part["text"] for part in parts if CACHE_CONTROL in part] == marked
