"""Policies: what a small one of one's own can do, and that planning ahead makes one tree whatever comes first."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Executor, Run
from ramify.planner.errors import RunError
from ramify.planner.events.events import EventType
from ramify.planner.planning.levels import Levels
from ramify.planner.planning.policy import Direct, Failure, Recovery, Verb, whole
from ramify.planner.planning.upfront import Upfront
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState

PLAN = '<task id="a">first half</task><task id="b" needs="a">second half</task>'
REPLIES = {
    "execute 0": '<failed reason="unable">too much at once</failed>',
    "decompose 0": PLAN,
    "execute": "<result>half</result>",
    "compose": "<result>both halves</result>",
}


class TryFirst(Direct):
    """Tries a task before it is split."""

    def after(self, task: Task, failure: Failure) -> Recovery:
        if failure.verb is Verb.EXECUTE and not failure.can_retry and task.get_depth() == 1:
            return Recovery.SPLIT
        return super().after(task, failure)


class SplitWhenReady(Direct):
    """Splits the root when its turn comes, beside others that run."""

    def next(self, task: Task) -> Verb:
        return Verb.SPLIT if task.is_leaf and task.get_depth() == 1 else whole(task)


def run_of(place: Path, replies: Mapping[str, str], policy: Direct, *, retries: int = 0) -> tuple[Run, ScriptedModel]:
    model = ScriptedModel(replies)
    task = Task(content="Do it all.", id="0", config=TaskConfig(max_retries=retries, retry_delay_seconds=0))
    new = Executor(model, store=place / "r.db").new_run(task, policy=policy)
    return new.start().wait(), model


def asked(model: ScriptedModel) -> list[str]:
    return [f"{request.purpose} {request.task_id}" for request in model.requests]


def test_a_task_that_fails_is_split_and_its_parts_are_done(tmp_path: Path) -> None:
    run, model = run_of(tmp_path, REPLIES, TryFirst())
    assert (run.status, run.result) == ("done", "both halves")
    assert asked(model) == ["execute 0", "decompose 0", "execute 0.1", "execute 0.2", "compose 0"]
    assert [task.state for task in run.task.walk()] == [TaskState.DONE] * 3


def test_a_task_that_fails_and_stays_whole_has_failed_for_its_own_reason(tmp_path: Path) -> None:
    run, model = run_of(tmp_path, {**REPLIES, "decompose 0": "<atomic/>"}, TryFirst())
    assert run.status == "failed"
    assert "too much at once" in str(run.error)
    with pytest.raises(RunError, match=f"ramify resume {run.id} --retry-failed"):
        _ = run.result
    assert asked(model) == ["execute 0", "decompose 0"]


def test_a_task_can_be_split_when_it_is_ready(tmp_path: Path) -> None:
    run, model = run_of(tmp_path, REPLIES, SplitWhenReady())
    assert run.result == "both halves"
    assert asked(model)[0] == "decompose 0"


def test_a_task_that_stays_whole_when_it_is_ready_is_executed_once(tmp_path: Path) -> None:
    replies = {"decompose 0": "<atomic/>", "execute 0": "<result>all of it</result>"}
    run, model = run_of(tmp_path, replies, SplitWhenReady())
    assert run.result == "all of it"
    assert asked(model) == ["decompose 0", "execute 0"]


def test_a_split_that_fails_is_tried_again_like_all_other_work(tmp_path: Path) -> None:
    model = FaultyModel(ScriptedModel(REPLIES), ["timeout", None])
    task = Task(content="Do it all.", id="0", config=TaskConfig(max_retries=1, retry_delay_seconds=0))
    run = Executor(model, store=tmp_path / "r.db").new_run(task, policy=SplitWhenReady()).start().wait()
    assert run.result == "both halves"
    again = [event.data for event in run.events() if event.type == EventType.TASK_RETRYING]
    assert [each["counts_as"] for each in again] == ["planning"]


def test_no_policy_has_a_task_tried_more_often_than_its_limits_allow(tmp_path: Path) -> None:
    class Stubborn(Direct):
        def after(self, task: Task, failure: Failure) -> Recovery:  # noqa: ARG002 - the same for all
            return Recovery.RETRY

    replies = {"*": "<result></result>"}
    run, model = run_of(tmp_path, replies, Stubborn(), retries=2)
    assert run.status == "failed"
    assert len(model.requests) <= 2 * 3  # each attempt may be repaired once


@pytest.mark.parametrize(
    ("task", "verb"),
    [
        (Task(content="a leaf", id="0"), Verb.SPLIT),
        (Task(content="with a worker", id="0", type="python"), Verb.EXECUTE),
        (Task(content="done", id="0", state=TaskState.DONE), Verb.EXECUTE),
    ],
)
def test_upfront_splits_open_leaves_for_the_model(task: Task, verb: Verb) -> None:
    assert Upfront(2).next(task) is verb


def test_upfront_goes_no_deeper_than_it_may() -> None:
    assert Upfront(1).next(Task(content="a leaf", id="0")) is Verb.EXECUTE


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_planning_ahead_attaches_in_tree_order_whatever_comes_first(widths: list[int], random: Random) -> None:
    def grown(pick: Callable[[int], int]) -> list[str]:
        root, attached, plans = Task(content="0", id="0"), [], iter(widths)
        widths_of: dict[str, int] = {}
        levels: Levels[None] = Levels(root, lambda task: task.get_depth() < 4)
        asked_for: list[Task] = []
        while not levels.is_over:
            while (task := levels.pop()) is not None:
                asked_for.append(task)
            levels.decided(asked_for.pop(pick(len(asked_for))), None)
            for each, _ in levels.decisions():
                widths_of[each.id] = next(plans, 0)
                for number in range(1, widths_of[each.id] + 1):
                    each.add_subtask(Task(content="x", id=f"{each.id}.{number}"))
                attached.append(each.id)
        return attached

    assert grown(lambda _: 0) == grown(random.randrange)
