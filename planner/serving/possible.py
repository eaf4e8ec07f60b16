"""Which acts a page offers for a run, by where that stands; whether one may be done is decided when it is."""

from typing import Any

from ramify.planner.asking.budget import raised_limits, total_usage
from ramify.planner.events.events import EventType
from ramify.planner.export.report.words import visible_line
from ramify.planner.running.clarifying import open_questions
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.show.following import FollowedRun
from ramify.planner.store import Store
from ramify.planner.store.records import ENDED
from ramify.planner.work.special_types import CARRY_RUNS, LIST, SCRIPT
from ramify.tasks import Task, TaskState

_ASKED = ("max_calls", "max_tokens", "max_cost_usd")
_OF_RUNS = CARRY_RUNS - {SCRIPT, LIST}
"""Types of roots whose members are forked instead."""

_BEGUN = frozenset({TaskState.RUNNING, TaskState.DONE, TaskState.FAILED})


def possible_acts(run: FollowedRun, store: Store) -> dict[str, Any]:
    """Return what may be done to a run, by name, each with what a page has to know for it.

    `again` and `fork` are about a task, or, for a fork, about none.
    """
    if run.status == "running":
        return {"pause": {}, "limits": {"limits": _limits(run)}, "cancel": {}}
    acts: dict[str, Any] = {}
    questions = _questions(run, store)
    if questions:
        acts["answer"] = {"questions": questions}
    elif is_planned(run):
        acts |= {"approve": {}, "revise": {}}
    elif run.status in {"failed", "partial"}:
        acts["retry"] = {}
    elif run.status != "done":
        acts["go_on"] = {"limits": _raised(run)} if run.status == "stopped" else {}
    if run.root.state is not TaskState.DONE and not is_planned(run) and _has_plan(run.root):
        acts["steer"] = {}
    if run.status not in ENDED and run.status != "cancelled":
        acts["cancel"] = {}
    return acts | {"again": {}} | ({} if run.root.type in _OF_RUNS else {"fork": {}})


def _limits(run: FollowedRun) -> dict[str, float | None]:
    """Return the limits of a run that a page asks for, as they are."""
    limits = dict(RunSettings.model_validate(run.record.settings).limits)
    return {name: limits[name] for name in _ASKED}


def _raised(run: FollowedRun) -> dict[str, float]:
    """Return the limits that a run has reached, so high that it can go on."""
    return raised_limits(RunSettings.model_validate(run.record.settings).limits, total_usage(run.root))


def is_planned(run: FollowedRun) -> bool:
    """Return whether a run waits for a word on its plan, of which nothing was done yet."""
    is_begun = any(task.state in _BEGUN for task in run.root.walk())
    return run.status == "waiting" and not is_begun and _has_plan(run.root)


def _has_plan(root: Task) -> bool:
    return not root.is_leaf and root.type != SCRIPT


def _questions(run: FollowedRun, store: Store) -> list[str]:
    if run.status != "waiting":
        return []
    asked = store.events_of(run.record.id, (EventType.PERSON_ASKED, EventType.PERSON_ANSWERED))
    return [visible_line(question) for question in open_questions(asked)]
