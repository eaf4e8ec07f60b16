"""What the page knows of each task: a short row for the tree, and all the rest in chunks that are read when needed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from ramify.tasks.tree.shown import shown_words

from .content import Report, ReportedTask, usage_of
from .words import visible, visible_line, when

CHUNK: Final = 50
"""Tasks whose details are read together."""

_STATES = list(TaskState)
_SHARED_LENGTH = 200
_MOST_CONTENT = 400

_LISTED = frozenset({EventType.CALL_STARTED, EventType.CALL_DONE, EventType.STEP_DONE})

Share = Callable[[str], str | int]
"""Gives the text itself, or the number under which it is shared."""


def task_row(task: Task, parent: int | str | None) -> list[Any]:
    """Return what the tree shows and searches: id, `parent` as it is given, state, content, duration, cost."""
    content = visible_line(shown_words(task))
    return [
        visible_line(task.id),
        parent,
        _STATES.index(task.state),
        content if len(content) <= _MOST_CONTENT else f"{content[:_MOST_CONTENT]}…",
        "" if task.duration_s is None else format_duration(task.duration_s),
        format_cost(task.usage) if task.usage.cost_usd or task.usage.calls_without_cost else "",
    ]


def detail_chunks(report: Report) -> tuple[list[str], list[list[dict[str, Any]]]]:
    """Return texts that several messages have in common, and the details of all tasks, `CHUNK` at a time."""
    times = Counter(
        content for call in report.run.calls for _, content in _messages(call.request) if len(content) >= _SHARED_LENGTH
    )
    numbers = {text: number for number, text in enumerate(text for text, seen in times.items() if seen > 1)}

    def share(text: str) -> str | int:
        return numbers[text] if text in numbers else visible(text)

    details = [task_detail(each, report.record, share) for each in report.tasks]
    chunks = [details[start : start + CHUNK] for start in range(0, len(details), CHUNK)]
    return [visible(text) for text in numbers], chunks


def task_detail(each: ReportedTask, record: RunRecord, share: Share = visible) -> dict[str, Any]:
    """Return all that a page shows of a task of the run `record`, beside its row."""
    task = each.task
    detail = {
        "facts": [[name, words] for name, words in _facts(each) if words],
        "needs": [visible_line(task_id) for task_id in task.dependencies],
        "content": visible(task.content),
        "result": visible(task.result),
        "error": visible(task.error or ""),
        "data": [[name, visible(_json(value))] for name, value in _data(task) if value not in ({}, [], None)],
        "calls": [_call(call, record, share) for call in each.calls],
        "steps": [_step(step) for step in each.steps],
        "events": [_event(event, record.created_at) for event in _told(each.events)],
    }
    return {name: value for name, value in detail.items() if value}


def _facts(each: ReportedTask) -> list[tuple[str, str]]:
    task = each.task
    facts = [
        ("made by", each.made_by),
        ("not split, as", each.note),
        ("methods", "; ".join(each.methods)),
        ("name", task.name or ""),
        ("description", task.description or ""),
        *gaps_by_kind(task.gaps),
        ("attempts", f"{task.attempts:,}" if task.attempts else ""),
        ("started", when(task.started_at.timestamp()) if task.started_at else ""),
        ("took", "" if each.duration_s is None else format_duration(each.duration_s)),
        ("used", _used(task.usage)),
        ("added", "while the run was going on" if task.origin == "added" else ""),
        ("priority", str(task.priority) if task.priority else ""),
        ("expected to take", "" if task.expected_seconds is None else format_duration(task.expected_seconds)),
    ]
    return [(name, visible(words)) for name, words in facts]


def _used(usage: Usage) -> str:
    if not usage.calls:
        return ""
    return (
        f"{counted(usage.calls, 'call')}, {counted(usage.input_tokens, 'token')} in{usage.cached_text},"
        f" {usage.output_tokens:,} out, {usage.cost_text}"
    )


def _data(task: Task) -> Iterator[tuple[str, Any]]:
    yield "inputs", task.inputs
    yield "output", task.output
    yield "limits", task.config.model_dump(mode="json", exclude_none=True)
    yield "metadata", task.metadata
    yield "documents", [material.name for material in task.attachments]


def _call(call: CallRecord, record: RunRecord, share: Share) -> dict[str, Any]:
    key, reply = call.key, call.reply
    usage = usage_of(call)
    title = [key.purpose, f"attempt {key.attempt}" if key.attempt else ""]
    title += [f"sample {key.sample + 1}" if key.sample else "", f"step {key.step + 1}" if key.step else ""]
    facts = [
        maker_of(call.model, record),
        f"taken from {reply['taken_from']}" if reply.get("taken_from") else "",
        format_duration(call.latency_s),
        usage.tokens_text if usage.tokens else "",
        usage.cost_text if usage.cost_usd or usage.calls_without_cost else "",
        visible_line(str(reply.get("stopped", ""))),
        "cut at the limit" if not reply.get("stopped") and reply.get("finish_reason") == "length" else "",
    ]
    return {
        "title": visible_line(", ".join(filter(None, title))),
        "facts": visible_line(" · ".join(filter(None, facts))),
        "messages": [[visible_line(role), share(content)] for role, content in _messages(call.request)],
        "reply": visible(str(reply.get("text", ""))),
        "tools": [
            [visible_line(str(tool.get("name", ""))), visible(str(tool.get("arguments", "")))]
            for tool in reply.get("tool_calls", ())
        ],
    }


def _step(step: StepRecord) -> dict[str, Any]:
    took = "" if step.ended_at is None else format_duration(max(0.0, step.ended_at - step.started_at))
    attempt = f"attempt {step.key.attempt}" if step.key.attempt else ""
    effect = visible_line(effect_text(step)) if step.is_effect else ""
    return {
        "title": visible_line(step.key.key),
        "facts": " · ".join(filter(None, (attempt, took or "not known to be done", effect))),
        "input": "" if step.input is None else visible(_json(step.input)),
        "output": "" if step.output is None else visible(_json(step.output)),
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
    said = [f"{name}: {value if isinstance(value, str) else _json(value)}" for name, value in event.data.items()]
    after = f"+{format_duration(max(0.0, event.at - started))}"
    return [after, visible_line(event.type.replace("_", " ")), visible_line(", ".join(said))]


def _json(value: Any) -> str:
    return json_text(value) if isinstance(value, str) else json_text(value, default=str)
