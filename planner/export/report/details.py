"""What the page knows of each task: a short row for the tree, and all the rest in chunks that are read when needed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, Final

from ramify.planner.events.events import EventType
from ramify.planner.export.effects import effect_text
from ramify.planner.export.labels import format_cost
from ramify.planner.export.making import maker_of
from ramify.planner.runtime.durations import format_duration
from ramify.planner.store.records import CallRecord, EventRecord, RunRecord, StepRecord
from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.counting import counted
from ramify.tasks.gaps import gaps_by_kind
from ramify.tasks.json_text import json_text
from ramify.tasks.tree.config import NO_CONFIG, NO_USAGE
from ramify.tasks.tree.shown import shown_words

from .content import Report, ReportedTask, usage_of
from .markup import visible_in
from .words import visible_line, when

CHUNK: Final = 100
"""Tasks whose details are read together."""

_PLACE_OF_STATE = {state: place for place, state in enumerate(TaskState)}
_OFTEN = 8
"""Messages that have a line in common before it is shared; what few have, packing makes small as well."""
_LEAST_SHARED = 24
_MOST_CONTENT = 400

_LISTED = frozenset({EventType.CALL_STARTED, EventType.CALL_DONE, EventType.STEP_DONE})


def task_row(task: Task, parent: int | str | None) -> list[Any]:
    """Return what the tree shows and searches: id, `parent` as it is given, state, content, duration, cost."""
    content = visible_line(shown_words(task))
    took_s = task.duration_s
    return [
        visible_line(task.id),
        parent,
        _PLACE_OF_STATE[task.state],
        content if len(content) <= _MOST_CONTENT else f"{content[:_MOST_CONTENT]}…",
        "" if took_s is None else format_duration(took_s),
        "" if task.usage is NO_USAGE else _cost(task.usage),
    ]


class SharedLines:
    """Lines that many messages of a run have in common, such as those of a template: each is written once.

    Attributes:
        lines: what is shared, in the order of the numbers.
    """

    def __init__(self, calls: Iterable[CallRecord]) -> None:
        seen: Counter[str] = Counter()
        for call in calls:
            for _, content in _messages(call.request):
                seen.update(content.split("\n"))
        self.lines = [line for line, times in seen.items() if times >= _OFTEN and len(line) >= _LEAST_SHARED]
        self._numbers = {line: number for number, line in enumerate(self.lines)}

    def of(self, text: str) -> str | int | list[str | int]:
        """Return `text`, or the number of the line that it is, or the numbers and other lines that it is made of."""
        numbers = self._numbers
        parts: list[str | int] = []
        own: list[str] = []
        for line in text.split("\n"):
            if (number := numbers.get(line)) is None:
                own.append(line)
                continue
            if own:
                parts.append("\n".join(own))
                own = []
            parts.append(number)
        if not parts:
            return text
        if own:
            parts.append("\n".join(own))
        return parts[0] if len(parts) == 1 else parts


def details_of(report: Report, shared: SharedLines) -> Iterator[dict[str, Any]]:
    """Yield all that a page shows of each task, in the order of the rows; `as_json` makes its words visible."""
    maker = cache(partial(maker_of, record=report.record))
    for each in report.tasks:
        yield _detail(each, report.record.created_at, maker, shared)


def task_detail(each: ReportedTask, record: RunRecord) -> dict[str, Any]:
    """Return all that a page shows of a task of the run `record`, beside its row, in visible words."""
    found: dict[str, Any] = visible_in(
        _detail(each, record.created_at, partial(maker_of, record=record), SharedLines(()))
    )
    return found


def _detail(each: ReportedTask, began: float, maker: Callable[[str], str], shared: SharedLines) -> dict[str, Any]:
    task = each.task
    detail = {
        "facts": [pair for pair in _facts(each) if pair[1]],
        "needs": task.dependencies,
        "content": task.content,
        "result": task.result,
        "error": task.error,
        "data": [[name, _json(value)] for name, value in _data(task) if value not in ({}, [], None)],
        "calls": [_call(call, maker(call.model), shared) for call in each.calls],
        "steps": [_step(step) for step in each.steps],
        "events": [_event(event, began) for event in _told(each.events)],
    }
    return {name: value for name, value in detail.items() if value}


def _facts(each: ReportedTask) -> Sequence[tuple[str, str]]:
    task = each.task
    return (
        ("made by", each.made_by),
        ("not split, as", each.note),
        ("methods", "; ".join(each.methods)),
        ("name", task.name or ""),
        ("description", task.description or ""),
        *(gaps_by_kind(task.gaps) if task.gaps else ()),
        ("attempts", f"{task.attempts:,}" if task.attempts else ""),
        ("started", when(task.started_at.timestamp()) if task.started_at else ""),
        ("took", "" if each.duration_s is None else format_duration(each.duration_s)),
        ("used", "" if task.usage is NO_USAGE else _used(task.usage)),
        ("added", "during the run" if task.origin == "added" else ""),
        ("priority", str(task.priority) if task.priority else ""),
        ("expected to take", "" if task.expected_seconds is None else format_duration(task.expected_seconds)),
    )


def _cost(usage: Usage) -> str:
    return format_cost(usage) if usage.cost_usd or usage.calls_without_cost else ""


def _used(usage: Usage) -> str:
    if not usage.calls:
        return ""
    return (
        f"{counted(usage.calls, 'call')}, {counted(usage.input_tokens, 'token')} in{usage.cached_text},"
        f" {usage.output_tokens:,} out, {usage.cost_text}"
    )


def _data(task: Task) -> Sequence[tuple[str, Any]]:
    limits = None if task.config is NO_CONFIG else task.config.model_dump(mode="json", exclude_none=True)
    documents = [material.name for material in task.attachments]
    return (
        ("inputs", task.inputs), ("output", task.output), ("limits", limits), ("metadata", task.metadata),
        ("documents", documents),
    )  # fmt: skip


def _call(call: CallRecord, maker: str, shared: SharedLines) -> dict[str, Any]:
    key, reply = call.key, call.reply
    usage = usage_of(call)
    stopped = reply.get("stopped")
    facts = (
        maker,
        f"taken from {reply['taken_from']}" if reply.get("taken_from") else "",
        format_duration(call.latency_s),
        usage.tokens_text if usage.input_tokens or usage.output_tokens else "",
        usage.cost_text if usage.cost_usd or usage.calls_without_cost else "",
        str(stopped) if stopped else "cut at the limit" if reply.get("finish_reason") == "length" else "",
    )
    return {
        "title": _call_title(key.purpose, key.attempt, key.sample, key.step),
        "facts": [fact for fact in facts if fact],
        "messages": [[role, shared.of(content)] for role, content in _messages(call.request)],
        "reply": str(reply.get("text", "")),
        "tools": [[str(tool.get("name", "")), str(tool.get("arguments", ""))] for tool in reply.get("tool_calls", ())],
    }


@lru_cache(maxsize=1000)
def _call_title(purpose: str, attempt: int, sample: int, step: int) -> str:
    told = (f"attempt {attempt}" if attempt else "", f"sample {sample + 1}" if sample else "")
    return ", ".join(filter(None, (purpose, *told, f"step {step + 1}" if step else "")))


def _step(step: StepRecord) -> dict[str, Any]:
    took = "" if step.ended_at is None else format_duration(max(0.0, step.ended_at - step.started_at))
    attempt = f"attempt {step.key.attempt}" if step.key.attempt else ""
    effect = effect_text(step) if step.is_effect else ""
    return {
        "title": step.key.key,
        "facts": [*filter(None, (attempt, took or "outcome unknown", effect))],
        "input": "" if step.input is None else _json(step.input),
        "output": "" if step.output is None else _json(step.output),
    }


def _messages(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for message in request.get("messages", ()):
        content = message.get("content")
        yield str(message.get("role", "")), content if isinstance(content, str) else _json(content)


def _told(events: Sequence[EventRecord]) -> Iterator[EventRecord]:
    """Yield the events that say more than the lists of calls and steps do; a call that goes on is told."""
    for event in events:
        if event.type not in _LISTED or (event.type == EventType.CALL_STARTED and event is events[-1]):
            yield event


def _event(event: EventRecord, started: float) -> list[str]:
    said = ", ".join([f"{name}: {_said(value)}" for name, value in event.data.items()]) if event.data else ""
    after = event.at - started
    return [f"+{format_duration(max(0.0, after))}", _type_words(event.type), said]


@cache
def _type_words(name: str) -> str:
    return name.replace("_", " ")


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    return repr(value) if type(value) is int or type(value) is float else _json(value)


def _json(value: Any) -> str:
    return json_text(value) if isinstance(value, str) else json_text(value, default=str)
