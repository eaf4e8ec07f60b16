"""Run in the background, query the run from another process, wait for it, and cancel it."""

import subprocess
import sys
import threading

from ramify.planner import Executor, worker
from ramify.tasks import Task

ASKING = """
import sys, time
from ramify.planner import Executor

while not (run := Executor.status("background.db", sys.argv[1])).current_action:
    time.sleep(0.05)
print("another process sees:", run.status, f"{run.percent}%", "-", run.current_action, "- error:", run.error)
"""

may_end = threading.Event()


@worker
def boil() -> str:
    """Boil water."""
    return "hot water"


@worker
def brew() -> str:
    """Brew until someone has looked."""
    may_end.wait()
    return "tea"


def tea() -> Task:
    root = Task(content="Make tea", id="0", type="prompt")
    root.add_subtasks(
        [
            Task(content="Boil water", id="boil", type="boil"),
            Task(content="Brew the tea", id="brew", type="brew", dependencies=["boil"]),
        ]
    )
    return root


executor = Executor("rules", store="background.db", workers=[boil, brew])

run = executor.start(tea())  # returns at once; `await run` waits for it in async code
subprocess.run([sys.executable, "-c", ASKING, run.id], check=True)  # noqa: S603 - our own program
may_end.set()
print("then:", run.wait().status, "-", run.result)

print("waited for:", executor.run(tea()).result)

may_end.clear()
run = executor.start(tea())
run.on(lambda _: run.cancel(), "task_started", where=lambda event: event.task_id == "brew")
print("cancelled:", run.wait().status, "-", [(task.id, task.state.value) for task in run.task.subtasks])
may_end.set()  # lets the thread go that was given up
