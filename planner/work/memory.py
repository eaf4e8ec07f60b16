"""What workers remember between tasks: values by key, for the run or for ever.

A value that was set is seen by whoever asks next, and is on disk before the task that set it counts as done. What is
kept for the run is gone when the run is done; a run that can be resumed keeps it.
"""

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from ramify.planner.errors import UsageError
from ramify.planner.runtime.redaction import Redactor
from ramify.planner.store.changes import MemoryCleared, MemorySet
from ramify.planner.store.records import PERMANENT
from ramify.tasks.json_data import NotJsonError, as_json, copy_json
from ramify.tasks.tree.fields import MemoryScope

if TYPE_CHECKING:
    from ramify.planner.store import RunWriter, Store

_LONGEST_KEY = 500


class RunMemory:
    """The memory of one run; any thread may use it.

    Args:
        store: where values of other runs are read.
        writer: writes what is set.
        redactor: blots secrets out of values.
        is_new: whether nothing can be kept for the run yet.
    """

    def __init__(self, store: "Store", writer: "RunWriter", redactor: Redactor, *, is_new: bool = False) -> None:
        self._store = store
        self._writer = writer
        self._redactor = redactor
        self._lock = threading.Lock()
        self._run: dict[str, Any] | None = {} if is_new else None

    def get(self, key: str, default: Any, scope: MemoryScope) -> Any:
        """Return the value that is kept under `key`, or `default`."""
        with self._lock:
            if scope == PERMANENT:
                return self._permanent().get(key, default)
            return copy_json(self._of_run().get(key, default))

    def all(self, scope: MemoryScope) -> dict[str, Any]:
        """Return a copy of all that is kept in a scope.

        Raises:
            StoreError: if it cannot be read.
        """
        with self._lock:
            kept: dict[str, Any] = self._permanent() if scope == PERMANENT else copy_json(self._of_run())
            return kept

    def set(self, key: str, value: Any, scope: MemoryScope) -> None:
        """Keep `value`, JSON data, under `key`; None forgets it.

        Raises:
            UsageError: if the key is blank or too long, or the value is no JSON data.
        """
        if not key.strip() or len(key) > _LONGEST_KEY:
            raise UsageError(f"{key[:40]!r} is not a valid memory key; use 1 to {_LONGEST_KEY} characters")
        try:
            value = self._redactor.data(as_json(value, "value"))
        except NotJsonError as error:
            raise UsageError(f"the memory cannot store this under {key!r}: {error}") from None
        with self._lock:
            name = PERMANENT if scope == PERMANENT else self._writer.run_id
            change = MemorySet.of(name, key, value, at=time.time())
            self._writer.put(change)
            if scope == PERMANENT:
                return
            if value is None:
                self._of_run().pop(key, None)
            else:
                self._of_run()[key] = value

    def clear(self) -> None:
        """Forget what was kept for the run."""
        with self._lock:
            if self._of_run():
                self._run = {}
                self._writer.put(MemoryCleared(self._writer.run_id))

    def _permanent(self) -> dict[str, Any]:
        self._writer.flush()
        return self._store.memory(PERMANENT)

    def _of_run(self) -> dict[str, Any]:
        if self._run is None:
            self._run = self._store.memory(self._writer.run_id)
        return self._run


class Remembers(Protocol):
    """What keeps values by key and scope: the memory of a run, or what asks for it from elsewhere."""

    def get(self, key: str, default: Any, scope: MemoryScope) -> Any:
        """Return the value that is kept under `key`, or `default`."""

    def all(self, scope: MemoryScope) -> dict[str, Any]:
        """Return a copy of all that is kept in a scope."""

    def set(self, key: str, value: Any, scope: MemoryScope) -> None:
        """Keep `value` under `key`; None forgets it."""


class TaskMemory:
    """The memory as one task sees it; without `scope`, the task's own `memory_scope` is meant."""

    def __init__(self, memory: Remembers, scope: MemoryScope) -> None:
        self._memory = memory
        self.scope = scope

    def get(self, key: str, default: Any = None, *, scope: MemoryScope | None = None) -> Any:
        """Return the value that is kept under `key`, or `default`."""
        return self._memory.get(key, default, scope or self.scope)

    def set(self, key: str, value: Any, *, scope: MemoryScope | None = None) -> None:
        """Keep `value`, JSON data, under `key`; None forgets it. It is on disk before the task is done.

        Raises:
            UsageError: if the key is blank or too long, or the value is no JSON data.
        """
        self._memory.set(key, value, scope or self.scope)

    def all(self, *, scope: MemoryScope | None = None) -> dict[str, Any]:
        """Return a copy of all that is kept."""
        return self._memory.all(scope or self.scope)
