"""`lint`, and plan files on the command line."""

import json
from pathlib import Path

import pytest
from ramify.tasks import lint_plan

from .ramify_command import Ramify

RULES = ("--model", "rules")


def test_lint_prints_everything_that_is_wrong_with_all_files(ramify: Ramify, home: Path) -> None:
    (home / "a.yaml").write_text("goal: g\ntaks: []\ntasks: [{task: ' '}]\n", encoding="utf-8")
    (home / "b.json").write_text('{"goal": "g",\n "priority": "high"}', encoding="utf-8")
    (home / "c.md").write_text("# g\n- a {#x needs=y}\n", encoding="utf-8")
    (home / "d.yaml").write_text("goal: g\n", encoding="utf-8")
    said = ramify("lint", "a.yaml", "b.json", "c.md", "d.yaml", "none.yaml")
    assert said.code == 2
    assert said.out.splitlines() == [
        "a.yaml:2:1: task 0: unknown key taks; did you mean tasks?",
        "a.yaml:3:16: task 0.1 is blank; say what is to be done",
        "b.json:2:14: task 0: priority: must be a whole number, not text",
        "c.md:2:9: task x needs unknown task y; did you mean 0?",
        "none.yaml:1:1: there is no such file",
    ]
    assert said.err == "5 errors in 4 of 5 plans\n"


def test_a_plan_that_can_be_run_passes(ramify: Ramify, home: Path) -> None:
    (home / "a.yaml").write_text("goal: 1+1\n", encoding="utf-8")
    said = ramify("lint", "a.yaml")
    assert (said.code, said.out, said.err) == (0, "", "1 plan checked, no errors\n")
    assert lint_plan("a.yaml") == []


def test_findings_can_be_had_as_json(ramify: Ramify, home: Path) -> None:
    (home / "a.yaml").write_text("goal: g\nneed: [x]\n", encoding="utf-8")
    said = ramify("lint", "--json", "a.yaml")
    assert (said.code, json.loads(said.out)) == (
        2,
        {
            "version": 1,
            "findings": [
                {"plan": "a.yaml", "line": 2, "column": 1, "message": "task 0: unknown key need; did you mean needs?"}
            ],
        },
    )


def test_words_of_a_plan_cannot_steer_the_terminal(ramify: Ramify, home: Path) -> None:
    (home / "a.yaml").write_text('goal: g\n"\\e[31m": 1\n', encoding="utf-8")
    assert "\x1b" not in ramify("lint", "a.yaml").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("decompose", "-o", "p.foo"),
            "p.foo has no plan format; use one of these endings: .yaml, .yml, .json, .md, .markdown",
        ),
        (("decompose", "-o", "nowhere/p.yaml"), "nowhere/p.yaml cannot be written: there is no folder nowhere"),
        (("decompose", "-o", "."), ". cannot be written: it is a folder"),
        (("decompose", "-o", f"{'x' * 300}.yaml"), "x.yaml cannot be written: File name too long"),
        (
            ("sweep", "-p", "max_depth=1", "-o", "s.foo"),
            "s.foo has no comparison format; use one of these endings: .txt, .md,",
        ),
        (("sweep", "-p", "max_depth=1", "-o", "nowhere/s.md"), "nowhere/s.md cannot be written"),
        (("evolve", "-o", "new.csv"), "new.csv has no JSON Lines format; use one of these endings: .jsonl, .ndjson"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_anything_is_asked(
    words: tuple[str, ...], message: str, ramify: Ramify, home: Path
) -> None:
    said = ramify(*words, *RULES, "1+1")
    assert (said.code, message in said.err) == (2, True), said.err
    assert list(home.iterdir()) == []


def test_decompose_writes_over_no_file_unless_it_is_forced(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: mine\n", encoding="utf-8")
    said = ramify("decompose", *RULES, "-o", "plan.yaml", "1+1")
    assert (said.code, (home / "plan.yaml").read_text(encoding="utf-8")) == (2, "goal: mine\n")
    assert said.err == ("ramify: error: plan.yaml already exists; choose another name, or overwrite it with --force\n")
    assert ramify("runs").code == 2, "nothing was planned"
    assert ramify("decompose", *RULES, "--force", "-o", "plan.yaml", "1+1").code == 0
    assert "mine" not in (home / "plan.yaml").read_text(encoding="utf-8")


def test_a_task_can_be_said_differently_and_only_what_depends_on_it_is_done_again(ramify: Ramify) -> None:
    run_id = json.loads(ramify("solve", *RULES, "--json", "(1+2)*(3+4)").out)["run"]
    said = ramify("resume", run_id, "--set", "0.1=5+5", "--display", "json")
    assert (said.code, said.out) == (0, "70\n")
    events = [json.loads(line) for line in said.err.splitlines() if line.startswith("{")]
    assert [event["task"] for event in events if event["type"] == "task_started"] == ["0.1", "0"]
    again = ramify("resume", run_id, "--from", "0.2", "--display", "json")
    events = [json.loads(line) for line in again.err.splitlines() if line.startswith("{")]
    assert [event["task"] for event in events if event["type"] == "task_started"] == ["0.2", "0"]
    assert ramify("resume", run_id, "--set-result", "0.2=9").out == "90\n"


def test_the_history_of_a_plan_is_shown_with_the_differences(ramify: Ramify, home: Path) -> None:
    run_id = json.loads(ramify("solve", *RULES, "--json", "(1+2)*(3+4)").out)["run"]
    ramify("resume", run_id, "--set", "0.1=5+5")
    (home / "edited.yaml").write_text(
        'goal: (1+2)*(3+4)\ntasks: [{id: "0.1", task: 5+5}, {id: "0.3", task: 2+2}]\n', encoding="utf-8"
    )
    ramify("resume", run_id, "--plan", "edited.yaml")
    lines = [line.partition(", 20")[0] for line in ramify("show", run_id, "--history").out.splitlines()]
    assert lines == [
        "plan 1 was made, 3 tasks",
        "plan 2 was edited",
        '  0.1 content: "1+2" -> "5+5"',
        "  run again: 0 0.1",
        "plan 3 was edited",
        "  + 0.3: 2+2",
        "  - 0.2: 3+4",
        "  run again: 0",
    ]
    history = json.loads(ramify("show", run_id, "--history", "--json").out)["history"]
    assert [event["type"] for event in history] == ["planned", "plan_edited", "plan_edited"]


def test_what_cannot_be_edited_is_said_in_a_line(ramify: Ramify, home: Path) -> None:
    run_id = json.loads(ramify("solve", *RULES, "--json", "(1+2)*(3+4)").out)["run"]
    (home / "bad.yaml").write_text("goal: g\nneeds: [x]\n", encoding="utf-8")
    for words, message in [
        (("--set", "0.12=x"), "there is no task 0.12 in the tree of task 0; did you mean 0.2?"),
        (("--from", "7"), "there is no task 7 in the tree of task 0; there are 0, 0.1, 0.2"),
        (("--set", "0.1"), "--set needs ID=TEXT, such as --set \"0.2=Describe Oslo\", not '0.1'"),
        (("--set", "0.1=a", "--set", "0.1=b"), "--set is given twice for task 0.1"),
        (("--set", "0.1= "), "the new content of task 0.1 is blank; give ID=TEXT"),
        (("--plan", "bad.yaml"), "bad.yaml:2:9: task 0 needs unknown task x"),
    ]:
        said = ramify("resume", run_id, *words)
        assert (said.code, said.err) == (2, f"ramify: error: {message}\n")


def test_lint_knows_who_does_what_if_it_is_told_the_workers(ramify: Ramify, home: Path) -> None:
    (home / "mine.py").write_text(
        "from ramify.planner import worker\n\n@worker\ndef count(task):\n    return 1\n", encoding="utf-8"
    )
    (home / "plan.yaml").write_text("goal: all\ntasks:\n  - {task: a, type: coun}\n", encoding="utf-8")
    assert ramify("lint", "plan.yaml").code == 0
    said = ramify("lint", "plan.yaml", "--workers", "mine.py")
    assert said.code == 2
    assert said.out.startswith(
        "plan.yaml:3:21: task 0.1 needs a worker 'coun', which does not exist (did you mean 'count'?)"
    )
    (home / "plan.yaml").write_text("goal: all\ntasks:\n  - {task: a, type: count}\n", encoding="utf-8")
    assert ramify("lint", "plan.yaml", "--workers", "mine.py").code == 0


def test_lint_knows_which_policies_there_are(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: all\nconfig: {policy: strem}\ntasks: [a]\n", encoding="utf-8")
    said = ramify("lint", "plan.yaml")
    assert said.code == 2
    assert "config.policy: there is no policy 'strem' (did you mean 'streaming'?)" in said.out
