"""How a run is forked: a new run goes on from where another one stands, with what is different in it; that one stays.

A fork has the finished work of the run that it is made of, and has paid nothing for it: its costs and limits begin at
zero. The edit that it begins with is written together with it, so that nobody ever meets a fork without.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.stored_agent import StoredAgent
from ramify.planner.models.protocol import Model
from ramify.planner.store import Change, NewFork, RunRecord, Store, StoreReader
from ramify.planner.workers.built_in import MODEL
from ramify.tasks import Task

from .editing import changes_of
from .resuming import Carrier, ResumeOptions, carrier_of, edit_of
from .session import Session


def new_run_id() -> str:
    """Return an id for a new run."""
    return f"r{uuid4().hex[:10]}"


def forked_session(
    opened: Store, found: RunRecord, options: ResumeOptions, *, store: str | Path | None, run_id: str
) -> Session:
    """Return the session that carries a fork of the run `found` on; the fork is on disk then, and `found` as it was.

    Args:
        opened: the store, which the session takes.
        found: the run that is forked.
        options: what is different in the fork.
        store: where the store is, as it was given.
        run_id: the id of the fork.
    """
    carrier, edit = _alone(carrier_of(opened, found, options, store=store), options), edit_of(options)
    root = opened.load_tree(found.id)
    _check_forks(root, carrier, found.id)

    def edited(reader: StoreReader, next_seq: Callable[[], int]) -> list[Change]:
        redact = carrier.grants.redactor.text
        return changes_of(edit, reader, run_id, check=carrier.check, next_seq=next_seq, redact=redact)

    if not edit:
        carrier.check(root)
    opened.fork_run(_fork(carrier, found, options, run_id), edited if edit else None)
    read_at = opened.last_seq(run_id)
    return carrier.session(opened.find_run(run_id), opened.load_tree(run_id), read_at)


def _alone(carrier: Carrier, options: ResumeOptions) -> Carrier:
    """Return who carries the fork on; it is part of no other run, and its settings name the agent that it is given."""
    changes: dict[str, Any] = {"inside": ""}
    if isinstance(options.get("agent"), Agent | Model):
        changes["agent"] = StoredAgent.of(carrier.agent)
    return replace(carrier, settings=carrier.settings.model_copy(update=changes))


def _fork(carrier: Carrier, found: RunRecord, options: ResumeOptions, run_id: str) -> NewFork:
    """Return the fork as it is stored."""
    is_same, agent = options.get("agent") is None, carrier.agent
    return NewFork(
        id=run_id,
        forked_from=found.id,
        created_at=time.time(),
        model=found.model if is_same else agent.model.name,
        made_by=found.made_by if is_same else agent.model.maker,
        settings=carrier.settings.model_dump(mode="json"),
    )


def _check_forks(root: Task, carrier: Carrier, run_id: str) -> None:
    """Raise if a worker says that its tasks cannot be forked; one task of each type is looked at."""
    for name, task in {task.type or MODEL: task for task in root.walk()}.items():
        if (worker := carrier.workers.get(name)) is not None:
            worker.check_fork(task, run_id=run_id)
