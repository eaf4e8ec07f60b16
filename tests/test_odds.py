"""The arithmetic of votes: the laws of first to ahead by k, to the digits, and what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.asking.odds import (
    ahead_for,
    answers_of_vote,
    chance_of_all,
    chance_of_vote,
    rate_behind,
    share_between,
)
from ramify.planner.errors import UsageError

MILLION = 2**20 - 1


@pytest.mark.parametrize(
    ("right", "ahead", "chance", "answers"),
    [(0.9, 3, 0.99863, 3.740), (0.8, 4, 0.99611, 6.615), (0.7, 5, 0.98575, 12.144)],
)
def test_a_vote_wins_as_often_and_takes_as_long_as_the_walk_says(
    right: float, ahead: int, chance: float, answers: float
) -> None:
    assert round(chance_of_vote(1 - right, ahead), 5) == chance
    assert round(answers_of_vote(1 - right, ahead), 3) == answers


@pytest.mark.parametrize(
    ("error_rate", "ahead"),
    [
        (0.3571, 29),
        (0.0040, 4),
        (0.0022, 3),
        (0.0018, 3),
        (0.1839, 12),
        (0.0358, 6),
        (0.2342, 15),
        (0.0569, 6),
        (0.0393, 6),
    ],
)
def test_the_lead_for_a_million_steps_is_that_of_the_table(error_rate: float, ahead: int) -> None:
    assert ahead_for(error_rate, MILLION, 0.95) == ahead


@given(st.floats(1e-6, 0.499), st.integers(1, 10**9), st.floats(0.01, 0.999999))
def test_the_lead_is_the_least_that_reaches_the_target(error_rate: float, steps: int, target: float) -> None:
    ahead = ahead_for(error_rate, steps, target)
    assert chance_of_all(error_rate, ahead, steps) >= target * (1 - 1e-9)
    assert ahead == 1 or chance_of_all(error_rate, ahead - 1, steps) <= target * (1 + 1e-9)


@pytest.mark.parametrize(
    ("error_rate", "ahead", "chance", "answers"),
    [(0, 3, 1, 3), (0.5, 3, 0.5, 9), (1, 3, 0, 3), (0.5 + 1e-10, 4, 0.5, 16)],
)
def test_the_ends_of_the_range_have_their_values(error_rate: float, ahead: int, chance: float, answers: float) -> None:
    assert chance_of_vote(error_rate, ahead) == pytest.approx(chance)
    assert answers_of_vote(error_rate, ahead) == pytest.approx(answers)


def test_no_error_at_all_needs_one_answer() -> None:
    assert ahead_for(0, MILLION) == 1


def test_a_chance_near_one_keeps_its_digits() -> None:
    lost = MILLION * (0.0022 / 0.9978) ** 3
    assert 1 - chance_of_all(0.0022, 3, MILLION) == pytest.approx(lost, rel=0.01)


@pytest.mark.parametrize(
    ("error_rate", "steps", "target", "message"),
    [
        (0.5, 10, 0.9, "50.0% of the single answers are wrong; from half on, voting makes things worse"),
        (0.7, 10, 0.9, "70.0% of the single answers are wrong"),
        (-0.1, 10, 0.9, "the error rate is -0.1; it must be between 0 and 1"),
        (0.1, 0, 0.9, "the number of steps is 0; it must be at least 1"),
        (0.1, 10, 1.0, "the target is 1, which no vote reaches"),
        (0.1, 10, 0.0, "the target is 0, which no vote"),
        (0.1, 10, 95, "the target is 95; it must be between 0 and 1"),
        (float("nan"), 10, 0.9, "the error rate is nan"),
    ],
)
def test_what_no_vote_reaches_is_said_in_words(error_rate: float, steps: int, target: float, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        ahead_for(error_rate, steps, target)


@given(st.floats(0, 0.49), st.integers(2, 8))
def test_a_rate_is_found_behind_the_answers_that_it_makes_lose(error_rate: float, ahead: int) -> None:
    answers = answers_of_vote(error_rate, ahead)
    lost = (answers - ahead) / 2 / answers
    assert rate_behind(lost, {ahead: 10}) == pytest.approx(error_rate, abs=1e-6)


@pytest.mark.parametrize(("lost", "ahead"), [(0.25, 2), (0.4, 3), (1.0, 5)])
def test_votes_that_lose_as_much_as_chance_would_are_half_wrong(lost: float, ahead: int) -> None:
    assert rate_behind(lost, {ahead: 1}) == 0.5


@pytest.mark.parametrize(
    ("found", "of", "between"),
    [(0, 40, (0.0, 0.0876)), (40, 40, (0.9124, 1.0)), (3, 40, (0.0258, 0.1986)), (0, 0, (0.0, 1.0))],
)
def test_an_interval_is_wilsons(found: int, of: int, between: tuple[float, float]) -> None:
    assert share_between(found, of) == pytest.approx(between, abs=1e-4)
