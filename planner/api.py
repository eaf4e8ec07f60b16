"""The short way: `solve`, `asolve` and `decompose`, from a goal to an answer or a plan."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ramify.tasks import Material, Task

from .agent import Agent
from .attachments import read_materials
from .budget import RunLimits
from .errors import UsageError
from .events import Subscriber
from .executor import Executor
from .handle import Run
from .models.protocol import Model
from .plan import PlanLimits
from .run import OnError

GOAL_LIMIT = 1_000_000
"""The most characters of a goal; longer texts are attached as files."""


def solve(goal: str, **how: Any) -> Run:
    """Plan a goal, run the plan, and return the run; `run.result` is the answer.

    Works in scripts and in notebooks, where an event loop is running.

    Args:
        goal: what is to be done.
        **how: any of the following keywords.

    Keyword Args:
        model: a model's name, or a model of your own; `RAMIFY_MODEL` unless given.
        agent: an agent, instead of `model`.
        files: documents to attach: paths of text files.
        materials: documents to attach, as `Material`.
        inputs: arguments, as JSON data by name.
        jobs: tasks that run at the same time; 8 unless given.
        store: where the run is stored.
        max_depth: the deepest level of the tree; the root's is 1.
        max_children: the most subtasks of one task.
        max_tasks: the most tasks.
        limits: what the whole run may take.
        on_error: "continue" or "stop".
        on_event: called with every event.
        base_url: the address of an OpenAI-compatible server.

    Raises:
        NoModelError: if no model can be used; the message says what to do.
        UsageError: if the goal or an argument cannot be used.
    """
    return start(goal, **how).wait()


async def asolve(goal: str, **how: Any) -> Run:
    """Do what `solve` does, on the caller's event loop."""
    executor, root = prepare(goal, **how)
    return await executor.arun(root)


def start(goal: str, **how: Any) -> Run:
    """Do what `solve` does in the background, and return the run at once."""
    executor, root = prepare(goal, **how)
    return executor.start(root)


def decompose(goal: str, **how: Any) -> Task:
    """Plan a goal and return the tree without running it; the keywords are those of `solve`.

    The plan is made in a run of its own, so that an interrupted one can be resumed.
    """
    raise UsageError("not yet")


def prepare(
    goal: str,
    *,
    model: str | Model | None = None,
    agent: Agent | None = None,
    base_url: str | None = None,
    files: Iterable[str | Path] = (),
    materials: Iterable[Material] = (),
    inputs: dict[str, Any] | None = None,
    jobs: int = 8,
    store: str | Path | None = None,
    max_depth: int | None = None,
    max_children: int | None = None,
    max_tasks: int | None = None,
    limits: RunLimits | None = None,
    on_error: OnError = "continue",
    on_event: Subscriber | None = None,
) -> tuple[Executor, Task]:
    """Return the executor and the root for a goal; see `solve`."""
    said = {"max_depth": max_depth, "max_children": max_children, "max_tasks": max_tasks}
    plan = PlanLimits(**{name: value for name, value in said.items() if value is not None})
    if agent is None:
        agent = Agent(model, base_url=base_url)
    executor = Executor(
        agent, jobs=jobs, store=store, plan=plan, limits=limits, on_error=on_error, on_event=on_event
    )
    return executor, make_root(goal, [*materials, *read_materials(files)], inputs)


def make_root(goal: str, materials: list[Material], inputs: dict[str, Any] | None = None) -> Task:
    """Return the root task of a goal.

    Raises:
        UsageError: if the goal is blank, or too long to be one.
    """
    if not goal.strip():
        raise UsageError("the goal is blank; say what is to be done")
    if len(goal) > GOAL_LIMIT:
        raise UsageError(
            f"the goal has {len(goal):,} characters, {GOAL_LIMIT:,} are allowed; put the text into a file, attach it"
            " with -f FILE (files=[...]), and say in the goal what is to be done with it"
        )
    return Task(content=goal.strip(), id="0", attachments=materials, inputs=inputs or {})
