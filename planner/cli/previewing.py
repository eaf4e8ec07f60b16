"""`--dry-run` and `--estimate`: a plan is shown, and what running it will take; nothing of it is executed."""

from collections.abc import Mapping, Sequence
from typing import Any

from ramify.planner.events.methods_used import MethodUse, methods_text
from ramify.planner.executor import Executor
from ramify.planner.planning.estimating import estimate
from ramify.planner.planning.expecting import expected_of
from ramify.tasks import Task
from ramify.tasks.tree.documents import tree_to_data
from ramify.tasks.tree.graph import waves

from .output import print_json, print_text


def print_preview(root: Task, executor: Executor, given: Mapping[str, Any], methods: Sequence[MethodUse] = ()) -> None:
    """Print the plan of `root`, how long it is expected to take, and, where that is asked for, what else it will.

    Args:
        root: the plan.
        executor: what would run it.
        given: the options.
        methods: the methods that were found for its tasks.
    """
    steps = [[task.id for task in wave] for wave in waves(root)]
    pace = executor.pace()
    taking = estimate(root, agent=executor.agent, pace=pace) if given["estimate"] else None
    expected = expected_of(root, pace) if taking is None else None
    if given["as_json"]:
        taken = {} if taking is None else {"estimate": taking.to_data()}
        taken |= {} if expected is None else {"expected": expected.to_data()}
        known = {"methods": [use.to_data() for use in methods]} if methods else {}
        print_json({"plan": tree_to_data(root), "waves": steps, **taken, **known})
        return
    lines = [root.to_string().rstrip(), "", *(f"wave {n}: {' '.join(ids)}" for n, ids in enumerate(steps, 1))]
    lines += [] if taking is None else ["", str(taking)]
    lines += [] if expected is None else ["", *(f"{name}: {words}" for name, words in expected.rows())]
    if words := methods_text(methods):
        lines += [f"methods: {words}, without the model"]
    print_text("\n".join(lines))
