"""Spans of OpenTelemetry: which there are, which are inside which, what they say, and what they leave out."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from ramify.planner import Agent, AgentSettings, Executor, PlanLimits, RunLimits, instrument
from ramify.planner.errors import UsageError
from ramify.planner.models.litellm import LiteLLMModel
from ramify.planner.models.protocol import ModelReply, ModelRequest, Sampling, ToolCall
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.planner.tracing import missing_packages
from ramify.planner.tracing.exporters import exporters
from ramify.planner.tracing.providers import provider_of
from ramify.planner.tracing.spans import RunSpans
from ramify.tasks import Task, TaskConfig

from .openai_server import OpenAIServer
from .ramify_command import ramify_process

WORDS = "the word in question"
KEYS = {"task_id": "ramify.task.id", "purpose": "gen_ai.prompt.name"}
REPLIES = {
    "decompose 0": "<task>first</task><task needs='1'>second</task>",
    "decompose": "<atomic/>",
    "execute": f"<result>{WORDS}</result>",
    "compose": "<result>both</result>",
}


class Traces:
    """A provider that keeps the spans in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def only(self, name: str, **wanted: Any) -> ReadableSpan:
        """Return the only span of that name whose attributes are those, by the names in `KEYS`."""
        (found,) = [
            span
            for span in self.named(name)
            if all(said(span).get(KEYS[key]) == value for key, value in wanted.items())
        ]
        return found

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        if span.parent is None:
            return None
        (found,) = [each for each in self.spans if each.context.span_id == span.parent.span_id]
        return found

    def words(self) -> str:
        return "\n".join(span.to_json() for span in self.spans)


def words_of(span: ReadableSpan, name: str) -> list[str]:
    """Return the texts of the messages of a span."""
    return [part["content"] for message in json.loads(said(span)[name]) for part in message["parts"]]


def said(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    made.provider.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def traced(executor: Executor, root: Task, traces: Traces, **how: Any) -> None:
    run = executor.new_run(root)
    instrument(run, provider=traces.provider, **how)
    run.start().wait()


def test_a_run_has_spans_for_itself_its_plan_its_tasks_and_its_calls(store: Path, traces: Traces) -> None:
    traced(Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=store), Task(content="both", id="0"), traces)
    run, plan, root = (
        traces.only("invoke_workflow ramify"),
        traces.only("plan ramify"),
        traces.only("invoke_agent model", task_id="0"),
    )
    assert traces.parent(run) is None
    assert traces.parent(plan) is run
    assert traces.parent(root) is run
    for task_id in ("0.1", "0.2"):
        task = traces.only("invoke_agent model", task_id=task_id)
        assert traces.parent(task) is root
        call = traces.only("chat scripted", task_id=task_id, purpose="execute")
        assert traces.parent(call) is task
    assert traces.parent(traces.only("chat scripted", purpose="compose")) is root
    planned = [span for span in traces.named("chat scripted") if said(span)["gen_ai.prompt.name"] == "decompose"]
    assert [traces.parent(span) for span in planned] == [plan] * 3
    assert len({span.context.trace_id for span in traces.spans}) == 1
    assert len(traces.spans) == 1 + 1 + 3 + 6


def test_every_span_lies_within_its_parent_and_a_dependent_links_to_what_it_needs(store: Path, traces: Traces) -> None:
    model = ScriptedModel(REPLIES, latency_s=0.01)
    traced(Executor(model, plan=PlanLimits(), store=store), Task(content="both", id="0"), traces)
    for span in traces.spans:
        parent = traces.parent(span)
        if parent is not None:
            assert (parent.start_time or 0) <= (span.start_time or 0) <= (span.end_time or 0) <= (parent.end_time or 0)
    first, second = (traces.only("invoke_agent model", task_id=task_id) for task_id in ("0.1", "0.2"))
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert (first.end_time or 0) <= (second.start_time or 0)
    calls = traces.named("chat scripted")
    assert all((span.end_time or 0) - (span.start_time or 0) >= 10_000_000 for span in calls)


def test_a_call_says_what_the_conventions_for_generative_ai_want(store: Path, traces: Traces) -> None:
    asking = AgentSettings(sampling=Sampling(temperature=0.2, max_output_tokens=99, stop=("END",)))
    with OpenAIServer(lambda _: "<result>four</result>") as server:
        agent = Agent("openai/tiny", base_url=server.base_url, api_key="k", settings=asking)
        traced(Executor(agent, store=store), Task(content="2 + 2", id="0"), traces)
    call = traces.only("chat openai/tiny")
    attributes = dict(said(call))
    assert call.kind is SpanKind.CLIENT
    assert attributes["gen_ai.usage.input_tokens"] > 0
    assert attributes["gen_ai.usage.output_tokens"] > 0
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "openai/tiny",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.prompt.name": "execute",
    }
    assert {name: attributes[name] for name in expected} == expected
    assert attributes["gen_ai.conversation.id"] == said(traces.only("invoke_workflow ramify"))["ramify.run.id"]


@pytest.mark.fault("5.5")
@pytest.mark.parametrize(
    ("name", "base_url", "provider"),
    [
        ("claude-sonnet-4-5", None, "anthropic"),
        ("anthropic/claude-sonnet-4-5", None, "anthropic"),
        ("anthropic.claude-3-haiku-20240307-v1:0", None, "aws.bedrock"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "aws.bedrock"),
        ("bedrock/us.amazon.nova-pro-v1:0", None, "aws.bedrock"),
        ("gemini-2.5-pro", None, "gcp.gen_ai"),
        ("gemini/gemini-2.5-pro", None, "gcp.gemini"),
        ("vertex_ai/gemini-2.5-pro", None, "gcp.vertex_ai"),
        ("mistral-large-latest", None, "mistral_ai"),
        ("deepseek-chat", None, "deepseek"),
        ("grok-4", None, "x_ai"),
        ("xai/grok-4", None, "x_ai"),
        ("command-r-plus", None, "cohere"),
        ("azure_ai/mistral-large", None, "azure.ai.inference"),
        ("azure/gpt-5", None, "azure.ai.openai"),
        ("groq/llama-3.3-70b", None, "groq"),
        ("ollama/qwen3", None, "ollama"),
        ("gpt-5-mini", None, "openai"),
        ("qwen/qwen3-8b", "http://127.0.0.1:9/v1", "openai"),
        ("claude-sonnet-4-5", "http://127.0.0.1:9/v1", "openai"),
    ],
)
def test_a_provider_is_named_as_the_conventions_name_it(name: str, base_url: str | None, provider: str) -> None:
    assert provider_of(LiteLLMModel(name, base_url=base_url)) == provider


@pytest.mark.fault("5.5")
def test_spans_carry_their_operation_and_the_run_its_answer(store: Path, traces: Traces) -> None:
    executor = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=store)
    traced(executor, Task(content="both", id="0"), traces, content=True)
    operations = {span.name: said(span)["gen_ai.operation.name"] for span in traces.spans}
    assert operations == {
        "invoke_workflow ramify": "invoke_workflow", "plan ramify": "plan", "invoke_agent model": "invoke_agent",
        "chat scripted": "chat",
    }  # fmt: skip
    kinds = {span.name: said(span).get("openinference.span.kind") for span in traces.spans}
    assert kinds == {
        "invoke_workflow ramify": "CHAIN", "plan ramify": "CHAIN", "invoke_agent model": None, "chat scripted": None,
    }  # fmt: skip
    run = said(traces.only("invoke_workflow ramify"))
    assert (run["input.value"], run["output.value"]) == ("both", "both")
    assert json.loads(run["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "both"}]}
    ]
    assert json.loads(run["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "both"}], "finish_reason": "stop"}
    ]


@pytest.mark.parametrize("content", [True, False])
def test_a_task_that_is_split_in_mid_run_has_its_plan_inside(store: Path, traces: Traces, *, content: bool) -> None:
    replies = {**REPLIES, "execute 0": "<failed reason='too_big'>two parts</failed>"}
    executor = Executor(ScriptedModel(replies), policy="as_needed", store=store)
    traced(executor, Task(content="both", id="0"), traces, content=content)
    plan, root = traces.only("plan ramify"), traces.only("invoke_agent model", task_id="0")
    assert traces.parent(plan) is root
    assert [traces.parent(span) for span in traces.named("chat scripted")].count(plan) == 1
    parts = [traces.only("invoke_agent model", task_id=each) for each in ("0.1", "0.2")]
    assert [traces.parent(part) for part in parts] == [root] * 2
    assert (plan.end_time or 0) <= (parts[0].start_time or 0)
    if content:
        assert words_of(plan, "gen_ai.output.messages") == ["0.1: first\n0.2: second"]


def test_a_run_of_many_spans_goes_on_in_further_traces_that_link_to_it(store: Path, traces: Traces) -> None:
    root = Task(content="all", id="0")
    for number in range(1, 7):
        group = Task(content=f"group {number}", id=f"0.{number}")
        group.add_subtasks([Task(content="leaf", id=f"0.{number}.{each}") for each in (1, 2)])
        root.add_subtask(group)
    run = Executor(ScriptedModel(REPLIES), store=store, jobs=1).new_run(root)
    spans = RunSpans(run.id, run.task, provider=traces.provider, content=True, most=12)
    spans.follow(run.bus)
    run.start().wait()
    runs = traces.named("invoke_workflow ramify")
    first, *parts = [span for span in runs if "ramify.trace.part" not in said(span)] + [
        span for span in runs if "ramify.trace.part" in said(span)
    ]
    by_trace: dict[int, int] = {}
    for span in traces.spans:
        by_trace[span.context.trace_id] = by_trace.get(span.context.trace_id, 0) + 1
    assert sum(by_trace.values()) == len(traces.spans) == 1 + 19 + 19 + len(parts)
    assert set(by_trace) == {span.context.trace_id for span in runs}
    assert len(parts) == 2
    assert all(size <= 12 + 7 for size in by_trace.values())
    assert [said(part)["ramify.trace.part"] for part in parts] == [2, 3]
    assert all(traces.parent(part) is None for part in parts)
    assert [[link.context.span_id for link in part.links] for part in parts] == [[first.context.span_id]] * 2
    assert {link.context.span_id for link in first.links} == {part.context.span_id for part in parts}
    moved = [span for span in traces.named("invoke_agent model") if traces.parent(span) in parts]
    assert moved
    groups = {said(span)["ramify.task.id"]: span.context.span_id for span in traces.named("invoke_agent model")}
    for span in moved:
        above = str(said(span)["ramify.task.id"]).rpartition(".")[0]
        assert [link.context.span_id for link in span.links] == [groups[above]]
    assert {said(span)["gen_ai.conversation.id"] for span in traces.spans} == {run.id}
    assert all(words_of(each, "gen_ai.output.messages") == ["both"] for each in runs)


def look(place: str) -> str:
    """Look at a place."""
    if place == "nowhere":
        raise ValueError(f"there is no {place}")
    return f"{WORDS} in {place}"


@pytest.mark.fault("5.5")
@pytest.mark.parametrize("content", [True, False])
def test_tools_that_a_model_calls_by_itself_leave_a_trace(store: Path, traces: Traces, *, content: bool) -> None:
    calls = tuple(
        ToolCall(id=f"call-{number}", name="look", arguments=json.dumps({"place": place}))
        for number, place in enumerate(("Oslo", "nowhere"))
    )
    asked = ModelReply(text="", model="scripted", tool_calls=calls, finish_reason="tool_calls")
    replies: Iterator[ModelReply | str] = iter([asked, "<result>done</result>"])
    model = ScriptedModel(lambda _: next(replies), calls_tools=True)
    traced(Executor(Agent(model, tools=[look]), store=store), Task(content="x", id="0"), traces, content=content)
    first, second = traces.named("execute_tool look")
    task = traces.only("invoke_agent model")
    for span, number in ((first, 0), (second, 1)):
        assert traces.parent(span) is task
        expected = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"call-{number}", "gen_ai.tool.description": "Look at a place.",
        }  # fmt: skip
        assert {name: said(span)[name] for name in expected} == expected
    assert "error.type" not in said(first)
    assert (said(second)["error.type"], second.status.status_code) == ("tool_error", StatusCode.ERROR)
    if not content:
        assert WORDS not in traces.words()
        assert "Oslo" not in traces.words()
        return
    assert json.loads(said(first)["gen_ai.tool.call.arguments"]) == {"place": "Oslo"}
    assert said(first)["gen_ai.tool.call.result"] == f"{WORDS} in Oslo"
    asking, answering = traces.named("chat scripted")
    (wish, _) = json.loads(said(asking)["gen_ai.output.messages"])[0]["parts"]
    assert wish == {"type": "tool_call", "id": "call-0", "name": "look", "arguments": {"place": "Oslo"}}
    told = [part for each in json.loads(said(answering)["gen_ai.input.messages"]) for part in each["parts"]]
    assert [(part["type"], part["id"]) for part in told if part["type"] != "text"] == [
        ("tool_call", "call-0"), ("tool_call", "call-1"),
        ("tool_call_response", "call-0"), ("tool_call_response", "call-1"),
    ]  # fmt: skip
    assert "look" in said(asking)["gen_ai.tool.definitions"]


def test_words_are_left_out_unless_they_are_asked_for(store: Path, traces: Traces) -> None:
    failing = ScriptedModel({"*": f"<failed reason='refused'>{WORDS}</failed>"})
    for model in (ScriptedModel(REPLIES), failing):
        root = Task(content=WORDS, id="0", config=TaskConfig(retry_delay_seconds=0.0))
        traced(Executor(FaultyModel(model, ["timeout"]), store=store), root, traces)
    assert WORDS not in traces.words()

    open_traces = Traces()
    traced(Executor(ScriptedModel(REPLIES), store=store), Task(content=WORDS, id="0"), open_traces, content=True)
    call, task = open_traces.only("chat scripted"), open_traces.only("invoke_agent model")
    assert WORDS in said(call)["gen_ai.input.messages"]
    assert WORDS in said(call)["gen_ai.output.messages"]
    assert words_of(task, "gen_ai.input.messages") == words_of(task, "gen_ai.output.messages") == [WORDS]
    open_traces.provider.shutdown()


def test_secrets_stay_out_of_the_words_too(store: Path, traces: Traces) -> None:
    value = "hunter2222"
    cut = ModelReply(text=f"<result>{value}", model="scripted", finish_reason="length")  # it is put to it once more
    replies: Iterator[ModelReply | str] = iter([cut, f"<result>It was {value}</result>"])
    executor = Executor(
        ScriptedModel(lambda _: next(replies)), store=store, allow=["secret:WORD"], secrets={"WORD": value}
    )
    traced(executor, Task(content="x", id="0"), traces, content=True)
    assert value not in traces.words()
    assert "It was [secret hidden]" in traces.words()
    assert len(traces.named("chat scripted")) == 2


def test_a_failed_call_and_a_failed_task_are_errors_and_a_retry_is_noted(store: Path, traces: Traces) -> None:
    model = FaultyModel(ScriptedModel({"*": "<failed reason='refused'>no</failed>"}), ["timeout"])
    traced(Executor(model, store=store), Task(content="x", config=TaskConfig(retry_delay_seconds=0.0)), traces)
    first, second = traces.named("chat scripted")
    assert (said(first)["error.type"], first.status.status_code) == ("timeout", StatusCode.ERROR)
    assert "error.type" not in said(second)
    task = traces.only("invoke_agent model")
    assert task.status.status_code is StatusCode.ERROR
    assert [event.name for event in task.events] == ["ramify.task_retrying"]
    assert traces.only("invoke_workflow ramify").status.status_code is StatusCode.ERROR


def test_what_was_answered_before_is_no_call_of_the_resumed_run(store: Path, traces: Traces) -> None:
    tight = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), limits=RunLimits(max_calls=4), store=store)
    before = Traces()
    run = tight.new_run(Task(content="both", id="0"))
    instrument(run, provider=before.provider)
    run.start().wait()
    assert len(before.named("chat scripted")) == 4
    assert said(before.only("invoke_workflow ramify"))["ramify.run.status"] == "stopped"
    again = Executor.reopen(store, run.id, agent=ScriptedModel(REPLIES), limits=RunLimits())
    instrument(again, provider=traces.provider)
    again.start().wait()
    assert said(traces.only("invoke_workflow ramify"))["ramify.run.resumed"] is True
    assert len(traces.named("chat scripted")) == 2
    before.provider.shutdown()


def test_the_callers_span_is_around_the_run_and_a_call_is_current_for_what_it_calls(
    store: Path, traces: Traces
) -> None:
    tracer = traces.provider.get_tracer("test")

    def answer(_: ModelRequest) -> str:
        with tracer.start_as_current_span("http"):
            return "done"

    with tracer.start_as_current_span("notebook"):
        traced(Executor(ScriptedModel(answer), store=store), Task(content="x", id="0"), traces)
    assert traces.parent(traces.only("invoke_workflow ramify")) is traces.only("notebook")
    assert traces.parent(traces.only("http")) is traces.only("chat scripted")


def test_what_instrument_returns_ends_it(store: Path, traces: Traces) -> None:
    run = Executor(ScriptedModel(REPLIES), store=store).new_run(Task(content="x", id="0"))
    instrument(run, provider=traces.provider)()
    run.start().wait()
    assert traces.spans == []


def test_without_the_packages_it_is_said_how_to_get_them() -> None:
    gone = ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry.sdk")
    assert "pip install 'ramify[otel]'" in str(missing_packages(gone))
    other = ModuleNotFoundError("No module named 'x'", name="x")
    assert missing_packages(other) is other


def test_a_command_sends_spans_where_the_variables_say_if_it_was_told_to_trace(home: Path) -> None:
    goal = ("solve", "--model", "rules", "-q", "2 * 3")
    told = ramify_process(*goal, RAMIFY_OTEL="1", OTEL_TRACES_EXPORTER="console", OTEL_SERVICE_NAME="mine")
    assert (told.code, told.out) == (0, "6\n")
    assert '"name": "invoke_workflow ramify"' in told.err
    assert '"service.name": "mine"' in told.err
    assert "2 * 3" not in told.err
    silent = ramify_process(*goal, OTEL_TRACES_EXPORTER="console")
    assert (silent.code, silent.out, silent.err) == (0, "6\n", "")
    wordy = ramify_process(*goal, RAMIFY_OTEL="1", RAMIFY_OTEL_CONTENT="1", OTEL_TRACES_EXPORTER="console")
    assert "2 * 3" in wordy.err
    nowhere = ramify_process(*goal, RAMIFY_OTEL="1", OTEL_TRACES_EXPORTER="none")
    assert (nowhere.code, nowhere.out, nowhere.err) == (0, "6\n", "")
    assert home == Path.cwd()


def test_an_exporter_that_is_not_there_is_named_with_the_way_to_get_it(home: Path) -> None:
    said_so = ramify_process("solve", "--model", "rules", "2 * 3", RAMIFY_OTEL="1")
    assert said_so.code == 2
    assert "the exporter 'otlp' is not installed: pip install opentelemetry-exporter-otlp" in said_so.err
    with pytest.raises(UsageError, match="pip install opentelemetry-exporter-zipkin"):
        exporters("console, zipkin")
    assert len(exporters("none, console")) == 1
    assert home == Path.cwd()


def test_the_setting_makes_spans_of_runs_from_python_and_instrument_is_not_doubled(
    store: Path, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAMIFY_OTEL", "1")
    traced(Executor(ScriptedModel(REPLIES), store=store), Task(content="x", id="0"), traces)
    assert len(traces.named("invoke_workflow ramify")) == 1


def test_solve_takes_the_setting_as_a_keyword_and_a_program_without_a_provider_loses_nothing(store: Path) -> None:
    code = (
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "from ramify.planner import solve\n"
        f"how = dict(model='rules', store={str(store)!r})\n"
        "print(solve('2 * 3', otel=True, **how).result)\n"
        "kept, provider = InMemorySpanExporter(), TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(kept))\n"
        "trace.set_tracer_provider(provider)\n"
        "solve('2 * 3', **how)\n"
        "print(len(kept.get_finished_spans()))\n"
        "solve('2 * 3', otel=True, otel_content=True, **how)\n"
        "print(*sorted(span.name for span in kept.get_finished_spans()))\n"
        "print('2 * 3' in kept.get_finished_spans()[-1].attributes['gen_ai.input.messages'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == ("6\n0\nchat rules chat rules invoke_agent model invoke_workflow ramify plan ramify\nTrue\n")
