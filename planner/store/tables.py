"""The tables, as SQLModel classes: today's schema, whose number `ramify.planner.store.migrations` gives.

Times are seconds since 1970, UTC, as floats. JSON is text, so that both databases store the same characters. A text
that a person, a file or a model wrote goes through `ramify.planner.store.texts`. Only `ramify.planner.store` imports
this, and only when a store is opened: it loads SQLModel.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Index, MetaData, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

_RUN = "ramify_runs.id"


class _Table(SQLModel, registry=registry()):
    """Tables of their own registry: a program's other SQLModel tables are none of ours."""


class MetaRow(_Table, table=True):
    """One row: which schema this is."""

    __tablename__: ClassVar[str] = "ramify_meta"

    id: int = Field(default=1, primary_key=True)
    schema_version: int


class RunRow(_Table, table=True):
    """A run, who holds it, and what somebody outside asks of it."""

    __tablename__: ClassVar[str] = "ramify_runs"

    id: str = Field(primary_key=True, sa_type=Text)
    goal: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    phase: str = Field(sa_type=Text)
    model: str | None = Field(sa_type=Text)
    made_by: str | None = Field(sa_type=Text)
    settings: str = Field(sa_type=Text)
    nonce_seed: str = Field(sa_type=Text)
    created_at: float = Field(index=True)
    updated_at: float
    finished_at: float | None
    error: str | None = Field(sa_type=Text)
    usage: str | None = Field(sa_type=Text)
    holder: str | None = Field(sa_type=Text)
    lease_token: int = Field(default=0, sa_type=BigInteger)
    heartbeat_at: float | None
    controls: str | None = Field(default=None, sa_type=Text)
    forked_from: str | None = Field(default=None, sa_type=Text)
    forked_seq: int | None = Field(default=None, sa_type=BigInteger)


class TaskRow(_Table, table=True):
    """A task as it stands now; `spec` is JSON of what a run does not change, without what is left at its default."""

    __tablename__: ClassVar[str] = "ramify_tasks"

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    parent_id: str | None = Field(sa_type=Text)
    position: int = Field(sa_type=BigInteger)
    origin: str = Field(sa_type=Text)
    content: str = Field(sa_type=Text)
    spec: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    result: str = Field(sa_type=Text)
    output: str | None = Field(sa_type=Text)
    gaps: str | None = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)
    attempts: int = Field(sa_type=BigInteger)
    usage: str | None = Field(sa_type=Text)
    started_at: float | None
    completed_at: float | None
    updated_at: float | None


class CallRow(_Table, table=True):
    """The journal: one model call whose reply arrived. The key is what resume, caching and replay look up.

    `seq` is the number of an event that was written together with it.
    """

    __tablename__: ClassVar[str] = "ramify_calls"

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    task_id: str = Field(primary_key=True, sa_type=Text)
    purpose: str = Field(primary_key=True, sa_type=Text)
    attempt: int = Field(primary_key=True, sa_type=BigInteger)
    sample: int = Field(primary_key=True, sa_type=BigInteger)
    step: int = Field(primary_key=True, sa_type=BigInteger)
    request_sha256: str = Field(primary_key=True, sa_type=Text, index=True)
    model: str = Field(sa_type=Text)
    prompt_version: str = Field(sa_type=Text)
    prompt_sha256: str = Field(sa_type=Text)
    request: str = Field(sa_type=Text)
    reply: str = Field(sa_type=Text)
    started_at: float
    latency_s: float
    seq: int | None = Field(default=None, sa_type=BigInteger)


class TextRow(_Table, table=True):
    """A long text that calls of a run refer to."""

    __tablename__: ClassVar[str] = "ramify_texts"

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    sha256: str = Field(primary_key=True, sa_type=Text)
    content: str = Field(sa_type=Text)


class EventRow(_Table, table=True):
    """What happened in a run, numbered from 1."""

    __tablename__: ClassVar[str] = "ramify_events"

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: float
    type: str = Field(sa_type=Text)
    task_id: str | None = Field(sa_type=Text)
    data: str = Field(sa_type=Text)


class StepRow(_Table, table=True):
    """A step that a worker took and that is not taken again; `input` and `output` are JSON, or empty.

    `kind`, `state` and `may_repeat` are empty for a worker's own step that may simply be taken again.
    """

    __tablename__: ClassVar[str] = "ramify_steps"

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    task_id: str = Field(primary_key=True, sa_type=Text)
    attempt: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True, sa_type=Text)
    input: str | None = Field(sa_type=Text)
    output: str | None = Field(sa_type=Text)
    started_at: float
    ended_at: float | None
    kind: str | None = Field(sa_type=Text)
    state: str | None = Field(sa_type=Text)
    may_repeat: str | None = Field(sa_type=Text)
    idempotency_key: str | None = Field(sa_type=Text)


class MemoryRow(_Table, table=True):
    """What workers keep between tasks: `scope` is the id of a run, or "permanent" for what outlives all runs."""

    __tablename__: ClassVar[str] = "ramify_memory"

    scope: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)
    updated_at: float


class ShareRow(_Table, table=True):
    """A fork has what the run `source_id` had written with its event `until`, besides what it has itself."""

    __tablename__: ClassVar[str] = "ramify_shares"

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    source_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text, index=True)
    until: int = Field(sa_type=BigInteger)


class TimeRow(_Table, table=True):
    """How many tasks of one kind a run has finished, and how long they took together; `at` is when that was written."""

    __tablename__: ClassVar[str] = "ramify_times"
    __table_args__ = (Index("ix_ramify_times_model_at", "model", "at"),)

    run_id: str = Field(primary_key=True, foreign_key=_RUN, ondelete="CASCADE", sa_type=Text)
    type: str = Field(primary_key=True, sa_type=Text)
    is_composed: bool = Field(primary_key=True)
    model: str = Field(sa_type=Text)
    tasks: int = Field(sa_type=BigInteger)
    seconds: float
    at: float


METADATA: MetaData = _Table.metadata


META, RUNS, TASKS, CALLS, TEXTS, EVENTS, STEPS, MEMORY, SHARES, TIMES = (
    METADATA.tables[row.__tablename__]
    for row in (MetaRow, RunRow, TaskRow, CallRow, TextRow, EventRow, StepRow, MemoryRow, ShareRow, TimeRow)
)
