"""Workers and a tool that have a server charge an order: see `crash_effects_program.py`."""

import json
import os
import urllib.request
from typing import Any, Literal, cast

from ramify.planner import WorkContext, tool, worker

SERVER = os.environ.get("PAYING_SERVER", "")
MAY_REPEAT: bool | Literal["with_key"] = "with_key" if os.environ.get("PAYING_WITH_KEY") else False
"""With a key the server charges an order once, however often it is asked; without one it charges every time."""

Paid = dict[str, Any]


def charge(order: str, cents: int, key: str) -> Paid:
    """Have the server charge an order."""
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if MAY_REPEAT == "with_key" else {})
    body = json.dumps({"order": order, "cents": cents}).encode()
    request = urllib.request.Request(f"{SERVER}/charges", data=body, headers=headers)  # noqa: S310 - a server of the test
    with urllib.request.urlopen(request) as response:  # noqa: S310 - a server of the test
        return cast("Paid", json.load(response))


@worker
async def pay_step(order: str, cents: int, context: WorkContext) -> Paid:
    """Pay in a step of its own."""

    def pay() -> Paid:
        return charge(order, cents, context.idempotency_key)

    return cast("Paid", await context.step("charge", pay, given=[order, cents], may_repeat=MAY_REPEAT))


@worker(may_repeat=MAY_REPEAT)
def pay_whole(order: str, cents: int, context: WorkContext) -> Paid:
    """Pay; that is all there is to the task."""
    return charge(order, cents, context.idempotency_key)


@worker(may_repeat=MAY_REPEAT, isolated=True)
def pay_apart(order: str, cents: int, context: WorkContext) -> Paid:
    """Pay in a process of its own."""
    return charge(order, cents, context.idempotency_key)


@tool(may_repeat=MAY_REPEAT)
def pay(order: str, cents: int, context: WorkContext) -> Paid:
    """Pay an order."""
    return charge(order, cents, context.idempotency_key)
