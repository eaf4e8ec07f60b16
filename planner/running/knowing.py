"""What a run knows of methods: those of its folder, and those that have split tasks of it before."""

from functools import partial
from typing import TYPE_CHECKING

from ramify.planner.events.events import EventType
from ramify.planner.events.methods_used import methods_of
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.fitting import Fitting, Used
from ramify.planner.planning.methods import is_gone, methods_in_use
from ramify.planner.planning.policies import check_policies
from ramify.planner.planning.split import PlanLimits
from ramify.planner.work.grants import Grants
from ramify.planner.workers import Workers
from ramify.tasks import Task

if TYPE_CHECKING:
    from ramify.planner.store import StoreReader


def fitting_of(
    plan: PlanLimits | None, recorder: Recorder, workers: Workers, grants: Grants, *, before: "StoreReader | None"
) -> Fitting:
    """Return what finds the methods that fit the tasks of a run; not for the thread that carries it on.

    Args:
        plan: how the run splits tasks; None if it splits none.
        recorder: writes which methods are passed over.
        workers: who does its tasks.
        grants: what they may do.
        before: the store, if another process may have carried the run on before.

    Raises:
        UsageError: if the folder of methods is not there, and the run is new.
        DocumentError: if a file in it is broken.
    """
    if plan is None:
        return Fitting()
    if is_lost := before is not None and is_gone(plan.methods):
        recorder.warn(
            f"the methods folder {plan.methods} no longer exists, so no methods are used; name another with --methods"
        )
    return Fitting(
        () if is_lost else methods_in_use(plan.methods),
        tell=partial(_tell, recorder),
        check=partial(_check, workers, grants),
        max_depth=plan.max_depth,
        used={} if before is None else used_methods(before, recorder.writer.run_id),
    )


def check_planning(root: Task, plan: PlanLimits | None, *, is_resumed: bool = False) -> None:
    """Raise if a task of the tree of `root` names a policy that is not there, or methods cannot be used.

    Args:
        root: the tree.
        plan: how it is split; None if it is run as it is.
        is_resumed: whether the run was begun before; it goes on without a folder of methods that has gone since.

    Raises:
        UsageError: if one does, or the folder of methods is not there.
        DocumentError: if a file in it is broken; the message says where.
    """
    check_policies(root)
    if plan is not None and not (is_resumed and is_gone(plan.methods)):
        methods_in_use(plan.methods)


def used_methods(store: "StoreReader", run_id: str) -> dict[str, Used]:
    """Return by task id which methods have split tasks of a run, and what their parameters stood for.

    Raises:
        StoreError: if the events cannot be read.
    """
    uses = methods_of(store.events_of(run_id, (EventType.PLAN_ATTACHED,)))
    return {use.task_id: (use.method, use.parameters) for use in uses}


def _tell(recorder: Recorder, task: Task, method: str, why: str) -> None:
    recorder.put(EventType.METHOD_PASSED_OVER, task, method=method, why=why)


def _check(workers: Workers, grants: Grants, task: Task) -> None:
    workers.check_tree(task, grants)
    check_policies(task)
