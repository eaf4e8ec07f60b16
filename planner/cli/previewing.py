"""`--dry-run` and `--estimate`: a plan is shown, and what running it will take; nothing of it is executed."""

from collections.abc import Mapping, Sequence
from typing import Any

from ramify.planner.asking.agent import Agent
from ramify.planner.events.methods_used import MethodUse, methods_text
from ramify.planner.planning.estimating import estimate
from ramify.tasks import Task
from ramify.tasks.tree.documents import tree_to_data
from ramify.tasks.tree.graph import waves

from .output import print_json, print_text


def print_preview(root: Task, agent: Agent, given: Mapping[str, Any], methods: Sequence[MethodUse] = ()) -> None:
    """Print the plan of `root`, and, where the options `given` ask for it, what it will take.

    Args:
        root: the plan.
        agent: who does it.
        given: the options.
        methods: the methods that were found for its tasks.
    """
    steps = [[task.id for task in wave] for wave in waves(root)]
    expected = estimate(root, agent=agent) if given["estimate"] else None
    if given["as_json"]:
        taken = {} if expected is None else {"estimate": expected.to_data()}
        known = {"methods": [use.to_data() for use in methods]} if methods else {}
        print_json({"plan": tree_to_data(root), "waves": steps, **taken, **known})
        return
    lines = [root.to_string().rstrip(), "", *(f"wave {n}: {' '.join(ids)}" for n, ids in enumerate(steps, 1))]
    lines += [] if expected is None else ["", str(expected)]
    if words := methods_text(methods):
        lines += [f"methods: {words}, without the model's having planned them"]
    print_text("\n".join(lines))
