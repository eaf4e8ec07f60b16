"""A view as a file: text formats and SVG are written here, PNG and PDF painted from that SVG.

format    written by
dot       to_dot
mermaid   to_mermaid
graphml   to_graphml
svg       to_svg
png, pdf  paint, from what to_svg writes

Where the layout of `dot` is asked for, svg, png and pdf are drawn by that program, or not at all.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ramify.planner.errors import ExportError, UsageError
from ramify.planner.runtime.output_files import format_named_by, write_bytes

from .dot import to_dot
from .dot_program import run_dot
from .fold import within_limit
from .graphml import to_graphml
from .mermaid import to_mermaid
from .paint import paint, png_scale
from .svg import to_svg
from .view import GraphView

Format = Literal["dot", "mermaid", "graphml", "svg", "png", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)
LayoutName = Literal["ramify", "dot"]
LAYOUTS: tuple[LayoutName, ...] = get_args(LayoutName)

SUFFIXES: dict[str, Format] = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}
SUFFIXES |= {f".{name}": name for name in FORMATS if name not in {"dot", "mermaid"}}
_WRITERS: Mapping[str, Callable[[GraphView], str]] = {
    "dot": to_dot, "mermaid": to_mermaid, "graphml": to_graphml, "svg": to_svg,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """What was drawn.

    Attributes:
        data: the whole file.
        format: its format.
        drawn_by: "dot", or "ramify" for our own.
        note: what a person should know about how it was made; empty if there is nothing.
    """

    data: bytes
    format: Format
    drawn_by: LayoutName
    note: str = ""


def render(
    view: GraphView,
    fmt: Format,
    *,
    layout: LayoutName = "ramify",
    timeout_s: float = 30.0,
    path_env: str | None = None,
) -> Picture:
    """Draw `view` as a file of format `fmt`.

    Args:
        view: what to draw.
        fmt: one of `FORMATS`.
        layout: who places the boxes of svg, png and pdf: "ramify", or "dot" for that program of Graphviz.
        timeout_s: the longest that the `dot` program may take, in seconds; it is killed then.
        path_env: where to look for it, as in `PATH`; the environment's unless given.

    Raises:
        ExportError: if the picture needs a package or a program that is missing or fails, or is too large to be read.
        UsageError: if there is no such format or layout, or the format has no layout.
    """
    if fmt not in FORMATS:
        raise UsageError(f"there is no graph format {fmt!r}; the formats are {', '.join(FORMATS)}")
    if layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}; the layouts are {', '.join(LAYOUTS)}")
    if layout == "dot":
        return _by_dot(view, fmt, timeout_s=timeout_s, path_env=path_env)
    if fmt == "png":
        return _png(view)
    data = paint(to_svg(view), fmt) if fmt == "pdf" else _WRITERS[fmt](view).encode()
    return Picture(data, fmt, "ramify")


def _png(view: GraphView) -> Picture:
    """Return `view` as PNG, folded until it can be read."""
    shown, svg = view, to_svg(view)
    while (scale := png_scale(svg)) < 1 < len(shown.nodes):
        fewer = within_limit(shown, max(1, int(len(shown.nodes) * min(scale, 0.75))))
        if len(fewer.nodes) == len(shown.nodes):
            break
        shown, svg = fewer, to_svg(fewer)
    hidden = len(view.nodes) - len(shown.nodes)
    note = f"a png of {len(view.nodes):,} boxes could not be read; this one shows {len(shown.nodes):,}, pdf and svg all"
    return Picture(paint(svg, "png"), "png", "ramify", note if hidden else "")


def _by_dot(view: GraphView, fmt: Format, *, timeout_s: float, path_env: str | None) -> Picture:
    if fmt not in {"svg", "png", "pdf"}:
        raise UsageError(f"{fmt} has no layout; ask dot for svg, png or pdf")
    program = shutil.which("dot", path=path_env)
    if program is None:
        complaint, advice = "the dot program of Graphviz is not on PATH", "install Graphviz"
    else:
        try:
            data, warning = run_dot(program, to_dot(view), fmt, timeout_s=timeout_s)
        except ExportError as error:
            complaint, advice = str(error), "show less (a depth, a focus, fewer boxes)"
        else:
            return Picture(data, fmt, "dot", warning)
    raise ExportError(f"dot drew no {fmt}: {complaint}; {advice}, or leave the layout to Ramify")


def save(
    view: GraphView,
    path: Path | str,
    *,
    fmt: Format | None = None,
    layout: LayoutName = "ramify",
    timeout_s: float = 30.0,
    path_env: str | None = None,
) -> Picture:
    """Draw `view` into the file at `path`; the format is that of its suffix unless given.

    Raises:
        ExportError: if the picture cannot be made, or the file cannot be written.
        UsageError: if the suffix names no format, or the format has no layout.
    """
    path = Path(path)
    picture = render(view, fmt or format_of(path), layout=layout, timeout_s=timeout_s, path_env=path_env)
    write_bytes(path, picture.data)
    return picture


def format_of(path: Path) -> Format:
    """Return the format that the suffix of `path` names.

    Raises:
        UsageError: if it names none.
    """
    return format_named_by(path, SUFFIXES, what="graph")
