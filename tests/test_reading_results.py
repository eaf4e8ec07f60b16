"""Composing by reading: the model is shown how results begin, and reads what it wants of them with a tool."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run
from ramify.planner.errors import ModelError, ToolError
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers.reading_results import ReadResult
from ramify.prompts.variables import TaskResult
from ramify.tasks import Task, TaskConfig

from .test_tool_loop import Say, by_elements, by_itself

WINDOW = 1_500
NEEDLE = "the needle is 4711"
LONG = f"{'straw ' * 1_000}{NEEDLE}{' straw' * 1_000}"
AT = LONG.index(NEEDLE)


@pytest.fixture(params=[by_elements, by_itself], ids=["elements", "native"])
def say(request: pytest.FixtureRequest) -> Say:
    found: Say = request.param
    return found


def read(task_id: Any, start: Any, length: Any) -> tuple[str, dict[str, Any]]:
    return "read_result", {"id": task_id, "from": start, "length": length}


class Reader(ScriptedModel):
    """A model that reads so many words, and composes by these replies, one a turn."""

    def __init__(self, turns: Sequence[str | ModelReply], say: Say = by_elements) -> None:
        super().__init__(self._answer, calls_tools=say is by_itself)
        self._turns = turns

    def _answer(self, request: ModelRequest) -> str | ModelReply:
        words = sum(len(message["content"].split()) for message in request.messages)
        if words > WINDOW:
            raise ModelError(
                "too long", kind="context_exceeded", model=self.name, prompt_tokens=words, window_tokens=WINDOW
            )
        if request.purpose == "execute":
            return f"<result>{LONG if request.task_id == '0.2' else 'short'}</result>"
        return self._turns[sum(message["role"] == "assistant" for message in request.messages)]

    @property
    def composing(self) -> list[ModelRequest]:
        """The requests of the conversation."""
        return [each for each in self.requests if each.purpose == "compose" and "read_result" in str(each)]


def tree(**config: Any) -> Task:
    root = Task(content="Find the needle", id="0", config=TaskConfig(composing="read", max_retries=0, **config))
    root.add_subtasks([Task(content="Look here", id="0.1"), Task(content="Look there", id="0.2")])
    return root


def run_of(model: Reader, folder: Path, root: Task | None = None) -> Run:
    return Executor(model, store=folder / "runs.db", jobs=1).run(root or tree())


def told(request: ModelRequest) -> str:
    return str(request.messages[-1]["content"])


def test_the_model_reads_what_it_wants_and_answers(tmp_path: Path, say: Say) -> None:
    model = Reader([say([read("0.2", AT, len(NEEDLE))]), "<result>4711</result>"], say)
    run = run_of(model, tmp_path)
    assert (run.status, run.result) == ("done", "4711")
    first, second = model.composing
    assert NEEDLE not in str(first.messages)
    assert f"{NEEDLE}\n[{len(LONG) - AT - len(NEEDLE)} characters follow, from {AT + len(NEEDLE)} on]" in told(second)
    assert bool(first.tools) is (say is by_itself)


def test_the_prompt_lists_each_subtask_with_its_length_and_how_it_begins(tmp_path: Path) -> None:
    model = Reader(["<result>none</result>"])
    run_of(model, tmp_path)
    (first,) = model.composing
    shown = first.messages[-1]["content"]
    assert re.search(rf"straw straw.*\n\[the first (\d+) of {len(LONG)} characters; read_result gives the rest", shown)
    assert 'id="0.2"' in shown
    assert "Look there" in shown
    assert "\nshort\n" in shown, "what is short is shown whole"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (read("0.3", 0, 10), "there is no subtask '0.3'; did you mean '0.2'?"),
        (read("0.2", len(LONG), 10), f"give `from` from 0 to {len(LONG) - 1}, not {len(LONG)}"),
        (read("0.2", "x", 10), "not 'x'"),
        (read("0.2", 0, 10**6), "length must be from 1 to "),
        (("read_result", {"id": "0.2", "start": 1}), "there is no argument 'start'"),
        (("read_result", {"id": "0.2"}), "from and length must be given"),
        (("read_task", {}), "there is no tool 'read_task'; did you mean 'read_result'?"),
    ],
)
def test_a_wrong_call_is_told_to_the_model_with_the_way_out(tmp_path: Path, wish: Any, words: str) -> None:
    model = Reader([by_elements([wish]), "<result>so be it</result>"])
    assert run_of(model, tmp_path).result == "so be it"
    assert words in told(model.composing[1])


def test_turns_are_bounded(tmp_path: Path) -> None:
    model = Reader([by_elements([read("0.2", 0, 10)])] * 9)
    run = run_of(model, tmp_path, tree(max_turns=3))
    assert run.status == "failed"
    assert "max_turns" in str(run.error)
    assert len(model.composing) == 3


def test_what_fits_is_composed_at_once_and_without_a_tool(tmp_path: Path) -> None:
    model = ScriptedModel({"execute": "<result>short</result>", "compose": "<result>all</result>"})
    assert Executor(model, store=tmp_path / "runs.db").run(tree()).result == "all"
    assert not [each for each in model.requests if "read_result" in str(each)]


def test_it_is_only_done_where_it_is_asked_for(tmp_path: Path) -> None:
    model = Reader(["<result>in steps</result>"] * 3)
    root = tree()
    root.config = TaskConfig(max_retries=0)
    assert run_of(model, tmp_path, root).result == "in steps"
    assert model.composing == []


TURNS = [[read("0.2", 0, 10)], [read("0.2", AT, 20)]]

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_reading_results import TURNS, Reader, by_elements, by_itself, run_of
class Killed(Reader):
    def _answer(self, request):
        if sum(message["role"] == "assistant" for message in request.messages) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._answer(request)
say = {"by_elements": by_elements, "by_itself": by_itself}[sys.argv[2]]
run_of(Killed([*map(say, TURNS)], say), Path(sys.argv[1]))
"""


def test_a_kill_in_the_middle_asks_and_reads_nothing_again(tmp_path: Path, say: Say) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path), say.__name__]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, check=False)
    assert done.returncode == -9
    model = Reader([*map(say, TURNS), "<result>4711</result>"], say)
    run = Executor.resume(tmp_path / "runs.db", agent=model)
    assert run.result == "4711"
    assert model.composing == model.requests
    assert len(model.requests) == 1
    with Store.open(tmp_path / "runs.db") as store:
        steps = [each for each in store.steps(run.id) if "read_result" in each.key.key]
    assert [each.input["arguments"]["from"] for each in steps if isinstance(each.input, dict)] == [0, AT]


def test_the_tool_reads_to_the_end_and_says_so() -> None:
    tool = ReadResult([TaskResult(id="a", content="x", result="abc"), TaskResult(id="b", content="x")], most=5)
    tool.check({"id": "a", "from": 2, "length": 5})
    with pytest.raises(ToolError, match="there is nothing to read of it"):
        tool.check({"id": "b", "from": 0, "length": 1})
    assert json.dumps(tool.parameters)
