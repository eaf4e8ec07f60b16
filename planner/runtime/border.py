"""The border to other people's code: whatever it raises becomes an ordinary exception, so that it ends only its task.

`SystemExit` and `KeyboardInterrupt` would end the event loop, a future cannot carry `StopIteration`, a `CancelledError`
passes for an order to stop, and an exception without words breaks whoever reports it. Every place that calls a worker,
a tool, a check, a model, middleware, a hook or a plugin does so `with border:`.

What is not the foreign code's own goes through: the cancellation of the task that it runs in, the closing of the
coroutine that it runs in, and Ctrl-C, which Python raises in the main thread.
"""

import asyncio
import dis
import signal
import threading
from functools import partial
from types import TracebackType

from ramify.planner.errors import OutsideError
from ramify.prompts.errors import RamifyError
from ramify.prompts.whole_text import whole_text

_RAISE = dis.opmap["RAISE_VARARGS"]
"""What a frame stands at that has a `raise` of its own; signals come elsewhere."""
_STOPS = (StopIteration, StopAsyncIteration)


class _Border:
    """See the module; a context manager without a state, which costs nothing to make."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or _goes_through(error, trace):
            return
        found = _named(error)
        if found is not error:
            raise found from error


border = _Border()
"""What foreign code is called in: `with border:`."""


def words_of(error: BaseException) -> str:
    """Return what an exception says, without halves of characters; nothing if it cannot say it.

    >>> words_of(ValueError("no such city"))
    'no such city'
    """
    try:
        return whole_text(str(error))
    except BaseException:  # noqa: BLE001 - the words are foreign code too
        return ""


def name_and_words(error: BaseException) -> str:
    """Return the class of an exception and what it says.

    >>> name_and_words(SystemExit(1)), name_and_words(KeyError())
    ('SystemExit: 1', 'KeyError')
    >>> name_and_words(ExceptionGroup("pages", [ValueError("no such page"), KeyError("b")]))
    'ExceptionGroup: pages (2 sub-exceptions): ValueError: no such page; and 1 more'
    """
    words, name = words_of(error), type(error).__name__
    said = f"{name}: {words}" if words.strip() else name
    return f"{said}: {_first_of(error)}" if isinstance(error, BaseExceptionGroup) else said


def _first_of(group: BaseExceptionGroup[BaseException]) -> str:
    """Return the first exception that is no group, and how many more there are."""
    leaves, first = 0, ""
    waiting: list[BaseException] = [group]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(reversed(each.exceptions))
            continue
        first = first or name_and_words(each)
        leaves += 1
    return f"{first}; and {leaves - 1} more" if leaves > 1 else first


def error_text(error: BaseException) -> str:
    """Return what went wrong, in one text; what is not ours is named by its class."""
    return words_of(error) if isinstance(error, RamifyError) else name_and_words(error)


def origin_of(error: BaseException) -> BaseException | None:
    """Return what other people's code raised, if `error` is that or stands for it; None if it is an error of ours."""
    if isinstance(error, OutsideError):
        cause = error.__cause__ or error
        return cause.__cause__ if _stands_for_stop(cause) else cause
    return None if isinstance(error, RamifyError) else error


def _goes_through(error: BaseException, trace: TracebackType | None) -> bool:
    if isinstance(error, asyncio.CancelledError):
        return _is_cancelled()
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread() and _is_ctrl_c(trace)
    # One that was thrown in from outside, to close the coroutine, has been nowhere else.
    return isinstance(error, GeneratorExit) and (trace is None or trace.tb_next is None)


def _is_ctrl_c(trace: TracebackType | None) -> bool:
    """Return whether a signal handler may have raised it: Python's own leaves no trace, another one is its end."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        return trace is None or trace.tb_frame.f_code.co_code[trace.tb_lasti] != _RAISE
    function = handler.func if isinstance(handler, partial) else handler
    return trace is not None and trace.tb_frame.f_code is getattr(function, "__code__", None)


def _is_cancelled() -> bool:
    """Return whether somebody has asked the asyncio task that this runs in to stop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread without a loop
        return False
    return task is not None and task.cancelling() > 0


def _named(error: BaseException) -> Exception:
    """Return `error` if it is an ordinary exception that says something, else one of ours that names its class."""
    if _stands_for_stop(error) and error.__cause__ is not None:
        error = error.__cause__
    elif isinstance(error, Exception) and not isinstance(error, StopIteration) and _has_words(error):
        return error
    return OutsideError(name_and_words(error))


def _stands_for_stop(error: BaseException) -> bool:
    """Return whether Python has put `error` in the place of what would end a coroutine or generator."""
    return isinstance(error, RuntimeError) and isinstance(error.__cause__, _STOPS)


def _has_words(error: BaseException) -> bool:
    try:
        str(error)
    except BaseException:  # noqa: BLE001 - see words_of
        return False
    return True
