"""Functions that the tests of engines have called on each of them; where one is called it is found by its name."""

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

from ramify.planner import WorkContext
from ramify.planner.errors import WorkFailedError
from ramify.planner.workers import Outcome

from .patience import HANG_S

FAR_FROM_HERE = 3
"""The exit code of a process that is lost, so that nobody takes it for an accident."""


class ThreadGoneError(BaseException):
    """Ends a thread of the pool of the tests."""


def double(n: int) -> int:
    """Double a number."""
    print("this is no part of the value")
    return 2 * n


async def double_on_a_loop(n: int) -> int:
    """Double a number."""
    return 2 * n


def whose() -> int:
    """Say in which process this is."""
    return os.getpid()


def names_its_key(context: WorkContext) -> str:
    """Say what names the task to others."""
    return context.idempotency_key


def covers_half(n: int) -> Outcome:
    """Answer with a gap."""
    return Outcome(f"half of {n}", {"half": n / 2}, ("the other half",))


def gives_nothing() -> None:
    """Give nothing, as declared."""


def fails(how: str) -> str:
    """End without a value."""
    if how == "exit":
        raise SystemExit(4)
    if how == "cannot":
        raise WorkFailedError("nobody can do that", task_id="0", reason="too_vague")
    raise ValueError("no such thing")


def fails_once(context: WorkContext) -> int:
    """Fail the first attempt."""
    if context.attempt == 1:
        raise ValueError("not yet")
    return context.attempt


def tells(word: str, context: WorkContext) -> dict[str, Any]:
    """Say and ask whatever a function can anywhere."""
    context.progress(0.5, "half of it")
    context.emit("seen", word=word)
    context.alert("look", word=word)
    context.memory.set("word", [word])
    (context.storage / "file.txt").write_text(word)
    return {
        "recalled": context.memory.get("word"), "all": context.memory.all(), "unknown": context.memory.get("no", 5),
        "results": context.results, "inputs": context.inputs, "attempt": context.attempt, "run": context.run_id,
        "secret": context.secret("KEY"), "is_cancelled": context.is_cancelled, "retries": context.config.max_retries,
    }  # fmt: skip


def unsendable(how: str, context: WorkContext) -> Any:
    """Try what no engine allows, or none but the one here."""
    if how == "emit":
        context.emit("seen", value={1, 2})  # type: ignore[arg-type]
    if how == "remember":
        context.memory.set("key", object())
    if how == "spawn":
        context.spawn  # noqa: B018 - it is looked at
    if how == "secret":
        context.secret("OTHER")
    return {1, 2}


def copies(text: str, context: WorkContext) -> str:
    """Say much, and give it back."""
    context.memory.set("text", text, scope="permanent")
    return str(context.memory.get("text", scope="permanent"))


def adds(context: WorkContext) -> int:
    """Add what was given by the tasks that are needed."""
    return sum(int(str(each)) for each in context.results.values())


def goes_on(folder: str, context: WorkContext) -> str:
    """Work until it is wanted no more; where it is killed for that, it does not come so far as to say so."""
    (Path(folder) / "began").write_text(f"{os.getpid()}")
    while not context.is_cancelled:
        time.sleep(0.01)
    (Path(folder) / "heard").touch()
    return "too late"


async def waits(folder: str) -> str:
    """Wait on a loop for what does not come, until it is cancelled."""
    (Path(folder) / "began").touch()
    try:
        await asyncio.sleep(HANG_S)
    except asyncio.CancelledError:
        (Path(folder) / "heard").touch()
        raise
    return "too late"


def notes(log: str, n: int, times: int, context: WorkContext) -> int:
    """Say that it begins, and take what it is called in down with it, so many times."""
    with Path(log).open("a", encoding="utf-8") as lines:
        lines.write(f"{n}\n")
    if context.attempt <= times:
        os._exit(FAR_FROM_HERE)
    return n


def is_lost(times: int, context: WorkContext) -> str:
    """Take what it is called in down with it, so many times."""
    if context.attempt > times:
        return "done at last"
    if threading.current_thread().name.startswith("pool"):
        raise ThreadGoneError
    os._exit(FAR_FROM_HERE)
