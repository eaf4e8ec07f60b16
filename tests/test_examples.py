"""The examples run: scripts in processes of their own, plan files by the command line, the notebook top to bottom."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .documented import ROOT

EXAMPLES = ROOT / "examples"
SCRIPTS = {
    "web_research.py": """\
Pages about Oslo:
- Oslo: Oslo is a city by a fjord.
- Trams: Six lines of trams cross the centre.
- Museums: The Munch museum stands at the water.
""",
    "hello.py": """\
849/7

[DONE] Task 0: ((17*23 + 4^5) / (9 - 2)) * 60%
  [DONE] Task 0.1: (17*23 + 4^5) / (9 - 2)
    [DONE] Task 0.1.1: 17*23 + 4^5
    [DONE] Task 0.1.2: 9 - 2
  [DONE] Task 0.2: 60%

answered by rules (no language model)
""",
    "monitor.py": """\
alert of level - reading 2: the level is 2.6, and 2.5 is the limit
alert of level - reading 4: the level is 2.9, and 2.5 is the limit
{'highest': 2.9} - 2 things noticed
""",
    "own_model.py": """\
leaf: a task without subtasks; it is executed
wave: the tasks that could run at the same time
journal: every call of a run with its reply, on disk
answered by a glossary of three words (no language model)
""",
    "python_workers.py": """\
- Simulation 0: {"pi": 3.148}
- Simulation 1: {"pi": 3.1382}
- Simulation 2: {"pi": 3.1394}
- Simulation 3: {"pi": 3.138}
- Mean of all simulations: {"pi": 3.1409}
{'pi': 3.1409}
""",
}
PLANS = {
    "monitor.yaml": """\
- Take readings: {"highest": 2.9}
- Tell of what the others meet with: 2 things noticed
""",
    "plan.yaml": "1415/7\n",
    "sums.yaml": """\
- 4 * 96 + 3 * 2 * 120 + 4 * 3 * 45.50: 1650
- divide the result by 4: 412.5
""",
    "outline.md": """\
- Getting there:
  - 4 * 48: 192
  - double the result: 384
- Sleeping:
  - 3 * 2 * 120: 720
  - 3 * 4 * 2.50: 30
""",
}
WORKERS = {"monitor.yaml": ("--workers", str(EXAMPLES / "monitor.py"))}
"""What a plan's own types of tasks take."""
NOTEBOOKS = {"solve.ipynb": 10, "compare.ipynb": 5, "figures.ipynb": 7}
"""The notebooks, with how many of their cells show something at least."""

_VARIES = re.compile(r"\br[0-9a-f]{10}\b|[\d.]+ (?:ms|s)\b")


def output_of(*command: str | Path, folder: Path) -> str:
    """Return what our own Python prints when it runs `command` in `folder`, where no settings hold."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    environment = {**kept, "HOME": str(folder)}
    process = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_what_it_should(name: str, tmp_path: Path) -> None:
    assert output_of(EXAMPLES / name, folder=tmp_path) == SCRIPTS[name]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_file_runs(name: str, tmp_path: Path) -> None:
    plan = EXAMPLES / name
    command = ("-m", "ramify.planner.cli", "run", "--model", "rules", *WORKERS.get(name, ()), plan)
    assert output_of(*command, folder=tmp_path) == PLANS[name]


def test_every_example_is_tested() -> None:
    there = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert there == {*SCRIPTS, *PLANS, *NOTEBOOKS, "picture.py"}


def notebook(path: Path) -> dict[str, Any]:
    """Return a notebook as JSON data."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def outputs_of(path: Path) -> list[str]:
    """Return what each cell of code shows as text, without progress and what differs from run to run."""
    shown = []
    for cell in (cell for cell in notebook(path)["cells"] if cell["cell_type"] == "code"):
        kept = [output for output in cell["outputs"] if output["output_type"] != "display_data"]
        texts = [output.get("text") or output["data"]["text/plain"] for output in kept]
        shown.append(_VARIES.sub("...", "".join(line for text in texts for line in text)))
    return shown


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom_and_shows_what_it_shows(name: str, tmp_path: Path) -> None:
    emptied = notebook(EXAMPLES / name)
    for cell in emptied["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    executed = tmp_path / name
    executed.write_text(json.dumps(emptied), encoding="utf-8")
    output_of("-c", "from nbclient.cli import main; main()", "--inplace", executed.name, folder=tmp_path)
    assert outputs_of(executed) == outputs_of(EXAMPLES / name)
    assert sum(map(bool, outputs_of(executed))) >= NOTEBOOKS[name]


@pytest.mark.parametrize(("name", "count"), [("solve.ipynb", 1), ("compare.ipynb", 1), ("figures.ipynb", 3)])
def test_a_notebook_shows_pictures_and_says_that_no_language_model_made_them(name: str, count: int) -> None:
    outputs = [output for cell in notebook(EXAMPLES / name)["cells"] for output in cell.get("outputs", ())]
    shown = [output["data"]["image/svg+xml"] for output in outputs if "image/svg+xml" in output.get("data", {})]
    pictures = ["".join(lines) for lines in shown]
    assert len(pictures) == count
    assert all("rules (no language model)" in picture for picture in pictures)
