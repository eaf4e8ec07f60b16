"""Stored runs, tasks and calls, for people to read in a terminal."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ramify.planner.events.controls import controls_of
from ramify.planner.events.events import EventType
from ramify.planner.events.losses import losses_of, losses_text
from ramify.planner.events.methods_used import MethodUse, methods_text
from ramify.planner.events.origins import origin_of
from ramify.planner.events.warned import warning_lines, warnings_of
from ramify.planner.export.effects import effect_text, effects_text
from ramify.planner.export.run_data import event_data, status_of
from ramify.planner.runtime.durations import format_duration
from ramify.planner.runtime.terminal import cut_for_display, one_printable_line
from ramify.planner.show.versions import PlanVersion
from ramify.planner.store import EventRecord, RunRecord, StepRecord
from ramify.planner.work.unknown import UnknownStep
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.gaps import told_gaps
from ramify.tasks.json_text import json_text
from ramify.tasks.tree.partial import plans_that_lack
from ramify.tasks.tree.text import tree_text


def started(record: RunRecord) -> str:
    """Return when a run was started, in local time."""
    return f"{datetime.fromtimestamp(record.created_at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def run_text(
    record: RunRecord,
    root: Task,
    told: Sequence[EventRecord] = (),
    effects: Sequence[StepRecord] = (),
    methods: Sequence[MethodUse] = (),
    *,
    made_by: str,
    kept: Collection[Task] | None = None,
) -> str:
    """Return a run with its tree.

    Args:
        record: the run.
        root: its tree.
        told: its events that tell what it was forked from, what its prompts did not show, what it was warned of, and
            who has controlled it.
        effects: its steps that may not simply be repeated.
        methods: the methods that were found for its tasks.
        made_by: who its words come from.
        kept: the tasks that are shown; all unless given.
    """
    facts = [
        ("run", f"{record.id}, {status_of(record)}"),
        ("forked from", str(origin_of(told) or "")),
        ("started", started(record)),
        ("made by", made_by),
        ("used", usage_text(root)),
        ("methods", methods_text(methods)),
        ("warning", losses_text(losses_of(told))),
        *(("warning", cut_for_display(line)) for line in warning_lines(warnings_of(told))),
        ("effects", effects_text(effects)),
        ("warning", cut_for_display(plans_that_lack(root))),
        ("error", cut_for_display(record.error or "")),
        *(("control", cut_for_display(text)) for text in controls_of(told)),
        *((kind, cut_for_display(gap)) for kind, gap in told_gaps(root.gaps)),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in facts if value)
    return f"{head}\n\n{task_tree_text(root, kept).rstrip()}\n"


def told_data(told: Sequence[EventRecord]) -> dict[str, Any]:
    """Return what `run_text` says of events that were `told`, as JSON data."""
    origin = origin_of(told)
    return {
        "origin": origin and origin.to_data(),
        "losses": [loss.to_data() for loss in losses_of(told)],
        "controls": [event_data(event) for event in told if event.type == EventType.RUN_CONTROLLED],
        "warnings": [warned.to_data() for warned in warnings_of(told)],
    }


def task_tree_text(top: Task, kept: Collection[Task] | None) -> str:
    """Return the tree below a task, or the tasks of it that are `kept`."""
    return tree_text(top, "", state=True, kept=kept)


def task_text(task: Task, effects: Sequence[StepRecord] = (), methods: Sequence[MethodUse] = ()) -> str:
    """Return everything about one task but its subtasks.

    Args:
        task: the task.
        effects: its steps that may not simply be repeated.
        methods: the methods that were found for the run's tasks.
    """
    took = "" if task.duration_s is None else format_duration(task.duration_s)
    facts = [
        ("task", task.id),
        ("state", task.state.value),
        ("content", task.content),
        ("name", task.name or ""),
        ("worker", task.type or "model"),
        ("needs", " ".join(task.dependencies)),
        ("subtasks", " ".join(child.id for child in task.subtasks)),
        ("methods", "; ".join(use.text for use in methods if use.task_id == task.id)),
        ("attempts", str(task.attempts)),
        ("expected to take", "" if task.expected_seconds is None else format_duration(task.expected_seconds)),
        ("took", took),
        ("used", usage_text(task, below=False)),
        *(("effect", f"{one_printable_line(step.key.key)}: {effect_text(step)}") for step in effects),
        ("error", task.error or ""),
        *told_gaps(task.gaps),
    ]
    head = "\n".join(f"{name}: {value}" for name, value in facts if value)
    return f"{head}\n\n{task.result}\n" if task.result else f"{head}\n"


def unknown_step_text(step: UnknownStep) -> str:
    """Return what there is to know of a step that nobody knows the end of, and the question about it."""
    given = one_printable_line(json_text(step.input))
    facts = [
        ("task", one_printable_line(step.content)),
        ("step", one_printable_line(step.step)),
        ("given", "" if step.input is None else cut_for_display(given)),
        ("started", f"{datetime.fromtimestamp(step.began_at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"),
        ("idempotency key", step.idempotency_key or ""),
    ]
    lines = "".join(f"  {name}: {value}\n" for name, value in facts if value)
    return f"{step.question} It must not be repeated, and its outcome is unknown.\n{lines}"


def usage_text(task: Task, *, below: bool = True) -> str:
    """Return what a task, and what is below it, has used."""
    usage = task.usage
    if below:
        usage = sum((each.usage for each in task.walk()), type(usage)())
    return usage.text if usage.calls else ""


def history_text(versions: Iterable[EventRecord]) -> str:
    """Return how a plan became what it is: each version with what is different in it."""
    lines = []
    number, is_revised = 0, False
    for event in versions:
        at = f"{datetime.fromtimestamp(event.at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
        what = "edited"
        if event.type == "plan_approved":
            lines.append(f"plan {max(number, 1)} was approved, {at}")
            continue
        if event.type == "warning":
            lines.append(f"{one_printable_line(event.data['message'])}, {at}")
            continue
        if event.type in {"plan_revised", "plan_steered"}:
            is_revised = is_revised or event.type == "plan_revised"
            lines.append(
                f"a change of plan {max(number, 1)} was requested, {at}: {one_printable_line(event.data['words'])}"
            )
            continue
        if event.type == "planned":
            what = f"{'complete' if is_revised else 'made'}, {counted(event.data['tasks'], 'task')}"
        number += not (is_revised and event.type == "planned")
        is_revised = is_revised and event.type != "planned"
        lines.append(f"plan {number} was {what}, {at}")
        for change in event.data.get("changes", ()):
            lines += _change_lines(change)
        if event.data.get("redone"):
            lines.append(f"  run again: {' '.join(event.data['redone'])}")
    return "\n".join(lines) or "the plan has not changed"


def versions_text(versions: Iterable[PlanVersion]) -> str:
    """Return the versions of a plan: who has made each, why, and what is different in it."""
    lines = []
    for version in versions:
        at = "" if version.at is None else f", {datetime.fromtimestamp(version.at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
        who = {
            "": "is the first" if version.tasks is None else f"was made, {counted(version.tasks, 'task')}",
            "replan": f"was made by the run below task {version.below}",
            "steer": f"was made by the planner at a person's request, below task {version.below}",
        }
        lines.append(f"plan {version.number} {who.get(version.by, 'was edited')}{at}")
        lines += [f"  request: {one_printable_line(version.words)}"] if version.words else []
        lines += [f"  task {task_id} failed: {one_printable_line(why)}" for task_id, why in version.failed.items()]
        lines += [changes_text(version.changes)] if version.changes else []
        lines += [f"  run again: {' '.join(version.redone)}"] if version.redone else []
    return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}; it has not changed"])


def changes_text(changes: Iterable[Mapping[str, Any]]) -> str:
    """Return what is different in a plan, a line for each difference."""
    return "\n".join(line for change in changes for line in _change_lines(change))


def _change_lines(change: Mapping[str, Any]) -> Iterator[str]:
    if change["change"] != "changed":
        content = change["fields"]["content"]
        sign = "+" if change["change"] == "added" else "-"
        yield f"  {sign} {change['task']}: {one_printable_line(content['new'] or content['old'])}"
        return
    for name, values in change["fields"].items():
        old, new = (one_printable_line(json_text(values[when])) for when in ("old", "new"))
        yield f"  {change['task']} {name}: {old} -> {new}"
