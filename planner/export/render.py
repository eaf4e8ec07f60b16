"""A view as a file: text formats are written here, pictures by the `dot` program where it is, else our own SVG.

format    written by
dot       to_dot
mermaid   to_mermaid
graphml   to_graphml
svg       dot; else Graphviz as WebAssembly, if it is installed; else to_svg, as where leaves are set in columns
png, pdf  dot, or not at all
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ramify.planner.errors import ExportError, UsageError
from ramify.planner.output_files import format_named_by, write_bytes

from .columns import usual_breaking
from .dot import to_dot
from .dot_program import run_dot
from .graphml import to_graphml
from .mermaid import to_mermaid
from .svg import to_svg
from .view import GraphView
from .wasm_dot import can_draw, wasm_svg

Format = Literal["dot", "mermaid", "graphml", "svg", "png", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)

SUFFIXES: dict[str, Format] = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}
SUFFIXES |= {f".{name}": name for name in FORMATS if name not in {"dot", "mermaid"}}
_WRITERS: Mapping[str, Callable[[GraphView], str]] = {"dot": to_dot, "mermaid": to_mermaid, "graphml": to_graphml}


@dataclass(frozen=True, slots=True)
class Picture:
    """What was drawn.

    Attributes:
        data: the whole file.
        format: its format.
        drawn_by: "dot", "wasm" for Graphviz as WebAssembly, or "ramify" for our own.
        note: what a person should know about how it was made; empty if there is nothing.
    """

    data: bytes
    format: Format
    drawn_by: Literal["dot", "wasm", "ramify"]
    note: str = ""


def render(view: GraphView, fmt: Format, *, timeout_s: float = 30.0, path_env: str | None = None) -> Picture:
    """Draw `view` as a file of format `fmt`.

    Args:
        view: what to draw.
        fmt: one of `FORMATS`.
        timeout_s: the longest that the `dot` program may take, in seconds; it is killed then.
        path_env: where to look for it, as in `PATH`; the environment's unless given.

    Raises:
        ExportError: if the picture needs `dot`, and that is missing, fails or takes too long.
        UsageError: if there is no such format.
    """
    write = _WRITERS.get(fmt)
    if write is not None:
        return Picture(write(view).encode(), fmt, "ramify")
    if fmt not in FORMATS:
        raise UsageError(f"there is no graph format {fmt!r}; the formats are {', '.join(FORMATS)}")
    if fmt == "svg" and usual_breaking(view) is not None:
        return Picture(to_svg(view).encode(), fmt, "ramify")
    program = shutil.which("dot", path=path_env)
    if program is None:
        complaint = "the dot program of Graphviz is not on PATH"
    else:
        try:
            data, warning = run_dot(program, to_dot(view), fmt, timeout_s=timeout_s)
        except ExportError as error:
            complaint = str(error)
        else:
            return Picture(data, fmt, "dot", warning)
    if fmt == "svg":
        return _svg_without_dot(view, complaint)
    advice = "install Graphviz" if program is None else "show less (a depth, a focus, fewer boxes)"
    raise ExportError(f"no {fmt} could be made: {complaint}; {advice}, or export to svg, which Ramify draws itself")


def _svg_without_dot(view: GraphView, complaint: str) -> Picture:
    note = f"drawn without dot: {complaint}"
    if can_draw(view):
        with suppress(ExportError):
            return Picture(wasm_svg(view), "svg", "wasm", note)
    return Picture(to_svg(view).encode(), "svg", "ramify", note)


def save(
    view: GraphView,
    path: Path | str,
    *,
    fmt: Format | None = None,
    timeout_s: float = 30.0,
    path_env: str | None = None,
) -> Picture:
    """Draw `view` into the file at `path`; the format is that of its suffix unless given.

    Raises:
        ExportError: if the picture cannot be made, or the file cannot be written.
        UsageError: if the suffix names no format.
    """
    path = Path(path)
    picture = render(view, fmt or format_of(path), timeout_s=timeout_s, path_env=path_env)
    write_bytes(path, picture.data)
    return picture


def format_of(path: Path) -> Format:
    """Return the format that the suffix of `path` names.

    Raises:
        UsageError: if it names none.
    """
    return format_named_by(path, SUFFIXES, what="graph")
