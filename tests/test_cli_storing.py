"""`store ...`, `--record`, `--cache` and `--model replay:...` on the command line."""

import json
from pathlib import Path

import pytest
from ramify.planner.store import NewRun, Store
from ramify.tasks import Task

from .ramify_command import Ramify

RULES = ("--model", "rules")
GOAL = "(1+2)*(3+4)"


def last_id(ramify: Ramify) -> str:
    return str(json.loads(ramify("runs", "--json").out)["runs"][0]["run"])


def put_run(run_id: str, settings: dict[str, object]) -> None:
    new = NewRun(id=run_id, goal="x", created_at=1.0, model="gpt-5-mini", made_by="gpt-5-mini", settings=settings)
    with Store.open("a.db") as store:
        store.create_run(new, Task("x", id="0"))


def test_a_recorded_run_is_replayed_and_says_so(ramify: Ramify) -> None:
    assert ramify("solve", *RULES, "--record", "calls.jsonl", GOAL).code == 0
    said = ramify("solve", "--model", "replay:calls.jsonl", GOAL)
    assert (said.code, said.out) == (0, "21\n")
    assert "answered by replay of calls.jsonl (rules): run r" in said.last_line
    assert ", 0 calls, 0 tokens, $0.0000" in said.last_line


def test_a_run_is_replayed_from_the_store_that_is_given(ramify: Ramify) -> None:
    ramify("solve", *RULES, "--store", "a.db", GOAL)
    run_id = json.loads(ramify("runs", "--store", "a.db", "--json").out)["runs"][0]["run"]
    assert ramify("solve", "--store", "a.db", "--model", f"replay:{run_id}", GOAL).out == "21\n"
    assert ramify("solve", "--model", f"replay:{run_id}", GOAL).code == 3


def test_a_miss_ends_with_exit_code_3_and_a_difference(ramify: Ramify) -> None:
    ramify("solve", *RULES, "--record", "calls.jsonl", GOAL)
    said = ramify("solve", "--model", "replay:calls.jsonl", "(1+2)*(3+5)")
    assert (said.code, said.out) == (3, "")
    assert "\n-(1+2)*(3+4)\n+(1+2)*(3+5)\n" in said.err
    assert said.last_line.startswith("ramify resume r")


@pytest.mark.parametrize("model", ["replay:nowhere.jsonl", "replay:rx", "replay:here.jsonl"])
def test_a_recording_that_cannot_be_used_ends_with_exit_code_3(model: str, ramify: Ramify) -> None:
    ramify("solve", *RULES, GOAL)
    Path("here.jsonl").write_text("{}\n")
    said = ramify("solve", "--model", model, GOAL)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("ramify: error: replay:")


def test_a_plan_that_is_run_and_resumed_is_recorded(ramify: Ramify) -> None:
    Path("plan.yaml").write_text("goal: sums\ntasks:\n  - {id: a, task: 1+1}\n  - {id: b, task: 2+2}\n")
    assert ramify("run", "plan.yaml", *RULES, "--jobs", "1", "--max-calls", "1", "--record", "c.jsonl").code == 4
    assert len(Path("c.jsonl").read_text().splitlines()) == 3
    assert ramify("resume", "--last", "--max-calls", "9", "--record", "c.jsonl").code == 0
    assert len(Path("c.jsonl").read_text().splitlines()) == 5


def test_the_cache_can_be_asked_for(ramify: Ramify) -> None:
    Path("replies.txt").write_text("<atomic/>\n---\n<result>Forty-two.</result>\n")
    Path("none.txt").write_text("")
    assert ramify("solve", "--model", "human:replies.txt", "the question").out == "Forty-two.\n"
    said = ramify("solve", "--model", "human:none.txt", "--cache", "the question")
    assert (said.code, said.out) == (0, "Forty-two.\n")
    assert ", 0 calls," in said.last_line


def test_a_run_is_exported_and_imported(ramify: Ramify) -> None:
    ramify("solve", *RULES, GOAL)
    run_id = last_id(ramify)
    said = ramify("store", "export", run_id[:6], "run.jsonl")
    assert (said.code, said.out) == (0, "")
    said = ramify("store", "import", "run.jsonl", "--store", "b.db")
    assert (said.code, said.out) == (0, f"{run_id}\n")
    assert "it is done, made by rules (no language model); resuming it calls rules" in said.err
    assert ramify("show", run_id, "--store", "b.db").out == ramify("show", run_id).out


def test_the_newest_run_is_exported_by_last_and_both_words_are_needed(ramify: Ramify) -> None:
    ramify("solve", *RULES, GOAL)
    assert ramify("store", "export", "--last", "newest.jsonl").code == 0
    assert ramify("store", "import", "newest.jsonl", "--store", "b.db").out == f"{last_id(ramify)}\n"
    for words in ((), ("--last",), (last_id(ramify),)):
        said = ramify("store", "export", *words)
        assert (said.code, "name a run and a file" in said.err) == (2, True)


def test_whom_an_imported_run_would_ask_is_said(ramify: Ramify) -> None:
    put_run("r1", {"agent": {"model": "gpt-5-mini", "base_url": "http://example.org/v1"}})
    ramify("store", "export", "r1", "run.jsonl", "--store", "a.db")
    said = ramify("store", "import", "run.jsonl", "--store", "b.db").err
    assert "resuming it calls gpt-5-mini at http://example.org/v1" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "r9", "x.jsonl"), "there is no run 'r9'"),
        (("export", "r1", "a.db"), "already exists"),
        (("import", "nowhere"), "cannot be read: No such file"),
        (("import", "a.db"), "neither an exported run nor a recording"),
        (("backup", "a.db"), "already exists"),
        (("backup", "nowhere/b.db"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(words: tuple[str, ...], said: str, ramify: Ramify) -> None:
    put_run("r1", {})
    found = ramify("store", *words, "--store", "a.db")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("ramify: error: ")
    assert said in found.err
    assert found.err.count("\n") == 1


@pytest.mark.parametrize("command", [("backup", "x"), ("vacuum",), ("check",), ("export", "r", "x")])
def test_no_command_but_import_makes_a_store(command: tuple[str, ...], ramify: Ramify) -> None:
    found = ramify("store", *command)
    assert found.code == 2
    assert "there is no store" in found.err
    assert not Path(".ramify").exists()


def test_a_backup_is_a_store_of_its_own(ramify: Ramify) -> None:
    ramify("solve", *RULES, GOAL)
    assert ramify("store", "backup", "copy.db").code == 0
    assert ramify("runs", "--store", "copy.db").out == ramify("runs").out


def test_vacuum_and_check_say_what_they_found(ramify: Ramify) -> None:
    ramify("solve", *RULES, GOAL)
    said = ramify("store", "vacuum")
    assert (said.code, said.out) == (0, "")
    assert "freed " in said.err
    assert "ramify.db is sound" in ramify("store", "check").err
    with Store.open(".ramify/ramify.db") as store, store._database.changing() as connection:
        connection.exec_driver_sql("DELETE FROM ramify_tasks WHERE parent_id IS NULL")
    said = ramify("store", "check")
    assert said.code == 2
    assert "has 0 root tasks instead of one" in said.out
    assert json.loads(ramify("store", "check", "--json").out)["faults"] == said.out.splitlines()
