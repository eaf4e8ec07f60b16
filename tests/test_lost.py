"""Tasks under which their process has ended: what is counted, and when such a task is begun no more."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ramify.planner.events.events import Event, EventType
from ramify.planner.running.lost import MOST_ENDS, ends_of

from .ramify_command import ramify_process

WORKERS = """
import os
from ramify.planner import Outcome, Worker, worker

@worker
def plain() -> None:
    os._exit(3)

@worker
async def given_task(task) -> None:
    os._exit(3)

class Own(Worker):
    name = about = "own"
    async def perform(self, task, context):
        os._exit(3)

own = Own()
"""
LOST: dict[str, Any] = {"why": "its process ended", "lost": True}
STOPPED: dict[str, Any] = {"why": "the run is stopping"}
DONE_AGAIN: dict[str, Any] = {"redone": ["0.1"]}


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([], 0),
        ([(EventType.TASK_RELEASED, LOST)] * 2, 2),
        ([(EventType.TASK_RELEASED, LOST), (EventType.TASK_RELEASED, STOPPED)], 1),
        ([(EventType.TASK_RELEASED, LOST), (EventType.TASK_FAILED, {"error": "x"})], 0),
        ([(EventType.TASK_RELEASED, LOST), (EventType.PLAN_EDITED, DONE_AGAIN), (EventType.TASK_RELEASED, LOST)], 1),
    ],
)
def test_ends_are_counted_since_the_task_was_last_done_anew(
    events: Sequence[tuple[EventType, dict[str, Any]]], ends: int
) -> None:
    happened = [Event(seq, 0.0, kind, "0.1", data) for seq, (kind, data) in enumerate(events, 1)]
    assert ends_of(happened)["0.1"] == ends


@pytest.mark.parametrize("kind", ["plain", "given_task", "own"])
def test_a_worker_that_ends_the_process_fails_its_task_in_the_end(home: Path, kind: str) -> None:
    (home / "mine.py").write_text(WORKERS, encoding="utf-8")
    tasks = [{"task": "a", "type": kind}, {"task": "1+1"}]
    (home / "plan.json").write_text(json.dumps({"goal": "all", "tasks": tasks}), encoding="utf-8")
    said = ramify_process("run", "plan.json", "--model", "rules", "--workers", "mine.py")
    ends = 0
    while said.code == 3:
        ends += 1
        assert ends <= MOST_ENDS + 1, "the first end may come before it is on disk that the task runs"
        said = ramify_process("resume", "--last")
    assert (said.code, ends >= MOST_ENDS) == (1, True), said.err
    assert f"the process ended 3 times while this ran, so its worker '{kind}' may have killed it" in said.err
    assert ramify_process("resume", "--last", "--retry-failed").code == 3, "it is begun again where that is asked for"
