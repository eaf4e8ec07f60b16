"""What an `http` task sends: a request that does something, in a step of its own that is not taken twice unasked.

It carries the step's idempotency key in a header. What comes back tells whether nothing was done, or nobody knows.
"""

import re
from collections.abc import Mapping
from typing import Any

from ramify.planner.store.records import MayRepeat
from ramify.planner.web import Page, Sending
from ramify.planner.work.grants import SECRET
from ramify.tasks.json_text import json_text, read_json

from .http_inputs import NOTHING, HttpInputs

SEND = "send"
"""The step of sending a request."""

_SAFE_TO_REPEAT = frozenset({"PUT", "DELETE"})  # RFC 9110, 9.2.2: the same again leaves the same behind
_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def may_repeat_of(inputs: HttpInputs) -> MayRepeat:
    """Return whether a request may be sent again if nobody knows whether it was done."""
    return inputs.method in _SAFE_TO_REPEAT if inputs.may_repeat is None else inputs.may_repeat


def sending_of(inputs: HttpInputs, secrets: Mapping[str, str], idempotency_key: str) -> Sending:
    """Return what is sent, with secrets, and with the key of the step that is being taken."""
    body, kind = inputs.body, "text/plain; charset=utf-8"
    if not isinstance(body, str):
        body, kind = "" if body is None else json_text(body), "application/json"
    headers = {inputs.key_header: idempotency_key} if inputs.key_header else {}
    headers |= {"Content-Type": kind} if body else {}
    for name, value in inputs.headers.items():
        headers = {known: said for known, said in headers.items() if known.lower() != name.lower()}
        headers[name] = _HOLE.sub(lambda found: secrets.get(found[1], found[0]), value)
    return Sending(method=inputs.method, headers=headers, body=body.encode())


def given_of(inputs: HttpInputs) -> dict[str, Any]:
    """Return what is sent as JSON data, without secrets."""
    said = {"method": inputs.method, "url": inputs.url, "headers": dict(inputs.headers), "body": inputs.body}
    return {name: value for name, value in said.items() if value not in NOTHING}


def answer_data(page: Page) -> dict[str, Any]:
    """Return what was answered as JSON data; JSON is read."""
    data = page.to_data()
    answer = {name: data[name] for name in ("url", "status", "content_type", "text")}
    if page.content_type.endswith("json"):
        try:
            answer["data"] = read_json(page.text)
        except (ValueError, RecursionError):
            answer["data"] = None
    return answer


def secrets_needed(inputs: dict[str, Any]) -> frozenset[str]:
    """Return the permissions for the secrets in inputs, before it is known whether they are right."""
    named = inputs.get("secrets")
    names = named if isinstance(named, list) else ()
    return frozenset(f"{SECRET}:{name}" for name in names if isinstance(name, str))
