"""When Python's collector of cyclic garbage rests: while one of our own functions makes very many tasks at once.

The collector looks through all objects again each time their number has grown by a quarter. While 100,000 tasks are
read, none of which is garbage, that happens five times, and takes nearly as long as reading them.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_makers = 0
_was_on = False


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let the collector rest in a block, or as a decorator in a function; then it is as it was.

    Several threads may do this at once: the collector goes on when the last of them is through.

    >>> with collector_at_rest():
    ...     gc.isenabled()
    False
    """
    global _makers, _was_on  # noqa: PLW0603 - the collector belongs to the process
    with _lock:
        _makers += 1
        if _makers == 1:
            _was_on = gc.isenabled()
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _makers -= 1
            if _makers == 0 and _was_on:
                gc.enable()
