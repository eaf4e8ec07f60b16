"""Small mistakes in files that users write: the message names the file, the line, and what to do about it."""

from pathlib import Path

import pytest

from .ramify_command import Ramify

WORKERS = """from ramify.planner import worker


def count(task):
    return "3"


def is_even(text):
    return True


@worker
def other(task):
    return "x"
"""
PLAIN = """import json


def price(product: str) -> str:
    return json.dumps(product)
"""
COUNTS = "goal: g\ntasks:\n  - {task: a, type: count}\n"
CHECKED = "goal: g\nchecks:\n  - {predicate: is_even}\n"
BESIDE = "has a function of that name without"
SUCH_AS = "from ramify.planner above one of its functions, such as"
PREDICATE = "@predicate; put @predicate"
AT_LEAST_1 = "must be at least 1"
AGENT = "# who there is\n\n[%s]\nrole = 'analyst'\nmodle = 'rules'\n"


@pytest.mark.fault("4.5")
@pytest.mark.parametrize(
    ("files", "command", "complaint"),
    [
        (
            {"w.py": WORKERS, "p.yaml": COUNTS}, "run p.yaml --workers w.py",
            f"task 0.1 needs a worker 'count', which does not exist: w.py:4 {BESIDE} @worker; put @worker above it",
        ),
        (
            {"w.py": WORKERS, "p.yaml": CHECKED}, "run p.yaml --workers w.py",
            f"a check of task 0 uses the function 'is_even', which w.py:8 has without {PREDICATE} above it",
        ),
        (
            {"w.py": PLAIN, "p.yaml": COUNTS}, "run p.yaml --workers w.py",
            f"w.py defines no worker; put @worker {SUCH_AS} price (w.py:4)",
        ),
        (
            {"t.py": PLAIN}, "solve g --tools t.py",
            f"t.py defines no tool; put @tool {SUCH_AS} price (t.py:4)",
        ),
        (
            {"a.toml": AGENT % "sums"}, "solve g --agents a.toml",
            "the agent 'sums' (from a.toml:5) has no setting 'modle'; did you mean 'model'?",
        ),
        (
            {"a.toml": AGENT % "agents.sums"}, "solve g --agents a.toml",
            "the agent 'sums' (from a.toml:5) has no setting 'modle'; did you mean 'model'?",
        ),
        (
            {"ramify.toml": AGENT % "agents.sums"}, "solve g",
            "the agent 'sums' (from ramify.toml:5) has no setting 'modle'; did you mean 'model'?",
        ),
        (
            {"pyproject.toml": AGENT % "tool.ramify.agents.sums"}, "solve g",
            "the agent 'sums' (from pyproject.toml:5) has no setting 'modle'; did you mean 'model'?",
        ),
        ({"ramify.toml": "\njbos = 3\n"}, "solve g", "ramify.toml:2: jbos is not a setting; did you mean jobs?"),
        (
            {"pyproject.toml": "[project]\njobs = 3\n[tool.ramify]\njobs = 0\n"}, "solve g",
            f"the setting jobs (from pyproject.toml:4) cannot be used: it is 0; it {AT_LEAST_1}",
        ),
        (
            {"ramify.toml": "[workers.prompt]\nenabld = true\n"}, "solve g",
            "workers.prompt.enabld (from ramify.toml:2) is not a setting; did you mean enabled?",
        ),
        (
            {"ramify.toml": "[mcp.shop]\ncomand = 'x'\n"}, "solve g",
            "mcp.shop.comand (from ramify.toml:2) is not a setting; did you mean command?",
        ),
        (
            {"ramify.toml": "[mcp.shop]\nargs = ['x']\n"}, "solve g",
            "the setting mcp.shop.command (from ramify.toml:1) cannot be used: field required",
        ),
        (
            {}, "solve g --jobs two",
            "Invalid value for '--jobs' / '-j': it is 'two'; it must be a whole number (see `ramify solve --help`)",
        ),
        (
            {}, "solve g --jobs 0",
            "Invalid value for '--jobs' / '-j': it is '0'; it must be at least 1 (see `ramify solve --help`)",
        ),
        (
            {"p/exceute.j2": "{# version: 1 #}\nx\n"}, "solve g --prompts p",
            "p/exceute.j2: is not the file of a template; did you mean execute.j2?",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_file_its_line_and_the_way_out(
    files: dict[str, str], command: str, complaint: str, ramify: Ramify
) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    said = ramify(*command.split(), "--model", "rules")
    assert (said.code, said.err) == (2, f"ramify: error: {complaint}\n")
