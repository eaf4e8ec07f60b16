"""Mermaid: a flowchart that no word of a task can break out of, within the limits of its renderers."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.export.mermaid import MOST_CHARACTERS, MOST_EDGES, to_mermaid
from ramify.planner.export.render import render
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.view import GraphView, ViewOptions
from ramify.tasks import Task

LINE = re.compile(
    r"""\ *(
        \w+\["[^"\[\]<>]*"\]                                        # a box
      | \w+\ (---|-\.->)\ \w+                                     # an edge
      | \w+\["a"\]\ (---|-\.->)\|"[^"|]*"\|\ \w+\["b"\]           # an edge of the legend
      | linkStyle\ [\d,]+\ stroke:\#\w+,stroke-width:4px
      | subgraph\ legend\["\ "\] | end
      | classDef\ \w+\ [\w#,: -]+
      | class\ n\d+(,n\d+)*\ \w+
    )""",
    re.VERBOSE,
)
HOSTILE = [
    'end"] --> n0',
    "end",
    'click n0 "javascript:alert(1)"',
    "<script>alert(1)</script><br/>",
    '%%{init: {"securityLevel": "loose"}}%%',
    "#quot; &quot; #35;",
    "`*bold*` __under__ 1. list",
    "---\nconfig:\n  x: y\n---",
    "a|b{c}(d)[e]",
    "\x00\x1b\u202e\ud800",
    "W" * 10_000,
]


def small() -> Task:
    root = Task(content="Compare", id="0")
    root.add_subtasks(
        [Task(content="Oslo", id="0.1", state="DONE"), Task(content="Rome", id="0.2", dependencies=["0.1"])]
    )
    return root


def body(text: str) -> list[str]:
    """Return the lines after the front matter and the diagram's name; the line breaks of a label are spaces."""
    front, _, rest = text.removeprefix("---\n").partition("\n---\n")
    assert len(front.splitlines()) <= 2
    in_one = re.sub(r'\["[^"]*"\]', lambda label: label[0].replace("\n", " "), rest)
    return in_one.splitlines()[1:]


def unescaped(label: str) -> str:
    return re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label)


def test_tree_edges_are_lines_and_dependencies_dashed_arrows() -> None:
    assert {"  n0 --- n1", "  n0 --- n2", "  n1 -.-> n2"} <= set(to_mermaid(graph_view(small())).splitlines())


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_direction_is_as_asked(direction: str) -> None:
    view = graph_view(small(), options=ViewOptions(direction="LR" if direction == "LR" else "TB"))
    assert f"flowchart {direction}" in to_mermaid(view).splitlines()


def test_box_has_its_id_and_its_state_as_glyph_and_word() -> None:
    assert '  n1["● 0#46;1 DONE\nOslo\nmodel"]\n' in to_mermaid(graph_view(small()))


def test_legend_names_states_lines_and_maker() -> None:
    text = unescaped(to_mermaid(graph_view(small(), made_by="rules (no language model)")))
    assert all(
        word in text for word in ["○ OPEN", "● DONE", "subtask", "dependency", "answers by rules (no language model)"]
    )


def test_critical_edges_are_thick() -> None:
    text = to_mermaid(graph_view(small(), options=ViewOptions(critical_path=("0.1", "0.2"))))
    assert "  linkStyle 2 stroke:#8a2be2,stroke-width:4px" in text.splitlines()


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_cannot_leave_their_label(words: str) -> None:
    root = Task(content=words, id="0", type=words)
    root.add_subtask(Task(content=words, id="end"))
    text = to_mermaid(graph_view(root, title=words, made_by=words))
    assert [line for line in body(text) if not LINE.fullmatch(line)] == []


@given(st.text(min_size=1))
def test_any_text_makes_lines_of_the_known_kinds(words: str) -> None:
    text = to_mermaid(graph_view(Task(content=f"x{words}", id="0"), made_by=words))
    assert [line for line in body(text) if not LINE.fullmatch(line)] == []


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12))
def test_label_reads_as_the_words_that_it_was_made_of(words: str) -> None:
    text = to_mermaid(graph_view(Task(content=words, id="0"), title="t"))
    assert unescaped(text.splitlines()[6]) == words


@pytest.mark.parametrize("words", HOSTILE)
def test_title_is_one_quoted_text(words: str) -> None:
    title = f"x {words}".replace("<", "")
    line = to_mermaid(graph_view(small(), title=title)).splitlines()[1]
    plain = re.sub(r"\\U0000([0-9a-f]{4})", r"\\u\1", line.removeprefix("title: "))
    assert json.loads(plain).startswith("x")
    assert re.fullmatch(r'"[\w ,.\\]*"', plain)


def test_a_title_that_no_diagram_can_show_stands_in_the_legend() -> None:
    text = to_mermaid(graph_view(small(), title="List<int>"))
    assert "title:" not in text
    assert '    about["List#60;int#62;\n3 tasks' in text


def test_large_views_are_folded_to_what_renderers_accept() -> None:
    root = Task(content="root", id="0")
    root.add_subtasks(
        Task(content="some words " * 20, id=f"0.{number}", dependencies=[f"0.{number - 1}"] if number > 1 else [])
        for number in range(1, 2_000)
    )
    text = to_mermaid(graph_view(root, options=ViewOptions(max_nodes=None)))
    assert len(text) <= MOST_CHARACTERS
    assert sum(" --- " in line or " -.-> " in line for line in text.splitlines()) <= MOST_EDGES
    assert "of 2,000 tasks shown" in unescaped(text)


def test_rendering_gives_the_same_text() -> None:
    view: GraphView = graph_view(small())
    assert render(view, "mermaid").data.decode() == to_mermaid(view)
