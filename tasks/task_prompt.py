"""CAMEL's names for the prompts and the parser: `TASK_*_PROMPT` and `parse_response`."""

from ramify.prompts import TASK_COMPOSE_PROMPT, TASK_DECOMPOSE_PROMPT, TASK_EVOLVE_PROMPT

from .prompt_variables import tasks_of_plan
from .replies.grammar import parse_plan
from .tree.task import Task

__all__ = ["TASK_COMPOSE_PROMPT", "TASK_DECOMPOSE_PROMPT", "TASK_EVOLVE_PROMPT", "parse_response"]


def parse_response(response: str, task_id: str | None = None) -> list[Task]:
    """Return the tasks in a model's reply, with the ids `"<task_id>.<i>"` from 1; blank items are skipped.

    Args:
        response: the reply, in any form that `ramify.tasks.replies.grammar` reads.
        task_id: the id of the task that was split; `"0"` unless given.

    Raises:
        ReplyError: if the reply holds no plan.

    >>> [task.id for task in parse_response("<task>Look</task><task>Leap</task>")]
    ['0.1', '0.2']
    """
    parent = Task(content="parent", id=task_id or "0")
    return tasks_of_plan(parent, parse_plan(response, blank="skip"))
