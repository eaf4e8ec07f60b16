"""Pictures of task trees: a view of the tree, and DOT, Mermaid, SVG, PNG and PDF of it; and timelines."""

from .critical import PathLength, critical_path_of
from .dot import to_dot
from .graphml import to_graphml
from .look import ThemeName
from .mermaid import to_mermaid
from .render import FORMATS, LAYOUTS, Format, LayoutName, Picture, format_of, render, save
from .snapshot import graph_view
from .spans import Span, TimedTask, Timeline, timeline_data, timeline_of
from .svg import to_svg
from .timeline import to_timeline_svg
from .timeline_file import TimelineFormat, render_timeline, save_timeline, timeline_format_of
from .view import MOST_NODES, Direction, GraphView, ViewNode, ViewOptions

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "MOST_NODES",
    "Direction",
    "Format",
    "GraphView",
    "LayoutName",
    "PathLength",
    "Picture",
    "Span",
    "ThemeName",
    "TimedTask",
    "Timeline",
    "TimelineFormat",
    "ViewNode",
    "ViewOptions",
    "critical_path_of",
    "format_of",
    "graph_view",
    "render",
    "render_timeline",
    "save",
    "save_timeline",
    "timeline_data",
    "timeline_format_of",
    "timeline_of",
    "to_dot",
    "to_graphml",
    "to_mermaid",
    "to_svg",
    "to_timeline_svg",
]
