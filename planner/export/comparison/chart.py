"""A chart of what variants took: a row a variant, a column of bars each for time, tokens and cost."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ramify.planner.export.labels import format_cost, shorten
from ramify.planner.export.look import THEMES, Theme, ThemeName
from ramify.planner.export.shapes import Drawing, Rectangle, Shape, Words, svg_of
from ramify.planner.runtime.durations import format_duration
from ramify.tasks.counting import counted

from .content import Comparison, Variant

MOST_BARS = 60
_ROW, _BAR, _TOP, _EDGE = 26.0, 14.0, 56.0, 16.0
_NAME_WIDTH, _COLUMN_WIDTH, _VALUE_WIDTH = 300.0, 190.0, 80.0
_NAME_EM = 23.0


class _Measure(NamedTuple):
    """One column of bars: what it is called, its value, None if unknown, and the value as a text."""

    title: str
    value: Callable[[Variant], float | None]
    text: Callable[[Variant], str]


def _cost(variant: Variant) -> float | None:
    return None if variant.usage.calls_without_cost else variant.usage.cost_usd


_MEASURES = (
    _Measure("time", lambda each: each.seconds, lambda each: format_duration(each.seconds or 0.0)),
    _Measure("tokens", lambda each: float(each.usage.tokens), lambda each: f"{each.usage.tokens:,}"),
    _Measure("cost", _cost, lambda each: format_cost(each.usage)),
)


def to_svg(comparison: Comparison, *, theme: ThemeName = "light") -> str:
    """Return the chart; above `MOST_BARS` variants the first ones are drawn, and it is said how many are not."""
    look = THEMES[theme]
    shown = comparison.variants[:MOST_BARS]
    left_out = len(comparison.variants) - len(shown)
    shapes = [Words(x=_EDGE, y=24, text=shorten(comparison.title, width_em=50), fill=look.text, size=14, bold=True)]
    body: list[Shape] = [*shapes, *_names(shown, look)]
    for number, measure in enumerate(_MEASURES):
        body += _bars(shown, measure, _EDGE + _NAME_WIDTH + number * (_COLUMN_WIDTH + _VALUE_WIDTH), look)
    height = _TOP + len(shown) * _ROW + _EDGE
    if left_out:
        words = f"and {counted(left_out, 'more variant')}, not drawn"
        body.append(Words(x=_EDGE, y=height, text=words, fill=look.muted))
        height += _EDGE
    return svg_of(
        Drawing(
            width=2 * _EDGE + _NAME_WIDTH + len(_MEASURES) * (_COLUMN_WIDTH + _VALUE_WIDTH),
            height=height,
            title=f"What {comparison.title} took",
            description=f"Goal: {comparison.goal}. "
            + "; ".join(f"{each.name}: {', '.join(each.cells()[3:])}" for each in shown),
            background=look.background,
            shapes=tuple(body),
        )
    )


def _names(variants: tuple[Variant, ...], look: Theme) -> Iterator[Shape]:
    for row, variant in enumerate(variants):
        text = shorten(variant.name, width_em=_NAME_EM)
        yield Words(x=_EDGE, y=_TOP + row * _ROW + _BAR - 2, text=text, fill=look.text)


def _bars(variants: tuple[Variant, ...], measure: _Measure, left: float, look: Theme) -> Iterator[Shape]:
    yield Words(x=left, y=44, text=measure.title, fill=look.muted)
    values = [measure.value(each) for each in variants]
    largest = max((value for value in values if value), default=0.0)
    for row, (variant, value) in enumerate(zip(variants, values, strict=True)):
        y = _TOP + row * _ROW
        width = (value or 0.0) / largest * _COLUMN_WIDTH if largest else 0.0
        text = "unknown" if value is None else measure.text(variant)
        if width:
            yield Rectangle(x=left, y=y, width=max(1.0, width), height=_BAR, fill=look.dependency, radius=2)
        yield Words(x=left + width + 6, y=y + _BAR - 2, text=text, fill=look.muted)
