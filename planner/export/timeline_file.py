"""A timeline as a file: our own SVG, and PNG and PDF painted from that."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ramify.planner.runtime.output_files import format_named_by, write_bytes

from .look import ThemeName
from .paint import paint
from .shapes import svg_of
from .spans import Timeline
from .timeline import MOST_BARS, draw_timeline

TimelineFormat = Literal["svg", "png", "pdf"]
_SUFFIXES: Mapping[str, TimelineFormat] = MappingProxyType({".svg": "svg", ".png": "png", ".pdf": "pdf"})


def render_timeline(
    timeline: Timeline,
    fmt: TimelineFormat,
    *,
    theme: ThemeName = "light",
    max_bars: int | None = MOST_BARS,
) -> bytes:
    """Draw `timeline` as a file of format `fmt`.

    Args:
        timeline: what ran when.
        fmt: "svg", "png" or "pdf".
        theme: "light", "dark", or "print" for black and white.
        max_bars: the most tasks with a row of their own; None gives one to each.

    Raises:
        ExportError: if the picture needs a package that is missing or fails, or is too large to be read.
        UsageError: if `max_bars` is below 1.
    """
    svg = svg_of(draw_timeline(timeline, theme=theme, max_bars=max_bars))
    return svg.encode() if fmt == "svg" else paint(svg, fmt)


def save_timeline(
    timeline: Timeline,
    path: Path,
    *,
    theme: ThemeName = "light",
    max_bars: int | None = MOST_BARS,
) -> None:
    """Draw `timeline` into the file at `path`, whose suffix says the format; otherwise as `render_timeline`.

    Raises:
        ExportError: if the picture cannot be made, or the file cannot be written.
        UsageError: if the suffix names no format.
    """
    write_bytes(path, render_timeline(timeline, timeline_format_of(path), theme=theme, max_bars=max_bars))


def timeline_format_of(path: Path) -> TimelineFormat:
    """Return the format that the suffix of `path` names.

    Raises:
        UsageError: if it names none.
    """
    return format_named_by(path, _SUFFIXES, what="timeline")
