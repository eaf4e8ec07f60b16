"""The cluster of the engine `dask`: found at an address or started here, and refused where it would break our rules.

A scheduler that runs the task of a lost worker again by itself is refused, as only the run may say that; and workers
that have another Python, another Ramify or another version of a function's module.
"""

import asyncio
import logging
import multiprocessing
import os
from contextlib import suppress
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

from ramify.planner.errors import EngineError, UsageError
from ramify.planner.runtime.border import error_text

from . import dask_far
from .dask_far import Versions, difference, versions_here

PATIENCE_S = 60.0
"""How long a scheduler file and the first worker are waited for; a batch system starts them in any order."""

_LONGEST_END_S = 2.0
_LOG = logging.getLogger("distributed")

ALLOWED_FAILURES = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0"
"""What a scheduler has to be started with."""


class Cluster:
    """A cluster that a run is connected with.

    Args:
        client: what the run is to the cluster.
        local: the cluster itself, if it was started here.
        workers: how many workers it has, of whom each is a process.
        threads: how many functions they call at a time.
    """

    def __init__(self, client: Any, local: Any, *, workers: int, threads: int) -> None:
        self.client = client
        self.workers = workers
        self.threads = threads
        self._local = local
        self._checks: dict[str, asyncio.Task[Versions]] = {}

    @property
    def address(self) -> str:
        """Where its scheduler is."""
        return str(self.client.scheduler.address)

    async def check(self, source: str) -> Versions:
        """Make sure, once, that every worker has what the run has, and the same module that `source` names.

        Returns:
            What the run has.

        Raises:
            EngineError: if one has not; it is named, with what is different and the way out.
        """
        check = self._checks.get(source)
        if check is None:
            check = self._checks[source] = asyncio.ensure_future(self._check(source))
        return check.result() if check.done() else await asyncio.shield(check)

    async def _check(self, source: str) -> Versions:
        here = versions_here(source)
        found = await self.client.run(dask_far.probe, source, on_error="return")
        wrong: dict[str, str] = {}
        for address, there in found.items():
            if isinstance(there, OSError):  # it is just going; who comes instead is asked with its first order
                continue
            if isinstance(there, Exception):
                wrong[address] = (
                    f"cannot load Ramify ({error_text(there)}); start the workers in the environment of the run"
                )
            elif told := difference(here, there):
                wrong[address] = told
        if wrong:
            address, told = next(iter(wrong.items()))
            others = f" (and {len(wrong) - 1} more like it)" if len(wrong) > 1 else ""
            raise EngineError(f"the Dask worker {address}{others} {told}")
        return here

    async def aclose(self, topic: str) -> None:
        """Let the cluster go, which forgets what was said under a topic; end it if it was started here."""
        for check in self._checks.values():
            check.cancel()
        if self._local is None:
            with suppress(Exception):  # it is gone
                await self.client.run_on_scheduler(dask_far.forget, topic)
        await closed(self.client, self._local)


async def opened(place: str, jobs: int) -> Cluster:
    """Return the cluster at an address or of a scheduler file, or a new one on this machine for as many `jobs`.

    Raises:
        EngineError: if there is none, or it has to be set otherwise.
        UsageError: if this process is one that a cluster is just starting.
    """
    await asyncio.to_thread(import_module, "distributed")
    local = client = None
    try:
        if not place:
            local = await _started(jobs)
        client = await _connected(place, local)
        if local is None:
            await _check_failures(client, place)
            await _wait_for_worker(client, place)
        threads = await client.nthreads()
    except BaseException:
        await closed(client, local)
        raise
    return Cluster(client, local, workers=len(threads), threads=sum(threads.values()))


async def closed(client: Any, local: Any) -> None:
    """Let a client and a cluster go, as far as they are there."""
    for each in (client, local):
        if each is not None:
            with suppress(OSError, TimeoutError):
                await each.close()


async def _started(jobs: int) -> Any:
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UsageError(
            "this module starts a run whenever a process of the cluster imports it; put that below `if"
            ' __name__ == "__main__":`'
        )
    processes = min(jobs, os.cpu_count() or 1)
    made = _Local()
    try:
        await made.start(processes, ceil(jobs / processes))
    except BaseException as error:
        await made.close()
        if not isinstance(error, Exception):
            raise
        raise EngineError(
            f"no Dask cluster could be started on this machine: {error_text(error)}; a script keeps what it runs below"
            ' `if __name__ == "__main__":`'
        ) from error
    return made


class _Local:
    """A scheduler on the run's loop, and worker processes, each of which is started again for as long as it ends.

    Dask's own `LocalCluster` gives up a worker that is not back after 15 s, which takes longer on a busy machine.
    """

    def __init__(self) -> None:
        self._scheduler: Any = None
        self._nannies: list[Any] = []
        self._level = logging.NOTSET

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return str(self._scheduler.address)

    async def start(self, processes: int, threads: int) -> None:
        """Start all of it."""
        from distributed import Nanny, Scheduler

        self._level = _LOG.level
        _LOG.setLevel(logging.CRITICAL)  # what is lost is told by the run
        self._scheduler = Scheduler(
            host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0", allowed_failures=0
        )
        await self._scheduler
        self._nannies = [
            Nanny(
                self._scheduler.address, nthreads=threads, host="127.0.0.1", memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
            for _ in range(processes)
        ]  # fmt: skip
        await asyncio.gather(*self._nannies)

    async def close(self) -> None:
        """End all of it, whatever its workers are doing."""
        await asyncio.gather(*(each.close(timeout=_LONGEST_END_S) for each in self._nannies), return_exceptions=True)
        if self._scheduler is not None:
            await self._scheduler.close()
            _LOG.setLevel(self._level)


async def _connected(place: str, local: Any) -> Any:
    from distributed import Client

    given: dict[str, Any] = {"address": place or local.address}
    if place.endswith(".json"):
        await _wait_for_file(Path(place))
        given = {"scheduler_file": place}
    try:
        return await Client(**given, asynchronous=True, set_as_default=False, name="ramify")  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise EngineError(f"no Dask scheduler answers at {place}: {error_text(error)}; is it started?") from error


async def _wait_for_file(path: Path) -> None:
    for _ in range(int(PATIENCE_S)):
        if await asyncio.to_thread(path.is_file):
            return
        await asyncio.sleep(1)
    raise EngineError(
        f"there is still no scheduler file {path} after {PATIENCE_S:.0f} s; give the FILE of `dask scheduler"
        " --scheduler-file FILE`, in a folder that all machines share"
    )


async def _check_failures(client: Any, place: str) -> None:
    try:
        allowed = await client.run_on_scheduler(dask_far.allowed_failures)
    except Exception as error:
        raise EngineError(
            f"the settings of the Dask scheduler at {place} cannot be read ({error_text(error)}); start it in the"
            " same environment as the run"
        ) from error
    if allowed != 0:
        raise EngineError(
            f"the Dask scheduler at {place} would repeat the tasks of a lost worker up to {allowed} times by itself,"
            f" but only the run may decide that; start it with {ALLOWED_FAILURES} in its environment"
        )


async def _wait_for_worker(client: Any, place: str) -> None:
    try:
        await client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError:
        where = f"--scheduler-file {place}" if place.endswith(".json") else place
        raise EngineError(
            f"no worker has joined the Dask scheduler at {place} in {PATIENCE_S:.0f} s; start some with `dask worker"
            f" {where}`"
        ) from None
