"""`report`: everything about a run in one file, to read, to print or to count with."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from .options import Force, Last, Output, RunId, takes


@takes("store")
def report(
    given: Mapping[str, Any],
    *,
    run_id: RunId = None,
    last: Last = False,
    output: Output = None,
    force: Force = False,
    form: Annotated[
        Literal["html", "md", "csv", "json", "xlsx"] | None,
        typer.Option("--format", "-f", help="The format; that of -o's ending, or md."),
    ] = None,
) -> int:
    """Write a report of a run, which may still go on.

    It has a summary, the answer, tasks, messages, the graph, costs and settings.

    Example: ramify report --last -o run.html
    """
    from ramify.planner.export.report import render_report, report_format_of, report_of
    from ramify.planner.runtime.output_files import check_new

    from .finding import opened_run
    from .output import deliver

    check_new(output, force=force)
    wanted = form or ("md" if output is None else report_format_of(output))
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        stored = store.read_run(record.id)
    deliver(render_report(report_of(stored), wanted), wanted, output, is_text=wanted != "xlsx")
    return 0


COMMANDS = {"report": report}
