"""Stored runs and their calls as JSON data: one shape for the commands' `--json`, for exports and for reports."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ramify.planner.asking.budget import total_usage
from ramify.planner.store import STALE_AFTER_S, CallRecord, EventRecord, RunRecord, RunStatus, StepRecord
from ramify.planner.store.pruning import status_now
from ramify.tasks import Task, Usage
from ramify.tasks.counting import counted
from ramify.tasks.json_text import json_text
from ramify.tasks.tree.documents import tree_to_data


def to_json(data: Mapping[str, Any]) -> str:
    """Write the data of a run as a JSON document."""
    return json_text(data, indent=2) + "\n"


def status_of(record: RunRecord) -> RunStatus:
    """Return the status of a run; one whose process has ended without a word is interrupted."""
    return status_now(record, stale_after_s=STALE_AFTER_S)


def members_words(members: Mapping[RunStatus, int], status: RunStatus) -> str:
    """Return how many members a run has, and where they stand; empty if it has none.

    Args:
        members: how many there are of which status.
        status: the status of the run.

    >>> members_words({"done": 14, "running": 2}, "interrupted")
    '16 runs: 14 done, 2 interrupted'
    """
    known = {("interrupted" if each == "running" != status else each): number for each, number in members.items()}
    standing = ", ".join(f"{number:,} {each}" for each, number in known.items())
    return f"{counted(sum(known.values()), 'run')}: {standing}" if known else ""


def record_data(record: RunRecord, used: Usage) -> dict[str, Any]:
    """Return a run without its tasks, as JSON data; `used` is what they have used so far."""
    return {
        "run": record.id,
        "status": status_of(record),
        "goal": record.goal,
        "model": record.model,
        "made_by": record.made_by,
        "forked_from": record.forked_from,
        "error": record.error,
        "created_at": iso_time(record.created_at),
        "updated_at": iso_time(record.updated_at),
        "finished_at": None if record.finished_at is None else iso_time(record.finished_at),
        "usage": asdict(used),
    }


def run_data(record: RunRecord, top: Task, made_by: str, *, kept: Collection[Task] | None = None) -> dict[str, Any]:
    """Return a run with the tasks from `top` down, as JSON data; what all tasks have used so far is summed up.

    Args:
        record: the run.
        top: the first of the tasks.
        made_by: who its words come from.
        kept: the tasks that are written; all unless given. Then it is said how many are left out.
    """
    root = [top, *top.ancestors()][-1]
    left_out = {} if kept is None else {"left_out": sum(1 for _ in top.walk()) - len(kept)}
    tasks = tree_to_data(top, next_tasks=True, kept=kept)
    return {**record_data(record, total_usage(root)), "made_by": made_by, **left_out, **tasks}


def call_data(call: CallRecord) -> dict[str, Any]:
    """Return a call as JSON data."""
    return {
        "task": call.key.task_id,
        "purpose": call.key.purpose,
        "attempt": call.key.attempt,
        "sample": call.key.sample,
        "step": call.key.step,
        "model": call.model,
        "prompt_version": call.prompt_version,
        "prompt_sha256": call.prompt_sha256,
        "started_at": iso_time(call.started_at),
        "latency_s": call.latency_s,
        "request": dict(call.request),
        "reply": dict(call.reply),
    }


def step_data(step: StepRecord) -> dict[str, Any]:
    """Return a worker's step as JSON data."""
    return {
        "task": step.key.task_id,
        "attempt": step.key.attempt,
        "key": step.key.key,
        "input": step.input,
        "output": step.output,
        "kind": step.kind,
        "state": step.state,
        "may_repeat": step.may_repeat,
        "idempotency_key": step.idempotency_key,
        "started_at": iso_time(step.started_at),
        "ended_at": None if step.ended_at is None else iso_time(step.ended_at),
    }


def event_data(event: EventRecord) -> dict[str, Any]:
    """Return an event as JSON data."""
    return {
        "seq": event.seq,
        "at": iso_time(event.at),
        "type": event.type,
        "task": event.task_id,
        "data": dict(event.data),
    }


def iso_time(seconds: float) -> str:
    """Return a time, in seconds since 1970, as ISO 8601 writes it, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
