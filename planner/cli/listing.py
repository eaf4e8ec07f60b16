"""`runs`: which runs are in the store, all or some, and how those are deleted that nobody needs any more."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from .completing import run_ids
from .flags import takes

if TYPE_CHECKING:
    from ramify.planner.store import RunRecord, RunStatus, Store

_MOST_GOAL = 60
_MOST_RUNS = 20
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d{1,6})([smhdw])")


@takes("store", "as_json")
def runs(
    given: Mapping[str, Any],
    *,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="List the runs of this study or sweep.", autocompletion=run_ids),
    ] = None,
    members: Annotated[bool, typer.Option("--members", help="List the runs of studies and sweeps too.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, max=1_000_000, metavar="N", help="The number of runs, newest first; default: 20."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show all runs.")] = False,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="Only runs with this status, such as failed; repeatable.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Only runs unchanged for this long: 30d, 12h, 2w."),
    ] = None,
    keep: Annotated[int | None, typer.Option(min=0, metavar="N", help="Leave out the newest N.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete these runs, except those in progress.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --prune: only show what would be deleted.")] = False,
) -> int:
    """List the runs in the store, or delete some.

    A study or sweep is one row; deleting it deletes its runs.

    Examples: ramify runs --status failed; ramify runs --prune --older-than 30d
    """
    from ramify.planner.errors import UsageError
    from ramify.planner.executor import open_store

    wanted: dict[str, Any] = {
        "older_than_s": None if older_than is None else _seconds(older_than),
        "statuses": [_status(each) for each in status or ()],
        "keep": keep or 0,
    }
    if prune:
        if limit is not None or every or run is not None or members:
            raise UsageError(
                "RUN, --members, --limit and --all are for lists; --prune takes --older-than, --status and --keep"
            )
        if older_than is None and not status and keep is None:
            raise UsageError("choose the runs to delete: --older-than AGE, --status STATUS, --keep N, or several")
    elif dry_run:
        raise UsageError("--dry-run says what --prune would delete; without --prune nothing is deleted")
    with open_store(given["store"], create=False) as store:
        if prune:
            return _prune(store.prune(**wanted, is_rehearsal=dry_run), dry_run=dry_run, as_json=given["as_json"])
        wanted["inside"] = None if members else ""
        if run is not None:
            wanted["inside"] = _with_members(store, run)
        most = None if every else limit or (_MOST_RUNS if run is None else None)
        return _list(store, wanted, most, as_json=given["as_json"])


def _list(store: "Store", wanted: Mapping[str, Any], limit: int | None, *, as_json: bool) -> int:
    """Show the runs that are `wanted`, `limit` at the most."""
    from ramify.planner.export.labels import format_cost
    from ramify.planner.export.making import who_made_in_short
    from ramify.planner.export.run_data import members_words, record_data, status_of
    from ramify.planner.store.records import ENDED

    from .output import print_json, print_table, tell
    from .records import started

    found = store.runs(None if limit is None else limit + 1, **wanted)
    shown = found[:limit]
    made_by = {record.id: who_made_in_short(store, record) for record in shown}
    members = store.members_so_far()
    used = store.used_so_far([record.id for record in shown if record.status not in ENDED])
    if as_json:
        data = [
            {
                **record_data(record, used.get(record.id, record.usage)),
                "made_by": made_by[record.id],
                "members": members.get(record.id, {}),
            }
            for record in shown
        ]
        print_json({"store": store.place, "runs": data})
        return 0

    def sums(record: "RunRecord") -> tuple[str, ...]:
        words = members_words(members.get(record.id, {}), status_of(record))
        return (words, format_cost(used.get(record.id, record.usage))) if words else ()

    rows = [
        (
            record.id,
            status_of(record),
            started(record),
            made_by[record.id],
            " · ".join(filter(None, (_shortened(_called(record)), *sums(record)))),
        )
        for record in shown
    ]
    print_table(("run", "status", "started", "made by", "goal"), rows)
    folded = next((record.id for record in shown if record.id in members), None)
    if folded is not None and wanted["inside"] == "":
        tell(f"`ramify runs {folded}` lists the runs of {folded}; --members lists those of all studies and sweeps")
    if len(found) > len(shown):
        tell("there are more; --all shows them")
    return 0


def _with_members(store: "Store", wanted: str) -> str:
    """Return the id of a run that has members."""
    from ramify.planner.errors import UsageError

    record = store.find_run(wanted)
    if not store.runs(1, inside=record.id):
        raise UsageError(f"run {record.id} is not a study or sweep; `ramify show {record.id}` shows it")
    return record.id


def _prune(gone: "Sequence[RunRecord]", *, dry_run: bool, as_json: bool) -> int:
    """Say which runs were deleted, or would be."""
    from ramify.tasks.counting import counted

    from .output import print_json, print_text, tell

    if as_json:
        print_json({"runs": [record.id for record in gone], "deleted": not dry_run})
        return 0
    for record in gone:
        print_text(record.id)
    words = "would be deleted" if dry_run else "deleted; `ramify store vacuum` frees their space"
    tell(f"{counted(len(gone), 'run')} {words}" if gone else "there is no such run")
    return 0


def _seconds(age: str) -> float:
    from ramify.planner.errors import UsageError

    found = _AGE.fullmatch(age.strip().lower())
    if found is None:
        raise UsageError(f"{age!r} is not an age; use a number and s, m, h, d or w, such as 30d")
    return float(found[1]) * _SECONDS[found[2]]


def _status(name: str) -> "RunStatus":
    from ramify.planner.errors import UsageError
    from ramify.planner.store import RunStatus

    known = get_args(RunStatus)
    if name not in known:
        raise UsageError(f"{name!r} is not a status; use {', '.join(known)}")
    return cast("RunStatus", name)


def _called(record: "RunRecord") -> str:
    """Return a run's goal, after its name if it has one, and the run that it was forked from."""
    fork = f"fork of {record.forked_from}" if record.forked_from else None
    return ": ".join(filter(None, (record.settings.get("name"), fork, record.goal)))


def _shortened(goal: str) -> str:
    line = " ".join(goal[: _MOST_GOAL * 4].split())
    return line if len(line) <= _MOST_GOAL else f"{line[: _MOST_GOAL - 1]}…"


COMMANDS = {"runs": runs}
