"""What may reach a terminal: words that others wrote are shown there without anything that steers it."""

import unicodedata

_KEPT = frozenset("\n\t\u200c\u200d")


def printable(text: str) -> str:
    r"""Return `text` without what would steer a terminal: control characters, and marks of writing direction.

    >>> printable("a\x1b[31mb\r\n\u202ec")
    'a[31mb\nc'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter for letter in text if letter in _KEPT or not _steers(letter))


def one_printable_line(text: str) -> str:
    r"""Return `text` as one line that steers no terminal.

    >>> one_printable_line("two\n lines\x07")
    'two lines'
    """
    return " ".join(printable(text).split())


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
