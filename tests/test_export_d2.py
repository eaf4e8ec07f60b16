"""D2: a text that no word of a task can break out of, and that the reference program reads as it was meant."""

import re

from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.export.d2 import to_d2
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.view import ViewOptions
from ramify.tasks import Task

from .readers import d2_labels, needs_npm
from .test_mermaid_reader import WORDS

MORE_WORDS = [
    "${x} $${y} \\${z}",
    'say "hi" it\'s |md # x|',
    "ends in \\",
    "\\n \\t \\\\n \\u0041",
    "null",
    "a -> b: c {d: e}; f",
    "...@file *.style &x !&y",
    "$",
]
TEXT = r'"(?:[^"\\$\n]|\\["\\$n])*"'
LINE = re.compile(
    rf"""n\d+:\ {TEXT}\ \{{class:\ \[\w+(;\ \w+)*\]\}}                    # a box
      | n\d+\ (--|->)\ n\d+:\ \{{class:\ \[\w+(;\ critical)?\]\}}           # an edge
      | (title|about):\ {TEXT}\ \{{class:\ \w+;\ near:\ \w+-center\}}
    """,
    re.VERBOSE,
)


def body(text: str) -> list[str]:
    """Return the lines after the classes."""
    return text.split("\n}\n")[1].splitlines()


def family() -> Task:
    root = Task(content="Compare", id="0")
    root.add_subtasks(
        [Task(content="Oslo", id="0.1", state="DONE"), Task(content="Rome", id="0.2", dependencies=["0.1"])]
    )
    return root


def test_lines_are_of_the_tree_and_arrows_lead_to_what_needs_a_result() -> None:
    assert body(to_d2(graph_view(family(), options=ViewOptions(critical_path=("0.1", "0.2")))))[-3:] == [
        "n0 -- n1: {class: [tree]}",
        "n0 -- n2: {class: [tree]}",
        "n1 -> n2: {class: [dependency; critical]}",
    ]


def test_a_box_has_its_id_and_its_state_as_glyph_and_word() -> None:
    assert r'n1: "● 0.1 DONE\nOslo\nmodel" {class: [DONE]}' in body(to_d2(graph_view(family())))


@given(st.text(min_size=1))
def test_any_text_makes_lines_of_the_known_kinds(words: str) -> None:
    text = to_d2(graph_view(Task(content=f"x{words}", id="0", type=words or None), title=words, made_by=words))
    assert [line for line in body(text) if not LINE.fullmatch(line)] == []


@needs_npm
def test_the_reference_program_reads_every_word_as_it_was_written() -> None:
    words = [*WORDS, *MORE_WORDS]
    root = Task(content="root", id="0")
    root.add_subtasks(Task(content=each, id=f"0.{place}") for place, each in enumerate(words, 1))
    root.add_subtask(Task(content="last", id='"${x}\\', dependencies=["0.1"]))
    title = 'the "title" of ${x} \\n <b>'
    labels = d2_labels(to_d2(graph_view(root, title=title, made_by="a ${model}")))
    assert [labels[f"n{place}"].split("\n")[1] for place in range(1, len(words) + 1)] == words
    assert labels[f"n{len(words) + 1}"].split("\n")[0] == '○ "${x}\\ OPEN'
    assert labels["title"] == title
    assert labels["about"].endswith("\nanswers by a ${model}")
