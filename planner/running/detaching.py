"""A run is left to a process of its own, which outlives this one and its terminal, and logs beside the store.

What this process was to do is on disk before that one starts: it goes on with the run as `ramify resume` does.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ramify.planner.errors import RunError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.runtime.output_files import open_private, unwritable
from ramify.planner.store import RunChanged, Store
from ramify.planner.store.files import log_beside
from ramify.prompts.blocks import cut

from .session import Session

LONGEST_START_S = 60.0
"""How long it is waited for the other process to begin, in seconds."""

_LOOK_EVERY_S = 0.05
_LONGEST_TOLD = 2_000
_APART: dict[str, Any] = (
    {"start_new_session": True}
    if os.name == "posix"
    else {"creationflags": 0x00000008 | 0x00000200}  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP
)


@dataclass(frozen=True, slots=True)
class Detached:
    """A run that goes on in a process of its own.

    Attributes:
        run_id: the run.
        pid: the process.
        log: what it writes its progress and its answer to.
    """

    run_id: str
    pid: int
    log: Path


def detach(session: Session, options: Sequence[str] = ()) -> Detached:
    """Let another process carry the run of `session` on; the tree and the store are let go of.

    Args:
        session: of a run that has not been started here.
        options: further words of `ramify resume`.

    Raises:
        UsageError: if a person answers its model.
        LeaseError: if a process holds the run.
        RunError: if the other process ended before it had begun; the message has its last words.
    """
    store, run_id = session.store, session.record.id
    try:
        if session.asks_person:
            raise UsageError(f"run {run_id} needs a person, and a detached run has no terminal; leave out --detach")
        with store.change(run_id) as writer:
            writer.put(RunChanged.of(settings=session.settings.model_dump(mode="json")))
            before = writer.next_seq()
        log = log_beside(store.files, run_id)
        process, begin = _start(store, run_id, log, options)
        _wait(store, run_id, process, before)
        if process.poll() is not None and not _has_begun(store, run_id, before):
            raise RunError(f"run {run_id} could not start in its own process: {_last_words(log, begin)}")
    finally:
        session.hold.release()
        store.close()
    return Detached(run_id, process.pid, log)


def _start(store: Store, run_id: str, log: Path, options: Sequence[str]) -> "tuple[subprocess.Popen[bytes], int]":
    """Return the other process, and where in the log its words begin."""
    words = ["resume", run_id, *options]
    here = [each or str(Path.cwd()) for each in sys.path]  # it finds the modules that this process finds
    environment = os.environ | {"RAMIFY_STORE": store.address, "PYTHONPATH": os.pathsep.join(here)}
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with open_private(log, "ab") as file:
            begin = file.tell()
            process = subprocess.Popen(  # noqa: S603 - no shell
                [sys.executable, "-P", "-m", "ramify.planner.cli", *words], stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, env=environment, **_APART,
            )  # fmt: skip
            return process, begin
    except OSError as error:
        raise unwritable(log, error) from error


def _wait(store: Store, run_id: str, process: "subprocess.Popen[bytes]", before: int) -> None:
    """Return when the other process has begun, or has ended; a thread waits for its end, so that none of it is left."""
    give_up_at = time.monotonic() + LONGEST_START_S
    while process.poll() is None and time.monotonic() < give_up_at:
        if _has_begun(store, run_id, before):
            break
        time.sleep(_LOOK_EVERY_S)
    threading.Thread(target=process.wait, name=f"ramify detached {run_id}", daemon=True).start()


def _has_begun(store: Store, run_id: str, before: int) -> bool:
    return bool(store.events_of(run_id, [EventType.RUN_STARTED], before - 1))


def _last_words(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        said = file.read().decode("utf-8", "replace").rpartition("ramify: error: ")[2]
    return cut(said.strip(), _LONGEST_TOLD) or "it said nothing"
