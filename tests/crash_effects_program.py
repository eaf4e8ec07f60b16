"""A run that is made to be killed while it pays: each of its tasks has a server charge an order.

    python -m tests.crash_effects_program start STORE HOW
    python -m tests.crash_effects_program resume STORE RUN [OPTIONS]      (JSON: keywords of `Executor.resume`)

HOW is `step`, `whole` or `apart`, as the workers of `paying.py` have it, or `tool`: then a scripted model has the tool
called. `PAYING_SERVER` is the server's address, `PAYING_WITH_KEY` says whether it is given keys, and `PAYING_ASKS`
whether it is asked what became of a step that may not be repeated. The last task needs what came of the others.
"""

import json
import os
import re
import sys
import urllib.request
from typing import Any

from ramify.planner import Agent, Executor
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel
from ramify.planner.work.unknown import StepAnswer, UnknownStep
from ramify.tasks import Task

from .paying import SERVER, pay, pay_apart, pay_step, pay_whole

ORDERS = ("book", "lamp", "chair", "shipping")
JOBS = int(os.environ.get("PAYING_JOBS", "1"))


def tree_of(how: str) -> Task:
    """Return the tasks: one for each order."""
    root = Task(content="Pay all orders", id="0")
    for number, order in enumerate(ORDERS, 1):
        task = Task(content=f"Pay the {order}: {100 * number} cents", id=f"0.{number}")
        if how != "tool":
            task.type, task.inputs = f"pay_{how}", {"order": order, "cents": 100 * number}
        if order == ORDERS[-1]:
            task.dependencies = [child.id for child in root.subtasks]
        root.add_subtask(task)
    return root


def reply(request: ModelRequest) -> str:
    """Return what the model says: it has the tool called, and then gives what came of it."""
    if request.purpose == "compose":
        return "<result>all is paid</result>"
    text = "\n".join(str(message["content"]) for message in request.messages)
    order, cents = re.findall(r"Pay the (\w+): (\d+) cents", text)[-1]
    receipts = re.findall(r"receipt[^\w]+(\w+)", text.partition("<call")[2]) if "<call" in text else []
    if receipts:
        return f"<result>{receipts[-1]}</result>"
    return f'<call tool="pay">{json.dumps({"order": order, "cents": int(cents)})}</call>'


def find_out(step: UnknownStep) -> StepAnswer:
    """Ask the server whether an order was charged."""
    given: Any = step.input
    order = given[0] if isinstance(given, list) else given.get("arguments", given)["order"]
    with urllib.request.urlopen(f"{SERVER}/charges/{order}") as response:  # noqa: S310 - a server of the test
        found = json.load(response)
    return step.done(found) if found else step.again()


def main(command: str, store: str, target: str, options: str = "{}") -> int:
    """Do what is asked; 0 if the run is done, 5 if it waits for a person."""
    how: dict[str, Any] = {"workers": [pay_step, pay_whole, pay_apart]}
    if os.environ.get("PAYING_ASKS"):
        how["on_unknown"] = find_out
    agent = Agent(ScriptedModel(reply), tools=[pay])
    if command == "start":
        run = Executor(agent, store=store, jobs=JOBS, **how).run(tree_of(target))
    else:
        run = Executor.resume(store, target, agent=agent, tools=[pay], **how, **json.loads(options))
    print(run.status, run.id, run.error)
    return {"done": 0, "waiting": 5}.get(run.status, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
