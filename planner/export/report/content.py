"""What a report says of a run: worked out once from what is stored, and written in each format from here."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from ramify.planner.asking.budget import total_usage
from ramify.planner.events.controls import controls_of
from ramify.planner.events.events import EventType
from ramify.planner.events.failed_calls import usage_of_failed
from ramify.planner.events.losses import losses_of, losses_text
from ramify.planner.events.methods_used import methods_of
from ramify.planner.events.origins import Origin, origin_of
from ramify.planner.events.warned import warning_lines, warnings_of
from ramify.planner.export.effects import effects_of, effects_text
from ramify.planner.export.formats import save_as
from ramify.planner.export.making import maker_of, makers_of
from ramify.planner.export.run_data import status_of
from ramify.planner.export.times import Timeline, timeline_of
from ramify.planner.export.view import state_counts
from ramify.planner.models.protocol import usage_in
from ramify.planner.runtime.durations import format_duration
from ramify.planner.runtime.version import version
from ramify.planner.store.records import ENDED, CallRecord, EventRecord, RunRecord, RunStatus, StepRecord, StoredRun
from ramify.planner.workers.registry import is_for_model
from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.counting import counted
from ramify.tasks.gaps import gaps_by_kind
from ramify.tasks.tree.collecting import collector_at_rest
from ramify.tasks.tree.partial import plans_that_lack

from .words import when

T = TypeVar("T")

_USUAL = frozenset(
    {
        EventType.TASK_STARTED, EventType.TASK_DONE, EventType.CALL_STARTED, EventType.CALL_DONE,
        EventType.STEP_INTENDED, EventType.STEP_DONE,
    }
)  # fmt: skip
"""Events that come with every task, and say of the whole run no more than how often."""


class ReportedTask(NamedTuple):
    """A task, with what was done for it.

    Attributes:
        task: the task.
        parent: the position of its parent among the report's tasks; -1 for the root.
        depth: its level; the root's is 1.
        duration_s: from its start to its end, in seconds; None if it has not ended.
        made_by: who its result comes from, for people to read; empty if nobody has worked on it.
        note: why it was not split; empty if nobody asked whether it should be.
        methods: the methods that were found for it, and what became of each, in words.
        calls: the calls that were made for it, in order.
        steps: the steps that its worker took, in order.
        events: what happened to it, in order.
    """

    task: Task
    parent: int
    depth: int
    duration_s: float | None
    made_by: str
    note: str
    methods: tuple[str, ...]
    calls: tuple[CallRecord, ...]
    steps: tuple[StepRecord, ...]
    events: tuple[EventRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What one model has made.

    Attributes:
        maker: the model, for people to read.
        answered_as: the names under which it answered, where they are others.
        tasks: tasks that it was asked for.
        taken: replies that were taken from other runs or recordings; they cost nothing.
        usage: what its calls have used, also those that got no reply.
        latency_s: how long they took together, in seconds.
    """

    maker: str
    answered_as: tuple[str, ...]
    tasks: int
    taken: int
    usage: Usage
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUse:
    """One template, and how often it was rendered.

    Attributes:
        name: its name.
        version: its version.
        sha256: the hash of its source.
        calls: calls that it was rendered for.
    """

    name: str
    version: str
    sha256: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What there is to say of a run.

    Attributes:
        run: the run, as it was stored.
        status: where it stands; a run whose process has ended without a word is interrupted.
        tasks: its tasks, parents before their subtasks.
        models: what made its words.
        prompts: the templates that were used.
        usage: what its calls have used.
        timeline: what ran when.
        notable: the events that do not come with every task, in order.
        made_at: when the report was made, in seconds since 1970.
    """

    run: StoredRun
    status: RunStatus
    tasks: tuple[ReportedTask, ...]
    models: tuple[ModelUse, ...]
    prompts: tuple[PromptUse, ...]
    usage: Usage
    timeline: Timeline
    notable: tuple[EventRecord, ...]
    made_at: float

    @property
    def worked_s(self) -> float:
        """How long it was worked on, in seconds, without the time between a stop and a resume."""
        return self.timeline.active_s()

    @property
    def record(self) -> RunRecord:
        """The run without its tasks."""
        return self.run.record

    @property
    def root(self) -> Task:
        """The tree."""
        return self.run.root

    @property
    def origin(self) -> Origin | None:
        """What it was forked from; None if it was not."""
        return origin_of(self.notable)

    @property
    def made_by(self) -> str:
        """What the words come from, for people to read: the models that were asked, or else the workers."""
        return self.timeline.made_by or "not recorded"

    @property
    def answered_by(self) -> str:
        """Who the answer comes from."""
        return self.tasks[0].made_by

    @property
    def written_by(self) -> str:
        """What the report is made with."""
        return f"Ramify {version()}"

    @property
    def answer(self) -> str | None:
        """The answer; None as long as there is none."""
        return self.root.result if self.root.state is TaskState.DONE else None

    @property
    def why_no_answer(self) -> str:
        """What is said in the answer's place."""
        why = f": {self.record.error}" if self.record.error else ""
        yet = "" if self.status in ENDED else " yet"
        return f"There is no answer{yet}; the run is {self.status}{why}"

    def counts(self) -> dict[TaskState, int]:
        """Return how many tasks are in which state."""
        counts = dict.fromkeys(TaskState, 0)
        for each in self.tasks:
            counts[each.task.state] += 1
        return counts

    def save(self, path: str | Path, *, form: str | None = None) -> Path:
        """Write the report to a file; `form` or the ending sets the format: see docs/reference.md.

        Raises:
            UsageError: if there is no such format, or the ending names none.
            ExportError: if the file cannot be written, or needs a package that is not installed.
        """
        return save_as("report", self, path, form=form)

    def facts(self) -> list[tuple[str, str]]:
        """Return what stands at the top of a report, as names and words."""
        facts = [
            ("status", self.status),
            ("forked from", str(self.origin or "")),
            ("made by", self.made_by),
            *work_facts(self.counts(), self.usage, taken=sum(model.taken for model in self.models)),
            ("started", when(self.record.created_at)),
            ("ended", when(self.record.finished_at)),
            ("as of", when(self.made_at) if self.record.finished_at is None else ""),
            ("worked for", f"{format_duration(self.worked_s)}, {self._at_once()}"),
            ("expected", "" if (said := self.timeline.expected_s) is None else format_duration(said)),
            ("critical path", self._critical_path()),
            ("warning", "; ".join(filter(None, (losses_text(losses_of(self.notable)), plans_that_lack(self.root))))),
            *(("warning", line) for line in warning_lines(warnings_of(self.notable))),
            ("error", self.record.error or ""),
            ("effects", effects_text(effects_of(self.run.steps, is_running=self.status == "running"))),
            *(("control", told) for told in controls_of(self.notable)),
            *gaps_by_kind(self.root.gaps),
        ]
        return [(name, words) for name, words in facts if words]

    def _critical_path(self) -> str:
        timeline = self.timeline
        tasks = len(timeline.critical_path)
        return f"{format_duration(timeline.critical_path_s)}, {counted(tasks, 'task')}" if tasks > 1 else ""

    def _at_once(self) -> str:
        return f"at most {counted(self.timeline.most_at_once(), 'task')} at a time"


def work_facts(counts: Mapping[TaskState, int], usage: Usage, *, taken: int = 0) -> list[tuple[str, str]]:
    """Return how many tasks are in which state, and what their calls have used, as names and words.

    Args:
        counts: how many tasks are in which state.
        usage: what their calls have used.
        taken: how many replies were taken from other runs or recordings besides.
    """
    return [
        ("tasks", f"{sum(counts.values()):,}: {state_counts(counts)}"),
        ("calls", f"{usage.calls:,}" + (f", and {taken:,} taken over" if taken else "")),
        ("tokens", f"{usage.input_tokens:,} in{usage.cached_text}, {usage.output_tokens:,} out"),
        ("cost", usage.cost_text if usage.calls else "none"),
    ]


@collector_at_rest()
def report_of(run: StoredRun) -> Report:
    """Return what there is to say of `run`."""
    record, made_at = run.record, time.time()
    status = status_of(record)
    notable = tuple(event for event in run.events if event.type not in _USUAL)
    return Report(
        run=run,
        status=status,
        tasks=tuple(_tasks(run, notable)),
        models=tuple(_models(run, notable)),
        prompts=tuple(_prompts(run.calls)),
        usage=total_usage(run.root),
        timeline=timeline_of(
            run.root,
            run.events,
            made_by=makers_of((call.model for call in run.calls), record, run.root),
            until=made_at if status == "running" else None,
            jobs=record.settings.get("jobs"),
        ),
        notable=notable,
        made_at=made_at,
    )


def usage_of(call: CallRecord) -> Usage:
    """Return what a call has used: nothing, if its reply was taken from another."""
    return usage_in(call.reply)


def _tasks(run: StoredRun, notable: Sequence[EventRecord]) -> Iterator[ReportedTask]:
    calls = _by_task(run.calls, lambda call: call.key.task_id)
    steps = _by_task(run.steps, lambda step: step.key.task_id)
    events = _by_task(run.events, lambda event: event.task_id)
    methods = _by_task(methods_of(notable), lambda use: use.task_id)
    notes = _why_whole(notable)
    maker = cache(partial(_maker_and_origin, record=run.record))
    places: dict[Task | None, int] = {}
    depths = [0]
    for place, task in enumerate(run.root.walk()):
        task_id = task.id
        places[task] = place
        parent = places.get(task.parent, -1)
        depths.append(depths[parent + 1] + 1)
        own = tuple(calls.get(task_id, ()))
        yield ReportedTask(
            task=task,
            parent=parent,
            depth=depths[-1],
            duration_s=task.duration_s,
            made_by=_made_by(task, [maker(call.model, call.reply.get("taken_from")) for call in own]),
            note=notes.get(task_id, ""),
            methods=tuple(use.text for use in methods.get(task_id, ())),
            calls=own,
            steps=tuple(steps.get(task_id, ())),
            events=tuple(events.get(task_id, ())),
        )


def reported_task(
    task: Task,
    record: RunRecord,
    *,
    calls: Sequence[CallRecord] = (),
    steps: Sequence[StepRecord] = (),
    events: Sequence[EventRecord] = (),
) -> ReportedTask:
    """Return a task of the run `record`, alone, with what was done for it; what is not given was not done."""
    makers = [_maker_and_origin(call.model, call.reply.get("taken_from"), record) for call in calls]
    return ReportedTask(
        task=task,
        parent=-1,
        depth=1,
        duration_s=task.duration_s,
        made_by=_made_by(task, makers),
        note=_why_whole(events).get(task.id, ""),
        methods=tuple(use.text for use in methods_of(events)),
        calls=tuple(calls),
        steps=tuple(steps),
        events=tuple(events),
    )


def _by_task(records: Iterable[T], task_of: Callable[[T], str | None]) -> "defaultdict[str | None, list[T]]":
    found: defaultdict[str | None, list[T]] = defaultdict(list)
    for record in records:
        found[task_of(record)].append(record)
    return found


def _made_by(task: Task, made_calls: Iterable[str]) -> str:
    """Return who made the result: a worker of its type, or the models that were asked for it."""
    makers = list(dict.fromkeys(made_calls))
    if not is_for_model(task) and task.started_at is not None:
        makers = [f"worker {task.type}", *makers]
    if not makers and task.state is TaskState.DONE:
        makers = ["not recorded"]
    return ", ".join(makers)


def _maker_and_origin(model: str, taken_from: str | None, record: RunRecord) -> str:
    maker = maker_of(model, record)
    return f"{maker}, taken from {taken_from}" if taken_from else maker


def _models(run: StoredRun, notable: Iterable[EventRecord]) -> Iterator[ModelUse]:
    name_of = cache(partial(maker_of, record=run.record))
    by_maker: defaultdict[str, list[CallRecord]] = defaultdict(list)
    for call in run.calls:
        by_maker[name_of(call.model)].append(call)
    failed: defaultdict[str, list[EventRecord]] = defaultdict(list)
    for event in notable:
        if event.type == EventType.CALL_FAILED and event.data["calls"]:
            failed[name_of(event.data["model"])].append(event)
    for maker in dict.fromkeys([*by_maker, *failed]):
        calls, lost = by_maker[maker], failed[maker]
        names = dict.fromkeys(str(call.reply.get("model", call.model)) for call in calls)
        taken = sum(1 for call in calls if call.reply.get("taken_from"))
        yield ModelUse(
            maker=maker,
            answered_as=tuple(name for name in names if name != calls[0].model),
            tasks=len({call.key.task_id for call in calls} | {str(event.task_id) for event in lost}),
            taken=taken,
            usage=Usage.sum_of([*map(usage_of, calls), *(usage_of_failed(event.data) for event in lost)]),
            latency_s=sum(call.latency_s for call in calls) + sum(event.data["latency_s"] for event in lost),
        )


def _prompts(calls: Iterable[CallRecord]) -> list[PromptUse]:
    uses: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for call in calls:
        uses[call.key.purpose, call.prompt_version, call.prompt_sha256] += 1
    return [
        PromptUse(name=name, version=number, sha256=sha256, calls=calls)
        for (name, number, sha256), calls in sorted(uses.items())
    ]


def _why_whole(events: Iterable[EventRecord]) -> dict[str | None, str]:
    """Return why tasks were not split, by id, where that was asked."""
    found: dict[str | None, str] = {}
    for event in events:
        if event.type == EventType.PLAN_ATOMIC:
            found.setdefault(event.task_id, str(event.data.get("why", "")))
    return found
