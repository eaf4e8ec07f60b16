"""Which conversation an attempt goes on with, decided from the steps that are on disk.

An attempt goes on where the one before was, so that nothing is asked or done twice. A new conversation is begun where
the last one was given up, or was held with another model, prompt or tools; but not if a tool was called in it that may
not be repeated: then a person has to say what is to be done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ramify.planner.errors import WaitingError
from ramify.planner.store.records import StepRecord
from ramify.planner.work.context import WorkContext

GIVEN_UP = "given up"
"""The step that says that a conversation is not gone on with, and why."""

_MEMBER = "member "


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation about a task.

    Attributes:
        label: tells it from others about the task: the attempt in which it was begun.
        error: why the one before was given up; None if there is none.
    """

    label: int
    error: str | None = None


def place_in(steps: Sequence[StepRecord], context: WorkContext, opening_of: Callable[[str | None], str]) -> Place:
    """Return the conversation to go on with.

    Args:
        steps: what was done for the task, in all conversations.
        context: the task's.
        opening_of: returns what tells a conversation from others that begins after such an error.

    Raises:
        WaitingError: if a new one has to be begun, and that would repeat what may not be repeated.
    """
    member = member_of(context)
    own = [step for step in steps if step.key.attempt > 0 and _is_of(step, member)]
    if not own:
        return Place(context.attempt)
    errors = {step.key.attempt: str(step.output) for step in own if step.key.key == f"{member}{GIVEN_UP}"}
    last = max(step.key.attempt for step in own)
    before = [label for label in errors if label < last]
    place = Place(last, errors[max(before)] if before else None)
    made = [step for step in own if isinstance(step.input, dict)]  # the others are notes
    opening = opening_of(place.error)
    if last not in errors and all(step.input["opening"] == opening for step in made if step.key.attempt == last):
        return place
    _refuse_to_repeat(made, context)
    return Place(max(context.attempt, last + 1), errors.get(last))


def member_of(context: WorkContext) -> str:
    """Return what the steps of an agent begin with that works with others on one task; empty for the first, or alone.

    Each of them holds a conversation of its own.
    """
    return f"{_MEMBER}{context.first_sample}: " if context.first_sample else ""


def _is_of(step: StepRecord, member: str) -> bool:
    return step.key.key.startswith(member) if member else not step.key.key.startswith(_MEMBER)


def _refuse_to_repeat(made: Sequence[StepRecord], context: WorkContext) -> None:
    task_id = context.task.id
    for step in made:
        if step.input["may_repeat"] is not True:
            raise WaitingError(
                f"task {task_id}: its conversation cannot continue, and it called a tool that must not be"
                f" repeated ({step.key.key}). Check, then run the task again with `ramify resume {context.run_id}"
                f" --from {task_id}`, or give its answer with `ramify resume {context.run_id} --set-result"
                f" {task_id}=TEXT`",
                task_id=task_id,
            )
