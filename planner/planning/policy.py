"""A policy: what is done with a task next, and what after it has failed; it decides, and does nothing.

It knows no loop, no clock, no store and no model. The run loop carries out what it decides, within the limits of the
task: a policy can give a task up early, and never have it tried more often than its limits allow.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ramify.planner.errors import TooLongError
from ramify.tasks import Task


class Verb(StrEnum):
    """What can be done with a task."""

    SPLIT = "split"
    STREAM = "stream"
    """The task is split, and its subtasks are attached, and begin, while their plan is still being written."""
    EXECUTE = "execute"
    COMPOSE = "compose"
    REPLAN = "replan"
    STEER = "steer"
    """What is open of the plan is changed as a person wants it; no policy says so."""

    splits: bool
    """Whether it is a way to split a task."""
    plans: bool
    """Whether its outcome is a plan, or changes of one, for which the planner is asked."""

    def __init__(self, value: str) -> None:
        self.splits = value in {"split", "stream"}
        self.plans = self.splits or value in {"replan", "steer"}


class Recovery(StrEnum):
    """What can be done after an attempt at a task has failed."""

    RETRY = "retry"
    """The same is tried again."""
    SPLIT = "split"
    """The task is split, and its subtasks are done instead; it fails if it turns out to be atomic."""
    REPLAN = "replan"
    """What is still open of the plan that the task is part of is planned anew; it fails if no such plan is found."""
    FAIL = "fail"
    """The task has failed; whether its parent fails too, or is composed from what there is, is for the run to say."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed.

    Attributes:
        verb: what was being done.
        error: why it failed.
        can_retry: whether another attempt may end better, and the limits of the task leave one.
        can_split: whether what is said of the recovery of the task has it split instead of failing, and it may be.
        can_replan: whether that has the plan around it changed, and this is left.
    """

    verb: Verb
    error: Exception
    can_retry: bool
    can_split: bool = False
    can_replan: bool = False


class Policy(Protocol):
    """Says what is done with the tasks of a run."""

    plans_ahead: bool
    """Whether all that is to be split is split, level by level, before anything else is done; otherwise the policy is
    asked about each task when it is ready. A class of one's own need not say it."""

    def next(self, task: Task) -> Verb:
        """Return what is done with `task`, which is OPEN; it is not asked again about one that stays whole."""

    def after(self, task: Task, failure: Failure) -> Recovery:
        """Return what is done with `task` after an attempt has failed."""


def whole(task: Task) -> Verb:
    """Return what is done with a task that is not to be split."""
    return Verb.EXECUTE if task.is_leaf else Verb.COMPOSE


def next_step(failure: Failure) -> Recovery:
    """Return the next step of recovery: another attempt, a split, another plan; what is too long is done in parts.

    >>> next_step(Failure(Verb.EXECUTE, ValueError(), can_retry=False, can_replan=True))
    <Recovery.REPLAN: 'replan'>
    """
    if isinstance(failure.error, TooLongError) and failure.error.parts:
        return Recovery.SPLIT
    if failure.can_retry:
        return Recovery.RETRY
    if failure.can_split:
        return Recovery.SPLIT
    return Recovery.REPLAN if failure.can_replan else Recovery.FAIL


class Direct:
    """The policy of a tree that is run as it is: nothing is split."""

    plans_ahead = False

    def next(self, task: Task) -> Verb:
        """Execute a leaf, compose what has subtasks."""
        return whole(task)

    def after(self, task: Task, failure: Failure) -> Recovery:  # noqa: ARG002 - the same for every task
        """Go on as far as the settings of the task say."""
        return next_step(failure)
