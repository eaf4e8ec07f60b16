r"""How a report says things: times, amounts, and words of others with nothing in them that is not seen.

A control character would steer a terminal, a mark of writing direction would turn the words around it; a report shows
that they are there instead.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ramify.planner.runtime.address import shown_address
from ramify.planner.runtime.secrets import hide_keys

_UNSEEN = re.compile(
    "\r\n?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\ufffe\uffff]"
)
_CONTROLS = (
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI", "DLE",
    "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
)  # fmt: skip


def is_visible(text: str) -> bool:
    """Return whether `visible` leaves `text` as it is; control characters that JSON escapes are none.

    >>> is_visible("a b"), is_visible("a\u202eb")
    (True, False)
    """
    return "\x7f" not in text if text.isascii() else _UNSEEN.search(text) is None


def visible(text: str) -> str:
    r"""Return `text` with every character that is not seen, but acts, replaced by one that is.

    >>> visible("a\x00b\x1b[31m \u202ec\r\n")
    'a[NUL]b[ESC][31m [U+202E]c\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_sign, text)


def visible_line(text: str) -> str:
    r"""Return `text` as one visible line.

    >>> visible_line("two\n  lines\x07")
    'two lines[BEL]'
    """
    return " ".join(visible(text).split())


def when(seconds: float | None) -> str:
    """Return a time, in seconds since 1970, for people to read; empty if there is none.

    >>> when(1_795_612_783.4)
    '2026-11-25 13:19:43 UTC'
    """
    return "" if seconds is None else _when(int(seconds // 1))


@lru_cache(maxsize=1000)
def _when(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(' ')[:19]} UTC"


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the settings that say something, by dotted name; what looks like a key or a password is blotted out.

    >>> list(flat_settings({"jobs": 8, "agent": {"model": "rules", "system": None}}))
    [('jobs', '8'), ('agent.model', 'rules')]
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{prefix}{name}.")
        elif value not in (None, "", []):
            said = _said(value)
            yield f"{prefix}{name}", hide_keys(shown_address(said) if name == "base_url" else said)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _sign(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\r\n":
        return "\n"
    code = ord(character)
    return f"[{_CONTROLS[code]}]" if code < len(_CONTROLS) else f"[U+{code:04X}]"
