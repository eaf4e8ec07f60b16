"""A body that has ended gives its place away before its result is on disk; who may begin meanwhile, and who may not."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ramify.planner import Agent, Executor
from ramify.planner.errors import LeaseError
from ramify.planner.events.events import Event
from ramify.planner.running.places import Places
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState

from .patience import HANG_S

MODEL = ScriptedModel({"compose": "<result>together</result>"})


@contextmanager
def nothing_gets_on_disk(store: Path) -> Iterator[None]:
    """Hold the lock that every transaction needs."""
    other = sqlite3.connect(store, isolation_level=None, timeout=HANG_S)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def turns(count: int = 300) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Bodies:
    """Bodies of leaves; the first to begin holds the disk until it is told to let go."""

    def __init__(self, store: Path) -> None:
        self.begun: list[str] = []
        self.told: list[str] = []
        self.held = asyncio.Event()
        self._store = store
        self._free = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None

    async def leaf(self, task: Task) -> str:
        if self._holding is None:
            self._holding = asyncio.create_task(self._hold())
        await self.held.wait()
        self.begun.append(task.id)
        return "done"

    def heard(self, event: Event) -> None:
        if event.type == "task_done":
            self.told.append(str(event.task_id))

    async def let_go(self) -> None:
        self._free.set()
        assert self._holding is not None
        await self._holding

    async def _hold(self) -> None:
        await turns()  # until what the start of the run has put is on disk
        with nothing_gets_on_disk(self._store):
            self.held.set()
            await self._free.wait()


def executor(bodies: Bodies, store: Path, jobs: int) -> Executor:
    return Executor(Agent(MODEL), jobs=jobs, store=store, workers={"leaf": bodies.leaf}, on_event=bodies.heard)


def tree(*needs: str) -> Task:
    root = Task(content="root", id="0")
    root.add_subtasks([
        Task(content="x", id=f"0.{n}", type="leaf", dependencies=each.split()) for n, each in enumerate(needs, 1)
    ])  # fmt: skip
    return root


@pytest.mark.parametrize("jobs", [1, 3])
def test_at_most_twice_as_many_bodies_as_places_are_not_on_disk(tmp_path: Path, jobs: int) -> None:
    async def go() -> tuple[int, list[str], Bodies, str]:
        bodies = Bodies(tmp_path / "r.db")
        run = asyncio.create_task(executor(bodies, tmp_path / "r.db", jobs).arun(tree(*[""] * 20)))
        await bodies.held.wait()
        await turns()
        begun, told = len(bodies.begun), list(bodies.told)
        await bodies.let_go()
        done = await run
        return begun, told, bodies, str(done.status)

    begun, told, bodies, status = asyncio.run(asyncio.wait_for(go(), HANG_S))
    assert (begun, told) == (2 * jobs, [])
    assert (len(bodies.begun), len(bodies.told), status) == (20, 21, "done")


def test_what_needs_a_result_waits_until_it_is_on_disk_and_what_does_not_goes_on(tmp_path: Path) -> None:
    async def go() -> tuple[list[str], list[str]]:
        bodies = Bodies(tmp_path / "r.db")
        run = asyncio.create_task(executor(bodies, tmp_path / "r.db", 2).arun(tree("", "0.1", "", "0.2")))
        await bodies.held.wait()
        await turns()
        before = sorted(bodies.begun)
        await bodies.let_go()
        await run
        return before, bodies.begun

    before, begun = asyncio.run(asyncio.wait_for(go(), HANG_S))
    assert before == ["0.1", "0.3"]
    assert begun.index("0.2") < begun.index("0.4")


def test_a_run_ends_when_all_of_it_is_on_disk(tmp_path: Path) -> None:
    async def go() -> bool:
        bodies = Bodies(tmp_path / "r.db")
        run = asyncio.create_task(executor(bodies, tmp_path / "r.db", 4).arun(tree("", "")))
        await bodies.held.wait()
        await turns()
        is_early = run.done()
        await bodies.let_go()
        await run
        return is_early

    assert asyncio.run(asyncio.wait_for(go(), HANG_S)) is False
    with Store.open(tmp_path / "r.db") as store:
        states = {task.state for task in store.load_tree(store.last_run().id).walk()}
    assert states == {TaskState.DONE}


def test_a_result_that_can_never_get_on_disk_ends_the_run_and_the_bodies_at_work(tmp_path: Path) -> None:
    ended: list[str] = []

    async def go() -> None:
        async def leaf(task: Task) -> str:
            if task.id != "0.1":
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(task.id)
            with sqlite3.connect(tmp_path / "r.db", timeout=HANG_S) as other:
                other.execute("UPDATE ramify_runs SET lease_token = lease_token + 1")
            return "done"

        await Executor(Agent(MODEL), jobs=3, store=tmp_path / "r.db", workers={"leaf": leaf}).arun(tree("", "", ""))

    with pytest.raises(LeaseError):
        asyncio.run(asyncio.wait_for(go(), HANG_S))
    assert sorted(ended) == ["0.2", "0.3"]


@pytest.mark.parametrize(
    ("at_work", "unwritten", "has_room", "is_quiet"),
    [(0, 0, True, True), (2, 1, True, False), (2, 2, False, False), (0, 4, False, False), (0, 3, True, False)],
)
def test_places_count_both_those_at_work_and_those_that_are_not_on_disk(
    at_work: int, unwritten: int, *, has_room: bool, is_quiet: bool
) -> None:
    places = Places(2)
    places.at_work, places.unwritten = at_work, unwritten
    assert (places.has_room, places.is_quiet) == (has_room, is_quiet)
