"""The policy `streaming`: tasks begin while their plan is being written; one that is cut is gone on with."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.planner import Agent, Executor, PlanLimits, Run
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.errors import ModelError
from ramify.planner.events.events import EventType
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.replies.grammar import PlanStream, parse_plan

from .openai_server import Answer, Chat, OpenAIServer
from .patience import HANG_S
from .ramify_command import Ramify

GOAL = "Describe the sights of Oslo, of Bergen, of Bodo and of Narvik."
CITIES = ("Oslo", "Bergen", "Bodo", "Narvik")
CONTENTS = [f"Describe the sights of {city}." for city in CITIES]
PLAN = "".join(f'<task id="{city}">{content}</task>' for city, content in zip(CITIES, CONTENTS, strict=True))
RESULTS = {"execute": "<result>nice</result>", "compose": "<result>all nice</result>"}
AT_ONCE = TaskConfig(max_retries=1, retry_delay_seconds=0)


class Streamed(ScriptedModel):
    """Streams plans element by element, and does something before each.

    Args:
        plans: for each question for a plan, the pieces of the reply; an exception breaks it off.
        before: awaited before a piece, with the request and its number.
    """

    def __init__(self, *plans: list[Any], before: Callable[[ModelRequest, int], Any] | None = None) -> None:
        super().__init__(RESULTS)
        self._plans = list(plans)
        self._before = before

    async def complete(self, request: ModelRequest) -> ModelReply:
        if request.purpose not in {"decompose", "repair"}:
            return await super().complete(request)
        raise AssertionError("a plan was not streamed")

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        return self._pieces(request)

    async def _pieces(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        self.requests.append(request)
        said, reason = "", "stop"
        for number, piece in enumerate(self._plans.pop(0)):
            if self._before is not None:
                await self._before(request, number)
            if isinstance(piece, Exception):
                raise piece
            if piece == LENGTH:
                reason = "length"
                continue
            said += piece
            yield piece
            await asyncio.sleep(0)
        yield ModelReply(text=said, model=self.name, cost_usd=0.0, finish_reason=reason)  # type: ignore[arg-type]


def elements(*cities: str, needs: str = "") -> list[str]:
    need = f' needs="{needs}"' if needs else ""
    return [f'<task id="{city}"{need}>Describe the sights of {city}.</task>' for city in cities]


def run_of(place: Path, model: Any, **limits: Any) -> Run:
    plan = PlanLimits(**{"policy": "streaming", "max_depth": 2, **limits})
    root = Task(content=GOAL, id="0", config=AT_ONCE)
    return Executor(model, store=place / "r.db", plan=plan).run(root)


def asked(model: ScriptedModel) -> list[str]:
    return [f"{request.purpose} {request.task_id}" for request in model.requests]


def words_of(run: Run) -> list[str]:
    return [child.content for child in run.task.subtasks]


LENGTH = "\0"
CUT = ModelError("cut", kind="truncated", model="scripted")


def test_a_task_begins_before_the_last_one_of_its_plan_is_written(tmp_path: Path) -> None:
    async def wait_for_work(_: ModelRequest, number: int) -> None:
        if number == 3:
            async with asyncio.timeout(HANG_S):
                while "execute 0.1" not in asked(model):
                    await asyncio.sleep(0.001)

    model = Streamed(elements(*CITIES), before=wait_for_work)
    run = run_of(tmp_path, model)
    assert (run.result, words_of(run)) == ("all nice", CONTENTS)
    assert [len(event.data["subtasks"]) for event in run.events(EventType.PLAN_GROWN)] == [2, 1, 1]


def test_a_task_is_composed_only_when_its_plan_is_whole_however_soon_its_subtasks_are_done(tmp_path: Path) -> None:
    async def wait_for_all(_: ModelRequest, number: int) -> None:
        if number == 3:
            async with asyncio.timeout(HANG_S):
                while any(child.state is not TaskState.DONE for child in root.subtasks):
                    await asyncio.sleep(0.001)

    model = Streamed(elements(*CITIES), before=wait_for_all)
    root = Task(content=GOAL, id="0")
    run = Executor(model, store=tmp_path / "r.db", plan=PlanLimits(policy="streaming", max_depth=2)).run(root)
    assert (run.status, asked(model)[-1], len(root.subtasks)) == ("done", "compose 0", 4)


def test_tasks_that_need_later_ones_wait_and_those_behind_them(tmp_path: Path) -> None:
    plan = [*elements("Oslo", needs="Bodo"), *elements("Bergen"), *elements("Bodo"), *elements("Narvik")]
    run = run_of(tmp_path, Streamed(plan))
    assert [len(event.data["subtasks"]) for event in run.events(EventType.PLAN_GROWN)] == [3, 1]
    assert run.task.subtasks[0].dependencies == ["0.3"]


@pytest.mark.parametrize("said", [1, 2, 3])
def test_a_stream_that_is_cut_is_gone_on_with_and_nothing_is_doubled(tmp_path: Path, said: int) -> None:
    left = CITIES[said:] if said > 1 else CITIES
    model = Streamed([*elements(*CITIES[:said]), CUT], elements(*left))
    run = run_of(tmp_path, model)
    assert (run.status, words_of(run)) == ("done", CONTENTS)
    assert asked(model).count("decompose 0") == 2
    assert len(asked(model)) == 2 + 4 + 1
    begun = model.requests[asked(model).index("decompose 0", 1)].variables
    assert list(getattr(begun, "begun", {})) == [f"0.{number}" for number in range(1, said + 1) if said > 1]


@pytest.mark.parametrize("cuts", [[CITIES[:2]], [CITIES[:2], CITIES[2:3]]])
def test_a_run_whose_stream_was_cut_is_replayed(tmp_path: Path, cuts: list[tuple[str, ...]]) -> None:
    left = CITIES[sum(map(len, cuts)) :]
    model = Streamed(*([*elements(*cities), CUT] for cities in cuts), elements(*left))
    root = Task(content=GOAL, id="0", config=TaskConfig(max_retries=3, retry_delay_seconds=0))
    plan = PlanLimits(policy="streaming", max_depth=2)
    run = Executor(model, store=tmp_path / "r.db", plan=plan).run(Task.from_json(root.to_json()))
    assert (run.status, words_of(run)) == ("done", CONTENTS)
    again = Executor(f"replay:{run.id}", store=tmp_path / "r.db", plan=plan).run(root)
    assert (again.status, again.result, again.usage.calls) == ("done", "all nice", 0), again.error
    assert again.task.to_string(state=True) == run.task.to_string(state=True)


def test_a_task_whose_plan_is_cut_for_good_fails_and_goes_on_where_it_was(tmp_path: Path) -> None:
    model = Streamed([*elements(*CITIES[:2]), CUT], [CUT])
    run = run_of(tmp_path, model)
    assert (run.status, [child.state.value for child in run.task.subtasks]) == ("failed", ["DONE", "DONE"])
    again = Streamed(elements(*CITIES[2:]))
    done = Executor.resume(tmp_path / "r.db", run.id, agent=again, retry_failed=True)
    assert (done.status, words_of(done)) == ("done", CONTENTS)
    assert asked(again) == ["decompose 0", "execute 0.3", "execute 0.4", "compose 0"]


class Steered(Streamed):
    """Adds a task to the plan that a person wants changed."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        if request.purpose != "steer":
            return await super().complete(request)
        self.requests.append(request)
        return ModelReply(text='<add to="0">Describe the harbours.</add>', model=self.name)


def test_a_plan_that_was_cut_and_then_steered_is_gone_on_with_in_the_persons_words(tmp_path: Path) -> None:
    run = run_of(tmp_path, Streamed([*elements(*CITIES[:2]), CUT], [CUT]))
    again = Steered(elements(*CITIES[2:]))
    done = Executor.resume(tmp_path / "r.db", run.id, agent=again, steer="and the harbours")
    assert (done.status, words_of(done)) == ("done", [*CONTENTS[:2], "Describe the harbours.", *CONTENTS[2:]])
    assert asked(again)[:2] == ["steer 0", "decompose 0"]
    assert "and the harbours" in again.requests[1].messages[-1]["content"]


FAULTS = {
    "a circle": ['<task id="x" needs="y">See Bodo.</task>', '<task id="y" needs="x">See Narvik.</task>'],
    "an id twice": ['<task id="Oslo">See Bodo.</task>'],
    "a need of nothing": ['<task id="x" needs="zz">See Bodo.</task>'],
    "a mixture": ["<atomic/>"],
    "cut by a limit of length": ['<task id="x">See Bo', LENGTH],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_rest_is_put_to_the_model_with_what_is_there(tmp_path: Path, fault: str) -> None:
    model = Streamed([*elements("Oslo", "Bergen"), *FAULTS[fault]], elements("Bodo", needs="0.1"))
    run = run_of(tmp_path, model, max_children=4)
    decompose = [request for request in model.requests if request.purpose == "decompose"]
    assert [len(decompose), run.status] == [2, "done"]
    prompt = decompose[1].messages[-1]["content"]
    assert "The block `fault` says what was wrong" in prompt
    assert CONTENTS[0] in prompt
    assert words_of(run)[:2] == CONTENTS[:2]
    assert run.task.subtasks[-1].dependencies == ["0.1"]


def test_what_is_over_the_limit_is_left_out_and_told(tmp_path: Path) -> None:
    run = run_of(tmp_path, Streamed(elements(*CITIES, "Tromso")), max_children=4)
    assert (run.status, words_of(run)) == ("done", CONTENTS)
    assert any(
        "everything after its first 4 tasks is left out: there are 5" in each.data["message"]
        for each in run.events("warning")
    )


def test_what_is_there_is_done_and_the_rest_told_as_missing_when_it_cannot_be_read_again(tmp_path: Path) -> None:
    model = Streamed([*elements("Oslo", "Bergen"), "<atomic/>"], ["<task>"])
    run = run_of(tmp_path, model)
    assert (run.status, words_of(run)) == ("done", CONTENTS[:2])
    assert any(
        "everything after its first 2 tasks is unreadable" in each.data["message"] for each in run.events("warning")
    )


def test_a_plan_of_which_a_part_is_lost_is_told_in_the_answer_in_show_and_in_reports(
    tmp_path: Path, ramify: Ramify
) -> None:
    model = Streamed([*elements("Oslo", "Bergen"), "<atomic/>"], ["<task>"])
    run = run_of(tmp_path, model)
    lack = "the plan of task 0 is not whole: everything after its first 2 tasks is unreadable and missing: "
    assert run.gaps[0].startswith(lack)
    shown = ramify("show", run.id, "--store", run.store_place).out
    assert f"warning: {lack}" in shown
    assert f"not covered: {lack}" in shown
    assert lack in run.report(tmp_path / "report.md").read_text(encoding="utf-8").replace("\\", "")
    (compose,) = [request for request in model.requests if request.purpose == "compose"]
    assert lack in compose.messages[-1]["content"]
    with Store.open(run.store_place) as store:
        assert store.load_tree(run.id).to_json() == run.task.to_json()


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [(["<atomic/>"], ["decompose 0", "execute 0"]), (elements("Oslo"), ["decompose 0", "execute 0"])],
)
def test_a_plan_that_splits_nothing_attaches_nothing(tmp_path: Path, pieces: list[str], calls: list[str]) -> None:
    model = Streamed(pieces)
    assert (run_of(tmp_path, model).status, asked(model)) == ("done", calls)


def test_a_task_that_says_the_goal_again_is_left_out_and_what_needs_it_needs_what_it_needed(tmp_path: Path) -> None:
    again = [f'<task id="all" needs="Oslo">{GOAL}</task>']
    run = run_of(tmp_path, Streamed([*elements("Oslo"), *again, *elements("Bergen", needs="all"), *elements("Bodo")]))
    assert words_of(run) == CONTENTS[:3]
    assert run.task.subtasks[1].dependencies == ["0.1"]


def test_where_the_tree_has_no_room_for_the_longest_plan_it_is_read_whole_first(tmp_path: Path) -> None:
    run = run_of(tmp_path, Streamed(elements(*CITIES)), max_tasks=6)
    assert (run.status, len(run.task.subtasks), list(run.events(EventType.PLAN_GROWN))) == ("done", 4, [])
    full = run_of(tmp_path, Streamed(elements(*CITIES)), max_tasks=4)
    assert (full.status, len(full.task.subtasks)) == ("done", 0)


def test_plans_are_streamed_at_every_depth_and_show_only_the_siblings_before(tmp_path: Path) -> None:
    inner = [elements("Oslo: fjord", "Oslo: town"), *(["<atomic/>"] for _ in range(3))]
    model = Streamed(elements(*CITIES), *inner)
    run = run_of(tmp_path, model, max_depth=3, split="always")
    assert run.status == "done"
    shown = {
        request.task_id: len(getattr(request.variables, "siblings", ()))
        for request in model.requests
        if request.purpose == "decompose"
    }
    assert shown == {"0": 0, "0.1": 0, "0.2": 1, "0.3": 2, "0.4": 3}
    assert sum(1 for _ in run.task.walk()) == 7


# over HTTP


@pytest.mark.parametrize("constrain", ["never", "always"])
def test_over_http_the_first_leaf_begins_before_the_plan_ends(tmp_path: Path, constrain: Any) -> None:
    began = asyncio.Event()
    as_json = json.dumps({"plan": {"tasks": [{"content": content, "needs": []} for content in CONTENTS]}})
    plan = as_json if constrain == "always" else PLAN
    order: list[str] = []

    def handler(chat: Chat) -> Answer:
        if "You plan work" in chat.said("system"):
            return Answer(plan)
        if "Combine" not in chat.user and "request" not in chat.user:
            order.append("leaf")
            began.set()
        return Answer("<result>nice</result>")

    async def hold(chat: Chat, number: int) -> None:
        if "You plan work" in chat.said("system") and number == len(plan) // 12 - 2:
            async with asyncio.timeout(HANG_S):
                await began.wait()
            order.append("the end of the plan")

    with OpenAIServer(handler, before_piece=hold) as server:
        agent = Agent("m", base_url=server.base_url, api_key="k", settings=AgentSettings(constrain=constrain))
        run = run_of(tmp_path, agent)
    assert (run.status, words_of(run)) == ("done", CONTENTS)
    assert order[0] == "leaf"
    assert "the end of the plan" in order


# the grammar


@given(
    st.integers(1, 40), st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=6)
)
@settings(deadline=None)
def test_a_plan_by_a_schema_is_given_task_by_task_wherever_the_chunks_end(size: int, contents: list[str]) -> None:
    tasks = [
        {"content": f"do {text}", "needs": [str(place)] if place % 2 else []} for place, text in enumerate(contents)
    ]
    text = json.dumps({"plan": {"tasks": tasks}})
    stream = PlanStream()
    heard = [task for start in range(0, len(text), size) for task in stream.feed(text[start : start + size])]
    assert heard == list(parse_plan(text).tasks) == list(stream.close().tasks)
