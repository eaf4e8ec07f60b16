"""`--steer`: a person wants another plan while it is carried out; the planner is asked, once, about all that is open.

What they have said is on disk before anybody is asked, and counts until the plan was changed, or it is told that it
stays as it is. So a run that is killed in between asks the same once more, which the journal knows, and changes the
plan once.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ramify.planner.errors import LeaseError, NoModelError, StoreError, UsageError, WaitingError
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.planning.policy import Verb
from ramify.planner.planning.replan import MOST_STEERED
from ramify.planner.planning.split import Wishes
from ramify.planner.runtime.border import error_text
from ramify.planner.store import StoreReader
from ramify.planner.store.records import PLANNING_PHASE, REVISING_PHASE, STEER, NewRun
from ramify.planner.work.special_types import SCRIPT
from ramify.tasks import Task, TaskState
from ramify.tasks.replies.replans import Replan
from ramify.tasks.tree.replanning import open_tasks

from .attempts import Work
from .endings import Ending, ending_of
from .replanning import Replanning

KEPT = "kept"
"""What the warning says of the plan that tells why it could not follow a person's words."""


def read_wishes(store: StoreReader, run: NewRun) -> Wishes:
    """Return what a person has said of the plan of a run, and whether the planner has still to be asked for it."""
    said = _said(store, run.id)
    whole = _kept_whole(store.events_of(run.id, [EventType.PLAN_ATOMIC, EventType.PLAN_EDITED]) if said else ())
    pending = _pending(store, run.id, said)
    return Wishes(
        tuple(str(event.data["words"]) for event in said),
        is_new=run.phase == REVISING_PHASE,
        whole=whole,
        steers=pending is not None,
        failed=dict(pending.data["failed"]) if pending is not None else {},
        waits=pending is not None and bool(pending.data.get("waits")),
    )


def _kept_whole(events: Iterable[Event]) -> dict[str, str]:
    """Return why tasks stay whole, by id, but for those that say something else since."""
    whole: dict[str, str] = {}
    for event in events:
        if event.type == EventType.PLAN_ATOMIC:
            whole[str(event.task_id)] = str(event.data["why"])
        else:
            for change in event.data["changes"]:
                if "content" in change["fields"]:
                    whole.pop(change["task"], None)
    return whole


def pending_steer(store: StoreReader, run_id: str) -> Event | None:
    """Return what a person has said last while the plan was carried out, if nothing has come of it yet."""
    return _pending(store, run_id, _said(store, run_id))


def _said(store: StoreReader, run_id: str) -> list[Event]:
    """Return what a person has said of a plan, but for what it could not follow while it was carried out."""
    said: list[Event] = []
    for event in store.events_of(run_id, (EventType.PLAN_REVISED, EventType.PLAN_STEERED, EventType.WARNING)):
        if event.type != EventType.WARNING:
            said.append(event)
        elif event.data.get("plan") == KEPT and said and said[-1].type == EventType.PLAN_STEERED:
            said.pop()
    return said


def _pending(store: StoreReader, run_id: str, said: Sequence[Event]) -> Event | None:
    last = next((event for event in reversed(said) if event.type == EventType.PLAN_STEERED), None)
    if last is None or not last.data["asks"]:
        return None
    edits = store.events_of(run_id, [EventType.PLAN_EDITED])
    is_followed = any(event.seq > last.seq and event.data.get("by") == STEER for event in edits)
    return None if is_followed else last


def steer_data(run_id: str, root: Task, words: str, phase: str, failed: dict[str, str]) -> dict[str, Any]:
    """Return what is written of a person's words about the plan of `root`, which is under way.

    Args:
        run_id: the run.
        root: its tree, as the run goes on with it.
        words: what the person says.
        phase: the phase of the run.
        failed: which of its tasks had failed, with why.

    Raises:
        UsageError: if nothing is open that the planner could change, or more than it can be shown.
    """
    if root.state is TaskState.DONE:
        raise UsageError(
            f"run {run_id} is done, so there is nothing to steer; `ramify resume {run_id} --from ID` runs a task again,"
            f" and --set ID=TEXT changes one"
        )
    if root.type == SCRIPT:
        raise UsageError(
            f"the plan of run {run_id} is a script, which the planner cannot change; edit it, then continue with"
            f" `ramify resume {run_id} --accept-changes`"
        )
    is_planned = not root.is_leaf
    if not is_planned and phase != PLANNING_PHASE:
        raise UsageError(
            f"run {run_id} has no plan to steer; `ramify resume {run_id} --set {root.id}=TEXT` changes its goal"
        )
    if (count := len(open_tasks(root))) > MOST_STEERED:
        raise UsageError(
            f"{count:,} tasks of run {run_id} are open; the planner can see at most {MOST_STEERED};"
            f" `ramify resume {run_id} --plan FILE` changes the plan"
        )
    return {"words": words, "asks": is_planned, "failed": failed}


def failed_tasks(root: Task) -> dict[str, str]:
    """Return why tasks have failed, by id, but for those that failed as tasks below them did."""
    failed = [task for task in root.walk() if task.state is TaskState.FAILED]
    above = {task.parent for task in failed}
    return {task.id: task.error or "" for task in failed if task not in above}


async def steer(root: Task, work: Work, wishes: Wishes, replanning: Replanning, recorder: Recorder) -> Ending | None:
    """Have the open part of the plan of `root` follow what a person wants; return how the run ends, if it does here.

    Args:
        root: the root of a tree that nobody works on.
        work: asks for the changes.
        wishes: what the person wants.
        replanning: makes them.
        recorder: writes it down.

    Raises:
        PlannerError: if the run has to end here; it is asked again when it is resumed.
    """
    run_id = recorder.writer.run_id
    try:
        found = await work.perform(root, Verb.STEER)
    except (StoreError, LeaseError):
        raise
    except Exception as error:
        if ending_of(error) is not None and not isinstance(error, NoModelError):
            raise
        why = f"the plan is unchanged: {error_text(error)}"
        await recorder.commit(EventType.WARNING, None, message=why, plan=KEPT)
        told = f"{why}; `ramify resume {run_id}` continues with it, and --steer TEXT tries other words"
        return Ending("waiting", told, WaitingError(told, task_id=root.id))
    if isinstance(found, Replan):
        await replanning.make(root, found, by=STEER, words=wishes.words[-1], failed={})
    if not wishes.waits:
        return None
    return Ending("waiting", f"the plan was changed; `ramify resume {run_id}` runs it")
