"""A run is controlled from outside: paused, cancelled, or given other limits, whichever process carries it on.

A run that a process holds is asked, through the store; nothing of it is overwritten. One that nobody holds is changed
here and now. Who has done it is an event of the run in either case, written together with what is different.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from ramify.planner.errors import LeaseError, PlannerError, UsageError, WaitingError
from ramify.planner.events.controls import who
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.settings.option_fields import why_unusable
from ramify.planner.settings.options import LimitOptions
from ramify.planner.store import (
    Control,
    ControlsDone,
    EventHappened,
    EventRecord,
    RunChanged,
    RunRecord,
    RunWriter,
    Store,
)
from ramify.planner.store.control import Via
from ramify.planner.store.records import ENDED, RunStatus

from .endings import Ending
from .limiting import Changes, Limiting, changed_limits
from .run_settings import RunSettings


@dataclass(frozen=True, slots=True)
class Controlled:
    """What has come of controlling a run.

    Attributes:
        run_id: the run.
        status: where it stood.
        holder: the process that was asked, and does it within two seconds; None if nobody holds the run, so that it is
            done already, or, of a pause, that there was nothing to do.
        changes: the limits that are different then, old and new, by name.
    """

    run_id: str
    status: RunStatus
    holder: str | None
    changes: Changes


def pause_run(store: Store, run_id: str, *, via: Via = "python") -> Controlled:
    """Have a run begin nothing more, finish what is under way, and wait until it is resumed.

    Raises:
        RunError: if there is no such run.
        StoreError: if the store cannot be written.
    """
    return _control(store, run_id, Control.of("pause", via=via), {}, lambda _record, _writer: None)


def cancel_run(store: Store, run_id: str, *, via: Via = "python") -> Controlled:
    """Have a run give up what is under way, and end; it can be resumed. One that has come to an end stays as it is.

    Raises:
        RunError: if there is no such run.
        StoreError: if the store cannot be written.
    """
    record, control = store.find_run(run_id), Control.of("cancel", via=via)
    if record.status in ENDED:
        return Controlled(record.id, record.status, None, {})

    def do(_: RunRecord, writer: RunWriter) -> None:
        over = RunChanged.of(status="cancelled", error=None)
        _write(writer, control, over, ControlsDone(actions=frozenset({"cancel"})))

    return _control(store, record.id, control, {}, do)


def limit_run(store: Store, run_id: str, limits: LimitOptions, *, via: Via = "python") -> Controlled:
    """Have other limits hold for a run: at once if it goes on, else from when it is resumed.

    Args:
        store: where it is.
        run_id: its id.
        limits: which, by name, as `solve` takes them; None leaves one as it is.
        via: by what it is asked.

    Raises:
        RunError: if there is no such run.
        UsageError: if there is no such limit, or a value cannot be used.
        StoreError: if the store cannot be written.
    """
    record = store.find_run(run_id)
    given = {name: value for name, value in limits.items() if value is not None}
    if unknown := [name for name in given if name not in LimitOptions.__annotations__]:
        raise UsageError(f"{unknown[0]} is not a limit of a run; use one of {', '.join(LimitOptions.__annotations__)}")
    changed, changes = _changed(RunSettings.model_validate(record.settings), given)
    control = Control.of("limits", via=via, limits={name: getattr(changed.limits, name) for name in given})

    def do(record: RunRecord, writer: RunWriter) -> None:
        settings = RunSettings.model_validate(record.settings)
        for each in (*(each for each in record.controls if each.action == "limits"), control):
            settings, different = _changed(settings, each.limits)
            kept = RunChanged.of(settings=settings.model_dump(mode="json"))
            if different or each is not control:
                _write(writer, each, kept, ControlsDone(frozenset({each.id})), changes=different)

    return _control(store, record.id, control, changes, do)


def _changed(settings: RunSettings, new: Mapping[str, Any]) -> tuple[RunSettings, Changes]:
    """Return the settings of a run with other limits, and what is different."""
    try:
        limits, changes = changed_limits(settings.limits, new)
    except ValidationError as error:
        raise UsageError(why_unusable(error)) from None
    return settings.model_copy(update={"limits": limits}), changes


def _control(
    store: Store, run_id: str, control: Control, changes: Changes, do: Callable[[RunRecord, RunWriter], None]
) -> Controlled:
    """Ask the process that holds the run; if nobody does, `do` it here."""
    record = store.find_run(run_id)
    try:
        writer = store.change(record.id)
    except LeaseError as error:
        store.ask(record.id, control)
        return Controlled(record.id, record.status, error.holder, changes)
    with writer:
        do(store.find_run(record.id), writer)
    return Controlled(record.id, record.status, None, changes)


def _write(writer: RunWriter, control: Control, *written: RunChanged | ControlsDone, **more: Any) -> None:
    event = EventRecord(writer.next_seq(), time.time(), EventType.RUN_CONTROLLED, None, control.told | more)
    writer.put(*written, EventHappened.of(event))


class Controls:
    """Does, in the process that carries a run on, what somebody outside asks of it.

    Args:
        limiting: has its limits hold.
        stop: stops it.
        asks_person: says whether a person is waited for, who may never answer.
    """

    def __init__(self, limiting: Limiting, *, stop: Callable[..., None], asks_person: Callable[[], bool]) -> None:
        self._limiting = limiting
        self._stop = stop
        self._asks_person = asks_person
        self._recorder: Recorder | None = None
        self._early: list[Control] = []

    def begin(self, recorder: Recorder) -> None:
        """Do what was asked so far, and from now on what is asked, at once."""
        self._recorder = recorder
        for control in self._early:
            self.hear(control)

    def hear(self, control: Control) -> None:
        """Do what is asked, or let it wait until the run has begun."""
        if self._recorder is None:
            self._early.append(control)
            return
        with suppress(PlannerError):  # the writer may have ended since
            self._do(control, self._recorder)

    def _do(self, control: Control, recorder: Recorder) -> None:
        done, told = ControlsDone(frozenset({control.id})), control.told
        if control.action == "limits":
            kept, changes = self._limiting.change(control.limits)
            recorder.put(EventType.RUN_CONTROLLED, None, kept, done, **told, changes=changes)
            self._limiting.hold()
            return
        recorder.put(EventType.RUN_CONTROLLED, None, done, **told)
        if control.action == "pause":
            why = f"it was paused by {who(told)}"
            self._stop(Ending("waiting", why, WaitingError(why, task_id="")), cancel=self._asks_person())
        else:
            self._stop(Ending("cancelled", f"it was cancelled by {who(told)}"), cancel=True)
