"""Which runs are meant by their age, their status and their place among the newest, and whether a process holds one."""

import time
from collections.abc import Collection, Iterable

from .holder import has_lapsed
from .records import RunRecord, RunStatus


def status_now(record: RunRecord, *, stale_after_s: float) -> RunStatus:
    """Return the status of a run; one whose process has ended without a word is interrupted."""
    if record.status == "running" and not is_held(record, stale_after_s=stale_after_s):
        return "interrupted"
    return record.status


def is_held(record: RunRecord, *, stale_after_s: float) -> bool:
    """Return whether a process holds a run, as far as can be told from here."""
    if record.holder is None:
        return False
    silent_s = time.time() - (record.heartbeat_at or 0.0)
    return not has_lapsed(record.holder, silent_s=silent_s, stale_after_s=stale_after_s)


def matching(
    runs: Iterable[RunRecord],
    *,
    untouched_since: float | None,
    statuses: Collection[RunStatus],
    keep: int,
    stale_after_s: float,
) -> list[RunRecord]:
    """Return those of `runs`, which come newest first, that all conditions hold for.

    Args:
        runs: all runs.
        untouched_since: only those that nothing was written of since then, in seconds since 1970; None is all.
        statuses: only those of one of these; none is all.
        keep: how many of the newest are left out in any case.
        stale_after_s: how long a holder may be silent, in seconds.
    """
    return [
        run
        for run in list(runs)[keep:]
        if (untouched_since is None or run.updated_at < untouched_since)
        and (not statuses or status_now(run, stale_after_s=stale_after_s) in statuses)
    ]
