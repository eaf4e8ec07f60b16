"""`watch`: a run that another process carries on, shown as if it were carried on here; nothing is done to it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .flags import Last, RunId, takes

if TYPE_CHECKING:
    from ramify.planner.show.following import FollowedRun


@takes("store", "display", "events", "quiet")
def watch(given: Mapping[str, Any], *, run_id: RunId = None, last: Last = False) -> int:
    """Follow a run in another process to its end.

    Prints the answer and exits with the run's exit code. Ctrl-C stops watching, not the run.

    Example: ramify watch --last
    """
    from ramify.planner.progress import follow_on_display
    from ramify.planner.show.following import FollowedRun

    from .carrying import display_kind, events_written
    from .finding import wanted_run
    from .output import tell

    with FollowedRun(given["store"], wanted_run(run_id, last=last)) as run:
        try:
            with (
                events_written(run.record.id, given["events"]) as write,
                follow_on_display(run, display_kind(given)) as display,
            ):
                for event in run:
                    display.take(event)
                    write(event)
        except KeyboardInterrupt:
            tell(f"run {run.record.id} continues; `ramify watch {run.record.id}` shows it again")
            raise
        return _end(run, given["store"])


def _end(run: "FollowedRun", store: str | None) -> int:
    """Print the answer, or say why there is none and how to go on; return the exit code of the run."""
    from ramify.planner.store.records import status_words

    from .carrying import command_to_go_on
    from .exits import DONE, code_of_status
    from .output import print_exact, tell, tell_error

    record = run.record
    code = code_of_status(run.status)
    if code == DONE:
        print_exact(run.root.result)
        return code
    holder = record.holder or "the process that held it"
    why = f"{holder} died" if record.status == "running" else record.error
    tell_error(f"run {record.id} {status_words(run.status)}{f': {why}' if why else ''}")
    tell(command_to_go_on(record, run.root, store))
    return code


COMMANDS = {"watch": watch}
