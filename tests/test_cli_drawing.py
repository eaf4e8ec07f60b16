"""`graph`: pictures of runs and plans, to files and to standard output."""

import json
import shutil
from pathlib import Path

import pytest

from .ramify_command import Ramify

RULES = ("--model", "rules")


@pytest.fixture
def solved(ramify: Ramify) -> Ramify:
    """The command, in a folder with one finished run."""
    ramify("solve", *RULES, "(1+2)*(3+4)")
    return ramify


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("dot", "digraph"), ("mermaid", "---\ntitle"), ("svg", "<?xml"), ("json", "{")],
)
def test_text_formats_go_to_standard_output(solved: Ramify, form: str, beginning: str) -> None:
    said = solved("graph", "--last", "-f", form)
    assert said.code == 0
    assert said.out.startswith(beginning)
    assert "no language model" in said.out


def test_dot_is_what_is_printed_unless_something_else_is_said(solved: Ramify) -> None:
    assert solved("graph", "--last").out.startswith("digraph")


@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("g.svg", b"<"),
        ("g.dot", b"digraph"),
        ("g.mmd", b"---"),
        ("g.json", b"{"),
        ("g.png", b"\x89PNG"),
        ("g.pdf", b"%PDF"),
    ],
)
def test_the_ending_of_the_file_says_the_format(solved: Ramify, home: Path, name: str, magic: bytes) -> None:
    if name in {"g.png", "g.pdf"} and shutil.which("dot") is None:
        assert "install Graphviz" in solved("graph", "--last", "-o", name).err
        return
    said = solved("graph", "--last", "-o", name)
    assert (said.code, said.out) == (0, "")
    assert (home / name).read_bytes().startswith(magic)


def test_without_dot_svg_is_drawn_all_the_same(solved: Ramify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = solved("graph", "--last", "-f", "svg")
    assert said.code == 0
    assert "drawn without dot" in said.err
    assert solved("graph", "--last", "-f", "png").code == 2


def test_json_holds_the_run_and_its_tasks(solved: Ramify) -> None:
    document = json.loads(solved("graph", "--last", "-f", "json").out)
    assert (document["version"], document["status"], len(document["tasks"])) == (1, "done", 3)


def test_a_plan_file_is_drawn_without_a_run(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: g\ntasks:\n  - Describe Oslo\n  - Describe Rome\n", encoding="utf-8")
    out = ramify("graph", "plan.yaml", "-f", "mermaid").out
    assert "Describe" in out
    assert "Oslo" in out
    assert not (home / ".ramify").exists()


def test_less_can_be_shown(solved: Ramify) -> None:
    assert "+2 tasks" in solved("graph", "--last", "--depth", "1").out
    assert "\n\t0.2 [" not in solved("graph", "--last", "--focus", "0.1").out
    assert solved("graph", "--last", "--critical-path").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--last", "-o", "g.gif"), "g.gif"),
        (("--last", "-f", "gif"), "gif"),
        (("--last", "-o", "nowhere/g.svg"), "nowhere/g.svg"),
        (("--last", "--focus", "0.9"), "0.9"),
        (("nowhere.yaml",), "nowhere.yaml"),
        ((), "--last"),
        (("--last", "--states"), "--states draws the moves that every task can make, and no run; leave out --last"),
        (("plan.yaml", "--states"), "leave out plan.yaml"),
        (("--states", "--depth", "2"), "leave out --depth"),
        (("--states", "-o", "s.svg"), "dot -Tsvg makes that of dot"),
        (("--last", "-f", "json", "--theme", "dark"), "JSON gives the whole tree; leave out --theme"),
        (("--last", "-o", "g.json", "--focus", "0.1"), "JSON gives the whole tree; leave out --focus"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_line(solved: Ramify, words: tuple[str, ...], message: str) -> None:
    said = solved("graph", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err.splitlines()) == 1
