"""What a run loads before its clock starts: the libraries behind its models and workers, so that no task pays for them.

Loading one may take longer than the first call does. Neither a task's time nor its limit, nor that of a reply or of the
run, holds any of it.
"""

from collections.abc import Mapping

from ramify.tasks import Task, TaskState

from .agent import Agent
from .errors import PlannerError
from .models.protocol import prepare
from .workers.registry import Workers, is_for_model


async def prepare_run(
    root: Task, to_do: Mapping[str | None, Task], agent: Agent, workers: Workers, *, is_planned: bool
) -> None:
    """Have the models and the workers of what is still to be done load what they need.

    Args:
        root: the tree.
        to_do: for each type of its open tasks, one of them.
        agent: who plans, composes, and does the tasks of no type.
        workers: who does the others.
        is_planned: whether the plan is complete; if not, the agent's model is asked in any case.
    """
    is_composed = root.state is TaskState.OPEN and not root.is_leaf
    if is_composed or not is_planned or any(map(is_for_model, to_do.values())):
        await prepare(agent.model)
    for task in to_do.values():
        try:
            await workers.of(task).prepare(task)
        except PlannerError:  # what is wrong with it is told by the task that needs it
            continue
