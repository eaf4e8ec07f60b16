"""`--dry-run` and `--estimate`: a plan is shown, and what running it will take; nothing of it is executed."""

from collections.abc import Mapping
from typing import Any

from ramify.planner.asking.agent import Agent
from ramify.planner.planning.estimating import estimate
from ramify.tasks import Task
from ramify.tasks.tree.documents import tree_to_data
from ramify.tasks.tree.graph import waves

from .output import print_json, print_text


def print_preview(root: Task, agent: Agent, given: Mapping[str, Any]) -> None:
    """Print the plan of `root`, and, where the options `given` ask for it, what it will take."""
    steps = [[task.id for task in wave] for wave in waves(root)]
    expected = estimate(root, agent=agent) if given["estimate"] else None
    if given["as_json"]:
        taken = {} if expected is None else {"estimate": expected.to_data()}
        print_json({"plan": tree_to_data(root), "waves": steps, **taken})
        return
    lines = [root.to_string().rstrip(), "", *(f"wave {n}: {' '.join(ids)}" for n, ids in enumerate(steps, 1))]
    print_text("\n".join(lines if expected is None else [*lines, "", str(expected)]))
