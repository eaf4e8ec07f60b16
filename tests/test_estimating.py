"""`estimate`, `--estimate` and `--dry-run`: what a plan will take is told before anything of it is executed."""

import json
from pathlib import Path

import pytest
from ramify.planner import Agent, AgentSettings, Executor, estimate
from ramify.planner.asking.prefixes import shared_text
from ramify.planner.models.prompt_cache import PromptCache
from ramify.planner.models.protocol import ModelRequest, Sampling
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Material, Task
from ramify.tasks.plans.plans import read_plan

from .ramify_command import Ramify
from .test_prefixes import Provider

PLAN = """
goal: Compare two cities
tasks:
  - {id: a, task: Describe Oslo}
  - {id: b, task: Describe Bergen, config: {max_retries: 0}}
  - {id: c, task: Write a table, needs: [a, b]}
"""


def plan() -> Task:
    return read_plan(PLAN, source="plan.yaml")


def characters(requests: list[ModelRequest]) -> int:
    return sum(len(message["content"]) for request in requests for message in request.messages)


@pytest.mark.parametrize(("end", "answer_length", "token_length"), [(0, 250, 5), (1, 3000, 3)])
def test_a_run_whose_answers_are_as_assumed_sends_what_was_estimated(
    tmp_path: Path, end: int, answer_length: int, token_length: int
) -> None:
    expected = estimate(plan(), model="rules")
    model = ScriptedModel(lambda _: f"<result>{'x' * answer_length}</result>")
    Executor(model, store=tmp_path / "runs.db").run(plan())
    assert expected.calls[end] == len(model.requests)
    assert expected.input_tokens[end] * token_length == pytest.approx(characters(model.requests), rel=0.01)


@pytest.mark.parametrize(("end", "answer_length", "token_length"), [(0, 250, 5), (1, 3000, 3)])
def test_a_chain_is_counted_with_all_that_was_said_before(
    tmp_path: Path, end: int, answer_length: int, token_length: int
) -> None:
    text = f"{PLAN}  - {{id: d, task: Judge it, needs: [c]}}\n"

    def chained() -> Task:
        return read_plan(f"config: {{conversation: chain}}\n{text}", source="p.yaml")

    model = ScriptedModel(lambda _: f"<result>{'x' * answer_length}</result>")
    expected = estimate(chained(), model=model)
    Executor(model, store=tmp_path / "runs.db", jobs=1).run(chained())
    longest = max(len(request.messages) for request in model.requests)
    assert (expected.calls[end], longest) == (len(model.requests), 6)
    assert expected.input_tokens[end] * token_length == pytest.approx(characters(model.requests), rel=0.01)


def test_what_was_said_before_in_a_chain_is_expected_from_the_cache() -> None:
    text = f"{PLAN}  - {{id: d, task: Judge it, needs: [c]}}\n"
    chained, fresh = (read_plan(f"{head}{text}", source="p.yaml") for head in ("config: {conversation: chain}\n", ""))
    read = [estimate(each, model="gpt-5.6").cached_tokens[1] for each in (chained, fresh)]
    assert read[0] > read[1]


def test_a_chain_goes_on_with_what_is_done() -> None:
    chained, fresh = (read_plan(f"{head}{PLAN}", source="p.yaml") for head in ("config: {conversation: chain}\n", ""))
    for root in (chained, fresh):
        for task_id in ("a", "b"):
            root.find(task_id).update_result("A fjord.")
    tokens = [estimate(each, model=ScriptedModel([])).input_tokens[1] for each in (chained, fresh)]
    assert tokens[0] > tokens[1]


def test_what_is_known_is_counted() -> None:
    expected = estimate(plan(), model="rules")
    assert (expected.tasks, expected.worker_tasks, expected.calls) == (4, 0, (4, 4))
    assert expected.calls_at_most == 2 * (3 + 1 + 3 + 3)
    assert expected.output_tokens == (4 * 50, 4 * 1000)
    assert expected.input_tokens[0] < expected.input_tokens[1]
    assert expected.critical_path == ["a", "c", "0"]
    assert expected.waves == [["a", "b"], ["c"], ["0"]]


def test_what_is_done_takes_nothing() -> None:
    root = plan()
    root.find("a").update_result("A fjord.")
    root.find("b").set_state("DELETED")
    expected = estimate(root, model="rules")
    assert (expected.tasks, expected.calls, expected.waves) == (2, (2, 2), [["c"], ["0"]])
    assert expected.critical_path == ["c", "0"]


def test_tasks_of_workers_are_told_apart() -> None:
    root = plan()
    root.find("a").type = "shell"
    expected = estimate(root, model="rules")
    assert (expected.tasks, expected.worker_tasks, expected.calls) == (4, 1, (3, 3))
    assert "4 tasks, 1 of them for workers, whose calls are not counted" in str(expected)


def test_compositions_of_many_long_results_take_more_calls() -> None:
    root = Task(content="g", id="0", subtasks=[Task(content=f"part {n}", id=f"0.{n}") for n in range(1, 101)])
    low, high = estimate(root, model="rules").calls
    assert low == 101
    assert high > 101


def test_fewer_tokens_come_back_if_fewer_are_allowed() -> None:
    agent = Agent("rules", settings=AgentSettings(sampling=Sampling(max_output_tokens=20)))
    assert estimate(plan(), agent=agent).output_tokens == (80, 80)


def test_the_cost_is_that_of_the_known_prices_or_unknown() -> None:
    known = estimate(plan(), model="gpt-4o-mini")
    assert known.cost_usd is not None
    assert known.model == "gpt-4o-mini"
    prices = (0.15e-6, 0.6e-6)
    for end in (0, 1):
        cost = known.input_tokens[end] * prices[0] + known.output_tokens[end] * prices[1]
        assert known.cost_usd[end] == pytest.approx(cost)
    assert estimate(plan(), model="rules").cost_usd == (0.0, 0.0)
    assert estimate(plan(), model=ScriptedModel({})).cost_usd is None
    assert estimate(plan(), model="mine", base_url="http://127.0.0.1:1/v1").cost_usd is None
    assert "cost: unknown (mine)" in str(estimate(plan(), model="mine", base_url="http://127.0.0.1:1/v1"))


def about_one_document(characters: int) -> Task:
    root = Task(content="Study it", id="0", attachments=(Material(name="doc", text="x" * characters),))
    root.add_subtasks([Task(content=f"Question {number}", id=f"0.{number}") for number in range(1, 6)])
    return root


def test_what_later_siblings_share_is_expected_to_be_cached_and_priced_so(tmp_path: Path) -> None:
    expected = estimate(about_one_document(40_000), model="gpt-5.6")
    model = Provider(PromptCache(takes_key=True), {"*": "<result>x</result>"})
    Executor(model, store=tmp_path / "runs.db").run(about_one_document(40_000))
    shared = [len(shared_text(request)) for request in model.requests if request.purpose == "execute"]
    assert len(shared) == 5
    assert expected.cached_tokens == (4 * (shared[0] // 5), 4 * (shared[0] // 3))
    assert expected.cost_usd is not None
    (low, high), (read, _), written = expected.input_tokens, expected.cached_tokens, shared[0] // 5
    cheap = (low - read - written) * 4e-6 + read * 0.4e-6 + written * 5e-6
    assert expected.cost_usd[0] == pytest.approx(cheap + expected.output_tokens[0] * 20e-6)
    dear = high * 4e-6 + 5 * (shared[0] // 3) * 1e-6  # each of them puts it into a cache that forgets
    assert expected.cost_usd[1] == pytest.approx(dear + expected.output_tokens[1] * 20e-6)
    assert f"cached tokens: {read:,} to " in str(expected)


@pytest.mark.parametrize(
    ("characters", "model", "base_url"),
    [(2_000, "gpt-5.6", None), (40_000, "rules", None), (40_000, "mine", "http://127.0.0.1:1/v1")],
)
def test_nothing_is_expected_of_a_cache_that_is_not_known_or_keeps_only_more(
    characters: int, model: str, base_url: str | None
) -> None:
    expected = estimate(about_one_document(characters), model=model, base_url=base_url)
    assert expected.cached_tokens == (0, 0)
    assert "cached" not in str(expected)


def test_a_plan_file_is_estimated_without_a_store_or_a_model(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    said = ramify("run", "--estimate", "plan.yaml")
    assert said.code == 0
    assert "wave 1: a b\nwave 2: c\nwave 3: 0\n\nremaining: 4 tasks\ncalls: 4; at most 20 with" in said.out
    assert "cost: unknown (no model is set)\ncritical path: 3 tasks: a > c > 0\nwaves: 3\n" in said.out
    document = json.loads(ramify("run", "--estimate", "--json", "plan.yaml").out)
    assert (document["estimate"]["calls"], document["waves"]) == ([4, 4], [["a", "b"], ["c"], ["0"]])
    assert [path.name for path in home.iterdir()] == ["plan.yaml"]


def test_a_dry_run_of_a_plan_file_shows_it(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    said = ramify("run", "--dry-run", "plan.yaml")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Task 0: Compare two cities\n  Task a: Describe Oslo\n")
    assert said.out.endswith("wave 3: 0\n")


@pytest.mark.fault("2.8")
def test_a_dry_run_refuses_what_a_run_would_refuse(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: g\ntasks: [{task: a, type: nobody}]", encoding="utf-8")
    root = Task(content="g", id="0", state="DELETED")
    (home / "plan.json").write_text(root.to_json(), encoding="utf-8")
    for plan, message in [
        ("plan.yaml", "'nobody', which does not exist"),
        ("plan.json", "is the goal and is DELETED"),
    ]:
        dry, wet = ramify("run", "--dry-run", plan), ramify("run", "--model", "rules", plan)
        assert (dry.code, dry.out, dry.err) == (2, "", wet.err)
        assert message in wet.err
    assert not (home / ".ramify").exists()


def test_a_dry_run_of_a_goal_plans_it_and_executes_nothing(ramify: Ramify) -> None:
    said = ramify("solve", "--model", "rules", "--dry-run", "--quiet", "(1+2)*(3+4)")
    assert said.code == 0
    assert said.out == "Task 0: (1+2)*(3+4)\n  Task 0.1: 1+2\n  Task 0.2: 3+4\n\nwave 1: 0.1 0.2\nwave 2: 0\n"
    with Store.open(".ramify/ramify.db") as store:
        run_id = store.last_run().id
        assert {call.key.purpose for call in store.calls(run_id)} == {"decompose"}
    assert said.err == f"nothing was run; `ramify resume {run_id}` runs this plan\n"
    assert ramify("resume", run_id).out == "21\n"
