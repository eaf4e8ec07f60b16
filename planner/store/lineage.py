"""Which rows a run has: its own, and those that it shares with the runs that it was forked from.

A fork has tasks, steps and a memory of its own. The journal, the texts and the events are shared: what a run has
written up to one of its events is never changed, so it is noted up to which, and no row is copied. What was paid for by
then has cost the fork nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, delete, func, literal, or_, select

from .database import Database
from .statements import insert_anew
from .tables import CALLS, EVENTS, MEMORY, RUNS, SHARES, TEXTS

SHARED = (TEXTS, CALLS, EVENTS)
"""The tables whose rows a fork shares."""

_COSTS = ("calls", "tokens", "input_tokens", "output_tokens", "cached_tokens", "cost_usd")
_AT_NO_COST: Mapping[str, Any] = {**dict.fromkeys(_COSTS, 0), "recorded": True}


class Lineage(NamedTuple):
    """Where the rows of a run are.

    Attributes:
        run_id: the run.
        forked_from: the run that it is a fork of; None if it is none.
        forked_seq: the last event of that run that it shares; 0 if it is none.
        shares: the runs whose rows it has besides its own, each with the last event up to which it has them.
    """

    run_id: str
    forked_from: str | None = None
    forked_seq: int = 0
    shares: tuple[tuple[str, int], ...] = ()

    def rows_of(self, table: Table) -> ColumnElement[bool]:
        """Return the condition for the rows of `table` that the run has."""
        own = run_column(table) == self.run_id
        if not self.shares or table not in SHARED:
            return own
        if table is TEXTS:  # as their hashes say what they are, later ones harm nobody
            return table.c.run_id.in_([self.run_id, *(source for source, _ in self.shares)])
        return or_(own, *(_up_to(table, source, until) for source, until in self.shares))

    def taken_from(self, seq: int | None) -> str | None:
        """Return the run that has paid for what was written with the event `seq`; None if this one has."""
        return self.forked_from if (seq or 0) <= self.forked_seq else None


def lineage_of(connection: Connection, run_id: str) -> Lineage | None:
    """Return where the rows of a run are; None if there is no such run."""
    columns = (RUNS.c.forked_from, RUNS.c.forked_seq, SHARES.c.source_id, SHARES.c.until)
    query = select(*columns).outerjoin(SHARES, SHARES.c.run_id == RUNS.c.id).where(RUNS.c.id == run_id)
    rows = connection.execute(query).all()
    if not rows:
        return None
    shares = tuple(sorted((source_id, until) for _, _, source_id, until in rows if source_id is not None))
    return Lineage(run_id, rows[0].forked_from, rows[0].forked_seq or 0, shares)


def run_column(table: Table) -> ColumnElement[str]:
    """Return the column of `table` that says which run a row belongs to."""
    return table.c.scope if table is MEMORY else table.c.run_id


def taken_over(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return what an event tells of a call to a run that has taken it over from the run `source`, at no cost.

    >>> taken_over({"purpose": "execute", "recorded": False, "tokens": 12, "cost_usd": 0.5}, "r1")
    {'purpose': 'execute', 'recorded': True, 'tokens': 0, 'cost_usd': 0, 'taken_from': 'r1'}
    """
    nothing = {name: value for name, value in _AT_NO_COST.items() if name in data}
    return {**data, **nothing, "taken_from": data.get("taken_from", source)}


def hand_over(database: Database, connection: Connection, gone: Sequence[str], *, also_gone: Iterable[str]) -> None:
    """Let the runs `gone`, which are deleted now, leave what forks share with them to one of these forks.

    Of the forks of a run, the one that shares the most gets it; the others share it with that one from then on.

    Args:
        database: where they are.
        connection: in the transaction that deletes them.
        gone: their ids.
        also_gone: the ids of all that are deleted, so that none of them gets anything.
    """
    left_out = {*gone, *also_gone}
    heirs: dict[str, list[tuple[int, str]]] = {}
    query = select(SHARES.c.source_id, SHARES.c.run_id, SHARES.c.until).where(SHARES.c.source_id.in_(gone))
    for source_id, run_id, until in connection.execute(query):
        if run_id not in left_out:
            heirs.setdefault(source_id, []).append((until, run_id))
    for source_id, found in heirs.items():
        until, heir = max(found)
        for table in SHARED:
            names = [each.name for each in table.c if each.name != "run_id"]
            rows = select(literal(heir), *(table.c[name] for name in names)).where(_up_to(table, source_id, until))
            connection.execute(insert_anew(database.engine, table).from_select(["run_id", *names], rows))
        _share_with(database, connection, heir, [(run_id, theirs) for theirs, run_id in found if run_id != heir])


def _share_with(database: Database, connection: Connection, heir: str, others: Sequence[tuple[str, int]]) -> None:
    """Let other forks share what the run `heir` has, each up to an event; who shares more of it already, stays so."""
    for run_id, until in others:
        is_less = (SHARES.c.run_id == run_id, SHARES.c.source_id == heir, SHARES.c.until < until)
        connection.execute(delete(SHARES).where(*is_less))
    database.statements.add_share.execute(connection, [(run_id, heir, until) for run_id, until in others])


def _up_to(table: Table, source_id: str, until: int) -> ColumnElement[bool]:
    """Return the condition for the rows that a run had written with its event `until`; older versions noted none."""
    is_source = run_column(table) == source_id
    return is_source if table is TEXTS else is_source & (func.coalesce(table.c.seq, 0) <= until)
