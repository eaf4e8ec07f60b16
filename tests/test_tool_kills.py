"""Conversations with tools that are killed in the middle: real processes, SIGKILL, and what is done again."""

import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ramify.planner.store import Store

from .openai_server import Answer, Chat, OpenAIServer
from .ramify_command import ramify_process

PROGRAM = """
import os, signal, sys
from ramify.planner import Agent, Executor, tool
from ramify.planner.models.protocol import ModelReply, ToolCall
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

store, log, form, instant = sys.argv[1:]
seen = open(log, "a")

def pass_by(here):
    print(here, file=seen, flush=True)
    if here == instant:
        os.kill(os.getpid(), signal.SIGKILL)

@tool
async def add(a: int, b: int) -> int:
    "Add."
    pass_by(f"add {a}")
    return a + b

@tool(may_repeat=False)
def pay(euros: int) -> str:
    "Pay."
    pass_by("pay begins")
    return f"paid {euros}"

def say(turn):
    wishes = ([("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}')], [("pay", '{"euros": 10}')])[turn]
    if form == "elements":
        return "".join(f'<call tool="{name}">{given}</call>' for name, given in wishes)
    calls = tuple(ToolCall(id=f"c{n}", name=name, arguments=given) for n, (name, given) in enumerate(wishes))
    return ModelReply(text="", model="scripted", finish_reason="tool_calls", tool_calls=calls)

def reply(request):
    turn = sum(message["role"] == "assistant" for message in request.messages)
    pass_by(f"model {turn}")
    return say(turn) if turn < 2 else "<result>paid what was added</result>"

agent = Agent(ScriptedModel(reply, calls_tools=form == "native"), tools=[add, pay])
if os.path.exists(store):
    run = Executor.resume(store, agent=agent)
else:
    run = Executor(agent, store=store).run(Task(content="add and pay", id="0"))
print(run.status, run.error or run.result)
"""
WHOLE = ["model 0", "add 1", "add 3", "model 1", "pay begins", "model 2"]


def done(tmp_path: Path, form: str, instant: str = "", failpoint: str = "") -> tuple[int, str]:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "runs.db"), str(tmp_path / "log"), form, instant],
        capture_output=True, text=True, check=False, env={"RAMIFY_FAILPOINT": failpoint, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return process.returncode, process.stdout + process.stderr


def twice(tmp_path: Path) -> list[str]:
    """Return what was done more than once; all that is to be done was done."""
    counts = Counter((tmp_path / "log").read_text().splitlines())
    assert set(counts) == set(WHOLE)
    return [what for what, count in counts.items() if count > 1]


@pytest.mark.parametrize(
    ("form", "instant", "failpoint", "again"),
    [
        ("elements", "", "before-reply-commit:1", ["model 0"]),
        ("native", "add 1", "", ["add 1"]),
        ("elements", "model 1", "", ["model 1"]),
        ("native", "", "before-reply-commit:2", ["model 1"]),
        ("native", "model 2", "", ["model 2"]),
    ],
)
def test_a_killed_conversation_goes_on_in_the_middle(
    tmp_path: Path, form: str, instant: str, failpoint: str, again: list[str]
) -> None:
    assert done(tmp_path, form, instant, failpoint)[0] == -9
    assert done(tmp_path, form) == (0, "done paid what was added\n")
    assert twice(tmp_path) == again


def test_a_conversation_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    for instant in ("add 3", "model 1", "model 2"):
        assert done(tmp_path, "elements", instant)[0] == -9
    assert done(tmp_path, "elements") == (0, "done paid what was added\n")
    assert twice(tmp_path) == ["add 1", "add 3", "model 1", "model 2"]  # both were under way


TOOLS = """
import os, pathlib, signal
from ramify.planner import tool

@tool(may_repeat=False)
def pay(euros: float) -> str:
    "Pay an amount of money."
    with open("paid", "a") as file:
        file.write(f"{euros}\\n")
    if not os.path.exists("killed"):
        pathlib.Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"paid {euros}"

@tool
def look(place: str) -> str:
    "Look at a place."
    with open("looked", "a") as file:
        file.write(f"{place}\\n")
    if place == "Bergen" and not os.path.exists("killed"):
        pathlib.Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"it rains in {place}"
"""


def test_a_person_is_asked_about_what_may_not_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(textwrap.dedent(TOOLS), encoding="utf-8")
    (tmp_path / "plan.yaml").write_text("goal: Pay the bill\n", encoding="utf-8")
    call = '<call tool="pay">{"euros": 3}</call>'
    (tmp_path / "replies").write_text(f"{call}\n---\n<result>It is paid.</result>\n", encoding="utf-8")
    killed = ramify_process("run", "plan.yaml", "--model", "human:replies", "--tools", "shop.py")
    assert killed.code == -9
    asked = ramify_process("resume", "--last")
    assert asked.code == 5
    assert (
        "the step turn 1, call 1: pay was in progress when the run was interrupted; it must not be repeated"
        in asked.err
    )
    assert "--step-done" in asked.err
    assert (tmp_path / "paid").read_text() == "3.0\n"
    said = ramify_process("resume", "--last", "--set-result", "0=I have looked: it is paid.")
    assert (said.code, said.out) == (0, "I have looked: it is paid.\n")
    anew = ramify_process("resume", "--last", "--from", "0")
    assert (anew.code, anew.out) == (0, "It is paid.\n")
    shown = ramify_process("show", "--last", "0", "--messages").out
    order = [shown.rindex(words) for words in ("turn 1, call 1: pay", "<result>It is paid.")]
    assert order == sorted(order)
    assert (tmp_path / "paid").read_text() == "3.0\n3.0\n"


def test_over_real_http_no_reply_is_asked_for_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(chat: Chat) -> str | Answer:
        turn = sum(each["role"] == "assistant" for each in chat.body["messages"])
        if turn == 2:
            return "<result>It rains in both.</result>"
        place = ("Oslo", "Bergen")[turn]
        return Answer(tool_calls=(("look", {"place": place}),))

    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(textwrap.dedent(TOOLS), encoding="utf-8")
    (tmp_path / "plan.yaml").write_text("goal: Does it rain?\n", encoding="utf-8")
    with OpenAIServer(answer) as server:
        where = ("--base-url", server.base_url, "--model", "test-model", "--tools", "shop.py", "--native-tools")
        assert ramify_process("run", "plan.yaml", *where).code == -9
        assert len(server.chats) == 2
        said = ramify_process("resume", "--last")
        assert (said.code, said.out) == (0, "It rains in both.\n"), said.err
        bodies: list[Any] = [chat.body for chat in server.chats]
    assert len(bodies) == 3
    assert (tmp_path / "looked").read_text().split() == ["Oslo", "Bergen", "Bergen"]
    assert bodies[2]["messages"][: len(bodies[1]["messages"])] == bodies[1]["messages"]
    roles = [each["role"] for each in bodies[2]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert [each["function"]["name"] for each in bodies[0]["tools"]] == ["pay", "look"]
    assert "it rains in Bergen" in bodies[2]["messages"][-1]["content"]
    with Store.open(tmp_path / ".ramify" / "ramify.db") as store:
        run = store.last_run()
        assert [(call.key.attempt, call.key.step) for call in store.calls(run.id)] == [(1, 0), (1, 1), (1, 2)]
