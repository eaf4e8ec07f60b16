"""Recovery under everything at once: failures, refusals, malformed replies, stops, kills; every run ends, and rightly.

Hundreds of random runs that are killed for good: `python -m tests.crash_recovery`.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ramify.planner import Executor, PlanLimits
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

from .recoveries import ON_ERROR, POLICIES, RECOVERIES, SHARES, Case, check_ended, standing, tree_of
from .test_graph import trees

cases = st.builds(
    Case,
    document=trees().map(Task.to_json),
    seed=st.integers(0, 10**6),
    share=st.sampled_from(SHARES),
    policy=st.sampled_from(POLICIES),
    recovery=st.sampled_from(RECOVERIES),
    on_error=st.sampled_from(ON_ERROR),
    jobs=st.sampled_from([1, 4]),
)


@settings(max_examples=12, deadline=None)
@example(  # the plan of 0 was changed too early: 1 was still to be composed, as 2 was DONE, but not on disk
    Case(tree_of("0 1 0 2 4 2 5 5").to_json(), 263, 0.3, None, "replan", "partial", jobs=4)
)
@example(  # 1 failed because of that one of its subtasks which was the last to fail, or, after a stop, the first
    Case(tree_of("0 0 1 3 0 0 3 5 4").to_json(), 726106, 0.6, "upfront", "retry", "partial", jobs=1)
)
@given(cases)
def test_whatever_fails_and_wherever_it_is_stopped_a_run_ends_as_if_it_had_not_been(case: Case) -> None:
    with TemporaryDirectory() as folder:
        whole = Executor(ScriptedModel(case.answer), store=f"{folder}/a.db", **case.options).run(case.root)
        check_ended(whole)
        model = ScriptedModel(case.answer)
        run = Executor(model, store=f"{folder}/b.db", max_calls=2, **case.options).run(case.root)
        while run.status == "stopped":
            run = Executor.resume(f"{folder}/b.db", run.id, agent=model, max_calls=run.usage.calls + 3)
        check_ended(run)
        assert standing(run.task) == standing(whole.task)
        asked = Counter((each.task_id, each.attempt, each.sha256("scripted")) for each in model.requests)
        assert {key for key, count in asked.items() if count > 1} == set()


PROGRAM = """
import os, sys
from ramify.planner import Executor
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

store, log = sys.argv[1:]
seen = open(log, "a")
NO = '<failed reason="other">no</failed>'
SAID = {
    "execute 0.2": NO,
    "execute 0.5": NO,
    "decompose": "<atomic/>",
    "compose 0": "<result>together</result>",
}

def reply(request):
    key = f"{request.purpose} {request.task_id}"
    print(key, file=seen, flush=True)
    if request.purpose == "replan":
        is_first = "0.5" not in request.messages[-1]["content"]
        return '<replace of="0.2">another way</replace>' if is_first else '<failed reason="other">none</failed>'
    return SAID.get(key, SAID.get(request.purpose, "<result>done</result>"))

if os.path.exists(store):
    run = Executor.resume(store, agent=ScriptedModel(reply))
else:
    root = Task("All of it", id="0", config=TaskConfig(max_retries=0, recovery="replan"))
    root.add_subtasks([Task("one", id="0.1"), Task("two", id="0.2"), Task("three", id="0.3", dependencies=["0.2"])])
    root.add_subtask(Task("four", id="0.4", dependencies=["0.1"]))
    run = Executor(ScriptedModel(reply), store=store, on_error="partial", jobs=1).run(root)
print(run.status, *(f"{task.id}={task.state.value}" for task in run.task.walk()))
"""
WHOLE = "partial 0=DONE 0.1=DONE 0.2=DELETED 0.3=FAILED 0.4=DONE 0.5=FAILED"


def done(folder: Path, failpoint: str = "") -> tuple[int, str]:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder / "runs.db"), str(folder / "log")],
        capture_output=True, text=True, check=False, env={"RAMIFY_FAILPOINT": failpoint, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return process.returncode, (process.stdout + process.stderr).strip()


def test_a_run_that_is_killed_at_every_step_of_recovery_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    lost = {  # what was under way is asked again, and nothing else
        "before-reply-commit:4": "execute 0.4",
        "before-reply-commit:2": "replan 0",
        "during-plan-commit:1": "",
        "during-edit-commit:1": "",
        "after-edit-commit:1": "",
        "before-reply-commit:02": "decompose 0.5",
    }
    for point in lost:
        assert done(tmp_path, point)[0] == -9, point
        plans = _plans(tmp_path)
        assert len(plans) in {4, 5}
        assert ("0.5" in plans) == (plans["0.2"] == "DELETED"), "a change is there whole or not at all"
    assert done(tmp_path) == (0, WHOLE)
    asked = Counter((tmp_path / "log").read_text().splitlines())
    asked.subtract(filter(None, lost.values()))
    assert {what: count for what, count in asked.items() if count != 1} == {"replan 0": 2}  # the second gives up


def _plans(folder: Path) -> dict[str, str]:
    with Store.open(folder / "runs.db") as store:
        root = store.load_tree(store.last_run().id)
    return {task.id: task.state.value for task in root.walk() if task is not root}


def test_an_upfront_plan_with_recovery_keeps_to_its_limits(tmp_path: Path) -> None:
    case = Case(Task("Do this, that and the other", id="0").to_json(), 7, 0.4, "upfront", "replan", "partial", jobs=6)
    goal = case.root
    goal.config = TaskConfig(max_retries=0, recovery="replan", max_replans=9)
    limits = PlanLimits(max_tasks=9, max_depth=3, split="always")
    model = ScriptedModel(case.answer)
    run = Executor(model, store=tmp_path / "r.db", plan=limits, on_error="partial").run(goal)
    check_ended(run)
    assert sum(1 for _ in run.task.walk()) <= 9
    assert max(task.get_depth() for task in run.task.walk()) <= 3
