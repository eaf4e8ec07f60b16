"""Which edits of a strategy's tasks would change nothing: they are refused with the way to what was meant.

What a variation does stands in the input `task` of its strategy; the content of both is only what they are called. What
a variation gave is the answer of a run of its own.
"""

from collections.abc import Iterable

from ramify.planner.errors import UsageError
from ramify.planner.store import Store
from ramify.tasks import Task
from ramify.tasks.tree.edits import Difference

from .comparison import inner_runs
from .work import STRATEGY, VARIATION


def check_edited(store: Store, run_id: str, root: Task, differences: Iterable[Difference]) -> None:
    """Refuse to change the content of a strategy or of a variation alone, and the result of a variation.

    Args:
        store: where the run is.
        run_id: its id.
        root: the tree as it is to be.
        differences: what is different in it.

    Raises:
        UsageError: if such a thing is to be changed.
    """
    for difference in differences:
        if difference.kind != "changed":
            continue
        task = root.find(difference.task_id)
        if task.type == VARIATION:
            _check_variation(store, run_id, task, difference)
        elif task.type == STRATEGY and _is_renamed(difference):
            raise UsageError(
                f"task {task.id} is a strategy, and what its variations do was fixed when it was begun; begin another"
                " one with the new goal: ramify sweep GOAL -p KEY=A,B"
            )


def _check_variation(store: Store, run_id: str, task: Task, difference: Difference) -> None:
    option = "--set-result" if "result" in difference.fields else "--set" if _is_renamed(difference) else None
    if option is None:
        return
    inner = inner_runs(store, run_id, task)
    way = "it has none yet; begin another sweep instead"
    if inner:
        way = f"change that one: ramify resume {inner[-1].id} {option} 0=TEXT; ramify compare {run_id} shows it then"
    raise UsageError(f"task {task.id} is a variation, which is done and answered by a run of its own; {way}")


def _is_renamed(difference: Difference) -> bool:
    return "content" in difference.fields and "inputs" not in difference.fields
