"""What of a plan splits its goal, and what becomes of a goal that nothing splits."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from ramify.planner import Executor, PlanLimits, Run, solve
from ramify.planner.events.events import EventType
from ramify.planner.planning.worth import stays_whole
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig
from ramify.tasks.prompt_variables import around
from ramify.tasks.replies.grammar import Plan, PlannedTask, parse_plan
from ramify.tasks.replies.splitting import Around, split_of

GOAL = "Compare Oslo and Rome."


def planned(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {task.key: task.needs for task in plan.tasks}


def run_of(place: Path, replies: Mapping[str, str], **more: object) -> Run:
    model = ScriptedModel({"execute": "<result>done</result>", "compose": "<result>both</result>", **replies})
    executor = Executor(model, store=place / "r.db", plan=PlanLimits(max_depth=2), **more)  # type: ignore[arg-type]
    return executor.run(Task(content=GOAL, id="0", config=TaskConfig(max_retries=0)))


def warnings(run: Run) -> list[str]:
    return [event.data["message"] for event in run.events() if event.type == EventType.WARNING]


@pytest.mark.fault("3.5")
@pytest.mark.parametrize(
    ("reply", "left"),
    [
        ('<task id="a">Describe Oslo</task><task id="b">Describe Rome</task>', {"a": (), "b": ()}),
        ('<task id="a">Describe Oslo</task>', {}),
        ('<task id="a">compare  Oslo and "Rome"</task>', {}),
        ('<task id="a">Describe Oslo</task><task id="b" needs="a">Compare Oslo and Rome.</task>', {}),
        (
            '<task id="a">A</task><task id="g" needs="a">compare Oslo and Rome</task><task id="c" needs="g">C</task>',
            {"a": (), "c": ("a",)},
        ),
        (
            (
                '<task id="a">A</task><task id="b">B</task><task id="g" needs="a b">Compare Oslo and Rome</task>'
                '<task id="h" needs="g">See Europe!</task><task id="c" needs="h a">C</task>'
            ),
            {"a": (), "b": (), "c": ("a", "b")},
        ),
        ('<task id="a" type="web">Compare Oslo and Rome.</task>', {"a": ()}),
        ('<task id="a" type="model">Describe Oslo</task>', {}),
    ],
)
def test_only_parts_of_the_goal_split_it(reply: str, left: dict[str, tuple[str, ...]]) -> None:
    assert planned(split_of(parse_plan(reply), Around([GOAL, "See Europe"]))) == left


@pytest.mark.fault("3.5")
def test_what_says_the_goal_again_is_left_out_aloud(tmp_path: Path) -> None:
    plan = f'<task id="a">Oslo</task><task id="b">Rome</task><task id="all" needs="a b">{GOAL}</task>'
    run = run_of(tmp_path, {"decompose": plan})
    assert [task.content for task in run.task.subtasks] == ["Oslo", "Rome"]
    assert warnings(run) == ['task 0: in its plan, task "all" says the goal again, and is left out']


@pytest.mark.fault("3.5")
def test_a_plan_of_one_task_leaves_the_goal_whole(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"decompose": "<task>Look up Oslo</task>"})
    assert (run.result, list(run.task.subtasks)) == ("done", [])
    assert [e.data["why"] for e in run.events() if e.type == EventType.PLAN_ATOMIC] == [
        "it would have had only one subtask"
    ]


@pytest.mark.fault("3.5")
def test_a_type_that_the_model_made_up_costs_no_call(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"decompose": '<task type="web">Oslo</task><task type="web">Rome</task>'})
    assert [task.type for task in run.task.subtasks] == [None, None]
    assert warnings(run) == ['task 0: in its plan, no workers are listed, so these types are left out: "web"']
    assert run.usage.calls == 4


@pytest.mark.fault("3.4")
@pytest.mark.parametrize("reason", ["missing_input", "no_tool", "other"])
def test_a_planner_that_gives_up_on_the_goal_leaves_it_whole(tmp_path: Path, reason: str) -> None:
    run = run_of(tmp_path, {"decompose": f'<failed reason="{reason}">which?</failed>'})
    assert (run.status, run.result) == ("done", "done")
    said = "which?" if reason == "other" else f"which? ({reason})"
    assert warnings(run) == [f"task 0 is not split: the model could not split it: {said}"]


@pytest.mark.fault("3.4")
def test_a_planner_that_refuses_the_goal_ends_the_run(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"decompose": '<failed reason="refused">never</failed>'})
    assert (run.status, run.error) == ("failed", "never (refused)")


@pytest.mark.fault("3.3")
def test_giving_up_on_a_repair_says_nothing_about_the_goal(tmp_path: Path) -> None:
    bad = '<task id="a">Oslo</task><task id="b" needs="x">Rome</task>'
    run = run_of(tmp_path, {"decompose": bad, "repair": '<failed reason="refused">there is no task x</failed>'})
    assert (run.status, run.result) == ("done", "done")
    (warning,) = warnings(run)
    assert 'needs "x", which is no task of this reply' in warning
    assert "the model gave up (refused: there is no task x)" in warning


@pytest.mark.fault("3.3")
def test_giving_up_on_the_repair_of_an_answer_is_no_answer_either(tmp_path: Path) -> None:
    replies = {"decompose": "<atomic/>", "execute": "<result></result>", "repair": "<failed>it is blank</failed>"}
    run = run_of(tmp_path, replies)
    assert run.error is not None
    assert run.error.startswith("the answer is blank; asked to repair it, the model gave up (other: it is blank)")


def test_many_tasks_that_say_the_goal_leave_nothing() -> None:
    tasks = tuple(PlannedTask(str(n), GOAL, (str(n - 1),) if n else ()) for n in range(2_000))
    assert split_of(Plan(tasks=tasks), Around([GOAL])).tasks == ()


@pytest.mark.parametrize(
    ("reply", "left"),
    [
        ('<task id="a">A</task><task id="b">B</task><task id="c">"a"</task>', {"a": (), "b": ()}),
        (
            '<task id="a">A</task><task id="b" needs="a">a!</task><task id="c" needs="b">C</task>',
            {"a": (), "c": ("a",)},
        ),
        ('<task id="a">A</task><task id="b">a</task>', {}),
        ('<task id="a" type="web">A</task><task id="b" type="web">A</task>', {"a": (), "b": ()}),
        (  # c needs b, which is a once more; but a needs c
            '<task id="a" needs="c">A</task><task id="b">A</task><task id="c" needs="b">C</task>',
            {"a": ("c",), "c": ()},
        ),
        (
            '<task id="x">Look up Oslo</task><task id="y" needs="x">Write</task><task id="z" needs="y">Check</task>',
            {"y": ("0.1",), "z": ("y",)},
        ),
        (
            '<task id="x">X</task><task id="y" needs="x">Print it</task><task id="z" needs="y">Z</task>',
            {"x": (), "z": ("x",)},
        ),
        ('<task id="x">look up oslo</task><task id="z" needs="x">Z</task>', {}),
        (  # an id of the tree as a name in the plan
            '<task id="a">A</task><task id="0.1" needs="a">Look up Oslo</task><task id="z" needs="0.1">Z</task>',
            {"a": (), "z": ("a",)},
        ),
        ('<task id="x">Look up Rome</task><task id="z" needs="x">Z</task>', {"x": (), "z": ("x",)}),
    ],
)
def test_what_is_done_elsewhere_is_no_part(reply: str, left: dict[str, tuple[str, ...]]) -> None:
    made_for = Around([GOAL], before={"0.1": "Look up Oslo."}, after={"0.9": "Print it."})
    assert planned(split_of(parse_plan(reply), made_for)) == left


def test_a_planner_sees_what_its_goal_waits_for_and_what_waits_for_it() -> None:
    root = Task(content=GOAL, id="0")
    root.add_subtasks([
        Task(content="First", id="0.1"),
        Task(content="Second", id="0.2", dependencies=["0.1"]),
        Task(content="Third", id="0.3", dependencies=["0.2"]),
        Task(content="Beside", id="0.4"),
        Task(content="Last", id="0.6", dependencies=["0.5"]),
        Task(content="Fourth", id="0.5", dependencies=["0.3"]),
    ])  # fmt: skip
    third = root.find("0.3")
    third.add_subtask(Task(content="Part", id="0.3.1"))
    after = {"0.5": "Fourth", "0.6": "Last"}
    assert around(third) == (("Third", GOAL), {"0.2": "Second", "0.1": "First"}, after)
    assert around(third, is_family_known=False).after == {}
    assert around(third.find("0.3.1")).before == {"0.2": "Second"}


@pytest.mark.parametrize("policy", ["upfront", "as_needed", "streaming"])
def test_a_plan_that_repeats_what_is_there_is_told_of(tmp_path: Path, policy: str) -> None:
    plans = {
        "decompose 0": '<task id="a">Describe Oslo</task><task id="b" needs="a">Rome</task>'
        '<task id="c" needs="b">Sum it up</task>',
        "decompose 0.2": '<task id="x">Describe Oslo</task><task id="y" needs="x">Look</task>'
        '<task id="z">Listen</task><task id="w" needs="y z">look!</task>',
    }
    answers = {"execute": "<result>done</result>", "compose": "<result>all</result>"}
    model = ScriptedModel({**plans, "decompose": "<atomic/>", **answers})
    if policy == "as_needed":
        model = ScriptedModel({
            **plans, **answers, "execute 0": '<failed reason="too_big">big</failed>',
            "execute 0.2": '<failed reason="too_big">big</failed>', "decompose": "<atomic/>",
        })  # fmt: skip
    limits = PlanLimits(split="always" if policy != "as_needed" else "auto", max_depth=3, policy=policy)
    run = Executor(model, store=tmp_path / "r.db", plan=limits).run(GOAL)
    assert run.status == "done"
    assert [(each.content, each.dependencies) for each in run.task.find("0.2").subtasks] == [
        ("Look", ["0.1"]), ("Listen", []),
    ]  # fmt: skip
    assert warnings(run) == [
        'task 0.2: in its plan, task "x" repeats task 0.1, and is left out',
        'task 0.2: in its plan, task "w" repeats task "y", and is left out',
    ]


@pytest.mark.parametrize(
    ("goal", "why"),
    [
        ("What is the capital of Peru?", "it is a single question"),
        ("A train leaves with 120 passengers. At the first stop 35 get off. How many stay?", "it is a single question"),
        ("\u4e00\u5e74\u6709\u591a\u5c11\u4e2a\u661f\u671f\uff1f", "it is a single question"),
        ("Translate 'good evening' into Italian.", "it is short and names one thing"),
        ("Describe the history, the climate and the food of Oslo.", None),
        ("Compare Oslo and Bergen for a family with two small children", None),
        ("Vergleiche Graz mit Linz", None),
        ("\u6bd4\u8f83\u7ecd\u5174\u548c\u5927\u7406", None),
        ("Beschreibe je die Geschichte der beiden St\u00e4dte", None),
        ("- What is a lock?\n- What is a dam?", None),
        ("\u5206\u522b\u4ecb\u7ecd\u7ecd\u5174\u548c\u5927\u7406\u7684\u5386\u53f2", None),
        ("Write a guide for new members of the rowing club which covers the boats and the rules of the river", None),
    ],
)
def test_some_goals_are_not_worth_asking_about(goal: str, why: str | None) -> None:
    assert stays_whole(goal) == why


class _Language(ScriptedModel):
    is_language_model = True


@pytest.mark.parametrize(
    ("split", "goal", "purposes"),
    [
        ("auto", "Name the capital of Peru", ["execute"]),
        ("auto", "Name the capitals of Peru, Chile and Bolivia", ["decompose", "execute"]),
        ("always", "Name the capital of Peru", ["decompose", "execute"]),
        ("never", "Name the capitals of Peru, Chile and Bolivia", ["execute"]),
    ],
)
def test_a_language_model_is_asked_about_goals_that_may_be_worth_it(
    split: str, goal: str, purposes: list[str], tmp_path: Path
) -> None:
    model = _Language({"decompose": "<atomic/>", "*": "<result>Lima</result>"})
    run = solve(goal, model=model, split=split, store=tmp_path / "r.db")  # type: ignore[arg-type]
    assert run.result == "Lima"
    assert [request.purpose for request in model.requests] == purposes


def test_a_replay_asks_what_the_recorded_run_asked(tmp_path: Path) -> None:
    model = ScriptedModel({"decompose": "<atomic/>", "*": "<result>Lima</result>"})
    solve("Name the capital of Peru", model=model, store=tmp_path / "r.db", record=tmp_path / "calls.jsonl")
    replayed = solve("Name the capital of Peru", model=f"replay:{tmp_path / 'calls.jsonl'}", store=tmp_path / "s.db")
    assert replayed.usage.calls == 0
    assert replayed.result == "Lima"


@pytest.mark.parametrize(
    ("goal", "needs"),
    [
        ("List three hills, then choose one of them", [[], ["0.1"]]),
        ("Sammle drei Ideen und w\u00e4hle dann eine davon aus", [[], ["0.1"]]),
        ("Describe a lock and a dam", [[], []]),
    ],
)
def test_an_order_that_the_goal_names_is_kept(goal: str, needs: list[list[str]], tmp_path: Path) -> None:
    plan = "<task>List three hills</task><task>Choose a hill</task>"
    model = ScriptedModel({"decompose 0": plan, "decompose": "<atomic/>", "*": "<result>done</result>"})
    run = solve(goal, model=model, store=tmp_path / "r.db")
    assert [task.dependencies for task in run.task.subtasks] == needs


def test_the_needs_of_a_plan_are_not_added_to(tmp_path: Path) -> None:
    plan = '<task id="a">List hills</task><task id="b">List lakes</task><task id="c" needs="a">Choose a hill</task>'
    model = ScriptedModel({"decompose 0": plan, "decompose": "<atomic/>", "*": "<result>done</result>"})
    run = solve("List hills and lakes, then choose a hill", model=model, store=tmp_path / "r.db")
    assert [task.dependencies for task in run.task.subtasks] == [[], [], ["0.1"]]
