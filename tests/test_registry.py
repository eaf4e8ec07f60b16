import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from ramify.planner.errors import NoModelError, UsageError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.litellm_server import loaded_litellm, missing_keys, token_prices
from ramify.planner.models.local_servers import LOCAL_PORTS, probe_local_servers
from ramify.planner.models.openai_itself import OpenAIModel
from ramify.planner.models.prices import cost_listed, is_provider, listed, prices_listed
from ramify.planner.models.registry import OWN_MODELS, PROVIDERS, list_models, open_model
from ramify.planner.runtime.background import run_sync

from .openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, keys in PROVIDERS.values():
        for key in keys:
            monkeypatch.delenv(key, raising=False)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda _: "hello", models=("one", "two")) as running:
        yield running


@pytest.mark.parametrize("name", [None, "", "  "])
def test_no_name_is_answered_with_the_ways_to_get_a_model(name: str | None) -> None:
    with pytest.raises(NoModelError) as caught:
        open_model(name)
    for way in ("RAMIFY_MODEL", "--model", "--base-url", "--model rules", "--model human"):
        assert way in str(caught.value)


def test_own_models_are_opened_by_name(tmp_path: Path) -> None:
    replies = tmp_path / "replies.txt"
    replies.write_text("yes\n")
    for name in ("rules", "human", f"human:{replies}"):
        model = open_model(name)
        assert model.name.partition(":")[0] == name.partition(":")[0]
        assert not model.is_language_model


@pytest.mark.parametrize(
    ("name", "key", "kind"),
    [
        ("gpt-5-mini", "OPENAI_API_KEY", OpenAIModel),
        ("openai/gpt-5-mini", "OPENAI_API_KEY", OpenAIModel),
        ("openai/of-tomorrow", "OPENAI_API_KEY", OpenAIModel),
        ("gpt-5-pro", "OPENAI_API_KEY", LiteLLMModel),  # the chat API does not know it
        ("ft:gpt-4o-mini-2024-07-18:me::1", "OPENAI_API_KEY", LiteLLMModel),
        ("mistral/mistral-large-latest", "MISTRAL_API_KEY", LiteLLMModel),
    ],
)
def test_a_name_is_opened_when_its_key_is_set(monkeypatch: pytest.MonkeyPatch, name: str, key: str, kind: type) -> None:
    monkeypatch.setenv(key, "k")
    model = open_model(name)
    assert type(model) is kind
    assert (model.name, model.is_language_model) == (name, True)


def test_a_missing_key_is_named_before_any_call() -> None:
    with pytest.raises(NoModelError, match=r"gpt-5-mini needs a key: set OPENAI_API_KEY"):
        open_model("gpt-5-mini")
    with pytest.raises(NoModelError, match=r"anthropic/claude-sonnet-4-5 needs a key: set ANTHROPIC_API_KEY"):
        open_model("anthropic/claude-sonnet-4-5")
    assert isinstance(open_model("anthropic/claude-sonnet-4-5", api_key="k"), LiteLLMModel)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("rule", "rules"),
        ("humans", "human"),
        ("gpt5-mini", "gpt-5-mini"),
        ("antropic/claude-sonnet-4-5", "claude-sonnet"),
    ],
)
def test_an_unknown_name_is_refused_with_what_may_have_been_meant(name: str, meant: str) -> None:
    with pytest.raises(NoModelError, match=rf"there is no model or provider '{name}'; did you mean .*{meant}"):
        open_model(name)


def test_a_name_that_is_like_no_other_is_refused_with_the_ways_to_get_a_model() -> None:
    with pytest.raises(NoModelError, match=r"(?s)no model or provider 'zzqqxx'\. .*--model rules"):
        open_model("zzqqxx")


@pytest.mark.parametrize(
    "name", ["ollama/qwen3", "hosted_vllm/any", "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0"]
)
def test_providers_without_a_key_of_their_own_need_none(name: str) -> None:
    assert isinstance(open_model(name), LiteLLMModel)


@pytest.mark.parametrize("name", ["anything", "rules", "rule", "openai/x", "gpt-5-mini", "Qwen/Qwen3-8B", "tencent/x"])
def test_at_a_base_url_any_name_may_be_known_and_litellm_is_not_asked(name: str) -> None:
    assert isinstance(open_model(name, base_url="http://127.0.0.1:1/v1"), DirectModel)


@pytest.mark.parametrize("name", ["ollama/x", "anthropic/x", "hosted_vllm/x", "azure/x", "gemini/x"])
def test_at_a_base_url_a_name_of_another_provider_goes_through_litellm(name: str) -> None:
    assert isinstance(open_model(name, base_url="http://127.0.0.1:1/v1"), LiteLLMModel)


@pytest.mark.parametrize("port", [99999, 65536, 0])
def test_a_port_that_there_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(UsageError, match=f"port {port} is out of range; use 1 to 65535"):
        open_model("x", base_url=f"http://ann:pw@127.0.0.1:{port}/v1")


@pytest.mark.parametrize("base_url", ["http://h:port/v1", "http://[::1/v1"])
def test_what_cannot_be_read_as_an_address_is_refused(base_url: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        open_model("x", base_url=base_url)


def test_an_address_without_a_port_or_with_the_last_one_is_taken() -> None:
    for base_url in ("http://h/v1", "http://[::1]/v1", "http://[::1]:65535/v1", "https://ann:99999@h/v1"):
        assert isinstance(open_model("x", base_url=base_url), DirectModel)


@pytest.mark.parametrize("base_url", ["localhost:8080", "ftp://x/v1", ""])
def test_a_base_url_has_to_be_an_address(base_url: str) -> None:
    with pytest.raises(UsageError, match="must start with http"):
        open_model("m", base_url=base_url)


def test_what_openais_models_cost_and_can_is_as_litellm_knows_it() -> None:
    litellm = run_sync(loaded_litellm())
    names = [name for name, entry in litellm.model_cost.items() if entry.get("litellm_provider") == "openai"]
    chats = [name for name in names if listed(name).get("mode") == "chat" and "audio" not in name]
    assert len(chats) > 50
    usage = {"prompt_tokens": 300_000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 100_000}}
    response = litellm.ModelResponse(usage=usage)
    for name in chats:
        wired = f"openai/{name}"
        assert prices_listed(name) == token_prices(name), name
        assert bool(listed(name).get("supports_function_calling")) is litellm.supports_function_calling(wired), name
        cost = litellm.completion_cost(completion_response=response, model=wired)
        mine = cost_listed(name, input_tokens=300_000, output_tokens=100, cached_tokens=100_000)
        assert mine == pytest.approx(cost), name


def test_providers_are_known_without_litellm() -> None:
    assert {name for name in ("anthropic", "ollama", "gemini", "azure", "hosted_vllm") if is_provider(name)} == {
        "anthropic", "ollama", "gemini", "azure", "hosted_vllm",
    }  # fmt: skip
    assert not any(map(is_provider, ("Qwen", "meta-llama", "google", "tencent", "")))


def test_rules_takes_no_argument() -> None:
    with pytest.raises(UsageError, match="rules takes no argument"):
        open_model("rules:x")


def test_the_list_tells_what_can_be_used_here_and_names_keys_without_showing_them() -> None:
    infos = {info.name: info for info in list_models({"MISTRAL_API_KEY": "hush", "GOOGLE_API_KEY": "hush"})}
    assert all(infos[name].is_usable for name in OWN_MODELS)
    assert infos["mistral/mistral-large-latest"].is_usable
    assert infos["gemini/gemini-2.5-flash"].is_usable
    assert infos["gpt-5-mini"].missing == "OPENAI_API_KEY is not set"
    assert "hush" not in repr(infos)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_providers_listed_are_as_litellm_knows_them(provider: str) -> None:
    example, keys = PROVIDERS[provider]
    assert missing_keys(example) == tuple(sorted(keys))


def test_local_servers_that_answer_are_found_with_their_models(server: OpenAIServer) -> None:
    with OpenAIServer(lambda _: "hello") as gone:
        closed = gone.port
    (found,) = asyncio.run(probe_local_servers({"ours": server.port, "none": closed}))
    assert (found.program, found.base_url, found.models) == ("ours", server.base_url, ("one", "two"))


def test_the_usual_servers_are_looked_for() -> None:
    assert set(LOCAL_PORTS.values()) == {11434, 8080, 8000, 1234}


def test_a_port_that_speaks_something_else_or_nothing_is_no_server() -> None:
    async def scene(first_words: bytes) -> int:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first_words)
            await (writer.drain() if first_words else reader.read())
            writer.close()

        listener = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            return len(await probe_local_servers({"odd": port}, timeout_s=0.2))

    for words in (
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"",
    ):
        assert asyncio.run(scene(words)) == 0
