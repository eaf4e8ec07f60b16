"""How long running a plan is expected to take, by how long its tasks are; told only where something is known of them.

    makespan       what the scheduler makes of it, with so many jobs
    critical path  the chain that takes longest; no number of jobs makes the plan quicker than that

How long a task takes is what it says itself (`expected_seconds`), else the mean of what its kind took in this run and
in others (`ramify.tasks.tree.times`). Tasks of which nothing is known count as nothing, and it is said how many.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ramify.planner.runtime.durations import format_duration
from ramify.planner.settings.options import OPTIONS
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.tree.graph import critical_path
from ramify.tasks.tree.makespan import makespan
from ramify.tasks.tree.states import FINISHED
from ramify.tasks.tree.times import Times


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run goes.

    Attributes:
        jobs: how many tasks run at the same time.
        times: what is known of how long tasks take.
    """

    jobs: int = OPTIONS["jobs"].option.default
    times: Times = field(default_factory=Times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How long what is left of a plan is expected to take.

    Attributes:
        jobs: how many tasks run at the same time.
        makespan_s: from the first start to the last end, in seconds.
        critical_path: ids of the tasks of the chain that takes longest, first to last.
        critical_path_s: how long that takes, in seconds.
        work_s: how long all tasks take, one after the other, in seconds.
        unknown: tasks of which nobody knows how long they take, and which count as nothing.
    """

    jobs: int
    makespan_s: float
    critical_path: list[str]
    critical_path_s: float
    work_s: float
    unknown: int = 0

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield it for people to read, as names and words."""
        least = "at least " * bool(self.unknown)
        unknown = f"; not known of {counted(self.unknown, 'task')}" * bool(self.unknown)
        time = f"{format_duration(self.makespan_s)} with {self.jobs:,} at a time"
        yield "expected time", f"{least}{time}, {format_duration(self.work_s)} of work{unknown}"
        path = f" ({least}{format_duration(self.critical_path_s)})"
        yield "critical path", f"{counted(len(self.critical_path), 'task')}{path}: {' > '.join(self.critical_path)}"


def expected_of(root: Task, pace: Pace) -> Expected | None:
    """Return how long what is left of the tree of `root` takes, at the pace of a run; None if nothing is known of it.

    What is finished in the tree says how long others like it take.
    """
    times = Times(pace.times.known).learn(root.walk())
    left = {task.id: times.seconds(task) for task in root.walk() if task.state not in FINISHED}
    if all(each is None for each in left.values()):
        return None

    def seconds_of(task: Task) -> float:
        return left.get(task.id) or 0.0

    path = [task for task in critical_path(root, seconds_of) if task.id in left]
    return Expected(
        jobs=pace.jobs,
        makespan_s=makespan(root, pace.jobs, seconds_of, Times(times.known)),
        critical_path=[task.id for task in path],
        critical_path_s=sum(map(seconds_of, path)),
        work_s=sum(each or 0.0 for each in left.values()),
        unknown=sum(each is None for each in left.values()),
    )


def said_to_take(root: Task, jobs: int) -> float | None:
    """Return how long the whole tree of `root` takes, in seconds, finished or not; None if no task says how long.

    A task that says nothing takes as long as those of its kind took.
    """
    if all(task.expected_seconds is None for task in root.walk()):
        return None
    times = Times().learn(root.walk())
    return makespan(root, jobs, lambda task: times.seconds(task) or 0.0, Times(times.known), again=True)
