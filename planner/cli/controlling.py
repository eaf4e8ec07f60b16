"""`pause`, `cancel` and `limits`: what can be done to a run from outside, whichever process carries it on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .flags import Last, RunId, flags, takes

if TYPE_CHECKING:
    from ramify.planner.settings.options import LimitOptions
    from ramify.planner.store import RunRecord
    from ramify.tasks import Task

_LIMITS = flags("limits")


@takes("store")
def pause(given: Mapping[str, Any], *, run_id: RunId = None, last: Last = False) -> int:
    """Pause a run of any process; it can be resumed.

    Running tasks finish; no new task starts.

    Example: ramify pause --last
    """
    from ramify.planner.export.run_data import status_of
    from ramify.planner.running.controlling import pause_run
    from ramify.planner.store.records import status_words

    from .carrying import resume_command
    from .finding import opened_run
    from .output import tell

    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        done = pause_run(store, record.id, via="cli")
    if done.holder is None:
        way = "" if done.status == "done" else f"; `{resume_command(record.id, given['store'])}` continues it"
        tell(f"run {record.id} {status_words(status_of(record))}, so there is nothing to pause{way}")
    else:
        tell(
            f"asked {done.holder} to pause run {record.id}; within two seconds it starts no new task; it finishes the"
            f" running ones and ends; `{resume_command(record.id, given['store'])}` continues it"
        )
    return 0


@takes("store")
def cancel(given: Mapping[str, Any], *, run_id: RunId = None, last: Last = False) -> int:
    """Stop a run, whichever process it is in; you can resume it.

    Example: ramify cancel --last
    """
    from ramify.planner.running.controlling import cancel_run
    from ramify.planner.store.records import ENDED, status_words

    from .finding import opened_run
    from .output import tell

    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        done = cancel_run(store, record.id, via="cli")
    if done.status in ENDED:
        tell(f"run {record.id} {status_words(record.status)}; there is nothing to cancel")
    elif done.holder is not None:
        tell(f"asked {done.holder} to stop run {record.id}; this takes up to two seconds")
    else:
        tell(f"run {record.id} is cancelled; `ramify resume {record.id}` continues it")
    return 0


@takes(*_LIMITS, "store", "as_json")
def limits(given: Mapping[str, Any], *, run_id: RunId = None, last: Last = False) -> int:
    """Show the limits of a run, or change them.

    New limits apply at once, even while the run is going, and may be higher or lower. Usage so far counts: a limit
    below it stops the run, which you can then resume.

    Example: ramify limits r12 --max-cost-usd 5
    """
    from typing import cast

    from ramify.planner.running.controlling import limit_run

    from .finding import opened_run
    from .output import print_json

    new = cast("LimitOptions", {name: given[name] for name in _LIMITS if given[name] is not None})
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        if not new:
            return _show(record, store.load_tree(record.id), as_json=given["as_json"])
        done = limit_run(store, record.id, new, via="cli")
    if given["as_json"]:
        print_json({"run": record.id, "status": done.status, "asked": done.holder, "changes": done.changes})
    else:
        _tell_changes(record.id, done.holder, done.changes, given["store"])
    return 0


def _show(record: "RunRecord", root: "Task", *, as_json: bool) -> int:
    """Show the limits of a run, and how much of each is used."""
    from ramify.planner.asking.budget import total_usage, used_of_limits
    from ramify.planner.running.run_settings import RunSettings

    from .output import print_json, print_table

    allowed = dict(RunSettings.model_validate(record.settings).limits)
    used = used_of_limits(total_usage(root))
    if as_json:
        both = {name: {"allowed": most, "used": used.get(name)} for name, most in allowed.items()}
        print_json({"run": record.id, "limits": both})
        return 0
    rows = [(name, _number(most), _number(used.get(name))) for name, most in allowed.items()]
    print_table(("limit", "allowed", "used"), rows)
    return 0


def _tell_changes(run_id: str, holder: str | None, changes: Mapping[str, Any], store: str | None) -> None:
    from ramify.planner.events.controls import changes_text

    from .carrying import resume_command
    from .output import tell

    if not changes:
        tell(f"run {run_id} has these limits already")
    elif holder is None:
        tell(f"changed {changes_text(changes)} for run {run_id}; `{resume_command(run_id, store)}` will use it")
    else:
        tell(f"asked {holder} to change {changes_text(changes)} for run {run_id}; this takes up to two seconds")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"


COMMANDS = {"pause": pause, "cancel": cancel, "limits": limits}
