"""Values: everybody is given what is stored, what JSON cannot hold is refused with its place, and text is whole."""

import ast
import dataclasses
import datetime as dt
import enum
import json
import math
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import numpy as np
import pytest
from pydantic import BaseModel
from ramify.planner import Agent, Executor, Outcome, Run, WorkContext, Worker, predicate, tool, worker
from ramify.planner.errors import WorkFailedError
from ramify.planner.models.protocol import ModelReply, ToolCall
from ramify.planner.store import Store
from ramify.planner.store.texts import dump_json, load_json
from ramify.planner.testing import ScriptedModel
from ramify.prompts import Material
from ramify.tasks import Check, Task, TaskConfig, TaskState
from ramify.tasks.json_data import DEEPEST, NotJsonError, as_json, copy_json
from ramify.tasks.json_text import json_text, read_json
from ramify.tasks.replies.json_answers import read_json_answer

from .ramify_command import ramify_process

MODEL = {"compose": "<result>together</result>", "execute": "<result>done</result>"}
HALF = "\ud83d"


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: int


class Place(BaseModel):
    name: str
    since: dt.date


@dataclasses.dataclass
class Size:
    width: Decimal
    parts: tuple[int, ...]


KEPT: list[tuple[Any, Any]] = [
    ({"a": (1, (2, 3))}, {"a": [1, [2, 3]]}),
    (Point(1, 2), [1, 2]),
    ([np.int64(3), np.float64(0.5), np.bool_(True), np.float32(0.25), np.str_("x")], [3, 0.5, True, 0.25, "x"]),  # noqa: FBT003
    ({"c": Colour.RED, "l": Level.LOW, Colour.RED: 1}, {"c": "red", "l": 1, "red": 1}),
    (Counter("aab"), {"a": 2, "b": 1}),
    ({"p": [Place(name="Oslo", since=dt.date(1048, 1, 1))]}, {"p": [{"name": "Oslo", "since": "1048-01-01"}]}),
    ([Size(Decimal("1.50"), (1, 2))], [{"width": "1.50", "parts": [1, 2]}]),
    ([f"a {HALF} b", {f"k{HALF}": 1}], ["a \ufffd b", {"k\ufffd": 1}]),
    (["\ud83d\ude00"], ["\U0001f600"]),
    ([0.1, 1e300, -0.0], [0.1, 1e300, -0.0]),
]

REFUSED: list[tuple[Any, str]] = [
    (
        {"rows": [1, 2, 3, np.array([1])]},
        'result["rows"][3]: numpy.ndarray, which is not JSON; take its .tolist()',
    ),
    ({1: "a"}, "result: the key 1 (int); keys are text"),
    ({"a": {1: "a", "1": "b"}}, 'result["a"]: the key 1 (int); keys are text'),
    ({"a": [{None: 1}]}, 'result["a"][0]: the key None (NoneType); keys are text'),
    ({"a": {1, 2}}, 'result["a"]: set, which is not JSON; make it a list'),
    ([b"x"], "result[0]: bytes, which is not JSON; decode it to text"),
    ([1.0, math.nan], "result[1]: nan, which is not a JSON number; use None instead"),
    ({"loss": -math.inf}, 'result["loss"]: -inf, which is not a JSON number'),
    ([np.float64("nan")], "result[0]: nan, which is not a JSON number"),
    ([dt.date(2026, 1, 1)], "result[0]: datetime.date, which is not JSON"),
    ([np.datetime64("2026-01-01", "ns")], "result[0]: numpy.datetime64, which is not JSON"),
    ({"a": Decimal(1)}, 'result["a"]: decimal.Decimal, which is not JSON'),
    ([Path("x")], "result[0]: pathlib.PosixPath, which is not JSON"),
    ([10**5000], "result[0]: an integer of more than 4,200 digits"),
    ({HALF: 1, "\ufffd": 2}, "result: two keys that are the same as text"),
    ({"a": object()}, 'result["a"]: object, which is not JSON'),
]


def store_of(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def tree_of(*leaves: Task) -> Task:
    root = Task(content="all", id="0", config=TaskConfig(max_retries=0))
    root.add_subtasks(leaves)
    return root


def ran(tmp_path: Path, root: Task, *workers: Any, **how: Any) -> Run:
    return Executor(ScriptedModel(MODEL), store=store_of(tmp_path), workers=workers, **how).run(root)


def stored(tmp_path: Path, run: Run) -> Task:
    with Store.open(store_of(tmp_path)) as opened:
        return opened.load_tree(run.id)


@pytest.mark.fault("2.3")
@pytest.mark.parametrize(("given", "kept"), KEPT)
def test_what_json_can_hold_is_taken_at_once_as_it_is_stored(given: Any, kept: Any) -> None:
    taken = as_json(given, "result")
    assert (taken, list(map(type, taken))) == (kept, list(map(type, kept)))
    assert load_json(dump_json(taken, what="it")) == kept


@pytest.mark.fault("2.3")
@pytest.mark.fault("2.4")
@pytest.mark.fault("4.2")
@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_what_json_cannot_hold_is_refused_with_its_place_and_type(given: Any, said: str) -> None:
    with pytest.raises(NotJsonError) as refused:
        as_json(given, "result")
    assert str(refused.value).startswith(said)


def test_what_is_nested_too_deeply_or_holds_itself_is_refused_and_all_else_comes_back() -> None:
    deep: list[Any] = []
    for _ in range(DEEPEST - 1):
        deep = [deep]
    assert load_json(dump_json(as_json(deep), what="it")) == deep == Task(content="x", output=deep).output
    itself: list[Any] = []
    itself += [itself, itself]
    for each in ([deep], itself):
        with pytest.raises(NotJsonError, match="more than 200 levels"):
            as_json(each)


@pytest.mark.fault("2.3")
def test_what_a_dependent_is_given_is_the_same_before_and_after_a_resume(tmp_path: Path) -> None:
    given: list[Any] = [value for value, _ in KEPT]
    seen: list[Any] = []
    is_first = [True]

    @worker
    def give() -> Any:
        return {"values": given}

    @worker
    def see(context: WorkContext) -> str:
        seen.append(copy_json(context.results["0.1"]))
        if is_first.pop() if is_first else False:
            raise RuntimeError("not yet")
        return "seen"

    root = tree_of(
        Task(content="give", id="0.1", type="give"), Task(content="see", id="0.2", type="see", dependencies=["0.1"])
    )
    run = ran(tmp_path, root, give, see)
    assert run.task.find("0.2").state is TaskState.FAILED
    again = {"agent": ScriptedModel(MODEL), "retry_failed": True, "workers": [give, see]}
    Executor.resume(store_of(tmp_path), run.id, **cast("Any", again))
    assert seen == [{"values": [kept for _, kept in KEPT]}] * 2
    assert stored(tmp_path, run).find("0.1").output == seen[0] == root.find("0.1").output


@pytest.mark.fault("2.3")
@pytest.mark.fault("2.4")
@pytest.mark.fault("4.2")
@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_a_value_that_cannot_be_kept_fails_its_task_alone_by_place_and_type(
    tmp_path: Path, given: Any, said: str
) -> None:
    class Own(Worker):
        async def perform(self, _task: Task, _context: WorkContext) -> Outcome:
            return Outcome("text", given)

    root = tree_of(
        Task(content="a", id="a", type="give"), Task(content="b", id="b", type="own"), Task(content="c", id="c")
    )
    ran(tmp_path, root, *{"give": worker(name="give")(lambda: given), "own": named(Own(), "own")}.values())
    a, b, c = root.subtasks
    assert "for task a that cannot be stored: " + said in str(a.error)
    assert "for task b that cannot be stored: " + said in str(b.error)
    assert (a.state, b.state, c.state) == (TaskState.FAILED, TaskState.FAILED, TaskState.DONE)


def named(each: Worker, name: str) -> Worker:
    each.name = name  # type: ignore[attr-defined]
    return each


@pytest.mark.fault("2.3")
def test_nobody_can_change_what_another_has_given(tmp_path: Path) -> None:
    own: dict[str, list[int]] = {"rows": [3, 1, 2]}

    @worker
    def give() -> dict[str, list[int]]:
        return own

    @worker
    def sort(context: WorkContext) -> str:
        own["rows"].append(9)
        rows: Any = context.results["0.1"]
        rows["rows"].sort()
        return str(context.results["0.1"])

    root = tree_of(
        Task(content="give", id="0.1", type="give"),
        Task(content="sort", id="0.2", type="sort", dependencies=["0.1"]),
        Task(content="sort", id="0.3", type="sort", dependencies=["0.1", "0.2"]),
    )
    ran(tmp_path, root, give, sort)
    assert root.find("0.1").output == {"rows": [3, 1, 2]}
    assert [root.find(each).result for each in ("0.2", "0.3")] == ["{'rows': [1, 2, 3]}"] * 2


@pytest.mark.fault("2.3")
def test_steps_memory_events_and_added_tasks_are_given_as_they_are_stored(tmp_path: Path) -> None:
    told: list[Any] = []
    found: list[Any] = []

    @worker
    async def keep(context: WorkContext) -> Any:
        step = await context.step("s", lambda: {"t": (1, 2)}, given=cast("Any", ("a",)))
        step["t"].append(3)
        value: dict[str, Any] = {"t": (1, 2)}
        context.memory.set("m", value)
        value["t"] = ()
        context.memory.get("m")["t"].append(3)
        context.memory.all()["m"]["t"].append(3)
        context.emit("e", t=cast("Any", (1, 2)))
        added = context.spawn(Task(content="add", type="look", inputs={"t": (1, 2)}))
        if context.attempt == 1:
            raise RuntimeError("again")
        return {"memory": context.memory.get("m"), "step": step, "added": added.inputs}

    @worker
    def look(t: list[int], context: WorkContext) -> str:
        t.append(3)
        context.inputs["t"].append(3)
        found.append(copy_json(context.task.inputs))
        return "looked"

    leaf = Task(content="keep", id="0.1", type="keep", config=TaskConfig(max_retries=1, retry_delay_seconds=0.0))
    root = tree_of(leaf)
    ran(tmp_path, root, keep, look, on_event=lambda event: told.append(event.data) if event.type == "emitted" else None)
    assert leaf.output == {"memory": {"t": [1, 2]}, "step": {"t": [1, 2, 3]}, "added": {"t": [1, 2]}}
    assert told == [{"name": "e", "data": {"t": [1, 2]}}] * 2
    assert found == [{"t": [1, 2]}]


@pytest.mark.fault("2.3")
@pytest.mark.fault("2.4")
def test_what_middleware_changes_is_taken_by_the_same_rule(tmp_path: Path) -> None:
    class Change:
        def before(self, task: Task, _inputs: dict[str, Any]) -> dict[str, Any] | None:
            return {"t": (1, 2)} if task.id == "0.1" else {"t": {1: 2}}

        def after(self, task: Task, outcome: Outcome) -> Outcome | None:
            if task.id == "0.3":
                return Outcome("x", math.nan)
            output: Any = outcome.output
            output.append(9)  # which changes nothing, as nothing is returned
            return None

    @worker
    def give(t: Any) -> Any:
        return [t]

    root = tree_of(
        *(Task(content="x", id=f"0.{n}", type="give") for n in (1, 2)), Task(content="y", id="0.3", type="y")
    )
    ran(tmp_path, root, give, worker(name="y")(lambda context: "y"), middleware=Change())
    assert root.find("0.1").output == [[1, 2]]
    assert 'the middleware Change returned something that cannot be stored: inputs["t"]: the key 1 (int)' in str(
        root.find("0.2").error
    )


def test_middleware_that_gives_no_json_fails_the_task(tmp_path: Path) -> None:
    class After:
        def after(self, _task: Task, _outcome: Outcome) -> Outcome:
            return Outcome("x", [math.nan])

    root = tree_of(Task(content="x", id="0.1"))
    ran(tmp_path, root, middleware=[After()])
    assert "the middleware returned something for task 0.1 that cannot be stored: result[0]: nan" in str(
        root.find("0.1").error
    )


class Shade(str, enum.Enum):  # noqa: UP042 - its words differ from its value, as those of a StrEnum do not
    RED = "red"


@pytest.mark.parametrize("given", [Shade.RED, np.str_("red"), Colour.RED])
@pytest.mark.parametrize("way", ["returned", "declared", "middleware", "outcome of middleware"])
def test_a_kind_of_text_is_plain_text_before_anybody_gets_it(tmp_path: Path, way: str, given: str) -> None:
    class After:
        def after(self, task: Task, _outcome: Outcome) -> Any:
            return None if task.id != "0.1" else given if way == "middleware" else Outcome(text=given)

    seen: list[Any] = []

    @worker
    def take(context: WorkContext) -> str:
        seen.extend(context.results.values())
        return "x"

    def give() -> Any:
        return given

    give.__annotations__["return"] = str if way == "declared" else Any
    root = tree_of(Task(content="x", id="0.1", type="give"), Task(content="y", id="0.2", type="take"))
    root.subtasks[1].dependencies.append("0.1")
    middleware = [After()] if "middleware" in way else []
    ran(tmp_path, root, worker(name="give")(give), take, middleware=middleware)
    assert (root.find("0.1").result, type(root.find("0.1").result)) == ("red", str)
    assert [(str(each), type(each)) for each in seen] == [("red", str)]


@pytest.mark.fault("2.3")
def test_a_check_gets_a_value_of_its_own(tmp_path: Path) -> None:
    @predicate
    def spoils(_text: str, output: Any) -> bool:
        output["n"].append(math.nan)
        return True

    root = tree_of(Task(content="x", id="0.1", type="give", checks=[Check(predicate="spoils")]))
    ran(tmp_path, root, worker(name="give")(lambda: {"n": [1]}), checks={"spoils": spoils})
    assert root.find("0.1").output == {"n": [1]}


@pytest.mark.fault("2.3")
@pytest.mark.fault("2.4")
@pytest.mark.fault("2.5")
def test_what_a_tool_gives_is_kept_or_told_to_the_model_with_its_place(tmp_path: Path) -> None:
    @tool
    def look(n: int) -> Any:
        """Look."""
        return [{"t": (1, 2)}, {"rows": [1, math.nan]}, f"half {HALF}", {1: "a"}][n]

    replies = iter([*(f'<call tool="look">{{"n": {n}}}</call>' for n in range(4)), "<result>done</result>"])
    model = ScriptedModel(lambda _: next(replies))
    root = Task(content="x", id="0")
    Executor(Agent(model, tools=[look]), store=store_of(tmp_path)).run(root)
    assert root.result == "done"
    said = "\n".join(message["content"] for message in model.requests[-1].messages)
    for part in ('{"t": [1, 2]}', 'result["rows"][1]: nan', "half \ufffd", "result: the key 1 (int)"):
        assert part in said


def test_arguments_of_a_tool_that_are_too_large_a_number_are_put_back_to_the_model(tmp_path: Path) -> None:
    @tool
    def look(n: float) -> str:
        """Look."""
        return f"{n}"

    replies = iter(['<call tool="look">{"n": 1e999}</call>', "<result>done</result>"])
    root = Task(content="x", id="0")
    Executor(Agent(ScriptedModel(lambda _: next(replies)), tools=[look]), store=store_of(tmp_path)).run(root)
    assert root.result == "done"


@pytest.mark.fault("2.4")
def test_what_is_no_number_is_refused_wherever_it_enters(tmp_path: Path) -> None:
    @worker
    async def step(context: WorkContext) -> Any:
        return await context.step("s", lambda: [math.nan])

    @worker
    def memory(context: WorkContext) -> str:
        context.memory.set("m", {"loss": math.inf})
        return "x"

    @worker
    def event(context: WorkContext) -> str:
        context.emit("e", loss=math.nan)
        return "x"

    @worker
    def added(context: WorkContext) -> str:
        task = Task(content="x")
        task.inputs["n"] = [math.nan]  # behind the back of the task
        context.spawn(task)
        return "x"

    root = tree_of(*(Task(content="x", id=name, type=name) for name in ("step", "memory", "event", "added")))
    ran(tmp_path, root, step, memory, event, added)
    for task, place in zip(
        root.subtasks, ("result[0]", 'value["loss"]', 'data["loss"]', 'inputs["n"][0]'), strict=True
    ):
        assert f"{place}: {'inf' if task.id == 'memory' else 'nan'}, which is not a JSON number" in str(task.error)
    for field in ("inputs", "metadata", "output"):
        with pytest.raises(ValueError, match=r'"a"\]\[0\]: nan, which is not a JSON number'):
            Task(content="x", **cast("Any", {field: {"a": [math.nan]}}))
    root = Task(content="x", id="0", type="model")
    root.inputs["n"] = math.nan
    with pytest.raises(Exception, match=r'task 0 has a value that cannot be stored: inputs\["n"\]: nan'):
        ran(tmp_path, root)


@pytest.mark.fault("2.4")
@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "[-1e999]"])
def test_no_json_that_is_read_brings_in_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON has no|too large a number"):
        read_json(text)
    with pytest.raises(Exception, match="is not JSON"):
        read_json_answer(text)


@pytest.mark.fault("2.4")
def test_what_an_old_store_holds_that_is_no_number_is_null(tmp_path: Path) -> None:
    root = tree_of(Task(content="x", id="0.1", type="give"))
    run = ran(tmp_path, root, worker(name="give")(lambda: {"n": 1.5}))
    with sqlite3.connect(store_of(tmp_path)) as database:
        database.execute("UPDATE ramify_tasks SET output = replace(output, '1.5', 'NaN') WHERE id = '0.1'")
    assert stored(tmp_path, run).find("0.1").output == {"n": None}
    for words in (("show", run.id, "--json"), ("report", run.id, "--format", "json")):
        said = ramify_process(*words, "--store", str(store_of(tmp_path)))
        assert said.code == 0, said.err
        json.loads(said.out, parse_constant=refuse)
    assert dump_json([math.nan, math.inf], what="it") == "[null,null]"


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


@pytest.mark.fault("2.4")
def test_json_is_written_and_read_in_one_place() -> None:
    root = Path(__file__).parent.parent
    # both ends of these are Ramify's own
    own_pipes = {
        "dask.py",
        "dask_far.py",
        "supervisor.py",
        "running.py",
        "holder.py",
        "child.py",
        "host.py",
        "process.py",
    }
    free = {"json_text.py", "local_servers.py"} | own_pipes
    for path in sorted([*(root / "planner").rglob("*.py"), *(root / "tasks").rglob("*.py")]):
        names = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
        assert path.name in free or not names & {"json.dumps", "json.loads", "json.dump", "json.load"}, path
    with pytest.raises(ValueError, match="Out of range"):
        json_text([math.nan])


@pytest.mark.fault("2.5")
def test_half_a_character_is_replaced_wherever_it_enters(tmp_path: Path) -> None:
    whole = "a\ufffdb"
    half = f"a{HALF}b"
    task = Task(content=half, result=half, name=half, description=half, error=half, type=half, inputs={half: [half]})
    assert {task.content, task.result, task.name, task.description, task.error, task.type} == {whole}
    assert task.inputs == {whole: [whole]}
    task.content = half + "c"
    assert task.content == whole + "c"
    assert Material(name=half, text=half) == Material(name=whole, text=whole)
    call = ToolCall(id="1", name=half, arguments=half)
    reply = ModelReply(text=half, model="m", tool_calls=(call,))
    assert (reply.text, call.name, call.arguments) == (whole, whole, whole)

    @worker
    def give() -> str:
        return half

    model = ScriptedModel({"execute": f"<result>the model says {half}</result>", "compose": "<result>all</result>"})
    root = tree_of(Task(content="x", id="0.1", type="give"), Task(content="y", id="0.2", dependencies=["0.1"]))
    run = Executor(model, store=store_of(tmp_path), workers=[give]).run(root)
    assert (run.status, root.find("0.1").result, root.find("0.2").result) == ("done", whole, f"the model says {whole}")
    for request in model.requests:
        for message in request.messages:
            message["content"].encode()


@pytest.mark.fault("2.5")
@pytest.mark.parametrize("way", ["raised", "raised by ours", "returned by a check", "raised by a check"])
def test_half_a_character_in_what_went_wrong_is_replaced(tmp_path: Path, way: str) -> None:
    @worker
    def give() -> str:
        if way == "raised":
            raise RuntimeError(f"not {HALF}")
        if way == "raised by ours":
            raise WorkFailedError(f"not {HALF}", task_id="0")
        return "x"

    @predicate
    def looks(_text: str) -> str:
        if way == "raised by a check":
            raise ValueError(f"not {HALF}")
        return f"not {HALF}"

    events: list[Any] = []
    root = Task(content="x", id="0", type="give", checks=[Check(predicate="looks")], config=TaskConfig(max_retries=0))
    run = ran(tmp_path, root, give, checks={"looks": looks}, on_event=events.append)
    assert "not \ufffd" in (run.error or "")
    assert "not \ufffd" in (root.error or "")
    for words in (run.error, root.error, *(json.dumps(event.data, ensure_ascii=False) for event in events)):
        assert words is not None
        words.encode()


@pytest.mark.fault("2.5")
def test_half_a_character_in_an_old_store_does_not_fail_every_prompt_with_it(tmp_path: Path) -> None:
    root = tree_of(Task(content="x", id="0.1"), Task(content="y", id="0.2", dependencies=["0.1"]))
    run = ran(tmp_path, root)
    with sqlite3.connect(store_of(tmp_path)) as database:
        database.execute("UPDATE ramify_tasks SET result = ? WHERE id = '0.1'", ('\x1b"old \\ud83d"',))
    assert stored(tmp_path, run).find("0.1").result == "old \ufffd"


@pytest.mark.fault("2.5")
def test_a_command_line_that_is_no_text_is_refused_unless_it_names_a_file(home: Path) -> None:
    (home / "plan.yaml").write_text("goal: 1+1\n", encoding="utf-8")
    said = ramify_process("run", "plan.yaml", "--model", "rules", "--set-result", "0=a\udcff")
    assert (said.code, "word 6 of the command is not text in UTF-8 (from its character 3)" in said.err) == (2, True)


@pytest.mark.fault("2.5")
def test_nul_comes_back_from_every_store_and_names_of_steps_are_printable(place: str) -> None:
    text = "a\x00b"

    @worker
    async def keep(context: WorkContext) -> Any:
        context.memory.set(text, text)
        context.emit(text, data=text)
        step = await context.step("s", lambda: [text], given=text)
        return {text: step, "memory": context.memory.get(text)}

    @worker
    async def odd(context: WorkContext) -> Any:
        return await context.step(text, lambda: 1)

    root = tree_of(
        Task(content=text, id="0.1", type="keep", inputs={text: text}), Task(content="b", id="0.2", type="odd")
    )
    run = Executor(ScriptedModel(MODEL), store=place, workers=[keep, odd]).run(root)
    assert root.find("0.1").output == {text: [text], "memory": text}
    assert "task 0.2: the name of a step must be printable text, not 'a\\x00b'" in str(root.find("0.2").error)
    with Store.open(place) as opened:
        assert opened.load_tree(run.id).find("0.1").output == root.find("0.1").output
