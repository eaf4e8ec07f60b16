"""What doing a task means: it is split, executed or composed, in attempts, with delays between them, within its limit.

An attempt that fails for a reason that may pass is made again, up to `max_retries` times, after a growing delay. What
a worker itself says it cannot do is not asked again in the same words. An answer that does not pass a check of its task
ends an attempt too: the next one is told what was wrong, at once, up to `max_check_rounds` times. What was tried again
before a crash counts too.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import nullcontext

from ramify.planner.checks import Checker
from ramify.planner.errors import (
    CheckFailedError,
    CommandError,
    EngineError,
    FetchError,
    LeaseError,
    LimitError,
    ModelError,
    NoModelError,
    OutsideError,
    RunError,
    ScriptError,
    StoreError,
    TooLongError,
    UsageError,
    WaitingError,
    WorkFailedError,
)
from ramify.planner.events.events import EventType
from ramify.planner.events.tries import EarlierTries, Tries, TryKind
from ramify.planner.models.retry import delay_s, may_retry, stops_run
from ramify.planner.planning.fitting import Known
from ramify.planner.planning.policy import Failure, Policy, Recovery, Verb
from ramify.planner.planning.replan import Earlier, Replanner
from ramify.planner.planning.split import Grown, Parts, Planner, Whole
from ramify.planner.runtime.border import border, error_text, name_and_words
from ramify.planner.runtime.held_loop import HOLDS_NO_LOOP
from ramify.planner.work.once import performed
from ramify.planner.workers import Outcome, WorkContext, Workers
from ramify.planner.workers.services import RunServices
from ramify.prompts import PromptError
from ramify.prompts.whole_text import whole_text
from ramify.tasks import ReplyError, Task, TaskConfig, TaskError
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.replies.grammar import Plan
from ramify.tasks.replies.replans import Replan

from .asking_steps import StepAsking
from .attaching import Attaching
from .clarifying import Clarifier
from .middleware import Middleware, change_inputs, change_outcome

MOST_VERIFYING_ROUNDS = 2
"""How often an answer is sent back at most that a model found fault with; more rounds make answers worse."""

Done = Outcome | Plan | Whole | Parts | Grown | Known | Replan
"""What comes of doing a task."""

_NO_CLOCK = nullcontext()
_LONGEST_ANSWER = 4_000
_LONGEST_WAIT_S = 60.0


class Work:
    """Does the tasks of one run: splits, executes and composes them.

    Args:
        services: what the run is made of.
        workers: who does which type of task.
        middleware: objects that change inputs and outcomes, in order.
        planner: splits tasks.
        replanner: finds changes of plans.
        attaching: puts the subtasks of those whose plan is still being written into the tree.
        clarifier: has questions about the goal answered.
        steps: has it found out whether steps were taken of which nobody knows that.
        policy: says whether a task is tried again that may be.
        is_resumed: whether another process may have carried the run on before.
        is_wary: whether that process was killed; then it is on disk that a task runs before other people's code may end
            this one.
    """

    def __init__(
        self,
        services: RunServices,
        workers: Workers,
        middleware: Sequence[Middleware] = (),
        *,
        planner: Planner,
        replanner: Replanner,
        attaching: Attaching,
        clarifier: Clarifier,
        steps: StepAsking,
        policy: Policy,
        is_resumed: bool,
        is_wary: bool = False,
    ) -> None:
        self._services = services
        self._is_wary = is_wary
        self._workers = workers
        self._middleware = tuple(middleware)
        self._planner = planner
        self._replanner = replanner
        self._attaching = attaching
        self._clarifier = clarifier
        self._steps = steps
        self._policy = policy
        self._checker = Checker(
            services.recorder,
            services.configs,
            asker=services.asker,
            asker_of=services.asker_of,
            call=services.engines.call,
            predicate_of=workers.predicate,
        )
        self._earlier = EarlierTries(services.store, services.recorder.writer, is_resumed=is_resumed)

    async def perform(self, task: Task, verb: Verb, *, tried: str | None = None) -> Done:
        """Return what comes of `task`: its plan, or that it stays whole, if it is split, changes of it, or its outcome.

        Args:
            task: the task.
            verb: what is done with it.
            tried: why doing it in one piece has failed, if it is split for that.

        Raises:
            WorkFailedError: if its worker said that it cannot be done, or gave an empty answer.
            CheckFailedError: if none of its answers passed the checks.
            ReplyError: if the replies of all attempts were malformed.
            ModelError: if the calls of all attempts failed.
            LimitError: if a limit was reached.
            TooLongError: if its documents are too long; that is no attempt.
            StoreError, LeaseError: if nothing can be written any more.
        """
        config = self._services.configs.of(task)
        tries = await self._earlier.of(task) if verb.plans else None
        while True:
            clock = None if config.max_duration_seconds is None else asyncio.timeout(config.max_duration_seconds)
            try:
                async with clock or _NO_CLOCK:
                    outcome = await self._attempt(task, verb, tries, tried)
            except (EngineError, LimitError, NoModelError, WaitingError, TooLongError, StoreError, LeaseError) as error:
                if not await self._steps.answered(task, error):
                    raise
            except Exception as error:
                if await self._clarifier.clarified(task, verb, error):
                    continue
                failure = _timed_out(error, clock, config)
                if isinstance(failure, ModelError) and stops_run(failure.kind):
                    raise
                tries = tries or await self._earlier.of(task)
                can_retry = _can_retry(verb, failure, tries, config)
                if self._policy.after(task, Failure(verb, failure, can_retry)) is Recovery.RETRY and can_retry:
                    await self._wait_for_thread(task, failure, config)
                    await self._try_again(task, verb, failure, tries, config)
                elif isinstance(kept := self._given_up(task, verb, failure), Whole):
                    return kept
                else:
                    raise kept from kept.__cause__
            else:
                self._tell_if_late(task, clock)
                return self._clarifier.noted(task, outcome)

    def failure(self, task: Task, verb: Verb, error: Exception, *, may_split: bool) -> Failure:
        """Return what is known of a task after its last attempt; `may_split` is whether it may be split at all."""
        config = self._services.configs.of(task)
        has_level = task.type is None and task.get_depth() < self._planner.limits.max_depth
        return Failure(
            verb,
            error,
            can_retry=False,
            can_split=may_split and has_level and config.recovery in {"split", "replan"},
            can_replan=verb is Verb.EXECUTE and self._replanner.is_for(task),
        )

    def _given_up(self, task: Task, verb: Verb, failure: Exception) -> Whole | Exception:
        """Return what comes of a task that is not tried again; a task that cannot be split mostly stays whole."""
        if verb.splits and task.is_leaf and (kept := self._planner.given_up(task, failure)) is not None:
            return kept
        if verb.splits or not verb.plans:
            self._services.recorder.attempted(task)
        return failure

    async def _try_again(self, task: Task, verb: Verb, error: Exception, tries: Tries, config: TaskConfig) -> None:
        """Tell that an attempt has failed, and wait until the next one may begin."""
        recorder, kind, wait_s = self._services.recorder, _kind_of(verb, error), 0.0
        if not isinstance(error, CheckFailedError):
            wait_s = delay_s(
                tries.of(kind),
                base_s=config.retry_delay_seconds or 0.0,
                retry_after_s=getattr(error, "retry_after_s", None),
                random=random.random(),  # noqa: S311 - jitter
            )
        if verb.plans:
            attempt = task.attempts + 1 + tries.plannings
        else:
            recorder.attempted(task, told=put_back(error))
            attempt = task.attempts
        recorder.try_again(task, error, attempt=attempt, delay_s=wait_s, counts_as=kind.value)
        tries.count(kind)
        if wait_s:
            await asyncio.sleep(wait_s)

    async def _attempt(self, task: Task, verb: Verb, tries: Tries | None, tried: str | None) -> Done:
        if verb.plans and tries is not None:
            attempt = task.attempts + 1 + tries.plannings
            if verb is Verb.REPLAN or verb is Verb.STEER:
                return await self._replan(task, verb, attempt)
            growth = self._attaching.growth(task) if verb is Verb.STREAM else None
            return await self._planner.split(task, self._services.asker, attempt=attempt, tried=tried, growth=growth)
        worker = self._workers.of(task)
        inputs = None
        if self._middleware:
            inputs = await change_inputs(self._middleware, task, self._services.recorder)
        if self._is_wary and self._workers.may_end_process(task):
            await self._services.recorder.writer.written()
        context = WorkContext(task, self._services, inputs)
        try:
            with border:
                outcome = await (performed(worker, task, context) if task.is_leaf else worker.compose(task, context))
        except (StoreError, LeaseError) as error:
            if self._services.recorder.writer.has_failed or task.type not in self._workers.given:
                raise
            raise OutsideError(name_and_words(error)) from error  # it is some store that the worker has to do with
        outcome = _kept(task, outcome)
        self._services.steps.check_known(task.id)
        if self._middleware:
            outcome = await change_outcome(self._middleware, task, outcome, self._services.recorder)
            outcome = _kept(task, outcome, "the middleware")
        return await self._checker.passed(task, outcome) if task.checks else outcome

    async def _replan(self, parent: Task, verb: Verb, attempt: int) -> Replan:
        services, room = self._services, self._attaching.room()
        if verb is Verb.STEER:
            wishes = self._planner.wishes
            return await self._replanner.steer(parent, services.asker, wishes=wishes, room=room, attempt=attempt)
        await services.recorder.writer.written()
        edits = await asyncio.to_thread(services.store.events_of, services.run_id, (EventType.PLAN_EDITED,))
        earlier = Earlier.of(parent, [dict(event.data) for event in edits])
        return await self._replanner.replan(parent, services.asker, earlier=earlier, room=room, attempt=attempt)

    def _tell_if_late(self, task: Task, clock: asyncio.Timeout | None) -> None:
        """Say of a task that is done that its time was over, as nothing can end what never gives the loop back."""
        ends_at = None if clock is None else clock.when()
        late_s = 0.0 if ends_at is None else asyncio.get_running_loop().time() - ends_at
        if late_s > 0:
            self._services.recorder.put(
                EventType.WARNING,
                task,
                message=f"task {task.id} was done {late_s:.1f} s after its max_duration_seconds, and could not be"
                f" stopped earlier, because something blocked the event loop; {HOLDS_NO_LOOP}",
            )

    async def _wait_for_thread(self, task: Task, error: Exception, config: TaskConfig) -> None:
        """Wait for a plain function of the attempt before, whose time is over, as no thread can be ended from outside.

        Raises:
            TimeoutError: if it takes as long again; then it is not called once more.
        """
        services, within_s = self._services, config.max_duration_seconds or _LONGEST_WAIT_S
        if await services.engines.ended(task, 0):
            return
        services.recorder.put(
            EventType.TASK_PROGRESS, task, fraction=None, doing="waiting for the previous attempt to end"
        )
        if not await services.engines.ended(task, within_s):
            self._services.recorder.attempted(task)
            raise TimeoutError(
                f"{error_text(error)}; its function is still running {within_s:g} s later and is not started twice:"
                " let it check context.is_cancelled"
            ) from error


def _kept(task: Task, outcome: object, who: str | None = None) -> Outcome:
    """Return what a worker, or `who`, gave back as it is kept; raise if it is no answer, or cannot be kept."""
    who = who or f"the worker {task.type or 'model'}"
    if not isinstance(outcome, Outcome) or not isinstance(outcome.text, str):
        given = type(outcome.text if isinstance(outcome, Outcome) else outcome).__name__
        raise UsageError(
            f"{who} returned {given} for task {task.id}; a worker must return an Outcome with text of type str"
        )
    text = whole_text(outcome.text)
    if outcome.output is None:
        if not text.strip():
            raise WorkFailedError(f"the answer of {who} is empty", task_id=task.id)
        return outcome if text is outcome.text else Outcome(text, gaps=outcome.gaps)
    try:
        return Outcome(text, as_json(outcome.output, "result"), outcome.gaps)
    except NotJsonError as error:
        raise UsageError(f"{who} returned something for task {task.id} that cannot be stored: {error}") from None


def _kind_of(verb: Verb, error: Exception) -> TryKind:
    """Return against which limit another attempt counts."""
    if verb.plans:
        return TryKind.PLANNING
    return TryKind.CHECK_ROUND if isinstance(error, CheckFailedError) else TryKind.RETRY


def _can_retry(verb: Verb, error: Exception, tries: Tries, config: TaskConfig) -> bool:
    """Return whether another attempt may end better, and is left."""
    if isinstance(error, CheckFailedError):
        return tries.check_rounds < _most_rounds(config, error)
    return may_pass(error) and tries.of(_kind_of(verb, error)) < (config.max_retries or 0)


def _most_rounds(config: TaskConfig, error: CheckFailedError) -> int:
    allowed = config.max_check_rounds or 0
    return min(allowed, MOST_VERIFYING_ROUNDS) if error.kinds == ("verify",) else allowed


def put_back(error: Exception) -> str:
    """Return what is told to whoever tries next: what was wrong, and with which answer, as far as there is one."""
    if not isinstance(error, CheckFailedError):
        return error_text(error)
    answer = error.answer
    cut = f" (its first {_LONGEST_ANSWER:,} characters)" if len(answer) > _LONGEST_ANSWER else ""
    return f"{error}\n\nThe answer that does not pass{cut}:\n{answer[:_LONGEST_ANSWER]}"


def may_pass(error: Exception) -> bool:
    """Return whether another attempt may end better than one that ended with `error`."""
    if isinstance(error, ModelError):
        return may_retry(error.kind)
    if isinstance(error, FetchError | CommandError):
        return error.may_pass
    return isinstance(error, ReplyError) or not isinstance(
        error, WorkFailedError | ScriptError | UsageError | RunError | PromptError | TaskError
    )


def _timed_out(error: Exception, clock: asyncio.Timeout | None, config: TaskConfig) -> Exception:
    """Return what to say of `error`, which is not about the time of the attempt unless that is over."""
    if isinstance(error, TimeoutError) and clock is not None and clock.expired():
        late = TimeoutError(f"the attempt took longer than max_duration_seconds = {config.max_duration_seconds:g}")
        late.__cause__ = error
        return late
    return error
