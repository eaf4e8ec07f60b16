"""Regular expressions over text that others wrote: bounded in time and size, whatever the pattern.

Python's own `re` can take longer than the universe for forty characters, holds the interpreter while it does, and
cannot be stopped. So patterns are searched with the package `regex`, which reads the same syntax, gives up at a time
limit, and lets other threads run meanwhile.
"""

MAX_CHARACTERS = 1_000_000
"""The longest text that a pattern is searched in."""

TIMEOUT_S = 1.0
"""How long one search may take, in seconds of processor time."""


def check_pattern(pattern: str) -> None:
    """Raise `ValueError` if `pattern` is no regular expression; the message says where it is wrong."""
    import regex  # type: ignore[import-untyped]

    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    except (OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression that can be used: {error}") from None


def is_found(pattern: str, text: str, *, timeout_s: float = TIMEOUT_S) -> bool:
    r"""Return whether `pattern` is found in `text`.

    Raises:
        ValueError: if the text is longer than `MAX_CHARACTERS`, or the search took longer than `timeout_s`.

    >>> is_found(r"^\d+$", "42"), is_found(r"^\d+$", "forty-two")
    (True, False)
    """
    import regex

    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, and patterns are searched in {MAX_CHARACTERS:,} at most")
    try:
        return regex.search(pattern, text, concurrent=True, timeout=timeout_s) is not None
    except TimeoutError:
        raise ValueError(
            f"searching the pattern {pattern!r} in it was given up after {timeout_s:g} s; write a pattern without"
            " repetitions inside of repetitions"
        ) from None
