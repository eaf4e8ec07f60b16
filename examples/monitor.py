"""Monitors: a task that takes readings at a steady pace, and one that watches other tasks.

    python examples/monitor.py                                                           five readings, made up
    ramify run --workers examples/monitor.py --model rules examples/monitor.yaml         the same plan as a command

Each reading is a step that is taken once: a monitor that is killed goes on with the next one when the run is resumed.
With `requests_per_second: 0.1` and 8640 readings, it lasts a day.
"""

import asyncio
import json
import time
from functools import partial
from pathlib import Path

from ramify.planner import Executor, WorkContext, worker
from ramify.tasks.plans.plans import load_plan

LEVELS = [1.2, 1.4, 2.6, 1.3, 2.9]
LOG = Path("readings.log")


def take_reading(number: int, limit: float, context: WorkContext) -> dict[str, float]:
    """Read the level (made up here), and raise an alert above the limit."""
    level = LEVELS[number % len(LEVELS)]
    with LOG.open("a") as log:
        log.write(f"{json.dumps({'reading': number, 'level': level})}\n")
    if level > limit:
        context.alert(f"reading {number}: the level is {level}, and {limit} is the limit", level=level)
    return {"level": level, "at": time.time()}


@worker
async def monitor(readings: int, limit: float, *, context: WorkContext) -> dict[str, float]:
    """Take readings at the pace of requests_per_second, and raise an alert for each one above the limit."""
    pause_s = 1 / (context.config.requests_per_second or 0.1)
    highest = 0.0
    for number in range(readings):
        reading = await context.step("reading", partial(take_reading, number, limit, context), given=number)
        highest = max(highest, reading["level"])
        context.progress((number + 1) / readings, f"reading {number + 1} of {readings}")
        await asyncio.sleep(reading["at"] + pause_s - time.time())  # nothing, for what was read before a restart
    return {"highest": highest}


@worker
async def watch(until: str, *, context: WorkContext) -> str:
    """Report alerts and failures of other tasks until one task is done."""
    noticed = 0
    if context.task.find(until).completed_at is not None:  # before a restart
        return "nothing to watch any more"
    async for event in context.events("alert", "task_failed", "task_done"):
        if event.task_id == until and event.type != "alert":
            break
        if event.type != "task_done":
            noticed += 1
            context.emit("noticed", task=event.task_id, what=str(event.type))
    return f"{noticed} things noticed"


if __name__ == "__main__":
    plan = load_plan(Path(__file__).with_name("monitor.yaml"))
    run = Executor("rules", workers=[monitor, watch]).new_run(plan)
    run.on_alert(lambda event: print("alert of", event.task_id, "-", event.data["message"]))
    run.start().wait()
    print(run.task.find("level").output, "-", run.task.find("guard").result)
