"""A run that is made to be killed while it is changed: it fails, is tried again, is edited, cancelled, and grows.

    python -m tests.crash_changes_program start STORE LOG GOAL
    python -m tests.crash_changes_program resume STORE LOG RUN [OPTIONS]      (JSON: keywords of `Executor.resume`)
    python -m tests.crash_changes_program cancel STORE LOG RUN

The goal is of `made_up_goals.py`, split here; leaves are done by a plain function, groups are composed by a scripted
model. `CRASH_PROGRAM_FAILING` names leaves that fail; with
`CRASH_PROGRAM_RECOVERY`, the plan around them is changed. A leaf that is called `maker...` adds tasks beside itself.
LOG gets a line for every body that begins, with what it was given, and `LOG.live` the tree as it is in memory at the
end.
"""

import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from ramify.planner import Executor, Outcome, Run, WorkContext, worker
from ramify.planner.cli import main as ramify
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig
from ramify.tasks.plans.plans import read_plan

from .crash_program import JOBS, LATENCY_S, Log
from .made_up_goals import answer, last_goal, parts_of, solution_of

MADE = 3
"""How many tasks a maker adds."""

HOLDS_ON = bool(os.environ.get("CRASH_PROGRAM_HOLDS_ON"))
"""Whether no leaf ends before the run is cancelled, or killed."""

RECOVERY = os.environ.get("CRASH_PROGRAM_RECOVERY")
"""How far the recovery of a leaf that fails goes."""

CHANGES = {
    "replan": '<replace of="0.1.2" type="leaf">spare{}</replace>',
    "steer": '<drop of="0.1.2">not wanted</drop><add to="0.3" type="leaf">spare{}</add>',
}
"""What the planner changes in a plan that is under way."""

FAILING = frozenset(os.environ.get("CRASH_PROGRAM_FAILING", "").split())


def tree_of(goal: str) -> Task:
    """Return the tree of a goal, split down to its leaves."""
    root = Task(content=goal, id="0", config=TaskConfig(max_retries=0, recovery=RECOVERY))
    level = [root]
    for task in level:
        parts, serial = parts_of(task.content)
        for number, part in enumerate(parts, 1):
            child = Task(content=part, id=f"{task.id}.{number}", type=None if parts_of(part)[0] else "leaf")
            task.add_subtask(child)
            if serial and number > 1:
                child.add_dependency(f"{task.id}.{number - 1}")
            level.append(child)
    return root


def standing(root: Task) -> dict[str, list[Any]]:
    """Return how every task stands, as JSON data."""
    return {
        task.id: [task.content, task.state, task.result, task.output, task.error, task.attempts, task.origin]
        for task in root.walk()
    }


def digest(given: object) -> str:
    """Return a short name for what a body was given."""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:12]


def run_of(command: str, store: str, log: Log, target: str, options: dict[str, Any]) -> Run:
    """Start or resume the run, and return it at its end."""

    @worker
    def leaf(context: WorkContext) -> Outcome:
        task = context.task
        log.write("call", os.getpid(), "execute", task.id, context.attempt, digest(context.results))
        time.sleep(LATENCY_S * random.random())
        while HOLDS_ON and not context.cancelled.wait(0.01):
            pass
        name = task.content.partition("{")[0]
        if name in FAILING:
            raise ValueError(f"{name} fails")
        if name.startswith("maker"):
            for number in range(MADE):
                context.spawn(Task(content=f"made-{name}-{number}{{}}", type="leaf"))
        return Outcome(solution_of(task.content), {"name": name, "given": len(context.results)})

    def reply(request: ModelRequest) -> str:
        texts = [message["content"] for message in request.messages]
        log.write("call", os.getpid(), request.purpose, request.task_id, request.attempt, digest(last_goal(texts[-1])))
        return CHANGES.get(request.purpose) or answer(*texts)

    how: dict[str, Any] = {"workers": [leaf]}
    model = ScriptedModel(reply, cost_usd=0.01)
    if command == "start":
        return Executor(model, jobs=JOBS, store=store, **how).run(tree_of(target))
    if "plan" in options:
        options["plan"] = read_plan(options["plan"], source="plan")
    return Executor.resume(store, target, agent=model, **how, **options)


def main(command: str, store: str, log_path: str, target: str, options: str = "{}") -> int:
    """Do what is asked; 0 if the run is done."""
    if command == "cancel":
        return ramify(["cancel", target, "--store", store])
    run = run_of(command, store, Log(log_path), target, json.loads(options))
    Path(f"{log_path}.live").write_text(json.dumps(standing(run.task)), encoding="utf-8")
    print(run.status, run.id)
    return 0 if run.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
