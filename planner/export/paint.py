"""Our own SVG as PNG or PDF, painted by Typst from the extra `render`; the only file that knows it.

A PNG is twice as large as the picture while that stays within what programs open; a picture that does not fit at its
own size is refused, as nobody could read it. A PDF keeps lines and words, so it is made smaller where it has to be.
"""

import re
from math import sqrt
from typing import Literal

from ramify.planner.errors import ExportError

PaintedFormat = Literal["png", "pdf"]

_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
_SCALE = 2.0
_MOST_PIXELS = 40_000_000
_LONGEST_SIDE = 32_000
_POINTS = 0.75  # of a pixel
_LONGEST_PAGE = 14_400  # points. Source: ISO 32000-1, annex C


def paint(svg: str, fmt: PaintedFormat) -> bytes:
    """Return one of our SVG documents as a file of format `fmt`.

    Raises:
        ExportError: if Typst is not installed or fails, or no PNG of that size could be read.
    """
    try:
        import typst
    except ImportError:
        raise ExportError(
            f"no {fmt} could be made: that needs the package typst; install it with `pip install 'ramify[render]'`, let"
            " Graphviz lay it out with --layout dot (layout='dot'), or export to svg, which needs neither"
        ) from None
    width, height = _size(svg)
    scale = png_scale(svg)
    if fmt == "png" and scale < 1:
        raise ExportError(
            f"no png could be made: it would have {width:,.0f} by {height:,.0f} pixels, which few programs open; show"
            " less (a depth, a focus, fewer boxes or bars), or export to pdf or svg, which have no such limit"
        )
    unit, dots_per_inch = (1.0, 72 * scale) if fmt == "png" else (_page_unit(width, height), 72.0)
    size = f"width: {width * unit:.3f}pt, height: {height * unit:.3f}pt"
    source = f'#set page({size}, margin: 0pt)\n#image(bytes(sys.inputs.picture), format: "svg", {size})\n'
    try:
        return typst.compile(source.encode(), format=fmt, ppi=dots_per_inch, sys_inputs={"picture": svg})
    except Exception as error:
        raise ExportError(f"no {fmt} could be made: Typst failed: {error}; export to svg instead") from error


def png_scale(svg: str) -> float:
    """Return how many pixels may stand for one of the picture's, at most 2; below 1, nobody could read it."""
    width, height = _size(svg)
    return min(_SCALE, sqrt(_MOST_PIXELS / (width * height)), _LONGEST_SIDE / max(width, height))


def _size(svg: str) -> tuple[float, float]:
    found = _SIZE.match(svg)
    if found is None:
        raise ExportError("no picture could be made: the SVG does not say its size; this is a bug in Ramify")
    return float(found[1]), float(found[2])


def _page_unit(width: float, height: float) -> float:
    return min(_POINTS, _LONGEST_PAGE / max(width, height))
