"""Replaying recorded calls: what hits, what is given in which order, what a miss says; recordings and the cache."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Agent, Executor, PlanLimits, RunLimits, solve
from ramify.planner.errors import ExportError, NoModelError, UsageError
from ramify.planner.models.human import HumanModel
from ramify.planner.models.nearest import LINE_LENGTH, difference, nearest
from ramify.planner.models.protocol import ModelReply, ModelRequest, Sampling
from ramify.planner.models.registry import open_model
from ramify.planner.models.replay import ReplayModel
from ramify.planner.running.recording import Recording
from ramify.planner.store import CallKey, CallRecord, Store
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.prompts.rendered import Message
from ramify.tasks import Task, TaskState

from .effort import growth, is_near_linear
from .made_up_goals import answer, solution_of
from .patience import HANG_S

if TYPE_CHECKING:
    from ramify.planner.events.events import Event

GOAL = "trip{pack{bag{}|shoes{}|hat{}};travel{train{};walk{}};rest{}}"


def planner_model(**how: Any) -> ScriptedModel:
    return ScriptedModel(lambda request: answer(*(message["content"] for message in request.messages)), **how)


def never_called(name: str = "scripted") -> ScriptedModel:
    return ScriptedModel([], name=name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def request_of(text: str = "go", *, task_id: str = "0.1", nonce: str = "", **more: Any) -> ModelRequest:
    message = Message(role="user", content=f"<data-{nonce} kind=x>{text}</data-{nonce}>" if nonce else text)
    return ModelRequest(purpose="execute", task_id=task_id, messages=(message,), nonce=nonce, **more)


def recorded(request: ModelRequest, text: str, *, attempt: int = 1, sample: int = 0, model: str = "m") -> CallRecord:
    return CallRecord(
        key=CallKey(request.task_id, request.purpose, attempt, sample, 0, request.sha256(model)),
        model=model,
        request=request.to_wire(model),
        reply=ModelReply(text=text, model=model, cost_usd=0.5, input_tokens=10).to_data(),
        started_at=1.0,
        latency_s=3.0,
    )


def replay_of(*calls: CallRecord) -> ReplayModel:
    return ReplayModel(lambda: calls, name="replay:r1", source="r1")


def said(model: ReplayModel, requests: Iterable[ModelRequest]) -> list[str]:
    async def ask() -> list[str]:
        return [(await model.complete(request)).text for request in requests]

    return asyncio.run(ask())


# The hash


@given(st.text(), st.text(alphabet="0123456789abcdef", min_size=8, max_size=8), st.sampled_from(["0badcafe", ""]))
def test_the_hash_is_the_same_whatever_the_nonce(text: str, nonce: str, other: str) -> None:
    if nonce in text or not other or other in text:
        return
    assert request_of(text, nonce=nonce).sha256("m") == request_of(text, nonce=other).sha256("m")


def test_the_hash_tells_every_text_from_every_other_even_if_it_looks_like_a_nonce() -> None:
    texts = ["data-20240101", "data-20240102", "data-", "</data-00000000>", "</data->", ""]
    hashes = {request_of(text, nonce="a1b2c3d4").sha256("m") for text in texts}
    assert len(hashes) == len(texts)


@pytest.mark.parametrize(
    "other",
    [
        request_of("stay", nonce="a1b2c3d4"),
        request_of(nonce="a1b2c3d4", sampling=Sampling(temperature=0.5)),
        request_of(nonce="a1b2c3d4", schema={"type": "object"}),
        request_of(nonce="a1b2c3d4", tools=({"name": "look"},)),
    ],
)
def test_the_hash_tells_words_sampling_schema_tools_and_models_apart(other: ModelRequest) -> None:
    one = request_of(nonce="a1b2c3d4")
    assert len({one.sha256("m"), other.sha256("m"), one.sha256("n")}) == 3


# Replaying a run


def test_a_run_is_replayed_without_its_model(store: Path) -> None:
    first = solve(GOAL, model=planner_model(name="gpt-5-mini", cost_usd=0.5), store=store)
    again = solve(GOAL, model=f"replay:{first.id}", store=store)
    assert (again.status, again.result) == ("done", solution_of(GOAL))
    assert again.made_by == f"replay of {first.id} (gpt-5-mini)"
    assert [task.content for task in again.task.walk()] == [task.content for task in first.task.walk()]


def test_a_replay_costs_nothing_and_says_where_its_words_are_from(store: Path) -> None:
    events: list[Event] = []
    first = solve(GOAL, model=planner_model(cost_usd=0.5), store=store)
    again = solve(GOAL, model=f"replay:{first.id}", store=store, on_event=events.append)
    calls = [event.data for event in events if event.type == "call_done"]
    assert (again.usage.calls, again.usage.tokens, again.cost_usd) == (0, 0, 0.0)
    assert {(data["recorded"], data["taken_from"], data["cost_usd"], data["tokens"]) for data in calls} == {
        (True, first.id, 0.0, 0)
    }
    with Store.open(store) as opened:
        assert {call.reply["taken_from"] for call in opened.calls(again.id)} == {first.id}
        assert opened.find_run(again.id).made_by == again.made_by


def test_a_replay_that_was_killed_is_resumed_as_one(store: Path) -> None:
    first = solve(GOAL, model=planner_model(), store=store)
    stopped = solve(GOAL, model=f"replay:{first.id}", store=store, limits=RunLimits(max_seconds=0.001))
    again = Executor.resume(store, stopped.id, limits=RunLimits())
    assert (again.status, again.result) == ("done", solution_of(GOAL))
    assert again.made_by.startswith(f"replay of {first.id} ")


def test_a_replay_can_be_replayed(store: Path) -> None:
    first = solve(GOAL, model=planner_model(), store=store)
    second = solve(GOAL, model=f"replay:{first.id}", store=store)
    third = solve(GOAL, model=f"replay:{second.id}", store=store)
    assert third.result == solution_of(GOAL)
    assert third.made_by == f"replay of {second.id} (replay:{first.id})"


def test_a_replay_of_rules_composes_as_rules_does(store: Path) -> None:
    first = solve("(1+2)*(3+4)", model="rules", store=store)
    assert solve("(1+2)*(3+4)", model=f"replay:{first.id}", store=store).result == "21"
    assert open_model(f"replay:{first.id}", store=store).prompt_budget is None  # type: ignore[attr-defined]


def test_repairs_and_later_attempts_are_replayed(store: Path) -> None:
    replies = ["", "<result>", "<result>4</result>"]
    script = [ModelReply(text=text, model="x", cost_usd=0.0) for text in replies]
    first = Executor(ScriptedModel(script), store=store).run(Task("2+2", id="0"))
    again = Executor(f"replay:{first.id}", store=store).run(Task("2+2", id="0"))
    assert (first.status, first.task.result, first.task.attempts) == ("done", again.task.result, again.task.attempts)


def test_another_goal_is_a_miss_that_shows_the_difference(store: Path) -> None:
    first = solve(GOAL, model=planner_model(), store=store)
    again = solve(GOAL.replace("hat", "cap"), model=f"replay:{first.id}", store=store)
    assert again.status == "stopped"
    assert isinstance(again.cause, NoModelError)
    assert f"is not recorded in {first.id}" in (again.error or "")
    assert "\n-trip{pack{bag{}|shoes{}|hat{}}" in (again.error or "")
    assert "\n+trip{pack{bag{}|shoes{}|cap{}}" in (again.error or "")


def test_a_miss_never_asks_another_model_and_the_run_can_go_on_with_one(store: Path) -> None:
    first = solve("rest{}", model=planner_model(), store=store)
    again = solve(GOAL, model=f"replay:{first.id}", store=store)
    assert again.status == "stopped"
    resumed = Executor.resume(store, again.id, agent=planner_model())
    assert (resumed.status, resumed.result) == ("done", solution_of(GOAL))


@pytest.mark.parametrize("wanted", ["nowhere", "x/nowhere.jsonl", "."])
def test_a_recording_that_is_not_there_is_named(wanted: str, store: Path) -> None:
    solve("rest{}", model=planner_model(), store=store)
    with pytest.raises(NoModelError, match=r"replay:.*(there is no run|cannot be)"):
        open_model(f"replay:{wanted}", store=store)


def test_a_file_whose_name_looks_like_a_run_is_hinted_at(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve("rest{}", model=planner_model(), store=store)
    monkeypatch.chdir(tmp_path)
    Path("calls").touch()
    with pytest.raises(NoModelError, match=r"write replay:\./calls"):
        open_model("replay:calls", store=store)


def test_replay_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="replay:RUN, or replay:FILE"):
        open_model("replay:")


def test_a_run_without_calls_is_no_recording(store: Path) -> None:
    executor = Executor(never_called(), store=store, workers={"noop": lambda task: task.id})
    run = executor.run(Task("x", id="0", type="noop"))
    with pytest.raises(NoModelError, match="no recorded call"):
        open_model(f"replay:{run.id}", store=store)


# The order of equal requests


def test_equal_requests_are_answered_by_task_attempt_and_sample() -> None:
    calls = [
        recorded(request_of(task_id=task_id), f"{task_id} {attempt} {sample}", attempt=attempt, sample=sample)
        for task_id in ("0.1", "0.2")
        for attempt in (1, 2)
        for sample in (0, 1)
    ]
    wanted = [("0.2", 2, 1), ("0.1", 1, 0), ("0.2", 1, 0), ("0.1", 1, 0)]
    asked = [request_of(task_id=task_id, attempt=attempt, sample=sample) for task_id, attempt, sample in wanted]
    assert said(replay_of(*calls), asked) == ["0.2 2 1", "0.1 1 0", "0.2 1 0", "0.1 1 0"]


def test_requests_of_other_tasks_are_answered_in_recorded_order_each_once() -> None:
    model = replay_of(*(recorded(request_of(task_id=f"a{n}"), str(n)) for n in range(3)))
    assert said(model, [request_of(task_id=f"b{n}") for n in range(3)]) == ["0", "1", "2"]
    with pytest.raises(NoModelError, match=r"task b3: its 'execute' request was recorded 3 times in r1"):
        said(model, [request_of(task_id="b3")])


def test_calls_of_the_same_task_come_before_those_of_others() -> None:
    model = replay_of(recorded(request_of(task_id="a"), "a"), recorded(request_of(task_id="b"), "b", attempt=2))
    assert said(model, [request_of(task_id="b"), request_of(task_id="c")]) == ["b", "a"]


def test_many_equal_requests_are_answered_in_linear_time() -> None:
    def answers(count: int) -> Callable[[], object]:
        model = replay_of(*(recorded(request_of(task_id=f"a{n}"), str(n)) for n in range(count)))
        requests = [request_of(task_id=f"b{n}") for n in range(count)]
        return lambda: said(model, requests)

    assert growth(answers, size=500) < 6
    assert is_near_linear(answers, size=20_000)


def test_calls_of_several_models_are_found() -> None:
    model = replay_of(recorded(request_of("a"), "1", model="m"), recorded(request_of("b"), "2", model="n"))
    assert said(model, [request_of("b"), request_of("a")]) == ["2", "1"]
    assert model.maker == "replay of r1 (m, n)"


def test_a_streamed_answer_comes_whole() -> None:
    async def pieces() -> list[str | ModelReply]:
        return [piece async for piece in replay_of(recorded(request_of(), "four")).stream(request_of())]

    text, reply = asyncio.run(pieces())
    assert text == "four"
    assert isinstance(reply, ModelReply)
    assert reply.usage().calls == 0


# The nearest request


def test_the_nearest_request_is_of_the_same_task_and_purpose() -> None:
    near = recorded(request_of("one\ntwo", task_id="0.1"), "x")
    calls = [recorded(request_of("one\ntwo\nthree", task_id="0.2"), "x"), near]
    assert nearest(request_of("one\ntwo\nthree\nfour", task_id="0.1"), calls) is near


def test_of_other_tasks_the_one_with_most_lines_in_common_is_nearest() -> None:
    near = recorded(request_of("one\ntwo\nthree", task_id="0.3"), "x")
    calls = [recorded(request_of("one\nsix\nseven", task_id="0.2"), "x"), near]
    assert nearest(request_of("one\ntwo\nfour", task_id="9"), calls) is near


def test_the_difference_leaves_model_and_nonce_out() -> None:
    call = recorded(request_of("same\nold", nonce="a1b2c3d4"), "x")
    assert difference(request_of("same\nnew", nonce="99999999"), call).splitlines()[3:] == [
        " [user]",
        " <data-NONCE kind=x>same",
        "-old</data-NONCE>",
        "+new</data-NONCE>",
    ]


def test_sampling_settings_are_part_of_the_difference() -> None:
    call = recorded(request_of(sampling=Sampling(temperature=0.5)), "x")
    assert "-temperature: 0.5\n+temperature: 1.0" in difference(request_of(sampling=Sampling(temperature=1.0)), call)


@pytest.mark.parametrize("lines", [1, 20_000])
def test_the_difference_of_huge_requests_is_small_and_quick(lines: int) -> None:
    def compared(characters: int) -> Callable[[], str]:
        count = min(lines, characters // 20)
        before = "\n".join(f"{n} before {'x' * (characters // count)}" for n in range(count))
        return lambda: difference(request_of(before.replace("before", "after")), recorded(request_of(before), "x"))

    shown = compared(400_000)()
    assert is_near_linear(compared, size=400_000)
    assert len(shown) < 50 * (LINE_LENGTH + 10)
    assert "before" in shown
    assert "after" in shown


@given(st.text(), st.text())
def test_any_two_requests_can_be_compared(one: str, other: str) -> None:
    call = recorded(request_of(one, nonce="a1b2c3d4"), "x")
    assert nearest(request_of(other), [call]) is call
    assert isinstance(difference(request_of(other), call), str)


# Recordings


def record(store: Path, file: Path, **how: Any) -> str:
    return solve(GOAL, model=planner_model(name="gpt-5-mini", **how), store=store, record=file).id


def test_a_recording_is_replayed_in_another_store(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    record(store, file)
    again = solve(GOAL, model=f"replay:{file}", store=tmp_path / "other.db")
    assert (again.result, again.made_by) == (solution_of(GOAL), "replay of calls.jsonl (gpt-5-mini)")


def test_a_recording_holds_a_call_a_line(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    run_id = record(store, file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    with Store.open(store) as opened:
        calls = opened.calls(run_id)
    assert lines[0]["run"]["id"] == run_id
    assert [(line["call"]["task_id"], line["call"]["request"]) for line in lines[1:-1]] == [
        (call.key.task_id, call.request) for call in calls
    ]


def test_an_exported_run_is_a_recording_too(store: Path, tmp_path: Path) -> None:
    run = solve(GOAL, model=planner_model(), store=store)
    with Store.open(store) as opened:
        opened.export_run(run.id, tmp_path / "run.jsonl")
    assert solve(GOAL, model=f"replay:{tmp_path}/run.jsonl", store=tmp_path / "b.db").result == solution_of(GOAL)


def test_a_resumed_run_is_recorded_whole(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    stopped = solve(GOAL, model=planner_model(), store=store, record=file, limits=RunLimits(max_calls=5))
    assert (stopped.status, len(file.read_text().splitlines())) == ("stopped", 7)
    Executor.resume(store, stopped.id, agent=planner_model(), limits=RunLimits(), record=file)
    assert solve(GOAL, model=f"replay:{file}", store=tmp_path / "other.db").result == solution_of(GOAL)


def test_what_stood_in_a_file_is_never_lost_to_a_recording(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    record(store, file)
    before = file.read_bytes()
    with pytest.raises(UsageError, match="is not a recording of this run"):
        record(store, file)
    assert file.read_bytes() == before
    with Store.open(store) as opened:
        assert len(opened.runs()) == 1


@pytest.mark.parametrize("path", ["nowhere/calls.jsonl", "."])
def test_a_recording_that_cannot_be_made_is_refused_before_any_call(path: str, store: Path, tmp_path: Path) -> None:
    model = planner_model()
    with pytest.raises(UsageError, match="cannot be recorded"):
        solve(GOAL, model=model, store=store, record=tmp_path / path)
    assert not model.requests


def test_a_recording_that_cannot_be_written_leaves_the_run(store: Path, tmp_path: Path) -> None:
    run = solve("rest{}", model=planner_model(), store=store)
    recording = Recording(tmp_path / "calls.jsonl", run.id)
    (tmp_path / "calls.jsonl.part").mkdir()
    with Store.open(store) as opened, pytest.raises(ExportError, match=f"ramify store export {run.id} FILE"):
        recording.write(opened)


def test_no_key_gets_into_a_recording_or_an_export(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2hunter2")
    agent = Agent(planner_model(), base_url="http://ann:hunter2@127.0.0.1:9/v1", api_key="sk-hunter2hunter2")
    run = Executor(agent, plan=PlanLimits(), store=store, record=tmp_path / "a.jsonl").run(Task(GOAL, id="0"))
    with Store.open(store) as opened:
        opened.export_run(run.id, tmp_path / "b.jsonl")
    for name in ("a.jsonl", "b.jsonl"):
        assert "hunter2" not in (tmp_path / name).read_text()


DAMAGES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("cut in a line", lambda data: data[: len(data) - 300], r"line \d+: the line is truncated"),
    ("cut after a line", lambda data: data[: data[:-1].rindex(b"\n") + 1], r"line \d+: .*it is truncated"),
    ("no JSON", lambda data: data.replace(b'{"call":', b'{"call"', 1), r"line 2: it is not JSON"),
    ("no text", lambda data: data.replace(b'"reply":{"text":"', b'"reply":{"text":1,"x":"', 1), r"line 2: text is"),
    ("no reply", lambda data: data.replace(b'"reply":', b'"answer":', 1), r"line 2: reply is missing"),
    ("a line lost", lambda data: data.replace(data.splitlines(keepends=True)[2], b"", 1), "there are 12"),
    ("more behind", lambda data: data + b"{}\n", "after the last line"),
    ("other version", lambda data: data.replace(b'"version":1', b'"version":9', 1), "another version"),
    ("another file", lambda _: b'{"goal": "x"}\n', "neither an exported run nor a recording"),
    ("no text at all", lambda _: b"\x00\xff\xfe" * 50, "neither an exported run nor a recording"),
    ("nothing", lambda _: b"", "neither an exported run nor a recording"),
    ("deep", lambda data: data.replace(b'"reply":{', b'"reply":' + b"[" * 200_000, 1), r"line 2: it is not JSON"),
]


@pytest.mark.parametrize(("damage", "words"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_a_damaged_recording_is_refused_with_the_line(
    damage: Callable[[bytes], bytes], words: str, store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    record(store, file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(NoModelError, match=words):
        open_model(f"replay:{file}")


# The cache


def test_a_cached_run_asks_nothing_twice_and_costs_nothing(store: Path) -> None:
    events: list[Event] = []
    first = solve(GOAL, model=planner_model(cost_usd=0.5), store=store)
    again = solve(GOAL, model=never_called(), store=store, cache=True, on_event=events.append)
    assert again.result == solution_of(GOAL)
    assert (again.usage.calls, again.cost_usd, first.usage.calls > 0) == (0, 0.0, True)
    assert {(event.data["recorded"], event.data["taken_from"]) for event in events if event.type == "call_done"} == {
        (True, first.id)
    }


def test_a_cache_has_to_be_asked_for(store: Path) -> None:
    solve("rest{}", model=planner_model(), store=store)
    model = planner_model()
    solve("rest{}", model=model, store=store)
    assert len(model.requests) == 2


def test_only_what_is_new_is_asked(store: Path) -> None:
    def trip(*leaves: str) -> Task:
        root = Task("trip", id="0")
        root.add_subtasks([Task(leaf, id=f"0.{leaf}") for leaf in leaves])
        return root

    answers = {"execute": "<result>done</result>", "compose": "<result>together</result>"}
    Executor(ScriptedModel(answers), store=store).run(trip("pack", "leave"))
    model = ScriptedModel(answers)
    Executor(model, store=store, cache=True).run(trip("pack", "stay"))
    assert [(request.task_id, request.purpose) for request in model.requests] == [
        ("0.stay", "execute"),
        ("0", "compose"),
    ]


@pytest.mark.parametrize(
    "agent",
    [
        Agent(planner_model(name="another")),
        Agent(planner_model()).with_settings(sampling=Sampling(temperature=0.9)),
        Agent(planner_model()).with_settings(language="French"),
    ],
)
def test_another_model_sampling_or_prompt_is_asked(agent: Agent, store: Path) -> None:
    solve("rest{}", model=planner_model(), store=store)
    run = solve("rest{}", agent=agent, store=store, cache=True)
    assert run.usage.calls == 2


def test_a_reply_that_was_cut_is_not_in_the_cache(store: Path) -> None:
    cut = ModelReply(text="<result>fo", model="scripted", finish_reason="length", cost_usd=0.0)
    filtered = ModelReply(text="<result>five</result>", model="scripted", finish_reason="content_filter", cost_usd=0.0)
    for reply in (cut, filtered):
        Executor(ScriptedModel([reply, reply, reply]), store=store).run(quick(Task("2+2", id="0")))
    again = Executor(ScriptedModel(["<result>4</result>"]), store=store, cache=True).run(quick(Task("2+2", id="0")))
    assert again.result == "4"


def test_a_stream_that_broke_off_is_not_in_the_cache(store: Path) -> None:
    broken = FaultyModel(ScriptedModel({"*": "<result>4</result>"}), ["bad_key"])
    Executor(broken, store=store).run(Task("2+2", id="0"))
    with Store.open(store) as opened:
        assert opened.calls(opened.last_run().id) == []


def test_a_later_attempt_is_not_given_the_answer_of_an_earlier_one(store: Path) -> None:
    with Store.open(store) as opened:
        for attempt, text in ((1, "bad"), (2, "good")):
            put(opened, f"run-{attempt}", recorded(request_of(), text, attempt=attempt))
        found = [opened.find_answer(recorded(request_of(), "", attempt=attempt).key) for attempt in (1, 2, 3)]
    assert [each and (each[0], each[1]["text"]) for each in found] == [("run-1", "bad"), ("run-2", "good"), None]


def test_several_samples_are_several_answers(store: Path) -> None:
    with Store.open(store) as opened:
        put(opened, "run-1", recorded(request_of(), "first", sample=0))
        assert opened.find_answer(recorded(request_of(), "", sample=1).key) is None


def test_rules_are_never_cached_as_they_read_more_than_words(store: Path) -> None:
    solve("1+1", model="rules", store=store)
    assert solve("1+1", model="rules", store=store, cache=True).usage.calls == 2


def test_a_resumed_run_goes_on_with_the_cache_and_counts_no_cost(store: Path) -> None:
    solve(GOAL, model=planner_model(cost_usd=0.5), store=store)
    limits = RunLimits(max_seconds=0.001)
    stopped = solve(GOAL, model=never_called(), store=store, cache=True, limits=limits)
    again = Executor.resume(store, stopped.id, agent=never_called(), limits=RunLimits())
    assert (again.result, again.usage.calls, again.cost_usd) == (solution_of(GOAL), 0, 0.0)


def quick(task: Task) -> Task:
    task.config = task.config.model_copy(update={"retry_delay_seconds": 0.0})
    return task


def put(store: Store, run_id: str, call: CallRecord) -> None:
    from ramify.planner.store import CallMade, NewRun

    store.create_run(NewRun(id=run_id, goal="x", created_at=1.0), Task("x", id=call.key.task_id))
    with store.write(run_id) as writer:
        writer.put(CallMade.of(call))


# Models that read variables, and people


def test_rules_compose_at_once_whatever_the_length(store: Path) -> None:
    numbers = [10**3_900 + n for n in range(40)]
    goal = " + ".join(f"({number} + 1)" for number in numbers)
    run = solve(goal, model="rules", store=store, max_children=50)
    assert sum(len(task.result) for task in run.task.subtasks) > DEFAULT_BUDGET
    assert run.result == str(sum(numbers) + len(numbers))
    with Store.open(store) as opened:
        assert [call.key.purpose for call in opened.calls(run.id, "0")].count("compose") == 1


class SlowReader(io.StringIO):
    """A person who takes a while."""

    def readline(self, *_: Any) -> str:  # type: ignore[override]
        time.sleep(0.2)
        return super().readline()


def test_no_limit_of_time_cuts_a_person_off(store: Path) -> None:
    model = HumanModel(source=SlowReader("<result>4</result>\n.\n"), prompts_to=io.StringIO())
    run = Executor(Agent(model).with_settings(timeout_s=0.05), store=store).run(Task("2+2", id="0"))
    assert (run.status, run.result) == ("done", "4")


def test_a_model_that_is_no_person_is_cut_off(store: Path) -> None:
    agent = Agent(ScriptedModel({"*": "<result>4</result>"}, latency_s=3600.0)).with_settings(timeout_s=0.02)
    run = Executor(agent, store=store).run(quick(Task("2+2", id="0")))
    assert run.status == "failed"


def test_stopping_a_run_does_not_wait_for_a_person(store: Path) -> None:
    class Thinking(ScriptedModel):
        is_person = True

        async def complete(self, request: ModelRequest) -> ModelReply:
            asked.set()
            await asyncio.sleep(3600)
            return await super().complete(request)

    asked = threading.Event()
    run = Executor(Thinking([]), store=store).start(Task("2+2", id="0"))
    assert asked.wait(HANG_S)
    run.stop()
    run.wait()
    assert (run.status, run.task.state) == ("interrupted", TaskState.OPEN)
