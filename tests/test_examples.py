"""The examples run: scripts in processes of their own, plan files by the command line, the notebook top to bottom."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ramify.planner.tools import transition_diagram

from .documented import ROOT
from .openai_server import Chat, OpenAIServer
from .patience import HANG_S

EXAMPLES = ROOT / "examples"
SCRIPTS = {
    "web_research.py": """\
Pages about Oslo:
- Oslo: Oslo is a city by a fjord.
- Trams: Six lines of trams cross the centre.
- Museums: The Munch museum stands at the water.
""",
    "background.py": """\
another process sees: running 33% - brew: Brew the tea - error: None
then: done - ["hot water", "tea"]
waited for: ["hot water", "tea"]
cancelled: cancelled - [('boil', 'DONE'), ('brew', 'OPEN')]
""",
    "camel_compose.py": """\
Task 0.1: What share of an hour are 51 minutes?
Task 0.2: What is that share of $12?
She earned $10.20.
""",
    "camel_evolve.py": """\
Task 0: Maya is paid $12 for an hour of babysitting. Yesterday it was 51 minutes. What did she earn?
Task 0.0: Maya is paid $12 for an hour, and $2 more for each after the first. What do 3 hours earn her?
""",
    "camel_hierarchy.py": """\
Task 0: the start
  Task 1: first part
  Task 2: second part
    Task 2.1: a piece of the second part
    Task 2.2: another piece of it
  Task 3: third part
""",
    "camel_task.py": """\
Task 0: Maya is paid $12 for an hour of babysitting. Yesterday it was 51 minutes. What did she earn?
""",
    "chat_with_tools.py": f"""\
{transition_diagram()}
turn 1, call 1: convert -> there is no rate for 'kr', only for NOK, SEK
turn 2, call 1: convert -> 138.00 NOK
12 euros are 138 kroner.
""",
    "checked_answer.py": """\
fail - it has 2 words, and one is asked for
pass - nothing is wrong
Oslo
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
    "killed.py": """\
the first process was killed by signal 9, with 2 of 6 tasks done
begun: 1 2 3 3 4 5
result: [1, 4, 9, 16, 25]
""",
    "memory.py": """\
session: [{"visited": 1}, {"visited": 2}] - and in another run: [{"visited": 1}, {"visited": 2}]
permanent: [{"visited": 1}, {"visited": 2}] - and in another run: [{"visited": 3}, {"visited": 4}]
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
    "plan_as_code.py": """\
the first process was killed by signal 9, with 6 tasks done
weighed: 1 2 3 5 10 20 20 40 -1
result: {"total": 162, "left out": "0.6"}
""",
    "python_workers.py": """\
- Simulation 0: {"pi": 3.148}
- Simulation 1: {"pi": 3.1382}
- Simulation 2: {"pi": 3.1394}
- Simulation 3: {"pi": 3.138}
- Mean of all simulations: {"pi": 3.1409}
{'pi': 3.1409}
""",
    "rewriting.py": """\
embedding={model: embedder}, rewriter={model: small, prompt: Make this more c…
  'small has read: Make this more concise: This is a test of what is left of a text': 3 numbers, 80.0 ...
embedding={model: embedder}, rewriter={model: large, prompt: Make this more c…
  'large has read: Make this more concise: This is a test of what is left of a text': 3 numbers, 80.0 ...
""",
    "sales_report.py": """\
Read Q1: {'revenue': 3000, 'customers': 2}
Read Q2: {'revenue': 3600, 'customers': 3}
Compare: {'revenue': 6600.0, 'growth': 0.2}
report: sales.xlsx
""",
    "series_and_parallel.py": """\
serial: [['serial.1'], ['serial.2'], ['serial.3'], ['serial']] -> [1, 3, 6]
parallel: [['parallel.1', 'parallel.2', 'parallel.3'], ['parallel']] -> [1, 2, 3]
both: [[1, 3, 6], [1, 2, 3]]
""",
    "system_prompt.py": """\
The opera house, as a guide would say.
""",
    "task_json.py": """\
{
 "id": "greeting",
 "type": "prompt",
 "name": "greeting",
 "description": "Say hello",
 "status": "completed",
 "priority": 1,
 "input": {
  "prompt": "Hello, {{ who }}!",
  "who": "Ada"
 },
 "output": "Hello, Ada!",
 "error": null,
 "metadata": {
  "language": "en"
 },
 "dependencies": [],
 "nextTasks": [
  "shout"
 ]
}
times: ['completedAt', 'createdAt', 'updatedAt']
""",
    "two_runs.py": """\
Six lines of trams cross the centre of Oslo. They run from five in the morning.
""",
}
ASKING = {
    *("camel_compose.py", "camel_evolve.py", "chat_with_tools.py", "checked_answer.py", "rewriting.py"),
    "system_prompt.py",
}
"""The scripts that ask a language model; here a server that says what follows."""
SAID = {
    "138.00 NOK": "<result>12 euros are 138 kroner.</result>",
    "there is no rate for 'kr'": '<call tool="convert">{"euros": 12, "currency": "NOK"}</call>',
    "12 euros in Norwegian kroner": '<call tool="convert">{"euros": 12, "currency": "kr"}</call>',
    "and one is asked for": "<result>Oslo</result>",
    "What is the capital": "<result>It's Oslo</result>",
    "You are a guide. Answer in one short sentence.\n\nYou plan": "<atomic/>",
    "You are a guide": "<result>The opera house, as a guide would say.</result>",
    "You plan work": "<task>What share of an hour are 51 minutes?</task><task>What is that share of $12?</task>",
    "You answer a goal from the results": "<result>She earned $10.20.</result>",
    "You write tasks for a collection": (
        "<task>Maya is paid $12 for an hour, and $2 more for each after the first. What do 3 hours earn her?</task>"
    ),
}
ARGUMENTS = {"rewriting.py": ("small,large", "embedder")}
PLANS = {
    "monitor.yaml": """\
- Take readings: {"highest": 2.9}
- Report what the other tasks notice: 2 things noticed
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
NOTEBOOKS = {"solve.ipynb": 10, "compare.ipynb": 5, "figures.ipynb": 7, "real_model.ipynb": 5}
"""The notebooks, with how many of their cells show something at least."""

_VARIES = re.compile(r"\br[0-9a-f]{10}\b|[\d.]+ (?:ms|s)\b")


def output_of(*command: str | Path, folder: Path, **settings: str) -> str:
    """Return what our own Python prints when it runs `command` in `folder`, where no `settings` hold but these."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    environment = {**kept, "HOME": str(folder), **settings}
    process = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def reply(chat: Chat) -> str:
    """Answer the scripts that ask a language model."""
    if chat.texts:
        return json.dumps([[float(len(text)), 1.0, 0.5] for text in chat.texts])
    found = [said for words, said in SAID.items() if words in chat.said("system") + chat.user]
    return found[0] if found else f"{chat.body['model']} has read: {chat.user}"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(reply) as started:
        yield started


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_what_it_should(name: str, tmp_path: Path, server: OpenAIServer) -> None:
    model = {"RAMIFY_BASE_URL": server.base_url, "RAMIFY_MODEL": "test-model"} if name in ASKING else {}
    asked_before = len(server.chats)
    assert output_of(EXAMPLES / name, *ARGUMENTS.get(name, ()), folder=tmp_path, **model) == SCRIPTS[name]
    assert (len(server.chats) > asked_before) is (name in ASKING)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_file_runs(name: str, tmp_path: Path) -> None:
    plan = EXAMPLES / name
    command = ("-m", "ramify.planner.cli", "run", "--model", "rules", *WORKERS.get(name, ()), plan)
    assert output_of(*command, folder=tmp_path) == PLANS[name]


def test_every_example_is_tested() -> None:
    there = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert there == {*SCRIPTS, *PLANS, *NOTEBOOKS, "picture.py", "real_model.jsonl", "slurm.sh"}


def test_the_script_for_slurm_can_be_read_by_a_shell_and_names_what_there_is() -> None:
    script = EXAMPLES / "slurm.sh"  # tests/test_slurm.py runs it where Slurm is
    read = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False, timeout=HANG_S)
    assert (read.returncode, read.stderr) == (0, "")
    assert 'export RAMIFY_ENGINE="dask:$' in script.read_text(encoding="utf-8")


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
    if (EXAMPLES / name).with_suffix(".jsonl").exists():  # what it shows a recording of
        shutil.copy((EXAMPLES / name).with_suffix(".jsonl"), tmp_path)
    executed.write_text(json.dumps(emptied), encoding="utf-8")
    output_of("-c", "from nbclient.cli import main; main()", "--inplace", executed.name, folder=tmp_path)
    assert outputs_of(executed) == outputs_of(EXAMPLES / name)
    assert sum(map(bool, outputs_of(executed))) >= NOTEBOOKS[name]


@pytest.mark.parametrize(
    ("name", "count", "who"),
    [
        ("solve.ipynb", 1, "rules (no language model)"),
        ("compare.ipynb", 1, "rules (no language model)"),
        ("figures.ipynb", 3, "rules (no language model)"),
        ("real_model.ipynb", 2, "answers by lm"),
    ],
)
def test_a_notebook_shows_pictures_and_says_who_answered(name: str, count: int, who: str) -> None:
    outputs = [output for cell in notebook(EXAMPLES / name)["cells"] for output in cell.get("outputs", ())]
    shown = [output["data"]["image/svg+xml"] for output in outputs if "image/svg+xml" in output.get("data", {})]
    pictures = ["".join(lines) for lines in shown]
    assert len(pictures) == count
    assert all(who in picture for picture in pictures)
