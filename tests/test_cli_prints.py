"""What other people's code prints, and wants to read, while a command works: standard output is the answer's alone."""

import json
from pathlib import Path

import pytest

from .ramify_command import ramify_process

WORKERS = """
import subprocess
import sys
from ramify.planner import worker

print("at the top")

@worker
def prints() -> str:
    print("printed")
    sys.stdout.write("without an end")
    return "done"

@worker
def writes_bytes() -> str:
    sys.stdout.buffer.write(b"bytes\\n")
    sys.stdout.buffer.flush()
    return "done"

@worker
def starts_a_program() -> str:
    subprocess.run([sys.executable, "-c", "print('from a program')"], check=True)
    return "done"

@worker
def asks() -> str:
    return input("who? ")

@worker
async def reads() -> str:
    return sys.stdin.read()

@worker
def goes_over_lines() -> str:
    return "".join(sys.stdin)
"""


@pytest.fixture
def plan(home: Path) -> Path:
    (home / "mine.py").write_text(WORKERS, encoding="utf-8")
    return home / "plan.json"


def run(plan: Path, kind: str, *words: str, stdin: bytes = b"") -> tuple[int, str, str]:
    plan.write_text(json.dumps({"goal": "all", "tasks": [{"task": "a", "type": kind}]}), encoding="utf-8")
    said = ramify_process("run", plan.name, "-m", "rules", "--workers", "mine.py", *words, stdin=stdin)
    return said.code, said.out, said.err


@pytest.mark.parametrize(
    ("kind", "printed"),
    [
        ("prints", "printed\nwithout an end\n"),
        ("writes_bytes", "bytes\n"),
        ("starts_a_program", "from a program\n"),
    ],
)
def test_what_a_worker_prints_is_not_part_of_the_answer(plan: Path, kind: str, printed: str) -> None:
    assert run(plan, kind, "-q") == (0, "- a: done\n", f"at the top\n{printed}")


def test_what_a_worker_prints_is_a_line_of_json_where_events_are(plan: Path) -> None:
    _, out, err = run(plan, "prints", "--display", "json")
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert [line["notice"] for line in lines if "notice" in line] == ["printed", "without an end"]
    assert out == "- a: done\n"


@pytest.mark.parametrize("kind", ["asks", "reads", "goes_over_lines"])
def test_a_worker_that_wants_to_read_standard_input_is_told_what_to_do(plan: Path, kind: str) -> None:
    code, out, err = run(plan, kind, stdin=b"Bob\n")
    assert (code, out) == (1, "")
    assert "a worker tried to read standard input, which is empty in a command; pass the value" in err
