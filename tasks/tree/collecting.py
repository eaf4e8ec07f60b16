"""When Python's collector of cyclic garbage rests, and when it looks less often.

The collector looks through all objects again each time their number has grown by a quarter. While 100,000 tasks are
read, none of which is garbage, that happens five times, and takes nearly as long as reading them: it rests there. Nor
is there garbage in cycles in the work of a run, where it looks each time that 700 objects have come and takes a fifth
of the processor's time: while one runs, it waits for more.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

OBJECTS_OF_A_RUN: Final = 10_000
"""How many new objects the collector waits for, at least, while a run goes."""


class _WhileHeld:
    """What is done to the collector while anybody wants it, in any thread, and undone when nobody does any more.

    Args:
        change: does it, and returns what undoes it.
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        self._change = change
        self._lock = threading.Lock()
        self._holders = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Want it in a block."""
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._undo = self._change()
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._undo()


def _rest() -> Callable[[], object]:
    was_on = gc.isenabled()
    gc.disable()
    return gc.enable if was_on else bool


def _wait_for_more() -> Callable[[], object]:
    first, *others = before = gc.get_threshold()
    if first == 0:  # the collector is off
        return bool
    ours = (max(first, OBJECTS_OF_A_RUN), *others)
    gc.set_threshold(*ours)

    def undo() -> None:
        if gc.get_threshold() == ours:
            gc.set_threshold(*before)

    return undo


_RESTING, _PATIENT = _WhileHeld(_rest), _WhileHeld(_wait_for_more)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let the collector rest in a block, or as a decorator in a function; then it is as it was.

    Several threads may do this at once: the collector goes on when the last of them is through.

    >>> with collector_at_rest():
    ...     gc.isenabled()
    False
    """
    with _RESTING.hold():
        yield


@contextmanager
def patient_collector() -> Iterator[None]:
    """Have the collector wait for more new objects in a block; then it is as it was, unless somebody else has set it.

    >>> with patient_collector():
    ...     gc.get_threshold()[0] >= OBJECTS_OF_A_RUN
    True
    """
    with _PATIENT.hold():
        yield
