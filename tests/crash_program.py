"""A run that is made to be killed: it logs every body and call that it starts, and does the same every time.

    python -m tests.crash_program start|resume STORE LOG GOAL     (with a run id for resume)

The goal is of `made_up_goals.py`; the model is scripted, answers after a few milliseconds, and appends a line to LOG
when a call starts and another when its answer is handed over. A line is written by one system call, so a kill leaves
whole lines. `CRASH_PROGRAM_LATENCY_S` makes it slower, for tests that need a run that is still under way;
`CRASH_PROGRAM_POLICY` names the policy. Under `as_needed` the model finds every task too big that has parts.
"""

import asyncio
import os
import random
import re
import sys
from collections.abc import Mapping
from html import unescape

from ramify.planner import Agent, Executor, PlanLimits
from ramify.planner.api import make_root
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel

from .made_up_goals import answer, last_goal, parts_of

JOBS = 6
LATENCY_S = float(os.environ.get("CRASH_PROGRAM_LATENCY_S", "0.008"))
POLICY = os.environ.get("CRASH_PROGRAM_POLICY", "upfront")


class Log:
    """Appends lines that survive a kill."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, *words: object) -> None:
        """Write one line."""
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


def model_of(log: Log) -> ScriptedModel:
    """Return the model: it answers any prompt about a made-up goal."""

    async def reply(request: ModelRequest) -> str:
        log.write("call", os.getpid(), request.purpose, request.task_id)
        await asyncio.sleep(LATENCY_S * random.random() * 2)
        log.write("reply", os.getpid(), request.purpose, request.task_id)
        texts = [message["content"] for message in request.messages]
        if POLICY == "as_needed" and request.purpose == "execute" and parts_of(last_goal(texts[-1]))[0]:
            return '<failed reason="too_big">it has parts</failed>'
        return rest_of(answer(*texts), getattr(request.variables, "begun", {}))

    return ScriptedModel(reply, cost_usd=0.01)


def rest_of(plan: str, begun: Mapping[str, str]) -> str:
    """Return what a plan has besides the tasks that are there already, whose ids stand for their own."""
    tasks = re.findall(r'<task id="(\w+)"(?: needs="(\w+)")?>([^<]*)</task>', plan) if begun else []
    if not tasks:
        return plan
    ids = {key: task_id for key, _, content in tasks for task_id, known in begun.items() if unescape(content) == known}
    left = [(key, ids.get(needs, needs), content) for key, needs, content in tasks if key not in ids]
    return "".join(f'<task id="{key}" needs="{needs}">{text}</task>' for key, needs, text in left) or "<atomic/>"


def main(command: str, store: str, log_path: str, goal_or_id: str) -> int:
    """Start or resume the run; 0 if it is done."""
    log = Log(log_path)
    agent = Agent(model_of(log))
    if command == "start":
        executor = Executor(agent, jobs=JOBS, store=store, plan=PlanLimits(policy=POLICY, max_depth=6, max_children=20))
        run = executor.run(make_root(goal_or_id, []))
    else:
        run = Executor.resume(store, goal_or_id, agent=agent)
    print(run.status, run.id)
    return 0 if run.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
