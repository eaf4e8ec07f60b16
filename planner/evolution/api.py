"""`evolve`: from seeds to new tasks, as a stored run."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Unpack

from ramify.planner.api import executor_of, settled, with_config
from ramify.planner.asking.agent import Agent
from ramify.planner.executor import Executor
from ramify.planner.models.protocol import Model
from ramify.planner.run import Run
from ramify.planner.running.keywords import EvolveKeywords, check_keywords
from ramify.planner.runtime.several import several
from ramify.tasks import Task
from ramify.tasks.counting import counted

from .collection import Record, records_of
from .generations import METHODS, evolution_tree
from .json_lines import claim, write_whole
from .lineage import lineage_tree
from .seeds import FIELD, SeedSource, read_seeds


class Evolution:
    """The new tasks of a run of `evolve`.

    Attributes:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        wanted = counted(len(self.run.task.subtasks), "task")
        return f"<Evolution {self.run.id}: {self.run.status}, {len(self.records):,} of {wanted}>"

    @property
    def records(self) -> list[Record]:
        """The new tasks with their lineage, as in the file."""
        return records_of(self.run.task, self.run.id)

    @property
    def tasks(self) -> list[Task]:
        """The new tasks as `Task`s."""
        return [Task(content=record["content"], id=record["id"]) for record in self.records]

    @property
    def lineage(self) -> Task:
        """Which task came from which, as a tree to draw."""
        return lineage_tree(self.run.task)

    def to_data(self) -> dict[str, Any]:
        """Return them as JSON data, with the run and the number wanted."""
        run = self.run
        return {
            "run": run.id,
            "status": run.status,
            "made_by": run.made_by,
            "error": run.error,
            "usage": asdict(run.usage),
            "wanted": len(run.task.subtasks),
            "new_tasks": self.records,
        }

    def save(self, path: str | Path) -> Path:
        """Write the new tasks to a file, as JSON lines.

        Raises:
            ExportError: if it cannot be written.
        """
        write_whole(Path(path), self.records)
        return Path(path)


def evolve(seeds: SeedSource | Iterable[SeedSource], n: int = 10, **how: Unpack[EvolveKeywords]) -> Evolution:
    """Make new tasks from seeds: harder, deeper, more concrete, or from the same field.

    Args:
        seeds: a task as text, as `Task` or as data with a `field`; a file, as `Path`; or several of these.
        n: how many new tasks.
        **how: the following keywords, and every option of a run except for planning, such as `jobs` and `store`: see
            docs/settings.md.

    Keyword Args:
        methods: how new tasks differ, in turn: constraint, deepen, concretise, reasoning, breadth.
        generations: generations of new tasks made from new tasks.
        tries: tries for each task before giving up.
        field: the field or column with the task; default: "content".
        output: a JSON Lines file that grows during the run.
        overwrite: whether to overwrite an existing file.
        model: a model's name, or your own model; default: `RAMIFY_MODEL`.
        agent: an agent, instead of `model`.
        limits: limits of the whole run.
        on_event: called with every event.
        record: a file to record calls to.

    Raises:
        NoModelError: if no model can be used; the message says what to do.
        UsageError: if a seed, a file or an argument cannot be used.
    """
    executor, root = prepare_evolution(seeds, n=n, **how)
    return Evolution(executor.run(root))


async def aevolve(seeds: SeedSource | Iterable[SeedSource], n: int = 10, **how: Unpack[EvolveKeywords]) -> Evolution:
    """Do the same as `evolve` on the caller's event loop."""
    executor, root = prepare_evolution(seeds, n=n, **how)
    return Evolution(await executor.arun(root))


def prepare_evolution(
    seeds: SeedSource | Iterable[SeedSource],
    *,
    n: int,
    methods: str | Sequence[str] = METHODS,
    generations: int = 1,
    tries: int = 3,
    field: str = FIELD,
    output: str | Path | None = None,
    overwrite: bool = False,
    model: str | Model | None = None,
    agent: Agent | None = None,
    **given: Any,
) -> tuple[Executor, Task]:
    """Return the executor and the tree for a run that makes new tasks; see `evolve`."""
    check_keywords(given, EvolveKeywords.__annotations__)
    settings, answering, live = settled(model, agent, given)
    file = None if output is None else Path(output).absolute()
    root = evolution_tree(
        read_seeds(seeds, field=field),
        n=n,
        methods=several(methods),
        generations=generations,
        tries=tries,
        output=None if file is None else str(file),
    )
    executor = executor_of(settings, agent=answering, **live)
    if file is not None:
        claim(file, overwrite=overwrite)
    return executor, with_config(root, settings)
