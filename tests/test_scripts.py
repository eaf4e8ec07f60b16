"""Plans as code: calls are tasks, known again in a new process by their place and by what was asked."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.planner import Executor, Run, WorkContext, worker
from ramify.planner.errors import ScriptError, UsageError, WorkFailedError
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.work.script import ScriptContext
from ramify.planner.workers.script import Script
from ramify.tasks import Task, TaskState, load_plan

from .crash_scripts import POINTS, ScriptCrash, crash_scripts
from .postgres import PostgresServer
from .ramify_command import Ramify, ramify_process


class Bench:
    """An executor with a store of its own, whose workers note what they do.

    Attributes:
        begun: the ids of the tasks that were begun, in order.
        stop_at: what is begun after so many tasks is stopped, with its run.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.begun: list[str] = []
        self.runs: list[Run] = []
        self.stop_at: int | None = None

    def workers(self) -> list[Any]:
        async def double(task: Task) -> int:
            await self._note(task)
            return 2 * int(str(task.inputs["item"]))

        async def echo(task: Task) -> str:
            await self._note(task)
            return task.content

        async def broken(task: Task) -> str:
            await self._note(task)
            raise WorkFailedError("it is broken", task_id=task.id)

        return [double, echo, broken]

    async def _note(self, task: Task) -> None:
        self.begun.append(task.id)
        if len(self.begun) == self.stop_at:
            self.runs[-1].stop(cancel=True)
        for _ in range(len(task.content) % 3):
            await asyncio.sleep(0)

    def begin(self, plan: Any, model: Any = "rules", **how: Any) -> Run:
        given = Script(plan)
        executor = Executor(model, store=self.place, workers=self.workers(), **how)
        self.runs.append(executor.new_run(given.root(), script=given))
        return self.runs[-1].start().wait()

    def go_on(self, plan: Any = None, **how: Any) -> Run:
        self.runs.append(Executor.reopen(self.place, None, script=plan, workers=self.workers(), **how))
        return self.runs[-1].start().wait()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(str(tmp_path / "runs.db"))


def states(run: Run) -> dict[str, str]:
    return {task.id: task.state.value for task in run.task.walk()}


async def two_steps(ctx: ScriptContext) -> str:
    """Do two things."""
    first = await ctx.task("one", type="echo")
    return str(await ctx.task(f"{first} and two", type="echo"))


def test_each_call_is_a_task_below_the_root_and_what_is_returned_is_the_answer(bench: Bench) -> None:
    run = bench.begin(two_steps)
    assert (run.status, run.result) == ("done", "one and two")
    assert [(task.id, task.content) for task in run.task.walk()] == [
        ("0", "Do two things."), ("0.1", "one"), ("0.2", "one and two"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("returned", "text", "output"),
    [
        ("words", "words", None),
        ({"a": [1, 2]}, '{"a": [1, 2]}', {"a": [1, 2]}),
        (7, "7", 7),
        (None, "(done; no result)", None),
    ],
)
def test_text_and_json_are_answers(bench: Bench, returned: Any, text: str, output: Any) -> None:
    async def plan(_: ScriptContext) -> Any:
        return returned

    run = bench.begin(plan)
    assert (run.result, run.task.output) == (text, output)


async def mapped(ctx: ScriptContext) -> Any:
    return await ctx.map("double", range(1000), type="double")


def test_items_of_a_map_are_told_apart_by_their_inputs(bench: Bench) -> None:
    run = bench.begin(mapped_twice)
    assert run.task.to_string().splitlines()[1:] == [
        "  Task 0.1: double", "    Task 0.1.1: double (item: 1)", "    Task 0.1.2: double (item: 2)",
        "  Task 0.2: double", "    Task 0.2.1: double",
    ]  # fmt: skip
    assert "double (item: 2)" in run.to_graphml()


async def mapped_twice(ctx: ScriptContext) -> Any:
    await ctx.map("double", [1, 2], type="double")
    return await ctx.map("double", [7], type="double")


async def mapped_by_function(ctx: ScriptContext) -> Any:
    return await ctx.map(lambda item: f"say {item}", "ab", type="echo")


async def mapped_by_calls(ctx: ScriptContext) -> Any:
    async def twice(item: int) -> Any:
        once = await ctx.task("x", type="double", inputs={"item": item})
        return await ctx.task("again", type="double", inputs={"item": once})

    return await ctx.map(twice, [1, 2])


async def gathered(ctx: ScriptContext) -> Any:
    return await asyncio.gather(*(ctx.task(f"say {n}", type="echo") for n in range(3)))


async def grouped(ctx: ScriptContext) -> Any:
    async def say(n: int) -> Any:
        return await ctx.task(f"say {n}", type="echo")

    async with asyncio.TaskGroup() as group:
        jobs = [group.create_task(say(n)) for n in range(3)]
    return [job.result() for job in jobs]


async def needing(ctx: ScriptContext) -> Any:
    first = ctx.task("a", type="echo")
    return await ctx.compose("b", [first], type="echo")


@pytest.mark.parametrize(
    ("plan", "output", "ids"),
    [
        (mapped, [2 * n for n in range(1000)], ["0.1", *(f"0.1.{n}" for n in range(1, 1001))]),
        (mapped_by_function, ["say a", "say b"], ["0.1", "0.1.1", "0.1.2"]),
        (mapped_by_calls, [4, 8], ["0.1.1.1", "0.1.1.2", "0.1.2.1", "0.1.2.2"]),
        (gathered, ["say 0", "say 1", "say 2"], ["0.1", "0.2", "0.3"]),
        (grouped, ["say 0", "say 1", "say 2"], ["0.1.1", "0.2.1", "0.3.1"]),
        (needing, None, ["0.1", "0.2"]),
    ],
)
def test_calls_are_numbered_in_the_order_in_which_each_scope_makes_them(
    bench: Bench, plan: Any, output: Any, ids: list[str]
) -> None:
    run = bench.begin(plan)
    assert run.status == "done", run.error
    assert run.task.output == output
    assert sorted(task.id for task in run.task.walk()) == sorted(["0", *ids])


def test_a_call_that_needs_others_is_given_their_results(bench: Bench) -> None:
    assert bench.begin(needing).task.find("0.2").dependencies == ["0.1"]


def test_a_failed_call_raises_in_the_script_which_may_go_on(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> str:
        try:
            await ctx.task("try", type="broken")
        except WorkFailedError as error:
            return str(await ctx.task(f"{error.task_id}: {error}", type="echo"))
        return "no"

    run = bench.begin(plan)
    assert (run.status, run.result) == ("done", "0.1: task 0.1 failed: it is broken")
    assert states(run) == {"0": "DONE", "0.1": "FAILED", "0.2": "DONE"}


@pytest.mark.parametrize("on_error", ["continue", "partial"])
def test_what_needs_a_failed_call_fails_at_once(bench: Bench, on_error: Any) -> None:
    async def plan(ctx: ScriptContext) -> Any:
        first = ctx.task("try", type="broken")
        second = ctx.task("then", type="echo", needs=first)
        third = ctx.task("later", type="echo", needs=second)
        found = await asyncio.gather(first, second, third, return_exceptions=True)
        return [str(each) for each in found]

    run = bench.begin(plan, on_error=on_error)
    assert run.status == "done"
    assert states(run) == {"0": "DONE", "0.1": "FAILED", "0.2": "FAILED", "0.3": "FAILED"}


def test_a_map_fails_with_its_first_failed_item(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> Any:
        return await ctx.map(lambda name: Task("try", type=name), ["echo", "broken"])

    run = bench.begin(plan)
    assert run.status == "failed"
    assert run.error == "task 0.1 failed: subtask 0.1.2 failed: it is broken"


def test_an_error_of_the_script_itself_ends_the_run_with_its_line_and_is_not_tried_again(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> Any:
        await ctx.task("one", type="echo")
        raise ValueError("no such city")

    run = bench.begin(plan)
    assert (run.status, run.task.attempts) == ("failed", 1)
    assert isinstance(run.cause, ScriptError)
    line = plan.__code__.co_firstlineno + 2
    assert run.error == f"ValueError: no such city (test_scripts.py, line {line}, in plan)"


def test_a_script_that_ends_its_process_is_told_with_its_line_too(bench: Bench) -> None:
    async def plan(_: ScriptContext) -> Any:
        sys.exit("no city left")

    run = bench.begin(plan)
    line = plan.__code__.co_firstlineno + 1
    assert (run.status, run.error) == ("failed", f"SystemExit: no city left (test_scripts.py, line {line}, in plan)")


def test_a_goal_is_solved_as_the_runs_policy_says_and_other_calls_stay_whole(bench: Bench) -> None:
    model = ScriptedModel({"decompose": "<task>a</task><task>b</task>", "execute": "part", "compose": "all"})

    async def plan(ctx: ScriptContext) -> Any:
        return [await ctx.task("Do this."), await ctx.solve("Compare the two cities, and say more.")]

    run = bench.begin(plan, model)
    assert run.task.output == ["part", "all"]
    assert [task.id for task in run.task.walk()][:4] == ["0", "0.1", "0.2", "0.2.1"]


def test_a_plan_can_be_called(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "goal: all\ntype: list\ntasks:\n  - {task: a, type: echo, id: x}\n  - {task: b, type: echo, needs: [x]}\n"
    )

    async def plan(ctx: ScriptContext) -> Any:
        return await ctx.task(load_plan(path))

    run = bench.begin(plan)
    assert run.task.output == ["a", "b"]
    assert run.task.find("0.1.2").dependencies == ["0.1.1"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_script_takes_nobodys_place(bench: Bench, jobs: int) -> None:
    most, now = 0, 0

    @worker
    async def count(item: int) -> int:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return item

    async def plan(ctx: ScriptContext) -> Any:
        return await ctx.map("count", range(10), type=count)

    run = Executor("rules", store=bench.place, workers=[count], jobs=jobs).run_script(plan)
    assert (run.status, most) == ("done", jobs)


def test_what_is_called_and_not_awaited_is_done_before_the_end(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> str:
        ctx.task("unseen", type="echo")
        return "over"

    assert states(bench.begin(plan)) == {"0": "DONE", "0.1": "DONE"}


def test_a_limit_ends_the_run_whatever_the_script_makes_of_it(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> str:
        try:
            await ctx.task("Say something.")
            await ctx.task("Say more.")
        except Exception:  # noqa: BLE001 - what is tested
            return "no matter"
        return "all"

    model = ScriptedModel({"execute": "words"})
    run = bench.begin(plan, model, max_calls=1)
    assert (run.status, states(run)["0.1"]) == ("stopped", "DONE")
    run = bench.go_on(plan, agent=model, max_calls=5)
    assert (run.status, run.result, len(model.requests)) == ("done", "all", 2)


def test_stopping_on_an_error_ends_the_run(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> Any:
        calls = [ctx.task("x", type=name) for name in ("broken", "echo", "echo")]
        return await asyncio.gather(*calls, return_exceptions=True)

    assert bench.begin(plan, on_error="stop", jobs=1).status == "failed"


# what a new process does with it


def test_a_new_process_takes_what_is_finished_from_the_store(bench: Bench) -> None:
    bench.stop_at = 2
    assert bench.begin(two_steps).status == "interrupted"
    assert bench.go_on(two_steps).result == "one and two"
    assert bench.begun == ["0.1", "0.2", "0.2"]


def test_time_chance_and_steps_are_the_same_again(bench: Bench) -> None:
    seen: list[Any] = []
    asked: list[int] = []

    def look() -> int:
        asked.append(1)
        return 5

    async def plan(ctx: ScriptContext) -> str:
        looked = await ctx.step("look", look)
        seen.append((ctx.now(), ctx.uuid(), ctx.random.random(), ctx.now(), looked))
        await ctx.task("wait", type="echo")
        return "over"

    bench.stop_at = 1
    bench.begin(plan)
    bench.go_on(plan)
    assert seen[0] == seen[1]
    assert (asked, seen[0][4]) == ([1], 5)


def changing(words: list[str], kind: str = "echo") -> Callable[[ScriptContext], Any]:
    async def plan(ctx: ScriptContext) -> str:
        found = [await ctx.task(word, type=kind) for word in words]
        await ctx.task("the end", type="echo")
        return " ".join(found)

    return plan


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        (["a", "other", "c"], "echo", "call 0.2 (b) is now (other)"),
        (["a", "b"], "echo", "call 0.3 (c) is now (the end)"),
        (["a", "b", "c", "d"], "echo", "call 0.4 (the end) is now (d)"),
        (["a", "b", "c"], "double", "call 0.1 (a) has a different type: it was echo and is now double"),
    ],
)
def test_a_changed_script_is_refused_with_the_call_that_differs(
    bench: Bench, words: list[str], kind: str, told: str
) -> None:
    bench.stop_at = 4
    bench.begin(changing(["a", "b", "c"]))
    before = list(bench.begun)
    run = bench.go_on(changing(words, kind))
    assert run.status == "waiting"
    assert told in str(run.error)
    assert run.raising_options == ["--accept-changes"]
    assert bench.begun == before
    assert bench.go_on(changing(["a", "b", "c"])).result == "a b c"


def test_a_script_that_ends_sooner_is_refused_too(bench: Bench) -> None:
    bench.stop_at = 4
    bench.begin(changing(["a", "b", "c"]))

    async def shorter(ctx: ScriptContext) -> str:
        return str(await ctx.task("a", type="echo"))

    run = bench.go_on(shorter)
    assert (run.status, "it no longer calls task 0.2 (b)" in str(run.error)) == ("waiting", True)
    run = bench.go_on(shorter, accept_changes=True)
    assert (run.status, states(run)) == (
        "done", {"0": "DONE", "0.1": "DONE", "0.2": "DELETED", "0.3": "DELETED", "0.4": "DELETED"}
    )  # fmt: skip


def test_changes_that_are_accepted_are_done_and_nothing_else(bench: Bench) -> None:
    bench.stop_at = 4
    bench.begin(changing(["a", "b", "c"]))
    bench.begun.clear()
    run = bench.go_on(changing(["a", "other", "c"]), accept_changes=True)
    assert run.result == "a other c"
    assert bench.begun == ["0.2-2", "0.4"]
    assert states(run)["0.2"] == "DELETED"
    assert bench.go_on(changing(["a", "other", "c"])).result == "a other c"


def test_an_item_of_a_map_that_differs_is_told(bench: Bench) -> None:
    def over(items: list[int]) -> Any:
        async def plan(ctx: ScriptContext) -> Any:
            await ctx.map("double", items, type="double")
            return await ctx.task("the end", type="echo")

        return plan

    bench.stop_at = 4
    bench.begin(over([1, 2, 3]), jobs=1)
    run = bench.go_on(over([1, 5, 3]))
    told = 'call 0.1 (double) differs in part 2, which was (double {"item": 2}) and is (double {"item": 5})'
    assert told in str(run.error)


def test_what_is_below_a_call_that_is_made_no_more_is_deleted_with_it(bench: Bench) -> None:
    def over(items: list[int]) -> Any:
        async def plan(ctx: ScriptContext) -> Any:
            return await ctx.map("double", items, type="double")

        return plan

    bench.stop_at = 2
    bench.begin(over([1, 2, 3]), jobs=1)
    run = bench.go_on(over([1, 5]), accept_changes=True)
    assert (run.status, run.task.output) == ("done", [2, 10])
    gone = {task_id: state for task_id, state in states(run).items() if task_id == "0.1" or task_id.startswith("0.1.")}
    assert gone == dict.fromkeys(("0.1", "0.1.1", "0.1.2", "0.1.3"), "DELETED")
    with Store.open(bench.place) as store:
        assert {task.id: task.state.value for task in store.load_tree(run.id).walk()} == states(run)


def test_what_a_script_swallows_of_a_refusal_helps_it_nothing(bench: Bench) -> None:
    bench.stop_at = 2
    bench.begin(two_steps)

    async def other(ctx: ScriptContext) -> str:
        try:
            return str(await ctx.task("another", type="echo"))
        except Exception:  # noqa: BLE001 - what is tested
            return "no matter"

    assert bench.go_on(other).status == "waiting"


def test_a_person_can_give_a_call_another_result_and_what_follows_from_it_is_done_again(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> str:
        first = await ctx.task("one", type="echo")
        return str(await ctx.task(f"after {first}", type="echo"))

    run_id = bench.begin(plan).id
    run = Executor.resume(bench.place, run_id, set_result={"0.1": "mine"}, script=plan, workers=bench.workers())
    assert (run.status, run.result, bench.begun) == ("done", "after mine", ["0.1", "0.2", "0.2-2"])


def test_a_call_adds_no_task_beside_itself_whose_id_the_script_will_give(bench: Bench) -> None:
    async def add(context: WorkContext) -> str:
        return context.spawn(Task("beside")).id

    async def plan(ctx: ScriptContext) -> Any:
        return await ctx.task("add", type="add")

    run = Executor("rules", store=bench.place, workers=[add]).run_script(plan)
    assert run.status == "failed"
    assert "task 0.1 is a call of a script, and only the script adds calls" in str(run.error)


def test_a_secret_is_kept_out_of_calls(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> Any:
        return await ctx.task(f"log in with {ctx.secret('PASS')}", type="echo")

    run = Executor("rules", store=bench.place, workers=bench.workers(), secrets={"PASS": "hunter22"}).run_script(plan)
    assert (run.status, bench.begun) == ("failed", [])
    assert "task 0.1 contains the value of a secret" in str(run.error)


def test_a_script_cannot_be_steered(bench: Bench) -> None:
    bench.stop_at = 2
    bench.begin(two_steps)
    with pytest.raises(UsageError, match="is a script, which the planner cannot change"):
        bench.go_on(two_steps, steer="shorter, please")


def test_who_comes_first_comes_first_again(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> Any:
        order: list[str] = []

        async def branch(name: str) -> None:
            order.append(str(await ctx.task(name, type="echo")))

        await asyncio.gather(*map(branch, ["aa", "b", "cccc", "ddd"]))
        return await ctx.task(" ".join(order), type="echo")

    bench.stop_at = 5
    assert bench.begin(plan).status == "interrupted"
    assert bench.go_on(plan).status == "done"


async def two_arguments(_: ScriptContext, city: str) -> str:
    return city


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda _: "x", "the script <lambda> .* is not an async function"),
        (5, "a script must be an async function, not int"),
        (two_arguments, r"takes only its context: `async def two_arguments\(ctx\)"),
    ],
)
def test_what_is_no_script_is_refused(bench: Bench, given: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Executor("rules", store=bench.place).run_script(given)


def test_a_script_has_to_be_given_again(bench: Bench) -> None:
    bench.stop_at = 1
    bench.begin(two_steps)
    with pytest.raises(UsageError, match=r"runs the script two_steps, .* script=two_steps\)"):
        bench.go_on()


async def blank(ctx: ScriptContext) -> Any:
    return ctx.task(" ")


async def unknown_worker(ctx: ScriptContext) -> Any:
    return ctx.task("x", type="nobody")


async def unknown_field(ctx: ScriptContext) -> Any:
    return ctx.task("x", color="red")  # type: ignore[call-arg]


def bad(call: Callable[[Any], Any]) -> Any:
    async def plan(ctx: ScriptContext) -> Any:
        return await call(ctx)

    return plan


def len_of(item: str) -> int:
    return len(item)


async def needs_an_answer(ctx: ScriptContext) -> Any:
    first = await ctx.task("Oslo", type="echo")
    return await ctx.task("x", type="echo", needs=first)


async def step_begun(ctx: ScriptContext) -> Any:
    return await ctx.step("a", asyncio.sleep(0))  # type: ignore[arg-type]


async def in_a_thread(ctx: ScriptContext) -> Any:
    return await asyncio.to_thread(ctx.task, "x")


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (blank, "cannot be blank"),
        (unknown_worker, "a worker 'nobody', which does not exist"),
        (unknown_field, "a call has no keyword color"),
        (in_a_thread, "a script makes calls only on its own loop"),
        (bad(lambda ctx: ctx.step("a", 5)), "the step a#1 needs a function, not int"),
        (step_begun, "the step a#1 takes a function, not its result: step(NAME, fetch), not fetch()"),
        (bad(lambda ctx: ctx.map("sq", 5)), "map needs items, such as a list, not int"),
        (bad(lambda ctx: ctx.map("sq", ctx.task("x", type="echo"))), "map needs the result of a call; `await`"),
        (bad(lambda ctx: ctx.map(5, [1])), "map needs a text or a function, not int"),
        (bad(lambda ctx: ctx.map(worker(len_of), [1])), "for a worker: map('len_of', items, type='len_of')"),
        (bad(lambda ctx: ctx.compose("x", 5)), "needs takes calls, or ids of tasks, and 5 is neither"),
        (needs_an_answer, "needs takes calls, or ids of tasks, and 'Oslo' is neither; give the call itself"),
    ],
)
def test_a_bad_call_is_told_with_its_line(bench: Bench, plan: Any, told: str) -> None:
    run = bench.begin(plan)
    assert run.status == "failed"
    assert told in str(run.error)
    assert "(test_scripts.py, line " in str(run.error)


def test_a_scripts_inputs_are_a_dict(bench: Bench) -> None:
    with pytest.raises(UsageError, match="the inputs of a script are a dict by name, not list"):
        Executor("rules", store=bench.place).run_script(two_steps, inputs=["a"])  # type: ignore[arg-type]


# random scripts, stopped at random

NODES = st.recursive(
    st.integers(0, 9).map(lambda n: ("call", n)),
    lambda below: st.one_of(
        st.lists(below, max_size=3).map(lambda rows: ("row", rows)),
        st.lists(below, max_size=3).map(lambda rows: ("gather", rows)),
        st.lists(st.integers(0, 9), max_size=4).map(lambda items: ("map", items)),
        below.map(lambda one: ("when", one)),
        below.map(lambda one: ("attempt", one)),
        st.lists(st.integers(0, 9), min_size=1, max_size=4).map(lambda items: ("race", items)),
        below.map(lambda one: ("chance", one)),
    ),
    max_leaves=8,
)


class MadeUp:
    """Does what a made-up script says; each kind of node returns a number that follows from all results."""

    def __init__(self, ctx: ScriptContext) -> None:
        self.ctx = ctx
        self.seen = 0

    async def __call__(self, node: Any) -> int:
        """Do one node."""
        kind, given = node
        found: int = await getattr(self, kind)(given)
        return found

    async def call(self, item: int) -> int:
        found: int = await self.ctx.task(f"double {self.seen}", type="double", inputs={"item": item})
        self.seen += found
        return found

    async def row(self, nodes: list[Any]) -> int:
        return sum([await self(each) for each in nodes])

    async def gather(self, nodes: list[Any]) -> int:
        return sum(await asyncio.gather(*(MadeUp(self.ctx)(each) for each in nodes)))

    async def map(self, items: list[int]) -> int:
        return sum(await self.ctx.map("double", items, type="double"))

    async def when(self, node: Any) -> int:
        value = await self(node)
        return value if value % 4 else value + await self.call(value)

    async def attempt(self, node: Any) -> int:
        with suppress(WorkFailedError):
            await self.ctx.task("try", type="broken")
        return 1 + await self(node)

    async def race(self, items: list[int]) -> int:
        calls = [self.ctx.task(f"run {'x' * item}", type="double", inputs={"item": item}) for item in items]
        total = 0
        for call in asyncio.as_completed(calls):
            total += await self.ctx.task(f"after {await call}", type="double", inputs={"item": 1})
        return total

    async def chance(self, node: Any) -> int:
        if self.ctx.random.random() < 0.5:
            await self.ctx.task(f"{self.ctx.uuid()} {self.ctx.now()}", type="echo")
        return await self(node)


@settings(max_examples=15)
@given(NODES, st.lists(st.integers(1, 12), max_size=3), st.integers(1, 4))
def test_random_scripts_that_are_stopped_at_random_do_nothing_finished_again(
    tmp_path_factory: pytest.TempPathFactory, node: Any, stops: list[int], jobs: int
) -> None:
    async def plan(ctx: ScriptContext) -> int:
        return await MadeUp(ctx)(node)

    folder = tmp_path_factory.mktemp("random")
    calm = Bench(str(folder / "calm.db"))
    quiet = calm.begin(plan, jobs=jobs)
    assert quiet.status == "done", quiet.error
    bench = Bench(str(folder / "runs.db"))
    over: set[str] = set()
    run = None
    for stop in [*stops, None]:
        bench.begun.clear()
        bench.stop_at = stop
        run = bench.begin(plan, jobs=jobs) if run is None else bench.go_on(plan)
        assert run.status in {"done", "interrupted"}, run.error
        assert not over & set(bench.begun)
        assert max(Counter(bench.begun).values(), default=1) == 1
        over = {task.id for task in run.task.walk() if task.state in {TaskState.DONE, TaskState.FAILED}}
        if run.status == "done":
            break
    assert run is not None
    assert run.task.output == quiet.task.output


# real kills, in short; the long form is `python -m tests.crash_scripts`


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_every_named_point_loses_nothing(tmp_path: Path, point: str) -> None:
    test = ScriptCrash(str(tmp_path / "runs.db"), tmp_path, 12)
    assert not test.go(point=f"{point}:4"), f"{point} was not passed"
    assert test.go()


def test_kills_at_random_lose_nothing(tmp_path: Path) -> None:
    crash_scripts(str(tmp_path / "runs.db"), tmp_path, kills=3, items=60, seed=5, calm=str(tmp_path / "calm.db"))


def test_kills_lose_nothing_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    crash_scripts(postgres.empty_database(), tmp_path, kills=2, items=40, seed=8, calm=str(tmp_path / "calm.db"))


# the command line

PLAN = '''\
"""A plan."""
from ramify.planner import worker

@worker
def shout(item: str) -> str:
    return item.upper()

async def main(ctx):
    """Cheer for two cities."""
    cities = await ctx.map("shout", ["oslo", "linz"], type="shout")
    return " and ".join(cities)
'''


def test_a_file_is_run_and_gone_on_with(ramify: Ramify) -> None:
    Path("plan.py").write_text(PLAN)
    said = ramify("run", "plan.py", "--model", "rules", "-q")
    assert (said.code, said.out) == (0, "OSLO and LINZ\n")
    assert "worker shout" in ramify("runs").out
    assert "made by: worker shout\n" in ramify("show", "--last").out
    Path("plan.py").write_text(PLAN.replace('"linz"', '"graz"'))
    said = ramify("resume", "--last", "--from", "0.1.1", "--quiet")
    assert (said.code, said.out) == (0, "OSLO and GRAZ\n")


def test_a_changed_file_is_refused_until_the_change_is_accepted(ramify: Ramify) -> None:
    Path("plan.py").write_text(PLAN)
    died = ramify_process("run", "plan.py", "--model", "rules", "-q", RAMIFY_FAILPOINT="after-done-commit:2")
    assert died.code < 0
    Path("plan.py").write_text(PLAN.replace('"linz"', '"graz"'))
    said = ramify("resume", "--last", "-q")
    assert (said.code, said.out) == (5, "")
    assert 'which was (shout {"item": "linz"}) and is (shout {"item": "graz"})' in said.err
    assert said.last_line.endswith("--accept-changes")
    said = ramify("resume", "--last", "-q", "--accept-changes")
    assert (said.code, said.out) == (0, "OSLO and GRAZ\n")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\n", "plan.py is not a script: it has no `async def main(ctx)`\n"),
        ("async def go(ctx):\n    pass\n", "rename one of its functions, such as go (plan.py:1)"),
        ("import nothing_there\n", "the scripts in plan.py cannot be imported: ModuleNotFoundError: No module named"),
        ("def f(:\n", "the scripts in plan.py cannot be imported: SyntaxError: invalid syntax"),
        ("def main(ctx):\n    pass\n", "main (plan.py:1) is not an async function; write `async def main(ctx): ...`"),
        ("async def main(ctx, x):\n    pass\n", "the script main takes only its context"),
    ],
)
def test_a_file_that_is_no_script_is_told_without_a_traceback(ramify: Ramify, source: str, told: str) -> None:
    Path("plan.py").write_text(source)
    said = ramify("run", "plan.py", "--model", "rules")
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("option", ["--dry-run", "--estimate"])
def test_a_script_cannot_be_shown_before_it_runs(ramify: Ramify, option: str) -> None:
    Path("plan.py").write_text(PLAN)
    said = ramify("run", "plan.py", "--model", "rules", option)
    assert (said.code, f"leave out {option}" in said.err) == (2, True)


def test_a_missing_file_is_told(ramify: Ramify) -> None:
    said = ramify("run", "none.py", "--model", "rules")
    assert (said.code, "there is no script none.py" in said.err) == (2, True)


def test_a_script_can_be_done_anew_as_often_as_wanted(ramify: Ramify) -> None:
    Path("plan.py").write_text(PLAN)
    assert ramify("run", "plan.py", "--model", "rules", "-q").code == 0
    for _ in range(2):
        said = ramify("resume", "--last", "--from", "0", "-q")
        assert (said.code, said.out) == (0, "OSLO and LINZ\n")
    said = ramify("fork", "--last", "--from", "0", "-q")
    assert (said.code, said.out) == (0, "OSLO and LINZ\n")


def test_a_result_that_a_person_gives_is_data_where_the_call_gave_data(bench: Bench) -> None:
    async def plan(ctx: ScriptContext) -> int:
        return int(await ctx.task("one", type="double", inputs={"item": 4})) + 1

    run_id = bench.begin(plan).id
    run = Executor.resume(bench.place, run_id, set_result={"0.1": "20"}, script=plan, workers=bench.workers())
    assert (run.status, run.result, run.task.subtasks[0].output) == ("done", "21", 20)


@pytest.mark.parametrize("command", ["lint", "estimate"])
def test_a_script_is_no_plan_file(ramify: Ramify, command: str) -> None:
    Path("plan.py").write_text(PLAN)
    said = ramify(command, "plan.py")
    assert (said.code, "this is a script, not a plan; run it with `ramify run`" in said.out + said.err) == (2, True)


def test_a_forgotten_await_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text("async def audit(): ...\n\nasync def main(ctx):\n    audit()\n    return 1\n")
    said = ramify_process("run", str(tmp_path / "plan.py"), "--model", "rules", "-q", "--store", str(tmp_path / "r.db"))
    assert (said.code, said.out) == (0, "1\n")
    assert "plan.py:4: RuntimeWarning: coroutine 'audit' was never awaited" in said.err
