"""Blocks world without a language model: a method whose tasks are planned by HTN methods, and done by a simulator.

ramify solve "Arrange the blocks of blocks.json" -f examples/blocks/blocks.json --methods examples/blocks \\
    --workers examples/blocks/blocks.py --model rules

The file says on what each block stands, and on what it is to stand. A block that can be put where it belongs, once and
for all, is put there; else one that is in the way is put on the table. No block is moved more than twice.

Source: Gupta and Nau, On the complexity of blocks-world planning, Artificial Intelligence 56, 1992.
"""

import json

from ramify.planner import Outcome, WorkContext, worker
from ramify.planner.planning.htn import Domain
from ramify.tasks import Task

TABLE = "table"
blocks = Domain("blocks")


def clear(world: dict) -> list[str]:
    """Return the blocks on which nothing stands, in order."""
    return [block for block in sorted(world) if block not in world.values()]


def is_home(world: dict, goal: dict, block: str) -> bool:
    """Return whether a block, and all that is below it, stands where it is to stand in the end."""
    while block != TABLE:
        if block not in world or world[block] != goal.get(block, world[block]):
            return False
        block = world[block]
    return True


@blocks.operator
def put(world: dict, block: str, to: str) -> dict | None:
    """Put a clear block onto another one, or onto the table."""
    free = clear(world)
    if block not in free or block == to or not (to == TABLE or to in free) or world[block] == to:
        return None
    return {**world, block: to}


@blocks.method("arrange")
def put_home(world: dict, goal: dict) -> list | None:
    """Put a block where it is to stay, if one can be."""
    free = clear(world)
    for block in free:
        to = goal.get(block, world[block])
        if not is_home(world, goal, block) and (to == TABLE or (to in free and is_home(world, goal, to))):
            return [("put", block, to), ("arrange", goal)]
    return None


@blocks.method("arrange")
def make_room(world: dict, goal: dict) -> list | None:
    """Put a block onto the table that is in the way."""
    for block in clear(world):
        if not is_home(world, goal, block) and world[block] != TABLE:
            return [("put", block, TABLE), ("arrange", goal)]
    return None


@blocks.method("arrange")
def finish(world: dict, goal: dict) -> list | None:
    """Do nothing where all is arranged."""
    return [] if all(is_home(world, goal, block) for block in world) else None


def problem_of(task: Task, file: str) -> dict:
    """Return the problem in an attached file."""
    found = [each for each in [*task.ancestors(), task] for each in each.attachments if each.name.endswith(file)]
    if not found:
        raise ValueError(f"no file {file} is attached")
    return json.loads(found[0].text)


def is_problem(task: Task, file: str) -> bool | str:
    """Say whether the attached file is a problem of blocks."""
    problem = problem_of(task, file)
    if sorted(problem["start"]) != sorted(problem["goal"]):
        return "the goal has other blocks than the start"
    return True


def plan(task: Task, file: str) -> list:
    """Return the moves, as tasks for the worker `put`."""
    problem = problem_of(task, file)
    return blocks.tasks(blocks.plan(problem["start"], [("arrange", problem["goal"])]))


@worker(name="put")
def put_block(block: str, to: str, context: WorkContext) -> Outcome:
    """Put a block somewhere, in the world that the move before has left."""
    root = [context.task, *context.task.ancestors()][-1]
    world = next(iter(context.results.values()), None) or json.loads(root.attachments[0].text)["start"]
    after = put(world, block, to)
    if after is None:
        raise ValueError(f"{block} cannot be put on {to}")
    return Outcome(f"{block} is on {to}", after)
