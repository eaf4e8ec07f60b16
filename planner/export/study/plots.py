"""The pictures of a study: accuracy against what an item takes, with the Pareto front, and the gains with intervals."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import NamedTuple

from ramify.planner.export.labels import shorten, text_em
from ramify.planner.export.look import THEMES, Theme, ThemeName
from ramify.planner.export.shapes import Drawing, Line, Rectangle, Shape, Words, svg_of

from .advice import points
from .equal import curve, sampled_arm
from .figures import Figures, Versus
from .study import Study

_WIDTH, _HEIGHT = 720.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 26.0, 72.0, 52.0
_DOT = 5.0
_TICKS = 5
_NAME_EM = 18.0
_LINE = 15.0
_ROW = 34.0
_NAMES_WIDTH, _TOLD_WIDTH = 190.0, 130.0


class Plot(NamedTuple):
    """A picture of a study.

    Attributes:
        name: what it is called in addresses.
        words: what it shows, for who does not see it.
        draw: draws it in a theme, as SVG.
    """

    name: str
    words: str
    draw: Callable[[ThemeName], str]


def plots_of(study: Study) -> Iterator[Plot]:
    """Yield the pictures that there is something to show in."""
    yield Plot(
        "accuracy",
        "Accuracy against tokens, as in the tables",
        lambda theme: accuracy_plot(study, unit="tokens", theme=theme),
    )
    if any(each.cost_usd for each in study.figures):
        yield Plot(
            "cost",
            "Accuracy against cost, as in the tables",
            lambda theme: accuracy_plot(study, unit="USD", theme=theme),
        )
    if any(each.items for each in study.comparisons):
        yield Plot(
            "gains", f"Gains over {study.base.name}, with intervals", lambda theme: gains_plot(study, theme=theme)
        )


def to_svg(study: Study, *, theme: ThemeName = "light") -> str:
    """Return accuracy against the tokens of an item."""
    return accuracy_plot(study, unit="tokens", theme=theme)


def accuracy_plot(study: Study, *, unit: str, theme: ThemeName = "light") -> str:
    """Return accuracy against the tokens, or the dollars (`unit` "USD"), that an item takes.

    Each arm is a dot with its interval. The thick line is the Pareto front: no arm on it is beaten by one that takes
    less. The dashed line is what plain samples get with a vote, from one to as many as there are.
    """
    look = THEMES[theme]
    value = _cost if unit == "USD" else _tokens
    shown = [each for each in study.figures if each.items and value(each) is not None]
    sampled = sampled_arm(study)
    votes = [] if sampled is None else curve(study, sampled)
    line = [(cost if unit == "USD" else tokens, right) for tokens, cost, right in votes]
    path = [(used, right) for used, right in line if used is not None]
    most = max([*(value(each) or 0.0 for each in shown), *(used for used, _ in path)], default=1.0) or 1.0
    scale = _Scale(most=_round_up(most if unit == "USD" else max(most, 2 * _TICKS)), unit=unit)
    shapes: list[Shape] = [*_frame(scale, look)]
    shapes += [_curve(path, scale, look)] if len(path) > 1 else []
    shapes += _front(shown, value, scale, look)
    shapes += _dots(shown, value, scale, look)
    what = "cost" if unit == "USD" else "tokens"
    title = f"Accuracy against {what}"
    told = "; ".join(f"{each.arm.name}: {each.accuracy:.0%} at {scale.told(value(each) or 0.0)}" for each in shown)
    head = Words(x=_LEFT, y=24, text=f"{title}, {study.title}", fill=look.text, size=14, bold=True)
    legend = "thick: Pareto front" + ("; dashed: samples of one call, with a vote" if len(path) > 1 else "")
    key = Words(x=_LEFT, y=42, text=f"{legend}; thin: 95 % intervals", fill=look.muted)
    return svg_of(
        Drawing(
            width=_WIDTH, height=_HEIGHT, title=title, description=told, background=look.background,
            shapes=(head, key, *shapes),
        )
    )  # fmt: skip


def gains_plot(study: Study, *, theme: ThemeName = "light") -> str:
    """Return the gain of each arm over the first one, in points, with its interval."""
    look = THEMES[theme]
    shown = [each for each in study.comparisons if each.items]
    most = max([0.1, *(abs(end) for each in shown for end in each.between)])
    height = _TOP + _ROW * len(shown) + _BOTTOM
    left, right = _LEFT + _NAMES_WIDTH, _WIDTH - _RIGHT - _TOLD_WIDTH

    def place(gain: float) -> float:
        return left + (gain / most + 1) / 2 * (right - left)

    bottom = _TOP + _ROW * len(shown)
    shapes: list[Shape] = [
        Words(x=_LEFT, y=24, text=f"Gain over {study.base.name}, in points", fill=look.text, size=14, bold=True),
        Words(x=_LEFT, y=42, text="95 % intervals; left of the line, an arm does worse", fill=look.muted),
        Line(points=((place(0), _TOP), (place(0), bottom)), stroke=look.edge),
    ]
    for gain in (-most, 0.0, most):
        words = points(gain)
        shapes.append(Words(x=place(gain), y=bottom + 18, text=words, fill=look.muted, anchor="middle"))
    for row, each in enumerate(shown):
        shapes += _gain_row(each, _TOP + _ROW * (row + 0.5), place, right, look)
    told = "; ".join(f"{each.arm.name}: {points(each.gain)}" for each in shown)
    return svg_of(
        Drawing(
            width=_WIDTH, height=height, title=f"Gain over {study.base.name}", description=told,
            background=look.background, shapes=tuple(shapes),
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scale:
    """From figures to places: what an item takes from 0 to `most`, accuracy from 0 to 1."""

    most: float
    unit: str

    def x(self, used: float) -> float:
        return _LEFT + used / self.most * (_WIDTH - _LEFT - _RIGHT)

    def y(self, accuracy: float) -> float:
        return _HEIGHT - _BOTTOM - accuracy * (_HEIGHT - _TOP - _BOTTOM)

    def told(self, used: float) -> str:
        return f"${used:.6g}" if self.unit == "USD" else f"{used:,.0f} tokens"


def _frame(scale: _Scale, look: Theme) -> Iterator[Shape]:
    for step in range(_TICKS + 1):
        share, used = step / _TICKS, scale.most * step / _TICKS
        across, up = scale.x(used), scale.y(share)
        yield Line(points=((_LEFT, up), (_WIDTH - _RIGHT, up)), stroke=look.grid)
        yield Words(x=_LEFT - 8, y=up + 4, text=f"{share:.0%}", fill=look.muted, anchor="end")
        words = f"${used:.3g}" if scale.unit == "USD" else f"{used:,.0f}"
        yield Words(x=across, y=_HEIGHT - _BOTTOM + 18, text=words, fill=look.muted, anchor="middle")
    axis = "US dollars per item" if scale.unit == "USD" else "tokens per item (prompt and reply)"
    yield Words(x=_WIDTH - _RIGHT, y=_HEIGHT - 12, text=axis, fill=look.muted, anchor="end")


def _curve(path: Sequence[tuple[float, float]], scale: _Scale, look: Theme) -> Line:
    places = tuple((scale.x(used), scale.y(right)) for used, right in path)
    return Line(points=places, stroke=look.edge, width=1.5, dashes="5 4")


def _front(
    shown: Sequence[Figures], value: Callable[[Figures], float | None], scale: _Scale, look: Theme
) -> Iterator[Line]:
    """Draw the line through the arms that none is better than for less."""
    best = -1.0
    places: list[tuple[float, float]] = []
    for each in sorted(shown, key=lambda each: (value(each) or 0.0, -each.accuracy)):
        if each.accuracy > best:
            x = scale.x(value(each) or 0.0)
            places += [(x, scale.y(best))] if places else []
            places.append((x, scale.y(each.accuracy)))
            best = each.accuracy
    if places:
        yield Line(points=(*places, (_WIDTH - _RIGHT, places[-1][1])), stroke=look.dependency, width=2.5)


def _dots(
    shown: Sequence[Figures], value: Callable[[Figures], float | None], scale: _Scale, look: Theme
) -> Iterator[Shape]:
    taken: list[tuple[float, float, float]] = []
    for each in shown:
        used = value(each) or 0.0
        x, y = scale.x(used), scale.y(each.accuracy)
        low, high = (scale.y(end) for end in each.between)
        yield Line(points=((x, low), (x, high)), stroke=look.muted)
        for end in (low, high):
            yield Line(points=((x - 4, end), (x + 4, end)), stroke=look.muted)
        low_share, high_share = each.between
        told = f"{each.arm.name}: {each.accuracy:.1%} ({low_share:.0%} to {high_share:.0%}), {scale.told(used)}"
        colour = look.critical if each.arm.splits else look.dependency
        yield Rectangle(
            x=x - _DOT, y=y - _DOT, width=2 * _DOT, height=2 * _DOT, fill=colour, stroke=look.background,
            radius=0.0 if each.arm.splits else _DOT, title=told,
        )  # fmt: skip
        yield _label(each.arm.name, x, y, taken, look)


def _label(name: str, x: float, y: float, taken: list[tuple[float, float, float]], look: Theme) -> Words:
    """Return the name beside its dot, where no other name stands."""
    text = shorten(name, width_em=_NAME_EM)
    width = text_em(text) * 12
    is_left = x + 10 + width > _WIDTH - _RIGHT
    start = x - 10 - width if is_left else x + 10
    offsets = (-7.0, 17.0, -7 - _LINE, 17 + _LINE, -7 - 2 * _LINE, 17 + 2 * _LINE, 17 + 3 * _LINE)

    def is_free(offset: float) -> bool:
        return all(
            abs(y + offset - other) >= _LINE or start >= end or start + width <= begin for begin, end, other in taken
        )

    offset = next(filter(is_free, offsets), -7.0)
    taken.append((start, start + width, y + offset))
    return Words(x=start, y=y + offset, text=text, fill=look.text)


def _gain_row(versus: Versus, y: float, place: Callable[[float], float], right: float, look: Theme) -> Iterator[Shape]:
    low, high = versus.between
    yield Words(x=_LEFT, y=y + 4, text=shorten(versus.arm.name, width_em=_NAME_EM), fill=look.text)
    yield Line(points=((place(low), y), (place(high), y)), stroke=look.muted, width=2)
    colour = look.critical if versus.arm.splits else look.dependency
    x = place(versus.gain)
    yield Rectangle(
        x=x - _DOT, y=y - _DOT, width=2 * _DOT, height=2 * _DOT, fill=colour,
        radius=0.0 if versus.arm.splits else _DOT, title=f"{versus.arm.name}: {points(versus.gain)} points",
    )  # fmt: skip
    told = f"{points(versus.gain)} ({points(low)} to {points(high)})"
    yield Words(x=right + 18, y=y + 4, text=told, fill=look.muted)


def _tokens(figures: Figures) -> float | None:
    return figures.tokens


def _cost(figures: Figures) -> float | None:
    return figures.cost_usd


def _round_up(value: float) -> float:
    """Return the next round figure that leaves some room above `value`.

    >>> [_round_up(value) for value in (830, 1010, 0.0042)]
    [1000.0, 1500.0, 0.005]
    """
    size = 10.0 ** floor(log10(value))
    return next(
        step * size for step in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0) if step * size >= 1.04 * value
    )
