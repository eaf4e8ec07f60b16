"""What is read of a run when a page asks for it: a task with its messages, tasks that hold words, members."""

from collections.abc import Iterator
from typing import Any

from ramify.planner.export.report.content import reported_task
from ramify.planner.export.report.details import task_detail
from ramify.planner.export.report.words import visible_line
from ramify.planner.store import CallRecord, Store
from ramify.planner.store.records import ENDED
from ramify.planner.strategies.comparing import inner_runs
from ramify.planner.work.special_types import CARRY_RUNS
from ramify.tasks import Task, TreeError

from .live_runs import MOST_RUNS, LiveRun
from .rows import Row, run_row


def details_of(store: Store, live: LiveRun, shown_id: str) -> dict[str, Any]:
    """Return all that a page shows of a task, by its id as pages have it.

    Raises:
        TreeError: if there is no such task.
        StoreError: if the store cannot be read.
    """
    run = live.run
    with live.lock:
        task_id = _find(run.root, shown_id).id
    calls, steps = store.calls(run.record.id, task_id), store.steps(run.record.id, task_id)
    events = store.events(run.record.id, task_id=task_id)
    with live.lock:
        task = run.root.find(task_id)
        detail = task_detail(reported_task(task, run.record, calls=calls, steps=steps, events=events), run.record)
        made = inner_runs(store, run.record.id, task) if task.type in CARRY_RUNS and task.is_leaf else []
    return {**detail, "run": visible_line(made[-1].id)} if made else detail


def member_rows(store: Store, run_id: str) -> list[Row]:
    """Return what the list shows of the members of a run, in order.

    Raises:
        StoreError: if the store cannot be read.
    """
    records = store.runs(MOST_RUNS, inside=run_id)
    going_on = [record.id for record in records if record.status not in ENDED]
    used, counts = store.used_so_far(going_on), store.states_so_far([record.id for record in records])
    return [run_row(each, used.get(each.id, each.usage), counts.get(each.id, {})) for each in records]


def tasks_with(store: Store, live: LiveRun, words: str) -> list[str]:
    """Return the ids, as pages have them, of the tasks in whose content, result, messages or steps `words` stand.

    Raises:
        StoreError: if the store cannot be read.
    """
    run, wanted = live.run, words.lower()
    found: dict[str, None] = {}
    with live.lock:
        for task in run.root.walk():
            if any(wanted in text.lower() for text in (task.content, task.result, task.error or "")):
                found[task.id] = None
    for call in store.stream_calls(run.record.id):
        if call.key.task_id not in found and any(wanted in text.lower() for text in _words_of(call)):
            found[call.key.task_id] = None
    for step in store.steps(run.record.id):
        if wanted in f"{step.input}\n{step.output}".lower():
            found[step.key.task_id] = None
    return [visible_line(task_id) for task_id in found]


def _words_of(call: CallRecord) -> Iterator[str]:
    for message in call.request.get("messages", ()):
        yield str(message.get("content", ""))
    yield str(call.reply.get("text", ""))
    yield str(call.reply.get("tool_calls", ""))


def _find(root: Task, shown_id: str) -> Task:
    """Return a task by its id, or by what a page shows of one that holds what nobody sees."""
    try:
        return root.find(shown_id)
    except TreeError:
        found = next((task for task in root.walk() if visible_line(task.id) == shown_id), None)
        if found is None:
            raise
        return found
