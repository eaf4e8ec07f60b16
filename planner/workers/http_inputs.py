"""What an `http` task takes, and whether it goes together."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from ramify.planner.errors import WorkFailedError
from ramify.tasks import Task

NOTHING: tuple[Any, ...] = (None, (), {})
"""What an input is that says nothing."""

_MOST_PAGES = 1000
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


class HttpInputs(BaseModel):
    """What an `http` task takes.

    Attributes:
        url: the page; its data is the task's output.
        urls: several pages; the output is a list. With neither, the addresses in the task's content are fetched.
        follow: how many more pages of the same hosts are fetched, by the links of the first ones, breadth first.
        on_error: "fail" fails the task when a page cannot be had; "keep" has the error in the page's place.
        robots: whether the sites' robots.txt are obeyed.
        max_bytes: the largest page, in bytes.
        timeout_s: for one page, in seconds.
        method: GET to fetch; POST, PUT, PATCH or DELETE to send something to `url`, whose answer is the output then.
        body: what is sent: text, or any other JSON data as JSON.
        headers: further headers of what is sent; `{NAME}` in a value is the secret of that name, if it is one of
            `secrets`.
        secrets: secrets for the headers; each takes the permission `secret:NAME`.
        may_repeat: whether it may be sent again if nobody knows whether it was done; "with_key" for a server that does
            it once for one idempotency key. Unless given, PUT and DELETE may, POST and PATCH may not.
        key_header: the header that the key is sent in; empty for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    urls: tuple[str, ...] | None = None
    follow: Annotated[int, Field(ge=0, le=_MOST_PAGES)] = 0
    on_error: Literal["fail", "keep"] = "fail"
    robots: bool = True
    max_bytes: Annotated[int, Field(ge=1)] = 5_000_000
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    body: JsonValue = None
    headers: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    may_repeat: bool | Literal["with_key"] | None = None
    key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$")] = "Idempotency-Key"


def check_sending(inputs: HttpInputs, task: Task) -> None:
    """Refuse inputs that do not go together.

    Raises:
        WorkFailedError: if there are such.
    """
    if inputs.method == "GET":
        said = [name for name in ("body", "headers", "secrets", "may_repeat") if getattr(inputs, name) not in NOTHING]
        why = f"{said[0]} is for a method that sends something, such as method: POST" if said else None
    elif inputs.url is None:
        why = f"method {inputs.method} takes one url"
    elif inputs.follow or inputs.on_error == "keep":
        why = f"method {inputs.method} takes neither follow nor on_error: keep"
    else:
        why = next(filter(None, (_bad_header(name, value) for name, value in inputs.headers.items())), None)
    if why is not None:
        raise WorkFailedError(f"task {task.id}: {why}", task_id=task.id, reason="missing_input")


def _bad_header(name: str, value: str) -> str | None:
    if _NAME.fullmatch(name) is None or name.lower() in _OURS:
        return f"the header {name!r} cannot be set"
    if not (value.isascii() and value.isprintable()):
        return f"the value of the header {name} is not printable ASCII"
    return None
