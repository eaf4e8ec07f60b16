"""What ran when: the events of a run, read as spans of time for each task, from which timelines are drawn.

    events --timeline_of--> Timeline --> to_timeline_svg, timeline_data

Times are seconds since the run's first event. An attempt that nobody ended, as its process was killed, ends with the
last event before the run was resumed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ramify.planner.events.events import Event, EventType
from ramify.planner.planning.expecting import said_to_take
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.tree.shown import shown_words

from .critical import critical_path_of
from .formats import format_of, save_as
from .labels import one_line
from .shapes import within_cell

SpanKind = Literal["done", "failed", "released", "running", "wait", "plan"]
"""How an attempt ended, or the wait before the next one, or a call made while nothing was attempted: planning."""

_MOST_TITLE_CHARACTERS = 300
_ONE_WAIT_S = 1.0
_ENDS: Mapping[str, SpanKind] = {
    EventType.TASK_DONE: "done",
    EventType.TASK_FAILED: "failed",
    EventType.TASK_RELEASED: "released",
}


class Span(NamedTuple):
    """Something that took from `start_s` to `end_s`, in seconds since the run began."""

    start_s: float
    end_s: float
    kind: SpanKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTask:
    """One task on a timeline.

    Attributes:
        id: the task's id.
        content: what is to be done, whole; empty if the task is in the tree no more.
        state: where it stands.
        spans: attempts, waits and planning, in order.
        calls: `(start, end)` of its model calls.
    """

    id: str
    content: str
    state: TaskState
    spans: tuple[Span, ...]
    calls: tuple[tuple[float, float], ...] = ()

    @property
    def busy_s(self) -> float:
        """How long it was worked on, waits left out."""
        return sum(span.end_s - span.start_s for span in self.spans if span.kind != "wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What ran when in one run.

    Attributes:
        title: what the run was for.
        made_by: what the answers come from; None if that is not known.
        started_at: when it began, in seconds since 1970.
        seconds: from its beginning to its end, or to the last that is known of it.
        tasks: the tasks that were worked on, by their first span.
        idle_tasks: how many tasks were not.
        pauses: `(start, end)` of the times in which no process ran it.
        waits: `(start, end)` of the times in which the whole run waited, for a model that was out of reach.
        critical_path: ids of the chain of tasks that took longest, first to last.
        critical_path_s: how long that took; the run could not have been quicker.
        expected_s: how long the run was expected to take; None if no task said how long it would.
    """

    title: str
    made_by: str | None
    started_at: float
    seconds: float
    tasks: tuple[TimedTask, ...]
    idle_tasks: int
    pauses: tuple[tuple[float, float], ...] = ()
    waits: tuple[tuple[float, float], ...] = ()
    critical_path: tuple[str, ...] = ()
    critical_path_s: float = 0.0
    expected_s: float | None = None

    def concurrency(self) -> list[tuple[float, int]]:
        """Return `(since, count)`: from when on how many tasks were worked on at the same time; waits do not count."""
        return concurrency(span for task in self.tasks for span in task.spans if span.kind != "wait")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        svg = format_of("timeline", form="svg")
        words = f"<Timeline: {counted(len(self.tasks), 'task')} in {format_duration(self.active_s())}>"
        return {"text/plain": words, svg.media_type: within_cell(svg.text(self))}

    def save(self, path: str | Path, *, form: str | None = None, **asked: Any) -> Path:
        """Write the timeline to a file; `form` or the ending sets the format: see docs/reference.md.

        Args:
            path: the file; one that is there is written over.
            form: the format.
            **asked: `theme` and `max_bars`, as for `to_timeline_svg`.

        Raises:
            UsageError: if there is no such format, or the ending names none.
            ExportError: if the picture cannot be made here, or the file cannot be written.
        """
        return save_as("timeline", self, path, form=form, **asked)

    def most_at_once(self) -> int:
        """Return the most tasks that were worked on at the same time."""
        return max((count for _, count in self.concurrency()), default=0)

    def active_s(self) -> float:
        """Return how long the run took without its pauses, in seconds."""
        return self.seconds - sum(end - start for start, end in self.pauses)


def concurrency(spans: Iterable[Span]) -> list[tuple[float, int]]:
    """Return `(since, count)`: from when on how many of `spans` overlap; one that ends makes room for one that begins.

    >>> concurrency([Span(0, 2, "done"), Span(1, 3, "done"), Span(3, 4, "done")])
    [(0, 1), (1, 2), (2, 1), (3, 1), (4, 0)]
    """
    changes: dict[float, int] = {}
    for span in spans:
        if span.end_s > span.start_s:
            changes[span.start_s] = changes.get(span.start_s, 0) + 1
            changes[span.end_s] = changes.get(span.end_s, 0) - 1
    count, steps = 0, []
    for at in sorted(changes):
        count += changes[at]
        steps.append((at, count))
    return steps


def timeline_of(
    root: Task,
    events: Iterable[Event],
    *,
    made_by: str | None = None,
    until: float | None = None,
    jobs: int | None = None,
) -> Timeline:
    """Return what ran when in the run whose tree is `root`.

    Args:
        root: the tree.
        events: all events of the run, in order.
        made_by: what the answers come from, such as a model's `maker`.
        until: when what is still running is shown to end, in seconds since 1970; with the last event unless given.
        jobs: how many tasks could run at the same time; without it, nothing was expected.
    """
    clock = _Clock()
    for event in events:
        clock.take(event)
    clock.end(until)
    tasks = {task.id: task for task in root.walk()}
    timed = [_timed(task_id, tasks.get(task_id), times) for task_id, times in clock.times.items() if times.spans]
    took = {task_id: task.duration_s for task_id, task in tasks.items() if task.duration_s is not None}
    path = tuple(task_id for task_id in critical_path_of(root, by="time") if task_id in took) if took else ()
    return Timeline(
        title=one_line(root.content[:_MOST_TITLE_CHARACTERS]) or root.id,
        made_by=made_by,
        started_at=clock.started_at,
        seconds=clock.now,
        tasks=tuple(sorted(timed, key=lambda task: task.spans[0].start_s)),
        idle_tasks=len(tasks) - sum(task.id in tasks for task in timed),
        pauses=tuple(clock.pauses),
        waits=tuple(clock.waits),
        critical_path=path,
        critical_path_s=sum(took[task_id] for task_id in path),
        expected_s=None if jobs is None else said_to_take(root, jobs),
    )


def timeline_data(timeline: Timeline) -> dict[str, Any]:
    """Return `timeline` as JSON data."""
    return {
        "started_at": timeline.started_at,
        "seconds": timeline.seconds,
        "tasks": [
            {
                "id": task.id,
                "state": task.state.value,
                "spans": [span._asdict() for span in task.spans],
                "calls": [{"start_s": start, "end_s": end} for start, end in task.calls],
            }
            for task in timeline.tasks
        ],
        "concurrency": [{"since_s": since, "tasks": count} for since, count in timeline.concurrency()],
        "pauses": [{"start_s": start, "end_s": end} for start, end in timeline.pauses],
        "waits": [{"start_s": start, "end_s": end} for start, end in timeline.waits],
        "critical_path": list(timeline.critical_path),
        "critical_path_s": timeline.critical_path_s,
        "expected_s": timeline.expected_s,
    }


@dataclass(slots=True)
class _Times:
    """What is known of one task: its spans, its calls, and since when an attempt goes on."""

    spans: list[Span] = field(default_factory=list)
    calls: list[tuple[float, float]] = field(default_factory=list)
    since: float | None = None

    def close(self, at: float, kind: SpanKind) -> None:
        if self.since is not None:
            self.spans.append(Span(min(self.since, at), at, kind))
            self.since = None


class _Clock:
    """Reads events in order; each costs the same."""

    def __init__(self) -> None:
        self.started_at = 0.0
        self.now = 0.0
        self.times: dict[str, _Times] = {}
        self.pauses: list[tuple[float, float]] = []
        self.waits: list[tuple[float, float]] = []
        self._going: dict[str, _Times] = {}
        self._is_first = True
        self._is_waiting = False

    def take(self, event: Event) -> None:
        if event.type == EventType.RUN_CONTROLLED:
            return  # it may have come long after the run had stopped
        if self._is_first:
            self.started_at, self._is_first = event.at, False
        at = max(self.now, event.at - self.started_at)  # a clock that was set back does not turn time around
        if event.type == EventType.RUN_FORKED or (event.type == EventType.RUN_STARTED and event.data.get("resumed")):
            self._resume(at)
        self.now = at
        if event.task_id is not None:
            if (times := self.times.get(event.task_id)) is None:
                times = self.times[event.task_id] = _Times()
            self._take_task(event, times, event.task_id)
        elif event.type == EventType.RUN_WAITING and event.data.get("delay_s"):
            self._wait(float(event.data["delay_s"]))

    def end(self, until: float | None) -> None:
        """End what is still going on."""
        if until is not None and not self._is_first:
            self.now = max(self.now, until - self.started_at)
        self._close_all("running")
        self.waits = [(start, min(end, self.now)) for start, end in self.waits if start < self.now]

    def _take_task(self, event: Event, times: _Times, task_id: str) -> None:
        if event.type == EventType.TASK_STARTED:
            times.since = self.now
            self._going[task_id] = times
        elif event.type == EventType.TASK_RETRYING:
            self._retry(times, float(event.data["delay_s"]))
        elif event.type in _ENDS:
            times.close(self.now, _ENDS[event.type])
            self._going.pop(task_id, None)
        elif (event.type == EventType.CALL_DONE and not event.data["recorded"]) or (
            event.type == EventType.CALL_FAILED and event.data["calls"]
        ):
            self._call(times, float(event.data["latency_s"]))

    def _retry(self, times: _Times, delay_s: float) -> None:
        was_attempted = times.since is not None
        times.close(self.now, "failed")
        times.spans.append(Span(self.now, self.now + delay_s, "wait"))
        if was_attempted:  # else the wait is before another call for its plan
            times.since = self.now + delay_s

    def _call(self, times: _Times, latency_s: float) -> None:
        start = max(0.0, self.now - max(0.0, latency_s))
        if self._is_waiting:  # it is said once a minute, and the first call is its end
            self.waits.append((self.waits[-1][0], max(self.waits.pop()[1], start)))
            self._is_waiting = False
        times.calls.append((start, self.now))
        if times.since is None:
            times.spans.append(Span(start, self.now, "plan"))

    def _wait(self, delay_s: float) -> None:
        start, end = self.now, self.now + delay_s
        if self.waits and (self._is_waiting or self.waits[-1][1] >= start - _ONE_WAIT_S):  # looks are no end of it
            start, end = self.waits[-1][0], max(self.waits.pop()[1], end)
        self.waits.append((start, end))
        self._is_waiting = True

    def _resume(self, at: float) -> None:
        self._close_all("released")
        if at > self.now:
            self.pauses.append((self.now, at))

    def _close_all(self, kind: SpanKind) -> None:
        for times in self._going.values():
            if times.spans and times.spans[-1].kind == "wait" and times.spans[-1].end_s > self.now:
                last = times.spans.pop()
                times.spans.append(last._replace(end_s=max(last.start_s, self.now)))
                times.since = None
            times.close(self.now, kind)
        self._going.clear()


def _timed(task_id: str, task: Task | None, times: _Times) -> TimedTask:
    return TimedTask(
        id=task_id,
        content="" if task is None else shown_words(task),
        state=TaskState.DELETED if task is None else task.state,
        spans=tuple(times.spans),
        calls=tuple(times.calls),
    )
