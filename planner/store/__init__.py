"""Durable storage of runs: one store, one writer a run, group commits; nothing heavy is loaded before one is opened."""

from ramify.planner.settings.place import DEFAULT_STORE

from .changes import (
    CallMade,
    Change,
    ControlsDone,
    EventHappened,
    MemoryCleared,
    MemorySet,
    RunChanged,
    StepsForgotten,
    StepTaken,
    TaskAdded,
    TaskChanged,
    TaskEdited,
)
from .control import Control
from .holder import Holder
from .reader import STALE_AFTER_S, StoreReader
from .records import (
    CallKey,
    CallRecord,
    EventRecord,
    NewFork,
    NewRun,
    RunNews,
    RunRecord,
    RunStatus,
    StepKey,
    StepRecord,
    StoredRun,
    TaskNews,
)
from .store import SERVER_WAIT_S, Store
from .writer import RunWriter, WriterEvents

__all__ = [
    "DEFAULT_STORE",
    "SERVER_WAIT_S",
    "STALE_AFTER_S",
    "CallKey",
    "CallMade",
    "CallRecord",
    "Change",
    "Control",
    "ControlsDone",
    "EventHappened",
    "EventRecord",
    "Holder",
    "MemoryCleared",
    "MemorySet",
    "NewFork",
    "NewRun",
    "RunChanged",
    "RunNews",
    "RunRecord",
    "RunStatus",
    "RunWriter",
    "StepKey",
    "StepRecord",
    "StepTaken",
    "StepsForgotten",
    "Store",
    "StoreReader",
    "StoredRun",
    "TaskAdded",
    "TaskChanged",
    "TaskEdited",
    "TaskNews",
    "WriterEvents",
]
