"""A run in the foreground: its progress is shown, signals stop it, and at the end it is said what came of it.

Ctrl-C once: nothing new is started, what is under way is finished. Ctrl-C twice, or SIGTERM: everything is stopped at
once. In both cases the run is saved, and the last line is the command that goes on with it.
"""

import shlex
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from ramify.planner.errors import LeaseError, NoModelError, StoreError
from ramify.planner.event_lines import EventFile
from ramify.planner.events import Subscriber
from ramify.planner.export.labels import format_duration
from ramify.planner.handle import Run
from ramify.planner.loop import background_loop
from ramify.planner.progress import Display, DisplayKind, open_display
from ramify.planner.settings import load_settings
from ramify.planner.store.place import read_place
from ramify.planner.tracing import export_as_environment_says
from ramify.tasks import TaskState
from ramify.tasks.counting import counted

from .exits import DONE, FAILED, LIMIT, NO_MODEL, USAGE, code_of_run
from .output import tell, tell_error


def carry(run: Run, given: Mapping[str, Any]) -> int:
    """Carry `run` to its end in the foreground, and return the exit code.

    Args:
        run: a run that has not been started.
        given: the options `store`, `display`, `events` and `quiet`.

    Raises:
        LeaseError: if another process holds the run.
    """
    if load_settings().otel:
        export_as_environment_says()
    started = time.monotonic()
    try:
        with (
            events_written(run.id, given["events"]) as write,
            open_display(run, display_kind(given)) as display,
            _signals_stop(run, display),
        ):
            run.on(write)
            run.start().wait()
    except LeaseError:
        raise
    except StoreError:
        return LIMIT  # the run knows why
    code = code_of_run(run)
    if not given["quiet"]:
        tell(_summary(run, time.monotonic() - started))
    return code


def display_kind(given: Mapping[str, Any]) -> DisplayKind | None:
    """Return how progress is to be shown, by the options `display` and `quiet`; None is what fits."""
    kind: DisplayKind | None = given["display"]
    return "none" if kind is None and given["quiet"] else kind


def tell_ending(run: Run, code: int, store: str | None) -> None:
    """Say why `run` ended without an answer, and, as the last line, the command that goes on with it."""
    if code == DONE:
        return
    tell_error(f"run {run.id} is {run.status}: {run.error}" if run.error else f"run {run.id} is {run.status}")
    if code == FAILED:
        tell(resume_command(run.id, store, "--retry-failed"))
    elif code == NO_MODEL and isinstance(run.cause, NoModelError):
        tell(resume_command(run.id, store, "--model", "NAME"))
    elif code != USAGE:
        tell(resume_command(run.id, store))


def resume_command(run_id: str, store: str | None, *options: str) -> str:
    """Return the command that goes on with a run; a password in the store's address is left out."""
    where = [] if store is None else ["--store", str(read_place(store))]
    return shlex.join(["ramify", "resume", run_id, *options, *where])


def _summary(run: Run, seconds: float) -> str:
    done = "answered by" if run.status == "done" else "planned by" if run.is_planned else f"{run.status} with"
    figures = [
        f"run {run.id}",
        format_duration(seconds),
        counted(run.progress.total, "task"),
        run.usage.text,
    ]
    return f"{done} {run.made_by}: {', '.join(figures)}"


@contextmanager
def events_written(run_id: str, path: Path | None) -> Iterator[Subscriber]:
    """Give what writes the events of a run to the file at `path`, or nowhere if there is to be none."""
    if path is None:
        yield lambda _: None
        return
    with EventFile(path, run_id) as file:
        yield file.take
    if file.error is not None:
        tell(f"events are missing in {path} ({file.error.strerror or file.error}); the store has them all")


@contextmanager
def _signals_stop(run: Run, display: Display) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop `run` instead of ending the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stops = 0

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stops
        stops += 1
        is_last = stops > 1 or number == signal.SIGTERM or run.asks_person
        run.stop(cancel=is_last)
        words = "stopping at once" if is_last else _finishing(run)
        # Written on the loop's thread: a second signal may interrupt a write on this one.
        background_loop().call_soon_threadsafe(display.notice, words)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finishing(run: Run) -> str:
    running = sum(task.state is TaskState.RUNNING for task in run.task.walk())
    what = counted(running, "task") if running else "what is under way"
    return f"finishing {what}; Ctrl-C again to stop at once"
