"""The live tree in a pseudo-terminal that changes its size, is interrupted, or has a person who is asked."""

import os
import re
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from .patience import HANG_S
from .ramify_command import COMMAND
from .test_cli_terminal import ESCAPES

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import pathlib, time
from ramify.planner import Executor
from ramify.planner.cli.carrying import carry
from ramify.tasks import Task

def wait(task):
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return "went"

names = [f"number {number} of those that wait in a long line" for number in range(1, 31)]
subtasks = [Task(content=name, id=f"0.{number}", type="wait") for number, name in enumerate(names)]
root = Task(content="Wait", id="0", subtasks=subtasks)
run = Executor("rules", workers={"wait": wait}, store="runs.db", jobs=4).new_run(root)
raise SystemExit(carry(run, {"store": "runs.db", "display": None, "events": None, "quiet": False}))
"""


@contextmanager
def waiting(*, columns: int = 80, lines: int = 24, **environment: str) -> "Iterator[pexpect.spawn[str]]":
    """Run thirty tasks in a terminal that wait until a file `go` is there."""
    env = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment}
    child = pexpect.spawn(
        sys.executable, ["-c", PROGRAM], env=env, dimensions=(lines, columns), encoding="utf-8", timeout=HANG_S
    )
    try:
        child.expect_exact("4 running")
        yield child
    finally:
        child.close(force=True)


def end(child: "pexpect.spawn[str]") -> str:
    """Return what is still written, once the program has ended."""
    child.expect(pexpect.EOF)
    child.close()
    return child.before or ""


def test_lines_that_do_not_change_are_painted_once(home: Path) -> None:
    with waiting() as child:
        child.expect_exact("2 s")
        drawn = "".join(map(str, (child.before, child.after)))
        (home / "go").touch()
        rest = end(child)
    assert child.exitstatus == 0
    assert drawn.count("○ 0 Wait") <= 1
    assert "done: 31/31 done" in ESCAPES.sub("", rest)


@pytest.mark.parametrize(("columns", "lines"), [(40, 12), (100, 40)])
def test_the_tree_follows_the_size_of_the_window(columns: int, lines: int, home: Path) -> None:
    with waiting() as child:
        child.setwinsize(lines, columns)
        child.expect_exact("\x1b[J")
        (home / "go").touch()
        text = end(child)
    pictures = text.split("\x1b[K\x1b[")[0]
    drawn = [ESCAPES.sub("", line).rstrip() for line in pictures.split("\r\n")]
    tree = [line for line in drawn if re.match(r"\s*[○◐●✕] ", line)]
    assert tree
    assert max(map(len, tree)) < columns
    assert len(tree) <= lines
    assert any(len(line) > min(columns, 50) // 2 for line in tree)


def test_ctrl_c_is_told_above_the_tree_and_what_is_under_way_is_finished(home: Path) -> None:
    with waiting() as child:
        child.sendintr()
        child.expect_exact("Ctrl-C again cancels at once; waiting for 4 tasks: 0.0, 0.1, 0.2, 0.3")
        (home / "go").touch()
        text = end(child)
    assert child.exitstatus == 130
    assert "\x1b[?25h" in text
    last = ESCAPES.sub("", text).replace("\r", "").strip().splitlines()[-1]
    assert re.fullmatch(r"interrupted with .*: run r\w+, .*", last)


def test_a_tree_that_is_killed_at_once_shows_the_cursor_again(home: Path) -> None:
    with waiting() as child:
        child.kill(signal.SIGTERM)
        (home / "go").touch()
        text = end(child)
    assert child.exitstatus == 130
    assert text.rindex("\x1b[?25h") > text.rindex("◐") if "◐" in text else "\x1b[?25h" in text


def test_without_colours_there_are_none(home: Path) -> None:
    with waiting(NO_COLOR="1") as child:
        (home / "go").touch()
        text = end(child)
    assert re.search(r"\x1b\[[0-9;]*m", text) is None
    assert "●" in text


def test_a_pipe_gets_lines_and_no_sequences(home: Path) -> None:
    command = " ".join(f"'{word}'" for word in [*COMMAND, "solve", "--model", "rules", "(1+2)*(3+4)"])
    child = pexpect.spawn("/bin/sh", ["-c", f"{command} 2>&1 | cat"], encoding="utf-8", timeout=HANG_S)
    text = end(child)
    assert "\x1b" not in text
    assert "0 split into 2: 0.1 0.2" in text
    assert (home / ".ramify").exists()


def test_the_tree_goes_away_while_a_person_is_asked(home: Path) -> None:
    words = ["solve", "--model", "human", "--display", "tree", "--max-depth", "1", "Say hello"]
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], encoding="utf-8", timeout=HANG_S, env=None)
    child.expect_exact("your reply, then a line with a single")
    asked = child.before or ""
    assert asked.rindex("\x1b[J") < asked.rindex("Say hello")
    assert "\x1b[?25h" in asked[asked.rindex("\x1b[J") :]
    child.send("hello there\n.\n")
    text = end(child)
    assert child.exitstatus == 0
    assert "done: 1/1 done" in ESCAPES.sub("", text)
    assert (home / ".ramify").exists()
