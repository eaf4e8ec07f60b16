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

    @property
    def splits(self) -> bool:
        """Whether it is a way to split a task."""
        return self in {Verb.SPLIT, Verb.STREAM}


class Recovery(StrEnum):
    """What can be done after an attempt at a task has failed."""

    RETRY = "retry"
    """The same is tried again."""
    SPLIT = "split"
    """The task is split, and its subtasks are done instead; it fails if it turns out to be atomic."""
    FAIL = "fail"
    """The task has failed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed.

    Attributes:
        verb: what was being done.
        error: why it failed.
        can_retry: whether another attempt may end better, and the limits of the task leave one.
    """

    verb: Verb
    error: Exception
    can_retry: bool


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


def retry_or_fail(failure: Failure) -> Recovery:
    """Return the plain recovery: another attempt while one may end better; what is too long is done in parts."""
    if isinstance(failure.error, TooLongError) and failure.error.parts:
        return Recovery.SPLIT
    return Recovery.RETRY if failure.can_retry else Recovery.FAIL


class Direct:
    """The policy of a tree that is run as it is: nothing is split."""

    plans_ahead = False

    def next(self, task: Task) -> Verb:
        """Execute a leaf, compose what has subtasks."""
        return whole(task)

    def after(self, task: Task, failure: Failure) -> Recovery:  # noqa: ARG002 - the same for every task
        """Try again while that may help."""
        return retry_or_fail(failure)
