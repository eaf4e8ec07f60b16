"""A prompt that a model cannot read is made as long as it can, at once, and what was left out is told everywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run, solve
from ramify.planner.errors import ModelError
from ramify.planner.events.events import Event
from ramify.planner.events.losses import losses_text
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.models.retry import classify
from ramify.planner.models.window_words import read_sizes
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .openai_server import Chat, Fault, OpenAIServer
from .ramify_command import Ramify

WINDOW = 4_096
TEXT = "The quick brown fox jumps over the lazy dog. " * 5_000
"""225,000 characters, 50,000 words."""

GIVEN = len(TEXT) + 2
"""As an input it stands in quotes."""


def words_of(request: ModelRequest) -> int:
    return sum(len(message["content"].split()) for message in request.messages)


class Narrow(ScriptedModel):
    """A model that reads so many words, and refuses more with or without numbers.

    Attributes:
        refused: the requests that it refused.
    """

    def __init__(self, window: int = WINDOW, *, tells: tuple[str, ...] = ("prompt_tokens", "window_tokens")) -> None:
        super().__init__(self._answer)
        self.window = window
        self.refused: list[ModelRequest] = []
        self._tells = tells

    def _answer(self, request: ModelRequest) -> str:
        words = words_of(request)
        if words > self.window:
            self.refused.append(request)
            numbers = {"prompt_tokens": words, "window_tokens": self.window}
            told: dict[str, Any] = {name: numbers[name] for name in self._tells}
            raise ModelError("too long", kind="context_exceeded", model=self.name, **told)
        return "<atomic/>" if request.purpose == "decompose" else "<result>read</result>"

    @property
    def read(self) -> list[ModelRequest]:
        """The requests that it answered."""
        return [request for request in self.requests if request not in self.refused]


def run_with(model: Narrow, store: Path, *, on_event: Callable[[Event], None] | None = None, tasks: int = 1) -> Run:
    return Executor(model, store=store, jobs=1, on_event=on_event).run(tree(tasks))


def tree(tasks: int) -> Task:
    inputs: dict[str, Any] = {"notes": TEXT}
    if tasks == 1:
        return Task(content="Read.", id="0", inputs=inputs)
    root = Task(content="Read.", id="0")
    root.add_subtasks([Task(content=f"Read {n}.", id=f"0.{n}", inputs=inputs) for n in range(1, tasks + 1)])
    return root


@pytest.mark.fault("3.2")
@pytest.mark.parametrize("window", [2_000, 4_096, 8_192])
def test_nearly_the_whole_window_is_used(tmp_path: Path, window: int) -> None:
    model = Narrow(window)
    assert run_with(model, tmp_path / "runs.db").result == "read"
    (request,) = model.read
    assert 0.8 * window < words_of(request) <= window
    assert len(model.refused) <= 3


@pytest.mark.fault("3.2")
@pytest.mark.parametrize("tells", [(), ("window_tokens",)])
def test_without_numbers_a_prompt_loses_a_quarter_each_time(tmp_path: Path, tells: tuple[str, ...]) -> None:
    model = Narrow(tells=tells)
    assert run_with(model, tmp_path / "runs.db").result == "read"
    assert 0.6 * WINDOW < words_of(model.read[0]) <= WINDOW


@pytest.mark.fault("3.2")
@pytest.mark.parametrize("tells", [("prompt_tokens", "window_tokens"), ()])
def test_what_one_prompt_has_taught_holds_for_the_rest_of_the_run(tmp_path: Path, tells: tuple[str, ...]) -> None:
    model = Narrow(tells=tells)
    run = run_with(model, tmp_path / "runs.db", tasks=5)
    assert run.status == "done"
    first = next(n for n, request in enumerate(model.requests) if request not in model.refused)
    assert all(request in model.refused for request in model.requests[:first])
    assert not [request for request in model.requests[first:] if request in model.refused]


@pytest.mark.fault("3.2")
def test_a_prompt_that_cannot_be_cut_any_more_is_an_error_that_says_so(tmp_path: Path) -> None:
    run = run_with(Narrow(100), tmp_path / "runs.db")
    assert run.status == "failed"
    assert "it does not fit even without most of its 225,002 characters of data" in (run.error or "")


def test_a_goal_that_is_itself_too_long_is_to_go_into_a_file(tmp_path: Path) -> None:
    run = Executor(Narrow(100), store=tmp_path / "runs.db").run(Task("Count this: " + "word " * 4000, id="0"))
    assert run.status == "failed"
    assert "its own text is too long; put it in a file (-f), which can be read in parts" in (run.error or "")


@pytest.mark.fault("3.2")
def test_the_loss_is_an_event_a_line_and_a_value(tmp_path: Path) -> None:
    events: list[Event] = []
    run = run_with(Narrow(), tmp_path / "runs.db", on_event=events.append)
    (told,) = [event for event in events if event.type == "prompt_cut"]
    (loss,) = run.losses
    assert (loss.task_id, loss.purpose, loss.given, loss.window) == ("0", "execute", GIVEN, WINDOW)
    assert 10_000 < loss.shown < 20_000
    assert told.data["shown"] == loss.shown
    assert run.to_data()["losses"] == [loss.to_data()]
    assert losses_text(run.losses) == (
        f"the model did not see everything: the execute prompt of task 0 shows {loss.shown:,} of 225,002 characters"
        " of attached texts"
        " and results, because the model's window is 4,096 tokens"
    )
    report = run.report(tmp_path / "report.md").read_text()
    assert "the model did not see everything" in report
    assert json.loads(run.report(tmp_path / "report.json").read_text())["losses"] == [loss.to_data()]


@pytest.mark.fault("3.2")
def test_a_cut_that_no_window_makes_necessary_is_told_too(tmp_path: Path) -> None:
    run = run_with(Narrow(10**9), tmp_path / "runs.db")
    assert [(loss.shown, loss.given, loss.window) for loss in run.losses] == [(120_000, GIVEN, None)]


@pytest.mark.fault("3.2")
def test_nothing_is_told_of_a_model_that_reads_no_prompts(tmp_path: Path) -> None:
    text = tmp_path / "long.md"
    text.write_text("# Foxes\n\n" + TEXT)
    run = solve("Summarize long.md", files=[text], model="rules", store=tmp_path / "runs.db")
    assert run.losses == []


@pytest.mark.fault("3.2")
def test_a_replay_cuts_what_the_recorded_run_has_cut(tmp_path: Path) -> None:
    first = Narrow()
    run = run_with(first, tmp_path / "runs.db", tasks=3)
    with Store.open(tmp_path / "runs.db") as store:
        calls = store.calls(run.id)
    replay = Executor(f"replay:{run.id}", store=tmp_path / "runs.db", jobs=1).run(tree(3))
    assert replay.status == "done", replay.error
    assert {call.request["cut"]["given"] for call in calls if "cut" in call.request} == {GIVEN + len(tree(3).content)}


@pytest.mark.fault("3.2")
def test_the_command_says_what_was_not_read(ramify: Ramify) -> None:
    def narrow(chat: Chat) -> str | Fault:
        words = sum(len(str(each["content"]).split()) for each in chat.body["messages"])
        if words > WINDOW:
            said = f"request ({words} tokens) exceeds the available context size ({WINDOW} tokens), try increasing it"
            return Fault("context", message=said)
        return "<result>read</result>"

    Path("plan.json").write_text(json.dumps({"goal": "Read.", "inputs": {"notes": TEXT}}))
    with OpenAIServer(narrow) as server:
        asked = ("--base-url", server.base_url, "--model", "m", "--display", "plain")
        found = ramify("run", "plan.json", *asked)
    assert (found.code, found.out) == (0, "read\n"), found.err
    assert "0 warning: the execute prompt of task 0 shows" in found.err
    assert found.last_line.startswith("warning: the model did not see everything: the execute prompt of task 0 shows")
    assert "warning: the model did not see everything: the execute prompt of task 0 " in ramify("show", "--last").out
    assert json.loads(ramify("show", "--last", "--json").out)["losses"][0]["window"] == WINDOW


@pytest.mark.fault("3.2")
@pytest.mark.parametrize(
    ("words", "prompt", "window"),
    [
        ("request (4031 tokens) exceeds the available context size (1024 tokens), try increasing it", 4031, 1024),
        ("maximum context length is 8192 tokens. However, your messages resulted in 9,250 tokens.", 9250, 8192),
        ("length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in", 4000, None),
        ("maximum context length is 4096 tokens. However, your request has 5000 input tokens.", 5000, 4096),
        ("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", 5000, 4096),
        ("prompt is too long: 213462 tokens > 200000 maximum", 213462, 200000),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease", 190000, 200000),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1200000, 1048576),
        ("The input token count exceeds the maximum number of tokens allowed 1048576.", None, 1048576),
        ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", 40000, 32768),
        ("This model's maximum prompt length is 131072 but the request contains 150000 tokens.", 150000, 131072),
        ("you requested about 40000 tokens (38000 of text input, 2000 in the output).", 38000, None),
        ("Input tokens exceed the configured limit of 272000 tokens. It resulted in 300015 tokens.", 300015, 272000),
        ("Input is too long for requested model.", None, None),
        ("maximum context length is 99999999999999999999 tokens", None, None),
    ],
)
def test_the_sizes_are_read_from_what_servers_say(words: str, prompt: int | None, window: int | None) -> None:
    assert read_sizes([({}, words)]) == (prompt, window)


@pytest.mark.fault("3.2")
def test_the_sizes_in_an_error_body_are_found_behind_litellms_error() -> None:
    class OpenAIError(Exception):
        status_code = 400
        body: Any = None

    sent, shown = OpenAIError("no"), OpenAIError("no")
    sent.body = {"type": "exceed_context_size_error", "n_prompt_tokens": 4031, "n_ctx": 1024}
    shown.__context__ = sent
    assert classify(shown).sizes == (4031, 1024)


@pytest.mark.fault("3.2")
def test_a_refusal_with_numbers_is_known_whatever_it_is_called() -> None:
    class BadRequestError(Exception):
        status_code = 400

    error = BadRequestError("The decoder prompt (length 5000) is longer than the maximum model length of 4096.")
    assert classify(error).kind == "context_exceeded"
