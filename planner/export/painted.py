"""PNG and PDF of graphs and timelines, painted from the SVG that is drawn of them.

A PNG that nobody could read is folded until it can be.
"""

from typing import Any

from .fold import within_limit
from .formats import Written
from .paint import paint, png_scale
from .svg import to_svg
from .timeline import to_timeline_svg
from .times import Timeline
from .view import GraphView


def to_png(view: GraphView) -> Written:
    """Paint `view` as PNG, folded until it can be read.

    Raises:
        ExportError: if that needs a package that is missing or fails.
    """
    shown, svg = view, to_svg(view)
    while (scale := png_scale(svg)) < 1 < len(shown.nodes):
        fewer = within_limit(shown, max(1, int(len(shown.nodes) * min(scale, 0.75))))
        if len(fewer.nodes) == len(shown.nodes):
            break
        shown, svg = fewer, to_svg(fewer)
    hidden = len(view.nodes) - len(shown.nodes)
    note = (
        f"a png of {len(view.nodes):,} boxes is too small to read; this one shows {len(shown.nodes):,}, pdf and svg all"
    )
    return Written(paint(svg, "png"), note if hidden else "")


def to_pdf(view: GraphView) -> bytes:
    """Paint `view` as PDF; otherwise as `to_png`."""
    return paint(to_svg(view), "pdf")


def to_timeline_png(timeline: Timeline, **asked: Any) -> bytes:
    """Paint `timeline` as PNG; the keywords are those of `to_timeline_svg`.

    Raises:
        ExportError: if that needs a package that is missing or fails, or is too large to be read.
        UsageError: if `max_bars` is below 1.
    """
    return paint(to_timeline_svg(timeline, **asked), "png")


def to_timeline_pdf(timeline: Timeline, **asked: Any) -> bytes:
    """Paint `timeline` as PDF; otherwise as `to_timeline_png`."""
    return paint(to_timeline_svg(timeline, **asked), "pdf")
