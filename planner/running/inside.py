"""What a run and the runs inside it share: the accounts, the places for tasks, and who does these."""

import asyncio
from dataclasses import dataclass
from typing import cast

from ramify.planner.asking.budget import Budget
from ramify.planner.work.context import WorkContext
from ramify.planner.workers import Workers
from ramify.planner.workers.services import services_of
from ramify.tasks import Task

from .run_settings import RunSettings


@dataclass(frozen=True, slots=True)
class Outer:
    """What a run takes from the one that it is part of.

    Attributes:
        budget: the accounts there, which hold here too.
        task: the task there that this run is done for.
        slots: places for tasks, shared by all runs that are part of it.
    """

    budget: Budget
    task: Task
    slots: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class Inner:
    """What a run has for those that are part of it.

    Attributes:
        settings: how it runs itself.
        workers: who does which type of task.
        slots: places for tasks, shared by all runs that are part of it.
    """

    settings: RunSettings
    workers: Workers
    slots: asyncio.Semaphore


def inner_of(context: WorkContext) -> Inner:
    """Return what the run of a context has for runs that are part of it."""
    return cast("Inner", services_of(context).inner)
