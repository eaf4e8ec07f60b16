"""Tasks in series, each using the result before, and in parallel; and a list of such lists."""

from ramify.planner import Executor, WorkContext, worker
from ramify.tasks import Task, TaskManager


@worker
def add(number: int, *, context: WorkContext) -> int:
    """Add a number to the previous results."""
    return number + sum(context.results.values())


def numbers(kind: str) -> Task:
    """Return a list of three tasks; without a model, its result is the list of theirs."""
    root = Task(content=f"Add in {kind}", id=kind, name=kind, type="prompt")
    tasks = [Task(content=f"Add {n}", id=f"{kind}.{n}", type="add", inputs={"number": n}) for n in (1, 2, 3)]
    TaskManager.set_tasks_dependence(root, tasks, kind)
    return root


executor = Executor("rules", workers=[add])
for kind in ("serial", "parallel"):
    steps = [[task.id for task in wave] for wave in TaskManager(numbers(kind)).waves()]
    print(f"{kind}: {steps} -> {executor.run(numbers(kind)).result}")

both = Task(content="Both", id="0", type="prompt")
both.add_subtasks([numbers("serial"), numbers("parallel")])
print("both:", executor.run(both).result)
