"""Reading a task's inputs into what a worker takes: checked by pydantic, and complained about by name."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ramify.planner.errors import WorkFailedError
from ramify.tasks import Task
from ramify.tasks.misfits import misfit

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
        problems = error.errors(include_url=False)
    # a misspelled name is unknown and missing at once, and the unknown one says what to do
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in problem["loc"])
    is_whole = len(problem["loc"]) == 1
    if problem["type"] == "missing" and is_whole:
        raise WorkFailedError(
            f"task {task.id} lacks the input {where} of the worker {worker!r}; add it to the plan as"
            f" `inputs: {{{where}: ...}}`",
            task_id=task.id,
            reason="missing_input",
        )
    why = misfit(problem)
    if problem["type"] == "extra_forbidden" and is_whole:
        why = f"there is no such input; {_near(where, model.model_fields)}"
    named = f"the input {where}" if where else "an input"
    raise WorkFailedError(
        f"{named} of task {task.id} does not fit the worker {worker!r}: {why}",
        task_id=task.id,
        reason="missing_input",
    )


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"it takes {', '.join(known) or 'none'}"
