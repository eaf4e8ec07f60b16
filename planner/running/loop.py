"""The run loop: ready, start, finish. It asks the policy what is done with a task, has it done, writes what came of it.

A result is on disk before any dependent starts, before its event is published, and before the run ends; its place is
free before that, within the bounds of `Places`. Nothing is polled: a worker sleeps until a task becomes ready, the run
stops, or there is nothing left to do.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal, cast

from ramify.planner.errors import (
    LeaseError,
    LimitError,
    OutsideError,
    PlannerError,
    StoreError,
    TooLongError,
    WorkFailedError,
)
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.events.tries import Tried
from ramify.planner.planning.fitting import Known
from ramify.planner.planning.levels import Levels
from ramify.planner.planning.policy import Policy, Recovery, Verb, whole
from ramify.planner.planning.replan import not_replanned
from ramify.planner.planning.split import Grown, Parts, Whole
from ramify.planner.runtime.border import error_text
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.runtime.gather import together
from ramify.planner.workers import Outcome
from ramify.tasks import Task, TaskState
from ramify.tasks.replies.answers import TOO_BIG
from ramify.tasks.replies.grammar import Plan
from ramify.tasks.replies.replans import Replan
from ramify.tasks.tree.node import index_of
from ramify.tasks.tree.partial import missing_words
from ramify.tasks.tree.schedule import Scheduler
from ramify.tasks.tree.times import Times

from .attaching import Attaching
from .attempts import Work, put_back
from .endings import Ending, ending_of, failure_data, settle
from .failures import Failures
from .places import Places
from .replanning import Replanning

OnError = Literal["continue", "partial", "stop"]
Decision = Plan | Whole | Parts | Grown | Known
Split = Outcome | Decision | Replan | Exception | None
"""What comes of a task, why it failed, or None if it has to be done again later."""
_NO_DECISION = (Outcome, Replan)


class RunLoop:
    """Runs the tasks of one tree until nothing is left that can run.

    Args:
        root: the tree; nothing in it is RUNNING.
        work: does a task.
        recorder: writes what came of it.
        policy: says what is done with a task, and after a failure.
        attaching: puts the subtasks of a task that is split into the tree.
        replanning: changes the plan around tasks that fail.
        is_planned: whether all that a policy splits ahead has been split.
        stops_when_planned: whether the run ends once that is done.
        jobs: tasks that run at the same time.
        on_error: what follows when a task has failed: other tasks go on, and what is above it fails or is composed from
            what there is; or nothing new is started.
        slots: places that this run shares with others; None leaves it to `jobs`.
        tried: the tasks that were tried in one piece before, and are to be split instead, with why they failed.
        begun: the tasks whose plans were being written when the run was broken off.
        is_led: whether the worker of the root calls for the tasks below it, and waits; it takes nobody's place.
        times: how long tasks take; see `Scheduler`.
    """

    def __init__(
        self,
        root: Task,
        work: Work,
        recorder: Recorder,
        *,
        policy: Policy,
        attaching: Attaching,
        replanning: Replanning,
        is_planned: bool,
        stops_when_planned: bool = False,
        jobs: int,
        on_error: OnError = "continue",
        slots: asyncio.Semaphore | None = None,
        tried: Mapping[str, Tried] | None = None,
        begun: Sequence[str] = (),
        is_led: bool = False,
        times: Times | None = None,
    ) -> None:
        self._root = root
        self._work = work
        self._recorder = recorder
        self._jobs = jobs
        self._on_error = on_error
        self._slots = slots
        self._leader = root if is_led else None
        self._scheduler = Scheduler(root, is_led=is_led, times=times)
        self._policy = policy
        self._attaching = attaching
        self._replanning = replanning
        self._failures = Failures(
            root, self._scheduler, recorder, replanning, leader=self._leader, are_partial=on_error == "partial"
        )
        self._stops_when_planned = stops_when_planned
        self._levels: Levels[Decision] | None = None
        if policy.plans_ahead and not is_planned:
            self._levels = Levels(root, lambda task: policy.next(task).splits and attaching.has_level_below(task))
        self._is_settling = False
        self._whole: set[Task] = set()
        self._tried = dict(tried or ())
        self._begun = {task: None for task in map(root.find, begun) if task.state is TaskState.OPEN}
        self._cause: Exception | None = None
        self._places = Places(jobs + is_led)
        self._lost: PlannerError | None = None
        self._performing: dict[Task, asyncio.Task[None]] = {}
        self._is_stopping = False
        self._is_cancelling = False
        self._is_broken = False
        self._ending: Ending | None = None

    async def run(self) -> Ending:
        """Run what can be run, and say how it ended.

        Raises:
            StoreError: if the store cannot be written; the run can be resumed.
            LeaseError: if another process has taken the run over.
        """
        if self._levels is not None and self._levels.is_over:
            await self._end_planning()
        self._take_up_failures()
        await together(self._worker() for _ in range(self._jobs + (self._leader is not None)))
        await self._all_written()
        if self._ending is not None and self._root.state is not TaskState.DONE:
            return self._ending.read_again()
        return settle(self._root, self._scheduler, self._recorder, self._cause)

    def stop(self, ending: Ending, *, cancel: bool = False) -> None:
        """Start nothing more; what runs is finished, or, with `cancel`, released.

        The first stop says how it ended; but one that was paused can be cancelled while it ends.
        """
        is_first = self._ending is None
        is_more = self._ending is not None and self._ending.status == "waiting" and ending.status == "cancelled"
        if self._ending is None or (self._ending.is_planned and ending.cause is not None) or is_more:
            self._ending = ending
        self._is_stopping = True
        self._places.wake_all()
        if cancel:
            self._is_cancelling = True
            for job in self._performing.values():
                job.cancel()
        if is_first:
            self._recorder.put(EventType.RUN_STOPPING, why=ending.error or ending.status)

    def added(self, tasks: Sequence[Task]) -> None:
        """Take in tasks that were attached to the tree while it is run, with all that is below them."""
        self._scheduler.added(tasks)
        self._failures.carry_on(self._failures.needed_by(tasks))
        self._places.wake(self._scheduler.ready)

    def called(self, task: Task) -> None:
        """Take up a task that the leader has called for, and that was there before."""
        self._scheduler.called(task)
        self._places.wake(self._scheduler.ready)

    def may_split(self, task: Task) -> bool:
        """Return whether `task` is split if its model says that it is too big."""
        return self._is_split_after(task, Verb.EXECUTE, WorkFailedError(TOO_BIG, task_id=task.id, reason=TOO_BIG))

    def done_by(self, job: object) -> Task | None:
        """Return the task that an asyncio task does just now; None if it does none of these."""
        return next((task for task, each in list(self._performing.items()) if each is job), None)

    async def _worker(self) -> None:
        try:
            await self._take_tasks(cast("asyncio.Task[None]", asyncio.current_task()))
        except BaseException:
            self._is_broken = True
            raise

    async def _take_tasks(self, job: "asyncio.Task[None]") -> None:
        places = self._places
        while self._lost is None:
            if not (places.has_room or self._is_stopping):
                await places.sleep()
                continue
            task = None if self._is_stopping else self._pop()
            if task is not None:
                places.at_work += 1
                verb = self._verb(task)
                await (self._split(task, job, verb) if verb.splits else self._run_one(task, verb, job))
                places.at_work -= 1
            elif (parent := self._stuck()) is not None:
                places.at_work += 1
                await self._replan(parent, job)
                places.at_work -= 1
            elif self._is_stopping or places.is_quiet:
                places.wake_all()
                self._release_leader()
                return
            else:
                await places.sleep()

    def _release_leader(self) -> None:
        """Break off a leader that nothing is done for any more, as what it waits for is not begun."""
        job = None if self._leader is None else self._performing.get(self._leader)
        if job is not None and self._is_stopping and self._places.at_work == 1:
            self._is_cancelling = True
            job.cancel()

    def _pop(self) -> Task | None:
        if self._levels is not None:
            return self._levels.pop()
        return next(iter(self._begun)) if self._begun else self._scheduler.pop()

    def _verb(self, task: Task) -> Verb:
        if self._levels is not None:
            return Verb.SPLIT
        if task in self._begun:
            del self._begun[task]
            return Verb.STREAM
        if self._tried and task.id in self._tried and task.is_leaf:
            return Verb.SPLIT
        if task is self._leader:
            return Verb.EXECUTE
        if task in self._whole or self._policy.plans_ahead:
            return whole(task)
        verb = self._policy.next(task)
        return verb if not verb.splits or self._attaching.has_level_below(task) else whole(task)

    async def _run_one(self, task: Task, verb: Verb, job: "asyncio.Task[None]") -> None:
        self._recorder.start(task, doing=str(verb))
        outcome = await self._perform(task, verb, job)
        if outcome is None:
            self._recorder.release(task, why="the run is stopping")
        elif isinstance(outcome, Outcome):
            gaps = (*missing_words(task), *outcome.gaps) if verb is Verb.COMPOSE else outcome.gaps
            self._places.unwritten += 1
            self._recorder.finish(task, outcome.text, outcome.output, gaps, then=partial(self._on_disk, task))
            await self._places.rest()
        elif isinstance(outcome, Exception):
            await self._recover(task, verb, outcome, job)
        if task is self._leader:
            self._is_stopping = True  # nobody is there any more for whom to go on

    def _on_disk(self, task: Task, error: PlannerError | None) -> None:
        """Let go on what waited for `task`, which is DONE on disk, unless there was an `error`, which ends the run."""
        self._places.unwritten -= 1
        self._lost = self._lost or error
        if self._lost is not None:
            self._places.wake_all()
            return
        failpoint("after-done-commit")
        self._scheduler.finished(task)
        self._places.wake_for(self._scheduler.ready)

    async def _all_written(self) -> None:
        """Return when all that was done is on disk. Raises what is wrong with the store if it never will be."""
        while self._places.unwritten and self._lost is None:
            await self._places.sleep()
        if self._lost is not None:
            raise self._lost

    async def _recover(self, task: Task, verb: Verb, error: Exception, job: "asyncio.Task[None]") -> None:
        """Do what the policy says after the last attempt at `task` has failed."""
        if not self._is_split_after(task, verb, error):
            await self._fail_or_replan(task, verb, error)
            return
        if not isinstance(error, TooLongError):
            self._tried[task.id] = await self._recorder.tried(task, error_text(error), put_back(error))
            failpoint("after-tried-commit")
        await self._split(task, job, Verb.SPLIT, instead_of=error)

    def _is_split_after(self, task: Task, verb: Verb, error: Exception) -> bool:
        """Return whether `task` is split after the last attempt at it has failed."""
        is_possible = task not in self._whole and self._attaching.has_level_below(task)
        if verb is not Verb.EXECUTE or not (is_possible or isinstance(error, TooLongError)):
            return False
        return self._policy.after(task, self._work.failure(task, verb, error, may_split=True)) is Recovery.SPLIT

    async def _fail_or_replan(self, task: Task, verb: Verb, error: Exception) -> None:
        """Let `task`, which is neither tried again nor split, be FAILED; the plan around it may be changed then."""
        failure = self._work.failure(task, verb, error, may_split=False)
        if not failure.can_replan or self._policy.after(task, failure) is Recovery.FAIL:
            await self._fail(task, error)
            return
        self._replanning.wait_for(task)  # before it is on disk: later, what waits may have begun without this failure
        await self._set_failed(task, error)

    async def _split(
        self, task: Task, job: "asyncio.Task[None]", verb: Verb, *, instead_of: Exception | None = None
    ) -> None:
        """Split `task`; one that was `instead_of` failing fails after all if it stays whole."""
        if self._levels is None and task.state is TaskState.OPEN:
            self._recorder.start(task, doing=Verb.SPLIT.value)
        if (tried := self._tried.get(task.id)) is not None:
            instead_of = instead_of or WorkFailedError(tried.error, task_id=task.id)
        if isinstance(instead_of, TooLongError) and instead_of.parts:
            verdict: Split = Parts(instead_of.parts)
        else:
            verdict = await self._perform(task, verb, job, tried=tried.told if tried else None)
        await self._settle_split(task, self._with_room(task, verdict), instead_of)

    async def _settle_split(self, task: Task, verdict: Split, instead_of: Exception | None) -> None:
        """Do what comes of splitting `task`, which was `instead_of` failing if that is given."""
        if verdict is None:
            if task.state is TaskState.RUNNING:
                self._recorder.release(task, why="the run is stopping")
        elif isinstance(verdict, Exception):
            await self._fail(task, verdict)
        elif self._levels is not None and not isinstance(verdict, _NO_DECISION):
            await self._settle_level(self._levels, task, verdict)
        elif not isinstance(verdict, _NO_DECISION) and await self._attaching.settle(task, verdict):
            self._scheduler.released(task)
            self._failures.carry_on(child for child in task.subtasks if child.state is TaskState.FAILED)
            self._places.wake(self._scheduler.ready)
        elif instead_of is not None:
            await self._fail_or_replan(task, Verb.EXECUTE, instead_of)
        else:
            self._whole.add(task)
            self._scheduler.released(task)

    def _with_room(self, task: Task, verdict: Split) -> Split:
        """Return `verdict`, or why the limits of the run leave no room for its parts; None if the run stops for it."""
        try:
            if isinstance(verdict, Parts):
                self._attaching.check_parts(task, verdict)
        except TooLongError as error:
            return error
        except LimitError as error:
            self.stop(Ending("stopped", str(error), error))
            return None
        return verdict

    def _take_up_failures(self) -> None:
        """Go on from the failures that another process has left."""
        for task in [task for task in index_of(self._root).by_id.values() if task.state is TaskState.FAILED]:
            if not self._replanning.take_up(task, may_go_up=self._on_error != "partial"):
                self._failures.carry_on([task])

    async def _settle_level(self, levels: Levels[Decision], task: Task, verdict: Decision) -> None:
        levels.decided(task, verdict)
        if self._is_settling:
            return  # whoever is at it comes to this one in its turn
        self._is_settling = True
        for each, plan in levels.decisions():
            await self._attaching.settle(each, plan)
        self._is_settling = False
        if levels.is_over:
            await self._end_planning()
        self._places.wake_all()

    async def _end_planning(self) -> None:
        """Go on to run what was planned, or end here if that was all; nothing runs before that is on disk."""
        if not self._is_stopping:
            await self._recorder.planned(self._attaching.total)
            if self._stops_when_planned and self._ending is None:
                self._ending = Ending(
                    "waiting", f"the plan is complete; `ramify resume {self._recorder.writer.run_id}` runs it"
                )
                self._is_stopping = True
        self._levels = None

    async def _perform(self, task: Task, verb: Verb, job: "asyncio.Task[None]", *, tried: str | None = None) -> Split:
        """Return what came of `task`, why it failed, or None if it has to be done again later."""
        self._performing[task] = job
        try:
            if self._slots is None or task is self._leader:
                outcome = await self._work.perform(task, verb, tried=tried)
            else:
                async with self._slots:
                    outcome = await self._work.perform(task, verb, tried=tried)
            if job.cancelling():  # by its own worker, which has ended before it heard of it
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            if not (self._is_cancelling or self._is_broken):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)  # whoever cancels the whole loop is heard of in one more turn
            if self._is_broken:
                raise
            job.uncancel()
            return None if self._is_cancelling else OutsideError("CancelledError: it has cancelled itself")
        except (StoreError, LeaseError):
            raise
        except Exception as error:  # noqa: BLE001 - the worker's boundary: whatever it raises, only its task fails
            ending = ending_of(error)
            if ending is None:
                return error
            self.stop(ending)
            return None
        else:
            return outcome
        finally:
            del self._performing[task]

    async def _fail(self, task: Task, error: Exception) -> None:
        if task is self._root:
            self._cause = error
        await self._set_failed(task, error)
        self._give_up([task])

    async def _set_failed(self, task: Task, error: Exception) -> None:
        await self._recorder.fail(task, **failure_data(task, error, self._recorder.redactor.text))

    def _give_up(self, failed: Sequence[Task]) -> None:
        """Do what is to be done about tasks that have failed and are not done again."""
        if self._on_error == "stop":
            self._is_stopping = True
        self._failures.carry_on(failed)
        self._places.wake(self._scheduler.ready)

    def _stuck(self) -> Task | None:
        if self._is_stopping:
            return None
        is_at_rest = not self._places.unwritten and self._places.at_work == (self._leader in self._performing)
        are_carried_on = self._failures.are_carried_on
        return self._replanning.next(self._performing, is_carried_on=are_carried_on, is_at_rest=is_at_rest)

    async def _replan(self, parent: Task, job: "asyncio.Task[None]") -> None:
        """Have what is open of the plan below `parent` changed, as subtasks of it have failed."""
        failed = self._replanning.failed_below(parent)
        found = await self._perform(parent, Verb.REPLAN, job)
        if isinstance(found, Replan):
            changed = await self._replanning.carry_out(parent, found, failed, self._scheduler)
            self._whole.difference_update(changed.reopened)
            for task in changed.reopened:
                self._tried.pop(task.id, None)
            # where all that is left has failed, there is nothing to compose the parent from
            self._failures.carry_on(child for child in parent.subtasks if child.state is TaskState.FAILED)
            self._places.wake(self._scheduler.ready)
        elif isinstance(found, Exception):
            why = f"{not_replanned(parent)}{error_text(found)}"
            for task in failed:
                self._recorder.told_more(task, why)
            if self._on_error == "partial" or not await self._replanning.go_up(parent):
                self._give_up(failed)
