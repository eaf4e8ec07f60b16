"""`solve`, `decompose`, `run` and `resume`: what they print where, and how they end."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ramify.planner import solve
from ramify.planner.cli.exits import code_of_error
from ramify.planner.errors import (
    LimitError,
    ModelError,
    NoModelError,
    RunError,
    StoreError,
    UsageError,
    WaitingError,
)
from ramify.planner.store import Store
from ramify.tasks import DocumentError, TaskState

from .openai_server import OpenAIServer
from .ramify_command import Ramify, ramify_process

RULES = ("--model", "rules")
SUM = "((17*23 + 4^5) / (9 - 2)) * 60%"


def test_the_answer_alone_is_on_standard_output(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, SUM)
    assert (said.code, said.out) == (0, "849/7\n")
    assert said.last_line.startswith("answered by rules (no language model): run r")
    assert "5 tasks, 8 calls, 0 tokens, $0.0000" in said.last_line


def test_events_are_added_to_a_file_by_solve_and_by_resume(ramify: Ramify, home: Path) -> None:
    ramify("solve", *RULES, "-q", "--max-calls", "2", "--events", "events.jsonl", "(1+2)*(3+4)")
    assert ramify("resume", "--last", "-q", "--max-calls", "50", "--events", "events.jsonl").code == 0
    events = [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["data"]["status"] for event in events if event["type"] == "run_finished"] == ["stopped", "done"]


def test_events_that_cannot_be_written_are_refused_before_a_run_is_made(ramify: Ramify, home: Path) -> None:
    said = ramify("solve", *RULES, "--events", "nowhere/events.jsonl", "1+1")
    assert (said.code, said.out) == (2, "")
    assert "nowhere/events.jsonl cannot be written" in said.err
    assert not (home / ".ramify").exists()


def test_quiet_leaves_nothing_but_the_answer(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "--quiet", "1+1")
    assert (said.code, said.out, said.err) == (0, "2\n", "")


def test_progress_can_be_had_as_json_lines(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "--quiet", "--display", "json", "1+1")
    events = [json.loads(line) for line in said.err.splitlines()]
    assert events[0]["type"] == "run_started"
    assert events[-1]["data"] == {"status": "done"}


def test_json_holds_the_answer_and_the_tree(ramify: Ramify) -> None:
    document = json.loads(ramify("solve", *RULES, "--json", "(1+2)*4").out)
    assert (document["version"], document["status"], document["result"]) == (1, "done", "12")
    assert document["made_by"] == "rules (no language model)"
    assert [task["state"] for task in document["tasks"]] == ["DONE", "DONE", "DONE"]


def test_json_of_a_run_that_failed_says_so(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "--json", "1/0")
    document = json.loads(said.out)
    assert said.code == 1
    assert (document["status"], document["result"]) == ("failed", None)


def test_a_goal_that_failed_ends_with_the_command_that_tries_again(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "1/0")
    assert (said.code, said.out) == (1, "")
    assert "division by zero" in said.err
    assert shlex.split(said.last_line)[:2] == ["ramify", "resume"]
    assert said.last_line.endswith(" --retry-failed")


def test_what_rules_cannot_do_says_what_can(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "Plan a weekend in Rome")
    assert (said.code, said.out) == (3, "")
    assert "--model" in said.err
    assert said.last_line.endswith(" --model NAME")


def test_without_a_model_the_ways_to_get_one_are_shown(ramify: Ramify, home: Path) -> None:
    said = ramify("solve", "Plan a weekend in Rome")
    assert said.code == 3
    assert all(way in said.err for way in ("RAMIFY_MODEL", "--base-url", "--model rules", "--model human"))
    assert list(home.iterdir()) == []


def test_the_model_may_come_from_the_settings(ramify: Ramify, home: Path) -> None:
    (home / "ramify.toml").write_text("model = 'rules'\nstore = 'kept.db'\n", encoding="utf-8")
    assert ramify("solve", "2+2").out == "4\n"
    assert (home / "kept.db").exists()


def test_a_person_who_is_not_there_is_waited_for(ramify: Ramify, home: Path) -> None:
    (home / "replies.txt").write_text("", encoding="utf-8")
    said = ramify("solve", "--model", "human:replies.txt", "--max-depth", "1", "Say hello")
    assert said.code == 5
    command = shlex.split(said.last_line)
    (home / "replies.txt").write_text("hello\n", encoding="utf-8")
    assert ramify(*command[1:]).out == "hello\n"


@pytest.mark.fault("2.7")
def test_the_last_line_goes_on_with_a_run_that_a_limit_has_stopped(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "--max-calls", "3", "--jobs", "1", SUM)
    assert said.code == 4
    assert "max_calls = 3" in said.err
    assert said.last_line.endswith(" --max-calls 6")
    assert ramify("watch", "--last", "-q").last_line == said.last_line
    assert ramify("resume", "--last").code == 4, "without it the run stops again at once"
    said = ramify(*shlex.split(said.last_line)[1:])
    assert (said.code, said.last_line.split()[-2:]) == (4, ["--max-calls", "12"])
    assert ramify(*shlex.split(said.last_line)[1:]).out == "849/7\n"


@pytest.mark.fault("2.7")
def test_a_limit_that_is_raised_stays_raised(ramify: Ramify) -> None:
    ramify("solve", *RULES, "--max-calls", "3", "--jobs", "1", SUM)
    assert ramify("resume", "--last", "--max-calls", "100", "--jobs", "2", "--cache").out == "849/7\n"
    said = ramify("resume", "--last", "--from", "0")
    assert (said.code, said.out) == (0, "849/7\n"), said.err
    with Store.open(".ramify/ramify.db") as store:
        settings = store.last_run().settings
    assert (settings["limits"]["max_calls"], settings["jobs"], settings["cache"]) == (100, 2, True)


def test_the_resume_command_names_the_store_that_was_given(ramify: Ramify) -> None:
    said = ramify("solve", *RULES, "--store", "my runs.db", "1/0")
    command = shlex.split(said.last_line)
    assert command[-2:] == ["--store", "my runs.db"]
    assert ramify(*command[1:]).code == 1


def test_a_run_is_found_by_the_beginning_of_its_id(ramify: Ramify) -> None:
    ramify("solve", *RULES, "1/0")
    run_id = json.loads(ramify("runs", "--json").out)["runs"][0]["run"]
    assert ramify("resume", run_id[:6], "--retry-failed").code == 1


def test_resuming_a_finished_run_prints_its_answer_again(ramify: Ramify) -> None:
    ramify("solve", *RULES, SUM)
    said = ramify("resume", "--last")
    assert (said.code, said.out) == (0, "849/7\n")


def test_another_model_can_take_a_run_over(ramify: Ramify, home: Path) -> None:
    ramify("solve", *RULES, "--max-depth", "1", "Plan a weekend in Rome")
    (home / "replies.txt").write_text("walk\n", encoding="utf-8")
    said = ramify("resume", "--last", "--model", "human:replies.txt")
    assert (said.code, said.out) == (0, "walk\n")
    assert "answered by human" in said.err


def test_a_plan_is_printed_and_not_run(ramify: Ramify) -> None:
    said = ramify("decompose", *RULES, "(1+2)*(3+4)")
    assert said.code == 0
    assert "task: 1+2" in said.out.replace('"', "")
    assert "planned by rules (no language model)" in said.err
    assert json.loads(ramify("show", "--last", "--json").out)["status"] == "waiting"


def test_a_plan_that_was_made_is_run_by_resume(ramify: Ramify) -> None:
    ramify("decompose", *RULES, "(1+2)*(3+4)")
    before = [call["purpose"] for call in json.loads(ramify("show", "--last", "--json", "--messages").out)["calls"]]
    assert ramify("resume", "--last").out == "21\n"
    after = [call["purpose"] for call in json.loads(ramify("show", "--last", "--json", "--messages").out)["calls"]]
    assert set(before) == {"decompose"}
    assert after.count("decompose") == before.count("decompose")


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json", "plan.md"])
def test_a_plan_file_can_be_run(ramify: Ramify, name: str) -> None:
    said = ramify("decompose", *RULES, "--output", name, "(1+2)*(3+4)")
    assert (said.code, said.out) == (0, "")
    assert f"run it with `ramify run {name}`" in said.last_line
    assert ramify("run", name, *RULES).out == "21\n"


def test_a_goal_that_cannot_be_planned_makes_no_plan(ramify: Ramify, home: Path) -> None:
    said = ramify("decompose", *RULES, "--max-calls", "1", "-o", "plan.yaml", SUM)
    assert said.code == 4
    assert shlex.split(said.last_line)[:2] == ["ramify", "resume"]
    assert not (home / "plan.yaml").exists()


def test_attached_files_are_summarised_with_their_lines(ramify: Ramify, home: Path) -> None:
    (home / "notes.md").write_text("# One\n\nOslo lies by a fjord. It is cold.\n\n# Two\n\nRome is warm.\n", "utf-8")
    said = ramify("solve", *RULES, "-f", "notes.md", "summarize by section")
    assert said.code == 0
    assert "(notes.md:3)" in said.out


def test_a_failed_task_is_done_again_on_request(ramify: Ramify) -> None:
    ramify("solve", *RULES, "1/0")
    ramify("resume", "--last", "--retry-failed")
    task = json.loads(ramify("show", "--last", "--json").out)["tasks"][0]
    assert (task["state"], task["attempts"]) == ("FAILED", 2)


CYCLE = "goal: g\ntasks:\n  - {id: a, task: 1+1, needs: [b]}\n  - {id: b, task: 2+2, needs: [a]}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("solve",), "name a goal, or use -"),
        (("solve", *RULES, "  "), "the goal is blank"),
        (("solve", *RULES, "-f", "empty.txt", "summarize"), "empty.txt is empty"),
        (("solve", *RULES, "-f", "nowhere.txt", "summarize"), "nowhere.txt cannot be read"),
        (("solve", *RULES, "-f", "folder", "summarize"), "folder is a folder"),
        (("solve", *RULES, "-f", "bytes.bin", "summarize"), "byte 2 is 0xff"),
        (("solve", *RULES, "-f", "/dev/zero", "summarize"), "/dev/zero has more than 20,000,000 bytes"),
        (("solve", *RULES, "-f", "empty.txt"), "name a goal, or use -"),
        (("solve", *RULES, "--store", "folder", "1+1"), "folder is a folder"),
        (("solve", *RULES, "--store", "nowhere/runs.db", "1+1"), "nowhere does not exist"),
        (("solve", *RULES, "--prompts", "nowhere", "1+1"), "nowhere"),
        (("solve", *RULES, "--jobs", "0", "1+1"), "'--jobs'"),
        (("solve", *RULES, "--max-cost-usd", "-1", "1+1"), "--max-cost-usd"),
        (("solve", *RULES, "--modle", "x", "1+1"), "--modle"),
        (("slove", "1+1"), "Did you mean 'solve'"),
        (("run", "cycle.yaml", *RULES), "a -> b -> a"),
        (("run", "nowhere.yaml", *RULES), "nowhere.yaml"),
        (("resume", "--last"), "there is no store"),
        (("resume",), "--last"),
        (("resume", "r1", "--last"), "not both"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(
    ramify: Ramify, home: Path, words: tuple[str, ...], message: str
) -> None:
    (home / "empty.txt").touch()
    (home / "bytes.bin").write_bytes(b"ab\xff")
    (home / "cycle.yaml").write_text(CYCLE, encoding="utf-8")
    (home / "folder").mkdir()
    said = ramify(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("ramify: error: ")
    assert message in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"", "standard input is empty"),
        (b" \n", "standard input is empty"),
        (b"1+\xff", "standard input is not text in UTF-8 (byte 2 is 0xff)"),
        (b"1+\x00", "standard input is not text (byte 2 is 0x00)"),
        (b"1+" * 5_000_000, "the goal has 10,000,000 characters"),
    ],
    ids=["empty", "blank", "no text", "binary", "10 MB"],
)
def test_standard_input_that_is_no_goal_is_refused(home: Path, stdin: bytes, message: str) -> None:
    said = ramify_process("solve", *RULES, "-", stdin=stdin)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert list(home.iterdir()) == []


def test_a_goal_is_read_from_standard_input(home: Path) -> None:
    said = ramify_process("solve", *RULES, "--store", str(home / "runs.db"), "-", stdin="2 \u00d7 3\n".encode())
    assert (said.code, said.out) == (0, "6\n")


def test_a_run_that_ended_is_marked_in_the_store(ramify: Ramify) -> None:
    ramify("solve", *RULES, "--store", "runs.db", "1+1")
    with Store.open("runs.db", create=False) as store:
        assert store.last_run().status == "done"
        assert store.load_tree(store.last_run().id).state is TaskState.DONE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (RunError("x"), 2),
        (StoreError("x"), 2),
        (DocumentError("x", source="plan.yaml"), 2),
        (NoModelError("x"), 3),
        (ModelError("x", kind="bad_key", model="m"), 3),
        (LimitError("x", limit="max_calls"), 4),
        (WaitingError("x", task_id="0"), 5),
        (ZeroDivisionError("x"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_one_exit_code(error: BaseException, code: int) -> None:
    assert code_of_error(error) == code


def test_a_traceback_is_shown_on_request_only(ramify: Ramify) -> None:
    assert "Traceback" not in ramify("show", "--last", "--store", "nowhere.db").err
    with pytest.raises(StoreError):
        ramify("show", "--last", "--store", "nowhere.db", "--debug")


def test_one_of_a_thing_is_told_in_the_singular(ramify: Ramify) -> None:
    said = ramify("decompose", *RULES, "--display", "tree", "1+1")
    assert "1 task, 1 call, 0 tokens" in said.err
    assert "1 call, 0 tokens" in ramify("show", "--last").out
    assert "plan 1 was made, 1 task," in ramify("show", "--last", "--history").out
    run = solve("1+1", model="rules")
    assert f"<Run {run.id}: done, 1 of 1 task, rules (no language model)>" == repr(run)


def test_a_run_is_written_for_people_without_its_store(home: Path) -> None:
    code = (
        "import sys; from ramify.planner import solve\n"
        "run, opened = solve('1+1', model='rules', store='runs.db'), []\n"
        "sys.addaudithook(lambda event, _: opened.append(event) if event == 'sqlite3.connect' else None)\n"
        "print(repr(run), len(opened), run.made_by, len(opened) > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("rules (no language model)> 0 rules (no language model) True\n")


def test_a_cost_limit_that_cannot_hold_is_told_to_the_quiet_too(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: x\n", encoding="utf-8")
    with OpenAIServer(lambda _: "<result>done</result>") as server:
        asked = ("run", "plan.yaml", "-q", "--model", "m", "--base-url", server.base_url)
        said = ramify(*asked, "--max-cost-usd", "1")
        silent = ramify(*asked)
    assert (said.code, said.out, silent.err) == (0, "done\n", "")
    assert said.err.startswith("warning: the run has max_cost_usd = 1, which cannot be enforced")
    assert said.err.count("\n") == 1


def test_a_model_that_is_named_on_resume_is_asked_at_the_servers_address_of_the_run(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: x\ntasks: [a, b]\n", encoding="utf-8")
    with OpenAIServer(lambda _: "<result>done</result>", models=("m", "n")) as server:
        place = ("--model", "m", "--base-url", server.base_url)
        assert ramify("run", "plan.yaml", "-q", *place, "--jobs", "1", "--max-calls", "1").code == 4
        said = ramify("resume", "--last", "-q", "--model", "n", "--max-calls", "9")
        assert (said.code, said.out) == (0, "done\n")
        assert [chat.body["model"] for chat in server.chats] == ["m", "n", "n"]
