"""What may reach a terminal, and who has it: words that others wrote cannot steer it, and one at a time writes there.

A display that keeps painting says how it is paused; whoever asks a person something takes the terminal meanwhile.
"""

import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

LONGEST_SHOWN = 2_000
"""How many characters of words are shown, such as of an exception, where nobody has asked for all of them."""
_KEPT = frozenset("\n\t\u200c\u200d")


def printable(text: str) -> str:
    r"""Return `text` without what would steer a terminal: control characters, and marks of writing direction.

    >>> printable("a\x1b[31mb\r\n\u202ec")
    'a[31mb\nc'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter for letter in text if letter in _KEPT or not _steers(letter))


def cut_for_display(text: str) -> str:
    """Return `text`, or the beginning of a very long one and how much is left out; the store has all of it.

    >>> cut_for_display("x" * 5_000)[1_999:]
    'x ... (3,000 more characters; see `ramify show RUN ID`)'
    """
    left = len(text) - LONGEST_SHOWN
    if left <= LONGEST_SHOWN // 10:
        return text
    return f"{text[:LONGEST_SHOWN]} ... ({left:,} more characters; see `ramify show RUN ID`)"


def one_printable_line(text: str) -> str:
    r"""Return `text` as one line that steers no terminal.

    >>> one_printable_line("two\n lines\x07")
    'two lines'
    """
    return " ".join(printable(text).split())


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


_displays: dict[object, tuple[Callable[[], None], Callable[[], None]]] = {}
_lock = Lock()
_takers = 0


def while_somebody_writes(pause: Callable[[], None], go_on: Callable[[], None]) -> Callable[[], None]:
    """Have `pause` called before somebody else takes the terminal, and `go_on` after; return what ends that."""
    key = object()
    with _lock:
        _displays[key] = pause, go_on

    def forget() -> None:
        with _lock:
            _displays.pop(key, None)

    return forget


@contextmanager
def terminal_taken() -> Iterator[None]:
    """Have the terminal for oneself: displays are gone from it as long as a context is open."""
    _take(1)
    try:
        yield
    finally:
        _take(-1)


def _take(change: int) -> None:
    global _takers
    with _lock:
        before, _takers = _takers, _takers + change
        if not before or not _takers:
            for pause, go_on in _displays.values():
                (pause if _takers else go_on)()
