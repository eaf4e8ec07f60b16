"""What a run loads before its clock starts: the libraries behind its models and workers, so that no task pays for them.

Loading one may take longer than the first call does. Neither a task's time nor its limit, nor that of a reply or of the
run, holds any of it.
"""

from collections.abc import Iterable, Mapping

from ramify.planner.asking.agent import Agent
from ramify.planner.errors import PlannerError
from ramify.planner.models.protocol import Model, prepare
from ramify.planner.work.special_types import SCRIPT
from ramify.planner.workers.registry import Workers, is_for_model
from ramify.tasks import Task, TaskState


async def prepare_run(
    root: Task, to_do: Mapping[str | None, Task], agent: Agent, workers: Workers, *, is_planned: bool, jobs: int
) -> list[Model]:
    """Have the models and the workers of what is still to be done load what they need; return the models.

    Args:
        root: the tree.
        to_do: for each type of its open tasks, one of them.
        agent: who plans, composes, and does the tasks of no type.
        workers: who does the others.
        jobs: how many tasks run at the same time.
        is_planned: whether the plan is complete; if not, the agent's model is asked in any case.
    """
    models: list[Model] = []
    is_composed = root.state is TaskState.OPEN and not root.is_leaf and root.type != SCRIPT
    if is_composed or not is_planned or any(map(is_for_model, to_do.values())):
        models.append(agent.model)
    for task in to_do.values():
        try:
            worker = workers.of(task)
            await worker.prepare(task)
            models += worker.models
        except PlannerError:  # what is wrong with it is told by the task that needs it
            continue
    for model in models:
        await prepare(model, at_once=jobs)
    return models


def unpriced(models: Iterable[Model]) -> Model | None:
    """Return the first model of which it is known that nobody knows what its calls cost."""
    return next((model for model in models if getattr(model, "has_price", True) is False), None)
