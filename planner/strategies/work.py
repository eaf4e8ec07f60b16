"""The workers behind a strategy: one runs a variation as a run of its own, one puts the variations side by side."""

from collections.abc import Mapping
from typing import Any

from ramify.planner.errors import LimitError, UsageError, WaitingError, WorkFailedError
from ramify.planner.models.protocol import Model
from ramify.planner.planning.split import PlanLimits
from ramify.planner.run import Run
from ramify.planner.running.inside import inner_of
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.store import Store
from ramify.planner.store.records import status_words
from ramify.planner.workers import Outcome, WorkContext, Worker
from ramify.planner.workers.services import services_of
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.documents import tree_from_data
from ramify.tasks.tree.edits import Difference
from ramify.tasks.tree.running import put

from .comparing import compare_tree, inner_id, inner_runs, next_inner_id
from .nested import run_inside
from .parameters import vary

STRATEGY = "strategy"
VARIATION = "variation"


class VariationWorker(Worker):
    """Does the task of its strategy with the variation's own parameters, as a run of its own.

    Args:
        models: models of the user's own that a parameter `model` can name.
    """

    about = "runs a variant of a strategy as its own run"

    def __init__(self, models: Mapping[str, Model] | None = None) -> None:
        self._models = dict(models or {})

    def check_edit(self, task: Task, difference: Difference, *, store: Store, run_id: str) -> None:
        """Refuse to change its content alone, which is only what it is called, and its result, which is its run's."""
        option = "--set-result" if "result" in difference.fields else "--set" if _is_renamed(difference) else None
        if option is None:
            return
        inner = inner_runs(store, run_id, task)
        way = "it has none yet; start another sweep instead"
        if inner:
            changing = f"ramify resume {inner[-1].id} {option} 0=TEXT"
            way = f"change that one: {changing}; then compare with ramify compare {run_id}"
        raise UsageError(f"task {task.id} is a variant with its own run; {way}")

    def check_fork(self, task: Task, *, run_id: str) -> None:
        """Refuse to fork the run that holds variations together: each of them is a run of its own."""
        raise UsageError(
            f"run {run_id} is a sweep, whose variants have their own runs; fork one of them, such as"
            f" {inner_id(run_id, task)}"
        )

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Run the variation, or go on with its run.

        Raises:
            WorkFailedError: if its run failed, or was cancelled.
            LimitError: if a limit was reached.
            WaitingError: if a person has to answer.
        """
        strategy = task.parent
        if strategy is None or strategy.type != STRATEGY:
            raise UsageError(f"task {task.id} is a variant, so it must be below a task of the type {STRATEGY!r}")

        def make() -> tuple[Task, Any, RunSettings]:
            root = tree_from_data(strategy.inputs["task"], Task)
            plan = strategy.inputs.get("plan")
            limits = None if plan is None else PlanLimits.model_validate(plan)
            varied = vary(root, services_of(context).asker.agent, limits, task.inputs, models=self._models)
            settings = inner_of(context).settings.model_copy(
                update={
                    "plan": varied.plan,
                    "limits": RunSettings().limits,
                    "name": task.name,
                    "inside": context.run_id,
                }
            )
            return varied.task, varied.agent, settings

        run = await run_inside(
            context,
            await context.step("run", lambda: next_inner_id(services_of(context).store, context.run_id, task)),
            make,
        )
        put(task, usage=run.usage)
        return _outcome(run, task)


class StrategyWorker(Worker):
    """Puts the answers of its variations side by side; it asks no model."""

    about = "compares variants of one task"

    def check_edit(self, task: Task, difference: Difference, **_: Any) -> None:
        """Refuse to change its content alone: what its variations do stands in the input `task`."""
        if _is_renamed(difference):
            raise UsageError(
                f"task {task.id} is a strategy whose variants are fixed; start another"
                " one with the new goal: ramify sweep GOAL -p KEY=A,B"
            )

    async def perform(self, task: Task, _: WorkContext) -> Outcome:
        """Refuse a strategy that varies nothing."""
        raise WorkFailedError(f"task {task.id} is a strategy without variants", task_id=task.id)

    async def compose(self, task: Task, context: WorkContext) -> Outcome:
        """Return the variations as a table in Markdown, and as data."""
        comparison = compare_tree(services_of(context).store, task, context.run_id)
        return Outcome(comparison.to_markdown(), comparison.to_data())


def _is_renamed(difference: Difference) -> bool:
    return "content" in difference.fields and "inputs" not in difference.fields


def _outcome(run: Run, task: Task) -> Outcome:
    if run.status in {"done", "partial"}:
        return Outcome(run.task.result, run.task.output, run.gaps)
    if isinstance(run.cause, LimitError | WaitingError):
        raise run.cause
    if run.task.state is TaskState.FAILED or run.status in {"failed", "cancelled"}:
        raise WorkFailedError(f"its run {run.id} {status_words(run.status)}: {run.error}", task_id=task.id)
    raise run.cause or WorkFailedError(f"its run {run.id} {status_words(run.status)}: {run.error}", task_id=task.id)
