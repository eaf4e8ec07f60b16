"""`lint`, and plan files on the command line."""

import json
from pathlib import Path

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
        "b.json:2:14: task 0: priority: Input should be a valid integer, unable to parse string as an integer",
        "c.md:2:9: task x needs unknown task y; did you mean 0?",
        "none.yaml:1:1: there is no such file",
    ]
    assert said.err == "5 findings in 4 of 5 plans\n"


def test_a_plan_that_can_be_run_passes(ramify: Ramify, home: Path) -> None:
    (home / "a.yaml").write_text("goal: 1+1\n", encoding="utf-8")
    said = ramify("lint", "a.yaml")
    assert (said.code, said.out, said.err) == (0, "", "nothing is wrong with 1 plan\n")
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


def test_decompose_writes_over_no_file_unless_it_is_forced(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: mine\n", encoding="utf-8")
    said = ramify("decompose", *RULES, "-o", "plan.yaml", "1+1")
    assert (said.code, (home / "plan.yaml").read_text(encoding="utf-8")) == (2, "goal: mine\n")
    assert said.err == (
        "ramify: error: plan.yaml is there already; choose another name, or write over it with --force\n"
    )
    assert ramify("runs").code == 2, "nothing was planned"
    assert ramify("decompose", *RULES, "--force", "-o", "plan.yaml", "1+1").code == 0
    assert "mine" not in (home / "plan.yaml").read_text(encoding="utf-8")
