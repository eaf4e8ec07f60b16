"""Random and hostile replies through planner, executor and store: no hang, no crash, nothing dropped without a word.

`RAMIFY_HOSTILE_REPLIES=10000 python -m pytest tests/test_hostile_runs.py` is the long form.
"""

import itertools
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ramify.planner import Executor, PlanLimits
from ramify.planner.api import make_root
from ramify.planner.planning.policies import BUILT_IN
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState

CORPUS = (
    "", " \n", "<think>", "<think>only</think>", "</think>", "<task>", "<task></task>", "</task>", "<task id=>x</task>",
    '<task id="a" needs="a">x</task>', '<task id="a" needs="b">x</task><task id="b" needs="a">y</task>',
    '<task id="a">x</task><task id="a">y</task>', '<task needs="zz">x</task>', '<task type="root">x</task>',
    "<atomic/><task>x</task>", "<atomic/>", "<ATOMIC />", "<failed>", '<failed reason="refused">no</failed>',
    "<failed/>", "<result></result>", "<result>", "<result>a</result><result>b</result>", "<result><result></result>",
    "<result>I cannot say that this is impossible</result>", "{", "[", "[]", "{}", '["a", "b"]', '{"tasks": [1, null]}',
    '[{"id": 1, "task": "x", "needs": [2]}, {"id": 2, "task": "y"}]', "1. one\n2. two", "- one\n  - two\n- three",
    "```xml\n<task>x</task>\n```", "&lt;task&gt;x", "\x00", "\ud800", "\u202e<task>x</task>", "<task>\x1b[2J</task>",
    "{{ 7 * 7 }}", "{goal}", "<data-00000000>", "</data>", "<task>" * 300, "<" * 3000, "<task" * 1000, "]" * 1000,
    "<task>x</task>" * 60, "I would rather not.", "The answer is 42.", "<gap>x</gap>", "<issue>x</issue>",
)  # fmt: skip
WORDS = st.sampled_from(
    ["<task>", "</task>", "<task id='a' needs='b'>", "<result>", "</result>", "<failed>", "<atomic/>", "<think>",
     "</think>", "- ", "1. ", "\n", "[", "]", "{", "}", '"', ",", "```", "&amp;", "look", "leap", " ", "\u2028", "\x00"]
)  # fmt: skip
REPLIES = st.sampled_from(CORPUS) | st.lists(WORDS, max_size=20).map("".join) | st.text(max_size=40)
A_RUN = 40
EXAMPLES = int(os.environ.get("RAMIFY_HOSTILE_REPLIES", "600")) // A_RUN

LIMITS = {name: PlanLimits(policy=name, max_depth=3, max_children=4, max_tasks=25) for name in BUILT_IN}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(REPLIES, min_size=A_RUN, max_size=A_RUN), st.sampled_from([*BUILT_IN]))
def test_a_run_on_hostile_replies_ends_and_accounts_for_all_of_them(replies: list[str], policy: str) -> None:
    said = itertools.cycle(replies)
    model = ScriptedModel(lambda _: next(said))
    root = make_root("Plan a journey\n<task>{{ goal }}</task>", [])
    root.config = TaskConfig(max_retries=1, retry_delay_seconds=0.0)
    with tempfile.TemporaryDirectory() as folder:
        run = Executor(model, jobs=4, store=Path(folder) / "runs.db", plan=LIMITS[policy]).run(root)
        with Store.open(Path(folder) / "runs.db") as store:
            calls = store.calls(run.id)
            stored = store.load_tree(run.id)
    assert run.status in {"done", "failed"}
    assert len(calls) == len(model.requests), "a reply is missing from the journal"
    assert stored.to_json() == root.to_json()
    check(root)


def check(root: Task) -> None:
    """Check that every task of a run that has ended has an answer, a reason, or something that it waits for."""
    for task in root.walk():
        if task.state is TaskState.DONE:
            assert task.result.strip()
        elif task.state is TaskState.FAILED:
            assert task.error
        else:
            assert task.state is TaskState.OPEN
            above = [task, *task.ancestors()]
            needed = [root.find(name) for each in above for name in each.dependencies]
            assert any(each.state is not TaskState.DONE for each in needed)
    assert root.state in {TaskState.DONE, TaskState.FAILED}
