"""Strategies: one task in variations, each a run of its own; and runs side by side."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Agent, Executor, Outcome, PlanLimits, RunLimits, Strategy, compare, solve, worker
from ramify.planner.cli.varying import read_grid
from ramify.planner.errors import RunError, UsageError
from ramify.planner.export.comparison.differences import compared
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.running.editing import PlanEdit
from ramify.planner.store import Store
from ramify.planner.strategies import variations
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

from .openai_server import OpenAIServer
from .ramify_command import ramify_process

HOSTILE = "<script>alert(1)</script> | `x` **b** \x1b[31m =1+1"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def named(name: str, reply: Any = "<result>done</result>", **how: Any) -> ScriptedModel:
    model = ScriptedModel({"decompose": "<atomic/>", "execute": reply, "compose": "<result>all</result>"}, **how)
    model.name = name
    return model


# The grid


def test_every_combination_is_a_variation_named_by_its_own_parameters() -> None:
    found = variations(
        {"model": ["a", "b"], "rewriter": [{"prompt": "Make this more concise"}, {"prompt": "Longer " * 30}]}
    )
    assert [each.name for each in found][:2] == [
        "model=a, rewriter={prompt: Make this more concise}",
        "model=a, rewriter={prompt: Longer Longer Longer Longer Lo…",
    ]
    assert [each.parameters["model"] for each in found] == ["a", "a", "b", "b"]


def test_names_that_would_be_the_same_are_told_apart() -> None:
    long = "the same beginning of a long text that is cut, "
    assert len({each.name for each in variations({"x": [long + "one", long + "two", long + "three"]})}) == 3


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "needs at least one parameter"),
        ({"model": []}, "'model' has no values"),
        ({"model": "abc"}, "'model' needs a list of values"),
        ({"max_depth": [1, 2, 1]}, "'max_depth' has the value 1 twice"),
        ({"x": [object()]}, "not JSON"),
        ({name: list(range(30)) for name in "abc"}, "27,000 variants"),
    ],
)
def test_a_grid_that_means_nothing_is_refused(grid: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        variations(grid)


def test_a_parameter_that_changes_nothing_is_refused_with_what_comes_near() -> None:
    with pytest.raises(UsageError, match="max_depht cannot be varied; did you mean max_depth"):
        Strategy("s", "goal", {"max_depht": [1]})
    with pytest.raises(UsageError, match=r"write inputs\.NAME"):
        Strategy("s", "goal", {"qqq": [1]})
    with pytest.raises(UsageError, match="max_depth cannot have this value"):
        Strategy("s", "goal", {"max_depth": [0]})


def test_grids_are_read_from_words() -> None:
    assert read_grid(["model=a,b", "max_depth=1,2", 'system=["x, y","z"]', "temperature=0.5"]) == {
        "model": ["a", "b"], "max_depth": [1, 2], "system": ["x, y", "z"], "temperature": [0.5],
    }  # fmt: skip
    with pytest.raises(UsageError, match="is not a parameter; write KEY=A,B"):
        read_grid(["model"])
    with pytest.raises(UsageError, match="given twice"):
        read_grid(["a=1", "a=2"])


# Running


def test_variations_are_runs_of_their_own_with_their_own_models_and_settings(store: Path) -> None:
    brief, wordy = (
        named("brief", "<result>short</result>", cost_usd=0.25),
        named("wordy", "<result>a long one</result>"),
    )
    strategy = Strategy("tone", "Describe Oslo", {"model": [brief, wordy], "language": ["English", "Norwegian"]})
    assert strategy.variations == [
        "model=brief, language=English", "model=brief, language=Norwegian",
        "model=wordy, language=English", "model=wordy, language=Norwegian",
    ]  # fmt: skip
    done = strategy.run(store=store)
    assert done.status == "done"
    assert [each.answer for each in done.comparison] == ["short", "short", "a long one", "a long one"]
    assert [each.made_by for each in done.comparison] == [brief.maker, brief.maker, wordy.maker, wordy.maker]
    assert len(brief.requests) == 4
    assert sum("Norwegian" in str(request.messages) for request in brief.requests) == 2
    with Store.open(store) as opened:
        assert [run.id for run in opened.runs()][-1] == done.id
        assert sorted(run.id for run in opened.runs())[1:] == [f"{done.id}.{n}" for n in range(1, 5)]
        assert opened.last_run().id == opened.find_run(done.id[:6]).id == done.id
        assert opened.find_run(f"{done.id}.2").settings["name"] == "model=brief, language=Norwegian"
        assert opened.find_run(f"{done.id}.2").settings["inside"] == done.id
    assert done.run.usage.calls == 8
    assert done.run.usage.cost_usd == pytest.approx(1.0)
    frame = done.to_dataframe()
    assert list(frame["language"]) == ["English", "Norwegian"] * 2
    assert list(frame["answer"])[2] == "a long one"


def test_sampling_depth_content_and_limits_can_be_varied(store: Path) -> None:
    model = named("m")
    grid: dict[str, list[Any]] = {
        "temperature": [0.0, 1.0],
        "max_depth": [1, 2],
        "content": ["one", "two"],
        "config.max_retries": [0],
    }
    done = Strategy("all", "goal", grid).run(model, store=store)
    assert done.status == "done"
    asked = Counter((request.purpose, request.sampling.temperature) for request in model.requests)
    assert asked == {("execute", 0.0): 4, ("execute", 1.0): 4, ("decompose", 0.0): 2, ("decompose", 1.0): 2}
    assert {request.task_id for request in model.requests} == {"0"}


def test_parameters_reach_the_subtasks_of_a_tree_by_name(store: Path) -> None:
    @worker
    def rewrite(text: str, prompt: str) -> str:
        return f"{prompt}({text})"

    @worker
    def embed(model: str, context: Any) -> dict[str, Any]:
        return {"model": model, "of": next(iter(context.results.values()))}

    root = Task(content="Embed a text", id="0", inputs={"rewriter.text": "this is a test"})
    root.add_subtasks(
        [
            Task(content="rewrite", id="0.1", name="rewriter", type="rewrite"),
            Task(content="embed", id="0.2", name="embedding", type="embed", dependencies=["0.1"]),
        ]
    )
    grid: dict[str, list[Any]] = {
        "rewriter": [{"prompt": "short"}, {"prompt": "formal"}],
        "embedding.model": ["e5", "bge"],
    }
    done = Strategy("embedding", root, grid).run(named("m"), store=store, workers=[rewrite, embed], jobs=4)
    assert done.status == "done", done.run.error
    with Store.open(store) as opened:
        outputs = [opened.load_tree(f"{done.id}.{n}").find("0.2").output for n in range(1, 5)]
    assert outputs == [
        {"model": model, "of": f"{prompt}(this is a test)"} for prompt in ("short", "formal") for model in ("e5", "bge")
    ]


@pytest.mark.parametrize("in_series", [True, False])
def test_variations_run_in_series_or_at_once(store: Path, in_series: bool) -> None:  # noqa: FBT001
    async def reply(request: ModelRequest) -> str:
        while not in_series and model.most_in_flight < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        return "<atomic/>" if request.purpose == "decompose" else "<result>done</result>"

    model = ScriptedModel(reply)
    done = Strategy("s", "goal", {"seed": [1, 2, 3, 4], "max_depth": [1]}, in_series=in_series).run(model, store=store)
    spans = [(task.started_at, task.completed_at) for task in done.run.task.subtasks]
    assert all(a[1] <= b[0] for a, b in pairwise(spans)) == in_series  # type: ignore[operator]
    assert (model.most_in_flight == 1) == in_series


def test_jobs_hold_over_all_variations_together(store: Path) -> None:
    model = ScriptedModel(
        {
            "decompose": "".join(f"<task>part {n}</task>" for n in range(4)),
            "execute": "<result>r</result>",
            "compose": "<result>c</result>",
        },
        latency_s=0.01,
    )  # fmt: skip
    Strategy("s", "goal", {"seed": list(range(6)), "max_depth": [2]}).run(model, store=store, jobs=3)
    executing = [request for request in model.requests if request.purpose == "execute"]
    assert len(executing) == 24
    assert model.most_in_flight <= 6  # three tasks, and at most three plans


def test_a_limit_holds_for_all_variations_together_and_the_rest_is_done_on_resume(store: Path) -> None:
    model = named("m")
    strategy = Strategy("s", "goal", {"seed": [1, 2, 3, 4, 5], "max_depth": [1]}, in_series=True)
    stopped = strategy.run(model, store=store, limits=RunLimits(max_calls=3))
    assert (stopped.status, len(model.requests)) == ("stopped", 3)
    assert "max_calls = 3" in str(stopped.run.error)
    done = strategy.resume(stopped.id, store=store, agent=model, limits=RunLimits())
    assert (done.status, len(model.requests), done.run.usage.calls) == ("done", 5, 5)


def test_a_variation_that_fails_leaves_the_others_and_can_be_done_again(store: Path) -> None:
    bad = {"now": True}

    def reply(request: ModelRequest) -> str:
        if request.sampling.seed == 2 and bad["now"]:
            return "<failed reason='refused'>no</failed>"
        return f"<result>{request.sampling.seed}</result>"

    model = ScriptedModel(reply)
    strategy = Strategy("s", "goal", {"seed": [1, 2, 3]}, plan=PlanLimits(max_depth=1))
    failed = strategy.run(model, store=store)
    assert failed.status == "failed"
    assert [each.status for each in failed.comparison] == ["done", "failed", "done"]
    assert "no (refused)" in failed.comparison.variants[1].error
    bad["now"] = False
    again = strategy.resume(failed.id, store=store, agent=model, retry_failed=True)
    assert [each.answer for each in again.comparison] == ["1", "2", "3"]
    assert Counter(request.sampling.seed for request in model.requests) == {1: 1, 2: 2, 3: 1}


def test_more_turns_hold_for_the_conversations_of_variations(store: Path) -> None:
    def reply(request: ModelRequest) -> str:
        turns = sum(each["role"] == "assistant" for each in request.messages)
        return f'<call tool="add">{{"a": {turns}}}</call>' if turns < 3 else "<result>added</result>"

    def add(a: int) -> int:
        """Add one."""
        return a + 1

    agent = Agent(ScriptedModel(reply), tools=[add])
    goal = Task(content="goal", id="0", config=TaskConfig(max_turns=2))
    strategy = Strategy("s", goal, {"seed": [1, 2]}, plan=PlanLimits(max_depth=1))
    failed = strategy.run(agent, store=store)
    assert f"ramify resume {failed.id}.1 --retry-failed --max-turns 4" in str(failed.run.error)
    done = strategy.resume(failed.id, store=store, agent=agent, retry_failed=True, max_turns=4)
    assert [each.answer for each in done.comparison] == ["added", "added"]


def test_a_variation_that_is_done_anew_is_a_new_run_and_the_others_are_kept(store: Path) -> None:
    model = ScriptedModel(lambda request: f"<result>{request.sampling.seed}, call {len(model.requests)}</result>")
    strategy = Strategy("s", "goal", {"seed": [1, 2]}, plan=PlanLimits(max_depth=1))
    first = strategy.run(model, store=store, jobs=1)
    again = strategy.resume(first.id, store=store, agent=model, edit=PlanEdit(again=["0.2"]))
    assert [each.run for each in again.comparison] == [f"{first.id}.1", f"{first.id}.2-2"]
    assert [each.answer for each in again.comparison] == ["1, call 1", "2, call 3"]
    assert len(model.requests) == 3


@pytest.mark.parametrize(
    ("edit", "way"),
    [
        (
            PlanEdit(contents={"0.2": "another goal"}),
            "ramify resume {0}.2 --set 0=TEXT; then compare with ramify",
        ),
        (
            PlanEdit(results={"0.2": "my own"}),
            "ramify resume {0}.2 --set-result 0=TEXT; then compare with ramify",
        ),
        (PlanEdit(contents={"0": "another goal"}), "start another one with the new goal: ramify sweep GOAL"),
    ],
)
def test_an_edit_that_would_only_rename_a_variation_is_refused_with_the_way_to_change_it(
    store: Path, edit: PlanEdit, way: str
) -> None:
    model = named("m")
    strategy = Strategy("s", "goal", {"seed": [1, 2]}, plan=PlanLimits(max_depth=1))
    first = strategy.run(model, store=store)
    with pytest.raises(UsageError) as refused:
        strategy.resume(first.id, store=store, agent=model, edit=edit)
    assert way.format(first.id) in str(refused.value)
    assert (first.run.task.to_json(), len(model.requests)) == (compared_tree(store, first.id), 2)


def test_the_run_of_a_variation_can_be_changed_and_is_compared_as_it_is_then(store: Path) -> None:
    model = ScriptedModel(lambda request: f"<result>{'new' if 'new goal' in str(request.messages) else 'old'}</result>")
    strategy = Strategy("s", "goal", {"seed": [1, 2]}, plan=PlanLimits(max_depth=1))
    first = strategy.run(model, store=store)
    Executor.resume(store, f"{first.id}.2", agent=model, set={"0": "new goal"})
    assert [each.answer for each in first.comparison] == ["old", "new"]


def compared_tree(store: Path, run_id: str) -> str:
    with Store.open(store) as opened:
        return opened.load_tree(run_id).to_json()


def test_a_strategy_is_a_task_of_a_larger_tree(store: Path) -> None:
    inner = Strategy("inner", "goal", {"seed": [1, 2]}, plan=PlanLimits(max_depth=1), id="0.1")
    root = Task(content="all", id="0")
    root.add_subtasks([inner.task, Task(content="after", id="0.2", dependencies=["0.1"])])
    run = Executor(named("m"), store=store).run(root)
    assert run.status == "done"
    assert "| seed=1 | done |" in root.find("0.1").result
    assert [variant.answer for variant in compare(run.id, store=store)] == ["done", "done"]


KILLED = """
import os, signal, sys
from ramify.planner import Strategy, PlanLimits
from ramify.planner.testing import ScriptedModel
log = open(sys.argv[2], "a")
def reply(request):
    print(request.sampling.seed, file=log, flush=True)
    if request.sampling.seed == 3 and sys.argv[3] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return "<result>%s</result>" % request.sampling.seed
strategy = Strategy("s", "goal", {"seed": [1, 2, 3, 4]}, in_series=True, plan=PlanLimits(max_depth=1))
model = ScriptedModel(reply)
if sys.argv[3] == "kill":
    strategy.run(model, store=sys.argv[1])
else:
    print(strategy.resume(store=sys.argv[1], agent=model).status)
"""


def test_a_killed_strategy_is_resumed_as_a_whole_and_repeats_no_reply(store: Path, tmp_path: Path) -> None:
    def run(how: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-c", KILLED, str(store), str(tmp_path / "log"), how]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    assert run("kill").returncode == -9
    again = run("resume")
    assert (again.stdout, again.stderr) == ("done\n", "")
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3", "3", "4"]
    with Store.open(store) as opened:
        assert opened.check() == []


# Side by side


def test_answers_are_compared_word_by_word() -> None:
    assert compared("It is 4 km.", "It is 5 km.")[1] == ("5", False)
    assert compared("same", "same") == [("same", True)]
    assert compared("a", "") == []


@given(st.text(max_size=80), st.text(max_size=80))
def test_the_parts_of_an_answer_are_the_answer(first: str, second: str) -> None:
    parts = compared(first, second)
    assert "".join(part.text for part in parts) == second
    shared = "".join(part.text for part in parts if part.is_shared)
    assert len(shared) <= len(first)


def test_long_answers_are_compared_in_no_time() -> None:
    first, second = "a b c d e " * 40_000, "a x c d e " * 40_000
    assert "".join(part.text for part in compared(first, second)) == second


def test_any_runs_can_be_compared_and_saved(store: Path, tmp_path: Path) -> None:
    one = solve("goal", model=named("one", "<result>It takes 4 hours.</result>"), store=store)
    two = solve("goal", model=named("two", f"<result>It takes 5 hours. {HOSTILE}</result>"), store=store)
    both = compare(one.id, two.id, store=store)
    assert [each.run for each in both] == [one.id, two.id]
    text = both.to_text()
    assert "It takes {+5+} hours." in text
    assert "\x1b" not in text
    for form in ("txt", "md", "html", "csv", "json", "svg"):
        assert both.save(tmp_path / f"both.{form}").stat().st_size > 200
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<mark>5</mark>" in page
    assert json.loads((tmp_path / "both.json").read_text())["variants"][0]["answer"] == "It takes 4 hours."
    with pytest.raises(UsageError, match="has no comparison format"):
        both.save(tmp_path / "both.doc")


@pytest.mark.fault("5.6")
@pytest.mark.parametrize("form", ["txt", "md", "html", "json", "svg"])
def test_a_comparison_names_its_goal(store: Path, tmp_path: Path, form: str) -> None:
    goal = "Name the <b>longest</b> river"
    run = Strategy("tone", goal, {"language": ["English", "German"]}).run(named("one"), store=store)
    words = run.comparison.save(tmp_path / f"tone.{form}").read_text(encoding="utf-8")
    assert goal in unescape(words).replace("\\<", "<").replace("\\>", ">")
    other = solve("Name a lake", model=named("one"), store=store)
    assert compare(run.id, other.id, store=store).goal == f"{goal}\nName a lake"


def test_what_cannot_be_compared_is_said(store: Path) -> None:
    one = solve("goal", model=named("one"), store=store)
    with pytest.raises(UsageError, match="is a single run"):
        compare(one.id, store=store)
    with pytest.raises(UsageError, match="name the runs"):
        compare(store=store)
    with pytest.raises(RunError, match="there is no run 'nope'"):
        compare(one.id, "nope", store=store)


def test_a_strategy_without_variations_is_refused(store: Path) -> None:
    run = Executor(named("m"), store=store).run(
        Task(content="x", id="0", type="strategy", config=TaskConfig(max_retries=0))
    )
    assert "is a strategy without variants" in str(run.error)
    lone = Executor(named("m"), store=store).run(Task(content="x", id="0", type="variation"))
    assert "must be below a task of the type 'strategy'" in str(lone.error)
    assert Outcome("x").output is None


# The command line


def test_models_that_are_varied_are_asked_on_the_server_that_is_given(store: Path) -> None:
    answer = "<result>from the server</result>"
    with OpenAIServer(lambda chat: "<atomic/>" if "<atomic/>" in chat.user else answer) as server:
        agent = Agent("one", base_url=server.base_url, api_key="key")
        done = Strategy("s", "1 + 2", {"model": ["two", "rules"]}).run(agent, store=store)
    assert [(each.answer, each.made_by) for each in done.comparison] == [
        ("from the server", "two"), ("3", "rules (no language model)"),
    ]  # fmt: skip
    assert {chat.body["model"] for chat in server.chats} == {"two"}


def test_models_that_are_varied_need_no_other_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = Strategy("s", "1 + 2", {"model": ["rules"], "max_depth": [1, 2]}).run(store="runs.db")
    assert (done.status, done.run.made_by) == ("done", "rules (no language model)")
    swept = ramify_process("sweep", "1 + 2", "-p", "model=rules")
    assert (swept.code, "model=rules  done" in swept.out) == (0, True), swept.err


def test_sweep_and_compare_work_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    swept = ramify_process("sweep", "(1 + 2) * 3", "-m", "rules", "-p", "max_depth=1,2", "-o", "both.html")
    assert (swept.code, swept.out) == (0, ""), swept.err
    run_id = json.loads(ramify_process("runs", "--json").out)["runs"][-1]["run"]
    compared_runs = ramify_process("compare", run_id, "--json")
    variants = json.loads(compared_runs.out)["variants"]
    assert [(each["name"], each["answer"], each["made_by"]) for each in variants] == [
        ("max_depth=1", "9", "rules (no language model)"), ("max_depth=2", "9", "rules (no language model)"),
    ]  # fmt: skip
    newest = ramify_process("compare", "--last", "--json")
    assert json.loads(newest.out) == json.loads(compared_runs.out)
    both = json.loads(ramify_process("compare", f"{run_id}.1", "--last", "--json").out)
    assert [each["run"] for each in both["variants"]] == [f"{run_id}.1", run_id]
    assert "or use --last for the newest" in ramify_process("compare").err
    refused = ramify_process("resume", run_id, "--set", "0.1=(1 + 2) * 4")
    assert (refused.code, f"ramify resume {run_id}.1 --set 0=TEXT" in refused.err) == (2, True), refused.err
    assert ramify_process("resume", f"{run_id}.1", "--set", "0=(1 + 2) * 4").out == "12\n"
    (tmp_path / "plan.yaml").write_text("goal: 2 + 3\n", encoding="utf-8")
    assert "content=4*4" in ramify_process("sweep", "plan.yaml", "-m", "rules", "-p", "content=2+3,4*4").out
    refused = ramify_process("sweep", "x", "-m", "rules")
    assert (refused.code, "at least one parameter" in refused.err) == (2, True)
    declined = ramify_process("sweep", "Plan a weekend in Rome", "-m", "rules", "-p", "max_depth=1,2")
    assert declined.code == 3
    assert declined.last_line.startswith("ramify resume")
