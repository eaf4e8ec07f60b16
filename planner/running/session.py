"""One run in one process, from taking the lease to giving it back: release, plan, run, save."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.asker import Asker
from ramify.planner.asking.askers import Askers
from ramify.planner.asking.budget import Budget, Configs, RunLimits, total_usage
from ramify.planner.asking.person import Person
from ramify.planner.engines.run_engines import RunEngines
from ramify.planner.errors import PlannerError, RunError
from ramify.planner.events.events import Event, EventBus, EventType
from ramify.planner.events.failed_calls import LOST, NO_FAILED_CALLS, FailedCalls, failed_call, read_failed_calls
from ramify.planner.events.recorder import Recorder
from ramify.planner.events.tries import Tried, read_tried, unfinished_plans
from ramify.planner.models.protocol import ModelReply
from ramify.planner.models.unanswered import UNKNOWN
from ramify.planner.planning.policies import UNPLANNED, policy_named, policy_of_calls, run_policy, too_deep_words
from ramify.planner.planning.policy import Policy
from ramify.planner.planning.replan import Replanner
from ramify.planner.planning.split import PlanLimits, Planner, Wishes
from ramify.planner.runtime.background import LOOP_ENDS
from ramify.planner.runtime.border import error_text
from ramify.planner.runtime.held_loop import HOLDS_NO_LOOP, Held, watched
from ramify.planner.settings.options import LimitOptions
from ramify.planner.store import RunWriter, Store, WriterEvents
from ramify.planner.store.changes import ControlsDone, RunChanged
from ramify.planner.store.records import ENDED, RUNNING_PHASE, CallRecord, NewRun, StepRecord
from ramify.planner.work.grants import Grants
from ramify.planner.work.memory import RunMemory
from ramify.planner.work.pages import PageCount
from ramify.planner.work.special_types import SCRIPT
from ramify.planner.work.steps import StepLog
from ramify.planner.workers import Workers
from ramify.planner.workers.model import compose_by_model
from ramify.planner.workers.services import RunServices
from ramify.tasks import Task, TaskState
from ramify.tasks.tree import running
from ramify.tasks.tree.config import NO_USAGE
from ramify.tasks.tree.node import Hold
from ramify.tasks.tree.times import Times

from .asking_steps import StepAsking
from .attaching import Attaching
from .attempts import Work
from .calling import ScriptCalls
from .clarifying import Clarifier
from .controlling import Controls
from .endings import Ending, ending_of
from .holding import hold_tree
from .inside import Inner, Outer
from .knowing import fitting_of
from .limiting import Limiting, changed_limits
from .loop import RunLoop
from .lost import settle_lost
from .preparing import prepare_run, unpriced
from .replanning import Replanning
from .revising import plan_anew
from .run_settings import RunSettings
from .spawning import Spawning
from .steering import read_wishes, steer
from .timing import times_known, times_left

_MOST_IDS = 5


class _Past(NamedTuple):
    """What is known of a resumed run from before.

    Attributes:
        steps: the steps that its tasks have taken.
        tried: why tasks failed whole that are to be split, by id.
        begun: tasks whose plans were being written.
    """

    steps: Sequence[StepRecord] = ()
    tried: Mapping[str, Tried] = MappingProxyType({})
    begun: Sequence[str] = ()


@dataclass(kw_only=True)
class Session:
    """What one process needs to carry a run on; from when it is made the run has the tree.

    Attributes:
        store: where the run is.
        record: the run, as it was stored.
        root: its tree.
        agent: who answers.
        settings: how it runs.
        workers: who does which type of task.
        grants: what workers may do.
        middleware: objects that change inputs and outcomes, in order.
        bus: who is told.
        hold: keeps others from changing the tree until the run is over here.
        outer: what it takes from a run that it is part of; its workers are closed there then.
        policy: says what is done with a task; None leaves it to the settings.
        person: who can be asked while it goes on.
        accepts_changes: whether a script may make other calls than before.
        read_at: the number of the run's last event before its tree was read.
        cut_off: how it ended, if somebody's code has cancelled it with all else on the loop.
        has_begun: set once it holds the run, so that what is asked of the run is asked of it.
    """

    store: Store
    record: NewRun
    root: Task
    agent: Agent
    settings: RunSettings
    workers: Workers = field(default_factory=Workers)
    grants: Grants = field(default_factory=Grants)
    middleware: Sequence[Any] = ()
    bus: EventBus = field(default_factory=EventBus)
    outer: Outer | None = None
    policy: Policy | None = None
    person: Person = field(default_factory=Person)
    accepts_changes: bool = False
    read_at: int = 0
    hold: Hold = field(init=False)
    cut_off: Ending | None = None
    has_begun: threading.Event = field(default_factory=threading.Event)
    _loop: RunLoop | None = None
    _early: Ending | None = None
    _before: "asyncio.Task[Ending | None] | None" = None
    _is_wary: bool = False
    _times: Times = field(default_factory=Times)

    def __post_init__(self) -> None:
        self.hold = hold_tree(self.root, self.record.id)

    @property
    def asks_person(self) -> bool:
        """Whether it is waiting for a person."""
        return self.person.is_asked or bool(getattr(self.agent.model, "is_person", False))

    async def drive(self, *, resumed: bool) -> Ending:
        """Carry the run on until it ends, and say how; whatever happens, what was done is on disk.

        Raises:
            LeaseError: if another process holds the run, or has taken it over.
            RunError: if the run went on elsewhere after its tree was read here.
            StoreError: if the store cannot be written.
        """
        loop = asyncio.get_running_loop()
        self._limiting = Limiting(self.settings.limits, keep=self._keeps, stop=self.stop)
        controls = Controls(self._limiting, stop=self.stop, asks_person=lambda: self.asks_person)
        events = WriterEvents(
            on_control=_on(loop, controls.hear),
            on_waiting=_on(loop, self._waits),
            on_failure=_on(loop, self._cannot_write),
        )
        writer = await asyncio.to_thread(self.store.write, self.record.id, events=events)
        if writer.first_seq > self.read_at + 1:
            await self._check_tree_is_new(writer)
        self.has_begun.set()
        self._recorder = Recorder(writer, self.bus, self.grants.redactor)
        body = asyncio.ensure_future(self._body(controls, resumed=resumed))
        ending = Ending("interrupted", "its process was killed")
        try:
            ending = await asyncio.shield(body)
        except asyncio.CancelledError as error:
            if body.cancelling() and LOOP_ENDS not in error.args:
                ending = self.cut_off = self._cut_off()
            self.stop(self.cut_off or Ending("interrupted"), cancel=True)
            ending = await body
            raise
        except PlannerError as error:
            ending = Ending("interrupted", error_text(error), error)
            raise
        finally:
            self._limiting.end()
            await self._close(ending)
        return ending

    async def _check_tree_is_new(self, writer: RunWriter) -> None:
        """Refuse a run that went on elsewhere after its tree was read: what is done by now would be done again."""
        run_id = self.record.id
        since = await asyncio.to_thread(self.store.events, run_id, self.read_at)
        if any(event.type != EventType.RUN_CONTROLLED for event in since):
            await asyncio.to_thread(writer.close)
            raise RunError(
                f"run {run_id} went on elsewhere after it was opened here; open it again: `ramify resume {run_id}`, in"
                f" Python Executor.reopen(store, {run_id!r})"
            )

    def _cut_off(self) -> Ending:
        """Return how the run ends under which somebody's code has cancelled whatever it found on the loop."""
        running = [task.id for task in self.root.walk() if task.state is TaskState.RUNNING]
        ids = ", ".join(running[:_MOST_IDS]) + (", ..." if len(running) > _MOST_IDS else "")
        who = f"{'task' if len(running) == 1 else 'tasks'} {ids} ran" if running else "the run was in progress"
        return Ending(
            "interrupted",
            f"something in this process cancelled all tasks of its event loop while {who}; a worker may cancel only"
            " tasks that it created",
        )

    def stop(self, ending: Ending, *, cancel: bool = False) -> None:
        """Start nothing more; with `cancel`, do not wait for what is being done either."""
        if self._loop is not None:
            self._loop.stop(ending, cancel=cancel)
            return
        self._early = self._early or ending
        if cancel and self._before is not None:
            self._before.cancel()

    def flush(self) -> None:
        """Return when all that has happened so far is on disk; not for the thread that carries the run on.

        Raises:
            StoreError: if it could not be written, or the run has ended.
            LeaseError: if another process has taken the run over.
        """
        self._recorder.writer.flush()

    async def _body(self, controls: Controls, *, resumed: bool) -> Ending:
        recorder = self._recorder
        failed = await asyncio.to_thread(read_failed_calls, self.store, self.record.id) if resumed else NO_FAILED_CALLS
        recorder.put(EventType.RUN_STARTED, None, self._begun(resumed=resumed), resumed=resumed)
        recorded = await asyncio.to_thread(self.store.calls, self.record.id) if resumed else []
        self._is_wary = failed.was_killed
        if resumed:
            await recorder.writer.written()  # by then it is heard what was asked while nobody held the run
        controls.begin(recorder)
        if resumed:
            await settle_lost(self.root, self.store, recorder, self.workers)
        to_do = self._open_ones()
        self._count_usage(recorded, failed)
        is_planned = self.settings.plan is None or self.record.phase == RUNNING_PHASE
        wishes = await asyncio.to_thread(read_wishes, self.store, self.record) if resumed else Wishes()
        models = await prepare_run(
            self.root, to_do, self.agent, self.workers, is_planned=is_planned and not wishes.steers,
            jobs=self.settings.jobs,
        )  # fmt: skip
        for caution in dict.fromkeys(filter(None, (getattr(model, "caution", "") for model in models))):
            recorder.warn(caution)
        configs = Configs(self.settings.defaults, self.settings.instead)
        outer = self.outer
        above = None if outer is None else (outer.budget, outer.task)
        near = await asyncio.to_thread(self._limits_near) if resumed else ()
        budget = self._limiting.begin(self.root, recorder, self.person, outer=above, near=near)
        dear = unpriced(models)
        if dear is not None and (told := budget.told_unpriced(dear.name)):
            recorder.warn(told, limit="max_cost_usd")
        askers = Askers(
            recorder,
            budget,
            nonce_seed=self.record.nonce_seed,
            base_s=configs.of(self.root).retry_delay_seconds or 0.0,
            on_waiting=self._waits,
            recorded=recorded,
            cache=self.store.find_answer if self.settings.cache else None,
        )
        return self._early or await self._run(
            askers, budget, configs, wishes, resumed=resumed, is_planned=is_planned
        )  # fmt: skip

    def _begun(self, *, resumed: bool) -> RunChanged:
        """Return what is written of the run when it begins: settings that a resume changes stay for later resumes."""
        if resumed and (settings := self.settings.model_dump(mode="json")) != self.record.settings:
            return RunChanged.of(status="running", error=None, settings=settings)
        return RunChanged.of(status="running", error=None)

    async def _run(
        self, askers: Askers, budget: Budget, configs: Configs, wishes: Wishes, *, resumed: bool, is_planned: bool
    ) -> Ending:
        """Split, execute and compose what there is, until nothing is left to do."""
        recorder, plan = self._recorder, self.settings.plan
        past = await asyncio.to_thread(self._past) if resumed else _Past()
        steps = StepLog(recorder, past.steps, scope=f"{self.record.id} {self.record.nonce_seed}")
        steps.lost(self.root)
        attaching = Attaching(self.root, recorder, budget, limits=plan)
        spawning = Spawning(
            self.root, attaching, recorder=recorder, steps=steps, workers=self.workers, grants=self.grants
        )
        calls = self._calls(attaching, spawning, recorder, steps)
        services = self._services(askers, budget, configs, steps, spawning=spawning, calls=calls, is_new=not resumed)
        policy = self._policy_of(plan, configs)
        if plan is not None and not resumed and (told := too_deep_words(self.root, plan, configs)):
            recorder.warn(told, limit="max_depth")
        planner = await self._planner(wishes, resumed=resumed)
        replanner = Replanner(planner.limits, self.workers.cards, configs)
        work = Work(
            services, self.workers, self.middleware, planner=planner, replanner=replanner, attaching=attaching,
            clarifier=self._clarifier(services.asker), steps=StepAsking(steps, recorder, self.person), policy=policy,
            is_resumed=resumed, is_wary=self._is_wary,
        )  # fmt: skip
        replanning = Replanning(recorder, attaching, steps, replanner)
        self._times = await asyncio.to_thread(
            times_known, self.store, self.record.model, self.settings, self.root if resumed else None
        )
        try:
            if wishes.is_new and (ended := await self._first(plan_anew(self.root, work, planner, attaching, recorder))):
                return ended
            if wishes.steers and (ended := await self._first(steer(self.root, work, wishes, replanning, recorder))):
                return ended
            self._loop = RunLoop(
                self.root, work, recorder, policy=policy, attaching=attaching,
                replanning=replanning, is_planned=is_planned,
                stops_when_planned=self.settings.stops_when_planned, jobs=self.settings.jobs,
                on_error=self.settings.on_error, slots=None if self.outer is None else self.outer.slots,
                tried=past.tried, begun=past.begun, is_led=calls is not None, times=self._times,
            )  # fmt: skip
            services.may_split = self._loop.may_split
            if self._early is not None:  # what stopped the run came while this was made ready
                return self._early
            attaching.on_attached = self._loop.added
            if calls is not None:
                calls.on_called = self._loop.called
            with watched(self._held, self._loop.done_by):
                ending = await self._loop.run()
            if ending.status == "done":
                services.memory.clear()
        finally:
            await services.aclose(self.workers.used if self.outer is None else ())
        return ending

    def _past(self) -> _Past:
        """Return what the store has of the run from before it was resumed."""
        store, run_id = self.store, self.record.id
        return _Past(store.steps(run_id), read_tried(store, run_id), unfinished_plans(store, run_id))

    def _services(
        self, askers: Askers, budget: Budget, configs: Configs, steps: StepLog, *, spawning: Spawning,
        calls: ScriptCalls | None, is_new: bool,
    ) -> RunServices:  # fmt: skip
        """Return what workers reach through their context."""
        recorder, jobs = self._recorder, self.settings.jobs
        slots = asyncio.Semaphore(jobs) if self.outer is None else self.outer.slots
        return RunServices(
            run_id=self.record.id,
            root=self.root,
            store=self.store,
            asker=askers.of(self.agent),
            asker_of=askers.of,
            recorder=recorder,
            configs=configs,
            budget=budget,
            grants=self.grants,
            memory=RunMemory(self.store, recorder.writer, self.grants.redactor, is_new=is_new),
            steps=steps,
            pages=PageCount(self.root, steps.taken),
            inner=Inner(self.settings, self.workers, slots),
            spawn=spawning.spawn,
            compose=compose_by_model,
            engines=RunEngines(self.record.id, jobs),
            calls=calls,
        )

    async def _planner(self, wishes: Wishes, *, resumed: bool) -> Planner:
        plan, before = self.settings.plan, self.store if resumed else None
        fitting = await asyncio.to_thread(
            fitting_of, plan, self._recorder, self.workers, self.grants, before=before
        )  # fmt: skip
        return Planner(plan, workers=self.workers.cards, wishes=wishes, fitting=fitting)

    def _clarifier(self, asker: Asker) -> Clarifier:
        is_on = self.settings.plan is not None and self.root.type != SCRIPT
        is_on = is_on and (self.outer is None or self.settings.assume)
        return Clarifier(self.root, self._recorder, self.person, asker, assumes=self.settings.assume, is_on=is_on)

    def _calls(
        self, attaching: Attaching, spawning: Spawning, recorder: Recorder, steps: StepLog
    ) -> ScriptCalls | None:
        """Return the calls of the script that does the root; None if none does."""
        if self.root.type != SCRIPT:
            return None
        plan, changes = self.settings.plan, self.accepts_changes
        policy = None if plan is None else plan.policy
        return ScriptCalls(
            self.root, attaching, spawning, recorder=recorder, steps=steps, policy=policy, accepts_changes=changes
        )

    def _policy_of(self, plan: PlanLimits | None, configs: Configs) -> Policy:
        if plan is None:
            return self.policy or UNPLANNED
        others = self.policy or policy_named(plan.policy, plan.max_depth)
        if self.root.type == SCRIPT:
            return policy_of_calls({plan.policy: others}, configs, max_depth=plan.max_depth)
        return run_policy(self.root, others, configs, max_depth=plan.max_depth)

    def _limits_near(self) -> list[Event]:
        """Return what was said of limits that come near; those of a fork have begun at zero."""
        return self.store.events_of(self.record.id, [EventType.LIMIT_NEAR], self.record.forked_seq or 0)

    async def _first(self, work: Coroutine[Any, Any, Ending | None]) -> Ending | None:
        """Have done what comes before all else; return how the run ends, if it goes no further."""
        self._before = asyncio.ensure_future(work)
        try:
            ended = await self._before
        except asyncio.CancelledError:
            if self._early is None:
                raise
            return self._early
        except Exception as error:
            ended = ending_of(error)
            if ended is None:
                raise
        finally:
            self._before = None
        return ended or self._early

    def _open_ones(self) -> dict[str | None, Task]:
        """Return an open task of each type."""
        to_do: dict[str | None, Task] = {}
        for task in self.root.walk():
            if task.state is TaskState.OPEN:
                to_do.setdefault(task.type, task)
        return to_do

    def _count_usage(self, recorded: list[CallRecord], failed: FailedCalls) -> None:
        """Let each task have used what its replies and failed calls have, and count those lost with their process."""
        used = dict(failed.used)
        for call in recorded:
            used[call.key.task_id] = used.get(call.key.task_id, NO_USAGE) + ModelReply.from_data(call.reply).usage()
        for task_id, usage in used.items():
            running.put(self.root.find(task_id), usage=usage)
        for lost in failed.lost:
            task = self.root.find(lost.task_id)
            running.spend(task, UNKNOWN)
            self._recorder.changed(EventType.CALL_FAILED, task, **failed_call(lost, LOST, UNKNOWN))

    def _held(self, held: Held) -> None:
        """Tell of a task that has held the event loop."""
        who = "something" if held.task is None else f"task {held.task.id}"
        with suppress(PlannerError):  # the writer may have ended
            self._recorder.put(
                EventType.WARNING,
                held.task,
                message=f"{who} blocked the event loop for {held.seconds:.0f} s ({held.where}); {HOLDS_NO_LOOP}",
            )

    def limit(self, limits: LimitOptions) -> None:
        """Let other limits be those of a run that does not go on here."""
        self._keeps(changed_limits(self.settings.limits, limits)[0])

    def _keeps(self, limits: RunLimits) -> RunChanged:
        """Let other limits be those of the run; return what is written of it."""
        self.settings = self.settings.model_copy(update={"limits": limits})
        return RunChanged.of(settings=self.settings.model_dump(mode="json"))

    def _cannot_write(self, error: PlannerError) -> None:
        with suppress(PlannerError):
            self.stop(Ending("interrupted", str(error), error), cancel=True)

    def _waits(self, why: str, delay_s: float = 0.0) -> None:
        with suppress(PlannerError):  # the writer may have ended before its word came here
            self._recorder.put(EventType.RUN_WAITING, why=why, delay_s=round(delay_s, 3))

    async def _close(self, ending: Ending) -> None:
        over = RunChanged.of(
            status=ending.status,
            error=None if ending.error is None else self.grants.redactor.text(ending.error),
            usage=total_usage(self.root),
            finished_at=time.time() if ending.status in ENDED else None,
        )
        stopped = ControlsDone(actions=frozenset({"cancel", "pause"}))
        try:
            told = times_left(self._times, self.record.model, self.settings)
            self._recorder.put(EventType.RUN_FINISHED, None, over, stopped, *told, status=ending.status)
        finally:
            await asyncio.to_thread(self._recorder.writer.close)


def _on(loop: asyncio.AbstractEventLoop, function: Callable[..., None]) -> Callable[..., None]:
    """Return what has `function` called on `loop`, from whatever thread it is called in."""

    def told(*arguments: object) -> None:
        loop.call_soon_threadsafe(function, *arguments)

    return told
