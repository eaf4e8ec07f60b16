"""Pictures of task trees: a view of the tree, and DOT, Mermaid, SVG, PNG and PDF drawn from it."""

from .dot import to_dot
from .mermaid import to_mermaid
from .render import FORMATS, Format, Picture, format_of, render, save
from .snapshot import graph_view
from .svg import to_svg
from .view import Direction, GraphView, ViewNode, ViewOptions

__all__ = [
    "FORMATS",
    "Direction",
    "Format",
    "GraphView",
    "Picture",
    "ViewNode",
    "ViewOptions",
    "format_of",
    "graph_view",
    "render",
    "save",
    "to_dot",
    "to_mermaid",
    "to_svg",
]
