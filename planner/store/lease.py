"""The lease: one process writes a run at a time.

Taking a run raises its token; whoever writes names the token that it was given, so that an owner whose run was taken
over can write nothing more, however long it slept.
"""

from typing import NamedTuple

from ramify.planner.errors import LeaseError, RunError
from sqlalchemy import Connection, func, select, update

from .control import dump_controls, load_controls
from .database import Database
from .holder import Holder, has_lapsed
from .tables import EVENTS, RUNS


class Lease(NamedTuple):
    """The right to write a run.

    Attributes:
        run_id: the run.
        token: what every write names.
        holder: who has it.
        last_seq: the number of the run's last event when it was taken; 0 if there was none.
    """

    run_id: str
    token: int
    holder: Holder
    last_seq: int


def take(database: Database, run_id: str, holder: Holder, *, stale_after_s: float) -> Lease:
    """Take the run for `holder`; a pause that another holder was asked for is forgotten with it.

    Raises:
        LeaseError: if a process holds it that lives, or was heard of in the last `stale_after_s` seconds.
        RunError: if there is no such run.
    """
    with database.changing() as connection:
        query = select(RUNS.c.holder, RUNS.c.lease_token, RUNS.c.heartbeat_at, RUNS.c.controls, database.now)
        row = connection.execute(query.where(RUNS.c.id == run_id).with_for_update()).one_or_none()
        if row is None:
            raise RunError(f"there is no run {run_id} in the store {database.place}; `ramify runs` lists them")
        held_by, token, heartbeat_at, asked, now = row
        check_free(run_id, held_by, silent_s=float(now) - (heartbeat_at or 0.0), stale_after_s=stale_after_s)
        values = {"holder": holder.to_json(), "lease_token": token + 1, "heartbeat_at": database.now}
        if asked is not None:
            values["controls"] = dump_controls(each for each in load_controls(asked) if each.action != "pause")
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(values))
        last_seq = connection.execute(select(func.max(EVENTS.c.seq)).where(EVENTS.c.run_id == run_id)).scalar()
    return Lease(run_id, token + 1, holder, last_seq or 0)


def check_free(run_id: str, held_by: str | None, *, silent_s: float, stale_after_s: float) -> None:
    """Raise `LeaseError` if the process `held_by` holds the run and may not be pushed aside."""
    if held_by is None:
        return
    holder = Holder.from_json(held_by)
    if has_lapsed(holder, silent_s=silent_s, stale_after_s=stale_after_s):
        return
    wait_s = max(1, round(stale_after_s - silent_s))
    raise LeaseError(
        f"run {run_id} is held by {holder}; look at it with `ramify show {run_id}`, stop it"
        f" with `ramify cancel {run_id}`, or, if that process is gone, try again in {wait_s} s",
        holder=str(holder),
        is_brief=holder.is_brief,
    )


def release(connection: Connection, lease: Lease) -> None:
    """Give the run back, if it is still held under this lease."""
    held = (RUNS.c.id == lease.run_id) & (RUNS.c.lease_token == lease.token)
    connection.execute(update(RUNS).where(held).values(holder=None, heartbeat_at=None))


def lost(connection: Connection, lease: Lease) -> tuple[str, str]:
    """Return what to say about a lease that is no longer good, and who holds the run now."""
    held_by = connection.execute(select(RUNS.c.holder).where(RUNS.c.id == lease.run_id)).one_or_none()
    if held_by is None:
        return f"run {lease.run_id} was deleted from the store during the run; start it again", "nobody"
    holder = "nobody" if held_by[0] is None else str(Holder.from_json(held_by[0]))
    told = f"run {lease.run_id} was taken over while this process did not respond; it is now held by {holder}"
    return f"{told}. This process writes nothing more", holder
