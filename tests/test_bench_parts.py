"""The parts of a study that ask nobody: items, arms, answers, statistics, equal tokens, ceilings, advice."""

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.bench.answers import answer_of, is_number, is_right, key_of
from ramify.planner.bench.arms import Arm, read_arm, read_arms
from ramify.planner.bench.items import read_items
from ramify.planner.errors import UsageError
from ramify.planner.export.study.content import ArmSpec, Trial
from ramify.planner.export.study.equal import vote_value
from ramify.planner.export.study.statistics import holm, interval_of_mean, items_for, least_gain, mcnemar, power
from ramify.planner.export.study.study import Study
from ramify.tasks import Usage

from .documented import ROOT
from .studies import TRUTHS, Truth, simulated, tally

# Items


def written(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_gsm8k_is_read_by_what_follows_its_mark(tmp_path: Path) -> None:
    line = json.dumps({"question": "How many?", "answer": "There are 3*4=<<3*4=12>>12.\n#### 1,012"})
    (item,) = read_items(written(tmp_path, "test.jsonl", line))
    assert (item.id, item.question, item.answers) == ("1", "How many?", ("1,012",))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"problem": "2?", "target": 2}\n\n{"problem": "3?", "target": 3}'),
        ("a.json", '[{"input": "2?", "output": "2"}, {"input": "3?", "output": ["3"]}]'),
        ("a.csv", "prompt,answer\n2?,2\n3?,3\n"),
        ("b.csv", "prompt,answer,,\n2?,2,,\n3?,3,,,\n"),
        ("a.tsv", "query\tlabel\n2?\t2\n3?\t3\n"),
    ],
)
def test_questions_and_answers_are_found_by_their_usual_names(name: str, text: str, tmp_path: Path) -> None:
    found = read_items(written(tmp_path, name, text))
    assert [(item.question, item.answers) for item in found] == [("2?", ("2",)), ("3?", ("3",))]


def test_fields_can_be_named_and_several_answers_be_right() -> None:
    data = [{"id": "x", "q": "Capital?", "a": ["Oslo", "Christiania"], "answer": "none"}]
    (item,) = read_items(data, question="q", answer="a")
    assert (item.id, item.answers) == ("x", ("Oslo", "Christiania"))
    with pytest.raises(UsageError, match=r"item 1 has no field 'w'; its fields: id, q, a, answer \(--question NAME"):
        read_items(data, question="w")


def test_items_are_drawn_the_same_each_time() -> None:
    data = [{"question": f"{number}?", "answer": number} for number in range(100)]
    drawn = read_items(data, most=5)
    assert drawn == read_items(data, most=5)
    assert len({item.id for item in drawn}) == 5
    assert read_items(data, most=500) == read_items(data)


def test_the_items_of_the_study_in_the_docs_have_the_answers_that_they_say() -> None:
    lines = (ROOT / "benchmarks" / "studies" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    assert len(items) == 65
    assert len({item["question"] for item in items}) == 65
    for item in items:
        assert math.isclose(eval(item["by"]), item["answer"]), item["id"]  # noqa: S307 - our own arithmetic


# Arms


def test_an_arm_is_read_from_words() -> None:
    assert read_arm('short=upfront,prompts=./mine,system=Be brief, please,stop=["a"]') == Arm(
        "short", "upfront", 1, {"prompts": "./mine", "system": "Be brief, please", "stop": ["a"]}
    )
    assert read_arm("upfront,temperature=0.5").name == "upfront,temperature=0.5"
    assert read_arm("self-consistency") == Arm("self-consistency", "self-consistency", 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an arm; write"),
        ("=upfront", "is not an arm; write"),
        ("a=", "is not an arm; write"),
        ("upfront,5", "'5' is not KEY=VALUE"),
        ("self-consistency:1", "asks N times, from 2"),
        ("self-consistency:x", "asks N times, from 2"),
        ("upfront,a=1,a=2", "sets a twice"),
        ("big=direct,model=", "leaves model blank; give it a value, or leave it out"),
    ],
)
def test_an_arm_that_means_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_arm(text)


def test_the_plain_arms_are_there_unless_they_are_taken_out() -> None:
    def names(*given: str, without: Sequence[str] = ()) -> list[str]:
        return [arm.name for arm in read_arms(given, without=without)]

    assert names() == ["direct", "self-consistency:5", "as_needed", "upfront"]
    assert names("upfront") == ["direct", "self-consistency:5", "upfront"]
    assert names("upfront", "self-consistency:9") == ["direct", "self-consistency:9", "upfront"]
    assert names("upfront", "self-consistency:5,temperature=0.7") == [
        "direct",
        "upfront",
        "self-consistency:5,temperature=0.7",
    ]
    assert names("big=direct,model=b") == ["direct", "self-consistency:5", "big"]
    assert names("upfront", "cot", without=["direct", "self-consistency"]) == ["cot", "upfront"]
    with pytest.raises(UsageError, match="a study needs at least two arms"):
        names("upfront", without=["direct", "self-consistency:5"])


# Answers


@pytest.mark.parametrize(
    ("reply", "form", "answer"),
    [
        ("It is 3.\nAnswer: 4", "number", "4"),
        ("Answer: 4\nNo, wait.\n**Answer:** 5 bags", "number", "5"),
        ("so 12 + 3 = 15.", "number", "15"),
        (r"Thus \boxed{-2.5}.", "number", "-2.5"),
        ("#### 1,200", "number", "1200"),
        ("The final answer is: $18.00", "number", "18"),
        ("Antwort: 3,50 Euro", "number", "3.5"),
        ("\u7b54\u6848\uff1a42", "number", "42"),
        ("Answer: \u22127", "number", "-7"),
        ("no idea", "number", ""),
        ("", "number", ""),
        ("First this.\n\nAnswer: `Oslo`.", "exact", "Oslo"),
        ("Oslo", "exact", "Oslo"),
    ],
)
def test_an_answer_is_read_from_its_mark_or_the_end(reply: str, form: str, answer: str) -> None:
    assert answer_of(reply, form) == answer


def test_the_last_line_counts_where_nothing_is_marked() -> None:
    assert is_right("The largest city there is\nOslo.", ["oslo"], "exact")
    assert not is_right("Oslo is not it.\nBergen", ["oslo"], "exact")


@given(st.text(max_size=300), st.sampled_from(["number", "exact", "regex", "checks.py:f"]))
def test_no_reply_breaks_reading_or_voting(reply: str, form: str) -> None:
    assert isinstance(answer_of(reply, form), str)
    assert isinstance(key_of(reply, form), str)


@given(st.floats(-1e9, 1e9).map(lambda value: round(value, 3)))
def test_every_number_is_read_as_itself(number: float) -> None:
    assert is_right(f"So it is.\nAnswer: {number:,}", [str(number)], "number")
    assert is_number(f"{number:,}")


# Statistics


def test_mcnemars_test_is_the_binomial_test_of_the_items_that_differ() -> None:
    for gained, lost in product(range(9), range(9)):
        differ = gained + lost
        ways = [sum(outcome) for outcome in product((0, 1), repeat=differ)]
        uneven = abs(gained - lost)
        exact = sum(abs(2 * wins - differ) >= uneven for wins in ways) / len(ways)
        assert mcnemar(gained, lost) == pytest.approx(exact)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_corrected_p_values_keep_their_order_and_never_fall(chances: list[float]) -> None:
    corrected = holm(chances)
    assert all(one <= two <= 1 for one, two in zip(chances, corrected, strict=True))
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    assert [corrected[place] for place in order] == sorted(corrected)


def test_an_interval_is_the_same_each_time_and_holds_the_mean() -> None:
    values = [1.0] * 12 + [-1.0] * 5 + [0.0] * 43
    low, high = interval_of_mean(values)
    assert (low, high) == interval_of_mean(values)
    assert low < sum(values) / len(values) < high
    assert interval_of_mean([0.0] * 60)[1] > 0


def test_power_needed_items_and_least_gain_agree() -> None:
    needed = items_for(0.1, differ=0.2)
    assert power(needed, gain=0.1, differ=0.2) >= 0.8 > power(needed * 9 // 10, gain=0.1, differ=0.2)
    assert power(60, gain=least_gain(60, differ=0.2), differ=0.2) == pytest.approx(0.8, abs=0.02)
    assert power(300, gain=0, differ=0.2) < 0.05


@pytest.mark.parametrize("truth", TRUTHS[:1], ids=str)
def test_intervals_cover_and_a_planted_gain_is_found_as_often_as_told(truth: Truth) -> None:
    """A short sample of `python -m tests.studies`; the bounds are those of chance, 1 in 10,000."""
    studies = 60
    seen = tally(truth, 60, studies)
    told = power(60, gain=truth.gain, differ=truth.differ)
    for found, share in ((seen.covered, 0.95), (seen.found, told)):
        assert abs(found - studies * share) <= 3.9 * math.sqrt(studies * share * (1 - share)) + 1


# Equal tokens, ceilings, advice


@given(st.lists(st.sampled_from([("4", True), ("5", False), ("6", False), ("", False)]), min_size=1, max_size=6))
def test_the_vote_of_one_sample_is_the_share_of_right_ones(samples: list[tuple[str, bool]]) -> None:
    assert vote_value(samples, 1) == pytest.approx(sum(right for _, right in samples) / len(samples))


def study_of(
    rights: dict[str, list[bool]], tokens: dict[str, int], samples: list[list[tuple[str, bool]]] | None = None
) -> Study:
    kinds: dict[str, tuple[str, int]] = {"direct": ("direct", 1), "votes": ("self-consistency", 3)}
    arms = tuple(ArmSpec(name, *kinds.get(name, (name, 1))) for name in rights)
    trials = [
        Trial(
            item=str(place), arm=arm, run=f"r1.{place}", right=right, answer="x", expected="y",
            usage=Usage(calls=1, input_tokens=tokens[arm], cost_usd=tokens[arm] / 1e6),
            samples=tuple(samples[place]) if samples and arm == "votes" else (),
        )
        for arm, all_of in rights.items() for place, right in enumerate(all_of)
    ]  # fmt: skip
    return Study("s", "r1", "done", "dice", "exact", 1, arms, tuple(trials))


def test_splitting_is_compared_with_as_many_samples_as_take_the_same() -> None:
    votes = [[("4", True), ("5", False), ("4", True)]] * 20
    rights = {"direct": [True] * 10 + [False] * 10, "votes": [True] * 20, "upfront": [True] * 20}
    study = study_of(rights, {"direct": 100, "votes": 300, "upfront": 200}, votes)
    tokens, cost = study.equals
    assert (tokens.unit, cost.unit, tokens.arm.name) == ("tokens", "USD", "upfront")
    assert tokens.samples == pytest.approx(2)
    assert tokens.accuracy == pytest.approx(vote_value(votes[0], 2))
    assert tokens.gain == pytest.approx(1 - vote_value(votes[0], 2))


def test_the_ceiling_is_the_share_of_items_that_some_sample_has_right() -> None:
    votes = [[("5", False)] * 3] * 5 + [[("5", False), ("5", False), ("4", True)]] * 15
    study = study_of({"direct": [False] * 20, "votes": [False] * 20}, {"direct": 1, "votes": 3}, votes)
    assert study.figures[1].ceiling == pytest.approx(0.75)
    assert "fail together on 25% of the items" in study.to_text()


def rights(both: int, won: int, lost: int, neither: int) -> tuple[list[bool], list[bool]]:
    base = [True] * both + [False] * won + [True] * lost + [False] * neither
    other = [True] * both + [True] * won + [False] * lost + [False] * neither
    return base, other


@pytest.mark.parametrize(
    ("base_split", "verdict", "begin"),
    [
        (rights(20, 30, 5, 20), "split", "Split with upfront: upfront is right on 67%, one call on 33% (+33 points"),
        (rights(20, 3, 25, 12), "one call", "Do not split: upfront is right on 38%, one call on 75% (-37 points"),
        (rights(20, 5, 5, 30), "one call", "Stay with one call: splitting shows no gain"),
        (rights(20, 8, 4, 28), "open", "Not settled: upfront is right on 47%, one call on 40% (+7 points"),
        (rights(2, 1, 0, 2), "too few", "Too few results to advise"),
    ],
)
def test_the_advice_is_a_sentence_with_its_uncertainty(base_split: Any, verdict: str, begin: str) -> None:
    base, other = base_split
    advice = study_of({"direct": base, "upfront": other}, {"direct": 100, "upfront": 300}).advice
    assert (advice.verdict, advice.words[: len(begin)]) == (verdict, begin)
    assert verdict == "too few" or " to " in advice.words


def test_splitting_that_sampling_matches_at_equal_tokens_is_not_advised() -> None:
    base, other = rights(20, 30, 0, 10)
    votes = [[("4", right)] * 3 for right in other]
    study = study_of(
        {"direct": base, "votes": other, "upfront": other}, {"direct": 100, "votes": 300, "upfront": 300}, votes
    )
    assert study.advice.verdict == "sample"
    assert study.advice.words.startswith("Ask several times before you split: upfront gains")


def test_simulated_items_come_as_often_as_they_should() -> None:
    truth = Truth(0.4, 0.1, 0.2)
    study = simulated(truth, 20_000, Random(1))
    pairs = list(study.pairs("upfront", "direct"))
    assert sum(bool(one.right) for one, _ in pairs) / len(pairs) == pytest.approx(0.5, abs=0.02)
    assert sum(one.right != other.right for one, other in pairs) / len(pairs) == pytest.approx(0.2, abs=0.02)
