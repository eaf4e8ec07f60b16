"""What running a task means: its worker does it, in attempts, with delays between them, within its time limit.

An attempt that fails for a reason that may pass is made again, up to `max_retries` times, after a growing delay. What
a worker itself says it cannot do is not asked again in the same words.
"""

import asyncio
import random
from collections.abc import Sequence

from ramify.tasks import Task, TaskConfig

from .errors import (
    CommandError,
    FetchError,
    LimitError,
    ModelError,
    NoModelError,
    UsageError,
    WaitingError,
    WorkFailedError,
)
from .events import EventType
from .middleware import Middleware, change_inputs, change_outcome
from .retry import delay_s, may_retry, stops_run
from .workers import Outcome, WorkContext
from .workers.services import RunServices

DEFAULTS = TaskConfig(max_retries=2, retry_delay_seconds=1.0)
"""The limits of a task for which nobody says anything."""


class Work:
    """Does the tasks of one run.

    Args:
        services: what the run is made of.
        middleware: what may change the inputs and outcomes of tasks, in order.
    """

    def __init__(self, services: RunServices, middleware: Sequence[Middleware] = ()) -> None:
        self._services = services
        self._middleware = tuple(middleware)

    async def perform(self, task: Task) -> Outcome:
        """Return what comes of `task`.

        Raises:
            WorkFailedError: if its worker said that it cannot be done.
            ReplyError: if the replies of all attempts were malformed.
            ModelError: if the calls of all attempts failed.
            LimitError: if a limit was reached.
        """
        config = self._services.configs.of(task)
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
                await self._wait_before_next(task, failure, config, made=task.attempts - before)

    async def _attempt(self, task: Task) -> Outcome:
        worker = self._services.workers.of(task)
        if not self._middleware:
            context = WorkContext(task, self._services)
            return await (worker.perform(task, context) if task.is_leaf else worker.compose(task, context))
        recorder = self._services.recorder
        context = WorkContext(task, self._services, await change_inputs(self._middleware, task, recorder))
        outcome = await (worker.perform(task, context) if task.is_leaf else worker.compose(task, context))
        return await change_outcome(self._middleware, task, outcome, recorder)

    async def _wait_before_next(self, task: Task, error: Exception, config: TaskConfig, *, made: int) -> None:
        recorder = self._services.recorder
        wait_s = delay_s(
            made,
            base_s=config.retry_delay_seconds or 0.0,
            retry_after_s=getattr(error, "retry_after_s", None),
            random=random.random(),  # noqa: S311 - jitter
        )
        task.attempts += 1
        task.error = recorder.redactor.text(str(error))
        recorder.changed(
            EventType.TASK_RETRYING, task, attempt=task.attempts, error=task.error, delay_s=round(wait_s, 3)
        )
        await asyncio.sleep(wait_s)


def may_pass(error: Exception) -> bool:
    """Return whether another attempt may end better than one that ended with `error`."""
    if isinstance(error, ModelError):
        return may_retry(error.kind)
    if isinstance(error, FetchError | CommandError):
        return error.may_pass
    return not isinstance(error, UsageError)


def _timed_out(error: Exception, config: TaskConfig) -> Exception:
    if isinstance(error, TimeoutError) and config.max_duration_seconds is not None:
        return TimeoutError(f"the attempt took longer than max_duration_seconds = {config.max_duration_seconds:g}")
    return error
