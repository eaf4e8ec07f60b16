"""Replanning: which changes a reply may make, what becomes of the tree, and that runs end whatever happens."""

import json
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, PlanLimits, Run, solve
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.planning.policy import Failure, Recovery, Verb, next_step
from ramify.planner.show.versions import between
from ramify.planner.store import Store
from ramify.planner.store.changes import TaskChanged
from ramify.planner.testing import ScriptedModel
from ramify.tasks import ReplyError, Task, TaskConfig, TaskState
from ramify.tasks.replies.replans import OpenPlan, Operator, parse_replan, replan_schema
from ramify.tasks.tree import running
from ramify.tasks.tree.graph import check_can_end
from ramify.tasks.tree.replanning import change_plan, is_stuck, open_plan

from .ramify_command import Ramify

NO = '<failed reason="other">the page is gone</failed>'
DONE = {"execute": "<result>done</result>", "compose": "<result>together</result>", "decompose": "<atomic/>"}
PLAN = OpenPlan(
    failed=("0.2",),
    open=("0.3", "0.4"),
    kept=("0.1",),
    needs={"0.2": ("0.1",), "0.3": ("0.2",), "0.4": ("0.3",)},
    needed_by={"0.2": ("0.3",), "0.3": ("0.4",)},
    holds={"0.4": (("0.9", "0.4.1"),)},
    splittable=frozenset({"0.2", "0.3"}),
)
REPLACED = '<replace of="0.2" id="x" needs="0.1">look elsewhere</replace>'


def tree(**config: Any) -> Task:
    """Return the tree that `PLAN` is of, as far as it goes."""
    root = Task("Compare them", id="0", config=TaskConfig(max_retries=0, **{"recovery": "replan", **config}))
    root.add_subtasks(
        [
            Task("one", id="0.1"),
            Task("two", id="0.2", dependencies=["0.1"]),
            Task("three", id="0.3", dependencies=["0.2"]),
            Task("four", id="0.4", dependencies=["0.3"]),
        ]
    )
    return root


def ran(place: Path, replies: Any, root: Task | None = None, **how: Any) -> tuple[Run, ScriptedModel]:
    model = ScriptedModel({**DONE, **replies} if isinstance(replies, dict) else replies)
    return Executor(model, store=place / "r.db", **how).run(root or tree()), model


def asked(model: ScriptedModel) -> list[str]:
    return [f"{request.purpose} {request.task_id}" for request in model.requests]


def states(root: Task) -> dict[str, str]:
    return {task.id: task.state.value for task in root.walk()}


def json_of(*changes: Any) -> str:
    return json.dumps({"replan": {"changes": changes}})


# --- the grammar ---


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ('<retry of="0.2">look twice</retry>', [("retry", "0.2", "look twice", [])]),
        (REPLACED, [("replace", "0.2", "", [("x", ("0.1",))])]),
        (
            '<insert before="0.2" id="a">first</insert><insert before="0.2" needs="a">then</insert>',
            [("insert", "0.2", "", [("a", ()), ("2", ("a",))])],
        ),
        ('<split of="0.2">left</split><split of="0.2">right</split>', [("split", "0.2", "", [("1", ()), ("2", ())])]),
        (
            '<split of="0.2"><task id="a">left</task>\n<task needs="a">right</task></split>',
            [("split", "0.2", "", [("a", ()), ("2", ("a",))])],
        ),
        (
            '<drop of="0.4">too much</drop><drop of="0.3">not needed</drop><retry of="0.2">again</retry>',
            [("drop", "0.4", "too much", []), ("drop", "0.3", "not needed", []), ("retry", "0.2", "again", [])],
        ),
        (json_of({"do": "retry", "of": "0.2", "content": "so", "needs": []}), [("retry", "0.2", "so", [])]),
        (
            json_of(
                {"do": "replace", "of": "0.2", "content": "a", "needs": ["0.1"]},
                {"do": "replace", "of": "0.2", "content": "b", "needs": ["new1"]},
            ),
            [("replace", "0.2", "", [("new1", ("0.1",)), ("new2", ("new1",))])],
        ),
        ("<think>hm</think>```xml\n" + REPLACED + "\n```", [("replace", "0.2", "", [("x", ("0.1",))])]),
    ],
)  # fmt: skip
def test_a_reply_names_changes(reply: str, said: list[Any]) -> None:
    plan = PLAN if "0.4" not in reply else OpenPlan(**{**_fields(PLAN), "holds": {}})
    found = [
        (str(change.do), change.of, change.words, [(task.key, task.needs) for task in change.tasks])
        for change in parse_replan(reply, plan).changes
    ]
    assert found == said


def _fields(plan: OpenPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in OpenPlan.__slots__}


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ("nothing to do", "holds no change"),
        ('<retry of="0.1">x</retry>', 'is about "0.1", which cannot be changed; the open tasks are 0.2, 0.3'),
        ('<retry of="0.3">x</retry>', "task 0.2 has failed, and no change is about it"),
        ('<retry of="0.2">x</retry><drop of="0.2">y</drop>', "`retry` and `drop` are both about task 0.2"),
        ('<retry of="0.2"> </retry>', "the retry of task 0.2 is blank"),
        ('<replace of="0.2"> </replace>', "is blank"),
        ('<drop of="0.2">x</drop>', "task 0.3 needs task 0.2, which is dropped; replace 0.2, or drop 0.3 too"),
        ('<replace of="0.2" needs="0.2">x</replace>', 'task "1" needs task 0.2, which is not done any more'),
        ('<replace of="0.2" needs="0.7">x</replace>', 'needs "0.7", which is no task of this reply'),
        ('<insert of="0.2" needs="0.3">x</insert>', 'in a circle: "0.2" -> "1" -> "0.3" -> "0.2"'),
        ('<replace of="0.2" needs="0.4">x</replace>', "in a circle"),
        ('<split of="0.2">x</split>', "task 0.2 is split into one task"),
        ('<split of="0.2">x</split><split of="0.2" needs="0.2">y</split>', "is a part of task 0.2 and cannot need it"),
        ('<retry of="0.2">x</retry><split of="0.4">a</split><split of="0.4">b</split>', "task 0.4 cannot be split"),
        ('<retry of="0.2">x</retry><replace of="0.4">y</replace>', "task 0.9 needs task 0.4.1, which would go"),
        ('<replace of="0.2">x</replace><insert of="0.2">y</insert>', "is put before task 0.2, which is not done"),
        (REPLACED + '<failed reason="other">no</failed>', "stands beside changes"),
        (json_of({"do": "burn", "of": "0.2"}), "change 1 has no `do` that is one of retry, replace"),
        (json_of(), "`changes` holds no change"),
        ("".join(f'<replace of="0.2">x{n}</replace>' for n in range(4)), "there are 4 tasks, the most is 3"),
    ],
)  # fmt: skip
def test_what_may_not_be_changed_is_refused_by_name(reply: str, complaint: str) -> None:
    with pytest.raises(ReplyError) as refused:
        parse_replan(reply, PLAN, max_tasks=3)
    assert complaint in refused.value.complaint


def test_a_reply_can_say_that_there_is_no_way_on() -> None:
    for reply in (NO, '{"replan": {"failed": {"reason": "other", "detail": "the page is gone"}}}'):
        failed = parse_replan(reply, PLAN).failed
        assert failed is not None
        assert (failed.reason, failed.detail) == ("other", "the page is gone")


def test_the_schema_names_what_can_be_changed_and_needed() -> None:
    changes = replan_schema(PLAN, max_tasks=3)["properties"]["replan"]["anyOf"][0]["properties"]["changes"]
    fields = changes["items"]["properties"]
    assert fields["do"]["enum"] == [each for each in Operator if each is not Operator.ADD]
    assert fields["of"]["enum"] == ["0.2", "0.3", "0.4"]
    assert fields["needs"]["items"]["enum"] == ["0.1", "0.2", "0.3", "0.4", "new1", "new2"]


# --- the tree ---


def failed_tree() -> Task:
    root = tree()
    root.find("0.1").finish("r")
    root.find("0.2").move(TaskState.FAILED)
    return root


def changed(reply: str) -> Task:
    root = failed_tree()
    plan = open_plan(root, [root.find("0.2")], lambda _: True)
    change_plan(root, parse_replan(reply, plan))
    check_can_end(root)
    return root


def needs(root: Task) -> dict[str, list[str]]:
    return {task.id: task.dependencies for task in root.walk() if task.dependencies}


@pytest.mark.parametrize(
    ("reply", "stand", "need"),
    [
        ('<retry of="0.2">so</retry>', {}, {}),
        (REPLACED, {"0.2": "DELETED", "0.5": "OPEN"}, {"0.2": ["0.1"], "0.3": ["0.5"], "0.5": ["0.1"]}),
        (
            '<replace of="0.2" id="a">x</replace><replace of="0.2" id="b">y</replace>',
            {"0.2": "DELETED", "0.5": "OPEN", "0.6": "OPEN"},
            {"0.3": ["0.5", "0.6"]},
        ),
        ('<insert of="0.2" id="a">x</insert>', {"0.5": "OPEN"}, {"0.2": ["0.1", "0.5"]}),
        (
            '<split of="0.2" id="a">x</split><split of="0.2" needs="a">y</split>',
            {"0.2.1": "OPEN", "0.2.2": "OPEN"},
            {"0.2.2": ["0.2.1"]},
        ),
        ('<retry of="0.2">so</retry><drop of="0.4">no</drop>', {"0.4": "DELETED"}, {}),
    ],
)
def test_a_change_leaves_what_is_done_and_rewires_what_needed_the_task(
    reply: str, stand: dict[str, str], need: dict[str, list[str]]
) -> None:
    root = changed(reply)
    plain = {"0": "OPEN", "0.1": "DONE", "0.2": "OPEN", "0.3": "OPEN", "0.4": "OPEN"}
    assert states(root) == {**plain, **stand}
    assert needs(root) == {"0.2": ["0.1"], "0.3": ["0.2"], "0.4": ["0.3"], **need}


def test_a_replacement_says_whom_it_replaces() -> None:
    assert changed(REPLACED).find("0.5").metadata == {"replaces": "0.2"}


def test_a_parent_is_stuck_once_all_that_is_left_has_failed_or_waits_for_it() -> None:
    root = failed_tree()
    failed = [root.find("0.2")]
    assert is_stuck(root, failed)
    assert not is_stuck(root, []), "what needs a failed task that holds nothing up goes on, or has still to fail"
    root.add_subtask(Task("apart", id="0.5"))
    assert not is_stuck(root, failed)


def test_what_failed_below_a_task_that_was_composed_without_it_holds_nothing_up() -> None:
    root = Task("all", id="0")
    root.add_subtasks([Task("above", id="1"), Task("alone", id="2")])
    root.find("1").add_subtask(Task("partial", id="1.1"))
    root.find("1.1").add_subtasks([Task("bad", id="1.1.1"), Task("good", id="1.1.2")])
    for task_id, state in [("1.1.1", "FAILED"), ("1.1.2", "DONE"), ("1.1", "DONE"), ("2", "FAILED")]:
        running.move(root.find(task_id), TaskState.RUNNING)
        running.move(root.find(task_id), TaskState(state))
    assert not is_stuck(root, [root.find("2")]), "task 1 is composed next"


@pytest.mark.parametrize(
    ("can", "step"),
    [
        ({"can_retry": True, "can_split": True, "can_replan": True}, Recovery.RETRY),
        ({"can_retry": False, "can_split": True, "can_replan": True}, Recovery.SPLIT),
        ({"can_retry": False, "can_split": False, "can_replan": True}, Recovery.REPLAN),
        ({"can_retry": False}, Recovery.FAIL),
    ],
)
def test_recovery_goes_step_by_step(can: dict[str, bool], step: Recovery) -> None:
    assert next_step(Failure(Verb.EXECUTE, ValueError(), **can)) is step


# --- runs ---


def test_a_failed_task_is_replaced_and_the_run_is_done(tmp_path: Path) -> None:
    run, model = ran(tmp_path, {"execute 0.2": NO, "replan": REPLACED})
    assert (run.status, run.result) == ("done", "together")
    assert states(run.task)["0.2"] == "DELETED"
    assert asked(model) == [
        "execute 0.1", "execute 0.2", "decompose 0.2", "replan 0", "execute 0.5", "execute 0.3", "execute 0.4",
        "compose 0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recovery", "purposes"),
    [("retry", []), ("split", ["decompose 0.2"]), ("replan", ["decompose 0.2", "replan 0"])],
)
def test_how_far_recovery_goes_is_said_for_each_task(tmp_path: Path, recovery: str, purposes: list[str]) -> None:
    root = tree(recovery="retry")
    root.find("0.2").config = TaskConfig(recovery=recovery)
    run, model = ran(tmp_path, {"execute 0.2": NO, "replan": NO}, root)
    assert run.status == "failed"
    assert asked(model) == ["execute 0.1", "execute 0.2", *purposes]


def test_the_option_holds_for_all_tasks(tmp_path: Path) -> None:
    plan = "<task id='a'>one thing</task><task id='b' needs='a'>another thing</task>"
    replies = {**DONE, "decompose 0": plan, "execute 0.1": NO, "replan": '<retry of="0.1">a better thing</retry>'}
    run = solve("Do one thing, then another.", model=ScriptedModel(replies), store=tmp_path / "r.db", recovery="replan")
    assert run.task.find("0.1").content == "a better thing"


def test_a_failed_task_that_can_be_split_is(tmp_path: Path) -> None:
    parts = "<task>left half</task><task>right half</task>"
    run, model = ran(tmp_path, {"execute 0.2": NO, "decompose 0.2": parts}, tree(recovery="split"))
    assert run.status == "done"
    assert asked(model)[:6] == [
        "execute 0.1", "execute 0.2", "decompose 0.2", "execute 0.2.1", "execute 0.2.2", "compose 0.2",
    ]  # fmt: skip
    assert "the page is gone" not in model.requests[5].messages[-1]["content"]


def test_the_prompt_tells_what_is_done_what_failed_and_why(tmp_path: Path) -> None:
    _, model = ran(tmp_path, {"execute 0.2": NO, "replan": REPLACED})
    (asking,) = [request for request in model.requests if request.purpose == "replan"]
    words = asking.messages[-1]["content"]
    assert 'kind="request" id="0.1" state="DONE"' in words
    assert 'kind="request" id="0.2" state="FAILED"' in words
    assert "the page is gone" in words
    assert "0.3 (needs 0.2): three" in words


def test_a_task_that_fails_again_is_given_up_after_max_replans(tmp_path: Path) -> None:
    numbers = iter(range(100))

    def answer(request: Any) -> str:
        if request.purpose == "replan":
            open_id = "0.2" if "0.5" not in request.messages[-1]["content"] else "0.5"
            return f'<retry of="{open_id}">way number {next(numbers)}</retry>'
        return NO if request.task_id == "0.2" else DONE.get(request.purpose, "")

    run, model = ran(tmp_path, answer, tree(max_replans=3))
    assert run.status == "failed"
    assert asked(model).count("replan 0") == 3
    assert "its plan was changed 3 times, and max_replans = 3" in str(run.error)


def test_a_plan_that_comes_back_to_what_failed_is_stopped_with_the_reason(tmp_path: Path) -> None:
    replies = iter(['<retry of="0.2">another way</retry>', '<retry of="0.2">  Two! </retry>'])
    run, model = ran(
        tmp_path,
        lambda request: next(replies) if request.purpose == "replan"
        else NO if request.task_id == "0.2" else DONE[request.purpose],
        tree(max_replans=9),
    )  # fmt: skip
    assert run.status == "failed"
    assert "repeat what already failed or was dropped" in str(run.error)
    assert asked(model).count("replan 0") == 2


def test_a_malformed_reply_is_put_back_with_the_complaint(tmp_path: Path) -> None:
    run, model = ran(tmp_path, {"execute 0.2": NO, "replan": '<drop of="0.2">no</drop>', "repair": REPLACED})
    assert run.status == "done"
    (repair,) = [request for request in model.requests if request.purpose == "repair"]
    assert "task 0.3 needs task 0.2, which is dropped" in repair.messages[-1]["content"]


def test_what_cannot_be_replanned_is_left_out_of_a_partial_answer(tmp_path: Path) -> None:
    run, _ = ran(tmp_path, {"execute 0.2": NO, "replan": NO}, on_error="partial")
    assert (run.status, states(run.task)["0.4"]) == ("partial", "FAILED")
    assert "task 0 could not be replanned: the page is gone" in run.gaps[0]


def test_several_failures_of_one_plan_are_replanned_at_once(tmp_path: Path) -> None:
    root = Task("Both", id="0", config=TaskConfig(max_retries=0, recovery="replan"))
    root.add_subtasks([Task("one", id="0.1", type="no"), Task("two", id="0.2", type="no"), Task("three", id="0.3")])

    def no() -> str:
        raise ValueError("never")

    both = '<replace of="0.1">four</replace><replace of="0.2">five</replace>'
    run, model = ran(tmp_path, {"replan": both}, root, workers={"no": no})
    assert run.status == "done"
    assert asked(model).count("replan 0") == 1


def test_a_change_keeps_to_max_tasks_and_depth(tmp_path: Path) -> None:
    plan = "<task id='1'>one</task><task id='2' needs='1'>two, and more</task>"
    model = ScriptedModel(
        {
            **DONE,
            "decompose 0": plan,
            "execute 0.2": NO,
            "replan": '<replace of="0.2">x</replace><replace of="0.2">y</replace>',
            "repair": '<replace of="0.2">z</replace>',
        }
    )
    executor = Executor(model, store=tmp_path / "r.db", plan=PlanLimits(max_tasks=4, max_depth=2, split="always"))
    goal = Task("Do one, then two", id="0", config=TaskConfig(max_retries=0, recovery="replan"))
    run = executor.run(goal)
    assert (run.status, len(list(run.task.walk()))) == ("done", 4)
    assert "no task can be split here" in model.requests[3].messages[-1]["content"].lower()


# --- what is stored and shown ---


def test_every_version_is_stored_with_its_difference(tmp_path: Path, ramify: Ramify) -> None:
    run, _ = ran(tmp_path, {"execute 0.2": NO, "replan": REPLACED})
    first, second = run.plans
    assert (first.number, second.by, second.below) == (1, "replan", "0")
    assert second.failed == {"0.2": "the page is gone"}
    kinds = [(change["change"], change["task"]) for change in second.changes]
    assert kinds == [("added", "0.5"), ("changed", "0.3"), ("removed", "0.2")]
    shown = ramify("show", run.id, "--plans", "--store", str(tmp_path / "r.db")).out
    assert shown.startswith("plan 1 is the first\nplan 2 was made by the run below task 0, 20")
    assert "  task 0.2 failed: the page is gone" in shown
    assert "  + 0.5: look elsewhere" in shown
    assert "  - 0.2: two" in shown
    assert '  0.3 dependencies: ["0.2"] -> ["0.5"]' in shown


def test_a_plan_that_never_changed_says_so(ramify: Ramify) -> None:
    assert ramify("solve", "-q", "--model", "rules", "(1 + 2) * 3").code == 0
    shown = ramify("show", "--last", "--plans").out
    assert shown.startswith("plan 1 was made, 3 tasks, 20")
    assert shown.endswith("; it has not changed\n")


def test_two_versions_can_be_compared(tmp_path: Path, ramify: Ramify) -> None:
    replies = iter([REPLACED, '<replace of="0.5">look again</replace>'])
    run, _ = ran(
        tmp_path,
        lambda request: next(replies) if request.purpose == "replan"
        else NO if request.task_id in {"0.2", "0.5"} and request.purpose == "execute" else DONE[request.purpose],
    )  # fmt: skip
    assert run.status == "done"
    net = between(run.plans, 1, 3)
    assert sorted((change["change"], change["task"]) for change in net) == [
        ("added", "0.6"), ("changed", "0.3"), ("removed", "0.2"),
    ]  # fmt: skip
    place = ("--store", str(tmp_path / "r.db"))
    assert "+ 0.6: look again" in ramify("show", run.id, "--plans", "--between", "1:3", *place).out
    for wrong in ("3:1", "1:9", "x"):
        assert ramify("show", run.id, "--plans", "--between", wrong, *place).code == 2


def test_pictures_say_what_was_replaced_and_by_what(tmp_path: Path) -> None:
    run, _ = ran(tmp_path, {"execute 0.2": NO, "replan": REPLACED})
    for form in ("dot", "svg"):
        drawn = run.graph(form)
        assert "replaced by 0.5" in drawn
        assert "replaces 0.2" in drawn


def test_what_is_in_memory_is_what_is_stored(tmp_path: Path) -> None:
    run, _ = ran(tmp_path, {"execute 0.2": NO, "replan": REPLACED + '<insert of="0.4">x</insert>'})
    with Store.open(tmp_path / "r.db") as store:
        assert store.load_tree(run.id).to_json() == run.task.to_json()


# --- one level further up ---


def deep(**config: Any) -> Task:
    """Return a tree of three levels below the root; what is the lowest fails."""
    root = Task("All of it", id="0", config=TaskConfig(max_retries=0, **{"recovery": "replan", **config}))
    root.add_subtasks([Task("first", id="0.1"), Task("second", id="0.2")])
    root.subtasks[0].add_subtasks([Task("half", id="0.1.1"), Task("other half", id="0.1.2")])
    root.subtasks[0].subtasks[0].add_subtasks([Task("a", id="0.1.1.1"), Task("b", id="0.1.1.2")])
    return root


BELOW = {"execute 0.1.1.2": NO, "replan 0.1.1": NO}


@pytest.mark.parametrize("change", ["replace", "retry"])
def test_a_plan_that_cannot_be_changed_has_the_one_around_it_changed(tmp_path: Path, change: str) -> None:
    replies = {**BELOW, "replan 0.1": f'<{change} of="0.1.1">half in one go</{change}>'}
    run, model = ran(tmp_path, replies, deep(), jobs=1)
    assert (run.status, run.result) == ("done", "together")
    gone = {"0.1.1": "DELETED", "0.1.1.1": "DONE", "0.1.1.2": "DELETED", "0.1.3": "DONE"}
    assert {task_id: state for task_id, state in states(run.task).items() if task_id in gone} == gone
    assert run.task.find("0.1.3").content == "half in one go"
    replans = [each for each in asked(model) if each.startswith("replan")]
    assert replans == ["replan 0.1.1", "replan 0.1"]
    (asking,) = [request for request in model.requests if (request.purpose, request.task_id) == ("replan", "0.1")]
    assert "subtask 0.1.1.2 failed: the page is gone" in asking.messages[-1]["content"]
    assert [version.below for version in run.plans if version.by == "replan"] == ["0.1"]


def test_it_goes_one_level_up_and_no_further(tmp_path: Path) -> None:
    run, model = ran(tmp_path, {**BELOW, "replan": NO}, deep())
    assert (run.status, asked(model).count("replan 0.1"), asked(model).count("replan 0")) == ("failed", 1, 0)
    assert states(run.task)["0.1.1"] == "FAILED"
    assert "task 0.1 could not be replanned: the page is gone" in str(run.task.find("0.1.1").error)


def test_nothing_is_put_before_a_task_whose_plan_leads_nowhere(tmp_path: Path) -> None:
    replies = {**BELOW, "replan 0.1": '<insert before="0.1.1">look</insert>', "repair": '<drop of="0.1.1">no</drop>'}
    run, model = ran(tmp_path, replies, deep())
    assert run.status == "done"
    (repair,) = [request for request in model.requests if request.purpose == "repair"]
    assert "task 0.1.1 has a plan that leads nowhere" in repair.messages[-1]["content"]


@pytest.mark.parametrize(
    ("config", "how"), [({}, {"on_error": "partial"}), ({"recovery": "split"}, {}), ({"max_replans": 0}, {})]
)
def test_it_does_not_go_up_where_that_is_not_wanted(tmp_path: Path, config: Any, how: Any) -> None:
    _, model = ran(tmp_path, {**BELOW, "replan": NO}, deep(**config), **how)
    assert "replan 0.1" not in asked(model)


@pytest.mark.parametrize("limit", range(1, 9))
def test_a_run_that_goes_up_and_is_stopped_anywhere_ends_as_if_it_had_not_been(tmp_path: Path, limit: int) -> None:
    replies = {**DONE, **BELOW, "replan 0.1": '<replace of="0.1.1">half in one go</replace>'}
    (tmp_path / "whole").mkdir()
    whole, every = ran(tmp_path / "whole", replies, deep(), jobs=1)
    first, before = ran(tmp_path, replies, deep(), jobs=1, max_calls=limit)
    assert first.status == "stopped"
    model = ScriptedModel(replies)
    again = Executor.resume(tmp_path / "r.db", first.id, agent=model, max_calls=99)
    assert states(again.task) == states(whole.task)
    assert sorted(asked(before) + asked(model)) == sorted(asked(every))


def test_a_process_that_ended_before_it_went_up_is_followed_by_one_that_does(tmp_path: Path) -> None:
    root = deep()
    first, _ = ran(tmp_path, BELOW, root, jobs=1, max_calls=5)
    with Store.open(tmp_path / "r.db") as store:
        tree_then = store.load_tree(first.id)
    assert states(tree_then)["0.1.1.2"] == "FAILED"
    marked = "failed; task 0.1.1 could not be replanned: no way on"
    with Store.open(tmp_path / "r.db") as store, store.write(first.id) as writer:
        task = tree_then.find("0.1.1.2")
        running.put(task, error=marked)
        writer.put(TaskChanged.of(task))
    model = ScriptedModel({**DONE, "replan 0.1": '<replace of="0.1.1">half in one go</replace>'})
    again = Executor.resume(tmp_path / "r.db", first.id, agent=model, max_calls=99)
    assert (again.status, "replan 0.1.1" in asked(model), "replan 0.1" in asked(model)) == ("done", False, True)


# --- kills ---


@pytest.mark.parametrize("limit", range(1, 8))
def test_a_run_that_is_stopped_anywhere_ends_as_if_it_had_not_been(tmp_path: Path, limit: int) -> None:
    def answer(request: Any) -> str:
        if request.purpose == "replan":
            return REPLACED
        return NO if (request.purpose, request.task_id) == ("execute", "0.2") else DONE[request.purpose]

    (tmp_path / "whole").mkdir()
    whole, every = ran(tmp_path / "whole", answer)
    first, before = ran(tmp_path, answer, max_calls=limit)
    assert first.status == "stopped"
    model = ScriptedModel(answer)
    again = Executor.resume(tmp_path / "r.db", first.id, agent=model, max_calls=99)
    assert states(again.task) == states(whole.task)
    assert sorted(asked(before) + asked(model)) == sorted(asked(every))


def test_a_parent_of_which_nothing_is_left_but_failures_fails_after_a_drop(tmp_path: Path) -> None:
    root = Task("All of it", id="0", config=TaskConfig(max_retries=0, recovery="replan"))
    root.add_subtasks([Task("one", id="0.1"), Task("two", id="0.2")])
    root.subtasks[1].add_subtask(Task("below", id="0.2.1"))
    replies = {"execute 0.1": NO, "compose 0.2": NO, "replan 0": '<drop of="0.1"/>'}
    run, model = ran(tmp_path, replies, root, on_error="partial")
    assert states(run.task) == {"0": "FAILED", "0.1": "DELETED", "0.2": "FAILED", "0.2.1": "DONE"}
    assert "compose 0" not in asked(model)


@pytest.mark.parametrize("more", [0, 1])
def test_what_never_ran_as_its_need_failed_is_not_replanned_on_resume(tmp_path: Path, more: int) -> None:
    root = Task("All of it", id="0", config=TaskConfig(max_retries=0, recovery="replan"))
    root.add_subtasks([Task("one", id="0.1"), Task("two", id="0.2", dependencies=["0.1"]), Task("three", id="0.3")])
    root.subtasks[0].add_subtask(Task("below", id="0.1.1"))
    replies = {"compose 0.1": NO}
    run, model = ran(tmp_path, replies, root, on_error="partial", max_calls=2 + more)
    assert run.status == "stopped"
    run = Executor.resume(tmp_path / "r.db", run.id, agent=model, max_calls=9)
    assert (run.status, states(run.task)["0.2"]) == ("partial", "FAILED")
    assert "replan 0" not in asked(model)


@pytest.mark.parametrize("on_error", ["continue", "partial"])
def test_plans_that_wait_for_what_has_failed_in_each_other_are_changed_one_after_the_other(
    tmp_path: Path, on_error: Any
) -> None:
    root = Task("all", id="0", config=TaskConfig(max_retries=0, recovery="replan"))
    root.add_subtasks([Task("one", id="1"), Task("two", id="2")])
    for number in ("1", "2"):
        root.find(number).add_subtasks([Task("bad", id=f"{number}.1"), Task("good", id=f"{number}.2")])
    for number, other in (("1", "2"), ("2", "1")):
        root.find(f"{number}.2").add_dependency(f"{other}.1")

    def reply(request: ModelRequest) -> str:
        if request.purpose == "replan":
            return f'<retry of="{request.task_id}.1">better</retry>'
        is_bad = request.purpose == "execute" and request.messages[-1]["content"].count("bad")
        return '<failed reason="other">no</failed>' if is_bad else "<result>yes</result>"

    model = ScriptedModel(reply)
    run = Executor(model, store=tmp_path / "r.db", on_error=on_error, jobs=4).run(root)
    assert run.status == "done"
    assert [request.task_id for request in model.requests if request.purpose == "replan"] == ["1", "2"]
