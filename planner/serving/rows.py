"""What the page shows of runs that go on, as JSON data: a row for each run, a run's head, and a row for each task."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ramify.planner.asking.budget import total_usage
from ramify.planner.export.labels import format_cost
from ramify.planner.export.making import who_made
from ramify.planner.export.report.content import work_facts
from ramify.planner.export.report.details import task_row
from ramify.planner.export.report.sections import short_goal
from ramify.planner.export.report.words import visible, visible_line, when
from ramify.planner.export.run_data import members_words, status_of
from ramify.planner.export.study.content import is_study
from ramify.planner.show.following import FollowedRun
from ramify.planner.store import RunRecord, RunStatus, Store
from ramify.planner.store.records import ENDED
from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.gaps import gaps_by_kind

Row = list[Any]


def run_row(
    record: RunRecord,
    used: Usage,
    counts: Mapping[TaskState, int],
    members: Mapping[RunStatus, int] = MappingProxyType({}),
) -> Row:
    """Return what the list shows of a run.

    That is id, status, goal, name, maker, start, cost, tasks done, all, error, origin, members in words.

    Args:
        record: the run.
        used: what its calls have used so far.
        counts: how many of its tasks are in which state; empty if nobody has counted.
        members: how many members of which status it has.
    """
    alive = {state: number for state, number in counts.items() if state is not TaskState.DELETED}
    return [
        visible_line(record.id),
        status_of(record),
        short_goal(record.goal),
        visible_line(str(record.settings.get("name") or "")),
        visible_line(record.made_by or ""),
        when(record.created_at),
        format_cost(used) if used.cost_usd or used.calls_without_cost else "",
        alive.get(TaskState.DONE, 0),
        sum(alive.values()),
        visible_line(record.error or ""),
        visible_line(record.forked_from or ""),
        members_words(members, status_of(record)),
    ]


def task_rows(root: Task) -> dict[str, Row]:
    """Return the rows of a tree by the ids of the tasks, parents before their subtasks."""
    return {task.id: live_row(task) for task in root.walk()}


def live_row(task: Task) -> Row:
    """Return the row of a task: that of the report, with the id of its parent."""
    return task_row(task, None if task.parent is None else visible_line(task.parent.id))


def run_head(run: FollowedRun, store: Store) -> dict[str, Any]:
    """Return what stands above the tasks of a run."""
    record, root = run.record, run.root
    counts = dict.fromkeys(TaskState, 0)
    for task in root.walk():
        counts[task.state] += 1
    made_by = record.made_by or "not recorded"
    if run.status != "running":
        made_by = who_made(store, record, root)
    answer = root.result if root.state is TaskState.DONE else ""
    return {
        "id": visible_line(record.id),
        "status": run.status,
        "inside": visible_line(str(record.settings.get("inside") or "")),
        "is_study": is_study(root),
        "goal": short_goal(record.goal),
        "whole": "" if short_goal(record.goal) == record.goal.strip() else visible(record.goal),
        "made_by": visible_line(made_by),
        "facts": [[name, visible(words)] for name, words in _facts(run, counts) if words],
        "counts": list(counts.values()),
        "answer": visible(answer),
        "why": _why_no_answer(run),
    }


def _facts(run: FollowedRun, counts: Mapping[TaskState, int]) -> Sequence[tuple[str, str]]:
    record = run.record
    return [
        ("forked from", record.forked_from or ""),
        *work_facts(counts, total_usage(run.root)),
        ("started", when(record.created_at)),
        ("ended", when(record.finished_at)),
        ("held by", str(record.holder or "") if run.status == "running" else ""),
        ("error", record.error or "" if run.root.state is TaskState.DONE else ""),
        *gaps_by_kind(run.root.gaps),
    ]


def _why_no_answer(run: FollowedRun) -> str:
    if run.root.state is TaskState.DONE:
        return ""
    why = f": {visible_line(run.record.error)}" if run.record.error else ""
    yet = "" if run.status in ENDED else " yet"
    return f"No answer{yet}; the run is {run.status}{why}."
