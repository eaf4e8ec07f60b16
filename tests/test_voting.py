"""Voting: when an answer has won, what does not count, and that a kill repeats nothing."""

import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Agent, AgentSettings, Executor, RunLimits, decompose, estimate, solve, worker
from ramify.planner.asking.voting import Ballot, key_of_answer, poll, still_needed
from ramify.planner.errors import UsageError, WorkFailedError
from ramify.planner.models.protocol import ModelReply, Sampling
from ramify.planner.store import Store
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Check, Task, TaskConfig

from .ramify_command import Ramify
from .test_events import faults_of


@pytest.mark.parametrize(
    ("votes", "ahead", "needed"),
    [
        ("", 1, 1),
        ("a", 1, 0),
        ("", 3, 3),
        ("ab", 3, 3),
        ("aab", 3, 2),
        ("aaab", 3, 1),
        ("aaaab", 3, 0),
        ("aaa", 3, 0),
        ("abcd", 2, 2),
        ("aabbc", 1, 1),
        ("---", 2, 2),
        ("a-a-", 2, 0),
    ],
)
def test_the_rule_is_first_to_ahead_by_k(votes: str, ahead: int, needed: int) -> None:
    assert still_needed([None if vote == "-" else vote for vote in votes], ahead) == needed


def one_by_one(votes: Sequence[str | None], ahead: int) -> tuple[str, int] | None:
    """Return the winner and how many votes it took, as the paper counts: after every vote it is looked who leads."""
    counts: Counter[str] = Counter()
    for number, vote in enumerate(votes, 1):
        if vote is not None:
            counts[vote] += 1
            others = max((count for key, count in counts.items() if key != vote), default=0)
            if counts[vote] - others >= ahead:
                return vote, number
    return None


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60), st.integers(1, 5))
def test_asking_in_batches_decides_as_one_by_one_and_asks_not_once_more(votes: list[str | None], ahead: int) -> None:
    asked: list[int] = []

    async def sample(number: int) -> Ballot[str]:
        asked.append(number)
        return Ballot(votes[number], votes[number], "malformed")

    expected = one_by_one(votes, ahead)
    voting = poll(sample, ahead=ahead, most=len(votes), task_id="0")
    if expected is None:
        with pytest.raises(WorkFailedError, match=f"no answer leads by {ahead}"):
            asyncio.run(voting)
        assert len(asked) <= len(votes)
    else:
        found = asyncio.run(voting)
        assert expected == (found.winner, found.samples)
        assert sorted(asked) == list(range(found.samples))
        assert sum(found.counts.values()) + sum(found.discarded.values()) == found.samples


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("42", " 42\n", True),
        ("two  words", "two\nwords", True),
        ("caf\u00e9", "cafe\u0301", True),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', True),
        ("[1, 2]", "[2, 1]", False),
        ("{not json", "{not  json", True),
        ("Yes", "yes", False),
        ("42", "42.0", False),
    ],
)
def test_what_makes_two_answers_the_same(one: str, other: str, *, same: bool) -> None:
    assert (key_of_answer(one) == key_of_answer(other)) is same


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def voting(**config: int) -> Task:
    return Task(content="6 * 7?", id="0", config=TaskConfig(retry_delay_seconds=0, **config))


def test_a_vote_outlasts_wrong_answers_and_is_recorded(store: Path) -> None:
    texts = ["42", "41", "<result>42</result>", "42 ", "41", "42", "42"]
    model = ScriptedModel(texts, latency_s=0.01)
    run = Executor(model, store=store).run(voting(vote_ahead=3))
    assert (run.result, len(model.requests), model.most_in_flight) == ("42", 7, 3)
    assert [request.sample for request in model.requests] == list(range(7))
    with Store.open(store) as opened:
        assert [call.key.sample for call in opened.calls(run.id)] == list(range(7))
        (event,) = [event for event in opened.events(run.id) if event.type == "voted"]
    assert faults_of(event) == []
    assert dict(event.data) == {"ahead": 3, "samples": 7, "counts": [["42", 5], ["41", 2]], "discarded": {}}


def test_red_flags_are_discarded_and_never_repaired(store: Path) -> None:
    cut = ModelReply(text="<result>4", model="m", finish_reason="length")
    replies: list[str | ModelReply | Exception] = ["<result></result>", cut, "a long way round to 42", "41", "42", "42"]
    model = FaultyModel(ScriptedModel(replies), ["timeout"])
    run = Executor(model, store=store).run(voting(vote_ahead=1, max_answer_characters=9))
    assert run.result == "41"
    with Store.open(store) as opened:
        (event,) = [event for event in opened.events(run.id) if event.type == "voted"]
        assert {call.key.purpose for call in opened.calls(run.id)} == {"execute"}
    assert event.data["discarded"] == {"not arrived": 1, "malformed": 1, "cut": 1, "too long": 1}


def test_a_vote_that_cannot_be_decided_fails_with_its_counts(store: Path) -> None:
    model = ScriptedModel([str(number % 2) for number in range(20)])
    run = Executor(model, store=store).run(voting(vote_ahead=2, max_samples=6))
    assert run.status == "failed"
    assert "no answer leads by 2 after 6 of 6 samples: the most frequent came 3 and 3 times" in str(run.task.error)
    assert len(model.requests) == 6


def test_a_model_that_cannot_do_it_may_win_the_vote(store: Path) -> None:
    model = ScriptedModel(["42", *[f'<failed reason="no_tool">no {n}</failed>' for n in range(4)]])
    run = Executor(model, store=store).run(voting(vote_ahead=2))
    assert (run.status, run.task.error) == ("failed", "no 0 (no_tool)")


def test_the_winner_has_to_pass_the_checks(store: Path) -> None:
    model = ScriptedModel(["no", "no", "42", "42"])
    task = voting(vote_ahead=2)
    task.checks = (Check(matches="^[0-9]+$"),)
    assert Executor(model, store=store).run(task).result == "42"


def test_voting_is_inherited_by_leaves_and_not_for_composing(store: Path) -> None:
    root = voting(vote_ahead=2)
    root.add_subtasks([Task(content="a", id="a"), Task(content="b", id="b", config=TaskConfig(vote_ahead=1))])
    model = ScriptedModel({"execute": "1", "compose": "2"})
    Executor(model, store=store).run(root)
    assert sorted((request.purpose, request.task_id) for request in model.requests) == [
        ("compose", "0"), ("execute", "a"), ("execute", "a"), ("execute", "b"),
    ]  # fmt: skip


def test_a_longer_answer_is_discarded_without_a_vote_too(store: Path) -> None:
    model = ScriptedModel(["<result>far too long</result>", "<result>short</result>"])
    run = Executor(model, store=store).run(voting(max_answer_characters=5))
    assert (run.result, [request.purpose for request in model.requests]) == ("short", ["execute", "execute"])


def test_a_vote_is_refused_where_no_model_answers(store: Path) -> None:
    root = Task(content="x", id="0", type="f", config=TaskConfig(vote_ahead=2))
    with pytest.raises(UsageError, match="vote_ahead is a limit for models, and no task here has one"):
        Executor(ScriptedModel({}), store=store, workers=[worker(name="f")(lambda task: "5")]).run(root)


KILLED = """
import asyncio, os, signal, sys
from ramify.planner import Executor
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig
kill_at = int(sys.argv[2])
async def reply(request):
    if request.sample == kill_at:
        with Store.open(sys.argv[1]) as store:
            while len(store.calls(store.last_run().id)) < kill_at:
                await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    print(request.sample, flush=True)
    return ["42", "41", "42", "41", "42", "42", "42"][request.sample]
model = ScriptedModel(reply)
if os.path.exists(sys.argv[1]):
    run = Executor.resume(sys.argv[1], agent=model)
else:
    run = Executor(model, store=sys.argv[1]).run(Task(content="6 * 7?", id="0", config=TaskConfig(vote_ahead=3)))
print(run.result)
"""


def test_a_kill_repeats_no_sample_that_had_arrived(store: Path) -> None:
    said = []
    for kill_at in (2, 4, 99):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(store), str(kill_at)], capture_output=True, text=True, check=False
        )
        said.append((done.returncode, done.stdout.split()))
    assert said == [(-9, ["0", "1"]), (-9, ["2", "3"]), (0, ["4", "5", "6", "42"])]


def test_a_limit_lets_the_samples_under_way_arrive_and_a_higher_one_takes_them(store: Path) -> None:
    first = ScriptedModel(["42", "42"], latency_s=0.1)
    run = Executor(first, store=store, limits=RunLimits(max_calls=2)).run(voting(vote_ahead=3))
    assert (run.status, run.task.usage.calls) == ("stopped", 2)
    with Store.open(store) as opened:
        assert [call.key.sample for call in opened.calls(run.id)] == [0, 1]
    second = ScriptedModel(["42"])
    resumed = Executor.resume(store, agent=second, limits=RunLimits(max_calls=3))
    assert (resumed.result, [request.sample for request in second.requests]) == ("42", [2])


def test_the_command_line_votes(ramify: Ramify) -> None:
    done = ramify("solve", "2 * 3", "--model", "rules", "--vote-ahead", "2", "--display", "none")
    assert (done.code, done.out) == (0, "6\n")
    assert ramify("show", "--last", "--json").out.count('"vote_ahead": 2') == 1


def test_the_command_line_refuses_a_vote_at_temperature_0(ramify: Ramify) -> None:
    done = ramify("solve", "2 * 3", "--model", "rules", "--vote-ahead", "3", "--temperature", "0")
    assert (done.code, "vote_ahead is 3, but at temperature 0" in done.err) == (2, True)
    assert ramify("runs").out.count("2 * 3") == 0


def test_an_estimate_counts_the_answers_of_a_vote() -> None:
    root = voting(vote_ahead=3, max_samples=20, max_retries=1)
    expected = estimate(root, model=ScriptedModel({}))
    assert (expected.calls, expected.calls_at_most) == ((3, 3), 40)


ALIKE = "vote_ahead is 2, but at temperature 0 all answers are equal"


def at_temperature_0(model: ScriptedModel) -> Agent:
    return Agent(model, settings=AgentSettings(sampling=Sampling(temperature=0)))


def test_a_vote_at_temperature_0_is_refused_before_the_plan_is_paid_for(store: Path) -> None:
    model = ScriptedModel({"*": "<result>4</result>"})
    with pytest.raises(UsageError, match=f"task 0: {ALIKE}"):
        solve("2 + 2", model=model, temperature=0, vote_ahead=2, store=store)
    assert model.requests == []


@pytest.mark.parametrize("kind", [None, "judge", "judge+critic"])
def test_a_task_of_a_plan_is_not_voted_on_by_an_agent_at_temperature_0(store: Path, kind: str | None) -> None:
    model = ScriptedModel({"*": "<result>4</result>"})
    cold = at_temperature_0(model)
    root = Task(content="x", id="0")
    root.add_subtasks([Task(content="a", id="0.1"), Task(content="b", id="0.2", type=kind)])
    root.subtasks[1].config = TaskConfig(vote_ahead=2)
    agents = {"critic": Agent(model), "judge": cold} if kind else {}
    with pytest.raises(UsageError, match=rf"task 0\.2: {ALIKE}"):
        Executor(Agent(model) if kind else cold, agents=agents, store=store).run(root)
    assert model.requests == []


def test_a_vote_that_one_answer_decides_is_taken_at_temperature_0(store: Path) -> None:
    model = ScriptedModel(["<result></result>", "42"])
    run = Executor(at_temperature_0(model), store=store).run(voting(vote_ahead=1))
    assert (run.result, [request.purpose for request in model.requests]) == ("42", ["execute", "repair"])


def test_a_task_that_comes_later_and_cannot_be_voted_on_goes_on_as_its_error_says(store: Path) -> None:
    plan = '<tasks><task id="a">a</task><task id="b" type="judge">b</task></tasks>'
    model = ScriptedModel({"decompose": plan, "execute": "1", "compose": "2"})
    how: dict[str, Any] = {"store": store, "agents": {"judge": at_temperature_0(model)}}
    run = solve("a, then b", model=model, split="always", max_depth=2, vote_ahead=2, **how)
    assert ALIKE in str(run.error)
    assert "(--vote-ahead 1, also with `ramify resume`)" in str(run.error)
    how["agent"] = model
    assert Executor.resume(run_id=run.id, vote_ahead=1, retry_failed=True, **how).result == "2"


def test_a_run_is_not_resumed_with_votes_at_temperature_0(store: Path) -> None:
    model = ScriptedModel({"*": "4"})
    decompose("2 + 2", model=model, temperature=0, max_depth=1, store=store)
    with pytest.raises(UsageError, match=ALIKE):
        Executor.resume(store, agent=model, vote_ahead=2)
    assert model.requests == []


LAST_SEED = 2**63 - 1


@pytest.mark.parametrize(
    ("seed", "seeds"),
    [(7, [7, 8, 9]), (None, [None, None, None]), (LAST_SEED, [LAST_SEED, LAST_SEED - 1, LAST_SEED - 2])],
)
def test_each_answer_of_a_vote_has_a_seed_of_its_own_also_when_it_is_replayed(
    store: Path, seed: int | None, seeds: list[int | None]
) -> None:
    model = ScriptedModel({"*": "42"})
    asking = AgentSettings(sampling=Sampling(seed=seed))
    run = Executor(Agent(model, settings=asking), store=store).run(voting(vote_ahead=3))
    asked = sorted(model.requests, key=lambda request: request.sample)
    assert [request.sampling.seed for request in asked] == seeds
    again = Agent(f"replay:{run.id}", settings=asking, store=store)
    assert Executor(again, store=store).run(voting(vote_ahead=3)).result == "42"


def test_the_first_answer_of_each_agent_of_a_team_keeps_the_seed(store: Path) -> None:
    model = ScriptedModel({"*": "42"})
    agents = {name: Agent(model, settings=AgentSettings(sampling=Sampling(seed=7))) for name in ("one", "two")}
    Executor(model, agents=agents, store=store).run(Task(content="x", id="0", type="one+two"))
    assert [request.sampling.seed for request in model.requests] == [7, 7, 7]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperature": True}, "it is True; it must be a number, at least 0 and at most 2"),
        ({"jobs": True}, "jobs cannot be used: it is True; it must be a number, at least 1 and at most 10000"),
        ({"seed": 2**70}, "must be at most 9,223,372,036,854,775,807"),
        ({"seed": -(2**70)}, "must be at least -9,223,372,036,854,775,808"),
    ],
)
def test_numbers_that_cannot_be_sent_are_refused(store: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        solve("2 + 2", model=ScriptedModel({}), store=store, **given)


def test_how_replies_are_drawn_is_an_option(tmp_path: Path) -> None:
    model = ScriptedModel({"*": "<result>4</result>"})
    solve("2 + 2", model=model, temperature=0.3, seed=7, max_output_tokens=50, max_depth=1, store=tmp_path / "r.db")
    assert model.requests[0].sampling.given() == {"temperature": 0.3, "seed": 7, "max_output_tokens": 50}
