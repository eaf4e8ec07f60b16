"""docs/json.md is what `--json` prints: each key that is told of is there, and each key that is there is told of."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .documented import rows_of
from .ramify_command import Ramify
from .test_readme import text_of

SOLVED = "`ramify solve`, `ramify run`, `ramify resume`, `ramify fork`"
ELSEWHERE = {"ramify timeline"}
"""Commands whose JSON another page tells of."""


def sections() -> dict[str, str]:
    """Return the sections of the page by their titles."""
    parts = re.split(r"^## (.*)$", text_of("docs/json.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def told(title: str) -> set[str]:
    """Return the keys that a section tells of, such as `runs[].status`."""
    return {key for row in rows_of(sections()[title]) for key in re.findall(r"`([\w.\[\]]+)`", row[0])}


def keys_of(data: Any, known: set[str], path: str = "") -> Iterator[str]:
    """Yield the keys in `data`, as deep as those that are `known` go."""
    if path in known or not isinstance(data, dict | list):
        yield path
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from keys_of(value, known, f"{path}.{name}" if path else name)
    elif f"{path}[]" in known or not data:
        yield f"{path}[]"
    else:
        for value in data:
            yield from keys_of(value, known, f"{path}[]")


def printed(said_out: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(said_out)
    assert document.pop("version") == 1
    return document


@pytest.fixture
def solved(ramify: Ramify) -> Ramify:
    assert ramify("solve", "--model", "rules", "-q", "First 2 * 3, then add 4").code == 0
    return ramify


@pytest.mark.parametrize(
    ("title", "words"),
    [
        (SOLVED, ("solve", "-q", "--model", "rules", "1+1", "--json")),
        (SOLVED, ("resume", "-q", "--last", "--json")),
        (SOLVED, ("fork", "-q", "--last", "--json")),
        ("With `--dry-run` or `--estimate`", ("run", "--model", "rules", "plan.yaml", "--estimate", "--json")),
        ("`ramify estimate`", ("estimate", "-q", "--model", "rules", "plan.yaml", "--pilot", "1", "--json")),
        ("`ramify show`", ("show", "--last", "--messages", "--history", "--json")),
        ("`ramify limits`", ("limits", "--last", "--json")),
        ("`ramify show --plans`", ("show", "--last", "--plans", "--json")),
        (
            "`ramify sweep`, `ramify compare`",
            ("sweep", "-q", "--model", "rules", "1+1", "-p", "max_depth=1,2", "--json"),
        ),
        (
            "`ramify bench`",
            (
                "bench",
                "-q",
                "--model",
                "rules",
                "data.csv",
                "--arm",
                "upfront",
                "--without",
                "self-consistency",
                "--json",
            ),
        ),
        ("`ramify runs`", ("runs", "--json")),
        ("`ramify models`", ("models", "--json")),
        ("`ramify workers list`", ("workers", "list", "--json")),
        ("`ramify workers show`", ("workers", "show", "http", "--json")),
        ("`ramify tools list`", ("tools", "list", "--tools", "tools.py", "--json")),
        ("`ramify doctor`", ("doctor", "--json")),
        ("`ramify prompts list`", ("prompts", "list", "--json")),
        ("`ramify config show`", ("config", "show", "--json")),
        ("`ramify config path`", ("config", "path", "--json")),
        ("`ramify lint`", ("lint", "broken.yaml", "--json")),
        ("`ramify store check`", ("store", "check", "--json")),
        ("`ramify runs --prune`", ("runs", "--prune", "--keep", "9", "--dry-run", "--json")),
    ],
)
def test_a_command_prints_the_keys_that_the_page_tells_of(title: str, words: tuple[str, ...], solved: Ramify) -> None:
    known = told(title)
    Path("broken.yaml").write_text("tasks: [")
    Path("data.csv").write_text("question,answer\n1 + 1,2\n")
    Path("tools.py").write_text("from ramify.planner import tool\n\n@tool\ndef add(a: int) -> int:\n    return a + 1\n")
    Path("plan.yaml").write_text("goal: 1+1\ntasks: [1+1, 2+2]")
    assert set(keys_of(printed(solved(*words).out), known)) == known


def test_a_task_has_the_keys_that_the_page_tells_of(solved: Ramify) -> None:
    known = told("A task")
    tasks = printed(solved("show", "--last", "--json").out)["tasks"]
    always = {"id", "content", "state"}
    for task in tasks:
        assert always <= set(task) <= known
    assert {"result", "dependencies", "usage", "next_tasks"} <= {key for task in tasks for key in task}


def test_the_page_knows_every_command_that_prints_json(ramify: Ramify) -> None:
    from ramify.planner.cli.app import build_app
    from typer.main import get_command

    def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command
        for name, each in (inner or {}).items():
            yield from leaves(each, f"{path} {name}")

    told_of = set(re.findall(r"`(ramify [\w ]+)`", "\n".join(sections())))
    printing = {
        path
        for path, command in leaves(get_command(build_app()), "ramify")
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert printing - told_of - ELSEWHERE == set()
    assert ramify("runs", "--help").code == 0
