"""Keywords of the Python API: those that would do nothing are refused, and one thing stands for a row of one."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from ramify.planner import Agent, Executor, Strategy, asolve, decompose, evolve, solve, tool, worker
from ramify.planner.api import prepare, start
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.errors import UsageError
from ramify.planner.evolution.api import aevolve, prepare_evolution
from ramify.planner.running.keywords import EvolveKeywords, Given, RunKeywords, SolveKeywords, Watched
from ramify.planner.settings.options import OPTIONS, PlanOptions, SharedOptions
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Material, Task

MODEL = {"*": "<result>done</result>"}


@pytest.fixture
def store(home: Path) -> Path:
    return home / "runs.db"


@pytest.mark.fault("4.4")
def test_names_that_are_known_are_those_that_are_taken() -> None:
    live = set(Watched.__annotations__)
    for known, function in ((SolveKeywords, prepare), (EvolveKeywords, prepare_evolution)):
        named = {
            name for name, each in inspect.signature(function).parameters.items() if each.kind.name == "KEYWORD_ONLY"
        }
        more = {*Given.__annotations__, *PlanOptions.__annotations__} if known is SolveKeywords else set()
        assert set(known.__annotations__) == (named - {"n"}) | live | more | set(SharedOptions.__annotations__)
    assert set(RunKeywords.__annotations__) <= set(SolveKeywords.__annotations__)


def test_every_option_is_a_keyword() -> None:
    assert set(OPTIONS) <= set(SolveKeywords.__annotations__)


@pytest.mark.fault("4.4")
@pytest.mark.parametrize(
    ("function", "first", "how", "said"),
    [
        (solve, "x", {"modle": "rules"}, "unknown keyword modle; did you mean model?"),
        (solve, "x", {"modle": None}, "unknown keyword modle; did you mean model?"),
        (start, "x", {"midleware": []}, "unknown keyword midleware; did you mean middleware?"),
        (decompose, "x", {"file": "x"}, "unknown keyword file; did you mean files?"),
        (asolve, "x", {"on_evnt": print}, "unknown keyword on_evnt; did you mean on_event?"),
        (solve, "x", {"api_key": "x"}, "unknown keyword api_key; set keys in"),
        (evolve, "x", {"generation": 1}, "unknown keyword generation; did you mean generations?"),
        (evolve, "x", {"max_depth": 1}, "unknown keyword max_depth; "),
        (aevolve, "x", {"trys": 1}, "unknown keyword trys; did you mean tries?"),
        (Executor, "s", {"agnts": {}}, "unknown keyword agnts; did you mean agents?"),
        (Executor.resume, "s", {"retry_faild": True}, "unknown keyword retry_faild; did you mean retry_failed?"),
        (Executor.resume, "s", {"set_results": {}}, "unknown keyword set_results; did you mean set_result?"),
        (Executor.reopen, "s", {"job": 1}, "unknown keyword job; did you mean jobs?"),
        (Strategy("s", "x", {"max_depth": [1]}).resume, "r", {"job": 1}, "unknown keyword job; did you mean jobs?"),
        (solve, "x", {"agent": Agent("rules"), "model": "rules"}, "agent and model are both given"),
        (solve, "x", {"agent": Agent("rules"), "language": "German"}, "agent and language are both given"),
    ],
)
def test_a_keyword_that_would_do_nothing_is_refused(
    home: Path, function: Callable[..., Any], first: str, how: dict[str, Any], said: str
) -> None:
    def call() -> None:
        made = function(first, **how)
        made.send(None)  # an async function says it when it is awaited

    with pytest.raises(UsageError) as refused:
        call()
    assert str(refused.value).startswith(said)
    assert not list(home.iterdir())


@pytest.mark.fault("4.4")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"agent": ScriptedModel(MODEL), "base_url": "http://127.0.0.1:1/v1"},
            "base_url has no effect on your own agent",
        ),
        ({"from_task": "0", "edit": object()}, "use either edit, or plan, set, set_result and from_task"),
    ],
)
def test_options_that_would_take_another_away_are_refused_on_resume(store: Path, options: Any, said: str) -> None:
    run = Executor(ScriptedModel(MODEL), store=store).run("x")
    with pytest.raises(UsageError, match=said):
        Executor.resume(store, run.id, **options)


@pytest.mark.fault("4.4")
def test_an_executor_takes_a_goal_as_text_and_says_what_else_it_takes(store: Path) -> None:
    executor = Executor(ScriptedModel(MODEL), store=store)
    run = executor.run(" say it ")
    assert (run.result, run.task.id, run.task.content) == ("done", "0", "say it")
    for given, what in ((3, "int"), (" ", "a blank text"), (Path("plan.yaml"), "PosixPath")):
        with pytest.raises(UsageError, match=rf"pass a Task, or a goal as text, not {what}; load_plan\(FILE\)"):
            executor.run(cast("Any", given))


@pytest.mark.fault("4.4")
def test_one_alone_is_one_of_them(home: Path, store: Path) -> None:
    note = home / "notes.txt"
    note.write_text("a note", encoding="utf-8")
    given: Any = {"materials": Material(name="m", text="t"), "check": "matches=^d", "model": "rules", "store": store}
    for file in ("notes.txt", note):
        _, root = prepare("x", files=file, **given)
        assert [(each.name, each.text) for each in root.attachments] == [("m", "t"), (str(file), "a note")]
        assert [check.matches for check in root.checks] == ["^d"]

    @tool(permissions=cast("Any", "network"))
    def look() -> str:
        """Look."""
        return "x"

    @worker(permissions=cast("Any", "network"), keeps=cast("Any", "max_memory_mb"))
    def fetch() -> str:
        return "x"

    both: Any = {"tools": look, "workers": fetch, "allow": "network"}
    assert [*look.permissions, *fetch.permissions, *fetch.keeps] == ["network", "network", "max_memory_mb"]
    assert [each.name for each in Agent("rules", tools=both.pop("tools")).tools] == ["look"]
    run = Executor("rules", store=store, **both).run(Task(content="x", id="0", type="fetch"))
    assert run.result == "x"
    executor, _ = prepare_evolution("a task", n=1, methods="deepen", model="rules", store=store)
    assert executor.agent.model_name == "rules"


def test_a_decorator_takes_its_options_with_a_function_too() -> None:
    def say() -> str:
        """Say."""
        return "x"

    make: Any = worker
    make_tool: Any = tool
    assert make(say, name="other", permissions=["network"]).name == "other"
    assert make_tool(say, name="other").name == "other"


async def says_yes(_plan: object) -> bool:
    return True


@pytest.mark.fault("4.4")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: solve(12), "goal is 12, of type int; give the goal as text"),  # type: ignore[arg-type]
        (lambda: solve("1+1", approve="plan"), "approve is 'plan', of type str; give a function that"),  # type: ignore[arg-type]
        (lambda: asyncio.run(asolve("1+1", approve="plan")), "approve is 'plan', of type str; give a function that"),  # type: ignore[arg-type]
        (lambda: solve("1+1", approve=says_yes), "approve is async; use asolve"),  # type: ignore[arg-type]
        (lambda: AgentSettings(timeout_s=-1), "timeout_s cannot be used: it is -1"),
        (lambda: solve("1+1", files=5), "files is 5, of type int; give files, as paths"),  # type: ignore[arg-type]
        (lambda: solve("1+1", model=5), "model is 5, of type int; give the name"),  # type: ignore[arg-type]
        (lambda: Executor(5), "agent is 5, of type int; give an Agent"),  # type: ignore[arg-type]
        (lambda: Executor("rules", workers="x.py"), "workers is 'x.py', of type str; give functions"),  # type: ignore[arg-type]
        (lambda: Executor("rules", wrokers=[]), "unknown keyword wrokers; did you mean workers?"),  # type: ignore[call-arg]
        (lambda: Executor("rules", on_error="maybe"), "on_error cannot be used: it is 'maybe'"),  # type: ignore[arg-type]
        (lambda: Executor("rules", plan=3), "plan cannot be used: it must be"),  # type: ignore[arg-type]
        (lambda: Executor("rules", checks=[len]), "checks is [<built-in function len>], of type list"),  # type: ignore[arg-type]
        (lambda: Executor("rules", secrets="word"), "secrets is str; give values by name"),  # type: ignore[arg-type]
        (lambda: Executor("rules", on_event="print"), "on_event is 'print', of type str"),  # type: ignore[arg-type]
        (lambda: Executor.resume("runs.db", 3), "run_id is 3, of type int; give a run's id"),  # type: ignore[arg-type]
        (lambda: Executor.resume(3), "store is 3, of type int; give a store"),  # type: ignore[arg-type]
    ],
)
def test_an_argument_of_another_kind_is_refused_in_our_words(call: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        call()
    assert str(refused.value).startswith(said)
