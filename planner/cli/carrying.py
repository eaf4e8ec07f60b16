"""A run in the foreground: its progress is shown, signals stop it, and at the end it is said what came of it.

Ctrl-C once: nothing new is started, what is under way is finished. Ctrl-C twice, or SIGTERM: everything is given up at
once; code that does not let itself be stopped is left, with the process, `GIVE_UP_S` later. In each case the run is
saved, and the last line is the command that goes on with it.
"""

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from ramify.planner.asking.budget import raising_options, total_usage
from ramify.planner.errors import LeaseError, NoModelError, StoreError
from ramify.planner.events.events import Event, EventType, Subscriber
from ramify.planner.events.lines import EventFile
from ramify.planner.progress import Display, DisplayKind, fitting_kind, open_display
from ramify.planner.run import Run
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.runtime.durations import format_duration
from ramify.planner.runtime.terminal import one_printable_line
from ramify.planner.settings.place import read_place
from ramify.planner.settings.settings import load_settings
from ramify.planner.store import RunRecord
from ramify.planner.store.records import status_words
from ramify.planner.tracing import export_as_environment_says
from ramify.planner.workers.registry import is_for_model
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted

from .apart import lines_said_by, no_input
from .exits import DONE, FAILED, INTERRUPTED, LIMIT, NO_MODEL, PARTIAL, USAGE, code_of_run
from .output import tell, tell_error
from .streams import flush_stderr

GIVE_UP_S = 5.0
"""How long a run that is given up has until it is left as it is, with the process, in seconds."""

_MOST_IDS = 5


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
    kind = display_kind(given) or fitting_kind(sys.stderr, made_by=run.made_by)
    failed: list[Event] = []
    run.on(failed.append, EventType.TASK_FAILED, where=lambda event: "where" in event.data)
    if kind == "none":  # what was wanted, and does not hold, is told all the same
        run.on(_warn, EventType.WARNING, where=lambda event: bool({"limit", "plan"} & event.data.keys()))
    try:
        with (
            events_written(run.id, given["events"]) as write,
            open_display(run, kind) as display,
            _signals_stop(run, display, given["store"]),
            lines_said_by(display.notice if kind == "json" else None),
            no_input(),
        ):
            run.on(write)
            run.start().wait()
    except LeaseError:
        raise
    except StoreError:
        return LIMIT  # the run knows why
    code = code_of_run(run)
    for event in failed[:_MOST_IDS] if kind in {"tree", "none"} else ():
        tell(f"task {event.task_id} failed in {event.data['where']}")
    if not given["quiet"]:
        tell(_summary(run, time.monotonic() - started))
    return code


def _warn(event: Event) -> None:
    tell(f"warning: {event.data['message']}")


def display_kind(given: Mapping[str, Any]) -> DisplayKind | None:
    """Return how progress is to be shown, by the options `display` and `quiet`; None is what fits."""
    kind: DisplayKind | None = given["display"]
    return "none" if kind is None and given["quiet"] else kind


def tell_ending(run: Run, code: int, store: str | None) -> None:
    """Say why `run` ended without a whole answer, and, as the last line, the command that goes on with it."""
    if code == DONE:
        return
    said = f"run {run.id} {status_words(run.status)}"
    tell_error(f"{said}: {run.error}" if run.error else said)
    if code in {FAILED, PARTIAL}:
        tell(resume_command(run.id, store, "--retry-failed"))
    elif code == NO_MODEL and isinstance(run.cause, NoModelError):
        tell(resume_command(run.id, store, "--model", "NAME"))
    elif code != USAGE:
        tell(resume_command(run.id, store, *run.raising_options))


def command_to_go_on(record: RunRecord, root: Task, store: str | None) -> str:
    """Return the command that goes on with a stored run, whoever carried it on; see `resume_command`."""
    if record.status in {"failed", "partial"}:
        return resume_command(record.id, store, "--retry-failed")
    limits = RunSettings.model_validate(record.settings).limits
    return resume_command(record.id, store, *raising_options(limits, total_usage(root)))


def resume_command(run_id: str, store: str | None, *options: str) -> str:
    """Return the command that goes on with a run; a password in the store's address is left out."""
    where = [] if store is None else ["--store", str(read_place(store))]
    return shlex.join(["ramify", "resume", run_id, *options, *where])


def _summary(run: Run, seconds: float) -> str:
    words = {"done": "answered by", "partial": "partly answered by"}
    done = "planned by" if run.is_planned else words.get(run.status, f"{run.status} with")
    figures = [
        f"run {run.id}" + (f", a fork of {run.forked_from}" if run.forked_from else ""),
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
        tell(f"some events are missing from {path} ({file.error.strerror or file.error}); the store has them all")


@contextmanager
def _signals_stop(run: Run, display: Display, store: str | None) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop `run` instead of ending the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stops = 0
    is_over = threading.Event()

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stops
        stops += 1
        is_last = stops > 1 or number == signal.SIGTERM or run.asks_person
        run.stop(cancel=is_last)
        words = "cancelling running tasks" if is_last else _waiting_for(run)
        # In threads of their own: a second signal may interrupt a write on this one, and the loop may be held.
        threading.Thread(target=display.notice, args=(words,), daemon=True).start()
        if is_last:
            threading.Thread(target=_leave, args=(run, display, store, is_over), daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        is_over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(run: Run, display: Display, store: str | None, is_over: threading.Event) -> None:
    """End the process if the run does not end; every step that counts is on disk."""
    if is_over.wait(GIVE_UP_S):
        return
    display.stop()
    tell_error(f"run {run.id} was abandoned: the code of {_named(_running(run))} cannot be stopped")
    tell(resume_command(run.id, store))
    flush_stderr()
    os._exit(INTERRUPTED)


def _waiting_for(run: Run) -> str:
    """Say how not to wait after the first Ctrl-C, which has to fit a narrow window; for what, and how long."""
    running = _running(run)
    now = datetime.now(UTC)
    since = [(now - task.started_at).total_seconds() for task in running if task.started_at is not None]
    so_far = f", started {format_duration(max(since))} ago" if since else ""
    asks = run.reply_timeout_s is not None and (not running or any(map(is_for_model, running)))
    most = f"; a reply may take {run.reply_timeout_s:g} s (--timeout-s)" if asks else ""
    return f"Ctrl-C again cancels at once; waiting for {_named(running)}{so_far}{most}"


def _running(run: Run) -> list[Task]:
    return [task for task in run.task.walk() if task.state is TaskState.RUNNING]


def _named(tasks: list[Task]) -> str:
    if not tasks:
        return "running tasks"
    ids = ", ".join(one_printable_line(task.id) for task in tasks[:_MOST_IDS])
    return f"{'task' if len(tasks) == 1 else f'{len(tasks)} tasks:'} {ids}{', ...' if len(tasks) > _MOST_IDS else ''}"
