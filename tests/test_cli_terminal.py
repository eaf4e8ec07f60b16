"""The command in a real (pseudo-)terminal: the live tree, words that try to steer it, pictures that it cannot hold."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest
from ramify.planner.store import NewRun, Store
from ramify.tasks import Task

from .patience import HANG_S
from .ramify_command import COMMAND

RULES = ("--model", "rules")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A pseudo-terminal of a given size, in which one command runs at a time."""

    def __init__(self, *, columns: int = 80, lines: int = 24) -> None:
        self._size = struct.pack("HHHH", lines, columns, 0, 0)

    def run(self, *words: str, typed: str = "", interrupt_at: str = "", **environment: str) -> tuple[int, str]:
        """Run a command whose three streams are the terminal; return its exit code and what the terminal got.

        Args:
            *words: the command.
            typed: what is typed, all at once.
            interrupt_at: words at whose sight Ctrl-C is pressed.
            **environment: variables.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, self._size)
        got: list[bytes] = []
        env = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment}
        with subprocess.Popen([*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
            os.close(theirs)
            reader = threading.Thread(target=self._read, args=(ours, got, process, interrupt_at))
            reader.start()
            if typed:
                os.write(ours, typed.encode())
            try:
                code = process.wait(timeout=HANG_S)
            finally:
                process.kill()
        reader.join()
        os.close(ours)
        return code, b"".join(got).decode()

    @staticmethod
    def _read(descriptor: int, got: list[bytes], process: "subprocess.Popen[bytes]", interrupt_at: str) -> None:
        while True:
            if interrupt_at and interrupt_at.encode() in b"".join(got):
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
            try:
                data = os.read(descriptor, 65536)
            except OSError:  # the other side is closed
                return
            if not data:
                return
            got.append(data)


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    assert home == Path.cwd()


def plain(text: str) -> list[str]:
    """Return the lines that were drawn, one picture after the other; each erases the lines of the one before."""
    return [line.rstrip() for line in ESCAPES.sub("", text.replace("\x1b[2K", "\n")).replace("\r", "").splitlines()]


def store_run(result: str) -> None:
    with Store.open("runs.db") as store:
        task = Task(content="Say something", id="0")
        task.update_result(result)
        store.create_run(NewRun(id="r1", goal="\x1b]0;owned\x07goal", created_at=1.0, status="done"), task)


def test_a_run_is_shown_as_a_tree_that_stays(home: Path) -> None:
    code, text = Terminal().run("solve", *RULES, "(1+2)*(3+4)")
    assert code == 0
    assert "\x1b[?25l" in text
    assert text.rstrip().endswith("21")
    lines = plain(text)
    assert any(line.startswith("done: 3/3 done") for line in lines)
    assert any(re.match(r"  ● 0\.2 3\+4 · \d+ m?s$", line) for line in lines)
    assert any(line.startswith("answered by rules (no language model)") for line in lines)
    assert home.joinpath(".ramify").is_dir()


def test_no_colour_is_used_where_it_is_not_wanted() -> None:
    code, text = Terminal().run("solve", *RULES, "1+1", NO_COLOR="1")
    assert code == 0
    assert re.search(r"\x1b\[[0-9;]*3[0-7]m", text) is None
    assert "●" in text


@pytest.mark.parametrize(("columns", "lines"), [(12, 4), (30, 6), (200, 50)])
def test_the_tree_fits_the_window(columns: int, lines: int) -> None:
    code, text = Terminal(columns=columns, lines=lines).run("solve", *RULES, "(1+2)*(3+4)*(5+6)*(7+8)")
    assert code == 0
    drawn = [line for line in plain(text) if re.match(r"\s*[○◐●✕] ", line)]
    assert drawn
    assert max(map(len, drawn)) <= columns


def test_a_dumb_terminal_gets_plain_lines() -> None:
    code, text = Terminal().run("solve", *RULES, "1+1", TERM="dumb")
    assert code == 0
    assert "\x1b" not in text
    assert "0 done (" in text


def test_a_result_cannot_steer_the_terminal() -> None:
    store_run("safe \x1b]0;title\x07\x1b[2J\x9b31m \u202e words")
    for words in (("show", "r1", "0"), ("show", "r1"), ("runs",)):
        code, text = Terminal().run(*words, "--store", "runs.db")
        assert code == 0
        assert re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text) is None


def test_an_answer_in_a_pipe_is_the_exact_text_and_what_is_shown_of_it_is_not(home: Path) -> None:
    result = "exact \x1b[31m \x07 \u202e words"
    store_run(result)
    command = [*COMMAND, "watch", "r1", "-q", "--store", str(home / "runs.db")]
    assert subprocess.run(command, capture_output=True, check=True).stdout.decode() == f"{result}\n"
    command = [*COMMAND, "show", "r1", "0", "--store", str(home / "runs.db")]
    shown = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert shown.endswith("\n\nexact [31m   words\n")


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_a_picture_is_not_poured_into_a_terminal(form: str) -> None:
    store_run("x")
    code, text = Terminal().run("graph", "r1", "-f", form, "--store", "runs.db")
    assert code == 2
    assert "-o FILE" in text


def test_a_person_is_asked_between_plain_lines() -> None:
    words = ("solve", "--model", "human", "--max-depth", "1", "Say hello")
    code, text = Terminal().run(*words, typed="hello there\n.\n")
    assert code == 0
    assert "\x1b[?25l" not in text
    assert plain(text)[-1] == "hello there"


def test_a_tree_that_no_screen_holds_is_shown_with_the_ways_to_see_less() -> None:
    root = Task("many", id="0")
    root.add_subtasks([Task("one of them", id=f"0.{number}") for number in range(250)])
    with Store.open("runs.db") as store:
        store.create_run(NewRun(id="r1", goal="many", created_at=1.0, status="done"), root)
    command = ("show", "r1", "--store", "runs.db")
    code, text = Terminal().run(*command)
    assert (code, text.count("one of them")) == (0, 250)
    assert "251 tasks; `--depth N` shows the upper levels" in text
    assert "251 tasks;" not in Terminal().run(*command, "--depth", "1")[1]
    assert subprocess.run([*COMMAND, *command], capture_output=True, check=True).stderr == b""
