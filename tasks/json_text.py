"""JSON as text, written and read by its own rules: NaN and infinities are no JSON, here as in every strict reader."""

import json
import math
from typing import Any, Never

_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def json_text(value: Any, **how: Any) -> str:
    """Return `value` as JSON; `how` are further arguments of `json.dumps`.

    Raises:
        ValueError: if it holds NaN or an infinity; `ramify.tasks.json_data` keeps them out of all that is stored.
    """
    return json.dumps(value, **{"ensure_ascii": False, "allow_nan": False, **how}) if how else _write(value)


def read_json(text: str | bytes, **how: Any) -> Any:
    """Return the value of a JSON text; `how` are further arguments of `json.loads`.

    Raises:
        ValueError: if it is none; NaN, and numbers that are too large to be kept, are none.
        RecursionError: if it is nested too deeply.
    """
    return json.loads(text, **{"parse_constant": _refuse, "parse_float": _finite, **how})


def _refuse(constant: str) -> Never:
    raise ValueError(f"JSON has no {constant}")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number
