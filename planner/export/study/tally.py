"""How a study stands while it goes on: a line an arm, read off its tree, for displays."""

from collections.abc import Iterator
from typing import Any, cast

from ramify.planner.asking.odds import share_between
from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.tree.config import NO_USAGE

MOST_ARMS = 12


def arm_lines(root: Task) -> Iterator[tuple[str, str]]:
    """Yield the name of each arm of a study, and how it stands: what is right, of how many, and what an item takes."""
    given: dict[str, Any] = root.inputs
    names = [str(arm["name"]) for arm in given["arms"]]
    right, done, used = ([0] * len(names), [0] * len(names), [NO_USAGE] * len(names))
    for task in root.subtasks:
        if task.state is TaskState.DONE and isinstance(task.output, dict):
            arm, made = int(str(task.inputs["arm"])), cast("dict[str, Any]", task.output)
            right[arm] += bool(made["right"])
            done[arm] += 1
            used[arm] += Usage(**made["usage"])
    width = max(map(len, names[:MOST_ARMS]))
    for place, name in enumerate(names[:MOST_ARMS]):
        yield name.ljust(width), _standing(right[place], done[place], used[place])


def _standing(right: int, done: int, used: Usage) -> str:
    if not done:
        return "no results yet"
    low, high = share_between(right, done)
    cost = "" if used.calls_without_cost or not used.cost_usd else f" · ${used.cost_usd / done:.5f}"
    share = f"{right / done:4.0%} ({low:.0%} to {high:.0%})"
    return f"{right:>4}/{done:<4} right · {share} · {used.tokens / done:,.0f} tokens{cost} an item"
