"""Runs in which all kinds of things fail: what a scripted model says follows from its prompt alone, and how they end.

Whoever asks the same is told the same, so a run that was stopped or killed has to end as one that was not.
"""

import re
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from ramify.planner import PlanLimits, Run
from ramify.planner.models.protocol import ModelRequest
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.tree.graph import check_can_end
from ramify.tasks.tree.partial import is_partial

POLICIES = (None, "direct", "as_needed", "upfront", "streaming")
RECOVERIES = ("retry", "split", "replan")
ON_ERROR = ("continue", "partial")
SHARES = (0.1, 0.3, 0.6)

_OPERATORS = ("retry", "replace", "insert", "split", "drop")
_BAD = ("nothing", "<retry of=''>x</retry>", '{"replan": {"changes": 1}}', "<replace", "<drop of='0'>x</drop>")
_PARTS = ("left of it", "right of it")
_ASKED = re.compile(r'kind="request" id="([^"]+)" state="FAILED"')
_NONCE = re.compile("data-[0-9a-f]{8}")
_OPEN = re.compile(r'kind="open">\n(\S+)')


def tree_of(parents: str) -> Task:
    """Return a tree by the numbers of the parents of its tasks from 1 on; 0 is the root."""
    root = Task("root", id="0")
    for number, parent in enumerate(parents.split(), 1):
        root.find(parent).add_subtask(Task("x", id=str(number)))
    return root


@dataclass(frozen=True)
class Case:
    """A run.

    Attributes:
        document: its tree, as JSON.
        seed: what follows from it is said.
        share: how much of what is asked fails.
        policy: its policy; None for a tree that is run as it is.
        recovery: how far its tasks are mended.
        on_error: what follows when one has failed.
        jobs: tasks at the same time.
    """

    document: str
    seed: int
    share: float
    policy: str | None
    recovery: str
    on_error: str
    jobs: int

    @property
    def root(self) -> Task:
        """Its tree, as it is before it is run."""
        root = Task.from_json(self.document)
        root.config = TaskConfig(max_retries=0, max_check_rounds=0, recovery=self.recovery, max_replans=2)
        return root

    @property
    def options(self) -> dict[str, Any]:
        """What an executor is given."""
        plan = None if self.policy is None else PlanLimits(policy=self.policy, max_depth=3)
        return {"jobs": self.jobs, "on_error": self.on_error, "plan": plan}

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def answer(self, request: ModelRequest) -> str:
        """Return what the model says: it follows from the seed and from what it is asked."""
        asked = _NONCE.sub("data", request.messages[-1]["content"])  # every run has its own
        if request.purpose == "decompose":
            return self._plan(request)
        random = Random(f"{self.seed} {request.purpose} {request.task_id} {asked}")
        if request.purpose == "replan":
            return _replan(random, asked)
        if request.purpose == "repair":
            return random.choice(_BAD)
        return _failure(random) if random.random() < self.share else f"<result>{random.randrange(10**6)}</result>"

    def _plan(self, request: ModelRequest) -> str:
        """Return a plan, or what is left of it: one that was cut is asked for in other words, and is the same plan."""
        random = Random(f"{self.seed} {request.task_id}")
        begun = getattr(request.variables, "begun", {}).values()
        if random.random() < self.share:
            return _failure(random)
        parts = random.choice(((), _PARTS))
        return "".join(f"<task>{part}</task>" for part in parts if part not in begun) or "<atomic/>"


def _failure(random: Random) -> str:
    return random.choice(('<failed reason="other">no</failed>', "<failed>", "<result></result>"))


def _replan(random: Random, prompt: str) -> str:
    """Return changes of whatever kind, of which many may not be made."""
    failed, others = _ASKED.findall(prompt), _OPEN.findall(prompt)
    if random.random() < 0.2:
        return random.choice(_BAD)
    about = failed + [each for each in others if random.random() < 0.2]
    return "".join(
        f'<{operator} of="{task_id}">{operator} {random.randrange(50)}</{operator}>' * random.choice((1, 1, 2))
        for task_id in about
        for operator in [random.choice(_OPERATORS)]
    )


def standing(root: Task) -> dict[str, tuple[Any, ...]]:
    """Return what has become of each task."""
    return {
        task.id: (task.state, task.content, task.result, tuple(task.dependencies), tuple(task.gaps))
        for task in root.walk()
    }


def check_ended(run: Run) -> None:
    """Make sure that what is left of a run is sound."""
    tasks = list(run.task.walk())
    assert run.status in {"done", "partial", "failed"}
    assert not any(task.state is TaskState.RUNNING for task in tasks)
    check_can_end(run.task)
    assert (run.status == "partial") == is_partial(run.task)
    assert (run.status == "failed") == (run.task.state is TaskState.FAILED)
    for task in tasks:
        below = {child.state for child in task.subtasks}
        if task.state is TaskState.DONE and TaskState.FAILED in below:
            assert task.gaps
            assert TaskState.DONE in below
