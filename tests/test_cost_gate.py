"""`ask_at_usd`: at that cost a person is asked, at the terminal or by a function; else the run stops, to be resumed."""

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, RunLimits, asolve, solve
from ramify.planner.errors import UsageError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .openai_server import OpenAIServer
from .ramify_command import Ramify, ramify_process
from .test_cli_terminal import Terminal

ANSWER = "<result>done</result>"


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    assert home == Path.cwd()


def leaves(count: int) -> Task:
    root = Task(content="say a lot", id="0")
    root.add_subtasks([Task(content=f"say {number}", id=f"0.{number}") for number in range(1, count + 1)])
    return root


def model() -> ScriptedModel:
    return ScriptedModel({"*": ANSWER}, cost_usd=0.25)


def asked_of(run_id: str) -> list[tuple[str, list[str]]]:
    """Return what a person was asked and has answered in a run."""
    with Store.open("runs.db") as store:
        events = store.events_of(run_id, ["person_asked", "person_answered"])
    return [(event.type, list(event.data.get("questions") or event.data["answers"])) for event in events]


def executor(made: ScriptedModel, **how: Any) -> Executor:
    return Executor(made, store="runs.db", **{"jobs": 1, "ask_at_usd": 0.5, **how})


def test_where_nobody_can_be_asked_the_run_stops_and_says_how_it_goes_on() -> None:
    run = executor(model()).run(leaves(4))
    assert (run.status, run.usage.cost_usd) == ("stopped", 0.5)
    assert "the run has cost $0.5; ask_at_usd = 0.5, and there is nobody" in str(run.error)
    assert run.raising_options == ["--ask-at", "1"]
    again = Executor.resume("runs.db", run.id, agent=model(), ask_at_usd=3)
    assert (again.result, again.usage.cost_usd) == ("done", 1.25)


@pytest.mark.parametrize(
    ("says", "asked_at", "status"),
    [
        (lambda _: True, [0.5], "done"),
        (lambda _: False, [0.5], "stopped"),
        (lambda cost: cost + 0.5, [0.5, 1.0], "done"),
        (lambda cost: 10 * cost, [0.5], "done"),
    ],
)
def test_a_program_says_how_it_goes_on(says: Callable[[float], Any], asked_at: list[float], status: str) -> None:
    costs: list[float] = []
    run = executor(model(), on_ask=lambda cost: costs.append(cost) or says(cost)).run(leaves(4))  # type: ignore[func-returns-value]
    assert (costs, run.status) == (asked_at, status)


def test_many_calls_that_wait_are_one_question() -> None:
    costs: list[float] = []

    async def on_ask(cost: float) -> bool:
        await asyncio.sleep(0)
        costs.append(cost)
        return False

    made = ScriptedModel({"*": ANSWER}, cost_usd=0.25, latency_s=0.01)
    run = executor(made, jobs=4, on_ask=on_ask).run(leaves(40))
    assert (run.status, len(costs)) == ("stopped", 1)
    assert "a person stopped it" in str(run.error)
    assert len(made.requests) <= 8


@pytest.mark.parametrize("said", [None, "yes", 0.25, float("nan"), float("inf")])
def test_what_is_no_answer_stops_the_run_and_is_told(said: Any) -> None:
    run = executor(model(), on_ask=lambda _: said).run(leaves(4))
    assert run.status == "stopped"
    assert f"on_ask returned {said!r}: return True, False, or a higher cost" in str(run.error)


def test_a_function_that_fails_stops_the_run_and_loses_nothing() -> None:
    def on_ask(_: float) -> bool:
        raise SystemExit(3)

    run = executor(model(), on_ask=on_ask).run(leaves(4))
    assert run.status == "stopped"
    assert "on_ask failed: SystemExit: 3" in str(run.error)
    assert Executor.resume("runs.db", run.id, agent=model(), on_ask=lambda _: True).result == "done"


@pytest.mark.parametrize("answer", [True, 2.0])
def test_what_was_answered_holds_when_the_run_is_resumed(answer: Any) -> None:
    run = executor(model(), on_ask=lambda _: answer, max_calls=3).run(leaves(4))
    assert "max_calls" in str(run.error)
    Executor.resume("runs.db", run.id, agent=model(), limits=None, max_calls=99)
    assert sum(kind == "person_asked" for kind, _ in asked_of(run.id)) == 1
    with Store.open("runs.db") as store:
        stored = store.find_run(run.id).settings["limits"]["ask_at_usd"]
    assert stored == (None if answer is True else answer)


def test_a_recorded_reply_costs_nothing_so_nobody_is_asked_for_it() -> None:
    run = executor(model(), max_calls=2, ask_at_usd=None).run(leaves(4))
    assert run.status == "stopped"
    costs: list[float] = []
    again = Executor.resume(
        "runs.db", run.id, agent=model(), max_calls=99, ask_at_usd=0.75,
        on_ask=lambda cost: costs.append(cost) or True,  # type: ignore[func-returns-value]
    )  # fmt: skip
    assert (again.result, costs) == ("done", [0.75])


def test_solve_takes_it_and_asolve_too() -> None:
    script = {"decompose": "<task>one</task><task>two</task>", "*": ANSWER}
    how: dict[str, Any] = {"ask_at_usd": 0.5, "max_depth": 2, "store": "runs.db", "jobs": 1}
    made = ScriptedModel(script, cost_usd=0.25)
    assert solve("Do one and two", model=made, on_ask=lambda _: True, **how).result == "done"
    made = ScriptedModel(script, cost_usd=0.25)
    assert asyncio.run(asolve("Do one and two", model=made, on_ask=lambda _: True, **how)).result == "done"
    with pytest.raises(UsageError, match="on_ask is 1, of type int; give a function"):
        solve("Do one and two", model=made, on_ask=1, **how)  # type: ignore[arg-type]


def test_a_cost_that_nobody_knows_is_told() -> None:
    events: list[Any] = []
    made = ScriptedModel({"*": ANSWER}, cost_usd=None)
    Executor(made, store="runs.db", limits=RunLimits(ask_at_usd=1.0), on_event=events.append).run(leaves(1))
    (told,) = [str(each.data["message"]) for each in events if each.type == "warning"]
    assert told.startswith("the run has ask_at_usd = 1, which cannot be enforced: the price of scripted is unknown")


PLAN = "goal: say a lot\ntasks:\n" + "".join(f"- say {number}\n" for number in range(4))


def asking(server: OpenAIServer, *more: str) -> tuple[str, ...]:
    Path("plan.yaml").write_text(PLAN, encoding="utf-8")
    return (
        "run", "plan.yaml", "--model", "gpt-5-mini", "--base-url", server.base_url, "-j", "1", "--store", "runs.db",
        *more,
    )  # fmt: skip


def test_without_a_terminal_the_command_ends_with_4_and_the_command_that_goes_on(ramify: Ramify) -> None:
    with OpenAIServer(lambda _: ANSWER) as server:
        said = ramify(*asking(server, "--ask-at", "0.00001", "-q"))
        assert (said.code, said.out) == (4, "")
        command = shlex.split(said.last_line)
        assert (command[:2], command[3]) == (["ramify", "resume"], "--ask-at")
        said = ramify(*command[1:4], "99", *command[5:], "-q")
        assert (said.code, said.out) == (0, "done\n")


@pytest.mark.parametrize(
    ("typed", "code", "questions"),
    [("what\ng\n", 0, 2), ("s\n", 4, 1), ("\n", 4, 1), ("\x04", 4, 1), ("0\n-1\nnan\n$9\n", 0, 4)],
)
def test_a_person_is_asked_at_the_terminal(typed: str, code: int, questions: int) -> None:
    with OpenAIServer(lambda _: ANSWER) as server:
        found, seen = Terminal(columns=200).run(*asking(server, "--ask-at", "0.00001"), typed=typed)
    assert (found, seen.count("[g]o on, [s]top, or enter the cost in USD at which to ask again:")) == (code, questions)
    assert seen.splitlines()[-1].startswith("ramify resume r") == (code == 4)


def test_ctrl_c_at_the_question_ends_the_run_at_once() -> None:
    with OpenAIServer(lambda _: ANSWER) as server:
        code, seen = Terminal(columns=200).run(*asking(server, "--ask-at", "0.00001"), interrupt_at="[g]o on")
    assert (code, seen.splitlines()[-1].split()[:2]) == (130, ["ramify", "resume"])
    assert len(server.chats) == 1


def test_an_amount_of_nothing_is_refused() -> None:
    said = ramify_process("run", "plan.yaml", "--ask-at", "0")
    assert said.code == 2
    assert "must be more than 0" in said.err
