"""What a worker does for a task, as one step where the worker says that it may not simply be done again."""

from collections.abc import Awaitable
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.events.events import EventType
from ramify.planner.store.records import MayRepeat, StepKey
from ramify.tasks import Task

from .context import WorkContext
from .protocol import Outcome, Worker
from .steps import Step, checked_repeat

WHOLE = "the whole task"


def performed(worker: Worker, task: Task, context: WorkContext) -> Awaitable[Outcome]:
    """Return what comes of `task`: of its worker now, or of the time before where that may not be repeated."""
    said = task.config.may_repeat
    may_repeat = worker.may_repeat if said is None else said
    if may_repeat is True:
        return worker.perform(task, context)
    return _performed_once(worker, task, context, checked_repeat(may_repeat))


async def _performed_once(worker: Worker, task: Task, context: WorkContext, may_repeat: MayRepeat) -> Outcome:
    async def perform() -> dict[str, Any]:
        outcome = await worker.perform(task, context)
        if not isinstance(outcome, Outcome) or not isinstance(outcome.text, str):
            raise UsageError(f"the worker {task.type} returned no Outcome with text for task {task.id}")
        return {"text": outcome.text, "output": outcome.output, "gaps": [*outcome.gaps]}

    step = Step(
        key=StepKey(task.id, 0, WHOLE), given=context.inputs or None, may_repeat=may_repeat,
        kind="task", idempotency_key=context.idempotency_key,
    )  # fmt: skip
    said = await context.services.steps.take(task, step, perform)
    context.services.recorder.put(EventType.STEP_DONE, task, step=WHOLE)
    return Outcome(said["text"], said["output"], tuple(said["gaps"]))
