"""The whole path over real HTTP: goal, litellm, server, parser, executor, store, kill -9, resume, export.

The server answers goals of a made-up syntax by rule. This proves the plumbing; it does not prove that a real model
understands the prompts.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ramify.planner import Agent, RunLimits, solve
from ramify.planner.store import Store
from ramify.tasks import TaskState

from .made_up_goals import answer, solution_of
from .openai_server import Chat, Fault, OpenAIServer
from .patience import HANG_S

GOAL = "trip{pack{bag{}|shoes{}|hat{}};travel{train{};walk{}};rest{}}"
RAMIFY = [sys.executable, "-m", "ramify.planner.cli"]


def reply(chat: Chat) -> str:
    return answer(chat.said("system"), chat.user)


def ramify(folder: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*RAMIFY, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
        env=environment(**more),
    )


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAMIFY_", "OPENAI_"))}
    return {**kept, "NO_COLOR": "1", **more}


def solve_words(server: OpenAIServer) -> list[str]:
    return ["solve", "--model", "openai/test-model", "--base-url", server.base_url, "--split", "always", GOAL]


def test_a_goal_is_solved_with_the_right_concurrency(tmp_path: Path) -> None:
    async def when_three_are_there(chat: Chat) -> str:
        while chat.number > 1 and server.most_in_flight < 3:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # who should not be here would come now
        return reply(chat)

    with OpenAIServer(when_three_are_there) as server:
        found = ramify(tmp_path, *solve_words(server))
    assert (found.returncode, found.stdout) == (0, f"{solution_of(GOAL)}\n"), found.stderr
    assert server.most_in_flight == 3
    with Store.open(tmp_path / ".ramify" / "ramify.db", create=False) as store:
        root = store.load_tree(store.last_run().id)
    pack, travel, rest = root.subtasks
    assert (pack.dependencies, travel.dependencies, rest.dependencies) == ([], ["0.1"], ["0.2"])
    spans = [(child.started_at, child.completed_at) for child in pack.subtasks]
    assert max(start for start, _ in spans if start) < min(end for _, end in spans if end), (
        "the bag, shoes and hat overlap"
    )
    train, walk = travel.subtasks
    assert train.completed_at is not None
    assert walk.started_at is not None
    assert walk.started_at >= train.completed_at


@pytest.mark.parametrize("calls_before_the_kill", [2, 7, 12])
def test_a_killed_run_is_resumed_without_repeating_anything(tmp_path: Path, calls_before_the_kill: int) -> None:
    with OpenAIServer(reply, latency_s=0.05) as server:
        process = subprocess.Popen(
            [*RAMIFY, *solve_words(server)],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        assert server.wait_for(lambda it: len(it.chats) >= calls_before_the_kill)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked_before = [chat.user for chat in server.chats]
        with Store.open(tmp_path / ".ramify" / "ramify.db", create=False) as store:
            run = store.last_run()
            recorded = {call.request["messages"][1]["content"] for call in store.calls(run.id)}
            finished = {task.id for task in store.load_tree(run.id).walk() if task.state is TaskState.DONE}
        found = ramify(tmp_path, "resume", "--last")
        asked_after = [chat.user for chat in server.chats[len(asked_before) :]]
        again = ramify(tmp_path, "solve", "--store", "other.db", *solve_words(server)[1:])
    assert (found.returncode, found.stdout) == (0, f"{solution_of(GOAL)}\n"), found.stderr
    assert not recorded & set(asked_after), "a call whose reply had arrived was made again"
    assert len(set(asked_before) & set(asked_after)) <= 3
    with Store.open(tmp_path / ".ramify" / "ramify.db") as store, Store.open(tmp_path / "other.db") as other:
        resumed, whole = store.load_tree(run.id), other.load_tree(other.last_run().id)
        starts = [event.task_id for event in store.events(run.id) if event.type == "task_started"]
    assert again.returncode == 0
    assert all(starts.count(task_id) == 1 for task_id in finished)
    assert resumed.to_string(state=True) == whole.to_string(state=True)
    assert resumed.get_result() == whole.get_result()
    assert [task.dependencies for task in resumed.walk()] == [task.dependencies for task in whole.walk()]


FAULTS = {
    "429 with retry-after": Fault("rate_limited", retry_after="0.2"),
    "429 without": Fault("rate_limited"),
    "500": Fault("server_error"),
    "503": Fault("overloaded"),
    "reset in the middle of the body": Fault("reset"),
    "closed without a message": Fault("drop"),
    "cut JSON": Fault("cut_json"),
    "HTML with status 200": Fault("html"),
    "empty reply": Fault("empty"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_gets_over_a_fault_in_every_phase(tmp_path: Path, name: str) -> None:
    with OpenAIServer(reply) as server:
        for place in (0, 4, 7, 11):  # a decomposition, a leaf, a leaf, a composition
            server.fail_next(*[None] * (place - len(server._faults)), FAULTS[name])
        run = solve(
            GOAL,
            agent=Agent("openai/test-model", base_url=server.base_url),
            store=tmp_path / "runs.db",
            jobs=1,
            split="always",
        )
    assert run.status == "done", run.error
    assert run.result == solution_of(GOAL)


def test_a_bad_key_stops_the_run_once_and_says_so(tmp_path: Path) -> None:
    with OpenAIServer(reply, api_key="sk-right") as server:
        found = ramify(tmp_path, *solve_words(server), OPENAI_API_KEY="sk-wrong-0123456789abcdef")
    assert found.returncode == 3, found.stderr
    assert len(server.chats) == 1
    assert "key" in found.stderr
    assert "sk-wrong-0123456789abcdef" not in found.stderr + found.stdout
    assert all(b"sk-wrong-0123456789abcdef" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_server_that_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    async def flaky(chat: Chat) -> str:
        await asyncio.sleep(0.01)
        return reply(chat)

    with OpenAIServer(flaky) as server:
        run = None
        agent = Agent("openai/test-model", base_url=server.base_url)

        def watch(event: object) -> None:
            if getattr(event, "type", "") == "run_waiting":
                waits.append(event)
                if len(waits) == 1:
                    server.go_on()
            elif getattr(event, "type", "") == "task_done" and getattr(event, "task_id", "") == "0.1.2":
                server.refuse()

        waits: list[object] = []
        run = solve(GOAL, agent=agent, store=tmp_path / "runs.db", on_event=watch, split="always")
    assert run.result == solution_of(GOAL)
    assert waits
    assert all(task.attempts == 1 for task in run.task.walk())


def test_a_server_that_is_not_there_is_a_limit_with_a_way_on(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        gone = server.base_url
    run = solve(
        GOAL,
        agent=Agent("openai/test-model", base_url=gone),
        store=tmp_path / "runs.db",
        limits=RunLimits(max_wait_seconds=0.5),
    )
    assert run.status == "stopped"
    assert "max_wait_seconds" in (run.error or "")


def test_every_export_of_a_finished_run(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        assert ramify(tmp_path, *solve_words(server)).returncode == 0
    drawn = {form: ramify(tmp_path, "graph", "--last", "-f", form).stdout for form in ("dot", "svg", "mermaid", "json")}
    assert drawn["dot"].startswith("digraph")
    assert ET.fromstring(drawn["svg"]).tag.endswith("svg")
    assert "0#46;1#46;2" in drawn["mermaid"]
    assert {task["id"] for task in json.loads(drawn["json"])["tasks"]} >= {"0", "0.1", "0.1.3", "0.3"}
    assert all("test-model" in text.replace("#45;", "-").replace("&-", "-") for text in drawn.values())
    shown = ramify(tmp_path, "show", "--last", "0.1.2", "--messages")
    assert "shoes{}" in shown.stdout
    assert solution_of("shoes{}") in shown.stdout
