"""Functions as workers: what each parameter is given, which inputs are refused, and what it means to return nothing."""

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ramify.planner import Executor, Run, WorkContext, worker
from ramify.planner.errors import UsageError
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState

from .ramify_command import ramify_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

MODEL = {"compose": "<result>together</result>"}


def did(tmp_path: Path, *workers: Any, inputs: Any = None, type: str = "w") -> Task:  # noqa: A002 - as of a task
    root = Task(content="all", id="0", config=TaskConfig(max_retries=0))
    root.add_subtask(Task(content="c", id="0.1", type=type, inputs=inputs or {}))
    run: Run = Executor(ScriptedModel(MODEL), store=tmp_path / "runs.db", workers=workers).run(root)
    return run.task.find("0.1")


def untyped(words: str, name: str = "w") -> Any:
    found: dict[str, Any] = {}
    exec(textwrap.dedent(words), found)  # noqa: S102 - functions as people write them, without annotations
    return worker(name="w")(found[name])


@pytest.mark.fault("4.1")
@pytest.mark.parametrize(
    ("words", "inputs", "result"),
    [
        ("def w(text): return text.upper()", {"text": "x"}, "X"),
        ("def w(task): return task.id", {"task": "no"}, "0.1"),
        ("def w(task, text): return task.id + text", {"text": "x"}, "0.1x"),
        ("def w(task: str): return task", {"task": "an input"}, "an input"),
        ("def w(text=3): return str(text)", {}, "3"),
        ("w = lambda _: 'unused'", {}, "unused"),
        ("w = lambda text: text", {"text": "x"}, "x"),
        ("def w(a, **more): return str(more)", {"a": 1, "b": 2}, "{'b': 2}"),
        ("def w(**more): return str(more)", {"b": 2}, "{'b': 2}"),
        ("def w(task, context): return str(context.inputs)", {"free": 1}, "{'free': 1}"),
        ("async def w(text): return text", {"text": "x"}, "x"),
        ("async def w(task): return task.id", {"free": 1}, "0.1"),
    ],
)
def test_a_parameter_is_the_task_by_its_name_and_an_input_by_any_other(
    tmp_path: Path, words: str, inputs: Any, result: str
) -> None:
    assert did(tmp_path, untyped(words), inputs=inputs).result == result


@pytest.mark.fault("4.1")
@pytest.mark.parametrize(
    ("words", "inputs", "said"),
    [
        (
            "def w(text): return text",
            {},
            "task 0.1 lacks the input text of the worker 'w'; add it",
        ),
        (
            "def w(text): return text",
            {"txet": "x"},
            "the input txet of task 0.1 does not fit the worker 'w': there is no such input; did you mean text?",
        ),
        (
            "def w(text='a', word='b', context=None): return text",
            {"colour": "x"},
            "the input colour of task 0.1 does not fit the worker 'w': there is no such input; it takes text, word",
        ),
        (
            "def w(): return 'x'",
            {"text": "x"},
            "the input text of task 0.1 does not fit the worker 'w': there is no such input; it takes none",
        ),
    ],
)
def test_inputs_that_are_missing_or_misspelled_are_refused_by_name(
    tmp_path: Path, words: str, inputs: Any, said: str
) -> None:
    task = did(tmp_path, untyped(words), inputs=inputs)
    assert task.state is TaskState.FAILED
    assert str(task.error).startswith(said)


@pytest.mark.fault("4.1")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "def w(text): print(text)",
            "the worker 'w' returns nothing; return a result, or declare",
        ),
        ("async def w(text): print(text)", "the worker 'w' returns nothing"),
        ("def w(text):\n    if text: return\n    print(text)", "the worker 'w' returns nothing"),
        ("def w(text):\n    yield text", "the worker 'w' yields its values; return a list of them"),
        ("async def w(text):\n    yield text", "the worker 'w' yields its values"),
        ("def w(*rest): return rest", "the worker 'w' takes *rest; list its inputs by name"),
        (
            "def w(a: 'Fraction'): return a",
            "the worker 'w': the annotation Fraction of a uses a name that is not imported",
        ),
    ],
)
def test_a_function_that_cannot_give_anything_is_refused_before_any_work(words: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        untyped(words)
    assert str(refused.value).startswith(said)


@pytest.mark.fault("4.1")
@pytest.mark.parametrize(
    "words", ["def w() -> None: print()", "async def w() -> None: pass", "def w() -> str | None: return None"]
)
def test_nothing_is_an_answer_where_it_is_declared(tmp_path: Path, words: str) -> None:
    task = did(tmp_path, untyped(words))
    assert (task.state, task.result, task.output) == (TaskState.DONE, "(done; no result)", None)


@pytest.mark.fault("4.1")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "def w(task): return None if task else 1",
            "returned nothing for task 0.1; return text or JSON data, or",
        ),
        ("def w(task) -> str: return ' '", "returned an empty text for task 0.1; return text or JSON data"),
    ],
)
def test_nothing_is_no_answer_where_it_is_not_declared(tmp_path: Path, words: str, said: str) -> None:
    assert said in str(did(tmp_path, untyped(words)).error)


def test_a_function_that_always_raises_may_stand_without_a_return(tmp_path: Path) -> None:
    assert did(tmp_path, untyped("def w(task): raise ValueError('no')")).error == "ValueError: no"


def test_what_type_checkers_alone_import_need_not_be_there_for_the_return_type(tmp_path: Path) -> None:
    def w(task: "Task", context: "WorkContext") -> "Iterator[Fraction]":
        return f"{task.id} {context.attempt}"  # type: ignore[return-value]

    assert did(tmp_path, worker(w)).result == "0.1 1"


@pytest.mark.fault("2.3")
@pytest.mark.fault("4.2")
def test_a_declared_return_type_is_written_by_pydantic_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    from datetime import date

    def dates() -> dict[int, tuple[date, ...]]:
        return {1: (date(2026, 1, 2),)}

    def twice() -> dict[int | str, str]:
        return {1: "a", "1": "b"}

    def wrong() -> dict[str, int]:
        return {"a": "x"}  # type: ignore[dict-item]

    def infinite() -> dict[str, tuple[float, ...]]:
        return {"a": (1.0, math.inf)}

    made = {each.__name__: did(tmp_path, worker(name="w")(each)) for each in (dates, twice, wrong, infinite)}
    assert made["dates"].output == {"1": ["2026-01-02"]}
    assert "does not fit its return type: it has keys that are equal as text: 1, '1'" in str(made["twice"].error)
    assert "does not fit its return type: a: it is 'x'; it must be a whole number" in str(made["wrong"].error)
    assert 'cannot be stored: result["a"][1]: inf' in str(made["infinite"].error)


@pytest.mark.fault("4.2")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("def w() -> int: return 'text'", "that does not fit its return type: it is str, but int is declared"),
        ("async def w() -> int: return '5'", "it is str, but int is declared"),
        ("def w() -> int: return 2.5", "it is float, but int is declared"),
        ("def w() -> float: return 'text'", "it is str, but float is declared"),
        ("def w() -> bool: return 1", "it is int, but bool is declared"),
        ("def w() -> str: return {'a': 1}", "it is dict, but str is declared"),
        ("def w() -> list: return {'a': 1}", "it is dict, but list is declared"),
        ("def w() -> None: return 'text'", "it is str, but None is declared"),
        ("def w() -> int | None: return 'text'", "it is 'text'; it must be a whole number"),
        ("def w() -> float: return float('nan')", "result: nan, which is not a JSON number; use None instead"),
        ("def w(task): return float('nan')", "result: nan, which is not a JSON number; use None instead"),
        ("def w(task): return {1}", "; make it a list, or declare the return type so that pydantic can convert it"),
    ],
)
def test_what_is_declared_is_checked_and_what_is_wrong_is_said(tmp_path: Path, words: str, said: str) -> None:
    assert str(did(tmp_path, untyped(words)).error).endswith(said)


@pytest.mark.parametrize(
    ("words", "output"),
    [
        ("def w() -> float: return 2", 2),
        ("def w() -> int: return __import__('numpy').int64(2)", 2),
        ("def w() -> float: return __import__('numpy').float32(2)", 2.0),
        ("def w() -> bool: return __import__('numpy').bool_(1)", True),
        ("def w() -> dict: return {'a': (1,)}", {"a": [1]}),
    ],
)
def test_what_type_checkers_and_numpy_take_for_the_declared_type_is_taken(
    tmp_path: Path, words: str, output: object
) -> None:
    assert did(tmp_path, untyped(words)).output == output


@pytest.mark.fault("4.1")
@pytest.mark.fault("4.2")
def test_the_command_line_says_the_same(home: Path) -> None:
    (home / "mine.py").write_text(
        textwrap.dedent(
            """
            from ramify.planner import worker

            @worker
            def count(text):
                return {"words": [len(text.split()), {3}]} if text == "odd" else len(text.split())
            """
        ),
        encoding="utf-8",
    )
    for inputs, code, said in (
        ("{text: a b}", 0, ""),
        ("{txet: a b}", 1, "there is no such input; did you mean text?"),
        ("{text: odd}", 1, 'cannot be stored: result["words"][1]: set, which is not JSON; make it a list'),
    ):
        (home / "plan.yaml").write_text(f"goal: x\ntype: count\ninputs: {inputs}\n", encoding="utf-8")
        done = ramify_process("run", "plan.yaml", "--model", "rules", "--workers", "mine.py", "-q")
        assert (done.code, said in done.err) == (code, True), done.err
    assert "2" in ramify_process("show", "--json", "--last").out
