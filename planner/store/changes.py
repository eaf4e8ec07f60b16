"""Changes to a run that a writer is given: small, frozen, and snapshots of live objects at the moment they are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypedDict, Unpack

from ramify.tasks.tree.config import Usage
from ramify.tasks.tree.task import Task
from ramify.tasks.tree.times import Kind, Took

from .control import Action
from .fields import encode_field
from .records import CallRecord, EventRecord, MayRepeat, RunStatus, StepRecord
from .rows import Row, position_of, progress_of, row_of, spec_of
from .texts import dump_json, encode_text, share_texts

_MAY_REPEAT: Mapping[MayRepeat, str] = {False: "no", "with_key": "with_key"}


class RunFields(TypedDict, total=False):
    """What can be changed of a run; names and meanings are those of `RunRecord`."""

    status: RunStatus
    phase: str
    goal: str
    model: str | None
    made_by: str | None
    settings: Mapping[str, Any]
    finished_at: float | None
    error: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class RunChanged:
    """The run itself has changed; `columns` are what is written."""

    columns: Mapping[str, Any]

    @classmethod
    def of(cls, **fields: Unpack[RunFields]) -> Self:
        """Note the fields that have changed, and only these."""
        return cls({name: encode_field(name, value) for name, value in fields.items()})


@dataclass(frozen=True, slots=True)
class ControlsDone:
    """What somebody outside has asked of the run has been done, or means nothing any more.

    Attributes:
        ids: which, by their ids.
        actions: and all that is of one of these.
    """

    ids: frozenset[str] = frozenset()
    actions: frozenset[Action] = frozenset()


@dataclass(frozen=True, slots=True)
class TaskAdded:
    """A task is new in the tree."""

    row: Row

    @classmethod
    def of(cls, task: Task) -> Self:
        """Note the whole task, and its place below its parent.

        Raises:
            UsageError: if it holds what cannot be written as JSON.
        """
        return cls(row_of(task, position_of(task)))


class TaskChanged(NamedTuple):
    """A task has come further: its state, result, output, error, attempts, usage or times have changed."""

    task_id: str
    progress: Row

    @classmethod
    def of(cls, task: Task) -> Self:
        """Note how far the task has come.

        Raises:
            UsageError: if its output cannot be written as JSON.
        """
        return cls(task.id, progress_of(task))


@dataclass(frozen=True, slots=True)
class TaskEdited:
    """A task is now a different one: its content, its place, or anything else that a run does not change."""

    task_id: str
    row: Row

    @classmethod
    def of(cls, task: Task) -> Self:
        """Note the task as it is now; how far it has come is not looked at.

        Raises:
            UsageError: if it holds what cannot be written as JSON.
        """
        parent_id = None if task.parent is None else task.parent.id
        return cls(task.id, (parent_id, position_of(task), encode_text(task.content), spec_of(task)))


@dataclass(frozen=True, slots=True)
class CallMade:
    """A model's reply has arrived; `texts` are the long texts that the row refers to, by hash."""

    row: Row
    texts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, call: CallRecord) -> Self:
        """Note the call.

        Raises:
            UsageError: if the request or the reply cannot be written as JSON.
        """
        what = f"task {call.key.task_id}: a call's"
        request, texts = share_texts(call.request)
        row = (
            *call.key,
            encode_text(call.model),
            call.prompt_version,
            call.prompt_sha256,
            dump_json(request, what=f"{what} request"),
            dump_json(call.reply, what=f"{what} reply"),
            call.started_at,
            call.latency_s,
        )
        return cls(row, texts)


class EventHappened(NamedTuple):
    """Something has happened."""

    row: Row

    @classmethod
    def of(cls, event: EventRecord) -> Self:
        """Note the event.

        Raises:
            UsageError: if its data cannot be written as JSON.
        """
        data = dump_json(event.data, what=f"event {event.seq}: its data") if event.data else "{}"
        return cls((event.seq, event.at, str(event.type), event.task_id, data))


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A step has begun, or is done; the later one of two with the same key holds."""

    row: Row

    @classmethod
    def of(cls, step: StepRecord) -> Self:
        """Note the step as it stands.

        Raises:
            UsageError: if its input or output cannot be written as JSON.
        """
        what = f"task {step.key.task_id}: the step {step.key.key}: its"
        given = None if step.input is None else dump_json(step.input, what=f"{what} input")
        output = None if step.output is None else dump_json(step.output, what=f"{what} output")
        kind = None if step.kind == "step" else step.kind
        told = (step.state, _MAY_REPEAT[step.may_repeat]) if step.is_effect else (None, None)
        return cls((*step.key, given, output, step.started_at, step.ended_at, kind, *told, step.idempotency_key))


@dataclass(frozen=True, slots=True)
class StepsForgotten:
    """The steps of a task do not count any more: the task is done anew."""

    task_id: str


@dataclass(frozen=True, slots=True)
class MemorySet:
    """A value is kept under a key; None as `value` deletes it."""

    scope: str
    key: str
    value: str | None
    at: float

    @classmethod
    def of(cls, scope: str, key: str, value: Any, *, at: float) -> Self:
        """Note the value.

        Raises:
            UsageError: if it cannot be written as JSON.
        """
        return cls(scope, encode_text(key), None if value is None else dump_json(value, what=f"memory {key!r}"), at)


@dataclass(frozen=True, slots=True)
class MemoryCleared:
    """Nothing is kept in a scope any more."""

    scope: str


class TimesLearned(NamedTuple):
    """What the finished tasks of a kind took in this run; the later word of one kind holds."""

    row: Row

    @classmethod
    def of(cls, kind: Kind, took: Took, *, model: str, at: float) -> Self:
        """Note it, under the name of the model that did them; empty for tasks that no model does."""
        name, is_composed = kind
        return cls((encode_text(name), is_composed, encode_text(model), took.count, took.seconds, at))


Change = (
    RunChanged
    | ControlsDone
    | TaskAdded
    | TaskChanged
    | TaskEdited
    | CallMade
    | StepTaken
    | StepsForgotten
    | MemorySet
    | MemoryCleared
    | TimesLearned
    | EventHappened
)
