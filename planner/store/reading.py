"""What is asked of a store: runs, trees, calls, events, and whether it is sound."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ramify.planner.errors import RunError
from ramify.tasks.tree.collecting import collector_at_rest
from ramify.tasks.tree.task import Task
from sqlalchemy import Connection, Row, RowMapping, Select, func, select, text

from .fields import RUN_FIELDS, decode_field
from .lineage import Lineage, lineage_of, taken_over
from .members import is_member
from .records import (
    STEER,
    CallKey,
    CallRecord,
    EventRecord,
    MayRepeat,
    RunRecord,
    StepKey,
    StepKind,
    StepRecord,
    StoredRun,
)
from .rows import TASK_COLUMNS, tree_of_rows
from .sharing import whole
from .tables import CALLS, EVENTS, MEMORY, RUNS, STEPS, TASKS, TEXTS
from .texts import decode_text, join_texts, load_json, references_of

_SHOWN = 5
_LONGEST_SAID = 80
_SCREENED = 1000
_ASKED_BY_NAME = 500
_PAID = frozenset({"call_done", "call_failed"})
"""The events that tell what a call has cost."""


def list_runs(connection: Connection, limit: int | None, inside: str | None = None) -> list[RunRecord]:
    """Return runs, the newest first: all, those that are no member (`inside` ""), or the members of the run `inside`.

    Members come in the order of their numbers.
    """
    query = select(RUNS).limit(limit)
    if inside:
        query = query.where(RUNS.c.id.startswith(f"{inside}.", autoescape=True))
        query = query.order_by(func.length(RUNS.c.id), RUNS.c.id)
    else:
        query = query.order_by(RUNS.c.created_at.desc(), RUNS.c.id.desc())
    if inside == "":
        query = query.where(~is_member(connection))
    return [_run_of(row) for row in connection.execute(query).mappings()]


def find_run(connection: Connection, wanted: str) -> RunRecord:
    """Return the run whose id is `wanted`, or else the only one whose id begins with it.

    Raises:
        RunError: if there is none, or more than one; the message shows ids that come near.
    """
    said = repr(wanted if len(wanted) <= _LONGEST_SAID else f"{wanted[:_LONGEST_SAID]}…")
    is_meant = (RUNS.c.id == wanted) | (func.substr(RUNS.c.id, 1, len(wanted)) == wanted)
    newest_first = RUNS.c.created_at.desc()
    found = [_run_of(row) for row in connection.execute(select(RUNS).where(is_meant).order_by(newest_first)).mappings()]
    exact = [run for run in found if run.id == wanted]
    if not exact and wanted:
        exact = [run for run in found if all(other.id.startswith(run.id) for other in found)]  # its parts begin alike
    if exact:
        return exact[0]
    known = [row.id for row in connection.execute(select(RUNS.c.id).order_by(newest_first).limit(_SCREENED))]
    if not known:
        raise RunError(f"there is no run {said}: the store has no runs yet; start one first")
    if found and wanted:
        raise RunError(f"{len(found)} runs begin with {said}: {_listed([run.id for run in found])}; type more of it")
    near = difflib.get_close_matches(wanted, known, n=_SHOWN, cutoff=0.5) or known[:_SHOWN]
    raise RunError(f"there is no run {said}; closest or newest runs: {_listed(near)}")


def last_run(connection: Connection) -> RunRecord | None:
    """Return the newest run that is not part of another, whose id would be that one's with a number behind it."""
    query = select(RUNS).order_by(RUNS.c.id.like("%.%"), RUNS.c.created_at.desc(), RUNS.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _run_of(row)


def load_tree(connection: Connection, run_id: str) -> Task:
    """Return the root of a run's tree.

    Raises:
        RunError: if there is no such run.
        StoreError: if its tree is damaged.
    """
    lineage = require_run(connection, run_id)
    return tree_of_rows(task_rows(connection, lineage), run_id=run_id)


def task_rows(connection: Connection, lineage: Lineage, ids: Collection[str] | None = None) -> Sequence[Sequence[Any]]:
    """Return the tasks of a run, or those with these ids, as rows with all their texts, in the order of `TASK_COLUMNS`.

    Raises:
        StoreError: if one is damaged.
    """
    query = select(*(TASKS.c[name] for name in TASK_COLUMNS)).where(TASKS.c.run_id == lineage.run_id)
    if ids is not None:
        query = query.where(TASKS.c.id.in_(ids))
    return whole(connection.execute(query), lineage.run_id, partial(texts_of, connection, lineage))


def texts_of(connection: Connection, lineage: Lineage, wanted: Collection[str]) -> dict[str, str]:
    """Return texts that a run has, as they are stored, by their hashes."""
    found: dict[str, str] = {}
    query = select(TEXTS.c.sha256, TEXTS.c.content).where(lineage.rows_of(TEXTS))
    ordered = sorted(wanted)
    for start in range(0, len(ordered), _ASKED_BY_NAME):
        some = query.where(TEXTS.c.sha256.in_(ordered[start : start + _ASKED_BY_NAME]))
        found.update((sha256, content) for sha256, content in connection.execute(some))
    return found


def list_calls(connection: Connection, run_id: str, task_id: str | None) -> list[CallRecord]:
    """Return the calls of a run, or of one of its tasks, in the order in which they were made.

    Raises:
        RunError: if there is no such run.
    """
    lineage = require_run(connection, run_id)
    query = select(CALLS).where(lineage.rows_of(CALLS))
    if task_id is not None:
        query = query.where(CALLS.c.task_id == task_id)
    order = (CALLS.c.started_at, CALLS.c.task_id, CALLS.c.attempt, CALLS.c.sample, CALLS.c.step)
    found = [(row, load_json(row["request"])) for row in connection.execute(query.order_by(*order)).mappings()]
    wanted = {sha256 for _, request in found for sha256 in references_of(request)}
    texts = {sha256: decode_text(text) for sha256, text in texts_of(connection, lineage, wanted).items()}
    return [call_of(row, join_texts(request, texts), lineage) for row, request in found]


def models_asked(connection: Connection, run_id: str) -> list[str]:
    """Return the names of the models that answered calls of a run, in order."""
    query = select(CALLS.c.model).where(_lineage(connection, run_id).rows_of(CALLS)).group_by(CALLS.c.model)
    return [decode_text(name) for (name,) in connection.execute(query.order_by(func.min(CALLS.c.started_at)))]


def begun_types(connection: Connection, run_id: str, most: int) -> list[str | None]:
    """Return the types of the tasks of a run that have begun, of no more than `most` of them, each once."""
    specs = select(TASKS.c.spec).where(TASKS.c.run_id == run_id, TASKS.c.started_at.is_not(None))
    rows = connection.execute(specs.order_by(TASKS.c.id).limit(most))
    return list(dict.fromkeys(load_json(spec).get("type") for (spec,) in rows))


def last_attempts(connection: Connection, run_id: str) -> dict[str, int]:
    """Return the last attempt with a reply for each task of a run, without plans."""
    query = select(CALLS.c.task_id, func.max(CALLS.c.attempt)).where(_lineage(connection, run_id).rows_of(CALLS))
    rows = connection.execute(
        query.where(CALLS.c.purpose.not_in(("decompose", "fit", "replan", STEER))).group_by(CALLS.c.task_id)
    )
    return {task_id: int(attempt) for task_id, attempt in rows}


def list_events(
    connection: Connection, run_id: str, after: int, limit: int | None = None, task_id: str | None = None
) -> list[EventRecord]:
    """Return the events of a run, or of one of its tasks, whose number is above `after`, in order; `limit` at most.

    Raises:
        RunError: if there is no such run.
    """
    lineage = require_run(connection, run_id)
    query = select(EVENTS).where(EVENTS.c.seq > after).limit(limit)
    return _events(connection, lineage, query if task_id is None else query.where(EVENTS.c.task_id == task_id))


def list_events_of(connection: Connection, run_id: str, types: Collection[str], after: int) -> list[EventRecord]:
    """Return the events of a run of these `types` after number `after`."""
    are_wanted = (EVENTS.c.seq > after, EVENTS.c.type.in_([str(each) for each in types]))
    return _events(connection, _lineage(connection, run_id), select(EVENTS).where(*are_wanted))


def _events(connection: Connection, lineage: Lineage, query: Select[Any]) -> list[EventRecord]:
    found = []
    for row in connection.execute(query.where(lineage.rows_of(EVENTS)).order_by(EVENTS.c.seq)):
        data = load_json(row.data)
        if row.type in _PAID and (source := lineage.taken_from(row.seq)) is not None:
            data = taken_over(data, source)
        found.append(EventRecord(seq=row.seq, at=row.at, type=row.type, task_id=row.task_id, data=data))
    return found


@collector_at_rest()
def read_run(connection: Connection, run_id: str) -> StoredRun:
    """Return all of a run; on a snapshot's connection, it is of one instant.

    Raises:
        RunError: if there is no such run.
        StoreError: if its tree is damaged.
    """
    require_run(connection, run_id)
    return StoredRun(
        record=find_run(connection, run_id),
        root=load_tree(connection, run_id),
        calls=tuple(list_calls(connection, run_id, None)),
        steps=tuple(list_steps(connection, run_id, None)),
        events=tuple(list_events(connection, run_id, 0)),
    )


def list_steps(connection: Connection, run_id: str, task_id: str | None, *, effects: bool = False) -> list[StepRecord]:
    """Return the steps of a run, or of one of its tasks, or only its `effects`, in the order in which they were taken.

    Raises:
        RunError: if there is no such run.
    """
    require_run(connection, run_id)
    query = select(STEPS).where(STEPS.c.run_id == run_id)
    if task_id is not None:
        query = query.where(STEPS.c.task_id == task_id)
    if effects:
        query = query.where(STEPS.c.state.is_not(None) | STEPS.c.ended_at.is_(None))
    order = (STEPS.c.started_at, STEPS.c.task_id, STEPS.c.attempt, STEPS.c.key)
    return [
        StepRecord(
            key=StepKey(row.task_id, row.attempt, row.key),
            input=None if row.input is None else load_json(row.input),
            output=None if row.output is None else load_json(row.output),
            started_at=row.started_at,
            ended_at=row.ended_at,
            kind=row.kind or _older_kind(row),
            may_repeat=_may_repeat(row.may_repeat, is_over=row.ended_at is not None),
            is_unknown=row.state == "unknown",
            idempotency_key=row.idempotency_key,
        )
        for row in connection.execute(query.order_by(*order))
    ]


def _older_kind(row: Row[Any]) -> StepKind:
    """Return what a step is that does not say so: in older stores only calls of tools belong to one attempt."""
    return "call" if row.state is None and row.ended_at is None and row.attempt else "step"


def _may_repeat(stored: str | None, *, is_over: bool) -> MayRepeat:
    """Return whether a step may be repeated; older stores say only of those that were begun that they may not."""
    if stored == "with_key":
        return "with_key"
    return stored is None and is_over


def read_memory(connection: Connection, scope: str) -> dict[str, Any]:
    """Return what is kept in a scope, by key."""
    rows = connection.execute(select(MEMORY.c.key, MEMORY.c.value).where(MEMORY.c.scope == scope))
    return {decode_text(key): load_json(value) for key, value in rows}


def require_run(connection: Connection, run_id: str) -> Lineage:
    """Return where the rows of the run with that id are.

    Raises:
        RunError: if there is none.
    """
    lineage = lineage_of(connection, run_id)
    if lineage is None:
        find_run(connection, run_id)
        raise RunError(f"there is no run {run_id!r}; use its whole id")
    return lineage


def _lineage(connection: Connection, run_id: str) -> Lineage:
    return lineage_of(connection, run_id) or Lineage(run_id)


def faults_of(connection: Connection) -> list[str]:
    """Return what is damaged in the store; empty if nothing is."""
    return [*_file_faults(connection), *_tree_faults(connection)]


def _file_faults(connection: Connection) -> Iterator[str]:
    if connection.dialect.name != "sqlite":
        return
    for (words,) in connection.execute(text("PRAGMA integrity_check")):
        if words != "ok":
            yield str(words)
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"row {row[1]} of {row[0]} belongs to a run that does not exist"


def _tree_faults(connection: Connection) -> Iterator[str]:
    parent = TASKS.alias()
    is_parent = (parent.c.run_id == TASKS.c.run_id) & (parent.c.id == TASKS.c.parent_id)
    orphans = (
        select(TASKS.c.run_id, TASKS.c.id, TASKS.c.parent_id)
        .outerjoin(parent, is_parent)
        .where(TASKS.c.parent_id.is_not(None), parent.c.id.is_(None))
    )
    for run_id, task_id, parent_id in connection.execute(orphans):
        yield f"run {run_id}: task {task_id} belongs below task {parent_id}, which does not exist"
    is_root = (TASKS.c.run_id == RUNS.c.id) & TASKS.c.parent_id.is_(None)
    roots = func.count(TASKS.c.id)
    for run_id, count in connection.execute(
        select(RUNS.c.id, roots).outerjoin(TASKS, is_root).group_by(RUNS.c.id).having(roots != 1)
    ):
        yield f"run {run_id} has {count} root tasks instead of one"


def call_of(row: RowMapping, request: Mapping[str, Any], lineage: Lineage) -> CallRecord:
    """Return a row of the journal as a run has it as a record; `request` is its request with the texts put back."""
    reply = load_json(row["reply"])
    if (source := lineage.taken_from(row["seq"])) is not None:
        reply.setdefault("taken_from", source)
    return CallRecord(
        key=CallKey(*(row[name] for name in CallKey._fields)),
        model=decode_text(row["model"]),
        prompt_version=row["prompt_version"],
        prompt_sha256=row["prompt_sha256"],
        request=request,
        reply=reply,
        started_at=row["started_at"],
        latency_s=row["latency_s"],
    )


def _run_of(row: RowMapping) -> RunRecord:
    fields: dict[str, Any] = {name: decode_field(name, row[name]) for name in RUN_FIELDS}
    return RunRecord(**fields)


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
