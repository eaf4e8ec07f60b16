"""The journal as a cache: whether a call, of whatever run, has got an answer to the same request already.

The hash of a request says which model was asked, what, and with which sampling settings; see `ModelRequest.sha256`. A
reply that was cut or filtered is no answer. A later attempt is not given what an earlier one has got: it is made
because that would not do; and questions that are put several times, to compare the answers, get as many answers.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from .records import CallKey
from .tables import CALLS
from .texts import load_json

ANSWERS = frozenset({"stop", "tool_calls"})
"""The finish reasons of a whole answer."""

_LOOKED_AT = 20


def find_answer(connection: Connection, key: CallKey) -> tuple[str, Mapping[str, Any]] | None:
    """Return the newest answer to the request of `key`, after the run that it was made in; None if there is none."""
    is_same = (CALLS.c.request_sha256 == key.request_sha256, CALLS.c.sample == key.sample, CALLS.c.step == key.step)
    query = select(CALLS.c.run_id, CALLS.c.reply).where(*is_same, CALLS.c.attempt >= key.attempt)
    order = (CALLS.c.attempt, CALLS.c.started_at.desc(), CALLS.c.run_id)
    for run_id, stored in connection.execute(query.order_by(*order).limit(_LOOKED_AT)).all():
        reply: Mapping[str, Any] = load_json(stored)
        if reply.get("finish_reason", "stop") in ANSWERS:
            return run_id, reply
    return None
