"""GraphML: what networkx reads from it is the tree, its dependencies and what is known of each task."""

import io
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Executor
from ramify.planner.export.critical import critical_path_of
from ramify.planner.export.graphml import to_graphml
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.view import ViewOptions
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .ramify_command import Ramify
from .test_export_svg import ALL, HOSTILE, family, random_tree


def read(text: str) -> "nx.MultiDiGraph[str]":
    graph = nx.read_graphml(io.BytesIO(text.encode()), force_multigraph=True)
    assert isinstance(graph, nx.MultiDiGraph)
    return graph


def edges(graph: "nx.MultiDiGraph[str]", kind: str) -> set[tuple[str, str]]:
    return {(one, other) for one, other, data in graph.edges(data=True) if data["kind"] == kind}


def test_networkx_reads_tasks_and_both_kinds_of_edges() -> None:
    graph = read(to_graphml(graph_view(family(), made_by="a test")))
    assert list(graph) == ["0", "0.1", "0.2", "0.2.1", "0.2.2"]
    assert edges(graph, "tree") == {("0", "0.1"), ("0", "0.2"), ("0.2", "0.2.1"), ("0.2", "0.2.2")}
    assert edges(graph, "dependency") == {("0.1", "0.2")}
    assert graph.graph["made_by"] == "a test"


def test_networkx_reads_what_is_known_of_a_task_with_its_type() -> None:
    nodes = read(to_graphml(graph_view(family(), options=ViewOptions(critical_path=("0.1",))))).nodes
    assert nodes["0.1"] == {
        "label": "Describe Oslo",
        "content": "Describe Oslo",
        "state": "DONE",
        "worker": "python:fetch",
        "depth": 2,
        "duration_s": 2.5,
        "calls": 1,
        "tokens": 0,
        "cached_tokens": 0,
        "cost_usd": 0.25,
        "added": False,
        "critical": True,
        "hidden_tasks": 0,
    }
    assert "duration_s" not in nodes["0.2.1"]
    assert nodes["0.2"]["added"] is True


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    graph = read(to_graphml(graph_view(Task(content=words, id="0", type=words), title=words, made_by=words)))
    unfit = [character for character in words if character < " " and character not in "\t\n\r"]
    assert graph.nodes["0"]["content"].count("\ufffd") >= len(unfit)
    if words.isprintable():
        assert graph.nodes["0"]["content"] == words


@given(st.text(min_size=1).filter(lambda words: words.strip() and words.isprintable()))
def test_every_id_is_read_back(task_id: str) -> None:
    assert list(read(to_graphml(graph_view(Task(content="step", id=task_id))))) == [task_id]


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
def test_every_content_is_read_back_but_for_what_xml_cannot_carry(content: str) -> None:
    found = read(to_graphml(graph_view(Task(content=content, id="0")))).nodes["0"]["content"]
    assert len(found) == len(content)
    assert all(one in {other, "\ufffd"} for one, other in zip(found, content, strict=True))


def test_a_large_tree_is_written_whole() -> None:
    graph = read(to_graphml(graph_view(random_tree(7, 3000), options=ALL)))
    assert len(graph) == 3000


def test_run_and_command_write_the_whole_tree(ramify: Ramify, home: Path) -> None:
    root = Task(content="all", id="0")
    root.add_subtasks(Task(content=f"part {number}", id=f"0.{number}") for number in range(1, 401))
    run = Executor(ScriptedModel(lambda _: "<result>done</result>"), store=home / ".ramify" / "ramify.db").run(root)
    assert len(read(run.to_graphml())) == 401
    assert len(read(run.save(home / "all.graphml").read_text(encoding="utf-8"))) == 401
    assert ramify("graph", "--last", "-o", "g.graphml").code == 0
    assert len(read((home / "g.graphml").read_text(encoding="utf-8"))) == 401
    assert len(read(ramify("graph", "--last", "-f", "graphml", "--max-nodes", "50").out)) == 50


def test_critical_path_is_that_of_time_where_tasks_have_run_else_of_steps() -> None:
    root = family()
    assert critical_path_of(root)[0] == "0.1"  # the only one that has taken time
    assert critical_path_of(root, by="steps") == ["0.1", "0.2.1", "0.2", "0"]
    assert critical_path_of(Task(content="alone", id="0")) == ["0"]


@pytest.mark.parametrize(
    "words", [("--critical-path",), ("--path-by", "steps"), ("--critical-path", "--path-by", "time")]
)
def test_command_marks_the_critical_path(ramify: Ramify, words: tuple[str, ...]) -> None:
    ramify("solve", "--model", "rules", "(1+2)*(3+4)")
    marked = read(ramify("graph", "--last", "-f", "graphml", *words).out)
    assert marked.nodes["0"]["critical"] is True
    assert read(ramify("graph", "--last", "-f", "graphml").out).nodes["0"]["critical"] is False
