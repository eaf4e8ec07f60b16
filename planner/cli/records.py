"""Stored runs, tasks and calls, for people to read and as JSON data."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ramify.planner.export.labels import format_duration
from ramify.planner.store import STALE_AFTER_S, CallRecord, RunRecord
from ramify.planner.store.pruning import status_now
from ramify.tasks import Task
from ramify.tasks.documents import tree_to_data


def status_of(record: RunRecord) -> str:
    """Return the status of a run; one whose process has ended without a word is interrupted."""
    return status_now(record, stale_after_s=STALE_AFTER_S)


def started(record: RunRecord) -> str:
    """Return when a run was started, in local time."""
    return f"{datetime.fromtimestamp(record.created_at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def record_data(record: RunRecord) -> dict[str, Any]:
    """Return a run without its tasks, as JSON data."""
    return {
        "run": record.id,
        "status": status_of(record),
        "goal": record.goal,
        "model": record.model,
        "made_by": record.made_by,
        "error": record.error,
        "created_at": _iso(record.created_at),
        "updated_at": _iso(record.updated_at),
        "finished_at": None if record.finished_at is None else _iso(record.finished_at),
        "usage": asdict(record.usage),
    }


def run_data(record: RunRecord, top: Task) -> dict[str, Any]:
    """Return a run with the tasks from `top` down, as JSON data."""
    return {**record_data(record), **tree_to_data(top, next_tasks=True)}


def run_text(record: RunRecord, root: Task) -> str:
    """Return a run with its tree."""
    facts = [
        ("run", f"{record.id}, {status_of(record)}"),
        ("started", started(record)),
        ("made by", record.made_by or "not recorded"),
        ("used", usage_text(root)),
        ("error", record.error or ""),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in facts if value)
    return f"{head}\n\n{root.to_string(state=True).rstrip()}\n"


def task_text(task: Task) -> str:
    """Return everything about one task but its subtasks."""
    took = ""
    if task.started_at is not None and task.completed_at is not None:
        took = format_duration(max(0.0, (task.completed_at - task.started_at).total_seconds()))
    facts = [
        ("task", task.id),
        ("state", task.state.value),
        ("content", task.content),
        ("name", task.name or ""),
        ("worker", task.type or "model"),
        ("needs", " ".join(task.dependencies)),
        ("subtasks", " ".join(child.id for child in task.subtasks)),
        ("attempts", str(task.attempts)),
        ("took", took),
        ("used", usage_text(task, below=False)),
        ("error", task.error or ""),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in facts if value)
    return f"{head}\n\n{task.result}\n" if task.result else f"{head}\n"


def usage_text(task: Task, *, below: bool = True) -> str:
    """Return what a task, and what is below it, has used."""
    usage = task.usage
    if below:
        usage = sum((each.usage for each in task.walk()), type(usage)())
    return f"{usage.calls:,} calls, {usage.tokens:,} tokens, {usage.cost_text}" if usage.calls else ""


def call_data(call: CallRecord) -> dict[str, Any]:
    """Return a call as JSON data."""
    return {
        "task": call.key.task_id,
        "purpose": call.key.purpose,
        "attempt": call.key.attempt,
        "model": call.model,
        "prompt_version": call.prompt_version,
        "prompt_sha256": call.prompt_sha256,
        "started_at": _iso(call.started_at),
        "latency_s": call.latency_s,
        "request": dict(call.request),
        "reply": dict(call.reply),
    }


def call_text(call: CallRecord) -> str:
    """Return a call: what was asked, and what was answered."""
    key = call.key
    head = (
        f"===== task {key.task_id}, {key.purpose}, attempt {key.attempt}: {call.model},"
        f" {format_duration(call.latency_s)} ====="
    )
    asked = "".join(f"\n--- {said['role']}\n{said['content']}\n" for said in call.request.get("messages", ()))
    return f"\n{head}\n{asked}\n--- reply\n{call.reply.get('text', '')}\n"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
