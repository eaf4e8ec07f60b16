"""The options of a run are one table: a field that is added there is seen in every shape that an option has."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ramify.planner.api import solve
from ramify.planner.asking.budget import DEFAULTS, RunLimits
from ramify.planner.errors import UsageError
from ramify.planner.executor import Executor
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.settings.options import OPTIONS
from ramify.planner.settings.settings import load_settings
from ramify.planner.store import DEFAULT_STORE, Store

from .ramify_command import Ramify

ROOT = Path(__file__).parent.parent
TABLE = "ramify/planner/settings/options.py"
CLASS = '''class RunOptions(LimitOptions, total=False):
    """How a run goes on from here."""

'''
FIELD = """    greeting: Annotated[str | None, Option(about="what it says first.", default="hello", metavar="TEXT")]
"""
SHAPES = """
import json, os
from pathlib import Path
from ramify.planner import Executor, solve
from ramify.planner.api import prepare
from ramify.planner.cli import main
from ramify.planner.settings.settings import load_settings
from ramify.planner.store import Store

def stored():
    with Store.open(".ramify/ramify.db") as store:
        return store.last_run().settings["greeting"]

seen = {"default": load_settings().greeting}
Path("ramify.toml").write_text('greeting = "in a file"')
seen["TOML"] = load_settings().greeting
os.environ["RAMIFY_GREETING"] = "in a variable"
seen["environment"] = load_settings().greeting
seen["source"] = load_settings().sources["greeting"]
solve("1+1", model="rules")
seen["a setting is stored"] = stored()
solve("1+1", model="rules", greeting="by solve")
seen["keyword of solve"] = stored()
Executor("rules", greeting="by an executor").run("1+1")
seen["keyword of Executor"] = stored()
main(["solve", "-q", "-m", "rules", "--greeting", "by a flag", "1+1"])
seen["flag"] = stored()
executor, root = prepare("1+1", model="rules", greeting="at first")
run = executor.new_run(root, plan_only=True).start().wait()
Executor.resume(None, run.id, greeting="later")
seen["keyword of resume"] = stored()
run = executor.new_run(prepare("1+1", model="rules")[1], plan_only=True).start().wait()
main(["resume", run.id, "-q", "--greeting", "later by a flag"])
seen["flag of resume"] = stored()
Path("seen.json").write_text(json.dumps(seen))
"""
SEEN = {
    "default": "hello",
    "TOML": "in a file",
    "environment": "in a variable",
    "source": "RAMIFY_GREETING",
    "a setting is stored": "in a variable",
    "keyword of solve": "by solve",
    "keyword of Executor": "by an executor",
    "flag": "by a flag",
    "keyword of resume": "later",
    "flag of resume": "later by a flag",
}
TYPED = """
from ramify.planner.api import asolve, solve
from ramify.planner.running.keywords import ExecutorKeywords
from ramify.planner.running.resuming import ResumeOptions

solve("x", greeting="hello")
solve("x", greeting=3)
executor: ExecutorKeywords = {"greeting": 3}
resumed: ResumeOptions = {"greeting": 3}

async def main() -> None:
    await asolve("x", greeting=3)
"""


LIMITS = ("max_seconds", "max_calls", "max_tokens", "max_cost_usd", "max_wait_seconds")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all of Ramify, whose table of options has one field more."""
    folder = tmp_path_factory.mktemp("house")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package, source in project["tool"]["setuptools"]["package-dir"].items():
        ours = folder.joinpath(*package.split("."))
        shutil.copytree(ROOT / source, ours, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    table = folder / TABLE
    written = table.read_text(encoding="utf-8")
    assert written.count(CLASS) == 1
    table.write_text(written.replace(CLASS, CLASS + FIELD), encoding="utf-8")
    return folder


def python(house: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAMIFY_")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(house), str(ROOT)]), "MYPYPATH": str(house)}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def seen(house: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    work = tmp_path_factory.mktemp("work")
    said = python(house, "-c", SHAPES, cwd=work)
    assert said.returncode == 0, said.stderr
    found: dict[str, str] = json.loads((work / "seen.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("shape", SEEN)
def test_an_option_that_is_added_to_the_table_has_every_shape(shape: str, seen: dict[str, str]) -> None:
    assert seen[shape] == SEEN[shape]


@pytest.mark.parametrize("command", ["solve", "run", "sweep", "evolve", "resume"])
def test_an_option_that_is_added_to_the_table_is_in_the_help(command: str, house: Path, tmp_path: Path) -> None:
    said = python(house, "-m", "ramify.planner.cli", command, "--help", cwd=tmp_path)
    assert "--greeting TEXT" in said.stdout
    assert "What it says first." in said.stdout


def test_an_option_that_is_added_to_the_table_is_in_the_docs(house: Path, tmp_path: Path) -> None:
    said = python(
        house, "-c", "from tests.reference import settings_table; print(*settings_table(), sep=chr(10))", cwd=tmp_path
    )
    assert "| `greeting` | `hello` | what it says first. |" in said.stdout, said.stderr


def test_type_checkers_know_an_option_that_is_added_to_the_table(house: Path, tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(TYPED, encoding="utf-8")
    files = ("api", "running/keywords", "running/resuming", "settings/options")
    said = python(
        house, "-m", "mypy", "--follow-imports=skip", "--namespace-packages", "--explicit-package-bases",
        f"--cache-dir={tmp_path / 'cache'}", "snippet.py", *(f"{house}/ramify/planner/{file}.py" for file in files),
        cwd=tmp_path,
    )  # fmt: skip
    wrong = [line for line in said.stdout.splitlines() if line.startswith("snippet.py:")]
    assert [line.split(":")[1] for line in wrong] == ["7", "8", "9", "12"], said.stdout + said.stderr
    assert all("str | None" in line for line in wrong)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"jobs": 0}, "jobs cannot be used: it is 0; it must be at least 1"),
        ({"jobs": 10_001}, "jobs cannot be used: it is 10001; it must be at most 10,000"),
        (
            {"on_error": "ignore"},
            "on_error cannot be used: it is 'ignore'; it must be 'continue', 'partial' or 'stop'",
        ),
        ({"max_cost_usd": 0}, "max_cost_usd cannot be used: it is 0; it must be more than 0"),
        ({"allow": 3}, "allow cannot be used: it must be a valid tuple"),
    ],
)
def test_a_keyword_that_cannot_be_used_is_named_with_its_value(how: dict[str, Any], said: str) -> None:
    for function in (partial(Executor, "rules"), partial(solve, "1+1", model="rules")):
        with pytest.raises(UsageError) as refused:
            function(**how)
        assert str(refused.value) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--timeout-s 0", "'--timeout-s': it is 0.0; it must be more than 0"),
        ("--max-wait-seconds -1", "'--max-wait-seconds': it is -1.0; it must be at least 0"),
        ("--max-cost-usd inf", "'--max-cost-usd': it is inf; it must be a finite number"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named_with_its_value(words: str, said: str, ramify: Ramify) -> None:
    told = ramify("solve", "-m", "rules", "1+1", *words.split())
    assert (told.code, told.err) == (2, f"ramify: error: Invalid value for {said} (see `ramify solve --help`)\n")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("place", ["executor", "solve", "resume"])
def test_single_limits_stand_in_those_that_are_given_together(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIFY_MAX_TOKENS", "1234")
    how: Any = {"limits": RunLimits(max_calls=70, max_tokens=99), "max_calls": 20}
    if place == "solve":
        solve("1+1", model="rules", **how)
    elif place == "executor":
        Executor("rules", **how).run("1+1")
    else:
        run = Executor("rules", max_seconds=60).new_run("1+1", plan_only=True).start().wait()
        Executor.resume(None, run.id, **how)
    with Store.open(DEFAULT_STORE) as store:
        limits = RunSettings.model_validate(store.last_run().settings).limits
    assert (limits.max_calls, limits.max_tokens, limits.max_seconds) == (20, 99, None)


def test_what_older_runs_have_stored_is_read() -> None:
    """As build 3231257 wrote it."""
    stored: dict[str, Any] = {
        "agent": None, "agents": {}, "stops_when_planned": False, "jobs": 3, "on_error": "stop", "max_turns": 4,
        "plan": {"policy": "upfront", "max_depth": 2, "max_children": 3, "max_tasks": 9},
        "limits": {**dict.fromkeys(LIMITS), "max_seconds": 5.0, "max_calls": 6, "max_wait_seconds": 7.0},
        "defaults": DEFAULTS.model_dump(mode="json"), "cache": True, "name": "", "inside": "",
        "allow": ["network"], "worker_sources": ["a.py"], "tool_sources": ["mcp:shop"], "tools": [],
    }  # fmt: skip
    since = {
        "plan": stored["plan"] | {"split": "auto", "methods": None},
        "limits": stored["limits"] | {"ask_at_usd": None}, "assume": False,
        "vote_ahead": None, "recovery": None, "conversation": None, "composing": None, "engine": None, "script": "",
    }  # fmt: skip
    assert RunSettings.model_validate(stored).model_dump(mode="json") == stored | since


@pytest.mark.parametrize("name", OPTIONS)
def test_a_default_is_one_that_could_be_given(name: str) -> None:
    default = OPTIONS[name].option.default
    assert getattr(load_settings(**{name: default}), name) == default
