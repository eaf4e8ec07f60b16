"""Which run a command means: an id, the unique beginning of one, or the newest."""

from collections.abc import Iterator
from contextlib import contextmanager

from ramify.planner.errors import UsageError
from ramify.planner.executor import find, open_store
from ramify.planner.store import RunRecord, Store


def wanted_run(run_id: str | None, *, last: bool) -> str | None:
    """Return the id that was given; None for the newest run.

    Raises:
        UsageError: if neither or both were asked for.
    """
    if run_id is None and not last:
        raise UsageError("name a run by its id, or use --last for the newest; `ramify runs` lists them")
    if run_id is not None and last:
        raise UsageError(f"give either the run {run_id} or --last, not both")
    return run_id


@contextmanager
def opened_run(run_id: str | None, *, last: bool, store: str | None) -> Iterator[tuple[Store, RunRecord]]:
    """Open the store, which must be there, and find the run that is meant.

    Raises:
        UsageError: if it is not said which.
        StoreError: if there is no store, or it cannot be opened.
        RunError: if there is no such run.
    """
    wanted = wanted_run(run_id, last=last)
    with open_store(store, create=False) as opened:
        yield opened, find(opened, wanted)
