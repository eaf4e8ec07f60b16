"""Documents that a model cannot read at once are read in parts, by tasks of their own, and nothing of them is cut."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Agent, AgentSettings, Executor, PlanLimits, Run, estimate
from ramify.planner.asking.budget import RunLimits
from ramify.planner.errors import ModelError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.models.server_facts import ServerFacts
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Material, Task, read_plan, write_plan
from ramify.tasks.parts import Room, parts_of
from ramify.tasks.prompt_variables import materials_of

ROOT = Path(__file__).parent.parent
WINDOW = 2_000
NOTES = "".join(f"Paragraph {n}: the quick brown fox jumps over lazy dog {n}.\n\n" * 3 for n in range(150))
"""About 28,000 characters."""


class Reader(ScriptedModel):
    """A model whose tokens are four bytes; it refuses what it cannot read.

    Args:
        knows: whether its server says beforehand how much it reads.
        tells: what its refusals tell.
        words: how many words its answers have.
    """

    def __init__(
        self,
        *,
        window: int = WINDOW,
        knows: bool = True,
        tells: tuple[str, ...] = ("prompt_tokens", "window_tokens"),
        words: int = 3,
    ) -> None:
        super().__init__(self._answer)
        self.window = window
        self.refused: list[ModelRequest] = []
        self._knows = knows
        self._tells = tells
        self._words = words

    async def facts(self) -> ServerFacts:
        return ServerFacts(window=self.window if self._knows else None)

    def _answer(self, request: ModelRequest) -> str:
        tokens = sum(len(message["content"].encode()) for message in request.messages) // 4
        if tokens > self.window:
            self.refused.append(request)
            numbers = {"prompt_tokens": tokens, "window_tokens": self.window}
            told: dict[str, Any] = {name: numbers[name] for name in self._tells}
            raise ModelError("too long", kind="context_exceeded", model=self.name, **told)
        return "<atomic/>" if request.purpose == "decompose" else f"<result>{'word ' * self._words}</result>"

    @property
    def read(self) -> str:
        """What it was shown of documents, without those that it refused."""
        return "".join(
            re.search(r'kind="material" name="notes.txt">\n(.*?)\n</data-', text, re.DOTALL)[1]  # type: ignore[index]
            for request in self.requests
            if request not in self.refused and "material" in (text := request.messages[-1]["content"])
        )

    @property
    def purposes(self) -> list[str]:
        return [request.purpose for request in self.requests if request not in self.refused]


def task(text: str = NOTES, **more: Any) -> Task:
    return Task(content="What do foxes do?", id="0", attachments=[Material(name="notes.txt", text=text)], **more)


def run_of(model: Reader, place: Path, root: Task | None = None, **how: Any) -> Run:
    return Executor(model, store=place / "runs.db", **{"jobs": 1, **how}).run(root or task())


@given(st.lists(st.text(max_size=400), min_size=1, max_size=5), st.integers(60, 500), st.integers(400, 3_000))
def test_the_parts_of_documents_make_the_documents_and_fit(texts: list[str], characters: int, size: int) -> None:
    materials = [Material(name=f"{n}.txt", text=text) for n, text in enumerate(texts)]
    room = Room(characters, size)
    found: dict[str, str] = {}
    for _, part in parts_of(materials, room):
        shown = [Material(name=each.name, text=texts[int(each.name[0])][slice(*each.part)]) for each in part]  # type: ignore[misc]
        assert room.fits(shown)
        for each in shown:
            if found.get(each.name) != each.text or len(each.text) < len(texts[int(each.name[0])]):
                found[each.name] = found.get(each.name, "") + each.text
    assert [found.get(material.name, "") for material in materials] == texts


def test_a_part_ends_where_a_paragraph_ends() -> None:
    for _, part in parts_of([Material(name="a", text=NOTES)], Room(3_000, 12_000))[:-1]:
        assert NOTES[: part[0].part[1]].endswith("\n\n")  # type: ignore[index]


def test_short_documents_go_with_every_part_of_a_long_one() -> None:
    materials = [Material(name="a", text=NOTES), Material(name="rules", text="Count foxes.")]
    parts = parts_of(materials, Room(3_000, 12_000))
    assert all([each.name for each in part] == ["rules", "a"] for _, part in parts)


@pytest.mark.parametrize("knows", [True, False])
def test_a_long_document_is_read_in_parts_and_wholly(tmp_path: Path, *, knows: bool) -> None:
    model = Reader(knows=knows)
    run = run_of(model, tmp_path)
    assert (run.status, run.losses) == ("done", [])
    assert len(model.refused) == (0 if knows else 1)
    assert model.read.split() == NOTES.split()
    count = len(run.task.subtasks)
    assert model.purposes == ["execute"] * count + ["compose"]
    assert [each.description for each in run.task.subtasks] == [
        f"part {n} of {count} of notes.txt" for n in range(1, count + 1)
    ]
    assert run.task.to_string().count(f"of {count} of notes.txt (answer from it alone") == count


@pytest.mark.parametrize("tells", [(), ("window_tokens",)])
def test_a_server_that_tells_no_numbers_is_found_out_about_in_levels(tmp_path: Path, tells: tuple[str, ...]) -> None:
    model = Reader(knows=False, tells=tells)
    assert (run_of(model, tmp_path).status, model.read.split()) == ("done", NOTES.split())


def test_a_part_in_which_nothing_is_found_is_an_answer(tmp_path: Path) -> None:
    def answer(request: ModelRequest) -> str:
        nothing = "<failed reason='missing_input'>no foxes</failed>"
        return nothing if request.task_id == "0.2" else "<result>foxes jump</result>"

    run = Executor(ScriptedModel(answer), store=tmp_path / "runs.db").run(task(NOTES * 10))
    found = run.task.find("0.2")
    assert (run.result, found.result) == ("foxes jump", "Nothing is found here: no foxes")
    assert found.gaps == (f"nothing in {found.description}: no foxes",)


def test_a_document_that_fits_is_read_at_once(tmp_path: Path) -> None:
    model = Reader()
    assert run_of(model, tmp_path, task(NOTES[:3_000])).task.subtasks == []
    assert model.purposes == ["execute"]


def test_a_goal_whose_documents_are_too_long_is_not_split_by_the_model(tmp_path: Path) -> None:
    model = Reader()
    run = run_of(model, tmp_path, plan=PlanLimits(split="always"))
    assert run.status == "done"
    assert set(model.purposes) == {"execute", "compose"}
    assert model.read.split() == NOTES.split()


def test_answers_that_are_too_many_for_one_prompt_are_composed_in_levels(tmp_path: Path) -> None:
    model = Reader(words=300)
    run = run_of(model, tmp_path)
    assert (run.status, run.losses, model.refused) == ("done", [], [])
    assert model.purposes.count("compose") > 2


def test_no_parts_refuses_the_document_by_name_before_any_call(tmp_path: Path) -> None:
    model = Reader()
    run = run_of(Agent(model, settings=AgentSettings(parts=False)), tmp_path)  # type: ignore[arg-type]
    assert (run.status, model.requests) == ("failed", [])
    assert "task 0" in str(run.error)
    assert f"the model reads {WINDOW:,} tokens; --no-parts forbids reading notes.txt" in str(run.error)
    assert "leave it out, attach less, or use a model with a larger window" in str(run.error)


def test_the_window_that_the_user_says_holds_whatever_the_server_says(tmp_path: Path) -> None:
    model = Reader(window=100_000)
    agent = Agent(model, settings=AgentSettings(window=WINDOW))
    expected = estimate(task(), agent=agent)
    run = run_of(agent, tmp_path)  # type: ignore[arg-type]
    assert run.status == "done"
    assert all(sum(len(each["content"]) for each in request.messages) // 4 <= WINDOW for request in model.requests)
    assert expected.calls[0] == len(model.requests) > 2


def test_a_server_that_reads_less_than_the_user_says_is_believed(tmp_path: Path) -> None:
    model = Reader(knows=False)
    run = run_of(Agent(model, settings=AgentSettings(window=2 * WINDOW)), tmp_path)  # type: ignore[arg-type]
    assert (run.status, len(model.refused)) == ("done", 1)


def test_a_question_that_leaves_no_room_for_parts_is_an_error_that_says_so(tmp_path: Path) -> None:
    root = task(inputs={"table": "x" * 9_000})
    run = run_of(Reader(), tmp_path, root)
    assert run.status == "failed"
    assert "the rest of the prompt leaves no room for any part of notes.txt" in str(run.error)


def test_too_many_parts_for_max_tasks_stop_the_run_until_it_is_raised(tmp_path: Path) -> None:
    model = Reader()
    run = run_of(model, tmp_path, plan=PlanLimits(max_tasks=4))
    assert (run.status, model.requests) == ("stopped", [])
    told = re.search(r"in (\d+) parts makes (\d+) tasks, more than max_tasks = 4", str(run.error))
    assert told is not None
    again = Executor.resume(tmp_path / "runs.db", run.id, agent=model, max_tasks=int(told[2]))
    assert (again.status, len(again.task.subtasks)) == ("done", int(told[1]))


def test_too_few_calls_for_all_parts_stop_the_run_before_the_first(tmp_path: Path) -> None:
    model = Reader()
    run = run_of(model, tmp_path, limits=RunLimits(max_calls=3))
    assert (run.status, model.requests) == ("stopped", [])
    assert "calls; the run has max_calls = 3" in str(run.error)
    assert Executor.resume(tmp_path / "runs.db", run.id, agent=model, max_calls=50).status == "done"


def test_too_few_tokens_for_all_parts_stop_the_run_before_the_first(tmp_path: Path) -> None:
    model = Reader()
    run = run_of(model, tmp_path, limits=RunLimits(max_tokens=100))
    assert (run.status, model.requests) == ("stopped", [])
    assert "tokens; the run has max_tokens = 100" in str(run.error)
    assert run.raising_options[0] == "--max-tokens"


def test_parts_that_would_stand_too_deep_fail_the_task_with_the_way_out(tmp_path: Path) -> None:
    run = run_of(Reader(), tmp_path, plan=PlanLimits(max_depth=1))
    assert run.status == "failed"
    assert "needs one level more than max_depth = 1; use --max-depth 2" in str(run.error)


def test_a_replay_reads_and_composes_in_the_same_parts(tmp_path: Path) -> None:
    run = run_of(Reader(knows=False, words=300), tmp_path)
    again = run_of(f"replay:{run.id}", tmp_path)  # type: ignore[arg-type]
    assert (again.status, again.error) == ("done", None)
    assert len(again.task.subtasks) == len(run.task.subtasks)


def test_a_plan_keeps_its_parts_when_it_is_written_and_read(tmp_path: Path) -> None:
    run = run_of(Reader(), tmp_path)
    root = read_plan(write_plan(run.task), source="plan")
    with Store.open(tmp_path / "runs.db") as store:
        stored = store.load_tree(run.id)
    for tree in (root, stored, Task.from_json(run.task.to_json())):
        assert "".join(materials_of(each)[0].text for each in tree.subtasks) == NOTES


def test_an_estimate_counts_the_parts(tmp_path: Path) -> None:
    model = Reader()
    root = task()
    expected = estimate(root, model=model)
    assert (len(root.subtasks), len(model.requests)) == (0, 0)
    run = run_of(model, tmp_path, root)
    assert expected.parts == len(run.task.subtasks)
    assert expected.tasks == expected.parts + 1
    assert expected.calls[0] == len(model.requests)
    assert f"{expected.parts} of them read parts of documents" in str(expected)


def look(place: str) -> str:
    """Look something up."""
    return place


def test_an_agent_with_tools_reads_in_parts_too(tmp_path: Path) -> None:
    model = Reader(window=2_500)
    run = run_of(Agent(model, tools=[look]), tmp_path)  # type: ignore[arg-type]
    assert (run.status, model.read.split()) == ("done", NOTES.split())


KILLED = """
import os, signal, sys
from tests.test_parts import Reader, task
from ramify.planner import Executor
from ramify.planner.models.protocol import ModelRequest

place, log, kill_at = sys.argv[1], sys.argv[2], int(sys.argv[3])

class Killed(Reader):
    async def complete(self, request):
        if len(self.requests) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        reply = await super().complete(request)
        with open(log, "a") as file:
            print(request.purpose, request.task_id, file=file)
        return reply

model = Killed(knows=False)
if os.path.exists(place):
    run = Executor.resume(place, agent=model)
else:
    run = Executor(model, store=place, jobs=1).run(task())
print(run.status, len(run.task.subtasks))
"""


@pytest.mark.fault("2.1")
def test_a_run_that_is_killed_again_and_again_asks_no_part_twice(tmp_path: Path) -> None:
    place, log = tmp_path / "runs.db", tmp_path / "log"
    said = ""
    for kill_at in (0, 1, 2, 1, 99):
        command = [sys.executable, "-c", KILLED, str(place), str(log), str(kill_at)]
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent
        ).stdout
    status, count = said.split()
    replies = log.read_text().split("\n")[:-1]
    assert status == "done"
    assert sorted(replies) == sorted(["compose 0", *(f"execute 0.{n}" for n in range(1, int(count) + 1))])
