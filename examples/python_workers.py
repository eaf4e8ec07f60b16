"""Python functions as workers: four simulations in parallel, then their mean.

Tasks with a `type` are done by the function of that name. A plain function runs in a thread, an async one on the loop;
what it returns, text or JSON data, is on disk before anything that needs it starts.
"""

import random

from ramify.planner import Executor
from ramify.tasks import Task

THROWS = 20_000


def simulate(task: Task) -> dict[str, float]:
    chance = random.Random(task.inputs["seed"])  # noqa: S311 - darts, not secrets
    inside = sum(chance.random() ** 2 + chance.random() ** 2 < 1 for _ in range(THROWS))
    return {"pi": 4 * inside / THROWS}


async def mean(task: Task) -> dict[str, float]:
    estimates = [task.find(needed).output["pi"] for needed in task.dependencies]
    return {"pi": sum(estimates) / len(estimates)}


root = Task(content="Estimate pi by throwing darts", id="0")
runs = [Task(content=f"Simulation {n}", id=f"s{n}", type="simulate", inputs={"seed": n}) for n in range(4)]
last = Task(content="Mean of all simulations", id="mean", type="mean", dependencies=[each.id for each in runs])
root.add_subtasks([*runs, last])

executor = Executor("rules", jobs=4, workers={"simulate": simulate, "mean": mean})
run = executor.run(root)  # the root is composed by the model: here `rules`, which lists what its subtasks gave

print(run.result)
print(run.task.find("mean").output)
