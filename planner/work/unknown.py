"""Steps of which nobody knows whether they were taken: what a person is told of one, and what they can say of it."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import JsonValue
from ramify.planner.errors import UsageError
from ramify.planner.store.changes import Change, StepsForgotten, StepTaken
from ramify.planner.store.records import StepKey, StepKind, StepRecord
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What a person says of a step; `UnknownStep.done` and `UnknownStep.again` make it.

    Attributes:
        is_done: whether it was taken; else it is taken again.
        result: what came of it, as JSON data.
    """

    is_done: bool
    result: JsonValue = None

    @property
    def words(self) -> str:
        """What it says, in words."""
        return f"it was done: {json_text(self.result)}" if self.is_done else "it is to be repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownStep:
    """A step of which nobody knows whether it was taken, for whoever can find out.

    Attributes:
        run_id: the run.
        task_id: the task that it belongs to.
        content: what that task is.
        step: the step's name.
        kind: what it is: a worker's own "step", the "call" of a tool, or the whole "task".
        input: what it was given, as JSON data.
        idempotency_key: what it was named to others, who may know it by that.
        began_at: when it was begun, in seconds since 1970.
        question: the question to a person, in a sentence.
    """

    run_id: str
    task_id: str
    content: str
    step: str
    kind: StepKind
    input: JsonValue
    idempotency_key: str | None
    began_at: float
    question: str

    def done(self, result: JsonValue = None) -> StepAnswer:
        """Say that it was done, and what came of it."""
        return StepAnswer(is_done=True, result=result)

    def again(self) -> StepAnswer:
        """Say that it was not done, or may be done twice."""
        return StepAnswer(is_done=False)


def names_of(steps: Iterable[StepRecord]) -> dict[str, StepRecord]:
    """Return the unknown ones of `steps` by what they go by: the task's id, and the step's key where it has several.

    >>> from ramify.planner.store.records import StepKey
    >>> pay = StepRecord(key=StepKey("0.1", 0, "pay#1"), started_at=1.0, may_repeat=False)
    >>> list(names_of([pay])), list(names_of([pay, replace(pay, key=StepKey("0.1", 0, "pay#2"))]))
    (['0.1'], ['0.1 pay#1', '0.1 pay#2'])
    """
    return _named(step for step in steps if step.is_effect and step.ended_at is None)


def _named(steps: Iterable[StepRecord]) -> dict[str, StepRecord]:
    found: dict[str, list[StepRecord]] = {}
    for step in steps:
        found.setdefault(step.key.task_id, []).append(step)
    return {
        task_id if len(each) == 1 else f"{task_id} {step.key.key}": step
        for task_id, each in found.items()
        for step in each
    }


def settled(steps: Sequence[StepRecord], step: StepRecord, answer: StepAnswer) -> list[StepRecord]:
    """Return the steps of a task after somebody has said what became of one of them.

    Raises:
        UsageError: if what came of it cannot be kept.
    """
    rest = [each for each in steps if each.key != step.key]
    if not answer.is_done:
        return rest
    try:
        result = as_json(answer.result, "result")
    except NotJsonError as error:
        raise UsageError(f"task {step.key.task_id}: the result of {step.key.key} cannot be stored: {error}") from None
    return [*rest, replace(step, output=_output(step.kind, result), ended_at=time.time(), is_unknown=False)]


def changes_of(task_id: str, steps: Iterable[StepRecord]) -> list[Change]:
    """Return the changes after which `steps` are the steps of a task."""
    return [StepsForgotten(task_id), *map(StepTaken.of, steps)]


def words_of(step: StepRecord) -> str:
    """Return what messages about a task call one of its steps, or all that its worker does."""
    return "its work" if step.kind == "task" else f"the step {step.key.key}"


def answers_in(
    steps: Sequence[StepRecord],
    done: Mapping[str, JsonValue],
    again: Iterable[str],
    *,
    answered: Collection[StepKey] = (),
    used: Callable[[StepRecord], str | None] = lambda _: None,
) -> dict[str, tuple[StepRecord, StepAnswer]]:
    """Return what is said of unknown steps, or otherwise than before of those that are `answered`, by their names.

    Args:
        steps: the steps of a run.
        done: what came of some.
        again: which are to be taken again.
        answered: the steps of which a person has said before what became of them.
        used: says what to do about a step whose answer has been used, in words; None if it has not.

    Raises:
        UsageError: if there is no such step, its answer has been used, or two things are said of one; the message tells
            which there are.
    """
    known, found = names_of(steps), {}
    corrected = {
        name: step for name, step in _named(step for step in steps if step.key in answered).items() if name not in known
    }
    said = [*((name, StepAnswer(is_done=True, result=result)) for name, result in done.items())]
    said += [(name, StepAnswer(is_done=False)) for name in again]
    for name, answer in said:
        if name in corrected:
            if (words := used(corrected[name])) is not None:
                raise UsageError(words)
            known[name] = corrected[name]
        if name not in known:
            there = f"there are: {', '.join(map(repr, known))}" if known else "no step is waiting"
            raise UsageError(f"no step {name!r} is waiting for a person; {there}")
        if name in found:
            raise UsageError(f"{name!r} is given as done and as to be repeated; choose one")
        found[name] = known[name], answer
    return found


def _output(kind: StepKind, result: Any) -> Any:
    """Return what came of a step as the step itself would have said it."""
    text = result if isinstance(result, str) else json_text(result)
    if kind == "call":
        return {"text": text, "is_error": False}
    if kind == "task":
        return {"text": text, "output": None if isinstance(result, str) else result, "gaps": []}
    return result
