"""Steps of which nobody knows whether they were taken: a person is asked, and what is said is on disk before it counts.

Where nobody can be asked, or nobody knows, the run waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from ramify.planner.asking.person import Person
from ramify.planner.errors import UnknownStepError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.runtime.border import error_text
from ramify.planner.store.changes import Change
from ramify.planner.store.records import StepKey, StepRecord
from ramify.planner.work.steps import StepLog
from ramify.planner.work.unknown import StepAnswer, UnknownStep, answers_in, changes_of, settled, words_of
from ramify.tasks import Task


@dataclass(slots=True)
class StepAsking:
    """Has it found out whether steps of one run were taken.

    Attributes:
        steps: the steps.
        recorder: writes down what is asked and said.
        person: who is asked.
    """

    steps: StepLog
    recorder: Recorder
    person: Person

    async def answered(self, task: Task, error: Exception) -> bool:
        """Return whether somebody has said now what became of the step that `error` is about.

        Raises:
            UnknownStepError: if who was to be asked could not be, or gave no answer that can be used.
        """
        on_unknown = self.person.on_unknown
        if not isinstance(error, UnknownStepError) or on_unknown is None:
            return False
        key = StepKey(*error.key)
        found = next(step for step in self.steps.of(key.task_id) if step.key == key)
        question = f"task {task.id}: was {words_of(found)} done?"
        self.recorder.put(EventType.PERSON_ASKED, task, about="step", questions=[question])
        try:
            said = await self.person.answer(on_unknown, _told(found, task, question, self.recorder.writer.run_id))
            if said is None:
                return False
            changes = self.steps.settle(key, _checked(said))
        except Exception as failure:
            words = f"{error} (on_unknown failed: {error_text(failure)})"
            raise UnknownStepError(words, key=error.key, options=error.options) from failure
        await self.recorder.commit(EventType.PERSON_ANSWERED, task, *changes, about="step", answers=[said.words])
        return True


def said_of_steps(
    steps: Sequence[StepRecord], done: Mapping[str, JsonValue], again: Sequence[str]
) -> dict[str, tuple[list[Change], str]]:
    """Return what is to be written of the steps of each task that somebody has said something of, and what they said.

    Raises:
        UsageError: if there is no such step, or what came of it cannot be kept.
    """
    found: dict[str, tuple[list[Change], str]] = {}
    left: dict[str, list[StepRecord]] = {}
    for step in steps:
        left.setdefault(step.key.task_id, []).append(step)
    for step, answer in answers_in(steps, done, again).values():
        task_id = step.key.task_id
        left[task_id] = settled(left[task_id], step, answer)
        before = f"{found[task_id][1]}; " if task_id in found else ""
        found[task_id] = changes_of(task_id, left[task_id]), f"{before}{step.key.key}: {answer.words}"
    return found


def _checked(said: object) -> StepAnswer:
    if isinstance(said, StepAnswer):
        return said
    raise UsageError(f"it gave {said!r}: return step.done(RESULT), step.again(), or None if nobody knows")


def _told(step: StepRecord, task: Task, question: str, run_id: str) -> UnknownStep:
    return UnknownStep(
        run_id=run_id,
        task_id=task.id,
        content=task.content,
        step=step.key.key,
        kind=step.kind,
        input=step.input,
        idempotency_key=step.idempotency_key,
        began_at=step.started_at,
        question=question,
    )
