"""`runs`, `show`, `cancel`, `prompts`, `models`, `doctor` and help: what is there, and what is missing."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from ramify.planner import Executor
from ramify.planner.cli.app import build_app
from ramify.planner.store import Holder, NewRun, Store
from ramify.prompts import PromptLibrary
from ramify.tasks import Task, TaskConfig, Usage

from .openai_server import OpenAIServer
from .ramify_command import COMMAND, Ramify, ramify_process

RULES = ("--model", "rules")


def store_run(goal: str, run_id: str = "r1") -> None:
    with Store.open("runs.db") as store:
        store.create_run(NewRun(id=run_id, goal=goal, created_at=1.0, made_by="gpt"), Task(content=goal, id="0"))


def test_runs_are_listed_newest_first(ramify: Ramify) -> None:
    for goal in ("1+1", "2+2", "3+3"):
        ramify("solve", *RULES, goal)
    lines = ramify("runs").out.splitlines()
    assert lines[0].split() == ["run", "status", "started", "made", "by", "goal"]
    assert [line.split()[-1] for line in lines[1:]] == ["3+3", "2+2", "1+1"]
    assert all(" done " in line and "rules (no language model)" in line for line in lines[1:])


def test_as_many_runs_are_listed_as_are_wanted(ramify: Ramify) -> None:
    for goal in ("1+1", "2+2", "3+3"):
        ramify("solve", *RULES, goal)
    said = ramify("runs", "--limit", "2")
    assert len(said.out.splitlines()) == 3
    assert "--all shows them" in said.err
    assert len(json.loads(ramify("runs", "-n", "1", "--all", "--json").out)["runs"]) == 3


def test_a_run_whose_process_has_died_is_interrupted(ramify: Ramify) -> None:
    store_run("x")
    assert json.loads(ramify("runs", "--store", "runs.db", "--json").out)["runs"][0]["status"] == "interrupted"
    with Store.open("runs.db") as store, store.write("r1"):
        assert json.loads(ramify("runs", "--store", "runs.db", "--json").out)["runs"][0]["status"] == "running"


def test_what_a_run_that_did_not_end_has_used_is_counted_from_its_tasks(ramify: Ramify) -> None:
    root = Task(content="x", id="0")
    root.add_subtask(Task(content="y", id="0.1", usage=Usage(calls=2, input_tokens=7)))
    with Store.open("runs.db") as store:
        store.create_run(NewRun(id="r1", goal="x", created_at=1.0, made_by="gpt"), root)
    for words in (("r1",), ("r1", "0.1")):
        document = json.loads(ramify("show", *words, "--store", "runs.db", "--json").out)
        assert (document["usage"]["calls"], document["usage"]["input_tokens"]) == (2, 7)
    for command in ("runs --json", "graph r1 -f json", "timeline r1 --json", "compare r1 r1 --json"):
        document = json.loads(ramify(*command.split(), "--store", "runs.db").out)
        usage = [document, *document.get("runs", ()), *document.get("variants", ())][-1]["usage"]
        assert (usage["calls"], usage["input_tokens"]) == (2, 7), command


def test_a_worker_that_is_not_there_is_told_with_those_that_are(ramify: Ramify) -> None:
    said = ramify("workers", "show", "htpp")
    assert (said.code, "no installed package has a worker 'htpp' (there are: model, " in said.err) == (2, True)


@pytest.mark.parametrize("command", ["solve", "decompose", "sweep"])
def test_a_goal_that_is_missing_is_asked_for_by_every_command(command: str, ramify: Ramify) -> None:
    more = ("-p", "max_depth=1,2") if command == "sweep" else ()
    said = ramify(command, *RULES, *more)
    assert (said.code, said.err) == (
        2, "ramify: error: name a goal, or use - to read it from standard input\n",
    )  # fmt: skip


def test_a_run_is_shown_as_a_tree_with_who_made_it(ramify: Ramify) -> None:
    ramify("solve", *RULES, "(1+2)*(3+4)")
    out = ramify("show", "--last").out
    assert "made by: rules (no language model)\n" in out
    assert "[DONE] Task 0: (1+2)*(3+4)\n  [DONE] Task 0.1: 1+2\n  [DONE] Task 0.2: 3+4\n" in out


@pytest.fixture
def half_failed(home: Path) -> None:
    """A run of three levels, in which one task deep in it has failed."""
    root = Task(content="all", id="0", config=TaskConfig(max_retries=0))
    root.add_subtasks([Task(content="one", id="0.1"), Task(content="two", id="0.2")])
    for number in (1, 2):
        root.find(f"0.{number}").add_subtasks(
            [Task(content="part", id=f"0.{number}.{leaf}", type="part") for leaf in (1, 2, 3)]
        )

    def part(task: Task) -> str:
        if task.id == "0.2.3":
            raise ValueError("no such part")
        return "here"

    run = Executor("rules", workers={"part": part}, store=home / "runs.db")
    run.run(root)


@pytest.mark.fault("5.9")
@pytest.mark.usefixtures("half_failed")
@pytest.mark.parametrize(
    ("options", "shown", "lines"),
    [
        (["--depth", "1"], ["0"], ["Task 0: all (+8 tasks below)"]),
        (["--depth", "2"], ["0", "0.1", "0.2"], ["Task 0.1: one (+3 tasks below)", "Task 0.2: two (+3 tasks below)"]),
        (["--depth", "9"], ["0", "0.1", "0.1.1", "0.1.2", "0.1.3", "0.2", "0.2.1", "0.2.2", "0.2.3"], ["0.2.3: part"]),
        (
            ["--state", "failed"], ["0", "0.2", "0.2.3"],
            ["Task 0: all (+4 tasks below)", "Task 0.2: two (+2 tasks below)", "[FAILED] Task 0.2.3: part"],
        ),
        (["--state", "FAILED", "--depth", "2"], ["0", "0.2"], ["Task 0.2: two (+3 tasks below)"]),
        (["0.1", "--state", "open"], ["0.1"], ["Task 0.1: one (+3 tasks below)"]),
    ],
)  # fmt: skip
def test_a_run_is_shown_to_a_level_or_by_state(
    options: list[str], shown: list[str], lines: list[str], ramify: Ramify
) -> None:
    words = ("show", "--last", *options, "--store", "runs.db")
    text = ramify(*words).out
    assert re.findall(r"^ *\[\w+\] Task (\S+):", text, re.MULTILINE) == shown
    for line in lines:
        assert line in text
    document = json.loads(ramify(*words, "--json").out)
    assert [task["id"] for task in document["tasks"]] == shown
    assert document["left_out"] == (4 if options[0] == "0.1" else 9) - len(shown)


@pytest.mark.fault("5.9")
@pytest.mark.usefixtures("half_failed")
def test_a_state_that_is_none_is_refused_with_those_that_are(ramify: Ramify) -> None:
    said = ramify("show", "--last", "--state", "broken", "--store", "runs.db")
    assert (said.code, said.out) == (2, "")
    assert "there is no state 'broken'; use open, running, done, failed, deleted" in said.err
    assert ramify("show", "--last", "--depth", "0", "--store", "runs.db").code == 2


@pytest.mark.fault("5.8")
def test_who_made_it_is_the_same_wherever_it_is_said(home: Path, ramify: Ramify) -> None:
    Path("plan.yaml").write_text("goal: look\ntype: subprocess\ninputs: {command: [echo, here]}\n")
    said = ramify("run", "plan.yaml", "--model", "rules", "--allow", "subprocess", "--store", "runs.db")
    assert said.err.splitlines()[-1].startswith("answered by worker subprocess: ")
    where = ("--last", "--store", "runs.db")
    assert "made by: worker subprocess\n" in ramify("show", *where).out
    assert json.loads(ramify("show", *where, "--json").out)["made_by"] == "worker subprocess"
    assert "worker subprocess" in ramify("runs", "--store", "runs.db").out
    assert json.loads(ramify("runs", "--json", "--store", "runs.db").out)["runs"][0]["made_by"] == "worker subprocess"
    assert "answers by worker subprocess" in ramify("graph", *where, "-f", "svg").out
    assert "answers by worker subprocess" in ramify("timeline", *where, "-f", "svg").out
    assert "worker subprocess" in ramify("report", *where, "-f", "md").out
    assert json.loads(ramify("report", *where, "-f", "json").out)["made_by"] == "worker subprocess"
    run = Executor("rules", workers={"look": lambda task: "x"}, store=home / "other.db").run(Task("a", type="look"))
    assert run.made_by == run.to_data()["made_by"] == "worker look"
    assert "answers by worker look" in run.to_svg()


def test_one_task_is_shown_with_its_result(ramify: Ramify) -> None:
    ramify("solve", *RULES, "(1+2)*(3+4)")
    said = ramify("show", "--last", "0.2")
    assert said.out.startswith("task: 0.2\nstate: DONE\ncontent: 3+4\n")
    assert said.out.endswith("\n\n7\n")


def test_the_messages_of_a_task_are_shown_on_request(ramify: Ramify) -> None:
    ramify("solve", *RULES, "(1+2)*(3+4)")
    assert "--- user" not in ramify("show", "--last", "0.2").out
    said = ramify("show", "--last", "0.2", "--messages")
    assert "===== task 0.2, execute, attempt 1: rules" in said.out
    assert "\n--- system\n" in said.out
    assert "\n--- reply\n<result>7</result>\n" in said.out
    calls = json.loads(ramify("show", "--last", "0.2", "--messages", "--json").out)["calls"]
    assert {call["task"] for call in calls} == {"0.2"}


def test_json_of_one_task_begins_with_it(ramify: Ramify) -> None:
    ramify("solve", *RULES, "(1+2)*(3+4)")
    document = json.loads(ramify("show", "--last", "0.1", "--json").out)
    assert (document["version"], [task["id"] for task in document["tasks"]]) == (1, ["0.1"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "nowhere"), "there is no run 'nowhere'"),
        (("show", "--last", "0.9"), "0.9"),
        (("show",), "name a run"),
        (("cancel", "nowhere"), "there is no run 'nowhere'"),
        (("graph", "nowhere"), "there is no run 'nowhere'"),
        (("prompts", "show", "decompos"), "did you mean decompose?"),
        (("prompts", "list", "--prompts", "nowhere"), "nowhere"),
    ],
)
def test_what_is_not_there_is_named(ramify: Ramify, words: tuple[str, ...], message: str) -> None:
    ramify("solve", *RULES, "1+1")
    said = ramify(*words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_run_that_nobody_holds_is_cancelled_and_can_be_resumed(ramify: Ramify) -> None:
    ramify("decompose", *RULES, "(1+2)*(3+4)")
    said = ramify("cancel", "--last")
    assert (said.code, said.out) == (0, "")
    assert json.loads(ramify("runs", "--json").out)["runs"][0]["status"] == "cancelled"
    assert ramify("resume", "--last").out == "21\n"


def test_a_run_that_is_over_is_not_cancelled(ramify: Ramify) -> None:
    ramify("solve", *RULES, "1+1")
    assert "nothing to cancel" in ramify("cancel", "--last").err
    assert json.loads(ramify("runs", "--json").out)["runs"][0]["status"] == "done"


def test_the_process_that_holds_a_run_is_asked_to_stop(ramify: Ramify) -> None:
    store_run("x")
    with Store.open("runs.db") as store, store.write("r1", holder=Holder.this_process()):
        said = ramify("cancel", "r1", "--store", "runs.db")
        assert (said.code, said.out) == (0, "")
        assert f"process {os.getpid()}" in said.err
        assert [each.action for each in store.find_run("r1").controls] == ["cancel"]


def test_the_prompts_are_listed_shown_and_copied(ramify: Ramify, home: Path) -> None:
    assert [line.split()[0] for line in ramify("prompts", "list").out.splitlines()[1:]] == [*PromptLibrary().names()]
    assert ramify("prompts", "show", "decompose").out == PromptLibrary().get("decompose").source
    assert "--prompts mine" in ramify("prompts", "copy", "decompose", "mine").err
    assert ramify("prompts", "copy", "decompose", "mine").code == 2
    assert ramify("prompts", "copy", "decompose", "mine", "--force").code == 0
    rows = json.loads(ramify("prompts", "list", "--prompts", "mine", "--json").out)["prompts"]
    assert [row["name"] for row in rows if not row["is_builtin"]] == ["decompose"]
    assert (home / "mine" / "decompose.j2").is_file()


def test_models_are_told_apart_by_whether_they_can_be_used(ramify: Ramify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    said = ramify("models", "--json")
    usable = {row["name"]: row["is_usable"] for row in json.loads(said.out)["models"]}
    assert usable["rules"]
    assert usable["human"]
    assert not usable["gpt-5-mini"]
    assert next(value for name, value in usable.items() if name.startswith("anthropic/"))
    assert "OPENAI_API_KEY is not set" in ramify("models").out
    assert "sk-secret" not in said.out + said.err


def test_the_doctor_finds_a_place_for_the_store_without_making_it(ramify: Ramify, home: Path) -> None:
    said = ramify("doctor")
    assert (said.code, said.err) == (0, "")
    assert "does not exist yet; the first run creates it" in said.out
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "code", "words"),
    [
        ("RAMIFY_MODEL", "rules", 0, "ok   model: rules (from RAMIFY_MODEL)"),
        ("RAMIFY_MODEL", "gpt-5-mini", 3, "OPENAI_API_KEY"),
        ("RAMIFY_MODLE", "rules", 3, "did you mean RAMIFY_MODEL?"),
        ("RAMIFY_COLOUR", "red", 0, "note settings: RAMIFY_COLOUR is set in the environment but is not a setting"),
        ("RAMIFY_FAILPOINT", "before-running-commit", 0, "ok "),
        ("RAMIFY_JOBS", "many", 3, "RAMIFY_JOBS"),
        ("RAMIFY_STORE", ".", 3, "is a folder"),
        ("PATH", "/nowhere", 0, "note dot: not on PATH"),
    ],
)
def test_the_doctor_says_what_is_amiss(
    ramify: Ramify, monkeypatch: pytest.MonkeyPatch, *, variable: str, value: str, code: int, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    said = ramify("doctor")
    assert said.code == code
    assert words in said.out


def test_the_doctor_tells_of_keys_that_nobody_reads(ramify: Ramify, home: Path) -> None:
    (home / ".env").write_text("OPENAI_API_KEY=sk-secret\n", encoding="utf-8")
    said = ramify("doctor")
    assert "OPENAI_API_KEY is in .env" in said.out
    assert "sk-secret" not in said.out


def test_the_doctor_s_findings_can_be_had_as_json(ramify: Ramify) -> None:
    ramify("solve", *RULES, "1+1")
    document = json.loads(ramify("doctor", "--json").out)
    found = {finding["topic"]: finding for finding in document["findings"]}
    assert document["version"] == 1
    assert found["store"]["verdict"] == "ok"
    assert found["store"]["words"].endswith("runs: 1")


def test_commands_that_only_look_make_no_store(ramify: Ramify, home: Path) -> None:
    for words in (("runs",), ("show", "--last"), ("resume", "--last"), ("cancel", "--last"), ("graph", "--last")):
        said = ramify(*words)
        assert said.code == 2
        assert "there is no store" in said.err
    assert list(home.iterdir()) == []


def commands() -> list[tuple[str, ...]]:
    names = [(command.name,) for command in build_app().registered_commands if command.name]
    return [(), *names, ("prompts",), ("prompts", "list"), ("prompts", "show"), ("prompts", "copy")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself(ramify: Ramify, words: tuple[str, ...]) -> None:
    said = ramify(*words, "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: {' '.join(['ramify', *words])} [OPTIONS]")


def test_without_a_word_the_first_steps_are_shown(ramify: Ramify) -> None:
    said = ramify()
    assert said.code == 0
    assert "`ramify --help` lists all commands" in said.out


def test_the_version_is_told(ramify: Ramify) -> None:
    said = ramify("--version")
    assert (said.code, said.out.split()[0]) == (0, "ramify")


def test_help_loads_nothing_heavy(home: Path) -> None:
    words = ["-X", "importtime", "-m", "ramify.planner.cli", "--help"]
    done = subprocess.run([COMMAND[0], *words], capture_output=True, check=True, text=True, cwd=home)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"pydantic", "sqlalchemy", "litellm", "jinja2", "rich", "asyncio", "yaml", "networkx"}


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    store_run("x " * 200_000)
    command = [*COMMAND, "show", "--last", "0", "--store", str(home / "runs.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is needed")
def test_a_full_disk_under_standard_output_is_said_in_one_line(home: Path) -> None:
    store_run("x")
    command = [*COMMAND, "runs", "--store", str(home / "runs.db")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"ramify: error: standard output cannot be written: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_refused_key_stops_the_run_and_says_so(home: Path) -> None:
    with OpenAIServer(lambda _: "<atomic/>", api_key="right") as server:
        words = ("solve", "--model", "openai/small", "--base-url", server.base_url, "--store", str(home / "s.db"), "hi")
        said = ramify_process(*words, OPENAI_API_KEY="wrong-secret")
    assert (said.code, said.out) == (3, "")
    assert "Traceback" not in said.err
    assert "wrong-secret" not in said.err
    assert said.last_line.startswith("ramify resume r")
