"""A strategy: one task done in variations, in series or in parallel; it is a task itself, and can stand in any tree."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from ramify.planner.asking.agent import Agent
from ramify.planner.errors import UsageError
from ramify.planner.executor import Executor
from ramify.planner.export.comparison import Comparison
from ramify.planner.models.protocol import Model
from ramify.planner.planning.split import PlanLimits
from ramify.planner.run import Run
from ramify.planner.running.resuming import ResumeOptions
from ramify.planner.workers.registry import WorkersGiven
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.tree.documents import tree_to_data

from .comparing import compare
from .grid import variations
from .parameters import check_parameters, vary
from .work import STRATEGY, VARIATION, VariationWorker


class Strategy:
    """Variants of one task over parameters; `run` runs them all, and can be resumed as a whole.

    Each variant is stored as its own run, named by its parameters. `task` is the strategy as a task: it can be part of
    another tree.

    Args:
        name: its name.
        task: what to vary: a goal, or a tree.
        grid: the values of each parameter; every combination is a variant. A value for `model` may be your own model.
            See docs/strategies.md.
        in_series: whether variants run one after another.
        plan: how to split the goal; by default a tree with subtasks runs as it is.
        id: its id as a task in another tree.

    Attributes:
        task: the strategy as a task, with its variants as subtasks.
        models: your own models in the grid, by name.
        first_model: the first model in the grid, or None.

    Raises:
        UsageError: if a parameter or a value cannot be used.
    """

    def __init__(
        self,
        name: str,
        task: Task | str,
        grid: Mapping[str, Sequence[Any]],
        *,
        in_series: bool = False,
        plan: PlanLimits | None = None,
        id: str = "0",  # noqa: A002 - as of a task
    ) -> None:
        root = Task(content=task, id="0") if isinstance(task, str) else task
        if plan is None and not root.subtasks and root.type is None:
            plan = PlanLimits()
        self.name = name
        self.models = {each.name: each for values in grid.values() for each in values if isinstance(each, Model)}
        plain = {key: [_plain(each) for each in values] for key, values in grid.items()}
        check_parameters(root, plain)
        self.task = Task(
            content=root.content,
            id=id,
            name=name,
            type=STRATEGY,
            inputs={"task": tree_to_data(root), "plan": None if plan is None else plan.model_dump(mode="json")},
        )
        before: Task | None = None
        for number, each in enumerate(variations(plain), 1):
            vary(Task.from_json(root.to_json()), Agent("rules"), plan, each.parameters)  # refuses what cannot be used
            needs = [before.id] if in_series and before is not None else []
            before = Task(
                content=each.name,
                id=f"{id}.{number}",
                name=each.name,
                type=VARIATION,
                inputs=dict(each.parameters),
                dependencies=needs,
            )
            self.task.add_subtask(before)
        self.first_model: Model | str | None = next(iter([*grid.get("model", ()), *self.models.values()]), None)

    def __repr__(self) -> str:
        return f"Strategy({self.name!r}, {counted(len(self.task.subtasks), 'variant')})"

    @property
    def variations(self) -> list[str]:
        """The names of the variants, in order."""
        return [str(task.name) for task in self.task.subtasks]

    def run(self, agent: Agent | Model | str | None = None, **how: Any) -> "StrategyRun":
        """Run all variants, and return the run.

        Args:
            agent: who answers where no parameter says otherwise; the first model of the grid unless given.
            **how: keywords of `Executor`.
        """
        return self.start(agent, **how).wait()

    def start(self, agent: Agent | Model | str | None = None, **how: Any) -> "StrategyRun":
        """Run all variants in the background, and return the run at once."""
        if "plan" in how:
            raise UsageError("set the plan when you create the strategy: Strategy(..., plan=PlanLimits(...))")
        agent = self.first_model if agent is None else agent
        how["workers"] = self._workers(how.get("workers"))
        return StrategyRun(Executor(agent, **how).start(self.task), how.get("store"))

    def resume(
        self, run_id: str | None = None, *, store: str | Path | None = None, **options: Unpack[ResumeOptions]
    ) -> "StrategyRun":
        """Continue a stored run of this strategy, like `ramify resume`."""
        options["workers"] = self._workers(options.get("workers"))
        if "agent" not in options and self.models:
            options["agent"] = next(iter(self.models.values()))
        return StrategyRun(Executor.reopen(store, run_id, **options).start(), store).wait()

    def _workers(self, given: WorkersGiven | None) -> WorkersGiven:
        from ramify.planner.workers import Workers

        return {**Workers(given).given, VARIATION: VariationWorker(self.models)} if self.models else (given or {})


class StrategyRun:
    """The run of a strategy: its variations side by side.

    Attributes:
        run: the run that holds them together.
    """

    def __init__(self, run: Run, store: str | Path | None) -> None:
        self.run = run
        self._store = store

    def __repr__(self) -> str:
        return f"<StrategyRun {self.id}: {self.status}, {counted(len(self.run.task.subtasks), 'variant')}>"

    @property
    def id(self) -> str:
        """Its id in the store."""
        return self.run.id

    @property
    def status(self) -> str:
        """Where it stands, as the status of a run."""
        return self.run.status

    @property
    def comparison(self) -> Comparison:
        """The variations side by side, as far as they are."""
        return compare(self.id, store=self._store)

    def wait(self) -> "StrategyRun":
        """Return when it has ended."""
        self.run.wait()
        return self

    def to_dataframe(self) -> Any:
        """Return a table of pandas with a row a variation; needs the extra `dataframe`."""
        return self.comparison.to_dataframe()

    def save(self, path: str | Path) -> Path:
        """Write the comparison to a file; see `Comparison.save`."""
        return self.comparison.save(path)

    def _repr_mimebundle_(self, **how: Any) -> dict[str, str]:
        return self.comparison._repr_mimebundle_(**how)


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, Model) else value
