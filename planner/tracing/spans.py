"""Which spans a run has, which are inside which, and what they say.

    ramify.run
      ramify.plan                   while the goal is split
        chat MODEL                  a call, by the conventions for generative AI
      ramify.task                   a task; from the first work below it to its own end
        ramify.task                 its subtask
          chat MODEL
          execute_tool TOOL         a tool that the model has called

Task and run spans follow the events and have their times; the spans of calls are current while the call is made, so
that what an HTTP library traces stands below them; so it is with tools. A task's span has links to those of the tasks
that it depends on.
Words of tasks, prompts, replies and errors are left out unless content is asked for.
Source: OpenTelemetry semantic conventions for generative AI of 2026: "Client spans", "Agent and framework spans",
"Tool execution"; the operation of each span is theirs, the names of ours are our own.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode
from ramify.planner.errors import ModelError
from ramify.planner.events.events import Event, EventBus, EventType, ToolUse
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.planner.store.records import ENDED
from ramify.prompts.rendered import Message
from ramify.prompts.variables import ToolOutcome
from ramify.tasks import Task
from ramify.tasks.json_text import json_text, read_json

from .providers import provider_of

_SAMPLING = {"max_output_tokens": "max_tokens", "stop": "stop_sequences"}
_SENT = ("temperature", "top_p", "max_output_tokens", "seed", "stop")
_ENDS = {EventType.TASK_DONE: StatusCode.OK, EventType.TASK_FAILED: StatusCode.ERROR}
_NOTED = frozenset(
    {
        EventType.TASK_RETRYING,
        EventType.ALERT,
        EventType.EMITTED,
        EventType.PROMPT_CUT,
        EventType.WARNING,
        EventType.LIMIT_NEAR,
    }
)
_PLAIN = (str, bool, int, float)
_WORDS = frozenset({"error", "message", "data", "why"})
"""What of an event's data may hold words of tasks and replies."""


class RunSpans:
    """The spans of one run.

    Args:
        run_id: the run.
        root: its tree.
        provider: what makes the spans; the global one if None.
        content: whether words of tasks, prompts and replies go in.
    """

    def __init__(self, run_id: str, root: Task, *, provider: trace.TracerProvider | None, content: bool) -> None:
        self._tracer = trace.get_tracer("ramify", tracer_provider=provider)
        self._outside = contexts.get_current()
        self._run_id = run_id
        self._root = root
        self._is_planned = False
        self._content = content
        self._run: Span | None = None
        self._plan: Span | None = None
        self._open: dict[str, Span] = {}
        self._ended: dict[str, SpanContext] = {}

    def follow(self, bus: EventBus) -> Callable[[], None]:
        """Make spans of what is published on `bus`, and of the calls there, until it closes; return what ends that."""
        forget = bus.subscribe(self.take)
        unwatch = bus.watch_calls(self.calling)
        leave = bus.watch_tools(self.using)
        bus.at_close(lambda: self._end_all(time.time_ns()))

        def end() -> None:
            forget()
            unwatch()
            leave()
            self._end_all(time.time_ns())

        return end

    def take(self, event: Event) -> None:
        """Take an event in."""
        at_ns = int(event.at * 1e9)
        if event.type == EventType.RUN_STARTED:
            attributes: dict[str, Any] = {
                **self._operation("invoke_workflow"),
                "ramify.run.id": self._run_id,
                "ramify.run.resumed": bool(event.data["resumed"]),
            }
            if self._content:
                attributes["ramify.run.goal"] = self._root.content
                attributes["gen_ai.input.messages"] = json_text([_message("user", self._root.content)])
            self._run = self._tracer.start_span("ramify.run", self._outside, attributes=attributes, start_time=at_ns)
        elif event.type == EventType.PLANNED:
            self._is_planned = True
            self._end_plan(at_ns)
        elif event.type == EventType.TASK_STARTED:
            self._is_planned = True
            self._task_span(self._root.find(str(event.task_id)), at_ns).set_attribute(
                "ramify.task.doing", str(event.data["doing"])
            )
        elif event.type in _ENDS or event.type == EventType.TASK_RELEASED:
            self._end_task(self._root.find(str(event.task_id)), event, at_ns)
        elif event.type == EventType.RUN_FINISHED:
            self._end_run(str(event.data["status"]), at_ns)
        elif event.type in _NOTED or (event.type == EventType.CALL_DONE and event.data["recorded"]):
            self._span_of(event.task_id).add_event(f"ramify.{event.type}", self._noted(event), timestamp=at_ns)

    @contextmanager
    def calling(self, model: Model, request: ModelRequest) -> Generator[Callable[[ModelReply], None], None, None]:
        """Make the span of a call current while it is made; it is given the reply."""
        context = trace.set_span_in_context(self._parent_of_call(request), contexts.get_current())
        kind = SpanKind.CLIENT if model.is_language_model else SpanKind.INTERNAL
        with self._current(f"chat {model.name}", context, kind, self._asked(model, request)) as span:
            yield lambda reply: self._answered(span, reply)

    @contextmanager
    def using(self, use: ToolUse) -> Generator[Callable[[ToolOutcome], None], None, None]:
        """Make the span of a tool current while it is used; it is given what comes of it."""
        attributes: dict[str, Any] = {
            **self._operation("execute_tool"),
            "gen_ai.tool.name": use.tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": use.call_id,
            "ramify.task.id": use.task_id,
            **({"gen_ai.tool.description": use.about} if use.about else {}),
        }
        if self._content:
            attributes["gen_ai.tool.call.arguments"] = json_text(use.arguments)
        parent = self._task_span(self._root.find(use.task_id), time.time_ns())
        context = trace.set_span_in_context(parent, contexts.get_current())
        with self._current(f"execute_tool {use.tool}", context, SpanKind.INTERNAL, attributes) as span:
            yield lambda outcome: self._used(span, outcome)

    @contextmanager
    def _current(
        self, name: str, context: contexts.Context, kind: SpanKind, attributes: dict[str, Any]
    ) -> Generator[Span, None, None]:
        """Make a span current; what is raised inside is its error."""
        span = self._tracer.start_span(name, context, kind=kind, attributes=attributes)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except BaseException as error:
                known = error.kind if isinstance(error, ModelError) else type(error).__name__
                span.set_attribute("error.type", str(known))
                span.set_status(StatusCode.ERROR)
                raise

    def _parent_of_call(self, request: ModelRequest) -> Span:
        if request.task_id in self._open:
            return self._open[request.task_id]
        if self._is_planned:  # its start is not told yet: it waits for the disk behind another event
            return self._task_span(self._root.find(request.task_id), time.time_ns())
        if self._plan is None:
            attributes = self._operation("plan")
            self._plan = self._tracer.start_span("ramify.plan", self._below(self._run), attributes=attributes)
        return self._plan

    def _task_span(self, task: Task, at_ns: int) -> Span:
        """Return the span of `task`, opened now below those of its ancestors if it is not open yet."""
        missing = [task] if task.id not in self._open else []
        if missing:
            for above in task.ancestors():
                if above.id in self._open:
                    break
                missing.append(above)
        for each in reversed(missing):
            parent = self._run if each.parent is None else self._open[each.parent.id]
            self._open[each.id] = self._tracer.start_span(
                "ramify.task",
                self._below(parent),
                attributes=self._task_attributes(each),
                links=[Link(self._ended[needed]) for needed in each.dependencies if needed in self._ended],
                start_time=at_ns,
            )
        return self._open[task.id]

    def _end_task(self, task: Task, event: Event, at_ns: int) -> None:
        if task.id not in self._open:
            return
        span = self._open.pop(task.id)
        self._ended[task.id] = span.get_span_context()
        span.set_attribute("ramify.task.state", task.state.value)
        span.set_attribute("ramify.task.attempts", task.attempts)
        if event.type in _ENDS:
            words = str(event.data.get("error", "")) if self._content else ""
            span.set_status(_ENDS[EventType(event.type)], words or None)
        if self._content and task.result:
            span.set_attribute("ramify.task.result", task.result)
        span.end(at_ns)

    def _end_plan(self, at_ns: int) -> None:
        if self._plan is not None:
            self._plan.end(at_ns)
            self._plan = None

    def _end_run(self, status: str, at_ns: int) -> None:
        if self._run is not None:
            self._run.set_attribute("ramify.run.status", status)
            if self._content and self._root.result:
                said = {**_message("assistant", self._root.result), "finish_reason": "stop"}
                self._run.set_attribute("gen_ai.output.messages", json_text([said]))
            if status in ENDED:
                self._run.set_status(StatusCode.ERROR if status == "failed" else StatusCode.OK)
        self._end_all(at_ns)

    def _end_all(self, at_ns: int) -> None:
        self._end_plan(at_ns)
        for span in reversed(self._open.values()):
            span.end(at_ns)
        self._open.clear()
        if self._run is not None:
            self._run.end(at_ns)
            self._run = None

    def _below(self, span: Span | None) -> contexts.Context:
        return self._outside if span is None else trace.set_span_in_context(span, self._outside)

    def _span_of(self, task_id: str | None) -> Span:
        found = self._open.get(task_id or "") or self._plan or self._run
        return trace.INVALID_SPAN if found is None else found

    def _noted(self, event: Event) -> dict[str, Any]:
        data: dict[str, Any] = {} if event.task_id is None else {"ramify.task.id": event.task_id}
        for name, value in event.data.items():
            if name in _WORDS and not self._content:
                continue
            data[f"ramify.{name}"] = value if isinstance(value, _PLAIN) else json_text(value)
        return data

    def _operation(self, name: str) -> dict[str, Any]:
        return {"gen_ai.operation.name": name, "gen_ai.conversation.id": self._run_id}

    def _task_attributes(self, task: Task) -> dict[str, Any]:
        attributes = {
            **self._operation("invoke_agent"),
            "gen_ai.agent.name": task.type or "model",
            "ramify.run.id": self._run_id,
            "ramify.task.id": task.id,
            "ramify.task.type": task.type or "model",
        }
        return attributes | ({"ramify.task.content": task.content} if self._content else {})

    def _asked(self, model: Model, request: ModelRequest) -> dict[str, Any]:
        given = request.sampling.given()
        attributes: dict[str, Any] = {
            **self._operation("chat"),
            "gen_ai.provider.name": provider_of(model),
            "gen_ai.request.model": model.name,
            **{f"gen_ai.request.{_SAMPLING.get(name, name)}": given[name] for name in _SENT if name in given},
            "ramify.task.id": request.task_id,
            "ramify.call.purpose": request.purpose,
            "ramify.call.attempt": request.attempt,
            "ramify.prompt.version": request.prompt_version,
        }
        if self._content:
            attributes["gen_ai.input.messages"] = json_text(list(map(_message_of, request.messages)))
            if request.tools:
                attributes["gen_ai.tool.definitions"] = json_text([dict(tool) for tool in request.tools])
        return attributes

    def _answered(self, span: Span, reply: ModelReply) -> None:
        span.set_attributes(
            {
                "gen_ai.response.model": reply.model,
                "gen_ai.response.finish_reasons": [reply.finish_reason],
                "gen_ai.usage.input_tokens": reply.input_tokens,
                "gen_ai.usage.cache_read.input_tokens": reply.cached_tokens,
                "gen_ai.usage.output_tokens": reply.output_tokens,
            }
        )
        if reply.cost_usd is not None:
            span.set_attribute("ramify.call.cost_usd", reply.cost_usd)
        if self._content:
            wishes = [_wish(call.id, call.name, call.arguments) for call in reply.tool_calls]
            said = {**_message("assistant", reply.text, *wishes), "finish_reason": reply.finish_reason}
            span.set_attribute("gen_ai.output.messages", json_text([said]))

    def _used(self, span: Span, outcome: ToolOutcome) -> None:
        if outcome.is_error:
            span.set_attribute("error.type", "tool_error")
            span.set_status(StatusCode.ERROR, outcome.text if self._content else None)
        if self._content:
            span.set_attribute("gen_ai.tool.call.result", outcome.text)


def _message(role: str, text: str, *parts: dict[str, Any]) -> dict[str, Any]:
    words = [{"type": "text", "content": text}] if text or not parts else []
    return {"role": role, "parts": [*words, *parts]}


def _message_of(message: Message) -> dict[str, Any]:
    """Return a message as the conventions write it, with the tools that are called in it or have answered."""
    if "tool_call_id" in message:
        part = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
        return _message(message["role"], "", part)
    calls = [(each["id"], each["function"]) for each in message.get("tool_calls", ())]
    wishes = [_wish(call_id, called["name"], called["arguments"]) for call_id, called in calls]
    return _message(message["role"], message["content"], *wishes)


def _wish(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": _read(arguments)}


def _read(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text
