"""`graph`: pictures of runs and plans, to files and to standard output."""

import json
import shutil
from pathlib import Path

import pytest

from .ramify_command import Ramify, ramify_process

RULES = ("--model", "rules")


@pytest.fixture
def solved(ramify: Ramify) -> Ramify:
    """The command, in a folder with one finished run."""
    ramify("solve", *RULES, "(1+2)*(3+4)")
    return ramify


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("dot", "digraph"), ("mermaid", "---\ntitle"), ("svg", "<svg"), ("json", "{")],
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
    said = solved("graph", "--last", "-o", name)
    assert (said.code, said.out) == (0, "")
    assert (home / name).read_bytes().startswith(magic)


def test_without_the_extra_a_picture_is_refused_with_the_ways_to_get_one(solved: Ramify, home: Path) -> None:
    blocked = home / "blocked"
    blocked.mkdir()
    (blocked / "typst.py").write_text("raise ImportError('not installed')\n", encoding="utf-8")
    assert solved("runs").code == 0
    said = ramify_process("graph", "--last", "-o", "g.png", PYTHONPATH=str(blocked))
    assert said.code == 2
    assert "pip install 'ramify[render]'" in said.err
    assert "--layout dot" in said.err
    assert not (home / "g.png").exists()


@pytest.mark.fault("5.7")
@pytest.mark.skipif(shutil.which("dot") is None, reason="the dot program is not installed")
def test_dot_lays_out_on_request(solved: Ramify) -> None:
    assert solved("graph", "--last", "-f", "svg", "--layout", "dot").out.startswith("<?xml")


@pytest.mark.fault("6.3")
@pytest.mark.parametrize(
    "words", ["graph --last", "graph --last -f json", "graph --states -f mermaid", "timeline --last", "report --last",
              "decompose --model rules 1+2*3", "sweep --model rules 1+2 -p max_depth=2"],
)  # fmt: skip
def test_a_file_that_is_there_is_written_over_only_by_force(solved: Ramify, home: Path, words: str) -> None:
    command = words.split()
    file = home / {"report": "there.md", "sweep": "there.md", "decompose": "there.yaml"}.get(command[0], "there.svg")
    command += ["-f", "mermaid"] if words == "graph --last" else []
    file.write_text("mine", encoding="utf-8")
    said = solved(*command, "-o", str(file))
    assert (said.code, said.out) == (2, "")
    assert f"{file} already exists; choose another name, or overwrite it with --force" in said.err
    assert file.read_text(encoding="utf-8") == "mine"
    assert solved(*command, "-o", str(file), "--force").code == 0
    assert file.read_text(encoding="utf-8") != "mine"


@pytest.mark.fault("6.3")
def test_a_comparison_is_written_over_a_file_only_by_force(solved: Ramify, home: Path) -> None:
    (home / "there.md").write_text("mine", encoding="utf-8")
    assert "overwrite it with --force" in solved("compare", "--last", "-o", "there.md").err


@pytest.mark.fault("6.3")
def test_an_empty_file_is_nobodys(solved: Ramify, home: Path) -> None:
    (home / "empty.md").touch()
    assert solved("report", "--last", "-o", "empty.md").code == 0
    assert solved("report", "--last", "-o", "/dev/null", "-f", "md").code == 0


def test_json_holds_the_run_and_its_tasks(solved: Ramify) -> None:
    document = json.loads(solved("graph", "--last", "-f", "json").out)
    assert (document["version"], document["status"], len(document["tasks"])) == (1, "done", 3)


def test_a_plan_file_is_drawn_without_a_run(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: g\ntasks:\n  - Describe Oslo\n  - Describe Rome\n", encoding="utf-8")
    out = ramify("graph", "plan.yaml", "-f", "mermaid").out
    assert "Describe" in out
    assert "Oslo" in out
    assert not (home / ".ramify").exists()


def test_a_picture_of_more_tasks_than_it_has_boxes_says_so_and_what_else_can_be_seen(
    ramify: Ramify, home: Path
) -> None:
    tasks = "".join(f"  - Describe part {number}\n" for number in range(400))
    (home / "plan.yaml").write_text(f"goal: g\ntasks:\n{tasks}", encoding="utf-8")
    said = ramify("graph", "plan.yaml", "-f", "svg")
    assert said.err == (
        "300 of 401 tasks shown; boxes with a + hold the others; --max-nodes N shows more, --depth N the upper levels,"
        " --focus ID one task and its relatives\n"
    )
    for part in (("--depth", "1"), ("--focus", "0.7"), ("--max-nodes", "500")):
        assert ramify("graph", "plan.yaml", "-f", "svg", *part).err == ""
    assert "graphml" in ramify("graph", "plan.yaml", "-f", "graphml").out


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
        (("--last", "--states"), "--states draws no tree; leave out --last"),
        (("plan.yaml", "--states"), "leave out plan.yaml"),
        (("--states", "--depth", "2"), "leave out --depth"),
        (("--states", "-o", "s.svg"), "convert with dot -Tsvg"),
        (("--last", "-f", "json", "--theme", "dark"), "JSON always contains the whole tree; leave out --theme"),
        (("--last", "-o", "g.json", "--focus", "0.1"), "JSON always contains the whole tree; leave out --focus"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_line(solved: Ramify, words: tuple[str, ...], message: str) -> None:
    said = solved("graph", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err.splitlines()) == 1
