"""Pictures of task trees: a view of the tree, and DOT, Mermaid, SVG, PNG and PDF of it; and timelines."""

from .dot import to_dot
from .look import ThemeName
from .mermaid import to_mermaid
from .render import FORMATS, Format, Picture, format_of, render, save
from .snapshot import graph_view
from .spans import Span, TimedTask, Timeline, timeline_data, timeline_of
from .svg import to_svg
from .timeline import to_timeline_svg
from .view import Direction, GraphView, ViewNode, ViewOptions

__all__ = [
    "FORMATS",
    "Direction",
    "Format",
    "GraphView",
    "Picture",
    "Span",
    "ThemeName",
    "TimedTask",
    "Timeline",
    "ViewNode",
    "ViewOptions",
    "format_of",
    "graph_view",
    "render",
    "save",
    "timeline_data",
    "timeline_of",
    "to_dot",
    "to_mermaid",
    "to_svg",
    "to_timeline_svg",
]
