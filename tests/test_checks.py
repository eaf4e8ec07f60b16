"""Checks: what an answer has to pass, what becomes of one that does not, and what is kept of it."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ramify.planner import Executor, Outcome, Run, WorkContext, Worker, predicate, solve, worker
from ramify.planner.errors import NotAllowedError, UsageError
from ramify.planner.events.events import Event
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, ReplyError, Task, TaskConfig
from ramify.tasks.checks import form_of_answer, read_check
from ramify.tasks.json_schemas import misfits
from ramify.tasks.patterns import is_found
from ramify.tasks.replies.by_schema import answer_schema
from ramify.tasks.replies.json_answers import read_json_answer
from ramify.tasks.replies.verdicts import Verdict, parse_verdict

from .ramify_command import Ramify
from .test_events import faults_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def checked(run: Run, store: Path) -> list[Event]:
    with Store.open(store) as opened:
        events = opened.events(run.id)
    assert [fault for event in events for fault in faults_of(event)] == []
    return [event for event in events if event.type == "checked"]


def asked(model: ScriptedModel, purpose: str) -> list[ModelRequest]:
    return [request for request in model.requests if request.purpose == purpose]


def words_of(request: ModelRequest) -> str:
    return request.messages[-1]["content"]


def answers(*texts: str) -> ScriptedModel:
    return ScriptedModel([f"<result>{text}</result>" for text in texts])


def one(*checks: Check, **fields: Any) -> Task:
    return Task(content="Give a number.", id="0", checks=checks, **fields)


def test_a_failing_answer_goes_back_with_the_complaint_and_the_answer(store: Path) -> None:
    model = answers("forty-two", "42")
    run = Executor(model, store=store).run(one(Check(matches=r"^\d+$")))
    assert (run.result, run.task.attempts) == ("42", 2)
    assert "It matches the regular expression ^\\d+$" in words_of(model.requests[0])
    assert "does not pass the check `matches ^\\d+$`: it does not match" in words_of(model.requests[1])
    assert "The answer that does not pass:\nforty-two" in words_of(model.requests[1])
    assert [(event.data["outcome"], event.data["attempt"]) for event in checked(run, store)] == [
        ("fail", 1),
        ("pass", 2),
    ]


@pytest.mark.parametrize(("rounds", "calls"), [(None, 3), (0, 1), (1, 2)])
def test_an_answer_is_sent_back_a_bounded_number_of_times(store: Path, rounds: int | None, calls: int) -> None:
    model = answers(*["no"] * 9)
    config = TaskConfig(max_check_rounds=rounds, max_retries=5)
    run = Executor(model, store=store).run(one(Check(matches=r"^\d+$"), config=config))
    assert (run.status, len(model.requests), run.task.attempts) == ("failed", calls, calls)
    assert run.task.error == "the answer to task 0 does not pass the check `matches ^\\d+$`: it does not match"


def test_rounds_are_inherited_and_do_not_use_up_retries(store: Path) -> None:
    blank = ["<result> </result>", "<result></result>"]  # a malformed reply, and its repair
    model = ScriptedModel(["<result>no</result>", *blank, "<result>7</result>", "<result>all</result>"])
    root = Task(content="all", id="0", config=TaskConfig(max_check_rounds=1, max_retries=1, retry_delay_seconds=0))
    root.add_subtask(Task(content="Give a number.", id="a", checks=[Check(matches="7")]))
    run = Executor(model, store=store).run(root)
    assert (run.status, root.find("a").result, root.find("a").attempts) == ("done", "7", 3)


# Regular expressions and schemas


@pytest.mark.parametrize(
    ("pattern", "text"), [(r"(x+x+)+y", "x" * 5_000), (r"(a|aa)+$", "a" * 60 + "b"), (r"(.*?,){15}P", "1," * 40)]
)
def test_no_pattern_takes_for_ever(pattern: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"was given up after 0\.05 s"):
        is_found(pattern, text, timeout_s=0.05)


def test_no_pattern_of_a_schema_takes_for_ever() -> None:
    assert misfits({"pattern": r"(x+x+)+y"}, "x" * 5_000)[0].startswith("the answer: searching the pattern")


def test_the_loop_goes_on_while_a_pattern_is_searched(store: Path) -> None:
    @worker(name="tick")
    async def tick() -> str:
        for _ in range(20):
            await asyncio.sleep(0.01)
        return "ticked"

    root = Task(content="all", id="0", config=TaskConfig(max_check_rounds=0))
    root.add_subtask(Task(content="x", id="a", checks=[Check(matches=r"(x+x+)+y")]))
    root.add_subtask(Task(content="x", id="b", type="tick"))
    done: list[str] = []
    run = Executor(
        ScriptedModel({"execute": "x" * 5_000, "compose": "c"}), store=store, workers=[tick],
        on_event=lambda event: done.append(f"{event.type} {event.task_id}"),
    ).run(root)  # fmt: skip
    assert "given up after 1 s" in str(run.task.find("a").error)
    assert done.index("task_done b") < done.index("checked a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"n": 1}', {"n": 1}),
        ('Here:\n```json\n{"n": 1}\n```\nDone.', {"n": 1}),
        ('The answer is {"n": [1, 2]} as asked.', {"n": [1, 2]}),
        (" 42 ", 42),
        ('"a ``` b"', "a ``` b"),
    ],
)
def test_json_is_found_in_what_models_put_around_it(text: str, value: Any) -> None:
    assert read_json_answer(text)[0] == value


@pytest.mark.parametrize("text", ["forty-two", '{"n": 1', "{'n': 1}", '{"n": NaN}', "[" * 3_000 + "]" * 3_000, "{} {}"])
def test_what_is_no_json_is_never_guessed_at(text: str) -> None:
    with pytest.raises(ReplyError, match="the result is not JSON"):
        read_json_answer(text)


class City(BaseModel):
    name: str
    people: int


def test_a_schema_makes_the_value_the_output(store: Path) -> None:
    model = answers('```json\n{"name": "Oslo", "people": 717710}\n```')
    run = Executor(model, store=store).run(one(Check(schema=City)))
    assert run.task.output == {"name": "Oslo", "people": 717710}
    assert City.model_validate_json(run.result) == City(name="Oslo", people=717710)
    assert '"people": {"title": "People", "type": "integer"}' in words_of(model.requests[0])
    assert model.requests[0].schema is None, "this model cannot be held to a schema"


def test_what_is_no_json_is_repaired_and_what_does_not_fit_goes_back(store: Path) -> None:
    model = answers("name: Oslo", '{"name": "Oslo"}', '{"name": "Oslo", "people": 1}')
    run = Executor(model, store=store).run(one(Check(schema=City)))
    assert run.status == "done"
    assert [request.purpose for request in model.requests] == ["execute", "repair", "execute"]
    assert "the result is not JSON" in words_of(model.requests[1])
    assert "fits this JSON schema" in words_of(model.requests[1])
    assert "the answer: 'people' is a required property" in words_of(model.requests[2])


@pytest.mark.fault("3.6")
def test_gaps_are_no_part_of_what_is_checked(store: Path) -> None:
    model = ScriptedModel(["<result>42</result><gap>May is missing {really}.</gap>"])
    run = Executor(model, store=store).run(one(Check(schema={"type": "integer"})))
    assert (run.task.output, run.result, run.task.gaps) == (42, "42", ("May is missing {really}.",))


class HeldModel(ScriptedModel):
    async def keeps_schemas(self) -> bool:
        return True


def test_a_model_that_can_be_held_to_a_schema_is(store: Path) -> None:
    model = HeldModel(['{"name": "Oslo", "people": 1}'])
    run = Executor(model, store=store).run(one(Check(schema=City)))
    assert run.task.output == {"name": "Oslo", "people": 1}
    schema = model.requests[0].schema
    assert schema == answer_schema(City.model_json_schema(), has_steps=True)


def test_a_composed_answer_is_checked_too(store: Path) -> None:
    replies = iter(["<result>two</result>", "<result>2</result>"])
    model = ScriptedModel(lambda request: next(replies) if request.purpose == "compose" else "<result>1</result>")
    root = one(Check(matches=r"^\d$"))
    root.add_subtask(Task(content="one", id="a"))
    run = Executor(model, store=store).run(root)
    assert run.result == "2"
    assert "does not pass the check" in words_of(asked(model, "compose")[1])


# Predicates


def is_even(answer: str) -> bool:
    return int(answer) % 2 == 0


def test_a_predicate_says_yes_no_or_what_is_wrong(store: Path) -> None:
    def fits(answer: str, *, output: Any, task: Task) -> str | bool:
        return True if (answer, output, task.id) == ('{"n": 4}', {"n": 4}, "0") else f"n is {output['n']}, not 4"

    model = answers('{"n": 3}', '{"n": 4}')
    checks = [Check(predicate="fits"), Check(schema={"type": "object"})]
    run = Executor(model, store=store, checks={"fits": fits}).run(one(*checks))
    assert run.task.output == {"n": 4}
    assert "n is 3, not 4" in words_of(model.requests[1])
    numbers = answers("3", "x", "4")
    assert Executor(numbers, store=store, checks={"even": is_even}).run(one(Check(predicate="even"))).result == "4"
    assert "is_even says no" not in words_of(numbers.requests[1])
    assert "even says no" in words_of(numbers.requests[1])
    assert "invalid literal for int()" in words_of(numbers.requests[2])


def test_a_predicate_that_is_missing_or_says_nothing_is_named(store: Path) -> None:
    with pytest.raises(UsageError, match="uses the function 'evn', but there are: even; pass it with"):
        Executor(answers("4"), store=store, checks={"even": is_even}).run(one(Check(predicate="evn")))
    assert not store.exists()
    with pytest.raises(UsageError, match="the check 'even' is int; give a function"):
        Executor(answers("4"), store=store, checks={"even": 4}).run(one())  # type: ignore[dict-item]
    model = answers("4", "4")
    run = Executor(model, store=store, checks={"even": lambda answer: None}).run(one(Check(predicate="even")))
    assert "the check even returned None" in str(run.task.error)
    assert len(model.requests) == 1


def test_a_function_under_predicate_is_found_in_a_file(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from ramify.planner import predicate\n\n@predicate\ndef even(answer):\n    return int(answer) % 2 == 0\n"
    )
    run = Executor(answers("3", "4"), store=store, worker_sources=[str(file)]).run(one(Check(predicate="even")))
    assert run.result == "4"
    assert predicate(is_even)("4") is True


# Commands


def program(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_reads_the_answer_and_its_exit_code_decides(store: Path) -> None:
    code = "import sys; n = int(sys.stdin.read()); sys.exit(0 if n > 5 else f'{n} is too small')"
    model = answers("3", "7")
    run = Executor(model, store=store, allow=["subprocess"]).run(one(Check(command=program(code))))
    assert run.result == "7"
    assert "exit code 1: 3 is too small" in words_of(model.requests[1])


def test_a_command_needs_the_permission(store: Path) -> None:
    with pytest.raises(NotAllowedError, match="needs the permission subprocess"):
        Executor(answers("3"), store=store).run(one(Check(command=["true"])))
    assert not store.exists()


def test_a_command_is_ended_with_its_children_when_its_time_is_over(store: Path, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
        "'import time, pathlib; time.sleep(2); pathlib.Path(\"late\").touch()']); time.sleep(60)"
    )
    check = Check(command=program(f"import os; os.chdir({str(tmp_path)!r}); {code}"), timeout_s=1)
    root = one(check, config=TaskConfig(max_check_rounds=0))
    run = Executor(answers("3"), store=store, allow=["subprocess"]).run(root)
    assert "it took longer than 1 s" in str(run.task.error)
    time.sleep(2)
    assert not (tmp_path / "late").exists()


def test_a_command_sees_no_secrets_of_the_environment(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITY_TOKEN", "tell-nobody")
    code = "import os, sys; sys.exit(str(sorted(os.environ)))"
    root = one(Check(command=program(code)), config=TaskConfig(max_check_rounds=0))
    run = Executor(answers("3"), store=store, allow=["subprocess"]).run(root)
    assert "PATH" in str(run.task.error)
    assert "CITY_TOKEN" not in str(run.task.error)


# Verdicts of a model

FAIL = '<issue>a source for each figure | "717,710" has none</issue><verdict value="fail"/>'


def test_a_model_that_verifies_sends_an_answer_back_with_its_issues(store: Path) -> None:
    replies = iter([FAIL, '<verdict value="pass"/>'])
    model = ScriptedModel(
        lambda request: next(replies) if request.purpose == "verify" else f"<result>717,710 {request.attempt}</result>"
    )
    run = Executor(model, store=store).run(one(Check(verify="Every figure has a source."), Check(matches=r"\d")))
    assert run.result == "717,710 2"
    first = words_of(asked(model, "verify")[0])
    assert "Every figure has a source." in first
    assert "matches \\d: pass" in first
    assert "717,710 1" in first
    assert 'a source for each figure | "717,710" has none' in words_of(asked(model, "execute")[1])
    assert [event.data["outcome"] for event in checked(run, store)] == ["pass", "fail", "pass", "pass"]


def test_no_model_is_asked_about_an_answer_that_fails_otherwise(store: Path) -> None:
    model = ScriptedModel({"execute": "<result>no</result>"})
    config = TaskConfig(max_check_rounds=1)
    run = Executor(model, store=store).run(one(Check(verify="good"), Check(matches=r"\d"), config=config))
    assert run.status == "failed"
    assert not asked(model, "verify")


def test_unsure_and_unreadable_verdicts_do_not_fail_an_answer(store: Path) -> None:
    model = ScriptedModel({"execute": "<result>1</result>", "verify": '<verdict value="unsure"/>'})
    assert Executor(model, store=store).run(one(Check(verify="good"))).result == "1"
    bare = ScriptedModel({"execute": "<result>1</result>", "*": '<verdict value="fail"/>'})
    run = Executor(bare, store=store).run(one(Check(verify="good")))
    assert run.result == "1"
    assert [request.purpose for request in bare.requests] == ["execute", "verify", "repair"]
    (event,) = checked(run, store)
    assert event.data["outcome"] == "unsure"
    assert "the verdict is fail, and no `<issue>` says why" in event.data["complaint"]


def test_verifying_goes_two_rounds_at_most(store: Path) -> None:
    model = ScriptedModel({"execute": "<result>1</result>", "verify": FAIL})
    run = Executor(model, store=store).run(one(Check(verify="good"), config=TaskConfig(max_check_rounds=9)))
    assert run.status == "failed"
    assert (len(asked(model, "execute")), len(asked(model, "verify"))) == (3, 3)
    assert "does not pass the check `verify good`: a source for each figure" in str(run.task.error)


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ("I think it passes.", "there is no `<verdict"),
        ('<verdict value="fail"/>', "no `<issue>` says why"),
        ('<issue>x</issue><verdict value="pass"/>', "the verdict is pass, and there are issues"),
        ('<verdict value="pass"/><verdict value="fail"/>', "several verdicts that differ"),
        ('<verdict value="good"/>', "it is one of pass, fail, unsure"),
        ("", "the reply is blank"),
        ('<issue>x<verdict value="pass"/>', "has no end"),
    ],
)
def test_a_verdict_is_read_from_its_tags_alone(reply: str, complaint: str) -> None:
    with pytest.raises(ReplyError, match=complaint.replace("|", r"\|")):
        parse_verdict(reply)


def test_a_verdict_may_have_thoughts_and_prose_around_it() -> None:
    reply = '<think>fail? <verdict value="fail"/></think>Checked.\n<verdict value="PASS" />'
    assert parse_verdict(reply) == Verdict("pass")


# Other workers, empty answers, and what is kept


def test_a_worker_that_fails_a_check_is_asked_again(store: Path) -> None:
    tries: list[int] = []

    @worker
    def count() -> int:
        tries.append(1)
        return len(tries)

    run = Executor(ScriptedModel({}), store=store, workers=[count]).run(
        one(Check(schema={"type": "integer", "minimum": 3}), type="count")
    )
    assert (run.task.output, len(tries)) == (3, 3)


def test_an_empty_answer_of_a_worker_is_no_success(store: Path) -> None:
    class Mute(Worker):
        async def perform(self, _: Task, __: WorkContext) -> Outcome:
            return Outcome("  ")

    run = Executor(ScriptedModel({}), store=store, workers={"mute": Mute()}).run(one(type="mute"))
    assert (run.status, run.task.error) == ("failed", "the answer of the worker mute is empty")


def test_an_answer_is_not_judged_by_its_words(store: Path) -> None:
    run = Executor(answers("Impossible: I cannot, as no even prime is above 2."), store=store).run(one())
    assert run.status == "done"


KILLED = """
import os, signal, sys
from ramify.planner import Executor
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Check, Task
is_first = not os.path.exists(sys.argv[1])
def reply(request):
    words = request.messages[-1]["content"]
    if request.purpose == "verify":
        if request.attempt == 2 and is_first:
            os.kill(os.getpid(), signal.SIGKILL)
        return '<verdict value="pass"/>'
    print(request.attempt, "The answer that does not pass" in words, flush=True)
    return "<result>no</result>" if request.attempt == 1 else "<result>7</result>"
model = ScriptedModel(reply)
if is_first:
    task = Task(content="Give a number.", id="0", checks=[Check(matches="^[0-9]$"), Check(verify="prime")])
    Executor(model, store=sys.argv[1]).run(task)
else:
    print(Executor.resume(sys.argv[1], agent=model).result)
"""


def test_after_a_kill_no_answer_is_asked_for_again_and_the_complaint_is_still_known(store: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(store)]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stdout) == (-9, "1 False\n2 True\n")
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.stdout, again.stderr) == ("7\n", ""), "both answers are in the journal, under the same requests"


def test_checks_are_read_from_words() -> None:
    assert read_check("matches=a=b").matches == "a=b"
    assert read_check("command=python3 'a b.py'").command == ("python3", "a b.py")
    assert read_check('schema={"type": "integer"}').json_schema == {"type": "integer"}
    with pytest.raises(ValueError, match="a check is written KIND=VALUE"):
        read_check("regex=a")
    assert form_of_answer([Check(predicate="x"), Check(command=["x"])]) is None


def test_solve_takes_checks_of_the_answer(store: Path) -> None:
    model = ScriptedModel({"decompose": "<atomic/>", "execute": "<result>4</result>"})
    how: dict[str, Any] = {"model": model, "store": store, "checks": {"even": is_even}}
    run = solve("Give a number.", check=["matches=^[0-9]$", Check(predicate="even")], **how)
    assert (run.result, len(run.task.checks)) == ("4", 2)
    with pytest.raises(UsageError, match=r"the check 'matches=\(' cannot be used: matches: not a regular expression"):
        solve("Give a number.", check=["matches=("], **how)


def test_the_command_line_takes_checks_of_the_answer(ramify: Ramify, home: Path) -> None:
    (home / "number.json").write_text('{"type": "number", "maximum": 10}')
    done = ramify("solve", "2 * 3", "--model", "rules", "--check", "schema=number.json", "--check", "matches=^[0-9]$")
    assert (done.code, done.out) == (0, "6\n")
    shown = ramify("show", "--last", "0").out
    assert "matches ^[0-9]$: pass" in shown
    assert 'schema {"type": "number", "maximum": 10}: pass' in shown
    data = json.loads(ramify("show", "--last", "0", "--json").out)
    assert [each["data"]["outcome"] for each in data["checked"]] == ["pass", "pass"]
    failed = ramify("solve", "2 * 30", "--model", "rules", "--check", "matches=^[0-9]$", "--display", "none")
    assert failed.code == 1
    assert "does not pass the check `matches ^[0-9]$`: it does not match" in failed.err


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("regex=a", "a check is written KIND=VALUE"),
        ("matches=(", "not a regular expression"),
        ("schema=none.json", "none.json"),
        ("predicate=even", "uses the function 'even', but there are none"),
        ("command=true", "--allow subprocess"),
    ],
)
def test_a_check_that_cannot_be_used_is_said_before_anything_is_asked(ramify: Ramify, check: str, said: str) -> None:
    done = ramify("solve", "2 * 3", "--model", "rules", "--check", check)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
