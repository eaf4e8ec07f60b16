"""What a task is made of: its fields, and what each of them may hold."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator
from ramify.prompts import Material
from ramify.prompts.whole_text import Text, whole_text
from ramify.tasks.checks import Check
from ramify.tasks.errors import TaskError
from ramify.tasks.json_data import NotJsonError, as_json

from .bounds import MOST_SECONDS
from .config import NO_CONFIG, NO_USAGE, TaskConfig, Usage
from .states import TaskState, read_state

MemoryScope = Literal["run", "permanent"]
Origin = Literal["planned", "added"]


_DATA = ("output", "inputs", "metadata")


def _check_content(content: str) -> str:
    if not content.strip():
        raise ValueError("a task's content cannot be blank")
    return whole_text(content)


def check_id(task_id: str) -> str:
    """Return `task_id`, or raise `ValueError` if it cannot be an id."""
    if not task_id.strip() or not task_id.isprintable():
        raise ValueError(f"a task's id must be printable text, not {task_id!r}")
    return task_id


TaskId = Annotated[str, AfterValidator(check_id)]


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


class TaskFields(BaseModel):
    """The fields of a task; `Task` gives them their meaning.

    Attributes:
        content: what is to be done; never blank. Without it, `description` or else `name` is taken.
        id: `"0"` for a root made by the planner, children `"<parent>.<i>"` from 1; a uuid when nobody says. Used once
            in a tree.
        state: where it stands; a new task is OPEN.
        type: which worker runs it; None is the model.
        dependencies: ids of the tasks whose results it needs, anywhere in its tree but above or below itself.
        result: the answer as text; empty as long as there is none.
        output: the structured answer, where a schema or a worker gives one.
        gaps: what the answer does not cover, or is unsure of, as its model says; for people, and never handed on.
        inputs: arguments; a key `"<child name>.<key>"` is routed to the subtask of that name.
        name: a short name; inputs are routed by it.
        description: words about the task for people.
        priority: of tasks that are ready, those with the higher one start first.
        expected_seconds: how long its own work will take: its execution, or composing it from its subtasks. Of ready
            tasks of one priority, those start first from which the longest way leads to the end. None is not known.
        metadata: the user's own data, kept and exported, never read.
        attachments: documents for this task and everything below it.
        error: why it failed; None if it did not.
        attempts: attempts that have ended, failed ones included.
        usage: what its model calls have used, in the run that it is part of.
        config: its limits, inherited by everything below it.
        checks: what its answer has to pass.
        memory_scope: what its worker's memory lives as long as: the run, or for ever.
        origin: "planned" before the run started, or "added" while it was running.
        created_at: when it was made, UTC.
        updated_at: when its state or result last changed, UTC.
        started_at: when it was last set RUNNING, UTC.
        completed_at: when it was last set DONE or FAILED, UTC.
    """

    model_config = ConfigDict(validate_assignment=True, extra="forbid")

    content: Annotated[str, AfterValidator(_check_content)]
    id: TaskId = Field(default_factory=lambda: str(uuid4()))
    state: TaskState = TaskState.OPEN
    type: Text | None = None
    dependencies: list[str] = Field(default_factory=list)
    result: Text = ""
    output: JsonValue = None
    gaps: tuple[str, ...] = ()
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    name: Text | None = None
    description: Text | None = None
    priority: int = 0
    expected_seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)] | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    attachments: tuple[Material, ...] = ()
    error: Text | None = None
    attempts: Annotated[int, Field(ge=0)] = 0
    usage: Usage = NO_USAGE
    config: TaskConfig = NO_CONFIG
    checks: tuple[Check, ...] = ()
    memory_scope: MemoryScope = "run"
    origin: Origin = "planned"
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def duration_s(self) -> float | None:
        """The seconds from its start to its end; None if it has not ended."""
        has_ended = self.state is TaskState.DONE or self.state is TaskState.FAILED
        if not has_ended or self.started_at is None or self.completed_at is None:
            return None
        return max(0.0, (self.completed_at - self.started_at).total_seconds())

    @field_validator(*_DATA, mode="before")
    @classmethod
    def _read_data(cls, value: Any, info: ValidationInfo) -> Any:
        return as_json(value, str(info.field_name))

    @field_validator("state", mode="before")
    @classmethod
    def _read_state(cls, value: Any) -> Any:
        try:
            return read_state(value)
        except TaskError as error:
            raise ValueError(str(error)) from None

    @field_validator("memory_scope", mode="before")
    @classmethod
    def _read_memory_scope(cls, value: Any) -> Any:
        return "run" if value == "session" else value


def keep_data(task: TaskFields) -> None:
    """Take the data of `task` as it is stored, as it may have been changed in place since it was given.

    Raises:
        TaskError: if JSON cannot hold it; the place is named.
    """
    values = task.__dict__
    if not (values["output"] or values["inputs"] or values["metadata"]):
        return
    try:
        values.update({name: as_json(values[name], name) for name in _DATA if values[name]})
    except NotJsonError as error:
        raise TaskError(f"task {task.id} has a value that cannot be stored: {error}") from None
