"""Which spans a run has, and which are inside which; what they say is in `attributes`.

    invoke_workflow ramify          the run
      plan ramify                   while the goal is split, before anything is executed
        chat MODEL                  a call
      invoke_agent TYPE             a task; from the first work below it to its own end
        plan ramify                 while it is split, or its plan is changed, in mid-run
        invoke_agent TYPE           its subtask
          chat MODEL
          execute_tool TOOL         a tool that the model has called

Task and run spans follow the events and have their times; the spans of calls are current while the call is made, so
that what an HTTP library traces stands below them; so it is with tools. A task's span has links to those of the tasks
that it depends on. Words of tasks, prompts, replies and errors are left out unless content is asked for.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode
from ramify.planner.errors import ModelError
from ramify.planner.events.events import Event, EventBus, EventType, ToolUse
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.planner.store.records import ENDED
from ramify.prompts.variables import ToolOutcome
from ramify.tasks import Task

from . import attributes as says
from .attributes import AGENT, CHAT, PLAN, RAMIFY, TOOL, WORKFLOW, Attributes
from .parts import LINK, MOST_SPANS, Parts

_ENDS = {EventType.TASK_DONE: StatusCode.OK, EventType.TASK_FAILED: StatusCode.ERROR}
_NOTED = frozenset(
    {
        EventType.TASK_RETRYING,
        EventType.ALERT,
        EventType.EMITTED,
        EventType.PROMPT_CUT,
        EventType.WARNING,
        EventType.LIMIT_NEAR,
        EventType.RUN_CONTROLLED,
    }
)
_PLANNED = frozenset({EventType.PLAN_ATTACHED, EventType.PLAN_ATOMIC, EventType.PLAN_EDITED})
_PLANNING = frozenset({"decompose", "fit", "replan", "steer"})
"""The purposes of calls that plan."""


class RunSpans:
    """The spans of one run.

    Args:
        run_id: the run.
        root: its tree.
        provider: what makes the spans; the global one if None.
        content: whether words of tasks, prompts and replies go in.
        most: spans in a trace after which further tasks begin in another one.
    """

    def __init__(
        self, run_id: str, root: Task, *, provider: trace.TracerProvider | None, content: bool, most: int = MOST_SPANS
    ) -> None:
        self._tracer = trace.get_tracer("ramify", tracer_provider=provider)
        self._parts = Parts(self._tracer, most=most)
        self._outside = contexts.get_current()
        self._run_id = run_id
        self._root = root
        self._is_planned = False
        self._content = content
        self._run: Span | None = None
        self._plans: dict[Task | None, Span] = {}
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
            resumed = {"ramify.run.resumed": bool(event.data["resumed"])}
            self._run = self._begin(f"{WORKFLOW} {RAMIFY}", self._outside, self._of_run() | resumed, at_ns)
        elif event.type == EventType.PLANNED:
            self._is_planned = True
            self._end_plan(None, at_ns)
        elif event.type == EventType.TASK_STARTED:
            self._is_planned = True
            doing = {"ramify.task.doing": str(event.data["doing"])}
            self._task_span(self._find(event), at_ns).set_attributes(doing)
        elif event.type in _PLANNED and (changed := event.task_id or event.data.get("below")):
            self._end_plan(self._root.find(str(changed)), at_ns)
        elif event.type in _ENDS or event.type == EventType.TASK_RELEASED:
            self._end_task(self._find(event), event, at_ns)
        elif event.type == EventType.RUN_FINISHED:
            self._end_run(str(event.data["status"]), at_ns)
        elif event.type in _NOTED or (event.type == EventType.CALL_DONE and event.data["recorded"]):
            noted = says.of_event(event, content=self._content)
            self._span_of(event.task_id).add_event(f"ramify.{event.type}", noted, timestamp=at_ns)

    @contextmanager
    def calling(self, model: Model, request: ModelRequest) -> Generator[Callable[[ModelReply], None], None, None]:
        """Make the span of a call current while it is made; it is given the reply."""
        asked = says.of_call(model, request, self._run_id) | self._words(lambda: says.words_of_call(request))
        kind = SpanKind.CLIENT if model.is_language_model else SpanKind.INTERNAL
        with self._current(f"{CHAT} {model.name}", self._parent_of_call(request), kind, asked) as span:
            yield lambda reply: span.set_attributes(
                says.of_reply(reply) | self._words(lambda: says.words_of_reply(reply))
            )

    @contextmanager
    def using(self, use: ToolUse) -> Generator[Callable[[ToolOutcome], None], None, None]:
        """Make the span of a tool current while it is used; it is given what comes of it."""
        used = says.of_use(use, self._run_id) | self._words(lambda: says.words_of_use(use))
        parent = self._task_span(self._root.find(use.task_id), time.time_ns())
        with self._current(f"{TOOL} {use.tool}", parent, SpanKind.INTERNAL, used) as span:
            yield lambda outcome: self._used(span, outcome)

    @contextmanager
    def _current(self, name: str, parent: Span, kind: SpanKind, attributes: Attributes) -> Generator[Span, None, None]:
        """Make a span below `parent` current; what is raised inside is its error."""
        context = trace.set_span_in_context(parent, contexts.get_current())
        span = self._tracer.start_span(name, context, kind=kind, attributes=attributes)
        self._parts.count(span)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except BaseException as error:
                known = error.kind if isinstance(error, ModelError) else type(error).__name__
                span.set_attribute("error.type", str(known))
                span.set_status(StatusCode.ERROR)
                raise

    def _parent_of_call(self, request: ModelRequest) -> Span:
        task = self._root.find(request.task_id)
        if not (self._is_planned or task.id in self._open):
            return self._plan_span(None, self._run)
        parent = self._task_span(task, time.time_ns())  # its start may wait for the disk behind another event
        is_planning = request.purpose in _PLANNING or task in self._plans
        return self._plan_span(task, parent) if is_planning else parent

    def _plan_span(self, task: Task | None, parent: Span | None) -> Span:
        """Return the span of the planning of `task`, or, for None, of what comes before all else; opened if need be."""
        if task not in self._plans:
            planned = says.of_operation(PLAN, self._run_id, RAMIFY) | (
                {} if task is None else {"ramify.task.id": task.id}
            )
            words = self._words(lambda: says.words_in((task or self._root).content))
            self._plans[task] = self._begin(f"{PLAN} {RAMIFY}", self._below(parent), planned | words)
        return self._plans[task]

    def _task_span(self, task: Task, at_ns: int) -> Span:
        """Return the span of `task`, opened now below those of its ancestors if it is not open yet."""
        missing = [task] if task.id not in self._open else []
        if missing:
            for above in task.ancestors():
                if above.id in self._open:
                    break
                missing.append(above)
        for each in reversed(missing):
            self._open[each.id] = self._begin_task(each, at_ns)
        return self._open[task.id]

    def _begin_task(self, task: Task, at_ns: int) -> Span:
        parent = self._run if task.parent is None else self._open[task.parent.id]
        needs = [Link(self._ended[each], {LINK: "needs"}) for each in task.dependencies if each in self._ended]
        if self._run is not None and parent is not None and self._parts.is_full(parent):
            needs.append(Link(parent.get_span_context(), {LINK: "parent"}))
            parent = self._parts.room(self._run, f"{WORKFLOW} {RAMIFY}", self._of_run(), at_ns)
        told = says.of_task(task, self._run_id) | self._words(lambda: says.words_in(task.content))
        return self._begin(f"{AGENT} {says.agent_of(task)}", self._below(parent), told, at_ns, needs)

    def _begin(
        self,
        name: str,
        context: contexts.Context,
        attributes: Attributes,
        at_ns: int | None = None,
        links: list[Link] | None = None,
    ) -> Span:
        span = self._tracer.start_span(name, context, attributes=attributes, start_time=at_ns, links=links)
        self._parts.count(span)
        return span

    def _end_task(self, task: Task, event: Event, at_ns: int) -> None:
        self._end_plan(task, at_ns)
        if task.id not in self._open:
            return
        span = self._open.pop(task.id)
        self._ended[task.id] = span.get_span_context()
        span.set_attributes({"ramify.task.state": task.state.value, "ramify.task.attempts": task.attempts})
        if event.type in _ENDS:
            words = str(event.data.get("error", "")) if self._content else ""
            span.set_status(_ENDS[EventType(event.type)], words or None)
        if event.type == EventType.TASK_FAILED:
            span.set_attribute("error.type", "task_failed")
        if task.result:
            span.set_attributes(self._words(lambda: says.words_out(task.result)))
        span.end(at_ns)

    def _end_plan(self, task: Task | None, at_ns: int) -> None:
        span = self._plans.pop(task, None)
        if span is not None:
            subtasks = (task or self._root).subtasks
            if subtasks:
                span.set_attributes(self._words(lambda: says.plan_out(subtasks)))
            span.end(at_ns)

    def _end_run(self, status: str, at_ns: int) -> None:
        ended: Attributes = {"ramify.run.status": status}
        if status == "failed":
            ended["error.type"] = "run_failed"
        if self._root.result:
            ended |= self._words(lambda: says.words_out(self._root.result))
        if self._run is not None:
            self._run.set_attributes(ended)
            if status in ENDED:
                self._run.set_status(StatusCode.ERROR if status == "failed" else StatusCode.OK)
        self._end_all(at_ns, ended)

    def _end_all(self, at_ns: int, ended: Attributes | None = None) -> None:
        for task in tuple(self._plans):
            self._end_plan(task, at_ns)
        for span in reversed(self._open.values()):
            span.end(at_ns)
        self._open.clear()
        self._parts.end(at_ns, ended or {})
        if self._run is not None:
            self._run.end(at_ns)
            self._run = None

    def _used(self, span: Span, outcome: ToolOutcome) -> None:
        if outcome.is_error:
            span.set_attribute("error.type", "tool_error")
            span.set_status(StatusCode.ERROR, outcome.text if self._content else None)
        span.set_attributes(self._words(lambda: says.words_of_outcome(outcome)))

    def _below(self, span: Span | None) -> contexts.Context:
        return self._outside if span is None else trace.set_span_in_context(span, self._outside)

    def _find(self, event: Event) -> Task:
        return self._root.find(str(event.task_id))

    def _span_of(self, task_id: str | None) -> Span:
        found = self._open.get(task_id or "") or self._plans.get(None) or self._run
        return trace.INVALID_SPAN if found is None else found

    def _of_run(self) -> Attributes:
        return says.of_operation(WORKFLOW, self._run_id, RAMIFY) | self._words(
            lambda: says.words_in(self._root.content)
        )

    def _words(self, make: Callable[[], Attributes]) -> Attributes:
        """Return what `make` returns, if words are wanted."""
        return make() if self._content else {}
