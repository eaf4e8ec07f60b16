"""Leaves that go on with the conversation of a leaf that they need: what is sent, and when a new one is begun."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, Run
from ramify.planner.errors import ModelError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.store import Store
from ramify.planner.store.changes import RunChanged, TaskChanged
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers.model import ModelWorker
from ramify.prompts.rendered import Message
from ramify.tasks import Check, Material, Task, TaskConfig

from .openai_server import OpenAIServer
from .ramify_command import Ramify

CHAIN, FRESH = TaskConfig(conversation="chain"), TaskConfig(conversation="fresh")
DOCUMENT = "\n".join(f"Entry {number}: {7 * number} crates." for number in range(1, 60))


def tree(needs: Mapping[str, Sequence[str]], *, config: TaskConfig = CHAIN, **leaves: Mapping[str, Any]) -> Task:
    """Return a plan whose leaves have a document above them, one letter each, and these needs and more."""
    root = Task(
        content="Study the ledger", id="0", config=config, attachments=(Material(name="ledger", text=DOCUMENT),)
    )
    root.add_subtasks(
        [
            Task(content=f"Do {name}", id=name, dependencies=list(before), **leaves.get(name, {}))
            for name, before in needs.items()
        ]
    )
    return root


LINE: Mapping[str, Sequence[str]] = {"a": (), "b": ("a",), "c": ("b",)}


def answering(**replies: Any) -> ScriptedModel:
    words = {"compose": "<result>all</result>", **replies}
    return ScriptedModel(lambda request: words.get(request.purpose) or words.get(request.task_id) or said(request))


def said(request: ModelRequest) -> str:
    return f"Let me see.\n<result>what {request.task_id} found</result>\n<gap>nothing much</gap>"


def run_of(model: ScriptedModel | Agent, root: Task, store: Path, **more: Any) -> Run:
    return Executor(model, store=store / "runs.db", jobs=1, **more).run(root)


def asked(model: ScriptedModel, task_id: str) -> ModelRequest:
    (found,) = [each for each in model.requests if (each.task_id, each.purpose) == (task_id, "execute")]
    return found


def reply(text: str) -> Message:
    return Message(role="assistant", content=text)


def roles(request: ModelRequest) -> str:
    return " ".join(message["role"] for message in request.messages if message["role"] != "system")


def test_each_link_sends_what_was_sent_before_and_its_reply_and_then_its_own_words(tmp_path: Path) -> None:
    model = answering()
    assert run_of(model, tree(LINE), tmp_path).status == "done"
    links = [asked(model, name) for name in LINE]
    for before, link in pairwise(links):
        assert link.messages[:-1] == (*before.messages, reply(said(before)))
        assert link.messages[-1]["role"] == "user"
        assert f"Do {link.task_id}" in link.messages[-1]["content"]


def test_a_link_shows_nothing_again_that_stands_in_the_conversation(tmp_path: Path) -> None:
    model = answering()
    run_of(model, tree({**LINE, "d": ("a", "b", "c")}), tmp_path)
    own = asked(model, "d").messages[-1]["content"]
    assert own.count("<data-") == 1, "its own words"
    assert "It builds on the results that you gave above." in own
    assert sum(DOCUMENT in message["content"] for message in asked(model, "d").messages) == 1


def test_other_needs_and_documents_of_its_own_are_shown_as_data(tmp_path: Path) -> None:
    more = {"attachments": (Material(name="note", text="only for the last"),)}
    model = answering()
    run_of(model, tree({"a": (), "x": (), "b": ("x", "a")}, b=more), tmp_path)
    link = asked(model, "b")
    assert link.messages[:-1] == (*asked(model, "a").messages, reply(said(asked(model, "a"))))
    own = link.messages[-1]["content"]
    assert all(words in own for words in ("what x found", "only for the last"))
    assert "what a found" not in own


@pytest.mark.parametrize(
    "root",
    [
        tree(LINE, config=TaskConfig()),
        tree(LINE, config=FRESH),
        tree(LINE, b={"config": FRESH}),
        tree({"a": (), "b": ()}),
        tree({"a": (), "b": ("a",)}, config=TaskConfig(), b={"config": CHAIN}),
    ],
    ids=["unset", "fresh", "fresh below chain", "no needs", "a need that has no chain"],
)
def test_otherwise_a_leaf_begins_a_conversation_of_its_own(tmp_path: Path, root: Task) -> None:
    model = answering()
    assert run_of(model, root, tmp_path).status == "done"
    assert roles(asked(model, "b")) == "user"
    assert DOCUMENT in asked(model, "b").messages[-1]["content"]


def test_two_leaves_go_on_with_one_conversation_each_for_itself(tmp_path: Path) -> None:
    model = answering()
    run_of(model, tree({"a": (), "b": ("a",), "c": ("a",)}), tmp_path)
    assert asked(model, "b").messages[:-1] == asked(model, "c").messages[:-1]
    assert roles(asked(model, "c")) == "user assistant user"


def test_leaves_below_a_task_go_on_with_what_that_needs(tmp_path: Path) -> None:
    root = tree({"a": (), "b": ("a",)})
    root.subtasks[1].add_subtasks([Task(content="Do one", id="b.1"), Task(content="Do two", id="b.2")])
    model = answering()
    run_of(model, root, tmp_path)
    assert [roles(asked(model, name)) for name in ("b.1", "b.2")] == ["user assistant user"] * 2


def test_a_vote_asks_in_the_same_conversation(tmp_path: Path) -> None:
    model = answering()
    run_of(model, tree({"a": (), "b": ("a",)}, config=TaskConfig(conversation="chain", vote_ahead=2)), tmp_path)
    votes = [each for each in model.requests if each.task_id == "b"]
    assert len(votes) == 2
    assert votes[0].messages == votes[1].messages
    assert roles(votes[0]) == "user assistant user"


def test_a_reply_that_was_repaired_is_said_as_its_result(tmp_path: Path) -> None:
    model = answering(a="<result></result>", repair="<result>mended</result>")
    run_of(model, tree({"a": (), "b": ("a",)}), tmp_path)
    assert asked(model, "b").messages[:-1] == (*asked(model, "a").messages, reply("<result>mended</result>"))


def test_json_answers_are_gone_on_with_too(tmp_path: Path) -> None:
    checks = [Check(schema={"type": "object"})]
    model = answering(a='<result>{"n":   1}</result>')
    run_of(model, tree({"a": (), "b": ("a",)}, a={"checks": checks}), tmp_path)
    assert asked(model, "b").messages[-2] == reply('<result>{"n":   1}</result>')


def test_a_result_that_a_person_has_set_is_what_the_model_is_told_to_have_said(tmp_path: Path) -> None:
    first = run_of(answering(), tree({"a": (), "b": ("a",)}), tmp_path)
    model = answering()
    run = Executor.resume(tmp_path / "runs.db", first.id, agent=model, set_result={"a": "my own words"})
    assert run.status == "done"
    assert asked(model, "b").messages[-2] == reply("<result>my own words</result>")
    assert [each.task_id for each in model.requests if each.purpose == "execute"] == ["b"]


KILLED = """
import os, signal, sys
from pathlib import Path
from ramify.planner import Executor
from ramify.planner.testing import ScriptedModel
from tests.test_chains import LINE, roles, said, tree
def reply(request):
    if request.task_id == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    print(request.task_id, roles(request), sep=":", flush=True)
    return "<result>all</result>" if request.purpose == "compose" else said(request)
store = Path(sys.argv[1])
if store.exists():
    Executor.resume(store, agent=ScriptedModel(reply))
else:
    Executor(ScriptedModel(reply), store=store, jobs=1).run(tree(LINE))
"""


def test_a_kill_asks_nothing_again_and_the_conversation_goes_on(tmp_path: Path) -> None:
    lines = []
    for kill_at in ("c", "-"):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / "runs.db"), kill_at],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[1],
        )
        lines.append((done.returncode, done.stdout.splitlines()))
    assert lines == [
        (-9, ["a:user", "b:user assistant user"]),
        (0, ["c:user assistant user assistant user", "0:user"]),
    ]


def test_a_link_whose_reply_had_arrived_is_not_asked_again(tmp_path: Path) -> None:
    model = answering()
    first = run_of(model, tree(LINE), tmp_path)
    open_again = [each for each in tree(LINE).walk() if each.id in {"0", "c"}]
    with Store.open(tmp_path / "runs.db") as store, store.write(first.id) as writer:
        writer.put(*map(TaskChanged.of, open_again), RunChanged.of(status="running"))  # as a kill leaves it
    again = answering()
    assert Executor.resume(tmp_path / "runs.db", first.id, agent=again).status == "done"
    assert again.requests == []


def test_another_run_finds_the_answers_of_links_in_the_cache(tmp_path: Path) -> None:
    run_of(answering(), tree(LINE), tmp_path)
    model = answering()
    assert run_of(model, tree(LINE), tmp_path, cache=True).status == "done"
    assert model.requests == []


class Narrow(ScriptedModel):
    """A model that reads so many words."""

    def __init__(self, window: int) -> None:
        super().__init__(self._answer)
        self.window = window

    def _answer(self, request: ModelRequest) -> str:
        words = sum(len(message["content"].split()) for message in request.messages)
        if words > self.window:
            raise ModelError(
                "too long", kind="context_exceeded", model=self.name, prompt_tokens=words, window_tokens=self.window
            )
        found = "short" if request.task_id == "c" else "long " * 300
        return "<result>all</result>" if request.purpose == "compose" else f"<result>{found}</result>"


def test_a_conversation_that_is_too_long_is_left_with_a_warning_and_a_new_one_begun(tmp_path: Path) -> None:
    model = Narrow(1000)
    run = run_of(model, tree({**LINE, "d": ("c",)}), tmp_path)
    assert run.status == "done"
    answered = {each.task_id: each for each in model.requests if each.purpose == "execute"}
    assert [roles(each) for each in answered.values()] == ["user", "user assistant user", "user", "user assistant user"]
    assert "long long" in answered["c"].messages[-1]["content"]
    with Store.open(tmp_path / "runs.db") as store:
        events = store.events(run.id, 0, limit=1000)
    told = [str(each.data["message"]) for each in events if each.type == EventType.WARNING]
    assert [words.partition(":")[0] for words in told] == ["task c cannot continue the conversation of task b"]


@pytest.mark.parametrize("is_role", [False, True])
def test_the_conversation_of_another_model_or_role_is_not_gone_on_with(tmp_path: Path, *, is_role: bool) -> None:
    model = answering()
    other = ScriptedModel(said, name="other")
    agent = Agent(model).in_role("clerk") if is_role else Agent(other)
    run_of(model, tree({"a": (), "b": ("a",)}, a={"type": "clerk"}), tmp_path, workers={"clerk": ModelWorker(agent)})
    assert roles(asked(model, "b")) == "user"
    assert "what a found" in asked(model, "b").messages[-1]["content"]


def test_an_agent_goes_on_with_its_own_conversation(tmp_path: Path) -> None:
    model = answering()
    agents = {"clerk": ModelWorker(Agent(model).in_role("clerk"))}
    clerk = {"type": "clerk"}
    run_of(model, tree({"a": (), "b": ("a",)}, a=clerk, b=clerk), tmp_path, workers=agents)
    assert roles(asked(model, "b")) == "user assistant user"
    assert "clerk" in asked(model, "b").messages[0]["content"]


def look(what: str) -> str:
    """Look something up."""
    return what


@pytest.mark.parametrize("is_native", [False, True])
def test_a_conversation_with_tools_is_neither_gone_on_with_nor_goes_on(tmp_path: Path, *, is_native: bool) -> None:
    model = ScriptedModel(
        lambda each: "<result>all</result>" if each.purpose == "compose" else said(each), calls_tools=is_native
    )
    without = TaskConfig(tool_choice="none")
    root = tree({"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}, b={"config": without}, c={"config": without})
    run_of(Agent(model, tools=[look]), root, tmp_path)
    assert [roles(asked(model, name)) for name in "abcd"] == ["user", "user", "user assistant user", "user"]


def test_the_option_holds_for_the_whole_run_and_show_prints_the_prompts_as_they_were_sent(ramify: Ramify) -> None:
    Path("plan.json").write_text(tree(LINE, config=TaskConfig()).to_json(), encoding="utf-8")
    with OpenAIServer(lambda chat: f"<result>words {len(chat.body['messages'])}</result>") as server:
        words = ("--model", "lm", "--base-url", server.base_url, "--conversation", "chain", "--jobs", "1")
        done = ramify("run", "plan.json", *words, "--display", "none")
    assert done.code == 0
    shown = ramify("show", "--last", "c", "--messages").out
    assert shown.count("Do a") == shown.count("Do b") == 1
    assert "<result>words 1</result>" in shown


def test_it_is_refused_where_no_model_answers(tmp_path: Path) -> None:
    root = Task(content="x", id="0", type="f", config=CHAIN)
    with pytest.raises(UsageError, match="conversation is a limit for models"):
        run_of(answering(), root, tmp_path, workers={"f": lambda task: "5"})
