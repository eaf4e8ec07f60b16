"""Stored runs, and the variations of a strategy, side by side: what is read of each from the store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue
from ramify.planner.asking.budget import total_usage
from ramify.planner.errors import RunError, UsageError
from ramify.planner.export.comparison import Comparison, Variant
from ramify.planner.export.comparison.differing import task_differences
from ramify.planner.export.making import who_made
from ramify.planner.store import RunRecord, Store
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted


def compare(*runs: str, store: str | Path | None = None) -> Comparison:
    """Compare stored runs; for a single sweep, its variants.

    Args:
        *runs: run ids, or the start of them.
        store: where they are stored; as for the executor.

    Raises:
        RunError: if there is no such run.
        UsageError: if there is nothing to compare.
    """
    from ramify.planner.executor import open_store

    with open_store(store, create=False) as opened:
        return compare_runs(opened, runs)


def compare_runs(store: Store, wanted: Sequence[str]) -> Comparison:
    """Return the runs `wanted` of `store` side by side; see `compare`."""
    records = [store.find_run(each) for each in wanted]
    if len(records) == 1:
        root = store.load_tree(records[0].id)
        strategies = [task for task in root.walk() if task.type == "strategy"]
        if not strategies:
            raise UsageError(f"run {records[0].id} is a single run; name another run to compare it with")
        return compare_tree(store, strategies[0], records[0].id)
    if not records:
        raise UsageError("name the runs to compare; `ramify runs` lists them")
    goals = "\n".join(dict.fromkeys(each.goal for each in records))
    return Comparison(counted(len(records), "run"), tuple(_variants_of_runs(store, records)), goals)


def compare_tree(store: Store, strategy: Task, run_id: str) -> Comparison:
    """Return the variations below the task `strategy` of the run `run_id` side by side."""
    variants = tuple(_variant_of_task(store, task, run_id) for task in strategy.subtasks)
    return Comparison(strategy.name or strategy.content, variants, strategy.content)


def _variant_of_task(store: Store, task: Task, run_id: str) -> Variant:
    name = task.name or task.id
    runs = inner_runs(store, run_id, task)
    if not runs:
        return Variant(name=name, parameters=dict(task.inputs), status=task.state.value.lower(), error=task.error or "")
    return _variant(store, runs[-1], store.load_tree(runs[-1].id), name=name, parameters=dict(task.inputs))


def inner_id(run_id: str, task: Task, turn: int = 1) -> str:
    """Return the id of the run that does the variation `task` of the run `run_id` for the `turn`-th time.

    >>> inner_id("r1", Task(content="x", id="0.2")), inner_id("r1", Task(content="x", id="0.2"), 3)
    ('r1.2', 'r1.2-3')
    """
    place = task.id.rpartition(".")[2] if task.id.count(".") <= 1 else task.id
    return f"{run_id}.{place}" if turn == 1 else f"{run_id}.{place}-{turn}"


def inner_runs(store: Store, run_id: str, task: Task) -> list[RunRecord]:
    """Return the runs that were made for the variation `task` of the run `run_id`, the last one last."""
    found: list[RunRecord] = []
    while True:
        wanted = inner_id(run_id, task, len(found) + 1)
        try:
            record = store.find_run(wanted)
        except RunError:
            return found
        if record.id != wanted:
            return found
        found.append(record)


def next_inner_id(store: Store, run_id: str, task: Task) -> str:
    """Return the id for a run that does the variation `task` anew; one that is resumed goes on with the run it has."""
    return inner_id(run_id, task, len(inner_runs(store, run_id, task)) + 1)


def _variants_of_runs(store: Store, records: Sequence[RunRecord]) -> Iterator[Variant]:
    """Yield the variants of runs; of those that have to do with the first one by forks, with the tasks that differ."""
    first, family = store.load_tree(records[0].id), _family(store, records[0])
    for record in records:
        root = first if record is records[0] else store.load_tree(record.id)
        variant = _variant(store, record, root, name=f"{record.id} {record.made_by or ''}".strip(), parameters={})
        if root is not first and not family.isdisjoint(_family(store, record)):
            variant = replace(variant, tasks=tuple(each.to_data() for each in task_differences(first, root)))
        yield variant


def _family(store: Store, record: RunRecord) -> set[str]:
    """Return the id of a run, and of those that it was forked from, as far back as they are there."""
    found = {record.id}
    while record.forked_from is not None:
        found.add(record.forked_from)
        try:
            record = store.find_run(record.forked_from)
        except RunError:
            break
    return found


def _variant(store: Store, record: RunRecord, root: Task, *, name: str, parameters: dict[str, JsonValue]) -> Variant:
    is_done = root.state is TaskState.DONE
    ended = root.completed_at.timestamp() if root.completed_at is not None else record.finished_at
    return Variant(
        name=name,
        run=record.id,
        status=record.status,
        parameters=parameters,
        answer=root.result if is_done else "",
        output=root.output,
        error="" if is_done else (record.error or root.error or ""),
        made_by=who_made(store, record, root),
        usage=total_usage(root),
        seconds=None if ended is None else max(0.0, ended - record.created_at),
    )
