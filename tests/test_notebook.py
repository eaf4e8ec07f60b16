"""Notebooks, in a real kernel: what runs, tasks and errors look like there, and the progress in a cell."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from ramify.planner.progress.lines import Line
from ramify.planner.progress.notebook import bundle
from ramify.prompts.tracebacks import from_own_code, short_traceback

from .patience import HANG_S
from .test_export_svg import HOSTILE
from .test_shown import Page

CELLS = {
    "first": """
import time
from ramify.planner import Executor, Strategy, asolve, solve
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskManager
run = solve("(1+2)*(3+4)", model="rules", store="runs.db")
print(run.result)
""",
    "run": "run",
    "task": "run.task.subtasks[0]",
    "manager": "TaskManager(run.task)",
    "table": "run.to_dataframe()[['state', 'result']]",
    "async": """
run = await asolve("2*(3+4)", model="rules", store="runs.db")
run.result
""",
    "awaited": """
run = await Executor("rules", store="runs.db").start(Task(content="6*7", id="0"))
run.result
""",
    "strategy": """
Strategy("depth", "(1+2)*(3+4)", {"max_depth": [1, 2]}).run("rules", store="runs.db").status
""",
    "slow": """
def work(task):
    time.sleep(0.4)
    if task.id == "0.3":
        raise ValueError("the page <b> is gone")
    return "fine"

root = Task(content="look things up", id="0", config=TaskConfig(max_retries=0))
root.add_subtasks(Task(content=f"page {n}", id=f"0.{n}", type="web") for n in range(1, 5))
model = ScriptedModel(lambda _: "<result>all</result>")
run = Executor(model, workers={"web": work}, jobs=2, store="runs.db").run(root)
""",
    "error": """
wanted = "no such run"
def look():
    return Executor.resume("runs.db", wanted)
look()
""",
    "own error": "1 / 0",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each cell shows, and every picture that was painted on the way."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    folder = str(tmp_path_factory.mktemp("notebook"))
    NotebookClient(notebook, timeout=HANG_S, allow_errors=True, resources={"metadata": {"path": folder}}).execute()
    return dict(zip(CELLS, (cell.outputs for cell in notebook.cells), strict=True))


def data_of(outputs: list[Any]) -> dict[str, str]:
    return next(dict(output.data) for output in outputs if output.output_type == "execute_result")


def progress_of(outputs: list[Any]) -> dict[str, str]:
    (found,) = [dict(output.data) for output in outputs if output.output_type == "display_data"]
    return found


def errors_of(outputs: list[Any]) -> list[str]:
    return next(list(output.traceback) for output in outputs if output.output_type == "error")


def test_run_shows_its_picture_and_its_tree(outputs: dict[str, list[Any]]) -> None:
    shown = data_of(outputs["run"])
    assert "image/svg+xml" in shown
    assert "[DONE] Task 0.1: 1+2" in shown["text/plain"]


@pytest.mark.parametrize("name", ["task", "manager"])
def test_task_and_manager_show_a_tree_that_folds(outputs: dict[str, list[Any]], name: str) -> None:
    assert "details" in Page(data_of(outputs[name])["text/html"]).elements


def test_table_shows_as_a_table(outputs: dict[str, list[Any]]) -> None:
    assert "table" in Page(data_of(outputs["table"])["text/html"]).elements


@pytest.mark.parametrize(("name", "result"), [("async", "14"), ("awaited", "42")])
def test_await_works_in_the_running_loop_of_a_kernel(outputs: dict[str, list[Any]], name: str, result: str) -> None:
    assert data_of(outputs[name])["text/plain"] == f"'{result}'"


@pytest.mark.parametrize("name", ["first", "async", "awaited"])
def test_an_answered_run_leaves_its_counts_in_the_cell(outputs: dict[str, list[Any]], name: str) -> None:
    lines = progress_of(outputs[name])["text/plain"].splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("done: ")
    assert "rules (no language model)" in lines[1]


def test_runs_inside_a_run_are_not_shown_beside_it(outputs: dict[str, list[Any]]) -> None:
    assert progress_of(outputs["strategy"])["text/plain"].startswith("done: 3/3 done")
    assert data_of(outputs["strategy"])["text/plain"] == "'done'"


def test_a_failed_run_leaves_what_failed_in_the_cell(outputs: dict[str, list[Any]]) -> None:
    shown = progress_of(outputs["slow"])
    assert "ValueError: the page <b> is gone" in shown["text/plain"]
    assert set(Page(shown["text/html"]).elements) == {"div", "span"}


def test_the_log_of_a_failed_function_begins_with_the_users_code(outputs: dict[str, list[Any]]) -> None:
    (logged,) = [output.text for output in outputs["slow"] if output.output_type == "stream"]
    assert logged.count("File ") == 1
    assert ", in work" in logged


def test_an_error_of_ours_is_the_message_and_the_users_lines(outputs: dict[str, list[Any]]) -> None:
    message, *lines = errors_of(outputs["error"])
    assert message.startswith("RunError: ")
    assert lines == [
        "    line 4 of the cell: look()",
        '    line 3 of the cell: return Executor.resume("runs.db", wanted)',
    ]


def test_other_errors_are_shown_as_ever(outputs: dict[str, list[Any]]) -> None:
    assert any("ZeroDivisionError" in line for line in errors_of(outputs["own error"]))
    assert len(errors_of(outputs["own error"])) > 2


def test_progress_has_a_bar_while_the_run_goes_on() -> None:
    line = Line("running: ", "3/12 done", look="title")
    page = Page(bundle([line], bar=(3, 12))["text/html"])
    assert page.elements == ["div", "div", "span", "progress"]
    assert "3/12 done" in page.text
    assert "progress" not in bundle([line], bar=None)["text/html"]


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    html = bundle([Line(words, words, note=words, facts=words, look="FAILED")], bar=(0, 0))["text/html"]
    page = Page(html)
    assert set(page.elements) == {"div", "span", "progress"}
    assert page.attributes <= {"style", "value", "max", "aria-label"}


def test_nothing_is_painted_outside_of_a_kernel(tmp_path: Path) -> None:
    code = (
        "import sys, IPython\nfrom ramify.planner import solve\n"
        "print(solve('1+2', model='rules', store='runs.db').result)\n"
        "assert not [name for name in sys.modules if name.startswith('ramify.planner.progress')]"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "3\n"


def test_a_trace_begins_with_own_code_and_stays_whole_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="Expecting value") as caught:
        json.loads("no JSON")
    error = caught.value
    assert error.__traceback__ is not None
    assert from_own_code(error.__traceback__) is error.__traceback__
    assert from_own_code(error.__traceback__.tb_next) is error.__traceback__.tb_next
    assert from_own_code(None) is None
    message, *lines = short_traceback(error)
    assert message.startswith("JSONDecodeError: ")
    assert 'json.loads("no JSON")' in lines[0]
