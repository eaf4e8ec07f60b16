"""`show --messages` and `show --interactive`: what was said and done for tasks, and a look around in a run."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor
from ramify.planner.cli.conversation import conversation_text
from ramify.planner.store import CallKey, CallRecord, StepKey, StepRecord
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Task, TaskConfig

from .ramify_command import Ramify, ramify_process
from .test_cli_terminal import Terminal, plain

RULES = ("--model", "rules")
ASKED: dict[str, Any] = {"role": "user", "content": "How deep is it?"}
WISH = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": "depth"}'}}


def call(step: int, messages: list[dict[str, Any]], **reply: Any) -> CallRecord:
    said = {
        "text": "",
        "model": "gpt",
        "finish_reason": "stop",
        "input_tokens": 9,
        "output_tokens": 2,
        "cost_usd": 0.25,
    }
    return CallRecord(
        key=CallKey("0.1", "execute", 1, 0, step, f"sha{step}"),
        model="gpt",
        request={"messages": messages},
        reply={**said, "cost_usd": 0.25, "latency_s": 1.5, **reply},
        started_at=10.0 + step * 10,
        latency_s=1.5,
    )


def test_a_conversation_with_tools_is_told_in_order_and_each_message_once() -> None:
    answered: list[dict[str, Any]] = [
        ASKED,
        {"role": "assistant", "content": None, "tool_calls": [WISH]},
        {"role": "tool", "content": "9 m"},
    ]
    calls = [
        call(0, [ASKED], tool_calls=[{"id": "c1", "name": "search", "arguments": '{"q": "depth"}'}]),
        call(1, answered, text="<result>9 m</result>"),
    ]
    step = StepRecord(key=StepKey("0.1", 1, "search 1"), input={"q": "depth"}, output="9 m", started_at=15, ended_at=17)
    assert conversation_text(calls, [step]).splitlines() == [
        "",
        "===== task 0.1, execute, attempt 1: gpt, 1.5 s, 9 + 2 tokens, $0.2500 =====",
        "",
        "--- user",
        "How deep is it?",
        "",
        "--- calls search",
        '{"q": "depth"}',
        "",
        "===== task 0.1, step search 1, attempt 1: 2.0 s =====",
        "",
        "--- given",
        "{",
        '  "q": "depth"',
        "}",
        "",
        "--- gave",
        "9 m",
        "",
        "===== task 0.1, execute, attempt 1, step 2: gpt, 1.5 s, 9 + 2 tokens, $0.2500 =====",
        "",
        "--- assistant",
        'calls search: {"q": "depth"}',
        "",
        "--- tool",
        "9 m",
        "",
        "--- reply",
        "<result>9 m</result>",
    ]


def test_what_is_unusual_about_a_reply_is_said() -> None:
    text = conversation_text([call(0, [ASKED], text="cut", finish_reason="length", cost_usd=None, taken_from="r9")])
    assert "gpt, 1.5 s, 9 + 2 tokens, taken from r9, ended by length" in text
    unfinished = StepRecord(key=StepKey("0.1", 1, "pay"), input=None, started_at=1.0)
    assert "step pay, attempt 1: outcome unknown" in conversation_text([], [unfinished])


def test_failed_attempts_are_told_between_the_calls(ramify: Ramify) -> None:
    root = Task(content="x", id="0", config=TaskConfig(retry_delay_seconds=0.0))
    model = FaultyModel(ScriptedModel({"*": "<result>fine</result>"}), ["timeout"])
    Executor(model, store="runs.db").run(root)
    said = ramify("show", "--store", "runs.db", "--last", "0", "--messages")
    heads = [line for line in said.out.splitlines() if line.startswith("=====")]
    assert heads[0].startswith("===== task 0, attempt 1 failed: ")
    assert heads[1].startswith("===== task 0, execute, attempt 2: scripted, ")
    document = json.loads(ramify("show", "--store", "runs.db", "--last", "0", "--messages", "--json").out)
    assert [each["type"] for each in document["failed_attempts"]] == ["task_retrying"]
    assert len(document["calls"]) == 1


@pytest.fixture
def solved(ramify: Ramify) -> Ramify:
    assert ramify("solve", *RULES, "(1+2)*(3+4)").code == 0
    return ramify


def typed(*lines: str) -> tuple[list[str], list[str]]:
    """Type `lines` into the shell through a pipe; return the lines of both streams."""
    said = ramify_process("show", "--last", "--interactive", stdin="\n".join(lines).encode())
    assert said.code == 0
    return said.out.splitlines(), said.err.splitlines()


def test_the_shell_shows_trees_tasks_results_and_what_has_a_word(solved: Ramify) -> None:
    out, err = typed("ls 0.2", "result", "result 0.2", "find 3+4", "", "  show 0.1  ", "quit", "ls")
    assert err == []
    assert out[:5] == [
        "[DONE] Task 0.2: 3+4", "21", "7", "[DONE] 0: (1+2)*(3+4)", "[DONE] 0.2: 3+4",
    ]  # fmt: skip
    assert out[5:8] == ["task: 0.1", "state: DONE", "content: 1+2"]
    assert out[-1] == "3"
    assert solved("show", "--last").code == 0


def test_the_shell_shows_messages_the_graph_and_the_way_to_resume(solved: Ramify) -> None:
    out, _ = typed("messages 0.2", "graph", "resume", "help")
    assert "--- reply" in out
    assert any(line.startswith("flowchart") for line in out)
    assert any(line.startswith("ramify resume r") for line in out)
    assert [line.split()[0] for line in out[-10:]] == [
        "ls", "tree", "show", "messages", "result", "find", "graph", "resume", "help", "quit",
    ]  # fmt: skip
    assert solved("show", "--last").code == 0


def test_what_the_shell_does_not_know_is_said_and_it_goes_on(solved: Ramify) -> None:
    out, err = typed("shwo 0.1", "show 0.9", "find", "find 'no such", "__import__('os')", "result 0.1")
    assert out == ["3"]
    assert err[0] == "ramify: error: there is no command 'shwo'; did you mean show?"
    assert "there is no task 0.9" in err[1]
    assert err[2] == "ramify: error: name a word: find WORD"
    assert err[3] == """no task contains "'no such\""""
    assert "there is no command" in err[4]
    assert solved("show", "--last").code == 0


def test_in_a_terminal_the_shell_asks_for_lines(solved: Ramify, home: Path) -> None:
    code, text = Terminal().run("show", "--last", "-i", typed="result 0.1\nquit\n")
    assert code == 0
    lines = plain(text)
    assert "ramify> result 0.1" in " ".join(lines)
    assert "3" in lines
    assert solved("show", "--last").code == 0
    assert (home / ".ramify").exists()


def test_no_words_of_a_task_steer_a_terminal_behind_a_pipe(ramify: Ramify, home: Path) -> None:
    task = {"task": "look\x1b[31m", "state": "DONE", "result": "red\x1b[2J\x00\x9b1m"}
    (home / "plan.json").write_text(json.dumps({"goal": "all\x1b]0;title\x07", "tasks": [task]}), encoding="utf-8")
    assert "red\x1b[2J" in ramify("run", "plan.json", "--model", "rules").out, "an answer is exact in a pipe"
    shown = [ramify("show", "--last", *words).out for words in ((), ("0.1",), ("0.1", "--messages"), ("--history",))]
    assert "red[2J" in shown[1]
    assert not [letter for text in shown for letter in text if unicodedata.category(letter) == "Cc" and letter != "\n"]
    assert "\\u001b[2J" in ramify("show", "--last", "--json").out


def test_very_long_words_of_an_exception_are_cut_but_where_they_are_asked_for(ramify: Ramify, home: Path) -> None:
    (home / "mine.py").write_text(
        "from ramify.planner import worker\n\n@worker\ndef long(task):\n    raise ValueError('x' * 100_000)\n",
        encoding="utf-8",
    )
    plan = {"goal": "all", "tasks": [{"task": "a", "type": "long", "config": {"max_retries": 0}}]}
    (home / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    said = ramify("run", "plan.json", "--model", "rules", "--workers", "mine.py", "--display", "plain")
    assert said.err.count(" more characters; see `ramify show RUN ID`)") == 3
    assert len(said.err) < 10_000
    assert len(ramify("show", "--last").out) < 5_000
    assert len(ramify("show", "--last", "0.1").out) > 100_000


@pytest.mark.parametrize(("states", "said"), [(("failed",), "no task is failed\n"), (("failed", "done"), "")])
def test_it_is_said_if_no_task_is_in_the_state_asked_for(ramify: Ramify, states: tuple[str, ...], said: str) -> None:
    ramify("solve", "-q", "--model", "rules", "1+1")
    options = [word for state in states for word in ("--state", state)]
    assert ramify("show", "--last", *options).err == said
