"""The engine that calls functions on a Dask cluster: one at an address, or one of its own on this machine.

An order goes there as one task, which Dask is told not to do again: no retries, a key of its own, and no failure of a
worker is allowed. Its Future is dropped as soon as its value is here, as Dask would compute a value anew whose worker
dies while somebody holds its Future. What may not be repeated asks before it begins, so that it begins once.
"""

import asyncio
import json
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import Context, copy_context
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

from ramify.planner.errors import EngineError, UsageError, WorkerLostError
from ramify.planner.events.events import EventType
from ramify.planner.runtime.border import name_and_words
from ramify.tasks.json_text import json_text

from . import dask_far
from .dask_cluster import Cluster, opened
from .dask_far import Versions
from .far import value_of
from .protocol import Engine, Home, Message, Order

_LONGEST_STOP_S = 10.0
_BETWEEN_S = 0.01
"""How often orders are sent; a client of Dask's keeps them for as long, and each sending costs more than each order."""
_AHEAD = 1.25
"""How many times as many jobs as threads are no reason for an alert: the next leaf is there when a thread ends one."""


class Job:
    """An order that is on its way, or done; its `future` is Dask's, once it `is_sent`."""

    __slots__ = ("context", "failure", "future", "home", "is_begun", "is_sent", "key", "order", "said", "versions")

    def __init__(self, order: Order, home: Home, versions: Versions, is_sent: asyncio.Event) -> None:
        self.key = f"{order.worker}-{uuid4().hex}"
        self.order = order
        self.versions = versions
        self.home = home
        self.context: Context = copy_context()
        self.future: Any = None
        self.failure: Exception | None = None
        self.said: Message | None = None
        self.is_begun = False
        self.is_sent = is_sent

    def lost(self, why: str) -> WorkerLostError:
        """Return the error that says that nobody will hear of it."""
        is_unknown = False if self.order.is_once and not self.is_begun else None
        return WorkerLostError(
            f"the worker {self.order.worker!r} was lost: {why}", task_id=self.order.task_id, is_unknown=is_unknown
        )


class Dask(Engine):
    """Calls functions on a Dask cluster; `place` is the address of its scheduler, or a scheduler file."""

    has_places = True
    takes_programs = True

    def __init__(self, *, run_id: str, jobs: int) -> None:
        super().__init__(run_id=run_id, jobs=jobs)
        self._topic = f"ramify-{run_id}"
        self._cluster: Cluster | None = None
        self._opening: asyncio.Task[Cluster] | None = None
        self._jobs: dict[str, Job] = {}
        self._to_send: list[Job] = []
        self._are_sent = asyncio.Event()
        self._sent_at = 0.0
        self._answering: set[asyncio.Task[None]] = set()

    @classmethod
    def check(cls) -> None:
        """Make sure that Dask is installed.

        Raises:
            UsageError: if it is not.
        """
        if find_spec("distributed") is None:
            raise UsageError(
                "the engine 'dask' needs the package distributed; install it with `pip install 'ramify[dask]'`"
            )

    async def submit(self, order: Order, home: Home) -> Job:
        """Send an order, together with all that are submitted before Dask sends again.

        Raises:
            EngineError: if the cluster cannot be used, or its workers differ from the run.
        """
        cluster = self._cluster or await self._open(home)
        job = Job(order, home, await cluster.check(order.source), self._are_sent)
        self._jobs[job.key] = job
        self._to_send.append(job)
        if len(self._to_send) == 1:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._sent_at + _BETWEEN_S), self._send)
        return job

    async def result(self, job: Job) -> Any:
        """Return what the function gave.

        Raises:
            WorkerLostError: if the worker that called it is gone.
            EngineError: if the worker differs from the run, or could not take the order.
            Exception: what the function raised, as plain data has it.
        """
        await job.is_sent.wait()
        if job.failure is not None:
            self._drop(job)
            raise job.failure
        try:
            error = await job.future.exception()
            said: Message = {} if error is not None else job.said or await job.future
        except (asyncio.CancelledError, CancelledError) as gone:
            if _is_cancelled():
                raise asyncio.CancelledError from gone
            self._drop(job)
            raise job.lost("the Dask scheduler has let it go") from gone
        except Exception as failed:  # noqa: BLE001 - it is told apart below
            error = failed
        self._drop(job)
        if error is not None:
            raise _failure(job, error) from error
        if dask_far.DIFFERS in said:
            raise EngineError(f"a Dask worker that has joined since {said[dask_far.DIFFERS]}")
        if dask_far.AGAIN in said or dask_far.STOPPED in said:
            raise job.lost("Dask has sent it to a second worker, where it was not begun, as it may not be repeated")
        return value_of(said)

    async def cancel(self, job: Job) -> "asyncio.Future[Any] | None":
        """Tell the worker that calls the function; return what is done when that has ended, if it is not at once."""
        if job in self._to_send:
            self._to_send.remove(job)
        if job.future is None or job.future.status != "pending" or not await self._is_stopping(job):
            self._drop(job)
            return None
        return asyncio.ensure_future(self._ended(job))

    async def aclose(self) -> None:
        """Let the cluster go; one of our own is ended with all that it does."""
        for job in list(self._jobs.values()):
            self._drop(job)
        if self._opening is None:
            return
        if not self._opening.done():
            self._opening.cancel()
        await asyncio.wait([self._opening])
        if self._cluster is not None:
            await self._cluster.aclose(self._topic)

    async def _open(self, home: Home) -> Cluster:
        """Return the cluster, which is opened once; a leaf that is cancelled meanwhile does not end that."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._opened(home))
        return await asyncio.shield(self._opening)

    async def _opened(self, home: Home) -> Cluster:
        cluster = await opened(self.place, self.jobs)
        cluster.client.subscribe_topic(self._topic, self._heard)
        self._cluster = cluster
        told = {"engine": "dask", "scheduler": cluster.address, "workers": cluster.workers, "threads": cluster.threads}
        home.hear({"ask": EventType.EMITTED.value, "name": "engine_connected", "data": told})
        if self.jobs > _AHEAD * cluster.threads:
            words = (
                f"the Dask cluster runs {cluster.threads} tasks at a time, but jobs is {self.jobs}; the rest wait there"
                " while their time limits run"
            )
            home.hear({"ask": EventType.ALERT.value, "message": words, "data": {}})
        return cluster

    def _send(self) -> None:
        """Send all orders that were submitted since the last time as one message to the scheduler."""
        jobs, self._to_send = self._to_send, []
        self._are_sent.set()  # before anybody who waits has a turn
        self._are_sent, self._sent_at = asyncio.Event(), asyncio.get_running_loop().time()
        if not jobs or self._cluster is None:
            return
        sent = [self._sent(job) for job in jobs]
        try:
            futures = self._cluster.client.map(dask_far.do, sent, key=[job.key for job in jobs], pure=False, retries=0)
        except Exception as error:  # noqa: BLE001 - whoever waits for them is told
            for job in jobs:
                job.failure = EngineError(f"the Dask cluster takes nothing any more: {name_and_words(error)}")
        else:
            for job, future in zip(jobs, futures, strict=True):
                job.future = future

    def _sent(self, job: Job) -> str:
        """Return an order as one string, in which Dask looks for nothing of its own."""
        sent = {"order": job.order.to_data(), "key": job.key, "topic": self._topic, "versions": dict(job.versions)}
        return json_text(sent, allow_nan=True)

    def _heard(self, event: tuple[float, list[str]]) -> None:
        """Hear what functions say."""
        for words in event[1]:
            self._hear(json.loads(words))

    def _hear(self, told: Message) -> None:
        """Hear what a function says, in the context of its task; its answer follows."""
        job = self._jobs.get(told["key"])
        if job is None:
            return
        if "said" in told:
            job.said = told["said"]
            return
        message = told["message"]
        if message["ask"] == dask_far.BEGIN:
            answer, job.is_begun = {"value": not job.is_begun}, True
        else:
            answer = job.context.run(job.home.hear, message)
        if told["token"]:
            task = asyncio.ensure_future(self._answer(told["to"], told["token"], json_text(answer, allow_nan=True)))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, to: str, token: str, words: str) -> None:
        if self._cluster is not None:
            with suppress(Exception):  # the worker is gone, which is told elsewhere
                await self._cluster.client.run(dask_far.answer, token, words, workers=[to], on_error="ignore")

    async def _is_stopping(self, job: Job) -> bool:
        """Tell all workers that a job is not wanted any more; return whether one is at it."""
        if self._cluster is None:
            return False
        try:
            async with asyncio.timeout(_LONGEST_STOP_S):
                found = await self._cluster.client.run(dask_far.stop, job.key, on_error="ignore")
        except Exception:  # noqa: BLE001 - the cluster is gone, and with it the function
            return False
        return any(found.values())

    async def _ended(self, job: Job) -> None:
        """Return when a job that was told to stop has ended."""
        try:
            with suppress(Exception, CancelledError):
                await job.future
        finally:
            self._drop(job)

    def _drop(self, job: Job) -> None:
        """Let go of the Future of a job, so that Dask computes nothing anew for it."""
        self._jobs.pop(job.key, None)
        if job.future is not None:
            job.future.release()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure(job: Job, error: Exception) -> Exception:
    """Return what to say of an error of Dask's own."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return job.lost(f"the Dask worker {error.last_worker.address} ended before it returned a value")
    return EngineError(f"a Dask worker could not call the worker {job.order.worker!r}: {name_and_words(error)}")
