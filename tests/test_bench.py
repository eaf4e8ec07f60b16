"""Studies as runs: arms side by side, judged, resumed, stopped by a budget, piloted, shown, and written to files."""

import json
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, RunLimits, Store
from ramify.planner.bench import Arm, Study, bench, open_study, resume_study
from ramify.planner.bench.api import new_study
from ramify.planner.errors import UsageError
from ramify.planner.export.formats import formats_of
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.progress.ledger import Ledger
from ramify.planner.progress.tree import lines_of
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Task

from .openai_server import Chat, OpenAIServer
from .patience import HANG_S, comes_true
from .ramify_command import Ramify, start_ramify
from .studies import Solver, questions


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def rightness(study: Study, arm: str) -> list[bool | None]:
    return [each.right for each in study.trials if each.arm == arm]


def test_every_item_is_a_run_of_its_own_in_every_arm(store: Path) -> None:
    study = bench(questions(4), "upfront", model=Solver(plain=1, planned=0), store=store)
    assert [arm.name for arm in study.arms] == ["direct", "self-consistency:5", "upfront"]
    assert study.status == "done"
    assert rightness(study, "direct") == rightness(study, "self-consistency:5") == [True] * 4
    assert rightness(study, "upfront") == [False] * 4
    direct, sampled, upfront = study.figures
    assert (direct.calls, sampled.calls, upfront.calls) == (1, 5, 6)
    assert (direct.cost_usd, sampled.cost_usd) == pytest.approx((0.001, 0.005))
    assert upfront.split == 4
    with Store.open(store) as opened:
        runs = {record.id: record for record in opened.runs()}
        assert len(runs) == 1 + 12
        for trial in study.trials:
            assert runs[trial.run].settings["inside"] == study.run
            assert opened.load_tree(trial.run).content.startswith(trial.question)
        assert opened.last_run().id == study.run


def test_every_arm_is_told_how_an_answer_ends_and_only_some_are_told_to_think(store: Path) -> None:
    model = Solver(plain=1, planned=1)
    bench(questions(1), ["cot", "upfront"], without="self-consistency", model=model, store=store)
    asked = {request.purpose: str(request.messages) for request in model.requests}
    assert all("End with a line `Answer: `" in words for words in asked.values())
    plain = [str(request.messages[0]["content"]) for request in model.requests if request.purpose == "sample"]
    assert sorted("Think step by step" in words for words in plain) == [False, True]


def test_votes_take_the_answer_that_most_samples_give(store: Path) -> None:
    said = iter(["Answer: 7", "I cannot say", "Answer: 8", "So it is\nAnswer: **8**", "Answer: 8.0"])
    model = ScriptedModel(lambda _: next(said))
    study = bench([{"question": "q?", "answer": 8}], "self-consistency:5", model=model, store=store, jobs=1)
    assert study.done("self-consistency:5")["1"].answer == "8"


def test_arms_have_models_prompts_and_settings_of_their_own(store: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    good, bad = Solver(plain=1, planned=1), Solver(plain=0, planned=0)
    good.name, bad.name = "good", "bad"
    arms: list[str | Arm] = [
        Arm("better", "direct", parameters={"model": good}),
        "warm=direct,temperature=0.9",
        f"own=upfront,prompts={mine}",
    ]
    study = bench(questions(2), arms, without="self-consistency", model=bad, store=store)
    assert [arm.name for arm in study.arms] == ["direct", "better", "warm", "own"]
    assert rightness(study, "direct") == [False, False]
    assert rightness(study, "better") == [True, True]
    assert {request.sampling.temperature for request in bad.requests} == {None, 0.9}
    assert study.arms[3].parameters == {"prompts": str(mine)}


def test_a_study_that_is_stopped_by_its_budget_reports_what_it_has_and_is_gone_on_with(store: Path) -> None:
    model = Solver(plain=1, planned=1)
    limits = RunLimits(max_calls=9)
    study = bench(questions(6), "upfront", without="self-consistency", model=model, store=store, limits=limits, jobs=1)
    assert study.status == "stopped"
    assert len(study.done("direct")) == 2
    assert "Too few results" in study.advice.words
    assert "remain" in study.to_text()
    before = len(model.requests)
    rest = resume_study(study.run, store=store, agent=model, max_calls=100)
    assert rest.status == "done"
    assert len(rest.done("upfront")) == 6
    asked = Counter((request.purpose, str(request.messages)) for request in model.requests)
    assert before < 42 == sum(asked.values())
    assert set(asked.values()) == {1}


def test_a_wrong_plan_is_a_wrong_answer_and_a_broken_server_is_none(store: Path) -> None:
    def said(request: ModelRequest) -> str:
        if request.purpose in {"decompose", "repair"}:
            return "<atomic/>"
        return '<failed reason="impossible">no</failed>' if request.purpose == "execute" else "Answer: 1"

    study = bench(
        [{"question": "Which number is it, first this and then that", "answer": 1}], "upfront",
        without="self-consistency", model=ScriptedModel(said), store=store, max_seconds=None,
    )  # fmt: skip
    (wrong,) = study.done("upfront").values()
    assert wrong.right is False
    assert wrong.error
    assert study.figures[1].unanswered == 1

    broken = FaultyModel(Solver(plain=1, planned=1), ["bad_request"])
    study = bench(questions(1), "cot", without="self-consistency", model=broken, store=store, jobs=1)
    assert study.status == "failed"
    assert [each.right for each in study.trials] == [None, True]
    again = resume_study(study.run, store=store, agent=broken, retry_failed=True)
    assert (again.status, [each.right for each in again.trials]) == ("done", [True, True])


def test_a_pilot_does_plain_calls_first_and_the_rest_later(store: Path) -> None:
    model = Solver(plain=1, planned=1)
    study = bench(questions(5), "upfront", without="self-consistency", model=model, store=store, pilot=3, jobs=1)
    assert study.status == "stopped"
    assert [request.purpose for request in model.requests] == ["sample"] * 3
    assert len(study.done("direct")) == study.pilot == 3
    assert "splitting seldom helps" in study.to_text()
    lines = [line.split() for line in study.to_text().splitlines() if line.split()[:1] == ["upfront"]]
    assert lines == [["upfront", "0/0"], ["upfront"]], "no figures of what has not begun"
    rest = resume_study(study.run, store=store, agent=model)
    assert len(rest.done("direct")) == len(rest.done("upfront")) == 5
    assert Counter(request.purpose for request in model.requests)["sample"] == 5


ONE = '{"question": "a", "answer": 1}'
TWIN = '{"id": 1, "question": "a", "answer": 1}'
WORD = '{"question": "a", "answer": "("}'
CHECKS = """
def ends(reply: str, expected: str, question: str) -> bool:
    return reply.endswith(expected) and "item" in question
"""


@pytest.mark.parametrize("check", ["FILE:ends", "command=grep -q ': {expected}$'", "exact", "number", "regex"])
def test_answers_are_judged_in_several_ways(check: str, store: Path, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(CHECKS)
    check = check.replace("FILE", f"{tmp_path}/checks.py")
    model = Solver(plain=0.5, planned=0.5, seed=1)
    data = [{**each, "answer": f"^{each['answer']}$"} for each in questions(4)] if check == "regex" else questions(4)
    how: dict[str, Any] = {"without": ["self-consistency", "direct"], "allow": "subprocess", "store": store}
    study = bench(data, ["cot", "warm=cot,temperature=1"], model=model, check=check, **how)
    assert rightness(study, "cot") == [model.has_right(item) for item in range(1, 5)]
    assert {True, False} == set(rightness(study, "cot"))


def test_a_model_judges_in_a_run_of_its_own_whose_calls_are_not_the_arms(store: Path) -> None:
    def said(request: ModelRequest) -> str:
        if request.purpose == "verify":
            is_right = "it is Oslo" in str(request.messages)
            return '<verdict value="pass"/>' if is_right else '<issue>Oslo | Rome</issue><verdict value="fail"/>'
        return "Rome" if "step by step" in str(request.messages) else "I think it is Oslo"

    model = ScriptedModel(said, cost_usd=0.5)
    data = [{"question": "Capital?", "answer": "Oslo"}]
    study = bench(data, "cot", without="self-consistency", model=model, store=store, check="model")
    assert (rightness(study, "direct"), rightness(study, "cot")) == ([True], [False])
    assert [each.cost_usd for each in study.figures] == [0.5, 0.5]
    with Store.open(store) as opened:
        assert len([record for record in opened.runs() if "judge" in record.id]) == 2
        assert opened.find_run(study.run).usage.calls == 4


def test_what_the_rules_cannot_do_in_a_study_is_said(ramify: Ramify, home: Path) -> None:
    (home / "data.jsonl").write_text(ONE)
    said = ramify("bench", "data.jsonl", "--arm", "upfront", "--model", "rules")
    assert said.code == 3
    assert "cannot answer a question without a plan, as the arms direct, cot and self-consistency" in said.err


def test_an_answer_that_cannot_be_judged_counts_as_wrong_and_the_study_says_so(store: Path) -> None:
    def number(reply: str, expected: str) -> bool:
        return float(reply) == float(expected)

    how: dict[str, Any] = {"without": "self-consistency", "store": store, "ask": ""}
    data = [{"question": "Half of 3?", "answer": "1.5"}, {"question": "Half of 5?", "answer": "2.5"}]
    study = bench(data, "cot", model=ScriptedModel("1.5"), check=number, **how)
    assert (rightness(study, "direct"), "could not judge" in study.to_text()) == ([True, False], False)

    study = bench(data, "cot", model=ScriptedModel("it is 1.5"), check=number, **how)
    assert (study.status, rightness(study, "direct")) == ("done", [False, False])
    reason = "ValueError: could not convert string to float: 'it is 1.5'"
    assert {each.unsure for each in study.trials} == {reason} == {row["unsure"] for row in study.rows()}
    noted = "own:number could not judge 2 answers of direct; they count as wrong. The first reason: "
    assert f"{noted}{reason}" in study.to_text()
    assert noted in study.to_html()

    doubting = ScriptedModel(lambda request: "I cannot say" if request.purpose == "verify" else "1.5")
    study = bench(data, "cot", model=doubting, check="model", **how)
    assert "model could not judge 2 answers of cot" in study.to_text()
    assert study.trials[0].unsure.startswith("the verdict could not be read")


def test_a_function_of_ones_own_judges_and_is_given_again(store: Path) -> None:
    model = Solver(plain=1, planned=1)

    def strict(reply: str, expected: str) -> str | bool:
        return expected in reply or "not there"

    how: dict[str, Any] = {"without": "self-consistency", "limits": RunLimits(max_calls=2), "jobs": 1}
    study = bench(questions(3), "cot", model=model, store=store, check=strict, **how)
    assert (study.status, study.check) == ("stopped", "own:strict")
    with pytest.raises(UsageError, match=r"resume_study\(RUN, check=...\)"):
        Executor.resume(store, study.run, agent=model, max_calls=50)
    rest = resume_study(study.run, store=store, agent=model, check=strict, max_calls=50)
    assert rightness(rest, "direct") == [True] * 3


def test_the_live_picture_has_a_line_for_each_arm(store: Path) -> None:
    seen: list[str] = []
    run = new_study(questions(3), "upfront", without="self-consistency", model=Solver(plain=1, planned=0), store=store)
    ledger = Ledger(run.task)

    def watch(_: Any) -> None:
        seen.extend(f"{line.head}{line.words}" for line in lines_of(ledger, now=0.0, height=40))

    run.on(watch, "run_finished")
    run.start().wait()
    assert any(line.startswith("  direct") and "3/3" in line and "100% (44% to 100%)" in line for line in seen)
    assert any(line.startswith("  upfront") and "0/3" in line for line in seen)


def test_the_command_prints_what_to_do_and_writes_every_format(ramify: Ramify, home: Path) -> None:
    data = [{"question": "17 * 23", "answer": "17*23 is #### 391"}, {"question": "1 + 2", "answer": "#### 3"}]
    (home / "data.jsonl").write_text("\n".join(map(json.dumps, data)))
    arms = ["--arm", "upfront", "--arm", "flat=upfront,max_depth=1", "--without", "self-consistency"]
    said = ramify("bench", "data.jsonl", *arms, "--without", "direct", "--ask", "", "--model", "rules")
    assert said.code == 0, said.err
    assert said.out.startswith("data.jsonl\n2 items, judged by number; run r")
    assert "item 1: right: 391 (run r" in said.err
    assert said.out.count("2/2") >= 2
    for row in formats_of("study").values():
        told = ramify("compare", "--last", "-o", f"study{row.endings[0]}")
        assert (told.code, told.out) == (0, ""), told.err
        assert (home / f"study{row.endings[0]}").stat().st_size
    rows = (home / "study.csv").read_text().splitlines()
    assert rows[0].startswith("item,arm,right,answer,expected,split,run,")
    assert len(rows) == 1 + 4
    data = json.loads(ramify("compare", "--last", "--json").out)
    assert data["advice"]["verdict"] == "too few"
    shown = ramify("show", data["trials"][0]["run"])
    assert shown.code == 0, shown.err


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (f'{ONE}\n{{"question": "b"}}', (), "data.jsonl:2 has no answer in a field such as 'answer'; its"),
        (f'{ONE}\n{{"ask": "b", "answer": 2}}', (), "data.jsonl:2 has no question in a field such as 'question'"),
        ('{"question": "", "answer": 1}', (), "data.jsonl:1: the field 'question' is blank; it must hold the question"),
        ('{"question": "a", "answer": {"n": 1}}', (), "data.jsonl:1: the field 'answer' is of the type dict"),
        (f"{ONE}\nno", (), "data.jsonl:2 is not JSON"),
        (f"{TWIN}\n{TWIN}", (), "data.jsonl:2 has the id '1' of an earlier item"),
        (WORD, ("--check", "number"), "item 1: its answer '(' is not a number"),
        (WORD, ("--check", "regex"), "item 1: its answer cannot be used as a regular expression"),
        (ONE, ("--check", "spelling"), "there is no check 'spelling'; it is one of auto, exact"),
        (ONE, ("--arm", "upfrnt"), "'upfrnt' is not one of direct, cot, self-consistency, upfront"),
        (ONE, ("--arm", "upfront:3"), "only self-consistency asks several times"),
        (ONE, ("--arm", "direct,max_depth=2"), "which splits nothing; leave out max_depth"),
        (ONE, ("--arm", "upfront,max_dept=2"), "max_dept cannot be varied; did you"),
        (ONE, ("--arm", "upfront,prompts=nowhere"), "there is no folder nowhere of prompts"),
        (ONE, ("--temperature", "0"), "asks 5 times, but at temperature 0 all answers are the same; set one (--arm"),
        (ONE, ("--without", "smart"), "there is no arm 'smart' to leave out"),
        (
            ONE,
            ("--arm", "self-consistency:3", "--without", "self-consistency"),
            "(without self-consistency); drop one of the two; it already replaces self-consistency:5",
        ),
        (ONE, ("--arm", "upfront", "--arm", "cot", "--without", "upfront"), "'upfront' is both named and left out"),
        (ONE, ("--arm", "upfront", "--arm", "upfront"), "two arms are named 'upfront'"),
        (ONE, ("--without", "direct", "--pilot", "1"), "needs the arm direct, which you left out"),
        (ONE, ("--pilot", "0"), "'--pilot': it is '0'; it must be at least 1"),
        (ONE, ("--check", "command=grep {expcted}"), "has {expcted}; did you mean {expected}?"),
        ("", (), "data.jsonl is empty"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_before_anything_is_paid(
    lines: str, words: tuple[str, ...], message: str, ramify: Ramify, home: Path
) -> None:
    (home / "data.jsonl").write_text(lines)
    said = ramify("bench", "data.jsonl", *words, "--model", "rules")
    assert said.code == 2, said.err
    assert message in said.err
    assert "run" not in ramify("runs").out.partition("\n")[2]


def test_a_pilot_that_cannot_ask_says_why_and_claims_nothing(ramify: Ramify, home: Path) -> None:
    (home / "data.jsonl").write_text(ONE)
    said = ramify("bench", "data.jsonl", "--without", "self-consistency", "--pilot", "1", "--model", "rules")
    assert said.code == 3
    assert "is not a language model" in said.err
    assert "the rest of the study" not in said.err


def test_a_study_that_was_killed_pays_for_nothing_twice(ramify: Ramify, home: Path) -> None:
    (home / "data.jsonl").write_text("\n".join(map(json.dumps, questions(6))))
    asked: Counter[str] = Counter()
    go_on = threading.Event()

    def reply(chat: Chat) -> str:
        asked[chat.said("user")] += 1
        if len(asked) > 4:
            go_on.wait(HANG_S)
        return "Answer: 1"

    with OpenAIServer(reply) as server:
        process = start_ramify(
            "bench", "data.jsonl", "--arm", "cot", "--without", "self-consistency", "--model", "lm",
            "--base-url", server.base_url, "--jobs", "1",
        )  # fmt: skip
        assert comes_true(lambda: len(asked) > 4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        go_on.set()
        assert sum(each.right is not None for each in open_study().trials) == 4
        assert ramify("resume", "--last", "-q").code == 0
        assert len(open_study().done("cot")) == 6
    assert (len(asked), sum(asked.values())) == (12, 13)  # the one that was under way


def test_what_is_no_study_is_told_so(store: Path) -> None:
    run = Executor("rules", store=store).run(Task(content="1 + 2", id="0"))
    with pytest.raises(UsageError, match=f"run {run.id} is not a study; `ramify bench` starts one"):
        open_study(store=store)


def test_a_notebook_and_a_data_frame_show_a_study(store: Path) -> None:
    study = bench(questions(3), "upfront", without="self-consistency", model=Solver(plain=1, planned=0), store=store)
    shown = study._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert "<script" not in shown["text/html"]
    frame = study.to_dataframe()
    assert list(frame.loc[("2", "direct")][["right", "calls"]]) == [True, 1]
    assert len(frame) == 6
