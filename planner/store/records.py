"""What goes into and comes out of a store, as data: runs, calls, events. Times are seconds since 1970, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ramify.tasks.tree.config import NO_USAGE, Usage
from ramify.tasks.tree.task import Task

from .control import Control
from .holder import Holder

PERMANENT = "permanent"
"""The scope of what workers keep for ever."""

MayRepeat = bool | Literal["with_key"]
"""Whether a step may be taken again if nobody knows whether it was: always, never, or with its idempotency key."""

StepKind = Literal["step", "call", "task"]
"""What a step is: a step of a worker's own, the call of a tool, or all that a worker does for a task."""

StepState = Literal["intended", "done", "unknown"]
"""What is known of a step: it is to be taken, it was taken, or nobody knows whether it was."""

RunStatus = Literal["running", "done", "partial", "failed", "stopped", "interrupted", "cancelled", "waiting"]

ENDED: frozenset[RunStatus] = frozenset({"done", "partial", "failed"})
"""The statuses of runs that have come to an end by themselves."""

_SAID: dict[RunStatus, str] = {"failed": "failed", "interrupted": "was interrupted", "cancelled": "was cancelled"}


def status_words(status: RunStatus) -> str:
    """Return a status as what is said of a run.

    >>> status_words("failed"), status_words("stopped")
    ('failed', 'is stopped')
    """
    return _SAID.get(status, f"is {status}")


RUNNING_PHASE = "running"
"""The phase of a run whose plan is complete."""

PLANNING_PHASE = "planning"
"""The phase of a run whose plan is not complete yet."""

REVISING_PHASE = "revising"
"""The phase of a run whose plan is to be another one: the last event `plan_revised` says how."""

RUN_FORKED = "run_forked"
"""The type of the event with which a fork begins, after those that it shares."""

PLAN_EDITED = "plan_edited"
"""The type of the event that tells that somebody has changed a plan, or has had tasks done again."""

STEER = "steer"
"""By whom such a change was made, as its event says, if the planner made it as a person wanted: see `--steer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is to be stored.

    Attributes:
        id: its id, used once in a store.
        goal: the root's content, as the user gave it.
        model: the model's name, as users name it; None if it needs none.
        made_by: who the words come from, for people to read.
        settings: everything else that resuming it needs; never a key or another secret.
        nonce_seed: what the delimiters in its prompts are made from.
        status: where it stands.
        phase: what it is doing, in a word.
        created_at: when it was started.
        forked_from: the run that it was forked from; None if it was not.
        forked_seq: the last event of that run that it shares.
    """

    id: str
    goal: str
    created_at: float
    model: str | None = None
    made_by: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    nonce_seed: str = ""
    status: RunStatus = "running"
    phase: str = ""
    forked_from: str | None = None
    forked_seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFork:
    """A run that is to be stored with all that another one has; the fields are those of `NewRun`.

    Attributes:
        id: its id, used once in a store.
        forked_from: the run that it is forked from.
        created_at: when that is done.
        model: the model that goes on with it.
        made_by: who that is, for people to read.
        settings: how it goes on.
    """

    id: str
    forked_from: str
    created_at: float
    model: str | None = None
    made_by: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(NewRun):
    """A run as the store has it: what `NewRun` has, and more.

    Attributes:
        updated_at: when something of it was last written.
        finished_at: when it ended; None if it did not.
        error: why it failed; None if it did not.
        usage: what its model calls had used when it last ended or was stopped; `Store.used_so_far` knows more.
        holder: the process that holds it; None if none does.
        heartbeat_at: when the holder was last heard of.
        controls: what somebody outside asks of it, and has not been done yet.
    """

    updated_at: float
    finished_at: float | None = None
    error: str | None = None
    usage: Usage = NO_USAGE
    holder: Holder | None = None
    heartbeat_at: float | None = None
    controls: tuple[Control, ...] = ()


class CallKey(NamedTuple):
    """What makes a call the same call.

    Attributes:
        task_id: the task that it was made for.
        purpose: the name of the template.
        attempt: the attempt at the task, from 1.
        sample: which of several answers to one question, from 0.
        step: which turn of a loop with tools, from 0.
        request_sha256: the hash of the request.
    """

    task_id: str
    purpose: str
    attempt: int
    sample: int
    step: int
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A model call whose reply arrived.

    Attributes:
        key: what makes it the same call.
        model: the model that was asked, as users name it.
        prompt_version: the template's version.
        prompt_sha256: the hash of the template's source.
        request: what was sent, as JSON data.
        reply: what came back, as JSON data.
        started_at: when it was sent.
        latency_s: how long it took, in seconds.
    """

    key: CallKey
    model: str
    request: Mapping[str, Any]
    reply: Mapping[str, Any]
    started_at: float
    latency_s: float
    prompt_version: str = ""
    prompt_sha256: str = ""


class StepKey(NamedTuple):
    """What makes a worker's step the same step.

    Attributes:
        task_id: the task that it was taken for.
        attempt: the attempt at the task, from 1; 0 for a step that counts for every attempt.
        key: its name, used once in an attempt.
    """

    task_id: str
    attempt: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step that a worker took.

    Attributes:
        key: what makes it the same step.
        input: what it was given, as JSON data; a step of the same key with another input is another step.
        output: what came of it, as JSON data.
        started_at: when it began.
        ended_at: when its output was there; None as long as it is not known to be done.
        kind: what it is.
        may_repeat: whether it may be taken again if nobody knows whether it was.
        is_unknown: whether nobody knows that; else, without an end, it is under way.
        idempotency_key: what names it to others, so that they do it once; None if it may simply be taken again.
    """

    key: StepKey
    input: Any = None
    output: Any = None
    started_at: float
    ended_at: float | None = None
    kind: StepKind = "step"
    may_repeat: MayRepeat = True
    is_unknown: bool = False
    idempotency_key: str | None = None

    @property
    def state(self) -> StepState:
        """What is known of it."""
        if self.ended_at is not None:
            return "done"
        return "unknown" if self.is_unknown else "intended"

    @property
    def is_effect(self) -> bool:
        """Whether it may not simply be taken again, so that it was written down before it was taken."""
        return self.may_repeat is not True


class EventRecord(NamedTuple):
    """Something that happened in a run.

    Attributes:
        seq: its number in the run, from 1, given out by `RunWriter.next_seq`.
        at: when.
        type: what, by name.
        task_id: the task that it happened to; None if it concerns the run.
        data: more about it, as JSON data.
    """

    seq: int
    at: float
    type: str
    task_id: str | None = None
    data: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """All that the store has of one run, as it stood at one instant.

    Attributes:
        record: the run.
        root: its tree.
        calls: its journal, in the order in which the calls were made.
        steps: the steps that its workers have taken, in order.
        events: what happened, in order.
    """

    record: RunRecord
    root: Task
    calls: tuple[CallRecord, ...]
    steps: tuple[StepRecord, ...]
    events: tuple[EventRecord, ...]


class TaskNews(NamedTuple):
    """A task as it stands now, and where it belongs.

    Attributes:
        task: the task, alone.
        parent_id: the task that it is below; None for the root.
    """

    task: Task
    parent_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNews:
    """What is new in a run since an event, as it stood at one instant.

    Attributes:
        record: the run.
        events: the events that have come since, in order.
        tasks: the tasks that they are about.
    """

    record: RunRecord
    events: tuple[EventRecord, ...]
    tasks: tuple[TaskNews, ...]
