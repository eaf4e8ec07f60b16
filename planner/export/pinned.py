r"""The shapes of a drawing as DOT with every place given, from which Graphviz makes PNG and PDF without a layout.

Rectangles, words and plain straight lines are boxes, which keeps them in order; what is slanted or dashed is an edge
and lies above. Words are escaped, as `dot` reads `\N`, `&amp;` and `<...>` even there. Lengths are points.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from .labels import one_line, text_em
from .shapes import Drawing, Line, Rectangle, Shape, Words

_POINTS = 72
_ENDS = 2
_FONT = "Helvetica,Arial,sans-serif"
_ROOM = 1.2  # what a font may be wider than estimated
_PEN = {"2 3": "dotted"}
_MOST_CORNERS = 200
"""Corners of one edge: `dot` reads no text of more than 16,384 characters."""

PINNED_OPTIONS = ("-Kneato", "-n2")
"""The options with which `dot` leaves everything where it is."""


def to_pinned_dot(drawing: Drawing) -> str:
    """Write `drawing` as a DOT document, to be drawn with `PINNED_OPTIONS`."""
    import graphviz  # type: ignore[import-untyped]

    attributes = {"bgcolor": drawing.background, "outputorder": "nodesfirst", "pad": "0", "notranslate": "true"}
    graph = graphviz.Digraph("drawing", graph_attr={**attributes, "charset": "UTF-8"})
    graph.attr("node", shape="box", label="", fixedsize="true", margin="0", fontname=_FONT)
    graph.attr("edge", arrowhead="none")
    whole = Rectangle(x=0, y=0, width=drawing.width, height=drawing.height, fill=drawing.background)
    for number, shape in enumerate(_simple([whole, *drawing.shapes])):
        name = f"s{number}"
        if isinstance(shape, Rectangle):
            graph.node(name, **_box(shape, drawing.height))
        elif isinstance(shape, Words):
            graph.node(name, **_words(shape, drawing.height))
        else:
            for end, point in ((f"{name}a", shape.points[0]), (f"{name}b", shape.points[-1])):
                graph.node(
                    end, shape="point", style="invis", width="0.01", height="0.01", pos=_at(point, drawing.height)
                )
            graph.edge(f"{name}a", f"{name}b", **_edge(shape, drawing.height))
    return str(graph.source)


def _simple(shapes: Iterable[Shape]) -> Iterator[Shape]:
    """Yield `shapes`, straight lines as thin rectangles, and what a line encloses as rectangles below it."""
    for shape in shapes:
        if not isinstance(shape, Line):
            yield shape
            continue
        if shape.fill != "none":
            yield from _below(shape)
        (left, top), (right, bottom) = shape.points[0], shape.points[-1]
        is_straight = len(shape.points) == _ENDS and (left == right or top == bottom)
        if not is_straight or shape.dashes:
            yield from _pieces(shape)
            continue
        half = shape.width / 2
        if left == right:
            yield Rectangle(x=left - half, y=top, width=shape.width, height=bottom - top, fill=shape.stroke)
        else:
            yield Rectangle(x=left, y=top - half, width=right - left, height=shape.width, fill=shape.stroke)


def _pieces(line: Line) -> Iterator[Line]:
    for start in range(0, len(line.points) - 1, _MOST_CORNERS):
        yield replace(line, points=line.points[start : start + _MOST_CORNERS + 1])


def _below(line: Line) -> Iterator[Rectangle]:
    base = line.points[0][1]
    for (left, top), (right, end) in pairwise(line.points):
        if top == end and right > left and base > top:
            yield Rectangle(x=left, y=top, width=right - left, height=base - top, fill=line.fill)


def _box(shape: Rectangle, height: float) -> dict[str, str]:
    has_outline = shape.stroke != "none"
    style = ["filled"] if shape.fill != "none" else []
    style += [_PEN.get(shape.dashes, "dashed")] if shape.dashes else []
    return {
        "pos": _at((shape.x + shape.width / 2, shape.y + shape.height / 2), height),
        "width": _inches(shape.width),
        "height": _inches(shape.height),
        "style": ",".join(style) or "solid",
        "fillcolor": shape.fill if shape.fill != "none" else "transparent",
        "color": shape.stroke if has_outline else "transparent",
        "penwidth": f"{shape.stroke_width:g}" if has_outline else "0",
    }


def _words(shape: Words, height: float) -> dict[str, str]:
    width = text_em(shape.text) * shape.size * _ROOM + 2
    middle = {"start": shape.x + width / 2, "middle": shape.x, "end": shape.x - width / 2}[shape.anchor]
    side = {"start": r"\l", "middle": "", "end": r"\r"}[shape.anchor]
    words = one_line(shape.text).replace("&", "&amp;").replace("\\", "\\\\")
    return {
        "shape": "plaintext",
        "pos": _at((middle, shape.y - 0.35 * shape.size), height),
        "width": _inches(width),
        "height": _inches(shape.size * 1.3),
        "label": f"{words or ' '}{side}",
        "fontsize": str(shape.size),
        "fontcolor": shape.fill,
        "fontname": "Helvetica-Bold,Arial Bold,sans-serif bold" if shape.bold else _FONT,
    }


def _edge(shape: Line, height: float) -> dict[str, str]:
    corners = [f"{x:.2f},{height - y:.2f}" for x, y in shape.points]
    path = [corners[0]]
    for start, end in pairwise(corners):
        path += [start, end, end]  # a straight piece, as a curve
    return {
        "pos": " ".join(path),
        "color": shape.stroke,
        "penwidth": f"{shape.width:g}",
        "style": _PEN.get(shape.dashes, "dashed") if shape.dashes else "solid",
    }


def _at(point: tuple[float, float], height: float) -> str:
    return f"{point[0]:.2f},{height - point[1]:.2f}"


def _inches(length: float) -> str:
    return f"{max(length, 0.1) / _POINTS:.5f}"
