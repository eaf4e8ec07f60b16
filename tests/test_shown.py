"""What notebooks and tables show of tasks and runs: all of a small tree, the counts of a large one, words as words."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ramify.planner import Executor, solve
from ramify.planner.errors import UsageError
from ramify.planner.export.dataframe import tasks_frame
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskManager, TaskState, Usage
from ramify.tasks.tree.notebook import MOST_TASKS, folded_text, tree_html

from .test_export_svg import HOSTILE, chain, contrast, family, flat, random_tree


class Page(HTMLParser):
    """Reads HTML: which elements there are, whether they are closed in order, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_small_tree_is_shown_whole_with_states_results_and_needs() -> None:
    root = family()
    root.subtasks[0].result = "a city by a fjord"
    page = Page(tree_html(root))
    for words in ("Compare two cities", "RUNNING", "0.2.1", "Find sources", "a city by a fjord", "needs 0.1"):
        assert words in page.text


def test_a_failed_leaf_shows_its_error() -> None:
    assert "no route" in Page(tree_html(Task(content="reach it", id="0", state="FAILED", error="no route"))).text


@pytest.mark.parametrize("make", [lambda: flat(5000), lambda: chain(5000), lambda: random_tree(3, 5000)])
def test_large_tree_is_folded_and_nothing_goes_uncounted(make: "type[Task]") -> None:
    root = make()
    shown = {"html": Page(tree_html(root)).text, "text": folded_text(root)}
    for text in shown.values():
        left_out = sum(int(count.replace(",", "")) for count in re.findall(r"([\d,]+) more tasks?:", text))
        tasks_shown = len(list(root.walk())) - left_out
        assert 0 < tasks_shown <= MOST_TASKS
    assert len(shown["text"].splitlines()) <= 2 * MOST_TASKS
    assert len(tree_html(root)) < 100_000


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    root = Task(content=words, id="0", result=words, state="DONE")
    root.add_subtask(Task(content=words, id="0.1", error=words, state="FAILED"))
    page = Page(tree_html(root))
    assert set(page.elements) <= {"div", "details", "summary", "b", "span"}
    assert page.attributes <= {"style", "open"}


@pytest.mark.parametrize("ground", ["#ffffff", "#111418"])
def test_states_are_readable_on_light_and_on_dark_pages(ground: str) -> None:
    tasks = [Task(content="step", id=state, state=state) for state in TaskState.states()]
    colours = {colour for task in tasks for colour in re.findall("color:(#[0-9a-f]{6})", tree_html(task))}
    assert len(colours) == 4
    assert min(contrast(colour, ground) for colour in colours) >= 4


def test_a_task_and_a_manager_show_the_same_tree() -> None:
    root = family()
    assert TaskManager(root)._repr_mimebundle_() == root._repr_mimebundle_()
    assert set(root._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_a_run_shows_a_picture_that_is_small_enough_for_a_notebook(tmp_path: Path) -> None:
    executor = Executor(ScriptedModel(lambda _: "<result>done</result>"), store=tmp_path / "runs.db")
    run = executor.run(flat(400))
    shown = run._repr_mimebundle_()
    assert shown["image/svg+xml"].count("<g>") <= 60
    assert len(shown["text/plain"].splitlines()) <= MOST_TASKS + 5


def test_a_look_that_a_format_does_not_have_is_refused(tmp_path: Path) -> None:
    run = Executor("rules", store=tmp_path / "runs.db").run(Task(content="1+1", id="0"))
    with pytest.raises(UsageError, match="json always contains the whole tree; leave out theme"):
        run.graph("json", theme="dark")
    with pytest.raises(UsageError, match="leave out max_nodes"):
        run.save(tmp_path / "tree.json", max_nodes=3)


def test_table_has_a_typed_row_for_each_task() -> None:
    frame = tasks_frame(family())
    assert list(frame.index) == ["0", "0.1", "0.2", "0.2.1", "0.2.2"]
    assert frame.loc["0.1", "duration_s"] == 2.5
    assert frame.loc["0.1", "cost_usd"] == 0.25
    assert frame.loc["0.1", "started_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert frame["duration_s"].isna().tolist() == [True, False, True, True, True]
    assert frame["state"].cat.categories.tolist() == TaskState.states()
    assert frame.loc["0.2", "dependencies"] == "0.1"
    assert {str(kind) for kind in frame.dtypes} == {
        "string", "int64", "category", "datetime64[us, UTC]", "float64", "bool",
    }  # fmt: skip


def test_unknown_cost_is_missing_and_never_zero() -> None:
    task = Task(content="ask", id="0", usage=Usage(calls=1, calls_without_cost=1))
    assert tasks_frame(task)["cost_usd"].isna().all()


def test_types_of_a_table_hold_for_a_tree_that_has_not_run() -> None:
    assert tasks_frame(Task(content="alone", id="0")).dtypes.equals(tasks_frame(family()).dtypes)


def test_a_run_gives_its_table(tmp_path: Path) -> None:
    frame = solve("(1+2)*(3+4)", model="rules", store=tmp_path / "runs.db").to_dataframe()
    assert frame["result"].tolist() == ["21", "3", "7"]
    assert frame["calls"].sum() == frame["calls"].astype(int).sum() > 0


def test_without_pandas_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from ramify.planner.export.dataframe import tasks_frame\n"
        "from ramify.tasks import Task\n"
        "from ramify.planner.errors import ExportError\n"
        "try: tasks_frame(Task(content='one'))\n"
        "except ExportError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'ramify[dataframe]'" in said


def test_duration_is_known_of_what_has_ended_only() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    task = Task(content="step", started_at=start, completed_at=start + timedelta(seconds=3))
    assert task.duration_s is None
    task.set_state("DONE")
    assert task.duration_s is not None


def test_a_run_that_has_not_begun_is_shown_as_it_was_stored(tmp_path: Path) -> None:
    run = Executor(ScriptedModel({}), store=tmp_path / "runs.db").new_run(Task(content="x", id="0"))
    assert (run.losses, [each["state"] for each in run.to_data()["tasks"]]) == ([], ["OPEN"])
    run.cancel()
