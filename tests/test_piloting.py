"""Pilots: what a run says of another like it, how to vote then, what that takes, and what no vote reaches."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Store, estimate
from ramify.planner.asking.odds import ahead_for, answers_of_vote, rate_behind, share_between
from ramify.planner.errors import UsageError
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.planning.piloting import CallFigures, Pilot, Rate, pilot_of
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, Task, TaskConfig

from .ramify_command import Ramify

NUMBER = Check(matches="^[0-9]+$")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def tree(leaves: int, *checks: Check, **config: Any) -> Task:
    root = Task(content="All of them", id="0", config=TaskConfig(retry_delay_seconds=0, **config))
    root.add_subtasks([Task(content=f"Question {n}", id=f"0.{n}", checks=checks) for n in range(1, leaves + 1)])
    return root


def answering(replies: Mapping[str, Sequence[str]]) -> ScriptedModel:
    """Return a model that answers the questions of each leaf in order; one alone is for all of them."""

    def reply(request: ModelRequest) -> str:
        if request.purpose != "execute":
            return "<result>all</result>"
        said = replies[request.task_id]
        rounds = 1 if len(said) == 1 else request.sample + 1 if request.attempt == 1 else request.attempt
        return said[min(rounds, len(said)) - 1]

    return ScriptedModel(reply)


def pilot(store: Path, root: Task, replies: Mapping[str, Sequence[str]]) -> Pilot:
    return Executor(answering(replies), store=store, jobs=1).run(root).as_pilot()


def test_answers_that_lose_are_wrong_and_so_are_some_that_win(store: Path) -> None:
    found = pilot(store, tree(2, vote_ahead=2), {"0.1": ["1", "2", "1", "1"], "0.2": ["5"]})
    assert (found.leaves, found.rate.votes, found.rate.answers, found.rate.wrong) == (2, 2, 6, 1)
    assert found.rate.share == rate_behind(1 / 6, {2: 2}) > 1 / 6
    assert found.rate.between == tuple(rate_behind(end, {2: 2}) for end in share_between(1, 6))
    assert (found.checked, found.stuck) == (0, 0)


def test_checks_say_which_winners_are_wrong(store: Path) -> None:
    root = tree(3, NUMBER, vote_ahead=2, max_check_rounds=0)
    found = pilot(store, root, {"0.1": ["1", "x", "1", "1"], "0.2": ["x", "1", "x", "x"], "0.3": ["5"]})
    assert (found.rate.answers, found.rate.wrong, found.rate.share) == (10, 4, 0.4)
    assert (found.checked, found.stuck) == (3, 0)


def test_leaves_whose_votes_agree_on_what_a_check_refuses_are_stuck(store: Path) -> None:
    root = tree(3, NUMBER, vote_ahead=2, max_check_rounds=0)
    found = pilot(store, root, {"0.1": ["x"], "0.2": ["1", "x", "1", "1"], "0.3": ["5"]})
    assert (found.checked, found.stuck) == (3, 1)
    assert (found.rate.answers, found.rate.wrong) == (6, 1)


def test_without_votes_first_answers_that_a_check_refuses_are_wrong_and_those_it_always_refuses_stuck(
    store: Path,
) -> None:
    replies = {"0.1": ["x", "1"], "0.2": ["x"], "0.3": ["5"], "0.4": ["6"]}
    found = pilot(store, tree(4, NUMBER, max_check_rounds=2), replies)
    assert (found.checked, found.stuck) == (4, 1)
    assert (found.rate.votes, found.rate.answers, found.rate.wrong) == (0, 3, 1)
    assert found.rate.between == share_between(1, 3)
    assert found.more_calls == (1 + 2) / 4


def test_votes_that_are_never_decided_count(store: Path) -> None:
    replies = {"0.1": ["1", "2", "1", "2", "1", "2"], "0.2": ["5"]}
    found = pilot(store, tree(2, vote_ahead=2, max_samples=6, max_retries=0), replies)
    assert (found.rate.votes, found.rate.answers, found.rate.wrong) == (2, 8, 3)
    with Store.open(store) as opened:
        votes = [dict(event.data) for event in opened.events(found.run_id) if event.type == "voted"]
    assert [vote.get("undecided") for vote in votes] == [True, None]


def test_answers_that_do_not_count_make_votes_longer(store: Path) -> None:
    replies = {"0.1": ["too long to count", "1", "1"], "0.2": ["5"]}
    found = pilot(store, tree(2, vote_ahead=2, max_answer_characters=5), replies)
    assert found.discarded == 1 / 5
    expected = estimate(tree(2), model=ScriptedModel({}), pilot=found).voting
    assert expected is not None
    assert expected.answers_a_vote[0] == expected.ahead / (1 - 1 / 5)
    assert "; 20.0% do not count: malformed, cut or too long" in dict(expected.rows())["answers a vote"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "has no votes and no checks of leaves, so it cannot measure wrong answers; a pilot needs"),
        ({"vote_ahead": 1}, "has votes of one answer each, which compare nothing; a pilot needs a vote_ahead of 2"),
    ],
)
def test_a_run_that_shows_nothing_is_refused(store: Path, config: dict[str, int], message: str) -> None:
    run = Executor(ScriptedModel({"*": "1"}), store=store).run(tree(2, **config))
    with pytest.raises(UsageError, match=message):
        run.as_pilot()


def of_rate(wrong: int, answers: int, *, votes: int = 40, checked: int = 0, stuck: int = 0) -> Pilot:
    """Return a pilot that has seen so much."""
    rate = Rate(wrong / answers, share_between(wrong, answers), answers, wrong, votes)
    figures = {"execute": CallFigures(10, 4000, 1000, 200), "compose": CallFigures(1, 300, 100, 50)}
    return Pilot(
        run_id="r1", leaves=votes, checked=checked, stuck=stuck, rate=rate, discarded=0.0, more_calls=0.5,
        figures=figures, token_cost_usd=0.001,
    )  # fmt: skip


def test_the_lead_is_for_the_upper_end_of_what_the_rate_may_be() -> None:
    expected = estimate(tree(100), model=ScriptedModel({}), pilot=of_rate(10, 200)).voting
    assert expected is not None
    high = share_between(10, 200)[1]
    assert (expected.steps, expected.error_rate, expected.is_sure) == (100, 0.05, True)
    assert (expected.ahead, expected.ahead_at_rate) == (ahead_for(high, 100), ahead_for(0.05, 100))
    assert expected.ahead > expected.ahead_at_rate
    assert expected.chance[0] >= 0.95
    assert (expected.ceiling, expected.ceiling_of_all) == (None, None)


def test_a_pilot_takes_the_place_of_what_is_assumed() -> None:
    expected = estimate(tree(100), model=ScriptedModel({}), pilot=of_rate(10, 200))
    assert expected.voting is not None
    low, high = share_between(10, 200)
    calls = [100 * (answers_of_vote(rate, expected.voting.ahead) + 0.5) + 1 for rate in (low, high)]
    assert expected.calls == pytest.approx(calls, abs=1)
    assert expected.output_tokens == pytest.approx([(each - 1) * 20 + 50 for each in calls], abs=1)
    tokens = [sum(each) for each in zip(expected.input_tokens, expected.output_tokens, strict=True)]
    assert expected.cost_usd == pytest.approx([each * 0.001 for each in tokens], rel=1e-3)
    assert expected.calls_at_most >= expected.calls[1]


def test_steps_stand_for_a_plan_that_is_not_there_yet() -> None:
    few = estimate(tree(4), model=ScriptedModel({}), pilot=of_rate(10, 200), steps=4)
    many = estimate(tree(4), model=ScriptedModel({}), pilot=of_rate(10, 200), steps=1_000_000)
    assert few.voting is not None
    assert many.voting is not None
    assert many.voting.ahead > few.voting.ahead
    assert many.calls[0] > 1_000_000 * few.calls[0] / 5


def test_stuck_leaves_are_a_ceiling_that_is_told() -> None:
    expected = estimate(tree(100), model=ScriptedModel({}), pilot=of_rate(10, 200, checked=40, stuck=2))
    assert expected.voting is not None
    assert expected.voting.ceiling == 0.95
    assert expected.voting.ceiling_of_all == 0.95**100
    assert (
        "ceiling: voting gets at most 95.0% (83.5% to 98.6%) of the leaf tasks right; all answers to 2 of 40 checked"
        " leaf tasks failed; all are right in at most 0.6% of runs, so votes alone cannot reach the target"
    ) in str(expected)


def test_a_pilot_that_is_too_small_to_tell_says_so() -> None:
    expected = estimate(tree(100), model=ScriptedModel({}), pilot=of_rate(2, 6, votes=3))
    assert expected.voting is not None
    assert not expected.voting.is_sure
    assert expected.voting.ahead == expected.voting.ahead_at_rate
    assert "the pilot is too small to be sure: up to half of the answers may be wrong, so give it more leaves" in str(
        expected
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"pilot": of_rate(60, 100)}, "60.0% of the single answers are wrong; from half on, voting makes things worse"),
        ({"pilot": of_rate(1, 100), "target": 1.0}, "the target is 1, which no vote reaches"),
        ({"pilot": of_rate(1, 100), "steps": 0}, "the number of steps is 0; it must be at least 1"),
        ({"steps": 10}, "steps needs a pilot"),
    ],
)
def test_what_cannot_be_estimated_is_said(how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        estimate(tree(10), model=ScriptedModel({}), **how)


def test_a_plan_without_leaves_for_a_model_has_nothing_to_vote_on() -> None:
    with pytest.raises(UsageError, match="no leaf of the plan uses a model, so there is nothing to vote on"):
        estimate(Task(content="x", id="0", type="shell"), model=ScriptedModel({}), pilot=of_rate(1, 100))


def test_a_pilot_ends_after_its_leaves_and_goes_on_with_other_votes(store: Path) -> None:
    model = ScriptedModel({"execute": "1", "compose": "all"}, cost_usd=0.5)
    run = Executor(model, store=store, jobs=1).pilot(tree(6, vote_ahead=2), leaves=2)
    assert (run.status, run.error, len(model.requests)) == ("stopped", "the pilot of 2 leaf tasks is over", 4)
    shown = run.as_pilot()
    assert (shown.leaves, shown.figures["execute"].calls) == (2, 4)
    assert shown.token_cost_usd == 0.5 * 4 / run.usage.tokens
    expected = estimate(run.task, model=model, pilot=shown)
    assert (expected.tasks, expected.voting is not None) == (5, True)
    with Store.open(store) as opened:
        assert pilot_of(opened.read_run(run.id)) == shown
    done = Executor.resume(store, run.id, agent=model, vote_ahead=3)
    assert (done.status, len(model.requests)) == ("done", 4 + 4 * 3 + 1)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (tree(2), "the plan has no votes and no checks, so it cannot measure wrong answers"),
        (tree(2, vote_ahead=1), "the plan has no votes and no checks"),
        (Task(content="x", id="0", type="shell"), "no leaf of task 0 is left for a model"),
    ],
)
def test_a_pilot_that_would_show_nothing_is_refused_before_it_is_paid_for(
    store: Path, root: Task, message: str
) -> None:
    model = ScriptedModel({})
    with pytest.raises(UsageError, match=message):
        Executor(model, store=store).pilot(root)
    assert model.requests == []


def test_costs_that_nobody_knows_stay_unknown(store: Path) -> None:
    model = ScriptedModel(lambda _: ModelReply(text="1", model="m", input_tokens=5, output_tokens=1))
    assert Executor(model, store=store).run(tree(2, vote_ahead=2)).as_pilot().token_cost_usd is None


PLAN = """
goal: Do sums
tasks: ["1 + 2", "3 * 4", "5 - 6", "7 * 8"]
"""


def test_the_command_makes_a_pilot_and_says_how_to_go_on(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    said = ramify("estimate", "plan.yaml", "--pilot", "2", "--model", "rules", "--jobs", "1", "-q")
    with Store.open(".ramify/ramify.db") as opened:
        run_id = opened.last_run().id
    assert said.code == 0
    assert f"pilot: run {run_id}, 2 leaf tasks\nwrong answers: 0.00% (0.00% to " in said.out
    assert "\nremaining: 3 tasks\n" in said.out
    ahead = re.findall(r"--vote-ahead (\d+): all of 4 leaf tasks right in 95.0% of runs", said.out)[0]
    assert said.err == f"`ramify resume {run_id} --vote-ahead {ahead}` runs the rest with these votes\n"
    done = ramify("resume", run_id, "--vote-ahead", ahead, "-q")
    assert (done.code, done.out) == (0, "- 1 + 2: 3\n- 3 * 4: 12\n- 5 - 6: -1\n- 7 * 8: 56\n")


def test_the_command_learns_from_a_run_and_from_another_ones(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    ramify("run", "plan.yaml", "--model", "rules", "--vote-ahead", "5", "-q")
    rest = json.loads(ramify("estimate", "--last", "--json").out)["estimate"]
    assert (rest["calls"], rest["voting"]["leaves"], rest["voting"]["answers"]) == ([0, 0], 4, 20)
    with Store.open(".ramify/ramify.db") as opened:
        run_id = opened.last_run().id
    words = ("estimate", "plan.yaml", "--from", run_id, "--model", "rules", "--target", "0.5", "--json")
    same = json.loads(ramify(*words).out)
    assert same["estimate"]["voting"]["pilot"] == run_id
    assert same["estimate"]["voting"]["ahead"] < rest["voting"]["ahead"]


def test_the_command_without_a_pilot_is_the_option(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    said = ramify("estimate", "plan.yaml", "--model", "rules").out
    assert ramify("run", "plan.yaml", "--estimate", "--model", "rules").out.endswith(said)
    assert said.startswith("remaining: 5 tasks\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan.yaml", "--target", "0.9"), "--target and --steps need measurements; add --pilot N, or"),
        (("plan.yaml", "--pilot", "2", "--vote-ahead", "2", "--target", "1.5"), "the target is 1.5"),
        (("plan.yaml", "--pilot", "2", "--from", "r1"), "--pilot starts a run to learn from, --from names one"),
        (("plan.yaml", "--max-calls", "2"), "without --pilot nothing runs; leave out --max-calls"),
        (("plan.yaml", "--pilot", "2", "--vote-ahead", "1"), "the plan has no votes and no checks"),
        (("--last", "--pilot", "2"), "an existing run needs no pilot; leave out --pilot"),
        (("--last",), "has no votes and no checks of leaves"),
        ((), "name a run"),
    ],
)
def test_the_command_says_what_it_cannot_do(ramify: Ramify, home: Path, words: tuple[str, ...], message: str) -> None:
    (home / "plan.yaml").write_text(PLAN, encoding="utf-8")
    ramify("solve", "1 + 2", "--model", "rules", "-q")
    said = ramify("estimate", "--model", "rules", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
