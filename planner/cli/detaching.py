"""`--detach`: a run that a process of its own carries on, and what is said of it here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import UsageError

if TYPE_CHECKING:
    from ramify.planner.run import Run


def check_detach(given: Mapping[str, Any], *, approve: str | None = None) -> None:
    """Refuse, before anything is done, to leave a run to itself that somebody has to look at.

    Raises:
        UsageError: if that was asked for.
    """
    if not given["detach"]:
        return
    wanted = {"--approve": approve, "--dry-run": given.get("dry_run"), "--estimate": given.get("estimate")}
    for option, value in wanted.items():
        if value:
            raise UsageError(f"{option} shows you the plan, which a detached run cannot do; leave out one of them")


def detached(run: "Run", given: Mapping[str, Any]) -> int:
    """Let a process of its own carry `run` on, and say how to follow it; return the exit code."""
    from .carrying import display_kind
    from .output import print_exact, print_json, tell

    words = ["--display", display_kind(given) or "plain"]
    words += ["--quiet"] if given["quiet"] else []
    words += ["--accept-changes"] if given.get("accept_changes") else []
    words += ["--events", str(given["events"])] if given["events"] is not None else []
    done = run.detach(*words)
    if given["as_json"]:
        print_json({"run": done.run_id, "pid": done.pid, "log": str(done.log)})
        return 0
    print_exact(done.run_id)
    if not given["quiet"]:
        tell(
            f"run {done.run_id} continues in process {done.pid}; `ramify watch {done.run_id}` follows it, `ramify pause"
            f" {done.run_id}` pauses it, and {done.log} has its progress and answer"
        )
    return 0
