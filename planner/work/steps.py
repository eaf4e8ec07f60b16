"""Steps of workers that are taken once: what came of a step is on disk before it is used, and is used again on resume.

A step that may not be repeated is noted before it is taken: if nobody knows whether it was, a person has to say.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import RunError, UsageError, WaitingError
from ramify.planner.runtime.redaction import Redactor
from ramify.planner.store.changes import StepsForgotten, StepTaken
from ramify.planner.store.records import StepKey, StepRecord
from ramify.tasks.json_data import NotJsonError, as_json, copy_json
from ramify.tasks.json_text import json_text

if TYPE_CHECKING:
    from ramify.planner.store import RunWriter


class StepLog:
    """The steps of one run.

    Args:
        writer: writes them.
        redactor: blots secrets out of inputs and outputs.
        recorded: those that were taken before the run was resumed.
    """

    def __init__(self, writer: "RunWriter", redactor: Redactor, recorded: Iterable[StepRecord] = ()) -> None:
        self._writer = writer
        self._redactor = redactor
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
                f"task {key.task_id}: the step {key.key} was taken before with another input, so the worker or its"
                f" inputs have changed since; do the task anew with `ramify resume {self._writer.run_id} --from"
                f" {key.task_id}`"
            )
        return step

    async def take(
        self,
        key: StepKey,
        function: Callable[[], Awaitable[Any]],
        *,
        given: Any = None,
        may_repeat: bool = True,
    ) -> Any:
        """Return what came of the step: of `function` now, or of the time before.

        Args:
            key: what makes it the same step.
            function: takes the step; what it returns is JSON data.
            given: what the step depends on, as JSON data.
            may_repeat: whether it can be taken again if the run is killed while it is being taken.

        Raises:
            WaitingError: if it may not be repeated, and nobody knows whether it was taken.
            RunError: if it was taken with another input.
        """
        given = _kept(given, "given", key)
        known = self.find(key, given)
        if known is not None and known.ended_at is not None:
            return copy_json(known.output)
        if known is not None and not may_repeat:
            raise WaitingError(unknown_end(key, self._writer.run_id), task_id=key.task_id)
        step = StepRecord(key=key, input=self._redactor.data(given), started_at=time.time())
        if not may_repeat:
            self._keep(step)
            await self._writer.commit(StepTaken.of(step))
        try:
            output = self._redactor.data(_kept(await function(), "result", key))
        except Exception as error:
            if getattr(error, "is_unknown", False):
                raise
            self._steps.get(key.task_id, {}).pop(key, None)
            if not may_repeat:  # it has failed, and said so: that is known
                self._writer.put(StepsForgotten(key.task_id), *map(StepTaken.of, self.of(key.task_id)))
            raise
        done = replace(step, output=output, ended_at=time.time())
        await self._writer.commit(StepTaken.of(done))
        self._keep(done)
        return copy_json(output)

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

    def _keep(self, step: StepRecord) -> None:
        self._steps.setdefault(step.key.task_id, {})[step.key] = step


def unknown_end(key: StepKey, run_id: str) -> str:
    """Say that nobody knows whether a step was taken that may not be repeated, and what a person can do."""
    return (
        f"task {key.task_id}: the step {key.key} was begun when the run was interrupted, it may not be repeated, and"
        " nobody knows whether it was done. Look, then do the task anew, with all its steps, with"
        f" `ramify resume {run_id} --from {key.task_id}`, or give its answer with"
        f" `ramify resume {run_id} --set-result {key.task_id}=TEXT`"
    )


def _kept(value: Any, what: str, key: StepKey) -> Any:
    try:
        return as_json(value, what)
    except NotJsonError as error:
        raise UsageError(f"task {key.task_id}: the step {key.key} gives what cannot be kept: {error}") from None


def _digest(value: Any) -> str:
    if value is None:
        return ""
    words = json_text(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(words.encode()).hexdigest()
