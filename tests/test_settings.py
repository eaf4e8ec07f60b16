"""Where settings come from, and which of several places is believed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ramify.planner.asking.agent import Agent, model_and_server
from ramify.planner.cli import main
from ramify.planner.errors import NoModelError, UsageError
from ramify.planner.settings.layers import check_environment, unknown_variables
from ramify.planner.settings.settings import load_settings, store_place
from ramify.planner.store import DEFAULT_STORE

Place = Callable[[int], dict[str, int]]
"""Says in one place that jobs is a number; returns what is given in the call."""


def in_call(jobs: int) -> dict[str, int]:
    return {"jobs": jobs}


def in_variable(jobs: int) -> dict[str, int]:
    os.environ["RAMIFY_JOBS"] = str(jobs)
    return {}


def in_dotenv(jobs: int) -> dict[str, int]:
    Path(".env").write_text(f"OPENAI_API_KEY=x\nRAMIFY_JOBS={jobs}\n", encoding="utf-8")
    return {}


def in_ramify_toml(jobs: int) -> dict[str, int]:
    Path("ramify.toml").write_text(f"jobs = {jobs}\n", encoding="utf-8")
    return {}


def in_pyproject(jobs: int) -> dict[str, int]:
    Path("pyproject.toml").write_text(f"[project]\nname = 'x'\n[tool.ramify]\njobs = {jobs}\n", encoding="utf-8")
    return {}


def in_user_config(jobs: int) -> dict[str, int]:
    path = Path(os.environ["XDG_CONFIG_HOME"], "ramify", "config.toml")
    path.parent.mkdir(parents=True)
    path.write_text(f"jobs = {jobs}\n", encoding="utf-8")
    return {}


PLACES: tuple[tuple[Place, str], ...] = (
    (in_call, "the call"),
    (in_variable, "RAMIFY_JOBS"),
    (in_dotenv, "RAMIFY_JOBS in .env"),
    (in_ramify_toml, "ramify.toml"),
    (in_pyproject, "pyproject.toml"),
    (in_user_config, "config.toml"),
)


@pytest.fixture(autouse=True)
def _clean(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIFY_JOBS", "")  # so that what a test sets is taken back
    assert home.is_dir()


@pytest.mark.parametrize("strongest", range(len(PLACES)))
def test_the_first_place_that_says_something_is_believed(strongest: int) -> None:
    given: dict[str, int] = {}
    for jobs, (place, _) in enumerate(PLACES[strongest:], 1):
        given.update(place(jobs))
    settings = load_settings(**given)
    assert settings.jobs == 1
    assert settings.sources["jobs"].endswith(PLACES[strongest][1])


def test_without_a_word_from_anybody_defaults_hold() -> None:
    settings = load_settings(jobs=None, model=None)
    assert (settings.jobs, settings.on_error, settings.synchronous, settings.model) == (8, "continue", "FULL", None)
    assert set(settings.sources.values()) == {"default"}


def test_places_are_believed_setting_by_setting() -> None:
    in_ramify_toml(3)
    Path("pyproject.toml").write_text("[tool.ramify]\njobs = 9\nmodel = 'rules'\n", encoding="utf-8")
    settings = load_settings(max_depth=2)
    assert (settings.jobs, settings.model, settings.max_depth) == (3, "rules", 2)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("ramify.toml", "modle = 'rules'", r"ramify\.toml:1: modle is not a setting; did you mean model\?"),
        ("pyproject.toml", "[tool.ramify]\nmax-depth = 2", r"pyproject\.toml:2: max-depth .* did you mean max_depth\?"),
        (".env", "RAMIFY_STROE=x", r"\.env: RAMIFY_STROE is not a setting; did you mean RAMIFY_STORE\?"),
        (
            "ramify.toml",
            "api_key = 'x'",
            r"ramify\.toml:1: api_key is not a setting; set keys in .*OPENAI_API_KEY",
        ),
        ("ramify.toml", "jobs = ?\n", r"the settings file ramify\.toml cannot be read: .*line 1"),
        (
            "ramify.toml",
            "jobs = 0",
            r"the setting jobs \(from ramify\.toml:1\) cannot be used: it is 0; it must be at least 1",
        ),
        ("pyproject.toml", "[tool]\nramify = 1", r"pyproject\.toml: tool\.ramify must be a table"),
        (".env", "RAMIFY_JOBS=many", r"the setting jobs \(from RAMIFY_JOBS in \.env\) cannot be used: .*whole number"),
        (
            "ramify.toml",
            "on_error = 'ignore'",
            r"on_error \(from ramify\.toml:1\) .*'continue', 'partial' or 'stop'",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(file: str, text: str, message: str) -> None:
    Path(file).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_settings()


def test_a_settings_file_that_is_no_text_is_named() -> None:
    Path("ramify.toml").write_bytes(b"model = '\xff'")
    with pytest.raises(UsageError, match=r"ramify\.toml cannot be read"):
        load_settings()


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the call: job is not a setting; did you mean jobs\?"):
        load_settings(job=3)


def test_a_pyproject_of_something_else_says_nothing() -> None:
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n[tool.other]\njobs = 1\n", encoding="utf-8")
    assert load_settings().sources["jobs"] == "default"


def test_a_named_settings_file_stands_for_the_project_s(monkeypatch: pytest.MonkeyPatch) -> None:
    in_ramify_toml(3)
    Path("other.toml").write_text("jobs = 5\n", encoding="utf-8")
    monkeypatch.setenv("RAMIFY_CONFIG", "other.toml")
    assert load_settings().jobs == 5


def test_a_named_settings_file_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIFY_CONFIG", "other.toml")
    with pytest.raises(UsageError, match=r"other\.toml, set by RAMIFY_CONFIG, does not exist"):
        load_settings()


def test_variables_that_only_look_like_settings_are_told_of() -> None:
    environment = {"RAMIFY_MODLE": "x", "RAMIFY_MODEL": "y", "RAMIFY_CONFIG": "z", "RAMIFY_ISOLATED": "1", "PATH": "p"}
    assert unknown_variables(environment) == {"RAMIFY_MODLE": "the nearest name is RAMIFY_MODEL"}


def test_an_unknown_variable_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RAMIFY_PARALLEL_JOBS", "3")
    assert main(["prompts", "list"]) == 0
    told = "RAMIFY_PARALLEL_JOBS in the environment is not a setting and has no effect; the nearest name is RAMIFY_"
    assert f"ramify: warning: {told}" in capsys.readouterr().err
    load_settings()
    load_settings()
    warned = [record.message for record in caplog.records if "RAMIFY_PARALLEL_JOBS" in record.message]
    assert len(warned) == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RAMIFY_MAX_CALL", "RAMIFY_MAX_CALLS"),
        ("ramify_modle", "RAMIFY_MODEL"),
        ("RAMIFY_MAX_COST", "RAMIFY_MAX_COST_USD"),
        ("RAMIFY_FAILPIONT", "RAMIFY_FAILPOINT"),
    ],
)
def test_a_misspelled_variable_is_refused_by_every_command_and_in_python(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(UsageError, match=rf"{name} in the environment is not a setting; did you mean {meant}\?"):
        load_settings()
    for words in (["runs", "--store", "runs.db"], ["prompts", "list"], ["solve", "1+1", "--model", "rules"]):
        assert main(words) == 2
    assert main(["solve", "--help"]) == 0
    assert not list(Path().glob("**/*.db"))


@pytest.mark.parametrize(
    "name", ["RAMIFY_WRITE_GOLDEN", "RAMIFY_ISOLATED", "RAMIFY_HOSTILE_REPLIES", "RAMIFY_GREETING", "RAMIFY_DEBUG"]
)
def test_variables_of_others_are_let_alone(name: str) -> None:
    check_environment({name: "1", "RAMIFY_MODLE": ""})


def test_the_store_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_place(None) == DEFAULT_STORE
    monkeypatch.setenv("RAMIFY_STORE", "~/runs.db")
    assert store_place(None) == str(Path("~/runs.db").expanduser())
    assert store_place("here.db") == "here.db"


def test_the_password_of_a_store_is_not_shown() -> None:
    assert "secret" not in repr(load_settings(store="postgresql://ann:secret@db/runs"))


def test_an_agent_without_a_model_takes_the_one_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoModelError):
        _ = Agent().model
    monkeypatch.setenv("RAMIFY_MODEL", "rules")
    assert Agent().model.name == "rules"


def test_an_agent_takes_the_prompts_that_are_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIFY_PROMPTS", str(home))
    assert Agent("rules").prompts.folder == home


@pytest.mark.parametrize(
    ("model", "given_url", "server"),
    [
        ("rules", None, None),
        ("human:replies.txt", None, None),
        ("llama3", None, "http://set/v1"),
        ("rules", "http://given/v1", "http://given/v1"),
    ],
)
def test_a_server_that_is_set_for_good_is_not_asked_for_built_in_models(
    model: str, given_url: str | None, server: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAMIFY_BASE_URL", "http://set/v1")
    assert model_and_server(load_settings(model=model, base_url=given_url)) == (model, server)
