"""Viewers of traces show runs as they are: Phoenix and MLflow, from packages that only this test needs.

Run it where they are installed besides what the tests need: `pip install arize-phoenix mlflow`, then
`python -m pytest -W ignore tests/test_viewers.py`; it starts their servers on loopback.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from ramify.planner import Agent, Executor, PlanLimits, instrument
from ramify.planner.models.protocol import ModelReply, ModelRequest, ToolCall
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .patience import HANG_S, comes_true
from .test_tracing import look

pytestmark = pytest.mark.viewers
GOAL, ANSWER = "How is it in Oslo?", "the word in question in Oslo"
TOKENS = {"input_tokens": 100, "output_tokens": 10, "cached_tokens": 40}
KINDS = {
    "invoke_workflow ramify": "CHAIN", "plan ramify": "CHAIN", "invoke_agent model": "AGENT", "chat scripted": "LLM",
    "execute_tool look": "TOOL",
}  # fmt: skip


def wanted(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed here; see the head of tests/test_viewers.py")


def reply(request: ModelRequest) -> ModelReply:
    """Plan one leaf, have the tool called once, then answer."""
    if request.purpose == "decompose":
        return ModelReply(text="<task>a</task><task needs='1'>b</task>", model="scripted", **TOKENS)  # type: ignore[arg-type]
    if request.messages[-1]["role"] != "tool" and request.purpose == "execute":
        call = ToolCall(id="c", name="look", arguments='{"place": "Oslo"}')
        return ModelReply(text="", model="scripted", tool_calls=(call,), finish_reason="tool_calls", **TOKENS)  # type: ignore[arg-type]
    return ModelReply(text=f"<result>{ANSWER}</result>", model="scripted", **TOKENS)  # type: ignore[arg-type]


def send_run(folder: Path, address: str, **headers: str) -> int:
    """Make a run, send its spans to an address, and return how many calls it has made."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # type: ignore[import-not-found]
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(
        SimpleSpanProcessor(OTLPSpanExporter(endpoint=address, headers=headers, timeout=HANG_S))
    )
    model = ScriptedModel(reply, calls_tools=True)
    plan = PlanLimits(max_depth=2)
    run = Executor(Agent(model, tools=[look]), plan=plan, store=folder / "runs.db").new_run(Task(content=GOAL, id="0"))
    instrument(run, provider=provider, content=True)
    assert run.start().wait().status == "done"
    provider.shutdown()
    return run.usage.calls


@contextmanager
def server(folder: Path, health: str, *words: str, **environment: str) -> Iterator[str]:
    """Run a server until the end of the context, and give its address; `PORT` in its words stands for its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{address}{health}", timeout=HANG_S).is_success
        return False

    env = os.environ | {name: value.replace("PORT", port) for name, value in environment.items()}
    command = [sys.executable, "-m", *(word.replace("PORT", port) for word in words)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        try:
            assert comes_true(lambda: answers() or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield address
        finally:
            process.terminate()


def test_phoenix_shows_kinds_tokens_messages_and_what_came_of_the_run(tmp_path: Path) -> None:
    wanted("phoenix")
    settings = {"PHOENIX_PORT": "PORT", "PHOENIX_GRPC_PORT": "0", "PHOENIX_HOST": "127.0.0.1"}
    fields = "name spanKind tokenCountPrompt tokenCountCompletion input { value } output { value } attributes"
    spans_of = f"spans(first: 50) {{ edges {{ node {{ {fields} }} }} }}"
    query = f"{{ projects {{ edges {{ node {{ {spans_of} }} }} }} }}"

    def seen() -> list[dict[str, Any]]:
        found = httpx.post(f"{address}/graphql", json={"query": query}, timeout=HANG_S)
        projects = found.json()["data"]["projects"]["edges"]
        return [edge["node"] for project in projects for edge in project["node"]["spans"]["edges"]]

    with server(
        tmp_path, "/healthz", "phoenix.server.main", "serve", PHOENIX_WORKING_DIR=str(tmp_path), **settings
    ) as address:
        calls = send_run(tmp_path, f"{address}/v1/traces")
        assert comes_true(lambda: len([span for span in seen() if span["name"] == "invoke_workflow ramify"]) == 1)
        spans = seen()
    assert {span["name"]: span["spanKind"].upper() for span in spans} == KINDS
    (run,) = [span for span in spans if span["name"] == "invoke_workflow ramify"]
    assert (run["input"]["value"], run["output"]["value"]) == (GOAL, ANSWER)
    chats = [span for span in spans if span["name"] == "chat scripted"]
    assert len(chats) == calls
    for chat in chats:
        said = json.loads(chat["attributes"])["llm"]
        assert (chat["tokenCountPrompt"], chat["tokenCountCompletion"]) == (100, 10)
        assert said["token_count"]["prompt_details"]["cache_read"] == 40
        assert said["input_messages"][0]["message"]["role"] == "system"
        assert said["output_messages"]
        assert "model" not in json.loads(chat["output"]["value"])


READ_MLFLOW = """
import json, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
(trace,) = mlflow.MlflowClient().search_traces(locations=["0"])
spans = [[span.name, span.span_type, span.inputs, span.outputs] for span in trace.data.spans]
info = trace.info
print(json.dumps([info.request_preview, info.response_preview, info.token_usage, spans]))
"""


def test_mlflow_shows_kinds_tokens_messages_and_what_came_of_the_run(tmp_path: Path) -> None:
    wanted("mlflow")
    place = ("--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}", "--host", "127.0.0.1", "--port", "PORT")
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with server(tmp_path, "/health", "mlflow", "server", *place, "--workers", "1", **quiet) as address:
        calls = send_run(tmp_path, f"{address}/v1/traces", **{"x-mlflow-experiment-id": "0"})
        told = subprocess.run(
            [sys.executable, "-c", READ_MLFLOW, address], capture_output=True, check=True, env=os.environ | quiet
        )
    asked, answered, tokens, spans = json.loads(told.stdout.splitlines()[-1])
    assert (json.loads(asked), json.loads(answered)) == (GOAL, ANSWER)
    assert (tokens["input_tokens"], tokens["output_tokens"]) == (100 * calls, 10 * calls)
    assert tokens["cache_read_input_tokens"] == 40 * calls
    assert {name: kind for name, kind, *_ in spans} == {**KINDS, "chat scripted": "CHAT_MODEL"}
    for name, _, given, came in spans:
        if name == "chat scripted":
            assert (given[0]["role"], came[0]["role"]) == ("system", "assistant")
