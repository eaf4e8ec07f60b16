"""The two pictures of a run in a page, its graph and its timeline: as many boxes and bars as can be looked through."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ramify.planner.export.critical import critical_path_of
from ramify.planner.export.look import ThemeName
from ramify.planner.export.shapes import svg_of
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.svg import to_svg
from ramify.planner.export.timeline import draw_timeline, laid_out
from ramify.planner.export.times import Timeline
from ramify.planner.export.view import ViewOptions
from ramify.tasks import Task

Drawn = Callable[[ThemeName], str]
"""Draws a picture in a theme, as SVG."""

_MOST_BOXES: Final = 60
_MOST_BARS: Final = 100


def graph_drawn(root: Task, *, title: str, made_by: str) -> Drawn:
    """Return what draws the tree of `root` as it is now, with its critical path; large trees are folded in it."""
    options = ViewOptions(max_nodes=_MOST_BOXES, critical_path=critical_path_of(root))
    view = graph_view(root, title=title, made_by=made_by, options=options)
    return lambda theme: to_svg(replace(view, options=replace(options, theme=theme)))


def timeline_drawn(timeline: Timeline) -> Drawn:
    """Return what draws a timeline."""
    laid = laid_out(timeline, max_bars=_MOST_BARS)
    return lambda theme: svg_of(draw_timeline(laid, theme=theme))
