"""Steps of workers that are taken once: what came of a step is on disk before it is used, and is used again on resume.

A step that may not simply be repeated is on disk before it is taken, as intended. If nobody knows then whether it was
taken, it is taken again with its idempotency key, where it has one, or a person has to say.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ramify.planner.errors import PlannerError, RunError, UnknownStepError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.runtime.border import error_text
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.store.changes import Change, StepsForgotten, StepTaken
from ramify.planner.store.records import MayRepeat, StepKey, StepKind, StepRecord
from ramify.tasks import Task
from ramify.tasks.json_data import NotJsonError, as_json, copy_json
from ramify.tasks.json_text import json_text

from .unknown import StepAnswer, changes_of, names_of, settled, words_of

INTERRUPTED = "was in progress when the run was interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that is to be taken.

    Attributes:
        key: what makes it the same step.
        given: what it depends on, as JSON data.
        may_repeat: whether it may be taken again if nobody knows whether it was.
        kind: what it is.
        idempotency_key: what names it to others, if it may not simply be taken again.
    """

    key: StepKey
    given: Any = None
    may_repeat: MayRepeat = True
    kind: StepKind = "step"
    idempotency_key: str | None = None


class StepLog:
    """The steps of one run.

    Args:
        recorder: writes them, and tells of them.
        recorded: those that were taken before the run was resumed.
        scope: what tells the run from every other one, for idempotency keys.
    """

    def __init__(self, recorder: Recorder, recorded: Iterable[StepRecord] = (), *, scope: str = "") -> None:
        self.scope = scope
        self._recorder = recorder
        self._writer = recorder.writer
        self._redactor = recorder.redactor
        self._steps: dict[str, dict[StepKey, StepRecord]] = {}
        for step in recorded:
            self._keep(step)

    @property
    def taken(self) -> list[StepKey]:
        """The steps that are taken."""
        return [key for steps in self._steps.values() for key, step in steps.items() if step.ended_at is not None]

    def of(self, task_id: str) -> list[StepRecord]:
        """Return the steps of one task, in order, also those that were begun and are not known to be done."""
        return list(self._steps.get(task_id, {}).values())

    def find(self, key: StepKey, given: Any = None) -> StepRecord | None:
        """Return the step as it stands; None if it was never begun.

        Raises:
            RunError: if it was taken with another input.
        """
        step = self._steps.get(key.task_id, {}).get(key)
        if step is not None and _digest(step.input) != _digest(self._redactor.data(given)):
            raise RunError(
                f"task {key.task_id}: the step {key.key} was done before with other input, so the worker or its"
                f" inputs have changed; run the task again with `ramify resume {self._writer.run_id} --from"
                f" {key.task_id}`"
            )
        return step

    async def take(self, task: Task, step: Step, function: Callable[[], Awaitable[Any]]) -> Any:
        """Return what came of a step of `task`: of `function` now, or of the time before.

        Args:
            task: the task.
            step: the step.
            function: takes it; what it returns is JSON data.

        Raises:
            UnknownStepError: if it may not be repeated, and nobody knows whether it was taken.
            RunError: if it was taken with another input.
        """
        given = _kept(step.given, "given", step.key)
        known = self.find(step.key, given)
        if known is not None and known.ended_at is not None:
            return copy_json(known.output)
        if known is not None and _may_not_follow(step, known):
            raise self.unknown(known)
        taking = StepRecord(
            key=step.key, input=self._redactor.data(given), started_at=time.time(), kind=step.kind,
            may_repeat=step.may_repeat, idempotency_key=None if step.may_repeat is True else step.idempotency_key,
        )  # fmt: skip
        if taking.is_effect:
            await self._intend(task, taking)
        try:
            said = await function()
        except BaseException as error:
            if taking.is_effect:
                self._failed(task, taking, error)
            raise
        try:
            output = self._redactor.data(_kept(said, "result", step.key))
        except UsageError as error:
            if taking.is_effect:
                self._lose(task, taking, error_text(error))
            raise
        failpoint("before-step-commit")
        done = replace(taking, output=output, ended_at=time.time())
        await self._writer.commit(StepTaken.of(done))
        failpoint("after-step-commit")
        self._keep(done)
        return copy_json(output)

    def check_known(self, task_id: str) -> None:
        """Raise `UnknownStepError` for a step that may not be repeated and is unknown, though its worker goes on."""
        for step in self._steps.get(task_id, {}).values():
            if step.state == "unknown" and step.may_repeat is False:
                raise self.unknown(step)

    def note(self, key: StepKey, output: Any, *, given: Any = None) -> StepTaken:
        """Return the change that says that a step is taken, for whoever writes it together with its effect."""
        now = time.time()
        step = StepRecord(
            key=key, input=self._redactor.data(given), output=self._redactor.data(output), started_at=now, ended_at=now
        )
        self._keep(step)
        return StepTaken.of(step)

    def forget(self, task_id: str) -> StepsForgotten:
        """Return the change after which the steps of a task do not count any more."""
        self._steps.pop(task_id, None)
        return StepsForgotten(task_id)

    def lost(self, root: Task) -> None:
        """Note of the steps that were under way when the process before ended that nobody knows whether they were."""
        steps = [step for each in self._steps.values() for step in each.values() if step.state == "intended"]
        tasks = {task.id: task for task in root.walk()} if steps else {}
        for step in steps:
            if step.key.task_id in tasks:
                self._lose(tasks[step.key.task_id], step, f"it {INTERRUPTED}")

    def settle(self, key: StepKey, answer: StepAnswer) -> list[Change]:
        """Let a step be as somebody says that it is; return the changes that say so."""
        step = self._steps[key.task_id][key]
        steps = settled(self.of(key.task_id), step, replace(answer, result=self._redactor.data(answer.result)))
        self._steps[key.task_id] = {each.key: each for each in steps}
        return changes_of(key.task_id, steps)

    def unknown(self, step: StepRecord, why: str = "") -> UnknownStepError:
        """Return the error that says that nobody knows whether a step was taken, and what a person can do.

        Args:
            step: the step.
            why: how it ended; with the process that took it unless given.
        """
        task_id = step.key.task_id
        resume = f"ramify resume {self._writer.run_id}"
        told = f"failed ({why})" if why else INTERRUPTED
        under = " under another key" if step.may_repeat == "with_key" else ""
        named = f" (its idempotency key is {step.idempotency_key})" if step.idempotency_key else ""
        who = next((who for who, each in names_of(self.of(task_id)).items() if each.key == step.key), task_id)
        done, again = (f'"{who}{end}"' if " " in who else f"{who}{end}" for end in ("=RESULT", ""))
        return UnknownStepError(
            f"task {task_id}: {words_of(step)} {told}; it must not be repeated{under}, and it is unknown whether it"
            f" was done. Check{named}, then give its result with `{resume} --step-done {done}`, or repeat it with"
            f" `{resume} --step-again {again}`",
            key=step.key,
            options=("--step-done", f"{who}=RESULT"),
        )

    async def _intend(self, task: Task, step: StepRecord) -> None:
        """Write down that a step is about to be taken that may not simply be repeated."""
        failpoint("before-step-intended")
        self._keep(step)
        await self._recorder.commit(
            EventType.STEP_INTENDED, task, StepTaken.of(step), step=step.key.key, may_repeat=step.may_repeat or "no",
            idempotency_key=step.idempotency_key or "",
        )  # fmt: skip
        failpoint("after-step-intended")

    def _failed(self, task: Task, step: StepRecord, error: BaseException) -> None:
        """Write down that a step ended with `error`: it was not done, or nobody knows whether it was.

        Raises:
            UnknownStepError: if nobody knows, it may not be repeated, and somebody can still be told.
        """
        if getattr(error, "is_unknown", None) is False:
            del self._steps[step.key.task_id][step.key]
            self._writer.put(*changes_of(step.key.task_id, self.of(step.key.task_id)))
            return
        is_told = isinstance(error, Exception) and not self._writer.has_failed
        why = error_text(error) if is_told else "it was interrupted"
        self._lose(task, step, why)
        if is_told and step.may_repeat is False:
            raise self.unknown(step, why) from error

    def _lose(self, task: Task, step: StepRecord, why: str) -> None:
        lost = replace(step, is_unknown=True)
        self._keep(lost)
        with suppress(PlannerError):  # nothing can be written any more: it stays as intended
            self._recorder.put(EventType.STEP_UNKNOWN, task, StepTaken.of(lost), step=step.key.key, why=why)

    def _keep(self, step: StepRecord) -> None:
        self._steps.setdefault(step.key.task_id, {})[step.key] = step


def checked_repeat(may_repeat: MayRepeat) -> MayRepeat:
    """Return `may_repeat` if it says whether something may be repeated.

    Raises:
        UsageError: if it does not.
    """
    if may_repeat is True or may_repeat is False or may_repeat == "with_key":
        return may_repeat
    raise UsageError(f"may_repeat is {may_repeat!r}; use True, False or 'with_key'")


def check_function(function: object, name: str) -> None:
    """Raise `UsageError` unless the step `name` can be taken by calling `function`."""
    if isinstance(function, Coroutine):
        function.close()
        raise UsageError(f"the step {name} takes a function, not its result: step(NAME, fetch), not fetch()")
    if not callable(function):
        raise UsageError(f"the step {name} needs a function, not {type(function).__name__}")


def _may_not_follow(step: Step, known: StepRecord) -> bool:
    """Return whether `step` may not be taken after `known`, of which nobody knows whether it was."""
    if step.may_repeat == "with_key":
        return known.idempotency_key not in {None, step.idempotency_key}
    return not step.may_repeat


def _kept(value: Any, what: str, key: StepKey) -> Any:
    try:
        return as_json(value, what)
    except NotJsonError as error:
        raise UsageError(
            f"task {key.task_id}: the step {key.key} returned something that cannot be stored: {error}"
        ) from None


def _digest(value: Any) -> str:
    if value is None:
        return ""
    words = json_text(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(words.encode()).hexdigest()
