"""`report`: everything about a run in one file, to read, to print or to count with."""

from collections.abc import Mapping
from typing import Annotated, Any

from ramify.planner.export.formats import format_of

from .flags import Force, Last, Output, RunId, format_option, takes


@takes("store")
def report(
    given: Mapping[str, Any],
    *,
    run_id: RunId = None,
    last: Last = False,
    output: Output = None,
    force: Force = False,
    form: Annotated[str | None, format_option("report")] = None,
) -> int:
    """Write a report of a run.

    It has the answer, tasks, messages, graph, costs and settings.

    Example: ramify report --last -o run.html
    """
    from ramify.planner.export.report import report_of
    from ramify.planner.runtime.output_files import check_new

    from .finding import opened_run
    from .output import deliver

    check_new(output, force=force)
    wanted = format_of("report", output, form)
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        stored = store.read_run(record.id)
    deliver(wanted.write(report_of(stored)).data, wanted.name, output, is_text=wanted.is_text)
    return 0


COMMANDS = {"report": report}
