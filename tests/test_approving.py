"""`--approve plan` and `approve=`: a plan is seen, and may be changed, before it is run, in the same run."""

import asyncio
import json
import shlex
import signal
import stat
import sys
from pathlib import Path

import pytest
from ramify.planner import Executor, asolve, solve
from ramify.planner.running.editing import plan_history
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .ramify_command import Ramify, ramify_process
from .test_cli_terminal import Terminal

GOAL = ("solve", "--model", "rules", "--approve", "plan", "(1+2)*(3+4)")
STORE = Path(".ramify") / "ramify.db"


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    assert home == Path.cwd()


def editor(*lines: str) -> str:
    """Return the command of an editor that does `lines` of shell to the file $1."""
    script = Path("editor.sh")
    script.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script.resolve())


def planner() -> ScriptedModel:
    plan = '<task id="a">Describe Oslo</task><task id="b" needs="a">Compare it with Rome</task>'
    replies = {"decompose 0": plan, "decompose": "<atomic/>", "*": "<result>done</result>"}
    return ScriptedModel(replies)


def kinds(store: Path | str = STORE) -> list[str]:
    with Store.open(store) as opened:
        assert len(opened.runs()) == 1
        return [event.type for event in plan_history(opened, opened.last_run().id)]


def test_without_a_terminal_it_stops_with_the_command_that_goes_on(ramify: Ramify) -> None:
    said = ramify(*GOAL)
    assert (said.code, said.out) == (5, "")
    assert "Task 0: (1+2)*(3+4)\n  Task 0.1: 1+2\n  Task 0.2: 3+4\n" in said.err
    command = shlex.split(said.last_line)
    assert command[:2] == ["ramify", "resume"]
    assert ramify(*command[1:]).out == "21\n"


def test_a_yes_runs_the_plan_in_the_same_run() -> None:
    code, seen = Terminal().run(*GOAL, "--quiet", typed="what\ny\n")
    assert (code, seen.splitlines()[-1][-4:]) == (0, ": 21")
    assert seen.count("Run this plan?") == 2
    assert kinds() == ["planned", "plan_approved"]


def test_a_no_leaves_the_run_waiting() -> None:
    code, seen = Terminal().run(*GOAL, "--quiet", typed="n\n")
    assert code == 5
    assert seen.splitlines()[-1].startswith("ramify resume r")
    assert kinds() == ["planned"]


def test_an_edited_plan_is_run_in_the_same_run() -> None:
    change = editor('sed -i "s/3+4/5+5/" "$1"')
    code, seen = Terminal().run(*GOAL, "--quiet", typed="e\n", EDITOR="false", VISUAL=change)
    assert (code, seen.splitlines()[-1]) == (0, "30")
    assert kinds() == ["planned", "plan_edited", "plan_approved"]


def test_what_is_wrong_is_shown_and_the_editor_opens_again() -> None:
    change = editor(
        "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count",
        'if [ "$n" = 0 ]; then printf "goal: g\\ntaks: []\\n" > "$1"',
        'elif [ "$n" = 1 ]; then printf "goal: g\\nid: other\\n" > "$1"',
        'else printf "goal: 20+1\\n" > "$1"; fi',
    )
    code, seen = Terminal(columns=200).run(*GOAL, "--quiet", typed="e\ne\ne\n", EDITOR=change)
    assert (code, seen.splitlines()[-1][-4:]) == (0, ": 21")
    assert ".yaml:2:1: task 0: unknown key taks; did you mean tasks?" in seen
    assert "give the plan's goal the id 0" in seen
    assert kinds() == ["planned", "plan_edited", "plan_approved"]


@pytest.mark.parametrize(
    ("does", "said"),
    [(":", "no changes"), ("exit 3", "editor.sh exited with 3"), (None, "set VISUAL or EDITOR")],
)
def test_an_edit_that_came_to_nothing_is_asked_about_again(does: str | None, said: str) -> None:
    command = "no-such-editor" if does is None else editor(does)
    code, seen = Terminal(columns=200).run(*GOAL, "--quiet", typed="e\nn\n", VISUAL="", EDITOR=command)
    assert (code, seen.count("Run this plan?")) == (5, 2)
    assert said in seen
    assert kinds() == ["planned"]


def test_a_run_that_is_cancelled_while_its_plan_is_shown_is_not_run() -> None:
    cancels = editor(f"{sys.executable} -m ramify.planner.cli cancel --last --store {STORE} > /dev/null 2>&1")
    code, seen = Terminal(columns=200).run(*GOAL, "--quiet", typed="e\ny\n", EDITOR=cancels)
    assert code == 130
    assert "was cancelled meanwhile; run its plan with `ramify resume r" in seen
    with Store.open(STORE) as opened:
        assert opened.last_run().status == "cancelled"


def test_a_kill_while_the_editor_is_open_loses_nothing() -> None:
    change = editor('sed -i "s/3+4/5+5/" "$1"', "kill -9 $PPID")
    code, seen = Terminal(columns=300).run(*GOAL, "--quiet", typed="e\n", EDITOR=change)
    assert code == -signal.SIGKILL
    assert kinds() == ["planned"]
    (command,) = [line for line in seen.splitlines() if line.startswith("ramify resume") and "--plan" in line]
    assert ramify_process(*shlex.split(command)[1:]).out == "30\n"


def test_a_program_may_approve_and_edit() -> None:
    model = planner()

    def approve(root: Task) -> bool:
        root.subtasks[0].content = "Describe Bergen"
        root.add_subtask(Task(content="Check it", id="check", dependencies=["0.2"]))
        return True

    run = solve("Compare two cities", model=model, approve=approve, store="runs.db")
    assert run.result == "done"
    asked = {request.task_id: str(request.messages) for request in model.requests if request.purpose == "execute"}
    assert set(asked) == {"0.1", "0.2", "check"}
    assert "Describe Bergen" in asked["0.1"]
    assert kinds("runs.db") == ["planned", "plan_edited", "plan_approved"]


def test_a_program_may_say_no() -> None:
    model = planner()
    events: list[str] = []
    run = solve(
        "Compare two cities", model=model, approve=lambda _: False, store="runs.db",
        on_event=lambda event: events.append(event.type),
    )  # fmt: skip
    assert (run.status, run.is_planned) == ("waiting", True)
    assert {request.purpose for request in model.requests} == {"decompose"}
    assert Executor.resume("runs.db", run.id, agent=model).result == "done"
    assert events[-1] == "run_finished"


def test_an_approval_may_be_awaited() -> None:
    async def approve(root: Task) -> bool:
        await asyncio.sleep(0)
        return len(root.subtasks) == 2

    run = asyncio.run(asolve("Compare two cities", model=planner(), approve=approve, store="runs.db"))
    assert run.result == "done"


def test_the_answer_can_be_had_as_json_when_nobody_is_there(ramify: Ramify) -> None:
    document = json.loads(ramify(*GOAL, "--json").out)
    assert (document["status"], document["result"]) == ("waiting", None)
