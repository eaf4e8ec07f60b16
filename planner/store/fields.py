"""How the fields of a run become columns and come back."""

from dataclasses import fields
from typing import Any, Final

from .control import load_controls
from .holder import Holder
from .records import RunRecord
from .rows import dump_usage, load_usage
from .texts import decode_text, dump_json, encode_text, load_json

RUN_FIELDS: Final = tuple(field.name for field in fields(RunRecord))


def encode_field(field: str, value: Any) -> Any:
    """Return a field of a run as its column holds it.

    Raises:
        UsageError: if its settings cannot be written as JSON.
    """
    if field == "settings":
        return dump_json(value, what="the run's settings")
    if field == "usage":
        return dump_usage(value)
    return encode_text(value) if isinstance(value, str) else value


def decode_field(field: str, stored: Any) -> Any:
    """Return what `encode_field` was given."""
    if field == "settings":
        return load_json(stored)
    if field == "usage":
        return load_usage(stored)
    if field == "holder":
        return None if stored is None else Holder.from_json(stored)
    if field == "controls":
        return load_controls(stored)
    return decode_text(stored) if isinstance(stored, str) else stored
