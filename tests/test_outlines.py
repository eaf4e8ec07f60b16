"""Outlines fall apart into parts in the user's own words; numbers and "then" are serial, the rest is parallel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.models.rules.outlines import Part, grouped, outline_parts, readings, without_mark


def _shown(text: str) -> list[tuple[str, bool]]:
    return [(part.content, part.is_after_previous) for part in outline_parts(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("- a\n- b", [("a", False), ("b", False)]),
        ("Shopping:\n* milk\n* eggs\n", [("milk", False), ("eggs", False)]),
        ("1. a\n2. b\n3. c", [("a", False), ("b", True), ("c", True)]),
        ("1) a\n2) b", [("a", False), ("b", True)]),
        ("- [ ] a\n- [x] b", [("a", False), ("b", False)]),
        ("- a\n  - a1\n  - a2\n- b", [("a\n- a1\n- a2", False), ("b", False)]),
        ("- a\n  goes on\n- b\nlazily", [("a\ngoes on", False), ("b\nlazily", False)]),
        ("1. a\n2. b\n\nThanks!", [("a", False), ("b", True), ("Thanks!", False)]),
        ("# T\n## A\n- x\n- y\n## B\ntext", [("## A\n- x\n- y", False), ("## B\ntext", False)]),
        ("## 1. A\n## 2. B", [("1. A", False), ("2. B", True)]),
        ("# T\n\nintro\n\n- a\n- b", [("a", False), ("b", False)]),
        ("```\n- no\n- item\n```\n- a\n- b", [("a", False), ("b", False)]),
    ],
    ids=lambda value: value[:20].replace("\n", "|") if isinstance(value, str) else None,
)
def test_lists_and_headings_become_parts(text: str, parts: list[tuple[str, bool]]) -> None:
    assert _shown(text) == parts


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("First boil water, then make tea, and finally drink it.", ["boil water", "make tea", "drink it"]),
        ("Fetch the data. Then clean it. After that, plot it.", ["Fetch the data", "clean it", "plot it"]),
        ("firstly a; secondly b", ["a", "b"]),
        ("Wash up and then dry", ["Wash up", "dry"]),
    ],
)
def test_first_then_finally_is_serial(text: str, contents: list[str]) -> None:
    assert _shown(text) == [(content, number > 0) for number, content in enumerate(contents)]


@pytest.mark.parametrize("text", ["cook, and in parallel lay the table", "cook; meanwhile lay the table"])
def test_meanwhile_is_parallel(text: str) -> None:
    assert _shown(text) == [("cook", False), ("lay the table", False)]


def test_serial_steps_hold_their_parallel_parts_together() -> None:
    steps = outline_parts("First shop, then cook and in parallel lay the table, finally eat")
    assert [step.content for step in steps] == ["shop", "cook and in parallel lay the table", "eat"]
    assert [part.content for part in outline_parts(steps[1].content)] == ["cook", "lay the table"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plan a weekend in Rome",
        "If it rains, then stay in",
        "- only one",
        "# Only a title\nprose",
        "First things first",
    ],
)
def test_what_has_one_part_is_no_outline(text: str) -> None:
    assert outline_parts(text) == ()


def test_more_parts_than_allowed_are_put_together_and_come_apart_again() -> None:
    parts = outline_parts("\n".join(f"{number}. step {number}\n   - detail" for number in range(1, 8)))
    groups = grouped(parts, 3)
    assert [group.is_after_previous for group in groups] == [False, True, True]
    again = [part.content for group in groups for part in outline_parts(group.content) or (group,)]
    assert again == [part.content for part in parts]


def test_grouped_bullets_stay_parallel() -> None:
    groups = grouped([Part(letter) for letter in "abcde"], 2)
    assert [group.content for group in groups] == ["- a\n- b\n- c", "- d\n- e"]
    assert not any(part.is_after_previous for group in groups for part in outline_parts(group.content))


@pytest.mark.parametrize(
    ("text", "bare"), [("- a\nb", "a\nb"), ("2. a", "a"), ("### a ##", "a"), (" plain ", "plain"), ("-3", "-3")]
)
def test_mark_of_the_first_line_is_taken_off(text: str, bare: str) -> None:
    assert without_mark(text) == bare


def test_list_is_not_read_as_its_first_item() -> None:
    assert readings("- compute 1\n- 2 * 3") == ("- compute 1\n- 2 * 3",)


def test_what_stands_below_a_heading_can_be_the_task() -> None:
    assert readings("## Hotel\n3 * 120")[-1] == "3 * 120"


@pytest.mark.parametrize(
    "text",
    [
        "- a\n" * 100_000,
        "#" * 1_000_000,
        ", then" * 100_000,
        " and" * 200_000,
        "-" + " " * 1_000_000 + "x",
        "* " * 300_000,
    ],
    ids=["items", "hashes", "thens", "ands", "spaces", "stars"],
)
def test_hostile_outlines_are_read_in_linear_time(text: str) -> None:
    assert len(outline_parts(text)) in {0, 100_000}


@given(st.text(alphabet="ab #-*1.)\n`,;then first", max_size=80), st.integers(2, 8))
def test_no_text_breaks_the_reader(text: str, most: int) -> None:
    parts = outline_parts(text)
    assert len(parts) != 1
    assert all(part.content.strip() for part in parts)
    assert len(grouped(parts, most)) == min(most, len(parts))
