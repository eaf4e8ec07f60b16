"""The table of formats: each row has a writer, endings of its own, a line in the docs, and keeps a stranger's words."""

from pathlib import Path
from typing import Any, get_args

import pytest
from ramify.planner.errors import UsageError
from ramify.planner.export.comparison import Comparison, Variant
from ramify.planner.export.formats import FORMATS, Format, Subject, endings_of, format_of, formats_of, save_as
from ramify.planner.export.report import report_of
from ramify.planner.export.snapshot import graph_view
from ramify.tasks.tree.documents import tree_to_data

from .ramify_command import Ramify
from .reference import DOCS
from .report_samples import hostile_run, hostile_study

EVERY = pytest.mark.parametrize("row", FORMATS, ids=lambda row: f"{row.of} {row.name}")
MAGIC = {"png": b"\x89PNG", "pdf": b"%PDF", "xlsx": b"PK"}


def subject_of(row: Format) -> Any:
    """Return something full of hostile words that the row's writer takes."""
    report = report_of(hostile_run())
    variants = tuple(Variant(name=each.task.content, answer=each.task.result) for each in report.tasks)
    return {
        "graph": tree_to_data(report.root) if row.takes_data else graph_view(report.root, made_by=report.made_by),
        "timeline": report.timeline,
        "report": report,
        "comparison": Comparison(report.record.goal, variants),
        "study": hostile_study(),
    }[row.of]


@EVERY
def test_every_row_writes_a_strangers_words(row: Format, tmp_path: Path) -> None:
    subject = subject_of(row)
    data = save_as(row.of, subject, tmp_path / f"written{row.endings[0]}").read_bytes()
    assert data.startswith(MAGIC.get(row.name, b""))
    assert (row.name not in MAGIC) is row.is_text
    if row.is_text:
        assert data == row.text(subject).encode("utf-8", "backslashreplace")
        assert b"alert" in data
    else:
        with pytest.raises(UsageError, match=f"{row.name} is not text; write it to a file"):
            row.text(subject)


@EVERY
def test_every_row_has_its_line_in_the_docs(row: Format) -> None:
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    section = page.split(f"\n### {row.of.capitalize()} formats\n")[1].split("\n##")[0]
    assert f"| {row.name} | {' '.join(f'`{each}`' for each in row.endings)} | {row.about} |" in section


@EVERY
def test_every_ending_names_its_row_and_no_other(row: Format) -> None:
    assert row.endings
    for ending in row.endings:
        assert format_of(row.of, Path(f"a{ending.upper()}")) is row
    assert [each for each in FORMATS if (each.of, each.name) == (row.of, row.name)] == [row]
    assert len(endings_of(row.of)) == sum(len(each.endings) for each in formats_of(row.of).values())


@pytest.mark.parametrize("of", get_args(Subject))
def test_what_is_not_said_is_the_first_row(of: Subject) -> None:
    assert format_of(of) is next(each for each in FORMATS if each.of == of)


@pytest.mark.parametrize(
    ("form", "meant"),
    [("mermiad", "mermaid"), ("MMD", "mermaid"), (".gv", "dot"), ("SVG", "svg"), ("grapml", "graphml")],
)
def test_a_slip_is_told_what_it_may_mean(form: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"the formats are {', '.join(formats_of('graph'))}; did you mean {meant}\?$"):
        format_of("graph", form=form)


def test_an_ending_is_told_what_it_may_mean() -> None:
    with pytest.raises(
        UsageError, match=r"a\.htmll has no report format; .*, or name the format; did you mean \.html\?"
    ):
        format_of("report", Path("a.htmll"))


def test_a_format_that_is_said_counts_more_than_the_ending() -> None:
    assert format_of("graph", Path("a.svg"), "dot").name == "dot"


@pytest.mark.parametrize("command", ["graph", "timeline", "report", "compare"])
def test_commands_take_every_format_of_the_table(ramify: Ramify, home: Path, command: str) -> None:
    of: Subject = "comparison" if command == "compare" else command  # type: ignore[assignment]
    assert f"<{'|'.join(formats_of(of))}>" in "".join(ramify(command, "--help").out.split())
    ramify(*(["sweep", "-p", "max_depth=1,2"] if of == "comparison" else ["solve"]), "--model", "rules", "1+2")
    for row in formats_of(of).values():
        said = ramify(command, "--last", "-o", f"drawn{row.endings[-1]}")
        assert (said.code, said.out) == (0, ""), said.err
        assert (home / f"drawn{row.endings[-1]}").stat().st_size
