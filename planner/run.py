"""A run in the hands of its user: where it stands, what came of it, and the ways to see it."""

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.counting import counted
from ramify.tasks.tree.collecting import patient_collector
from ramify.tasks.tree.states import FINISHED

from .asking.budget import raising_options, total_usage
from .errors import EngineError, LeaseError, LimitError, PlannerError, RunError, StoreError, UsageError, WaitingError
from .events.events import Event, EventBus, EventType, Subscriber, Wanted
from .events.stream import EventStream
from .export.making import who_made
from .export.run_data import status_of
from .planning.policy import Verb
from .running.controlling import Controlled, cancel_run, limit_run, pause_run
from .running.endings import Ending
from .running.recording import Recording
from .running.session import Session
from .runtime.background import (
    LONGEST_HOLD_S,
    background_loop,
    is_on_background_loop,
    run_sync,
    start_on_background_loop,
)
from .runtime.border import words_of
from .settings.options import LimitOptions
from .show.shown_run import ShownRun
from .store import Store
from .store.records import RunStatus, status_words
from .workers.registry import is_for_model

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .running.detaching import Detached


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        status: the run's status.
        done: tasks that are finished.
        total: tasks that there are; more may come while it is planned.
        current_action: what is being done, by task id and content; empty if nothing is.
        error: why it did not succeed; None if it did, or may yet.
        result: the answer; empty as long as there is none.
    """

    status: RunStatus
    done: int
    total: int
    current_action: str
    error: str | None
    result: str

    @property
    def percent(self) -> int:
        """How much is done, from 0 to 100."""
        return 100 * self.done // max(1, self.total)


def progress_of(root: Task, status: RunStatus, error: str | None) -> Progress:
    """Return where a run with the tree `root` stands."""
    tasks = [task for task in root.walk() if task.state is not TaskState.DELETED]
    running = [f"{task.id}: {task.content}" for task in tasks if task.state is TaskState.RUNNING]
    done = sum(task.state in FINISHED for task in tasks)
    return Progress(status, done, len(tasks), "; ".join(running[:3]), error, root.result)


Follower = Callable[["Run"], AbstractContextManager[None]]
"""Follows a run from outside as long as the context that it returns is open: a display, or what makes spans of it."""


class Run(ShownRun):
    """A run of a task tree; created by `solve` and `Executor`.

    Attributes:
        id: its id in the store, for `ramify resume`, `show`, `graph` and others.
        task: the tree, with states and results.
    """

    def __init__(
        self,
        session: Session,
        *,
        is_new: bool,
        on_event: Subscriber | None = None,
        recording: Recording | None = None,
        followers: "Sequence[Follower]" = (),
    ) -> None:
        self.id = session.record.id
        self.task = session.root
        self._session = session
        self._is_new = is_new
        self._recording = recording
        self._followers = tuple(followers)
        self._ending: Ending | None = None
        self._made_by: str | None = None
        self._future: Future[Ending] | None = None
        self._detached: Detached | None = None
        self._is_over = threading.Event()
        if on_event is not None:
            session.bus.subscribe(on_event)

    def __repr__(self) -> str:
        progress, who = self.progress, self._made_by or self._session.agent.model.maker  # the store stays closed
        return f"<Run {self.id}: {self.status}, {progress.done:,} of {counted(progress.total, 'task')}, {who}>"

    def __await__(self) -> Generator[Any, None, Self]:
        return self._awaited().__await__()

    @property
    def status(self) -> RunStatus:
        """running, done, partial (some of it failed), failed, stopped (by a limit), interrupted, cancelled, waiting."""
        if self._detached is not None:
            with self._session.store.open_again() as store:
                return status_of(store.find_run(self.id))
        return self._ending.status if self._ending is not None else "running"

    @property
    def error(self) -> str | None:
        """Why there is no complete answer, or None."""
        return self._ending.error if self._ending is not None else None

    @property
    def cause(self) -> Exception | None:
        """The exception behind `error`, if there is one."""
        return self._ending.cause if self._ending is not None else None

    @property
    def is_planned(self) -> bool:
        """Whether it only made the plan; resuming it runs the plan."""
        return self.status == "waiting" and self.cause is None

    @property
    def result(self) -> str:
        """The answer.

        Raises:
            RunError: if there is none; the message says why, and how to go on.
        """
        if self._detached is not None:
            pid = self._detached.pid
            raise RunError(f"run {self.id} continues in process {pid}; `ramify show {self.id}` has its result")
        if self.task.state is not TaskState.DONE:
            why = f": {self.error}" if self.error else ""
            again = ["--retry-failed"] if self.status == "failed" else self.raising_options
            command = " ".join(["ramify resume", self.id, *again])
            raise RunError(
                f"run {self.id} has no result; it {status_words(self.status)}{why}. Continue with `{command}`"
            )
        return self.task.result

    @property
    def bus(self) -> EventBus:
        """Its event bus."""
        return self._session.bus

    @property
    def made_by(self) -> str:
        """The model that answers, for people."""
        if self._ending is None:
            return self._session.agent.model.maker
        if self._made_by is None:
            self._made_by = self._session.agent.model.maker
            with suppress(PlannerError), self._store_now() as store:
                self._made_by = who_made(store, store.find_run(self.id), self.task)
        return self._made_by

    @property
    def forked_from(self) -> str | None:
        """The id of the run it was forked from, or None."""
        return self._session.record.forked_from

    @property
    def jobs(self) -> int:
        """How many of its tasks run at the same time."""
        return int(self._session.settings.jobs)

    @property
    def asks_person(self) -> bool:
        """Whether it is waiting for a person."""
        return self._session.asks_person

    @property
    def reply_timeout_s(self) -> float | None:
        """The time limit of a reply in seconds, or None."""
        return None if self.asks_person else self._session.agent.settings.timeout_s

    @property
    def usage(self) -> Usage:
        """The usage of its model calls so far."""
        return total_usage(self.task)

    @property
    def cost_usd(self) -> float | None:
        """The cost of its model calls, in US dollars; None if any is unknown."""
        usage = self.usage
        return None if usage.calls_without_cost else usage.cost_usd

    @property
    def raising_options(self) -> list[str]:
        """Options of `ramify resume` that it needs to continue, such as a higher limit."""
        if isinstance(self.cause, EngineError | LimitError | WaitingError) and self.cause.options:
            return list(self.cause.options)
        return raising_options(self._session.settings.limits, self.usage)

    @property
    def progress(self) -> Progress:
        """Its progress."""
        return progress_of(self.task, self.status, self.error)

    @property
    def store_place(self) -> str:
        """Its store, without a password."""
        return str(self._session.store.place)

    def on(self, subscriber: Subscriber, *types: EventType | str, where: Wanted | None = None) -> Callable[[], None]:
        """Call `subscriber` with events, filtered by `types` and `where`; return a function that unsubscribes.

        Raises:
            UsageError: if a type is none, or the subscriber is async.
        """
        return self.bus.subscribe(subscriber, *types, where=where)

    def on_alert(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with alerts; return a function that unsubscribes."""
        return self.on(subscriber, EventType.ALERT)

    def events(self, *types: EventType | str, where: Wanted | None = None, after: int | None = None) -> EventStream:
        """Return all events from start to end, as they happen, for `for` or `async for`.

        Args:
            types: which types are wanted; all unless given.
            where: says of an event whether it is wanted.
            after: the number after which to begin; 0 is what other processes have carried on too. Unless given, it
                begins with what this process does.

        Raises:
            UsageError: if a type is none.
        """
        return EventStream(self.bus, self._stored_events, types, where=where, after=after)

    async def drive(self) -> Self:
        """Run to the end on this event loop.

        Raises:
            UsageError: if it was detached.
        """
        self._refuse_detached("start")
        try:
            with patient_collector(), ExitStack() as following:
                for follow in self._followers:
                    following.enter_context(follow(self))
                self._ending = await self._session.drive(resumed=not self._is_new)
        except asyncio.CancelledError:
            self._ending = self._session.cut_off or Ending("interrupted")
            raise
        except Exception as error:
            self._ending = Ending("interrupted", words_of(error), error)
            raise
        finally:
            try:
                await self._write_recording()
            finally:
                self._session.hold.release()
                self._session.store.close()
                self._session.bus.close()
                self._session.has_begun.set()
                self._is_over.set()
        return self

    def start(self) -> Self:
        """Run in the background; use `wait`, or await the run.

        Raises:
            UsageError: if it was detached.
        """
        self._refuse_detached("start")
        if self._future is None:
            self._future = start_on_background_loop(self._driven())
        return self

    def detach(self, *options: str) -> "Detached":
        """Let a process of its own carry the run on, which outlives this one, and return once it has begun.

        That process has to find again what was given to this run: models and agents of your own, and functions that are
        in no file, it does not. `FollowedRun` follows it. This run cannot be started any more.

        Args:
            *options: further words of `ramify resume`, such as "--events", "events.jsonl".

        Raises:
            UsageError: if the run was started here, or a person answers its model.
            RunError: if the other process could not begin; the message says why.
        """
        from .running.detaching import detach

        if self._future is not None or self.bus.first_seq is not None:
            raise UsageError(f"run {self.id} was started in this process; call detach() instead of start()")
        record = () if self._recording is None else ("--record", str(self._recording.path))
        self._detached = detach(self._session, (*record, *options))
        return self._detached

    def wait(self) -> Self:
        """Wait for the end of the run. Ctrl-C stops and saves the run first.

        Raises:
            StoreError: if the store could not be written.
            LeaseError: if another process holds the run.
            RunError: if it went on elsewhere after it was opened here.
            UsageError: if it was detached.
        """
        try:
            run_sync(self._awaited())
        except asyncio.CancelledError:  # nobody cancels a thread that waits: it was all that the loop had
            if not self._is_over.wait(LONGEST_HOLD_S):
                raise
        return self

    def stop(self, *, cancel: bool = False, status: RunStatus = "interrupted") -> None:
        """Start nothing new; running tasks finish, or stop with `cancel`. Thread-safe.

        A person is not waited for: where one answers, what is being done is released in any case.
        """
        self._refuse_detached("stop")
        cancel = cancel or self.asks_person

        def stop() -> None:
            with suppress(PlannerError):  # it may be over by then
                self._session.stop(Ending(status), cancel=cancel)

        background_loop().call_soon_threadsafe(stop)

    def end_after(self, leaves: int, where: Callable[[Task], bool] = is_for_model) -> Self:
        """Start nothing new after this many leaves, of a model or as `where` says, have started."""
        begun: set[str] = set()

        def count(event: Event) -> None:
            task = self.task.find(cast("str", event.task_id))
            if where(task):
                begun.add(task.id)
            if len(begun) >= leaves:
                self._session.stop(
                    Ending("stopped", f"the pilot of {counted(leaves, 'leaf task')} is over", is_planned=True)
                )

        self.on(count, EventType.TASK_STARTED, where=lambda event: event.data["doing"] == Verb.EXECUTE)
        return self

    def cancel(self) -> None:
        """Stop at once; you can resume the run. Thread-safe."""
        if self._detached is None:
            self.stop(cancel=True, status="cancelled")
            return
        with self._session.store.open_again() as store:
            cancel_run(store, self.id)

    def pause(self) -> None:
        """Start nothing more and finish what is being done, within two seconds; then it waits until it is resumed."""
        self._wait_for_begin()
        with self._session.store.open_again() as store:
            pause_run(store, self.id)

    def limit(self, **limits: Unpack[LimitOptions]) -> Controlled:
        """Have other limits hold, higher or lower ones, within two seconds; at what is used already it stops.

        Args:
            **limits: those that `solve` takes too: `max_calls`, `max_cost_usd`, ...

        Raises:
            UsageError: if there is no such limit, or a value cannot be used.
        """
        self._wait_for_begin()
        with self._session.store.open_again() as store:
            done = limit_run(store, self.id, limits)
        if done.holder is None:  # it has not begun here, or is over
            self._session.limit(limits)
        return done

    def _refuse_detached(self, what: str) -> None:
        if self._detached is not None:
            raise UsageError(
                f"run {self.id} continues in process {self._detached.pid}, so {what}() cannot reach it; pause(),"
                f" cancel() and limit() do, and FollowedRun(store, {self.id!r}) follows it"
            )

    def _wait_for_begin(self) -> None:
        """Wait until a run that was started holds its lease, so that it is the run that is asked; not on its loop."""
        if self._future is not None and not is_on_background_loop():
            self._session.has_begun.wait(LONGEST_HOLD_S)

    def _stored_events(self, after: int, limit: int | None = None) -> list[Event]:
        with self._store_now() as store:
            return store.events(self.id, after, limit=limit)

    def _store_now(self) -> Store:
        """Return the store with all that has happened so far in it, opened once more; the caller closes it."""
        if self.bus.first_seq is not None:
            with suppress(PlannerError):  # what cannot be written any more is not in the store either
                self._session.flush()
        return self._session.store.open_again()

    async def _awaited(self) -> Self:
        self.start()
        future = cast("Future[Ending]", self._future)
        try:
            await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            await asyncio.wait([asyncio.wrap_future(future)])
            task = asyncio.current_task()
            if self._ending is None or (task is not None and task.cancelling()):
                raise
        return self

    async def _write_recording(self) -> None:
        is_known = self._ending is not None and not isinstance(self._ending.cause, StoreError | LeaseError)
        if self._recording is not None and is_known:
            await asyncio.to_thread(self._recording.write, self._session.store)

    async def _driven(self) -> Ending:
        await self.drive()
        return self._ending or Ending("interrupted")
