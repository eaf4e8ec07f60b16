"""A view as a file in any format of the table of formats.

Where the layout of `dot` is asked for, the picture is drawn by that program of Graphviz, or not at all.
"""

import shutil
from typing import Literal, get_args

from ramify.planner.errors import ExportError, UsageError

from .dot import to_dot
from .dot_program import run_dot
from .formats import Format, Written, format_of, formats_of
from .view import GraphView

LayoutName = Literal["ramify", "dot"]
LAYOUTS: tuple[LayoutName, ...] = get_args(LayoutName)


def render(
    view: GraphView,
    form: str,
    *,
    layout: LayoutName = "ramify",
    timeout_s: float = 30.0,
    path_env: str | None = None,
) -> Written:
    """Draw `view` in the format `form`.

    Args:
        view: what to draw.
        form: a format of graphs, as `formats.FORMATS` names it.
        layout: who places the boxes of svg, png and pdf: "ramify", or "dot" for that program of Graphviz.
        timeout_s: the longest that the `dot` program may take, in seconds; it is killed then.
        path_env: where to look for it, as in `PATH`; the environment's unless given.

    Raises:
        ExportError: if the picture needs a package or a program that is missing or fails, or is too large to be read.
        UsageError: if there is no such format or layout, or the format has no layout.
    """
    found = format_of("graph", form=form)
    if found.takes_data:
        raise UsageError(f"{form} needs a run, not a view; use `run.save`")
    if layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}; use {', '.join(LAYOUTS)}")
    if layout == "dot":
        return _by_dot(view, found, timeout_s=timeout_s, path_env=path_env)
    return found.write(view)


def _by_dot(view: GraphView, form: Format, *, timeout_s: float, path_env: str | None) -> Written:
    if not form.by_dot:
        drawn = " or ".join(each.name for each in formats_of("graph").values() if each.by_dot)
        raise UsageError(f"{form.name} has no layout; ask dot for {drawn}")
    program = shutil.which("dot", path=path_env)
    if program is None:
        complaint, advice = "the dot program of Graphviz is not on PATH", "install Graphviz"
    else:
        try:
            return Written(*run_dot(program, to_dot(view), form.name, timeout_s=timeout_s))
        except ExportError as error:
            complaint, advice = str(error), "show less (use a depth, a focus or fewer boxes)"
    raise ExportError(f"dot could not draw {form.name}: {complaint}; {advice}, or let Ramify do the layout")
