"""DOT and what is drawn with the `dot` program: hostile labels, and pictures where it is missing, fails or hangs."""

import os
import re
import shutil
import stat
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ramify.planner.errors import ExportError, UsageError
from ramify.planner.export.dot import to_dot
from ramify.planner.export.formats import formats_of, save_as
from ramify.planner.export.render import render
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.view import ViewOptions
from ramify.tasks import Task

from .test_export_svg import flat

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the dot program is not installed")
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    'say "hi"',
    "back\\slash \\N \\G \\l \\\\",
    "ends in \\",
    "<b>bold</b>",
    "<>",
    "&amp; &lt; &#92; &",
    "a -> b; }",
    "[label=x]",
    "漢字かな",
]


def small() -> Task:
    root = Task(content="Compare", id="0")
    root.add_subtasks(
        [Task(content="Oslo", id="0.1", state="DONE"), Task(content="Rome", id="0.2", dependencies=["0.1"])]
    )
    return root


def program(folder: Path, script: str) -> str:
    """Put a `dot` that does what `script` says into `folder`; return a PATH to it."""
    file = folder / "dot"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(folder)


def elements_of(svg: bytes) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())


def words_of(svg: bytes) -> str:
    words = "".join("".join(element.itertext()) for element in elements_of(svg) if element.tag == f"{SVG}text")
    return words.replace("\u00a0", " ")


def test_nodes_have_their_task_ids_and_edges_their_kinds() -> None:
    source = to_dot(graph_view(small()))
    lines = [line.strip() for line in source.splitlines()]
    tree = [
        line for line in lines if line.startswith("0 -> 0.1 [") and "arrowhead=none" in line and "style=solid" in line
    ]
    needs = [line for line in lines if line.startswith("0.1 -> 0.2 [") and "style=dashed" in line]
    assert (len(tree), len(needs)) == (1, 1)


def test_legend_names_states_lines_and_maker() -> None:
    source = to_dot(graph_view(small(), made_by="rules (no language model)"))
    assert all(
        word in source for word in ["OPEN", "DONE", "subtask", "dependency", "answers by rules (no language model)"]
    )


def test_directions_and_themes_are_as_asked() -> None:
    source = to_dot(graph_view(small(), options=ViewOptions(direction="TB", theme="dark")))
    assert "rankdir=TB" in source
    assert 'bgcolor="#0d1117"' in source


def test_ids_that_dot_would_misread_are_replaced() -> None:
    root = Task(content="x", id="0")
    root.add_subtasks([Task(content="a", id='a:b"c'), Task(content="b", id="<b>", dependencies=['a:b"c'])])
    assert re.findall(r"^\t(.*) -> (.*) \[", to_dot(graph_view(root)), re.MULTILINE) == [
        ("0", '"task 1"'),
        ("0", '"task 2"'),
        ('"task 1"', '"task 2"'),
    ]


@needs_dot
@pytest.mark.parametrize("words", HOSTILE)
def test_dot_draws_hostile_words_as_they_are(words: str) -> None:
    picture = render(graph_view(Task(content=words, id="0"), title="t"), "svg", layout="dot")
    assert picture.data.startswith(b"<?xml")
    assert words in words_of(picture.data)


@needs_dot
@pytest.mark.parametrize(
    "words", ["W" * 10_000, "\x00\x1b[31m\u202e\ud800\ufffe x", "e" + "\u0301" * 300, "line\n" * 200]
)
def test_dot_accepts_whatever_a_task_says(words: str) -> None:
    root = Task(content=words, id="0", type=words)
    root.add_subtask(Task(content=words, id='say "<b>\\N:x'))
    assert render(graph_view(root, title=words, made_by=words), "svg", layout="dot").data.startswith(b"<?xml")


@needs_dot
@pytest.mark.parametrize("words", ["\\N \\G \\\\N", "&lt;b&gt; &#92;N", 'a "b" c\\'])
def test_dot_shows_the_whole_text_as_tooltip(words: str) -> None:
    svg = render(graph_view(Task(content=words, id="0")), "svg", layout="dot").data
    titles = [title for element in elements_of(svg) if (title := element.get("{http://www.w3.org/1999/xlink}title"))]
    assert [title for title in titles if words in title.replace("\N{SET MINUS}", "\\")]


@needs_dot
@pytest.mark.parametrize(("form", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_dot_draws_every_kind_of_picture(form: str, start: bytes) -> None:
    picture = render(graph_view(small()), form, layout="dot")
    assert (picture.data[: len(start)], picture.note) == (start, "")


def test_leaves_are_set_in_columns() -> None:
    assert "minlen=2" in to_dot(graph_view(flat(100)))
    assert "minlen" not in to_dot(graph_view(flat(10)))


@pytest.mark.fault("5.7")
@pytest.mark.parametrize("fmt", [each.name for each in formats_of("graph").values() if not each.takes_data])
def test_dot_is_not_asked_unless_its_layout_is(tmp_path: Path, fmt: str) -> None:
    path = program(tmp_path, f"touch {tmp_path}/asked")
    assert render(graph_view(small()), fmt, path_env=path).data
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("fmt", ["svg", "png", "pdf"])
def test_the_layout_of_dot_without_dot_is_an_error(fmt: str) -> None:
    with pytest.raises(ExportError, match=f"dot could not draw {fmt}: .* not on PATH; install Graphviz, or let Ramify"):
        render(graph_view(small()), fmt, layout="dot", path_env="")


@pytest.mark.parametrize(
    "fmt", [each.name for each in formats_of("graph").values() if not each.by_dot and not each.takes_data]
)
def test_a_text_has_no_layout(fmt: str) -> None:
    with pytest.raises(UsageError, match=f"{fmt} has no layout"):
        render(graph_view(small()), fmt, layout="dot")


def test_unknown_layout_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="use ramify, dot"):
        render(graph_view(small()), "svg", layout="neato")  # type: ignore[arg-type]


def test_failing_dot_is_quoted(tmp_path: Path) -> None:
    path = program(tmp_path, "cat >/dev/null; echo 'syntax error near line 7' >&2; exit 3")
    with pytest.raises(ExportError, match="exit code 3: syntax error near line 7; show less"):
        render(graph_view(small()), "pdf", layout="dot", path_env=path)


def test_dot_that_writes_nothing_has_failed(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="it said nothing"):
        render(graph_view(small()), "png", layout="dot", path_env=program(tmp_path, "cat >/dev/null"))


def test_dot_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    file = Path(program(tmp_path, "")) / "dot"
    file.write_bytes(b"\x00 no program")
    with pytest.raises(ExportError, match="cannot be started"):
        render(graph_view(small()), "png", layout="dot", path_env=str(tmp_path))


def test_hanging_dot_is_killed_with_what_it_started(tmp_path: Path) -> None:
    path = program(tmp_path, f"/bin/sleep 3600 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(ExportError, match=r"dot took longer than 0\.5 s and was stopped; show less"):
        render(graph_view(small()), "svg", layout="dot", timeout_s=0.5, path_env=path)
    child = int((tmp_path / "child").read_text())
    assert not _is_running(child)


def test_picture_that_dot_made_smaller_is_said_to_be(tmp_path: Path) -> None:
    path = program(tmp_path, "cat >/dev/null; echo 'graph is too large. Scaling by 0.5 to fit' >&2; echo data")
    assert "Scaling by 0.5" in render(graph_view(small()), "png", layout="dot", path_env=path).note


def test_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"use one of these endings: \.dot, .*\.png, \.pdf"):
        save_as("graph", graph_view(small()), tmp_path / "a.jpg")


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=", ".join(formats_of("graph"))):
        render(graph_view(small()), "jpg")


def test_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be written: No such file or directory; choose another file"):
        save_as("graph", graph_view(small()), tmp_path / "missing" / "a.dot")


def _is_running(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True
