"""What was said and done for tasks, in the order in which it happened: prompts, replies, steps, failed attempts, cost.

Of a conversation that goes on over several calls, each message is shown once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ramify.planner.events.events import EventType
from ramify.planner.export.labels import format_cost
from ramify.planner.models.protocol import ModelReply
from ramify.planner.progress.plain import failure_words
from ramify.planner.runtime.durations import format_duration
from ramify.planner.store import CallRecord, EventRecord, StepRecord
from ramify.tasks.json_text import json_text

_FAILURES = frozenset({EventType.TASK_RETRYING, EventType.TASK_FAILED})

Messages = Sequence[Mapping[str, Any]]


def failures(events: Iterable[EventRecord], task_id: str | None) -> list[EventRecord]:
    """Return those of `events` that tell of a failed attempt, at one task or, for None, at any."""
    return [each for each in events if each.type in _FAILURES and task_id in {None, each.task_id}]


def conversation_text(
    calls: Iterable[CallRecord], steps: Iterable[StepRecord] = (), failed: Iterable[EventRecord] = ()
) -> str:
    """Return all of it as text; empty if there is nothing."""
    told: dict[tuple[object, ...], Messages] = {}
    parts: list[tuple[float, str]] = []
    for call in calls:
        key = call.key
        talk = (key.task_id, key.purpose, key.attempt, key.sample)
        messages: Messages = call.request.get("messages", ())
        parts.append((call.started_at, _call_text(call, _fresh(messages, told.get(talk, ())))))
        told[talk] = messages
    parts += [(step.started_at, _step_text(step)) for step in steps]
    parts += [(event.at, _failure_text(event)) for event in failed]
    return "".join(text for _, text in sorted(parts, key=lambda part: part[0]))


def _fresh(messages: Messages, told: Messages) -> Messages:
    """Return those of `messages` that were not told already; all of them if they do not go on from there."""
    return messages[len(told) :] if list(messages[: len(told)]) == list(told) else messages


def _call_text(call: CallRecord, messages: Messages) -> str:
    key = call.key
    reply = ModelReply.from_data(call.reply)
    step = f", step {key.step + 1}" if key.step else ""
    sample = f", sample {key.sample + 1}" if key.sample else ""
    figures = [format_duration(call.latency_s)]
    if reply.input_tokens or reply.output_tokens:
        figures.append(f"{reply.input_tokens:,}{reply.usage().cached_text} + {reply.output_tokens:,} tokens")
    figures += [cost] if (cost := format_cost(reply.usage())) else []
    figures += [f"taken from {reply.taken_from}"] if reply.taken_from else []
    figures += [f"ended by {reply.finish_reason}"] if reply.finish_reason not in {"stop", "tool_calls"} else []
    head = f"task {key.task_id}, {key.purpose}, attempt {key.attempt}{sample}{step}: {call.model}, {', '.join(figures)}"
    asked = "".join(f"\n--- {said.get('role', '')}\n{_message_text(said)}\n" for said in messages)
    wishes = "".join(f"\n--- calls {wish.name}\n{wish.arguments}\n" for wish in reply.tool_calls)
    words = f"\n--- reply\n{reply.text}\n" if reply.text or not wishes else ""
    return f"\n===== {head} =====\n{asked}{words}{wishes}"


def _message_text(said: Mapping[str, Any]) -> str:
    content = said.get("content")
    words = content if isinstance(content, str) else "" if content is None else _json(content)
    wishes = [_wish_text(wish) for wish in said.get("tool_calls") or ()]
    return "\n".join(part for part in (words, *wishes) if part)


def _wish_text(wish: Mapping[str, Any]) -> str:
    function = wish.get("function", wish)
    return f"calls {function.get('name')}: {function.get('arguments')}"


def _step_text(step: StepRecord) -> str:
    took = "outcome unknown" if step.ended_at is None else format_duration(step.ended_at - step.started_at)
    head = f"task {step.key.task_id}, step {step.key.key}, attempt {step.key.attempt}: {took}"
    given = f"\n--- given\n{_json(step.input)}\n" if step.input is not None else ""
    output = f"\n--- gave\n{_json(step.output)}\n" if step.ended_at is not None else ""
    return f"\n===== {head} =====\n{given}{output}"


def _failure_text(event: EventRecord) -> str:
    attempt = f" attempt {event.data['attempt']}" if "attempt" in event.data else ""
    return f"\n===== task {event.task_id},{attempt} failed: {failure_words(event.data)} =====\n"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value, indent=2)
