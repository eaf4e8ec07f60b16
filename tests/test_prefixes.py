"""What caches of providers are told of prompts that begin alike, and which of such prompts goes ahead."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, RunLimits
from ramify.planner.asking.prefixes import KEPT_S, Prefixes
from ramify.planner.errors import ModelError
from ramify.planner.models.direct import prompt_cache_at
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.litellm_server import prompt_cache_listed
from ramify.planner.models.prompt_cache import BREAKPOINT, CACHE_CONTROL, PromptCache
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.models.served import wire_arguments
from ramify.planner.runtime.background import run_sync
from ramify.planner.store import Store
from ramify.planner.testing import Script, ScriptedModel
from ramify.prompts.rendered import Message
from ramify.tasks import Material, Task

from .openai_server import Answer, Chat, Fault, OpenAIServer
from .patience import HANG_S

CHEAP = PromptCache(takes_key=True, read=0.1)
DOCUMENT = "\n".join(f"Line {number} of what all of them read." for number in range(400))
OWN = "Only one of them reads this."


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


class Provider(ScriptedModel):
    """A scripted model whose provider keeps what prompts begin with."""

    def __init__(self, cache: PromptCache, script: Script = ()) -> None:
        super().__init__(script)
        self._cache = cache

    async def prompt_cache(self) -> PromptCache:
        return self._cache


def request_of(task_id: str, document: str = DOCUMENT) -> ModelRequest:
    text = f'<data-n kind="goal">\n{document}\n</data-n>\nDo this task: {task_id}'
    messages = (Message(role="system", content="Answer."), Message(role="user", content=text))
    return ModelRequest(purpose="execute", task_id=task_id, messages=messages, nonce="n")


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
    assert "prompt cache hints are off for the rest of the run" in warnings[0]


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


LOOK = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TALK = ModelRequest(
    purpose="execute",
    task_id="0",
    messages=(
        Message(role="system", content="s" * 2000),
        Message(role="user", content="Look."),
        Message(role="assistant", content="", tool_calls=[CALL]),
        Message(role="tool", content="Seen.", tool_call_id="c1"),
    ),
    tools=(LOOK,),
    cache_key="k",
    shared=0,
)


def test_claude_keeps_a_conversation_with_tools_up_to_its_end_and_is_told_no_words_of_others() -> None:
    with OpenAIServer(answer) as server:
        address = server.base_url.removesuffix("/v1")
        run_sync(LiteLLMModel("anthropic/claude-sonnet-4-5", base_url=address, api_key="k").complete(TALK))
        body = server.chats[0].body
    mark = {"type": "ephemeral"}
    assert [block.get("cache_control") for block in body["system"]] == [mark]
    said, told = (message["content"] for message in body["messages"][1:])
    assert [block["type"] for block in said] == ["tool_use"]
    assert told[0]["content"] == [{"type": "text", "text": "Seen.", "cache_control": mark}]
    assert str(body).count("cache_control") == 2


def test_openai_keeps_a_conversation_with_tools_by_itself() -> None:
    told = wire_arguments(TALK, has_bounds=True, cache=PromptCache(takes_key=True, mark=BREAKPOINT))
    assert "prompt_cache_options" not in told
    assert [isinstance(message["content"], list) for message in told["messages"]] == [True, False, False, False]


@pytest.mark.parametrize(("mark", "marked"), [(CACHE_CONTROL, [True, False, True]), (BREAKPOINT, [True, False, False])])
def test_a_conversation_that_may_go_on_is_kept_up_to_its_end(mark: str, marked: list[bool]) -> None:
    said = (*TALK.messages[:2], Message(role="assistant", content="Seen."))
    chain = replace(TALK, messages=said, tools=(), goes_on=True)
    told = wire_arguments(chain, has_bounds=True, cache=PromptCache(takes_key=True, mark=mark))
    assert "prompt_cache_options" not in told
    assert [isinstance(message["content"], list) for message in told["messages"]] == marked


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


class Scene:
    """Prompts that begin alike, asked at once, of a model that answers each when it is told to.

    Args:
        count: how many prompts there are.
        cache: what is known of the provider's cache.
        document: what they begin with.
    """

    def __init__(self, count: int, *, cache: PromptCache = CHEAP, document: str = DOCUMENT) -> None:
        self.asked: dict[str, asyncio.Future[str]] = {}
        self.time_s = 0.0
        self._document = document
        self._tasks = tree(*(f"Task {number}" for number in range(count))).subtasks
        self._prefixes = Prefixes(Provider(cache), self._warn, seed="seed", now=lambda: self.time_s)
        self.jobs = [asyncio.ensure_future(self.ask(number)) for number in range(count)]

    def _warn(self, *_: object) -> None:
        raise AssertionError

    async def ask(self, number: int) -> ModelReply:
        task = self._tasks[number]
        return await self._prefixes.ask(task, request_of(task.id, self._document), self._make)

    async def _make(self, task: Task, _: ModelRequest) -> ModelReply:
        said = self.asked[task.id] = asyncio.get_running_loop().create_future()
        return ModelReply(text=await said, model="m")

    async def who(self) -> list[str]:
        """Return whose prompts are asked, once nothing moves any more."""
        for _ in range(50):
            await asyncio.sleep(0)
        return list(self.asked)

    def answer(self, *names: str, error: Exception | None = None) -> None:
        for name in names:
            said = self.asked[name]
            said.set_result("x") if error is None else said.set_exception(error)


FILTERED = ModelError("no", kind="content_filtered", model="m")


@on_loop
async def test_the_first_of_prompts_that_begin_alike_goes_ahead_alone() -> None:
    scene = Scene(4)
    assert await scene.who() == ["0.1"]
    scene.answer("0.1")
    assert await scene.who() == ["0.1", "0.2", "0.3", "0.4"]
    scene.answer("0.2", "0.3", "0.4")
    assert len(await asyncio.gather(*scene.jobs)) == 4


@on_loop
async def test_after_a_first_that_fails_the_next_one_goes_ahead() -> None:
    scene = Scene(4)
    await scene.who()
    scene.answer("0.1", error=FILTERED)
    assert await scene.who() == ["0.1", "0.2"]
    scene.answer("0.2")
    assert await scene.who() == ["0.1", "0.2", "0.3", "0.4"]
    scene.answer("0.3", "0.4")
    ended = await asyncio.gather(*scene.jobs, return_exceptions=True)
    assert [isinstance(each, ModelError) for each in ended] == [True, False, False, False]


@on_loop
async def test_a_first_that_is_given_up_holds_nobody_back() -> None:
    scene = Scene(3)
    await scene.who()
    scene.jobs[0].cancel()
    assert await scene.who() == ["0.1", "0.2"]
    scene.jobs[2].cancel()
    scene.answer("0.2")
    ended = await asyncio.gather(*scene.jobs, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in ended] == [True, False, True]


@on_loop
async def test_nobody_waits_for_more_than_two() -> None:
    scene = Scene(5)
    await scene.who()
    scene.answer("0.1", error=FILTERED)
    await scene.who()
    scene.answer("0.2", error=FILTERED)
    assert await scene.who() == ["0.1", "0.2", "0.3", "0.4", "0.5"]
    scene.answer("0.3", "0.4", "0.5")
    await asyncio.gather(*scene.jobs, return_exceptions=True)


@pytest.mark.parametrize(
    ("cache", "document"),
    [
        (PromptCache(takes_key=True), DOCUMENT),
        (PromptCache(takes_key=True, read=0.1, least_tokens=4096), DOCUMENT),
        (CHEAP, "too short to be kept"),
    ],
    ids=["no cheaper", "longer than that is kept", "too short"],
)
@on_loop
async def test_all_go_at_once_where_waiting_saves_nothing(cache: PromptCache, document: str) -> None:
    scene = Scene(3, cache=cache, document=document)
    assert await scene.who() == ["0.1", "0.2", "0.3"]
    scene.answer(*scene.asked)
    await asyncio.gather(*scene.jobs)


@on_loop
async def test_what_was_read_is_forgotten_after_some_minutes() -> None:
    scene = Scene(3)
    await scene.who()
    scene.answer("0.1")
    await scene.who()
    scene.answer("0.2", "0.3")
    await asyncio.gather(*scene.jobs)
    scene.asked.clear()
    for time_s, asked in ((KEPT_S - 1, ["0.2", "0.3"]), (3 * KEPT_S, ["0.2"])):
        scene.time_s = time_s
        jobs = [asyncio.ensure_future(scene.ask(number)) for number in (1, 2)]
        assert await scene.who() == asked
        scene.answer(*asked)
        await scene.who()
        scene.answer(*scene.asked.keys() - asked)
        await asyncio.gather(*jobs)
        scene.asked.clear()


def test_functions_do_not_wait_for_prompts_that_begin_alike(tmp_path: Path) -> None:
    began: list[str] = []
    is_done = threading.Event()

    def look(task: Task) -> str:
        is_done.set()
        return f"looked at {task.id}"

    async def answers(request: ModelRequest) -> str:
        began.append(request.task_id)
        if len(began) == 1:
            await asyncio.to_thread(is_done.wait, HANG_S)
        return "<result>x</result>"

    root = tree("Axe", "Bow", "Cup")
    root.add_subtasks([Task(content="Look", id="0.4", type="look")])
    executor = Executor(Provider(CHEAP, answers), store=tmp_path / "runs.db", jobs=4, workers={"look": look})
    assert executor.run(root).result == "x"
    assert began[0] == "0.1"


def test_a_run_that_is_resumed_has_the_first_of_what_is_left_go_ahead(tmp_path: Path) -> None:
    told: list[str] = []

    async def answers(request: ModelRequest) -> str:
        told.append(f"{request.task_id} begins")
        for _ in range(50):
            await asyncio.sleep(0)
        told.append(f"{request.task_id} ends")
        return "<result>x</result>"

    store, model = tmp_path / "runs.db", Provider(CHEAP, answers)
    run = Executor(model, store=store, jobs=4, limits=RunLimits(max_calls=1)).run(tree("Axe", "Bow", "Cup", "Dye"))
    assert told == ["0.1 begins", "0.1 ends"]
    again = Executor.resume(store, run.id, agent=Agent(model), limits=RunLimits(max_calls=100))
    assert again.result == "x"
    assert told[2:6] == ["0.2 begins", "0.2 ends", "0.3 begins", "0.4 begins"]
