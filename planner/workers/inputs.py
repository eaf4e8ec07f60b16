"""Reading a task's inputs into what a worker takes: checked by pydantic, and complained about by name."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ramify.planner.errors import WorkFailedError
from ramify.tasks import Task

M = TypeVar("M", bound=BaseModel)


def read_inputs(model: type[M], inputs: dict[str, Any], task: Task, *, worker: str) -> M:
    """Return `inputs` as `model`.

    Args:
        model: what the worker takes.
        inputs: the task's inputs; those that `model` does not know are refused if it forbids them.
        task: the task, for messages.
        worker: the worker's name, for messages.

    Raises:
        WorkFailedError: if one is missing, unknown or wrong; it is named.
    """
    try:
        return model.model_validate(inputs)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        named = f"the input {where}" if where else "an input"
        raise WorkFailedError(
            f"{named} of task {task.id} does not fit the worker {worker!r}: {problem['msg']}",
            task_id=task.id,
            reason="missing_input",
        ) from None
