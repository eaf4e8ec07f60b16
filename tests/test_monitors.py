"""Monitors: tasks that watch others or the world, raise alerts, and are killed and go on without doing things twice."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ramify.planner import Executor, Store, WorkContext, worker
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig
from ramify.tasks.plans.plans import load_plan

from .documented import ROOT
from .ramify_command import Ramify, ramify_process, start_ramify

MONITOR = ROOT / "examples" / "monitor.py"
READINGS = 8


def plan_file(folder: Path) -> Path:
    """Write the example's plan with more readings, not so fast."""
    text = (ROOT / "examples" / "monitor.yaml").read_text(encoding="utf-8")
    path = folder / "longer.yaml"
    path.write_text(text.replace("readings: 5", f"readings: {READINGS}").replace("second: 10", "second: 5"))
    assert load_plan(path).find("level").inputs["readings"] == READINGS
    return path


def taken(log: Path) -> list[int]:
    if not log.exists():
        return []
    return [json.loads(line)["reading"] for line in log.read_text().splitlines()]


def test_a_monitor_that_is_killed_twice_goes_on_with_the_next_reading(home: Path) -> None:
    words = ["run", "--workers", str(MONITOR), "--model", "rules", str(plan_file(home))]
    finished: dict[int, int] = {}
    for kill in (3, 6):
        process = start_ramify(*words)
        while len(taken(home / "readings.log")) < kill:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Store.open(".ramify/ramify.db") as store:
            run_id = store.last_run().id
            steps = [step for step in store.steps(run_id, "level") if step.ended_at is not None]
        times = Counter(taken(home / "readings.log"))
        assert len(steps) >= len(times) - 1, "more than the reading that was under way is lost"
        assert all(times[number] == count for number, count in finished.items()), "a finished reading was taken again"
        finished |= {int(step.input): times[int(step.input)] for step in steps}
        words = ["resume", "--last"]
    ended = ramify_process(*words)
    assert ended.code == 0, ended.err
    times = Counter(taken(home / "readings.log"))
    assert sorted(times) == list(range(READINGS))
    assert all(times[number] == count for number, count in finished.items())
    assert sum(times.values()) <= READINGS + 2, "no more is repeated than was under way at a kill"
    assert times.total() <= READINGS + 2
    with Store.open(".ramify/ramify.db") as store:
        alerts = [event for event in store.events(run_id) if event.type == "alert"]
        assert store.load_tree(run_id).find("level").output == {"highest": 2.9}
    assert {event.data["data"]["level"] for event in alerts} == {2.6, 2.9}
    assert len(alerts) <= 3 + 2


def test_alerts_are_shown_stored_and_heard(ramify: Ramify, home: Path) -> None:
    said = ramify("run", "--workers", str(MONITOR), "--model", "rules", "--display", "plain", str(plan_file(home)))
    assert said.code == 0
    assert "level alert: reading 2: the level is 2.6, and 2.5 is the limit" in said.err.splitlines()


def test_a_handler_hears_alerts_and_nothing_else(tmp_path: Path) -> None:
    @worker
    async def worry(*, context: WorkContext) -> str:
        context.emit("looked", where="here")
        context.alert("it burns", where="there")
        return "done"

    heard: list[Any] = []
    run = Executor("rules", store=tmp_path / "runs.db", workers=[worry]).new_run(Task("x", id="0", type="worry"))
    run.on_alert(heard.append)
    run.start().wait()
    assert [(event.task_id, event.data) for event in heard] == [
        ("0", {"message": "it burns", "data": {"where": "there"}})
    ]


def test_a_task_watches_others_from_the_loop_or_from_a_thread(tmp_path: Path) -> None:
    """Both see the retry of the third, whichever of them starts first."""

    @worker
    async def on_loop(*, context: WorkContext) -> str:
        async for event in context.events("task_retrying", where=lambda event: event.task_id == "shaky"):
            return str(event.data["error"])
        return "nothing"

    @worker
    def in_thread(*, context: WorkContext) -> str:
        for event in context.events("task_retrying", "task_done"):
            if event.task_id == "shaky" and event.type == "task_done":
                return "it is done"
        return "nothing"

    @worker
    def shaky(*, context: WorkContext) -> str:
        if context.attempt == 1:
            raise OSError("not yet")
        return "fine"

    root = Task(content="all", id="0", config=TaskConfig(retry_delay_seconds=0.0))
    root.add_subtasks([Task(content=name, id=name, type=name) for name in ("on_loop", "in_thread", "shaky")])
    model = ScriptedModel({"*": "<result>together</result>"})
    run = Executor(model, store=tmp_path / "runs.db", workers=[on_loop, in_thread, shaky]).run(root)
    assert run.status == "done"
    assert root.find("on_loop").result == "OSError: not yet"
    assert root.find("in_thread").result == "it is done"
