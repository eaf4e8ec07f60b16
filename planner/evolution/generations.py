"""Which new task is made from which: a tree with one leaf for each, laid out before the first call.

The wanted tasks are spread evenly over the generations. Those of the first are made from the seeds in turn, those of
each later one from the tasks of the one before, on which they depend; so the run's dependencies are the lineage. Each
leaf is given every method, in an order of its own: the first is used, the others are there if its reply is rejected.
"""

from collections.abc import Sequence
from typing import Annotated, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ramify.planner.errors import UsageError
from ramify.prompts.variables import EvolveMethod
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.prompt_variables import title

from .seeds import Seed

METHODS: tuple[EvolveMethod, ...] = get_args(EvolveMethod)

EVOLVE = "evolve"
"""The type of the tasks of such a run, and of their worker."""

MOST_TASKS = 100_000


class Wanted(BaseModel):
    """How one new task is wanted: the inputs of its leaf.

    Attributes:
        seed: the position of the seed that its lineage begins with.
        generation: how many times a new task was made from a task on the way to it, this time included.
        sample: how many tasks before it are made from the same parent.
        methods: the methods to try, in order.
        tries: how often a model is asked for it before it is given up.
    """

    model_config = ConfigDict(frozen=True)

    seed: Annotated[int, Field(ge=0)]
    generation: int
    sample: Annotated[int, Field(ge=0)]
    methods: Annotated[tuple[EvolveMethod, ...], Field(min_length=1)]
    tries: Annotated[int, Field(ge=1)]

    @classmethod
    def of(cls, leaf: Task) -> Self:
        """Return how the new task of `leaf` is wanted.

        Raises:
            UsageError: if its inputs do not say so.
        """
        try:
            return cls.model_validate(leaf.inputs)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise UsageError(
                f"task {leaf.id} has an invalid input {where}; tasks of type {EVOLVE!r} are made by `ramify evolve`"
            ) from None


def evolution_tree(
    seeds: Sequence[Seed],
    *,
    n: int,
    methods: Sequence[str] = METHODS,
    generations: int = 1,
    tries: int = 3,
    output: str | None = None,
) -> Task:
    """Return the tree of a run that makes `n` new tasks.

    Args:
        seeds: the tasks to start from.
        n: how many are wanted.
        methods: how they are to differ, in rotation.
        generations: generations of new tasks made from new tasks.
        tries: tries for each task before giving up.
        output: the file that they are written to, if any.

    Raises:
        UsageError: if one of these cannot be.
    """
    known = _check(n, methods, generations, tries)
    root = Task(
        content=f"Make {counted(n, 'new task')} from {counted(len(seeds), 'seed')}",
        id="0",
        type=EVOLVE,
        inputs={"seeds": _seed_data(seeds), "output": output},
    )
    leaves: list[Task] = []
    parents: list[Task] = []
    for generation in range(1, generations + 1):
        size = n // generations + (generation <= n % generations)
        family: list[Task] = []
        for place in range(size):
            number, turn = place % len(parents or seeds), place // len(parents or seeds)
            parent = parents[number] if parents else None
            wanted = Wanted(
                seed=number if parent is None else Wanted.of(parent).seed,
                generation=generation,
                sample=turn,
                methods=_rotated(known, number + turn + generation - 1),
                tries=tries,
            )
            family.append(_leaf(len(leaves) + len(family) + 1, wanted, parent, seeds))
        leaves += family
        parents = family
    root.add_subtasks(leaves)
    return root


def _leaf(number: int, wanted: Wanted, parent: Task | None, seeds: Sequence[Seed]) -> Task:
    what = title(seeds[wanted.seed].content) if parent is None else f"task {parent.id}"
    return Task(
        content=f"{wanted.methods[0]}: a new task from {what}",
        id=f"0.{number}",
        type=EVOLVE,
        inputs=wanted.model_dump(mode="json"),
        dependencies=[] if parent is None else [parent.id],
    )


def _check(n: int, methods: Sequence[str], generations: int, tries: int) -> tuple[EvolveMethod, ...]:
    """Return the methods; raise `UsageError` if one of these cannot be."""
    if not 1 <= n <= MOST_TASKS:
        raise UsageError(f"n, the number of new tasks, must be from 1 to {MOST_TASKS:,}, not {n:,}")
    if not 1 <= generations <= n:
        raise UsageError(f"{n} new tasks cannot make {generations} generations; each needs at least one task")
    if tries < 1:
        raise UsageError(f"tries must be at least 1, not {tries}")
    if not methods:
        raise UsageError(f"no method is given; the methods are {', '.join(METHODS)}")
    for method in methods:
        if method not in METHODS:
            raise UsageError(f"there is no method {method!r}; the methods are {', '.join(METHODS)}")
    return tuple(cast("EvolveMethod", method) for method in methods)


def _rotated(methods: tuple[EvolveMethod, ...], by: int) -> tuple[EvolveMethod, ...]:
    start = by % len(methods)
    return methods[start:] + methods[:start]


def _seed_data(seeds: Sequence[Seed]) -> list[dict[str, str]]:
    """Return the seeds as JSON data, each with an id of its own."""
    data: dict[str, dict[str, str]] = {}
    for number, seed in enumerate(seeds, 1):
        name = seed.id or f"seed-{number}"
        while name in data:
            name += f"-{number}"
        data[name] = {"id": name, "content": seed.content, "origin": seed.origin}
    return list(data.values())
