"""A run inside a run: stored on its own, under the limits of the one outside, and carried on when that is resumed.

Its id is that of the run outside with a number behind it, `r1234.2`, so the same one is found again.
"""

from collections.abc import Callable

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.stored_agent import StoredAgent
from ramify.planner.errors import RunError
from ramify.planner.events.events import Event, EventType
from ramify.planner.executor import followers, new_record
from ramify.planner.run import Run
from ramify.planner.running.editing import PlanEdit, edit_run
from ramify.planner.running.inside import Outer, inner_of
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.running.runnable import check_asking, check_runnable
from ramify.planner.running.session import Session
from ramify.planner.store import NewRun, Store
from ramify.planner.workers import WorkContext
from ramify.planner.workers.services import services_of
from ramify.tasks import Task

Make = Callable[[], "tuple[Task, Agent, RunSettings]"]
"""Returns the tree of a run, who answers, and how it runs."""


async def run_inside(context: WorkContext, run_id: str, make: Make) -> Run:
    """Carry the run `run_id` to its end, for the task of `context`; it is made if it is not there.

    Raises:
        UsageError: if the tree cannot be run.
        LeaseError: if another process holds the run.
    """
    services, inner = services_of(context), inner_of(context)
    store = services.store.shared()
    task, agent, settings = make()
    record = _found(store, run_id)
    is_new, read_at = record is None, 0
    if record is None:
        check_runnable(task, inner.workers, services.grants)
        check_asking(task, inner.workers, agent, settings)
        record = _stored(store, run_id, task, agent, settings)
    else:
        if record.status == "failed":
            edit_run(
                store,
                run_id,
                PlanEdit(failed=True),
                check=lambda root, _: check_runnable(root, inner.workers, services.grants),
            )
        read_at = store.last_seq(run_id)
        task = store.load_tree(run_id)
    session = Session(
        store=store,
        record=record,
        root=task,
        agent=agent,
        settings=settings,
        workers=inner.workers,
        grants=services.grants,
        outer=Outer(services.budget, context.task, inner.slots),
        read_at=read_at,
    )
    run = Run(session, is_new=is_new, followers=followers(is_inside=True))
    run.on(_teller(context, run), EventType.TASK_DONE, EventType.PLANNED)
    return await run.drive()


def _found(store: Store, run_id: str) -> NewRun | None:
    try:
        record = store.find_run(run_id)
    except RunError:
        return None
    return record if record.id == run_id else None


def _stored(store: Store, run_id: str, task: Task, agent: Agent, settings: RunSettings) -> NewRun:
    settings = settings.model_copy(update={"agent": StoredAgent.of(agent)})
    new = new_record(task, agent, settings, run_id=run_id)
    store.create_run(new, task)
    return new


def _teller(context: WorkContext, run: Run) -> Callable[[Event], None]:
    def tell(_: Event) -> None:
        progress = run.progress
        context.progress(progress.done / max(1, progress.total), f"run {run.id}: {progress.done} of {progress.total}")

    return tell
