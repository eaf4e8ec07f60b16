"""The shapes that pictures other than trees are made of, and how they become SVG.

Words are escaped and cleaned here; every other thing in a shape is a number of ours or a name from the table of
colours. The file has no script, no link, no style sheet and no id, so that several can stand in one page.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Literal

from .labels import one_line
from .look import FONT

TEXT_SIZE = 12

Anchor = Literal["start", "middle", "end"]
_Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A rectangle; `title` is shown to who points at it."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    stroke: str = "none"
    stroke_width: float = 1.0
    dashes: str = ""
    radius: float = 0.0
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through `points`; with a `fill`, what it encloses is filled."""

    points: tuple[_Place, ...]
    stroke: str
    width: float = 1.0
    dashes: str = ""
    fill: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One line of text, its baseline at `y`."""

    x: float
    y: float
    text: str
    fill: str
    size: int = TEXT_SIZE
    bold: bool = False
    anchor: Anchor = "start"


Shape = Rectangle | Line | Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture: its size, what it is called and tells, its background, and its shapes from back to front."""

    width: float
    height: float
    title: str
    description: str
    background: str
    shapes: tuple[Shape, ...]


def svg_of(drawing: Drawing) -> str:
    """Write `drawing` as an SVG document."""
    width, height = _number(drawing.width), _number(drawing.height)
    title = escape(one_line(drawing.title))
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{title}" font-family="{FONT}" font-size="{TEXT_SIZE}">'
    )
    parts = [
        opening,
        f"<title>{title}</title>",
        f"<desc>{escape(one_line(drawing.description))}</desc>",
        f'<rect width="100%" height="100%" fill="{drawing.background}"/>',
        *_elements(drawing.shapes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def within_cell(svg: str) -> str:
    """Return one of our SVG documents such that a page in which it stands makes it no wider than its column."""
    return svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)


def _elements(shapes: Iterable[Shape]) -> Iterator[str]:
    for look, alike in groupby(shapes, _look_of):
        if look is not None:
            yield _rectangles(look, list(alike))
        else:
            yield from map(_element, alike)


def _element(shape: Shape) -> str:
    if isinstance(shape, Rectangle):
        return _rectangle(shape)
    return _line(shape) if isinstance(shape, Line) else _words(shape)


def _look_of(shape: Shape) -> tuple[str, str, float] | None:
    """Return the look of a rectangle that others of the same look can be drawn with, as one path; None if none can."""
    if not isinstance(shape, Rectangle) or shape.title or shape.radius or shape.dashes:
        return None
    return shape.fill, shape.stroke, shape.stroke_width


def _rectangles(look: tuple[str, str, float], shapes: Sequence[Shape]) -> str:
    """Return rectangles of one look: a fifth of the text that each by itself would be."""
    boxes = [shape for shape in shapes if isinstance(shape, Rectangle)]
    if len(boxes) == 1:
        return _rectangle(boxes[0])
    fill, stroke, width = look
    path = []
    before_x = before_y = 0.0
    for box in boxes:  # each from where the one before began, which takes fewer digits
        x, y, across = round(box.x, 2), round(box.y, 2), _number(box.width)
        path.append(f"m{_number(x - before_x)} {_number(y - before_y)}h{across}v{_number(box.height)}h-{across}z")
        before_x, before_y = x, y
    return f'<path d="{"".join(path)}" fill="{fill}"{_stroke(stroke, width, "")}/>'


def _rectangle(shape: Rectangle) -> str:
    place = f'x="{_number(shape.x)}" y="{_number(shape.y)}"'
    size = f'width="{_number(shape.width)}" height="{_number(shape.height)}"'
    radius = f' rx="{_number(shape.radius)}"' if shape.radius else ""
    outline = _stroke(shape.stroke, shape.stroke_width, shape.dashes)
    start = f'<rect {place} {size}{radius} fill="{shape.fill}"{outline}'
    return f"{start}><title>{escape(one_line(shape.title))}</title></rect>" if shape.title else f"{start}/>"


def _line(shape: Line) -> str:
    (x, y), *others = shape.points
    path = f"M{_number(x)} {_number(y)}" + "".join(f"L{_number(x)} {_number(y)}" for x, y in others)
    return f'<path d="{path}" fill="{shape.fill}"{_stroke(shape.stroke, shape.width, shape.dashes)}/>'


def _words(shape: Words) -> str:
    font = "" if shape.size == TEXT_SIZE else f' font-size="{shape.size}"'
    bold = ' font-weight="bold"' if shape.bold else ""
    anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
    place = f'x="{_number(shape.x)}" y="{_number(shape.y)}"'
    return f'<text {place} fill="{shape.fill}"{font}{bold}{anchor}>{escape(one_line(shape.text))}</text>'


def _stroke(colour: str, width: float, dashes: str) -> str:
    if colour == "none":
        return ""
    return f' stroke="{colour}" stroke-width="{_number(width)}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _number(value: float) -> str:
    """Return `value` as short as a picture needs it.

    >>> [_number(value) for value in (3.0, 2.4567, 0.1)]
    ['3', '2.46', '0.1']
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")
