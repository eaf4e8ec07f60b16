"""Arithmetic is exact, bounded, and the same whether it is worked out whole or from its parts."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.planner.models.rules.arithmetic import recompose, subexpressions, value_of
from ramify.planner.models.rules.errors import ExpressionError
from ramify.planner.models.rules.expressions import is_arithmetic, parse
from ramify.planner.models.rules.numbers import MAX_DIGITS, value_text
from ramify.planner.models.rules.phrases import step_expression, unwrap


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("((17*23 + 4^5) / (9 - 2)) * 60%", "849/7"),
        ("8 - 3 - 2", "3"),
        ("8 / 4 / 2", "1"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ^ 2", "-4"),
        ("2 ^ -3", "0.125"),
        ("--3", "3"),
        ("+5", "5"),
        ("10 // 3 * 2", "6"),
        ("-7 // 2", "-4"),
        ("17 % 5", "2"),
        ("17 % (2 + 3)", "2"),
        ("17 mod 5", "2"),
        ("60%", "0.6"),
        ("50% - 3", "-2.5"),
        ("15% of 80", "12"),
        ("(1 + 2)% * 100", "3"),
        ("3 x 4 \u00d7 5 \u00f7 2 \u2212 1 \u00b7 1", "29"),
        ("3x4", "12"),
        ("1,234,567.5 * 2", "2469135"),
        ("1_000 + 1'000", "2000"),
        (".5 + 1.25", "1.75"),
        ("1e3 + 2.5E-1", "1000.25"),
        ("sqrt(16/9)", "4/3"),
        ("\u221a16 + 9", "13"),
        ("12 divided by 4 plus 2 times 3", "9"),
        ("[1 + 2] * 3", "9"),
        ("0.1 + 0.2", "0.3"),
        ("1/3 + 1/3 + 1/3", "1"),
        ("2^64", "18446744073709551616"),
    ],
)
def test_value_is_exact(text: str, value: str) -> None:
    assert is_arithmetic(text)
    assert value_text(value_of(text)) == value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1/0", "division by zero in 1/0"),
        ("5 + 3 // (2 - 2)", "division by zero in 3 // (2 - 2)"),
        ("7 mod 0", "division by zero in 7 mod 0"),
        ("0 ^ -1", "division by zero in 0 ^ -1"),
        ("9^9^9^9", "9^9^9 has more than 4,000 digits"),
        ("2^(-10^9)", "more than 4,000 digits"),
        ("sqrt(2)", "only roots of perfect squares are exact"),
        ("sqrt(-4)", "only roots of perfect squares are exact"),
        ("2^0.5", "not a whole number"),
        ("(1+2", "a parenthesis that is never closed"),
        ("1)", "was never opened"),
        ("1 +", "the end at character 4 is where a number is missing"),
        ("1 + * 2", "'* 2' at character 5 is where a number is missing"),
        ("2 3", "'3' at character 3 is a number without an operator"),
        ("2(3)", "has no operator before it"),
        ("3 of 4", "does not follow a percentage"),
        ("9" * 5000, "more than 4,000 digits"),
        ("1e5000", "more than 4,000 digits"),
    ],
)
def test_what_has_no_value_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=r".") as caught:
        value_of(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "+ - *",
        "Plan a weekend in Rome",
        "two apples and 3 pears",
        "If I have 3 apples and eat 2, how many are left?",
        "5!",
        "2 + 2 = 5",
        "2kg + 3kg",
        "1,23 + 4",
        "v1.2.x",
    ],
)
def test_other_text_is_no_arithmetic(text: str) -> None:
    assert not is_arithmetic(text)


@pytest.mark.parametrize(
    ("asked", "bare"),
    [
        ("What is 2 + 2?", "2 + 2"),
        ("what's (3)?", "(3)"),
        ("please compute the exact value of: 6 * 7 =", "6 * 7"),
        ("Calculate 1/2.", "1/2"),
        ("6 * 7 = ?", "6 * 7"),
        ("findings 3", "findings 3"),
        ("how many is 3", "how many is 3"),
    ],
)
def test_words_around_an_expression_are_a_closed_list(asked: str, bare: str) -> None:
    assert unwrap(asked) == bare


@pytest.mark.parametrize(
    ("step", "value"),
    [
        ("multiply the result by 4", "20"),
        ("divide it by 2", "2.5"),
        ("divide 10 by that", "2"),
        ("add 3", "8"),
        ("add 2 * 3 to the previous result", "11"),
        ("subtract 1 from it", "4"),
        ("subtract it from 1", "-4"),
        ("double it", "10"),
        ("square the result", "25"),
        ("compute the result * 2 + 1", "11"),
    ],
)
def test_step_works_on_the_result_before_it(step: str, value: str) -> None:
    expression = step_expression(step, "5")
    assert expression is not None
    assert value_text(value_of(expression)) == value


def test_step_without_a_known_form_is_none() -> None:
    assert step_expression("explain the weather", "5") is None


@pytest.mark.parametrize(
    ("text", "most", "parts"),
    [
        ("(1 + 2*3) * (4 - 5)", 8, ["1 + 2*3", "4 - 5"]),
        ("1 + 2 + 3", 8, []),
        ("-5%", 8, []),
        ("-(2*3 + 4)", 8, ["2*3", "4"]),
        ("2 ^ (3 + 4)", 8, ["2", "3 + 4"]),
        ("(- 2 + 3*4) * 5", 8, ["-2 + 3*4", "5"]),
        ("1*2 minus 3*4 minus 5", 2, ["1*2 minus 3*4", "minus 5"]),
        ("10 // 3 * 2", 8, ["10 // 3", "2"]),
        ("1*2 - 3*4 - 5 + 6*7 - 8 + 9", 3, ["1*2 - 3*4", "-5 + 6*7", "-8 + 9"]),
        ("1*(2+1) / 4 / (5*2-1) * 6", 3, ["1*(2+1)", "1 / 4 / (5*2-1)", "6"]),
    ],
)
def test_expression_is_split_at_its_outermost_operator(text: str, most: int, parts: list[str]) -> None:
    assert subexpressions(text, most=most) == parts


def test_parts_are_found_by_their_words_whatever_their_order() -> None:
    parts = [("4 - 5", Fraction(-1)), ("1+2 * 3", Fraction(7))]
    assert recompose("(1 + 2*3) - (4 - 5)", parts) == 8


def test_part_with_changed_words_keeps_its_place() -> None:
    assert recompose("(1 + 2*3) - (4 - 5)", [("1 + 2*4", Fraction(9)), ("4 - 5", Fraction(-1))]) == 10


def test_parts_of_something_else_are_refused_by_name() -> None:
    with pytest.raises(ExpressionError, match=r"10 \+ 20: they are of 1\+1, 2\*3, and its parts are 10, 20$"):
        recompose("10 + 20", [("1+1", Fraction(2)), ("2*3", Fraction(6))])


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_parts_that_do_not_make_up_the_expression_are_refused(count: int) -> None:
    with pytest.raises(ExpressionError, match="do not make up the expression"):
        recompose("1*2 + 3*4 + 5*6", [("1*2", Fraction(2))] * count)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(" * 100_000 + "1" + ")" * 100_000, "1"),
        ("-" * 100_001 + "1", "-1"),
        ("1+" * 30_000 + "1", "30001"),
        ("1^" * 30_000 + "1", "1"),
    ],
    ids=["parentheses", "signs", "sum", "powers"],
)
def test_deep_expressions_need_no_recursion(text: str, value: str) -> None:
    assert value_text(value_of(text)) == value
    assert subexpressions(text, most=8) == [] or text.startswith("1^")


def test_unclosed_parentheses_by_the_hundred_thousand_are_a_clear_error() -> None:
    with pytest.raises(ExpressionError, match="never closed"):
        parse("(" * 100_000 + "1")


def test_too_long_an_expression_is_refused_unread() -> None:
    with pytest.raises(ExpressionError, match="the most is"):
        parse("1+" * 5_000_000 + "1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-7), "-7"),
        (Fraction(1, 1024), "0.0009765625"),
        (Fraction(-3, 40), "-0.075"),
        (Fraction(1, 6), "1/6"),
        (Fraction(1, 2**1001), f"1/{2**1001}"),
    ],
)
def test_number_is_written_as_integer_decimal_or_fraction(value: Fraction, text: str) -> None:
    assert value_text(value) == text


@given(st.fractions())
def test_written_number_is_read_back_as_itself(value: Fraction) -> None:
    assert value_of(value_text(value)) == value


@given(st.text(alphabet="0123456789.,+-*/%^()[]x of mod sqrt_e'", max_size=60))
@settings(deadline=None)
def test_any_text_of_arithmetic_signs_has_a_bounded_value_or_a_clear_error(text: str) -> None:
    if is_arithmetic(text):
        with suppress(ExpressionError):
            assert len(str(abs(value_of(text).numerator))) <= MAX_DIGITS + 1
