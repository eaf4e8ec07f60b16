"""Steps of which nobody knows whether they were taken: a person is asked, and what is said is on disk before it counts.

Where nobody can be asked, or nobody knows, the run waits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from ramify.planner.asking.person import Person
from ramify.planner.errors import UnknownStepError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.runtime.border import error_text
from ramify.planner.store import StoreReader
from ramify.planner.store.changes import Change
from ramify.planner.store.records import StepKey, StepRecord
from ramify.planner.work.steps import StepLog
from ramify.planner.work.unknown import StepAnswer, UnknownStep, answers_in, changes_of, settled, words_of
from ramify.tasks import Task, TaskState


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
        await self.recorder.commit(
            EventType.PERSON_ANSWERED, task, *changes, about="step", answers=[said.words], steps=_noted([key])
        )
        return True


@dataclass(frozen=True, slots=True)
class SaidOfTask:
    """What somebody has said of the steps of one task.

    Attributes:
        changes: what is to be written of them.
        data: the data of the event that tells of it.
    """

    changes: list[Change]
    data: dict[str, Any]


def said_of_steps(
    store: StoreReader, run_id: str, root: Task, done: Mapping[str, JsonValue], again: Sequence[str]
) -> dict[str, SaidOfTask]:
    """Return by task id what somebody says of steps, also otherwise than before.

    Raises:
        UsageError: if there is no such step, what was said of it before has been used, or what came of it cannot be
            kept.
        StoreError: if the store cannot be read.
    """
    if not done and not again:
        return {}
    steps = store.steps(run_id)
    left: dict[str, list[StepRecord]] = {}
    for step in steps:
        left.setdefault(step.key.task_id, []).append(step)

    def used(step: StepRecord) -> str | None:
        return _used(step, root.find(step.key.task_id), left[step.key.task_id], run_id)

    said: dict[str, list[tuple[StepKey, str]]] = {}
    found = answers_in(steps, done, again, answered=_answered(store, run_id), used=used)
    for step, answer in found.values():
        task_id = step.key.task_id
        left[task_id] = settled(left[task_id], step, answer)
        said.setdefault(task_id, []).append((step.key, f"{step.key.key}: {answer.words}"))
    return {
        task_id: SaidOfTask(
            changes_of(task_id, left[task_id]),
            {
                "about": "step",
                "answers": ["; ".join(words for _, words in each)],
                "steps": _noted(key for key, _ in each),
            },
        )
        for task_id, each in said.items()
    }


def _noted(keys: Iterable[StepKey]) -> dict[str, int]:
    return {key.key: key.attempt for key in keys}


def _answered(store: StoreReader, run_id: str) -> set[StepKey]:
    """Return the steps of a run of which a person has said what became of them."""
    return {
        StepKey(str(event.task_id), attempt, key)
        for event in store.events_of(run_id, (EventType.PERSON_ANSWERED,))
        for key, attempt in event.data.get("steps", {}).items()
    }


def _used(step: StepRecord, task: Task, steps: Sequence[StepRecord], run_id: str) -> str | None:
    """Return what to do about an answer that something rests on already; None if it can still be another one."""
    ended_at = step.ended_at or 0.0
    later = next((each for each in steps if each.started_at > ended_at), None)
    if task.state is not TaskState.DONE and later is None:
        return None
    by = f"task {task.id} is DONE with it" if later is None else f"{words_of(later)} was started after it"
    return (
        f"task {task.id}: your answer about {words_of(step)} can no longer change, because {by}. Set the task's"
        f" result with `ramify resume {run_id} --set-result {task.id}=TEXT`, or run it again in a fork:"
        f" `ramify fork {run_id} --from {task.id}`"
    )


def _checked(said: object) -> StepAnswer:
    if isinstance(said, StepAnswer):
        return said
    raise UsageError(f"it returned {said!r}: return step.done(RESULT), step.again(), or None if unknown")


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
