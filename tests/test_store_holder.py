"""Who holds a run, and whether it still lives."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ramify.planner.errors import StoreError
from ramify.planner.store import Holder
from ramify.planner.store.holder import has_lapsed

HERE = Holder.this_process()


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process:
        yield process


def test_this_process_lives() -> None:
    assert HERE.pid == os.getpid()
    assert HERE.host == socket.gethostname()
    assert not HERE.is_dead()


def test_process_that_has_ended_is_dead(child: "subprocess.Popen[bytes]") -> None:
    holder = replace(HERE, pid=child.pid, process_start="")
    assert not holder.is_dead()
    child.kill()
    child.wait()
    assert holder.is_dead()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="only /proc tells an ended process from a living one")  # noqa: PTH110
def test_process_that_nobody_has_reaped_is_dead(child: "subprocess.Popen[bytes]") -> None:
    holder = replace(HERE, pid=child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert holder.is_dead()


@pytest.mark.parametrize(
    ("change", "is_dead"),
    [
        ({}, False),
        ({"process_start": "1"}, True),  # its id was given to another process
        ({"process_start": ""}, False),
        ({"host": "elsewhere", "process_start": "1"}, False),
        ({"place": "another boot", "process_start": "1"}, False),
    ],
)
def test_process_is_dead_only_if_that_is_known(change: dict[str, str], is_dead: bool) -> None:  # noqa: FBT001
    assert replace(HERE, **change).is_dead() is is_dead  # type: ignore[arg-type]


@pytest.mark.parametrize(("silent_s", "has_gone"), [(0.0, False), (9.9, False), (10.1, True)])
def test_living_holder_lapses_when_it_is_silent_for_too_long(silent_s: float, has_gone: bool) -> None:  # noqa: FBT001
    assert has_lapsed(HERE, silent_s=silent_s, stale_after_s=10.0) is has_gone


def test_dead_holder_has_lapsed_at_once() -> None:
    assert has_lapsed(replace(HERE, process_start="1"), silent_s=0.0, stale_after_s=10.0)


def test_holder_that_has_given_up_has_lapsed_at_once() -> None:
    holder = replace(HERE, since=5.0)
    holder.give_up()
    assert has_lapsed(Holder.from_json(holder.to_json()), silent_s=0.0, stale_after_s=10.0)
    assert not has_lapsed(HERE, silent_s=0.0, stale_after_s=10.0)


def test_holder_comes_back_from_json() -> None:
    assert Holder.from_json(HERE.to_json()) == HERE
    assert "is_brief" not in HERE.to_json(), "versions that do not know it read it too"
    brief = Holder.this_process(is_brief=True)
    assert Holder.from_json(brief.to_json()) == brief


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"host": 1}'])
def test_note_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(StoreError, match="note of who holds a run cannot be read"):
        Holder.from_json(text)
