"""`graph` and `timeline`: the tree of a run or a plan, and what ran when, as a picture or as text."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from ramify.planner.export.formats import Format, Written, format_of

from .completing import run_ids
from .flags import Force, Last, Output, RunId, format_option, refuse_others, takes

if TYPE_CHECKING:
    from ramify.planner.export.render import LayoutName
    from ramify.planner.export.view import ViewOptions
    from ramify.tasks import Task

Theme = Annotated[Literal["light", "dark", "print"], typer.Option(help="The colours.")]
_OF_STATES = frozenset({"states", "form", "output", "force", "store"})
_OF_TIMES = frozenset({"run_id", "last", "store", "as_json"})
_OTHER_PARTS = "--max-nodes N shows more, --depth N the upper levels, --focus ID one task and its relatives"
_OF_DATA = frozenset({"source", "last", "form", "output", "force", "store", "lineage"})


@takes("store")
def graph(
    given: Mapping[str, Any],
    *,
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="RUN|PLAN", help="A run's id, or a plan file.", autocompletion=run_ids)
    ] = None,
    last: Last = False,
    form: Annotated[str | None, format_option("graph")] = None,
    output: Output = None,
    force: Force = False,
    depth: Annotated[int | None, typer.Option(min=1, metavar="N", help="Levels to show.")] = None,
    focus: Annotated[str | None, typer.Option(metavar="ID", help="Show one task and what is connected to it.")] = None,
    direction: Annotated[Literal["LR", "TB"], typer.Option(help="Grow to the right (LR) or downwards (TB).")] = "LR",
    theme: Theme = "light",
    layout: Annotated[
        Literal["ramify", "dot"], typer.Option(help="What lays out svg, png and pdf: Ramify or Graphviz.")
    ] = "ramify",
    most: Annotated[
        int | None,
        typer.Option("--max-nodes", min=1, metavar="N", help="The most boxes to show (300); the rest is folded."),
    ] = None,
    critical_path: Annotated[bool, typer.Option("--critical-path", help="Mark the critical path.")] = False,
    path_by: Annotated[
        Literal["time", "steps"] | None,
        typer.Option(help="Measure the critical path in time or in steps."),
    ] = None,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="For a run of evolve: draw which task came from which.")
    ] = False,
    states: Annotated[
        bool, typer.Option("--states", help="Draw the states of a task and their transitions instead.")
    ] = False,
) -> int:
    """Draw the tree of a run or plan.

    Example: ramify graph --last -o tree.svg
    """
    from ramify.planner.export.critical import critical_path_of
    from ramify.planner.export.view import MOST_NODES, ViewOptions
    from ramify.planner.runtime.output_files import check_new

    from .output import deliver, tell

    check_new(output, force=force)
    wanted = format_of("graph", output, form)
    if states:
        refuse_others(context, "--states draws no tree", kept=_OF_STATES)
        deliver(_states(wanted.name), wanted.name, output)
        return 0
    if wanted.takes_data:
        refuse_others(context, f"{wanted.name.upper()} always contains the whole tree", kept=_OF_DATA)
    root, data = _tree_of(source, last=last, store=given["store"])
    if lineage:
        from ramify.planner.evolution.lineage import lineage_tree

        root = lineage_tree(root)
    options = ViewOptions(
        direction=direction,
        theme=theme,
        max_depth=depth,
        focus=focus,
        max_nodes=most or (MOST_NODES if wanted.folds else None),
        critical_path=critical_path_of(root, by=path_by) if critical_path or path_by else (),
    )
    content, note = _drawn(root, data, wanted, options, layout)
    deliver(content, wanted.name, output, is_text=wanted.is_text)
    if note:
        tell(note)
    return 0


@takes("store", "as_json")
def timeline(
    given: Mapping[str, Any],
    *,
    context: typer.Context,
    run_id: RunId = None,
    last: Last = False,
    output: Output = None,
    force: Force = False,
    form: Annotated[str | None, format_option("timeline")] = None,
    theme: Theme = "light",
    most: Annotated[
        int, typer.Option("--max-bars", min=1, metavar="N", help="The most tasks with a row of their own.")
    ] = 100,
) -> int:
    """Draw what ran when, and how much ran in parallel.

    Example: ramify timeline --last -o timeline.svg
    """
    from ramify.planner.asking.budget import total_usage
    from ramify.planner.export.making import who_made
    from ramify.planner.export.run_data import record_data
    from ramify.planner.export.times import timeline_data, timeline_of
    from ramify.planner.runtime.output_files import check_new

    from .finding import opened_run
    from .output import deliver, print_json

    check_new(output, force=force)
    wanted = format_of("timeline", output, form)
    if given["as_json"]:
        refuse_others(context, "--json draws nothing", kept=_OF_TIMES)
    with opened_run(run_id, last=last, store=given["store"]) as (opened, record):
        root = opened.load_tree(record.id)
        made_by = who_made(opened, record, root)
        data = {**record_data(record, total_usage(root)), "made_by": made_by}
        until = time.time() if data["status"] == "running" else None
        events = opened.events(record.id)
        found = timeline_of(root, events, made_by=made_by, until=until, jobs=record.settings.get("jobs"))
    if given["as_json"]:
        print_json({**data, "timeline": timeline_data(found)})
    else:
        deliver(wanted.write(found, theme=theme, max_bars=most).data, wanted.name, output, is_text=wanted.is_text)
    return 0


COMMANDS = {"graph": graph, "timeline": timeline}


def _states(form: str) -> bytes:
    """Return the state diagram; raise `UsageError` for a format in which there is none."""
    from ramify.planner.errors import UsageError
    from ramify.tasks.tree.states import state_diagram

    if form not in {"dot", "mermaid"}:
        raise UsageError(f"--states supports dot and mermaid, not {form}; convert with dot -T{form}")
    return state_diagram("dot" if form == "dot" else "mermaid").encode()


def _tree_of(source: str | None, *, last: bool, store: str | None) -> tuple["Task", dict[str, Any]]:
    """Return the tree that is meant, and what JSON data says about it besides the tasks.

    Raises:
        UsageError: if it is not said which is meant.
    """
    from ramify.planner.asking.budget import total_usage
    from ramify.planner.export.making import who_made
    from ramify.planner.export.run_data import record_data
    from ramify.tasks.plans.plans import load_plan

    from .finding import opened_run
    from .goals import is_plan_file

    if source is not None and not last and is_plan_file(source):
        return load_plan(source), {"made_by": None}
    with opened_run(source, last=last, store=store) as (opened, record):
        root = opened.load_tree(record.id)
        return root, {**record_data(record, total_usage(root)), "made_by": who_made(opened, record, root)}


def _drawn(
    root: "Task", data: Mapping[str, Any], form: Format, options: "ViewOptions", layout: "LayoutName"
) -> Written:
    """Return the file, and what a person should know about how it was made."""
    from ramify.planner.export.render import render
    from ramify.planner.export.snapshot import graph_view
    from ramify.tasks.tree.documents import tree_to_data

    from .output import JSON_VERSION

    if form.takes_data:
        return form.write({"version": JSON_VERSION, **data, **tree_to_data(root, next_tasks=True)})
    view = graph_view(root, made_by=data["made_by"], options=options)
    written = render(view, form.name, layout=layout)
    is_part_asked = options.max_depth is not None or options.focus is not None
    note = "" if is_part_asked or not view.note else f"{view.note}; {_OTHER_PARTS}"
    return written if written.note else Written(written.data, note)
