"""How often a task was tried again since it was last done anew: the events of its run say so, whoever carries it on.

A task is done anew after it has failed or was done, and when an edit of the plan opens it again.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ramify.planner.store.records import STEER
from ramify.tasks import Task

from .events import Event, EventType

if TYPE_CHECKING:
    from ramify.planner.store import RunWriter, Store
    from ramify.planner.store.reader import StoreReader

_PAGE = 5_000
_ABOUT_PLANS = (EventType.PLAN_GROWN, EventType.PLAN_ATTACHED, EventType.PLAN_EDITED)
_ABOUT_TRIED = (EventType.TASK_TRIED, EventType.TASK_FAILED, EventType.PLAN_EDITED)


class TryKind(StrEnum):
    """Against which limit another attempt counts."""

    RETRY = "retry"
    """`max_retries`: the attempt before it failed for a reason that may pass."""
    CHECK_ROUND = "check round"
    """`max_check_rounds`: the answer did not pass a check."""
    PLANNING = "planning"
    """`max_retries`, as for a retry: the task could not be split."""


@dataclass(slots=True)
class Tries:
    """How often a task was tried again.

    Attributes:
        retries: after a failure that may pass.
        check_rounds: after an answer that did not pass a check.
        plannings: after a failure to split it that may pass.
    """

    retries: int = 0
    check_rounds: int = 0
    plannings: int = 0

    def of(self, kind: TryKind) -> int:
        """Return how many attempts of that kind there were."""
        return int(getattr(self, _FIELDS[kind]))

    def count(self, kind: TryKind) -> None:
        """Count another attempt of that kind."""
        setattr(self, _FIELDS[kind], self.of(kind) + 1)


_FIELDS = {TryKind.RETRY: "retries", TryKind.CHECK_ROUND: "check_rounds", TryKind.PLANNING: "plannings"}


@dataclass(frozen=True, slots=True)
class Tried:
    """Why a task that was tried in one piece is split.

    Attributes:
        error: why it failed.
        told: what the planner is told of it.
    """

    error: str
    told: str


class EarlierTries:
    """What the tasks of one run were tried again before this process carried it on; read when first asked for.

    Args:
        store: where the run is.
        writer: writes it.
        is_resumed: whether another process may have carried it on before.
    """

    def __init__(self, store: "Store", writer: "RunWriter", *, is_resumed: bool) -> None:
        self._store = store
        self._writer = writer
        self._is_resumed = is_resumed
        self._reading: asyncio.Task[dict[str, Tries]] | None = None

    async def of(self, task: Task) -> Tries:
        """Return what `task`, which was not tried again in this process, was tried again before; to be counted on.

        Raises:
            StoreError: if the events cannot be read.
        """
        if not self._is_resumed:
            return Tries()
        if self._reading is None:
            self._reading = asyncio.ensure_future(asyncio.to_thread(read_tries, self._store, self._writer))
        earlier = (await asyncio.shield(self._reading)).get(task.id)
        return Tries() if earlier is None else replace(earlier)


def read_tried(store: "StoreReader", run_id: str) -> dict[str, Tried]:
    """Return by id the tasks of a run that were tried in one piece, and have neither ended since nor been edited.

    Raises:
        StoreError: if the events cannot be read.
    """
    found: dict[str, Tried] = {}
    for event in store.events_of(run_id, _ABOUT_TRIED):
        if event.type == EventType.TASK_TRIED:
            found[str(event.task_id)] = Tried(event.data["error"], event.data["told"])
        elif event.type == EventType.TASK_FAILED:
            found.pop(str(event.task_id), None)
        else:
            for task_id in event.data["redone"]:
                found.pop(task_id, None)
    return found


def unfinished_plans(store: "StoreReader", run_id: str) -> list[str]:
    """Return the ids of the tasks of a run whose plans were being written when it was broken off, in order.

    A plan in which somebody has added or deleted subtasks since is as it is to be, but for what the planner has changed
    in it, who has seen no more than there was.

    Raises:
        StoreError: if the events cannot be read.
    """
    found: dict[str, None] = {}
    for event in store.events_of(run_id, _ABOUT_PLANS):
        if event.type == EventType.PLAN_GROWN:
            found[str(event.task_id)] = None
        elif event.type == EventType.PLAN_ATTACHED:
            found.pop(str(event.task_id), None)
        elif event.data.get("by") != STEER:
            for change in event.data["changes"]:
                if change["change"] != "changed":
                    found.pop(str(change["task"]).rpartition(".")[0], None)
    return list(found)


def read_tries(store: "Store", writer: "RunWriter") -> dict[str, Tries]:
    """Return what `tries_before` says of the run that `writer` writes; not for the thread that carries the run on.

    Raises:
        StoreError: if the events cannot be read.
    """
    writer.flush()
    return tries_before(_events(store, writer.run_id))


def _events(store: "Store", run_id: str) -> Iterator[Event]:
    after = 0
    while page := store.events(run_id, after, limit=_PAGE):
        yield from page
        after = page[-1].seq


def tries_before(events: Iterable[Event]) -> dict[str, Tries]:
    """Return by task id what was tried again before the run was last started, of what was not over by then."""
    tries: dict[str, Tries] = {}
    before: dict[str, Tries] = {}
    for event in events:
        if event.type == EventType.RUN_STARTED:
            before = {task_id: replace(each) for task_id, each in tries.items()}
        elif event.type == EventType.PLAN_EDITED:
            for task_id in event.data["redone"]:
                tries.pop(task_id, None)
        elif event.task_id is None:
            continue
        elif event.type in {EventType.TASK_DONE, EventType.TASK_FAILED}:
            tries.pop(event.task_id, None)
        elif event.type == EventType.TASK_RETRYING and "counts_as" in event.data:
            tries.setdefault(event.task_id, Tries()).count(TryKind(event.data["counts_as"]))
    return before
