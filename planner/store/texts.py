"""How words and JSON values become columns: any Python text survives, whatever a model or a file put into it.

PostgreSQL refuses NUL in a text and both databases refuse lone surrogates, so a text that holds one of them (or that
looks like an escaped one) is stored as the marker ESC and its JSON form. Long texts that calls have in common, as
system prompts are, are stored once a run under their hash.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import to_json
from ramify.planner.errors import UsageError

SHARED_TEXT_LENGTH = 500
"""Message contents of this many characters and more are stored once and referred to."""

_ESCAPED = "\x1b"
_REFERENCE = "$text"
_write_ascii = json.JSONEncoder(separators=(",", ":")).encode
_read = json.JSONDecoder(parse_constant=lambda _: None).decode


def encode_text(text: str) -> str:
    r"""Return `text` in a form that every database takes.

    >>> encode_text("plain")
    'plain'
    >>> encode_text("a\x00b")
    '\x1b"a\\u0000b"'
    """
    if text[:1] == _ESCAPED or "\x00" in text or not (text.isascii() or is_unicode(text)):
        return _ESCAPED + _write_ascii(text)
    return text


def decode_text(stored: str) -> str:
    """Return what `encode_text` was given."""
    if stored[:1] != _ESCAPED:
        return stored
    text: str = _read(stored[1:])
    return text


def is_unicode(text: str) -> bool:
    """Return whether `text` can be written as UTF-8, which lone surrogates cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def dump_json(value: Any, *, what: str) -> str:
    """Return `value` as JSON text; `what` names it in the error.

    Pydantic's writer takes a quarter of the time of the standard library's. What is no number becomes null.

    Raises:
        UsageError: if it cannot be written as JSON; whoever gave it is at fault, and not the store.
    """
    try:
        return to_json(value, inf_nan_mode="null").decode()
    except ValueError:  # it may hold lone surrogates, which only ASCII can carry
        pass
    try:
        return _write_ascii(value)
    except (TypeError, ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{what} cannot be stored as JSON: {why}; use plain dicts, lists and values") from error


def load_json(stored: str) -> Any:
    """Return the value that `dump_json` was given; NaN and infinities, which older versions wrote, are null."""
    return _read(stored)


def sha256_of(text: str) -> str:
    """Return the hash under which a shared text is stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_sha256_of_system_prompt = lru_cache(maxsize=32)(sha256_of)


def share_texts(request: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Split a request into itself, with references for its long message contents, and those contents by hash."""
    texts: list[tuple[str, str]] = []
    messages: list[Mapping[str, Any]] = []
    for message in request.get("messages", ()):
        content = message.get("content")
        if not isinstance(content, str) or len(content) < SHARED_TEXT_LENGTH:
            messages.append(message)
            continue
        sha256 = _sha256_of_system_prompt(content) if message.get("role") == "system" else sha256_of(content)
        texts.append((sha256, encode_text(content)))
        messages.append({**message, "content": {_REFERENCE: sha256}})
    return {**request, "messages": messages}, tuple(texts)


def references_of(request: Mapping[str, Any]) -> list[str]:
    """Return the hashes that a stored request refers to."""
    return [sha256 for message in request.get("messages", ()) if (sha256 := _reference(message)) is not None]


def join_texts(request: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that `share_texts` was given; `texts` holds the decoded contents by hash."""
    messages = [
        message if (sha256 := _reference(message)) is None else {**message, "content": texts[sha256]}
        for message in request.get("messages", ())
    ]
    return {**request, "messages": messages}


def _reference(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, dict) and content.keys() == {_REFERENCE}:
        sha256: str = content[_REFERENCE]
        return sha256
    return None
