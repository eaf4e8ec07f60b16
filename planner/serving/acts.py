"""Actions on runs: each is written into the store by its rules, and a new process carries the run on.

A run that another process holds is asked, never overwritten: the store refuses every other change of it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from ramify.planner.errors import RunError, UsageError
from ramify.planner.executor import Executor
from ramify.planner.running.controlling import cancel_run, limit_run, pause_run
from ramify.planner.running.editing import PlanEdit
from ramify.planner.settings.options import LimitOptions
from ramify.planner.store import RunRecord, Store
from ramify.planner.store.records import ENDED
from ramify.tasks.json_text import json_text

Given = Mapping[str, Any]
"""What a page says besides: `words`, the id of a `task`, or `limits` by name."""

_MOST_WORDS: Final = 20_000


class Acting:
    """Does what pages ask for.

    Args:
        store: the open store.
        place: where it is, as it was given.
    """

    def __init__(self, store: Store, place: str | Path | None) -> None:
        self._store = store
        self._place = place
        self._acts: Mapping[str, Callable[[RunRecord, Given], dict[str, str]]] = {
            "cancel": self._cancel,
            "pause": self._pause,
            "limits": self._limit,
            "go_on": self._go_on,
            "retry": lambda record, _: self._carried(record, PlanEdit(failed=True)),
            "approve": lambda record, _: self._carried(record, PlanEdit(approves=True)),
            "revise": lambda record, given: self._carried(record, PlanEdit(wish=_text(given, "words"))),
            "steer": lambda record, given: self._carried(record, PlanEdit(steer=_text(given, "words"))),
            "answer": lambda record, given: self._carried(record, PlanEdit(answer=_text(given, "words"))),
            "again": lambda record, given: self._carried(record, PlanEdit(again=(_text(given, "task"),))),
            "fork": self._fork,
        }

    def perform(self, run_id: str, act: str, given: Given) -> dict[str, str]:
        """Do something to a run, and return what to say of it; `run` is another run that has come of it.

        Raises:
            UsageError: if there is no such act, or something is missing for it.
            RunError: if it cannot be done.
            LeaseError: if another process holds the run, and cannot be asked for that.
            StoreError: if the store cannot be written.
        """
        perform = self._acts.get(act)
        if perform is None:
            raise UsageError(f"there is no action {act!r}; use {', '.join(self._acts)}")
        return perform(self._store.find_run(run_id), given)

    def _cancel(self, record: RunRecord, _: Given) -> dict[str, str]:
        if record.status in ENDED:
            raise RunError(f"run {record.id} is already {record.status}; there is nothing to cancel")
        done = cancel_run(self._store, record.id, via="page")
        return _said(done.holder, f"stop run {record.id}", otherwise=f"run {record.id} is cancelled")

    def _pause(self, record: RunRecord, _: Given) -> dict[str, str]:
        done = pause_run(self._store, record.id, via="page")
        return _said(done.holder, f"pause run {record.id}", otherwise=f"run {record.id} is not running")

    def _limit(self, record: RunRecord, given: Given) -> dict[str, str]:
        done = limit_run(self._store, record.id, _limits(given), via="page")
        named = ", ".join(done.changes) or "nothing"
        return _said(done.holder, f"change {named} of run {record.id}", otherwise=f"changed {named} of run {record.id}")

    def _go_on(self, record: RunRecord, given: Given) -> dict[str, str]:
        if given.get("limits"):
            limit_run(self._store, record.id, _limits(given), via="page")
        return self._carried(record, None)

    def _carried(self, record: RunRecord, edit: PlanEdit | None) -> dict[str, str]:
        """Change the plan of a run, if it is to be changed, and have a process of its own go on with it."""
        done = Executor.reopen(self._place, record.id, edit=edit).detach("--quiet")
        return {"said": f"run {record.id} continues in process {done.pid}"}

    def _fork(self, record: RunRecord, given: Given) -> dict[str, str]:
        edit = PlanEdit(again=(_text(given, "task"),)) if given.get("task") else None
        done = Executor.new_fork(self._place, record.id, edit=edit).detach("--quiet")
        return {"said": f"started run {done.run_id}, a fork of run {record.id}", "run": done.run_id}


def _said(holder: str | None, what: str, *, otherwise: str) -> dict[str, str]:
    return {"said": otherwise if holder is None else f"asked {holder} to {what}; this takes up to two seconds"}


def _limits(given: Given) -> LimitOptions:
    """Return the limits that a page gives.

    Raises:
        UsageError: if one is none, or no number.
    """
    limits = given.get("limits") or {}
    if not isinstance(limits, Mapping) or not limits.keys() <= LimitOptions.__annotations__.keys():
        raise UsageError(f"limits must be numbers by name: {', '.join(LimitOptions.__annotations__)}")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in limits.values()):
        raise UsageError(f"a limit must be a number, not {json_text(limits)}")
    return cast("LimitOptions", dict(limits))


def _text(given: Given, name: str) -> str:
    """Return a text that a page has to give.

    Raises:
        UsageError: if it has not, or it is too long to be meant.
    """
    text = given.get(name)
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{name} is missing or blank")
    if len(text) > _MOST_WORDS:
        raise UsageError(f"{name} has {len(text):,} characters; at most {_MOST_WORDS:,} are allowed")
    return text
