"""Idempotency keys: what names a task, a step or the call of a tool to others, so that they do it once.

A key is made of what it is for and of what that is given, so that it is the same in every attempt and every process,
and another one as soon as something else is to be done.
"""

import hashlib
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from ramify.planner.store.records import StepKey
from ramify.tasks import Task
from ramify.tasks.json_text import json_text

_NAMESPACE = UUID("c3a1b0de-6f0d-5c4e-9a57-52414d494659")


class Taking(NamedTuple):
    """A step that is being taken.

    Attributes:
        scope: the run that it belongs to, as in `key_for`.
        key: the step.
        given: what it depends on, as JSON data.
    """

    scope: str
    key: StepKey
    given: Any = None


TAKING: ContextVar[Taking | None] = ContextVar("ramify_taking", default=None)
"""The step inside which code runs, also in threads."""


def key_for(scope: str, task: Task, given: Sequence[Any], step: Taking | None = None) -> str:
    """Return the key of `task`, or of a step of it, as a UUID.

    Args:
        scope: what tells the run from every other one.
        task: the task; its type, content and documents count.
        given: what it is given, as JSON data: its inputs, and the results that it needs.
        step: the step, with what that is given.

    >>> first = key_for("r1", Task(content="Pay", id="0"), [{"euros": 3}])
    >>> first == key_for("r1", Task(content="Pay", id="0"), [{"euros": 3}])
    True
    >>> first == key_for("r1", Task(content="Pay", id="0"), [{"euros": 4}])
    False
    """
    documents = [[each.name, each.text, each.part] for each in task.attachments]
    taken = None if step is None else [step.key.attempt, step.key.key, step.given]
    words = [scope, task.id, task.type, task.content, documents, *given, taken]
    told = json_text(words, sort_keys=True, ensure_ascii=True, default=str)
    return str(uuid5(_NAMESPACE, hashlib.sha256(told.encode()).hexdigest()))
