"""`store ...`: runs moved between stores, and the store copied, shrunk and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .flags import Last, RunId, takes

APP = typer.Typer(
    help="Export and import runs; back up, shrink and check the store.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_NEW_FILE = typer.Argument(metavar="FILE", help="A new file.")


@APP.command("export")
@takes("store")
def export_run(
    given: Mapping[str, Any],
    *,
    run_id: RunId = None,
    file: Annotated[Path | None, _NEW_FILE] = None,
    last: Last = False,
) -> int:
    """Export a run to one file.

    Examples: ramify store export r12 r12.jsonl; ramify store export --last newest.jsonl
    """
    from ramify.planner.errors import UsageError

    from .finding import opened_run
    from .output import tell

    if last and file is None:
        file, run_id = Path(run_id) if run_id else None, None  # the only word is the file then
    if not file:
        raise UsageError("name a run and a file: ramify store export RUN FILE")
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        store.export_run(record.id, file)
    tell(f"exported run {record.id}; `ramify store import {file}` adds it to another store")
    return 0


@APP.command("import")
@takes("store")
def import_run(
    given: Mapping[str, Any],
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file from `ramify store export`.")],
) -> int:
    """Import a run from a file, and print its id.

    Example: ramify store import r12.jsonl
    """
    from ramify.planner.executor import open_store
    from ramify.planner.runtime.address import shown_address

    from .output import print_text, tell

    with open_store(given["store"]) as store:
        run_id = store.import_run(file)
        record = store.find_run(run_id)
    print_text(run_id)
    agent = record.settings.get("agent") or {}
    server = f" at {shown_address(agent['base_url'])}" if agent.get("base_url") else ""
    tell(f"it is {record.status}, made by {record.made_by}; resuming it calls {record.model}{server}")
    return 0


@APP.command("backup")
@takes("store")
def backup(given: Mapping[str, Any], *, file: Annotated[Path, _NEW_FILE]) -> int:
    """Copy the store to a file; runs may go on.

    Example: ramify store backup copy.db
    """
    from ramify.planner.executor import open_store

    from .output import tell

    with open_store(given["store"], create=False) as store:
        size = store.backup(file)
        place = store.place
    tell(f"copied {place} to {file}, {_bytes(size)}; use the copy with `--store {file}`")
    return 0


@APP.command("vacuum")
@takes("store")
def vacuum(given: Mapping[str, Any]) -> int:
    """Free the space of deleted runs.

    Example: ramify store vacuum
    """
    from ramify.planner.executor import open_store

    from .output import tell

    with open_store(given["store"], create=False) as store:
        freed = store.vacuum()
        place = store.place
    tell(f"freed {_bytes(freed)} in {place}")
    return 0


@APP.command("check")
@takes("store", "as_json")
def check(given: Mapping[str, Any]) -> int:
    """Check the store for damage.

    Example: ramify store check
    """
    from ramify.planner.executor import open_store

    from .exits import DONE, USAGE
    from .output import print_json, print_text, tell

    with open_store(given["store"], create=False) as store:
        faults = store.check()
        place = store.place
    if given["as_json"]:
        print_json({"store": place, "faults": faults})
    else:
        for fault in faults:
            print_text(fault)
        tell(
            f"{place} is damaged; restore a backup, or export the runs that are readable"
            if faults
            else f"{place} is sound"
        )
    return USAGE if faults else DONE


def _bytes(size: int) -> str:
    from ramify.tasks.counting import counted

    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return counted(size, "byte")
