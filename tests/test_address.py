"""The secrets of a server's address go into requests, and nowhere else; files with a run's words are private."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ramify.planner import Executor, Strategy
from ramify.planner.api import solve
from ramify.planner.errors import ModelError, NoModelError, UsageError
from ramify.planner.events.lines import EventFile
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.registry import open_model
from ramify.planner.runtime.background import run_sync
from ramify.planner.settings.settings import load_settings
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .openai_server import Chat, OpenAIServer
from .test_transports import REQUEST

PASSWORD, TOKEN = "hunter22pw", "t0ken-of-mine"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda _: "<result>four</result>") as running:
        yield running


def secret_address(server: OpenAIServer) -> str:
    return server.base_url.replace("//", f"//ann:{PASSWORD}@") + f"?token={TOKEN}"


def files_with_secrets(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [path.name for secret in (PASSWORD, TOKEN) if secret.encode() in data]
    return found


@pytest.mark.fault("2.10")
def test_secrets_of_an_address_are_sent_and_written_nowhere(
    server: OpenAIServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = tmp_path / "runs.db"
    run = solve(
        "2 + 2", model="m", base_url=secret_address(server), max_depth=1, store=store, record=tmp_path / "calls.jsonl"
    )
    assert run.result == "four"
    chat: Chat = server.chats[0]
    assert (chat.query, chat.headers["authorization"]) == (f"token={TOKEN}", "Basic YW5uOmh1bnRlcjIycHc=")
    run.report(tmp_path / "r.html")
    run.report(tmp_path / "r.json")
    with Store.open(store) as opened:
        opened.export_run(run.id, tmp_path / "run.jsonl")
        stored = opened.find_run(run.id).settings["agent"]["base_url"]
    assert stored == server.base_url.replace("//", "//***@") + "?token=***"
    assert files_with_secrets(tmp_path) == []
    assert PASSWORD not in caplog.text
    assert TOKEN not in caplog.text
    assert "YW5uOmh1bnRlcjIycHc" not in caplog.text


@pytest.mark.fault("2.10")
def test_errors_do_not_show_the_secrets_of_an_address(server: OpenAIServer) -> None:
    address = secret_address(server)
    server.refuse()
    with pytest.raises(ModelError) as caught:
        run_sync(LiteLLMModel("m", base_url=address).complete(REQUEST))
    for text in (str(caught.value), repr(LiteLLMModel("m", base_url=address))):
        assert PASSWORD not in text
        assert TOKEN not in text
        assert "***@127.0.0.1" in text


@pytest.mark.fault("2.10")
@pytest.mark.parametrize("address", [f"ftp://ann:{PASSWORD}@h/v1", f"ann:{PASSWORD}@h/v1", f"h/v1?token={PASSWORD}"])
def test_an_address_that_is_refused_is_shown_without_its_secrets(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_model("m", base_url=address)
    assert PASSWORD not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.fault("2.10")
def test_a_resumed_run_is_given_the_whole_address_by_the_settings_or_says_that_it_needs_it(
    server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, address = tmp_path / "runs.db", secret_address(server)
    server.refuse()
    run = solve("2 + 2", model="m", base_url=address, max_depth=1, store=store, max_wait_seconds=0)
    assert run.status == "stopped"
    server.go_on()
    with pytest.raises(NoModelError, match="whose password is never stored: pass the whole address again"):
        Executor.resume(store, run.id)
    monkeypatch.setenv("RAMIFY_BASE_URL", address)
    assert load_settings().base_url == address
    assert Executor.resume(store, run.id).result == "four"
    assert files_with_secrets(tmp_path) == []


@pytest.mark.fault("2.10")
def test_an_address_with_secrets_is_no_parameter_of_a_sweep() -> None:
    grid = {"base_url": [f"http://ann:{PASSWORD}@h/v1", "http://h/v1"]}
    with pytest.raises(UsageError, match="parameters are stored") as caught:
        Strategy("places", "2 + 2", grid)
    assert PASSWORD not in str(caught.value)


@pytest.mark.fault("2.10")
@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_files_with_the_words_of_a_run_are_their_owners_alone(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    model = ScriptedModel({"*": "<result>four</result>"})
    run = Executor(model, store=store, record=tmp_path / "calls.jsonl").run(Task(content="2 + 2", id="0"))
    for name in ("r.html", "r.md", "r.json", "r.csv"):
        run.report(tmp_path / name)
    run.save(tmp_path / "g.svg")
    with Store.open(store) as opened:
        opened.export_run(run.id, tmp_path / "run.jsonl")
    EventFile(tmp_path / "events.jsonl", run.id).close()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir() if path.is_file()}
    assert len(modes) >= 9
    assert {name for name, mode in modes.items() if mode != 0o600} == set()
