"""Functions that the tests of isolated workers call in processes of their own."""

import os
import time
from pathlib import Path

from pydantic import BaseModel
from ramify.planner import WorkContext, worker


class Point(BaseModel):
    x: int
    y: int


@worker(isolated=True)
def mirror(point: Point, *, times: int = 1) -> Point:
    """Mirror a point."""
    print("this is no part of the value")
    return Point(x=point.y * times, y=point.x * times)


@worker(isolated=True)
async def process_id() -> int:
    """Return the id of the process."""
    return os.getpid()


@worker(isolated=True)
def crash(how: str) -> str:
    """End badly."""
    if how == "raise":
        raise ValueError("no such thing")
    if how == "eat":
        kept = b"x" * 150_000_000
        time.sleep(60)
        return str(len(kept))
    os.abort()


@worker(isolated=True)
def key_of(context: WorkContext) -> str:
    """Return the idempotency key of the task."""
    return context.idempotency_key


@worker(isolated=True)
def crash_once(note: str) -> str:
    """End badly the first time."""
    path = Path(note)
    with path.open("a", encoding="utf-8") as file:
        file.write("called\n")
    if path.read_text(encoding="utf-8").count("called") == 1:
        os._exit(3)
    return "done"
