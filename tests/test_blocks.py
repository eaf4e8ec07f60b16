"""Data blocks: nonces, budgets, cuts; and the placeholders of plain string templates."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.prompts import DecomposeVariables, Material
from ramify.prompts.blocks import EMPTY, cut, make_nonce, render_data, share, texts_of
from ramify.prompts.placeholders import fill
from ramify.prompts.variables import TaskResult


def test_prompts_of_a_run_have_one_nonce_and_runs_differ() -> None:
    assert make_nonce("seed", data=["a"]) == make_nonce("seed", data=["b"]) != make_nonce("speed", data=["a"])


def test_nonce_occurs_in_no_data() -> None:
    data: list[str] = []
    for _ in range(20):
        data.append(f"x{make_nonce('seed', data=data)}y")
    assert len(set(data)) == 20


def test_texts_of_variables_are_all_that_a_prompt_can_hold() -> None:
    variables = DecomposeVariables(
        task_id="0",
        goal="g",
        ancestors=("a",),
        results=(TaskResult(id="1", content="c", result="r"),),
        materials=(Material(name="n", text="t"),),
        inputs={"k": "v"},
    )
    assert {"g", "a", "1", "c", "r", "n", "t", "k", "v"} <= set(texts_of(variables))


@given(st.text(), st.integers(0, 50))
def test_cut_keeps_head_and_tail_and_counts_the_rest(text: str, limit: int) -> None:
    shown = cut(text, limit)
    if len(text) <= limit:
        assert shown == text
    else:
        omitted = len(text) - limit
        words = "1 character" if omitted == 1 else f"{omitted} characters"
        head, note, tail = shown.partition(f"\n[... {words} omitted ...]\n")
        assert note
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + len(tail) == limit


@given(st.lists(st.integers(0, 1000)), st.integers(0, 5000))
def test_shares_keep_the_budget_and_use_it(lengths: list[int], budget: int) -> None:
    limit = share(lengths, budget)
    used = sum(min(length, limit) for length in lengths)
    assert used <= budget
    if sum(lengths) <= budget:
        assert used == sum(lengths)
    else:
        assert sum(min(length, limit + 1) for length in lengths) > budget


def test_one_long_text_leaves_short_ones_whole() -> None:
    shown = render_data({"result": ["short", "long" * 1000, "also short"]}, nonce="n", budget=100)
    assert "short" in shown
    assert "also short" in shown
    assert "characters omitted" in shown


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_blank_data_is_shown_as_empty(text: str) -> None:
    assert f"\n{EMPTY}\n" in render_data({"result": text}, nonce="n")


@pytest.mark.parametrize("nothing", [None, (), {}])
def test_data_that_is_not_there_has_no_block(nothing: tuple[str, ...] | dict[str, str] | None) -> None:
    assert render_data({"result": nothing}, nonce="n") == ""


def test_data_stand_in_the_order_in_which_they_are_given() -> None:
    shown = render_data({"a": "1", "b": ["22", "4444", "333"], "c": "55555"}, nonce="n")
    places = [shown.index(text) for text in ("\n1\n", "22", "4444", "333", "55555")]
    assert all(one < two for one, two in pairwise(places))


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Do {content} as {role_name}.", "Do {other_results} as Ann."),
        ("{other_results}", "{other_results}"),
        ('{"a": {content}}', '{"a": {other_results}}'),
        ("{ content } {Content} {{content}} {content", "{ content } {Content} {{other_results}} {content"),
        ("{} {0} {x!r} {content.x}", "{} {0} {x!r} {content.x}"),
        ("", ""),
    ],
)
def test_only_known_placeholders_are_filled_and_only_once(template: str, filled: str) -> None:
    assert fill(template, {"content": "{other_results}", "role_name": "Ann"}) == filled


@given(st.text(alphabet="{}contentrole_ "), st.text())
def test_template_without_placeholders_stays_as_it_is(template: str, content: str) -> None:
    expected = content.join(template.split("{content}"))
    assert fill(template, {"content": content}) == expected
