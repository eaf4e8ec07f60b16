"""`graph` and `timeline`: the tree of a run or a plan, and what ran when, as a picture or as text."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from ramify.tasks.json_text import json_text

from .completing import run_ids
from .options import Force, Last, Output, RunId, refuse_others, takes

if TYPE_CHECKING:
    from ramify.planner.export import LayoutName, ViewOptions
    from ramify.tasks import Task

Theme = Annotated[Literal["light", "dark", "print"], typer.Option(help="The colours.")]
GraphFormat = Literal["dot", "svg", "png", "pdf", "mermaid", "graphml", "json"]
_BINARY = frozenset({"png", "pdf"})
_OF_STATES = frozenset({"states", "form", "output", "force", "store"})
_OF_TIMES = frozenset({"run_id", "last", "store", "as_json"})
_OF_JSON = frozenset({"source", "last", "form", "output", "force", "store", "lineage"})


@takes("store")
def graph(
    given: Mapping[str, Any],
    *,
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="RUN|PLAN", help="A run's id, or a plan file.", autocompletion=run_ids)
    ] = None,
    last: Last = False,
    form: Annotated[
        GraphFormat | None, typer.Option("--format", "-f", help="The format; that of -o's ending, or dot.")
    ] = None,
    output: Output = None,
    force: Force = False,
    depth: Annotated[int | None, typer.Option(min=1, metavar="N", help="Levels to show.")] = None,
    focus: Annotated[str | None, typer.Option(metavar="ID", help="Show what has to do with one task.")] = None,
    direction: Annotated[Literal["LR", "TB"], typer.Option(help="Where subtasks are: right or below.")] = "LR",
    theme: Theme = "light",
    layout: Annotated[
        Literal["ramify", "dot"], typer.Option(help="Who places the boxes of svg, png and pdf; dot is of Graphviz.")
    ] = "ramify",
    most: Annotated[
        int | None,
        typer.Option("--max-nodes", min=1, metavar="N", help="Boxes to show, else 300; what does not fit is folded."),
    ] = None,
    critical_path: Annotated[
        bool, typer.Option("--critical-path", help="Mark the path that decides how long it all takes.")
    ] = False,
    path_by: Annotated[
        Literal["time", "steps"] | None,
        typer.Option(help="What makes a path long; measured time, or steps in what has not run."),
    ] = None,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="Of a run of evolve: who came from whom, seeds on top.")
    ] = False,
    states: Annotated[
        bool, typer.Option("--states", help="Draw the states of any task, and their moves, instead.")
    ] = False,
) -> int:
    """Draw the tree of a run or of a plan.

    Example: ramify graph --last -o tree.svg
    """
    from ramify.planner.export import MOST_NODES, ViewOptions, critical_path_of
    from ramify.planner.runtime.output_files import check_new

    from .output import deliver, tell

    check_new(output, force=force)
    wanted = form or _form_of(output)
    if states:
        refuse_others(context, "--states draws the moves that every task can make, and no run", kept=_OF_STATES)
        deliver(_states(wanted), wanted, output)
        return 0
    if wanted == "json":
        refuse_others(context, "JSON gives the whole tree", kept=_OF_JSON)
    root, data = _tree_of(source, last=last, store=given["store"])
    if lineage:
        from ramify.planner.evolution.lineage import lineage_tree

        root = lineage_tree(root)
    options = ViewOptions(
        direction=direction,
        theme=theme,
        max_depth=depth,
        focus=focus,
        max_nodes=most or (None if wanted == "graphml" else MOST_NODES),
        critical_path=critical_path_of(root, by=path_by) if critical_path or path_by else (),
    )
    content, note = _drawn(root, data, wanted, options, layout)
    deliver(content, wanted, output, is_text=wanted not in _BINARY)
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
    form: Annotated[
        Literal["svg", "png", "pdf"] | None,
        typer.Option("--format", "-f", help="The format; that of -o's ending, or svg."),
    ] = None,
    theme: Theme = "light",
    most: Annotated[
        int, typer.Option("--max-bars", min=1, metavar="N", help="Tasks with rows; the others are packed below.")
    ] = 100,
) -> int:
    """Draw what ran when, and how much at once.

    Example: ramify timeline --last -o timeline.svg
    """
    from ramify.planner.asking.budget import total_usage
    from ramify.planner.export import render_timeline, timeline_data, timeline_format_of, timeline_of
    from ramify.planner.export.making import who_made
    from ramify.planner.export.run_data import record_data
    from ramify.planner.runtime.output_files import check_new

    from .finding import opened_run
    from .output import deliver, print_json

    check_new(output, force=force)
    if given["as_json"]:
        refuse_others(context, "--json prints the times, and draws nothing", kept=_OF_TIMES)
    with opened_run(run_id, last=last, store=given["store"]) as (opened, record):
        root = opened.load_tree(record.id)
        made_by = who_made(opened, record, root)
        data = {**record_data(record, total_usage(root)), "made_by": made_by}
        until = time.time() if data["status"] == "running" else None
        events = opened.events(record.id)
        found = timeline_of(root, events, made_by=made_by, until=until)
    if given["as_json"]:
        print_json({**data, "timeline": timeline_data(found)})
    else:
        wanted = form or ("svg" if output is None else timeline_format_of(output))
        content = render_timeline(found, wanted, theme=theme, max_bars=most)
        deliver(content, wanted, output, is_text=wanted == "svg")
    return 0


COMMANDS = {"graph": graph, "timeline": timeline}


def _states(form: GraphFormat) -> bytes:
    """Return the state diagram; raise `UsageError` for a format in which there is none."""
    from ramify.planner.errors import UsageError
    from ramify.tasks.tree.states import state_diagram

    if form not in {"dot", "mermaid"}:
        raise UsageError(f"the states are drawn as dot or mermaid, not as {form}; dot -T{form} makes that of dot")
    return state_diagram("dot" if form == "dot" else "mermaid").encode()


def _form_of(output: Path | None) -> GraphFormat:
    from ramify.planner.export.render import SUFFIXES
    from ramify.planner.runtime.output_files import format_named_by

    if output is None:
        return "dot"
    return format_named_by(output, {**SUFFIXES, ".json": "json"}, what="graph")


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
    root: "Task", data: Mapping[str, Any], form: GraphFormat, options: "ViewOptions", layout: "LayoutName"
) -> tuple[bytes, str]:
    """Return the file, and what a person should know about how it was made."""
    from ramify.planner.export import graph_view, render
    from ramify.tasks.tree.documents import tree_to_data

    from .output import JSON_VERSION

    if form == "json":
        document = {"version": JSON_VERSION, **data, **tree_to_data(root, next_tasks=True)}
        return f"{json_text(document, indent=2)}\n".encode(), ""
    picture = render(graph_view(root, made_by=data["made_by"], options=options), form, layout=layout)
    return picture.data, picture.note
