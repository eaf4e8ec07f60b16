"""Functions that the tests of isolated workers call in processes of their own."""

import os
import time

from pydantic import BaseModel
from ramify.planner import worker


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
