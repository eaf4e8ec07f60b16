"""What running a task means: a leaf is executed, a parent is composed from its subtasks; attempts, delays, time limits.

An attempt that fails for a reason that may pass is made again, up to `max_retries` times, after a growing delay. What
the model itself says it cannot do is not asked again in the same words.
"""

import asyncio
import inspect
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from ramify.prompts import DEFAULT_BUDGET
from ramify.tasks import ReplyError, Task, TaskConfig
from ramify.tasks.decomposition import compose_variables, execute_variables
from ramify.tasks.replies import Answer, parse_answer

from .asking import Asker
from .budget import Configs
from .composing import compose
from .errors import LimitError, ModelError, NoModelError, UsageError, WaitingError, WorkFailedError
from .events import EventType
from .models.protocol import ModelReply
from .recorder import Recorder
from .retry import delay_s, may_retry, stops_run

DEFAULTS = TaskConfig(max_retries=2, retry_delay_seconds=1.0)
"""The limits of a task for which nobody says anything."""

PythonWorker = Callable[[Task], Any] | Callable[[Task], Awaitable[Any]]
"""A function that does a task: it returns text, or JSON data, or an awaitable of one of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task.

    Attributes:
        text: the answer as text.
        output: the structured answer, if there is one.
    """

    text: str
    output: JsonValue = None


class Work:
    """Does the tasks of one run.

    Args:
        root: the tree.
        asker: asks the model.
        recorder: where failed attempts are written.
        configs: the limits of each task.
        workers: functions that do the tasks of a `type`; tasks without a type go to the model.
    """

    def __init__(
        self,
        root: Task,
        asker: Asker,
        recorder: Recorder,
        configs: Configs,
        *,
        workers: Mapping[str, PythonWorker],
    ) -> None:
        self._root = root
        self._asker = asker
        self._recorder = recorder
        self._configs = configs
        self._workers = workers

    async def perform(self, task: Task) -> Outcome:
        """Return what comes of `task`.

        Raises:
            WorkFailedError: if the model said that it cannot be done.
            ReplyError: if the replies of all attempts were malformed.
            ModelError: if the calls of all attempts failed.
            LimitError: if a limit was reached.
        """
        config = self._configs.of(task)
        before = task.attempts
        while True:
            try:
                async with asyncio.timeout(config.max_duration_seconds):
                    return await self._attempt(task)
            except (LimitError, NoModelError, WaitingError):
                raise
            except WorkFailedError:
                task.attempts += 1
                raise
            except Exception as error:
                failure = _timed_out(error, config)
                if isinstance(failure, ModelError) and stops_run(failure.kind):
                    raise
                if not may_pass(failure) or task.attempts - before >= (config.max_retries or 0):
                    task.attempts += 1
                    raise failure from error
                await self._wait_before_next(task, failure, config)

    async def _attempt(self, task: Task) -> Outcome:
        if not task.is_leaf:
            whole = compose_variables(task, **self._asker.agent.manner)
            attempt = task.attempts + 1
            budget = getattr(self._asker.agent.model, "prompt_budget", DEFAULT_BUDGET)
            answer = await compose(
                whole, lambda part: self._asker.ask(task, part, _read_answer, attempt=attempt), budget=budget
            )
            return _outcome(task, answer)
        if task.type is not None and not is_for_model(task):
            return await run_python(self._workers[task.type], task)
        variables = execute_variables(task, root=self._root, **self._asker.agent.manner)
        return _outcome(task, await self._asker.ask(task, variables, _read_answer, attempt=task.attempts + 1))

    async def _wait_before_next(self, task: Task, error: Exception, config: TaskConfig) -> None:
        wait_s = delay_s(
            task.attempts,
            base_s=config.retry_delay_seconds or 0.0,
            retry_after_s=getattr(error, "retry_after_s", None),
            random=random.random(),  # noqa: S311 - jitter
        )
        task.attempts += 1
        task.error = str(error)
        self._recorder.changed(
            EventType.TASK_RETRYING, task, attempt=task.attempts, error=task.error, delay_s=round(wait_s, 3)
        )
        await asyncio.sleep(wait_s)


def may_pass(error: Exception) -> bool:
    """Return whether another attempt may end better than one that ended with `error`."""
    if isinstance(error, ModelError):
        return may_retry(error.kind)
    return not isinstance(error, UsageError)


def is_for_model(task: Task) -> bool:
    """Return whether the leaf `task` is the model's, and no worker's."""
    return task.type in {None, "model"}


def check_workers(root: Task, workers: Mapping[str, PythonWorker]) -> None:
    """Raise `UsageError` if a task is of a type that nobody works on."""
    for task in root.walk():
        if task.is_leaf and not is_for_model(task) and task.type not in workers:
            known = ", ".join(sorted(["model", *workers]))
            raise UsageError(f"task {task.id} is for a worker {task.type!r}, which is not there; there are: {known}")


async def run_python(function: PythonWorker, task: Task) -> Outcome:
    """Return what a Python function makes of `task`; a function that is not async runs in a thread.

    Raises:
        WorkFailedError: if it returns nothing, or something that is neither text nor JSON data.
    """
    if inspect.iscoroutinefunction(function):
        value = await function(task)
    else:
        value = await asyncio.to_thread(function, task)
        if inspect.isawaitable(value):
            value = await value
    if isinstance(value, str) and value.strip():
        return Outcome(value)
    if value is None or isinstance(value, str):
        raise WorkFailedError(f"the worker {task.type!r} returned nothing for task {task.id}", task_id=task.id)
    try:
        return Outcome(json.dumps(value, ensure_ascii=False), value)
    except (TypeError, ValueError):
        raise WorkFailedError(
            f"the worker {task.type!r} returned {type(value).__name__} for task {task.id}; return text or JSON data",
            task_id=task.id,
        ) from None


def _read_answer(reply: ModelReply) -> Answer:
    if reply.finish_reason == "content_filter":
        raise ReplyError("the provider's content filter stopped the reply", reply=reply.text)
    return parse_answer(reply.text, finish_reason=reply.finish_reason)


def _outcome(task: Task, answer: Answer) -> Outcome:
    if answer.failed is not None:
        raise WorkFailedError(
            f"{answer.failed.detail or 'the model gave no reason'} ({answer.failed.reason})",
            task_id=task.id,
            reason=answer.failed.reason,
        )
    gaps = "".join(f"\n- {gap}" for gap in answer.gaps)
    return Outcome(f"{answer.text}\n\nNot covered:{gaps}" if gaps else answer.text)


def _timed_out(error: Exception, config: TaskConfig) -> Exception:
    if isinstance(error, TimeoutError) and config.max_duration_seconds is not None:
        return TimeoutError(f"the attempt took longer than max_duration_seconds = {config.max_duration_seconds:g}")
    return error
