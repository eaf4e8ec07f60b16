"""A timeline as a file: SVG is our own; PNG and PDF are drawn by the `dot` program, which leaves all in its place."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ramify.planner.errors import ExportError
from ramify.planner.output_files import format_named_by, write_bytes

from .dot_program import run_dot
from .look import ThemeName
from .pinned import PINNED_OPTIONS, to_pinned_dot
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
    timeout_s: float = 30.0,
    path_env: str | None = None,
) -> bytes:
    """Draw `timeline` as a file of format `fmt`.

    Args:
        timeline: what ran when.
        fmt: "svg", "png" or "pdf".
        theme: "light", "dark", or "print" for black and white.
        max_bars: the most tasks with a row of their own; None gives one to each.
        timeout_s: the longest that the `dot` program may take, in seconds.
        path_env: where to look for it, as in `PATH`; the environment's unless given.

    Raises:
        ExportError: if the picture needs `dot`, and that is missing, fails or takes too long.
        UsageError: if `max_bars` is below 1.
    """
    drawing = draw_timeline(timeline, theme=theme, max_bars=max_bars)
    if fmt == "svg":
        return svg_of(drawing).encode()
    program = shutil.which("dot", path=path_env)
    if program is None:
        raise ExportError(
            f"no {fmt} could be made: the dot program of Graphviz is not on PATH; install Graphviz, or export to svg,"
            " which Ramify draws itself"
        )
    data, _ = run_dot(program, to_pinned_dot(drawing), fmt, options=PINNED_OPTIONS, timeout_s=timeout_s)
    return data


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
