"""A script that is made to be killed: loops, conditions on results, a map, branches, a failure, a plan within.

    python -m tests.crash_scripts_program start|resume STORE LOG ITEMS     (with a run id for resume)

Each body and each call of the model appends a line to LOG when it starts, by one system call, so a kill leaves whole
lines. The goal that is planned is one of `made_up_goals.py`.
"""

import asyncio
import random
import sys
from typing import Any

from ramify.planner import Agent, Executor
from ramify.planner.errors import WorkFailedError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel
from ramify.planner.work.script import ScriptContext
from ramify.planner.workers.script import Script
from ramify.tasks import Task

from .crash_program import Log
from .made_up_goals import answer

JOBS = 8
GOAL = "all{a{x{}|y{}};b{};c{p{}|q{}}}"


def script_of(items: int) -> Script:
    """Return the script that maps over so many items."""

    async def study(ctx: ScriptContext) -> dict[str, Any]:
        """Study some numbers."""
        total = 0
        for n in range(5):
            value = await ctx.task(f"measure {n}", type="measure", inputs={"n": n})
            if value % 2:  # a condition on a result
                total += await ctx.task(f"look again at {value}", type="measure", inputs={"n": value})
        squares = await ctx.map("square", range(items), type="square")
        solved = await ctx.solve(GOAL)
        try:
            await ctx.task("what cannot be done", type="broken")
        except WorkFailedError as error:
            missing = error.task_id
        branches = await asyncio.gather(*(branch(ctx, n) for n in range(4)))
        first = await race(ctx)
        label = f"{ctx.now().isoformat()} {ctx.uuid()} {ctx.random.random()}"
        checked = await ctx.task(label, type="length")
        return {
            "total": total, "squares": sum(squares), "solved": solved, "missing": missing, "branches": branches,
            "raced": first, "checked": checked == len(label),
        }  # fmt: skip

    async def branch(ctx: ScriptContext, n: int) -> int:
        value: int = await ctx.task(f"begin {n}", type="square", inputs={"item": n})
        for _ in range(n):
            value = await ctx.task(f"go on from {value}", type="measure", inputs={"n": value})
        return value

    async def race(ctx: ScriptContext) -> int:
        """Go on from whoever comes first, which is another one every time, in an order that has to be kept."""
        left = {ctx.task(f"run {n}", type="square", inputs={"item": n}) for n in range(4)}
        total = 0
        for call in asyncio.as_completed(left):
            total += await ctx.task(f"after {await call}", type="measure", inputs={"n": 1})
        return total

    return Script(study)


def given_of(log: Log) -> tuple[Agent, dict[str, Any]]:
    """Return who answers, and with what a run is begun and gone on with."""

    async def reply(request: ModelRequest) -> str:
        log.write("call", request.purpose, request.task_id)
        await asyncio.sleep(0.01 * random.random())
        return answer(*(message["content"] for message in request.messages))

    async def noted(task: Task) -> None:
        log.write("body", task.type, task.id)
        await asyncio.sleep(0.01 * random.random())

    async def measure(task: Task) -> int:
        await noted(task)
        return 3 * int(str(task.inputs["n"])) + 1

    async def square(task: Task) -> int:
        await noted(task)
        return int(str(task.inputs["item"])) ** 2

    async def length(task: Task) -> int:
        await noted(task)
        return len(task.content)

    async def broken(task: Task) -> int:
        await noted(task)
        raise WorkFailedError("it cannot be done", task_id=task.id)

    return Agent(ScriptedModel(reply)), {"workers": [measure, square, length, broken]}


def main(command: str, store: str, log_path: str, items: str, run_id: str = "") -> int:
    """Start or resume the run; 0 if it is done."""
    agent, given = given_of(Log(log_path))
    script = script_of(int(items))
    if command == "start":
        run = Executor(agent, jobs=JOBS, store=store, **given).run_script(script)
    else:
        run = Executor.resume(store, run_id, agent=agent, script=script, **given)
    print(run.status, run.id, run.error)
    return 0 if run.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
