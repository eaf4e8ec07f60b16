"""Reports in the programs that people read them with: data frames, GFM, and a parser that takes no more than JSON."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import NoReturn

import cmarkgfm  # type: ignore[import-untyped]
import duckdb
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
from ramify.planner.export.report import report_of
from ramify.planner.export.report.markdown import escaped
from ramify.planner.store import StoredRun
from ramify.tasks import Task

from .report_samples import hostile_run, render_report, sample_run

Read = Callable[[Path], list[dict[str, object]]]
READERS: dict[str, Read] = {
    "pandas": lambda path: [{**row} for row in pd.read_csv(path).to_dict("records")],
    "polars": lambda path: pl.read_csv(path).to_dicts(),
    "duckdb": lambda path: [{**row} for row in duckdb.read_csv(str(path)).df().to_dict("records")],
}
WORDS = [
    "see https://example.org/a_b?c=1&d=2#e~f now",
    "http://example.org/~user/a*b_c_d",
    "https://example.org/a|b",
    "https://example.org/(a_b)",
    "<https://example.org> ftp://example.org/a_b",
    "www.example.org/a_b",
    "2^3^2",
    "H~2~O and ~~gone~~",
    "git commit --amend -- x --- y",
    "@x and me_too@example.org",
    r"C:\new\table",
    "1. first",
    "12) twelfth",
    "- item",
    "+ item",
    "# head",
    "> quote",
    "**bold** __init__ `code`",
    "<b>x</b> &amp; &copy;",
    "$x$ $$ [a](b) ![c](d) [^1]",
    "| a | b |",
]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words = ""

    def handle_data(self, data: str) -> None:
        self.words += data


def shown(markdown: str) -> str:
    """Return the words that GitHub's Markdown shows, as one line."""
    reader = _Text()
    reader.feed(cmarkgfm.github_flavored_markdown_to_html(markdown))
    return " ".join(reader.words.split())


def outline() -> StoredRun:
    """Return a run with ids that look like numbers, dates or nothing."""
    run = sample_run(12)
    names = ["0", "0.1", "0.10", "0.2", "1e5", "2.1.3", "NA", "null", "true", "inf", "01", "-3"]
    for task, name in zip(run.root.walk(), names, strict=True):
        task.id, task.dependencies = name, []
    tasks = list(run.root.walk())
    tasks[3].dependencies = ["0.10"]
    tasks[4].dependencies = ["0.10", "0.2"]
    return run


@pytest.mark.fault("5.2")
@pytest.mark.parametrize("reader", READERS)
def test_ids_are_read_as_they_are(tmp_path: Path, reader: str) -> None:
    run = outline()
    path = tmp_path / "run.csv"
    path.write_bytes(render_report(report_of(run), "csv"))
    rows = READERS[reader](path)
    tasks = list(run.root.walk())
    assert [row["id"] for row in rows] == [f"task:{task.id}" for task in tasks]
    assert [row["parent"] for row in rows[1:]] == [f"task:{_parent(task)}" for task in tasks[1:]]
    assert [rows[place]["dependencies"] for place in (3, 4)] == ["task:0.10", "task:0.10 task:0.2"]


@pytest.mark.fault("5.2")
@pytest.mark.parametrize("words", ["-3", "+3", "-3.5", "-.5", "-2e-9", "3"])
@pytest.mark.parametrize("reader", READERS)
def test_a_number_as_a_result_is_read_as_that_number(tmp_path: Path, reader: str, words: str) -> None:
    run = sample_run(3)
    for task in run.root.walk():
        task.result = words
    path = tmp_path / "run.csv"
    path.write_bytes(render_report(report_of(run), "csv"))
    assert [float(str(row["result"])) for row in READERS[reader](path)] == [float(words)] * 3


@pytest.mark.fault("5.3")
@pytest.mark.parametrize("words", WORDS)
def test_words_are_shown_as_they_are_by_gfm(words: str) -> None:
    assert shown(escaped(words)) == words
    assert shown(f"| a | b |\n|---|---|\n| {escaped(words)} | z |") == f"a b {words} z"


@pytest.mark.parametrize("run", [sample_run(12), hostile_run(), outline()], ids=["sample", "hostile", "outline"])
def test_a_report_is_json_and_no_more(run: StoredRun) -> None:
    json.loads(render_report(report_of(run), "json"), parse_constant=_refuse)


def test_a_report_is_read_by_gfm_as_one_table_of_tasks() -> None:
    html = cmarkgfm.github_flavored_markdown_to_html(render_report(report_of(hostile_run()), "md").decode())
    rows = html.partition("<h2>Tasks</h2>")[2].partition("</table>")[0].count("<tr>")
    assert rows == 1 + len(list(hostile_run().root.walk()))


def _parent(task: Task) -> str:
    assert task.parent is not None
    return task.parent.id


def _refuse(constant: str) -> NoReturn:
    pytest.fail(f"{constant} is no JSON")
