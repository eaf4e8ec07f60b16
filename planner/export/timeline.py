"""A timeline as a picture: a row of bars for each task, and beneath them how many were at work at the same time.

Nothing is told by colour alone: how an attempt ended is also the kind of its outline, and a cross where it failed.
Above `MOST_BARS` tasks, those that failed and those that took longest have rows; all others are packed into lanes
below. The time is linear in the spans, but for the sorting.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ramify.planner.errors import UsageError
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import TaskState
from ramify.tasks.counting import counted

from .labels import one_line, shorten, shorten_middle, text_em, wrap
from .lanes import LaneBar, lanes_of
from .look import THEMES, Theme, ThemeName
from .shapes import Drawing, Line, Rectangle, Shape, Words, svg_of
from .time_axis import TimeAxis
from .times import Span, SpanKind, TimedTask, Timeline
from .view import state_counts

MOST_BARS = 100
"""The rows that a timeline has unless more are asked for."""

_WIDTH = 1000
_MARGIN = 24
_LABELS = 280
_RIGHT_ROOM = 62  # for the duration behind a bar that reaches to the end
_LEFT = _MARGIN + _LABELS
_PLOT = _WIDTH - _LEFT - _MARGIN - _RIGHT_ROOM
_SMALL = 11
_TITLE = 17
_LINE = 16
_ROW, _LOW_ROW, _FEW_ROWS = 22, 16, 60
_LANE = 9
_MOST_MARKS = 8
_CURVE = 84
_LEAST_BAR = 1.5
_ID_EM = 9.0
_MOST_TIP_CHARACTERS = 500
_PATH_EM = 45
_CRITICAL = "on the critical path"

_KIND_WORDS: dict[SpanKind, str] = {
    "done": "done",
    "failed": "failed",
    "released": "not finished",
    "running": "running",
    "plan": "planning",
    "wait": "wait before the next attempt",
}
_STATE_OF_KIND = {
    "done": TaskState.DONE,
    "failed": TaskState.FAILED,
    "released": TaskState.OPEN,
    "running": TaskState.RUNNING,
}
_DASHES: dict[SpanKind, str] = {"released": "2 3", "running": "6 3", "plan": "", "wait": "2 3"}


def to_timeline_svg(timeline: Timeline, *, theme: ThemeName = "light", max_bars: int | None = MOST_BARS) -> str:
    """Draw `timeline` as an SVG document.

    Args:
        timeline: what ran when.
        theme: "light", "dark", or "print" for black and white.
        max_bars: the most tasks with a row of their own; None gives one to each.

    Raises:
        UsageError: if `max_bars` is below 1.
    """
    return svg_of(draw_timeline(timeline, theme=theme, max_bars=max_bars))


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A timeline with everything that its picture needs worked out but the colours, for pictures in several themes."""

    timeline: Timeline
    axis: TimeAxis
    shown: list[TimedTask]
    folded: list[TimedTask]
    lanes: list[list[LaneBar]]
    steps: "list[_Step]"
    most: int


def laid_out(timeline: Timeline, *, max_bars: int | None = MOST_BARS) -> LaidOut:
    """Return `timeline` with its rows, lanes and curve; otherwise as `to_timeline_svg`."""
    if max_bars is not None and max_bars < 1:
        raise UsageError(f"max_bars is {max_bars}; a timeline has at least one bar, so give 1 or more")
    shown, folded = _fold(timeline.tasks, max_bars)
    axis = TimeAxis(timeline.seconds, _PLOT, pauses=timeline.pauses)
    counts = timeline.concurrency()
    most = max((count for _, count in counts), default=0)
    return LaidOut(timeline, axis, shown, folded, lanes_of(folded, axis), _steps(counts, axis), most)


def draw_timeline(
    given: Timeline | LaidOut, *, theme: ThemeName = "light", max_bars: int | None = MOST_BARS
) -> Drawing:
    """Return the shapes of a timeline; otherwise as `to_timeline_svg`."""
    laid = given if isinstance(given, LaidOut) else laid_out(given, max_bars=max_bars)
    timeline, axis, shown, folded, lanes = laid.timeline, laid.axis, laid.shown, laid.folded, laid.lanes
    look = THEMES[theme]
    header, top = _header(timeline, shown, folded, look)
    row = _ROW if len(shown) <= _FEW_ROWS else _LOW_ROW
    folded_top = top + row * len(shown) + (_LANE if folded else 0)
    bottom = max(folded_top + _LANE * len(lanes), folded_top + _LINE * bool(folded))
    curve_top = bottom + 46
    curve_bottom = curve_top + _CURVE
    height = curve_bottom + 46 + _MARGIN
    shapes = [
        *header,
        *_grid(timeline, axis, (top, bottom), (curve_top, curve_bottom), look),
        *_rows(shown, axis, top, row, look),
        *_critical_rows(timeline, shown, top, row, look),
        *_folded_lanes(folded, lanes, folded_top, look),
        *_curve(laid, curve_top, look),
        Words(x=_MARGIN, y=height - 16, text=f"Ramify · {_maker(timeline)}", fill=look.muted, size=_SMALL),
    ]
    return Drawing(
        width=_WIDTH, height=height, title=f"Timeline: {timeline.title}", description=_summary(timeline),
        background=look.background, shapes=tuple(shapes),
    )  # fmt: skip


def _fold(tasks: Sequence[TimedTask], most: int | None) -> tuple[list[TimedTask], list[TimedTask]]:
    """Return the tasks that get a row, and the others, both in order."""
    if most is None or len(tasks) <= most:
        return list(tasks), []
    ranked = sorted(tasks, key=lambda task: (task.state is not TaskState.FAILED, -task.busy_s))
    kept = {task.id for task in ranked[:most]}
    return [task for task in tasks if task.id in kept], [task for task in tasks if task.id not in kept]


def _maker(timeline: Timeline) -> str:
    if timeline.made_by is None:
        return "the model is not recorded"
    return f"answers by {shorten(one_line(timeline.made_by), width_em=45)}"


def _summary(timeline: Timeline) -> str:
    counts = state_counts(Counter(task.state for task in timeline.tasks))
    total = len(timeline.tasks)
    words = f"{counted(total, 'task')} in {format_duration(timeline.active_s())}: {counts}"
    if not total:
        words = "no task has run yet"
    elif timeline.idle_tasks:
        words += f"; {timeline.idle_tasks:,} not started"
    return f"{words} · started {datetime.fromtimestamp(timeline.started_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _paces(timeline: Timeline) -> Iterator[str]:
    """Yield how long the run was expected to take, and how long its critical path took, if there is such a thing."""
    words = [] if timeline.expected_s is None else [f"expected {format_duration(timeline.expected_s)}"]
    if len(timeline.critical_path) > 1:
        path = shorten(" > ".join(map(one_line, timeline.critical_path)), width_em=_PATH_EM)
        words.append(f"critical path {format_duration(timeline.critical_path_s)}: {path}")
    if words:
        yield " · ".join(words)


def _header(
    timeline: Timeline, shown: Sequence[TimedTask], folded: Sequence[TimedTask], look: Theme
) -> tuple[list[Shape], int]:
    """Return title, counts and legend, and where the rows begin."""
    shapes: list[Shape] = []
    y = _MARGIN
    for line in wrap(timeline.title, width_em=(_WIDTH - 2 * _MARGIN) / _TITLE * 0.88, lines=2):
        y += _TITLE
        shapes.append(Words(x=_MARGIN, y=y, text=line, fill=look.text, size=_TITLE, bold=True))
        y += 5
    lines = [_summary(timeline), *_paces(timeline)]
    if folded:
        lines.append(
            f"{len(shown):,} of {len(timeline.tasks):,} tasks have rows: those that failed, then those that took"
            " longest; the others are packed below them"
        )
    for line in lines:
        y += _LINE
        shapes.append(Words(x=_MARGIN, y=y, text=line, fill=look.muted))
    y += 24
    shapes += _legend(timeline, y, look)
    return shapes, y + 44


def _legend(timeline: Timeline, y: float, look: Theme) -> Iterator[Shape]:
    kinds = {span.kind for task in timeline.tasks for span in task.spans}
    x = float(_MARGIN)
    for kind, words in _KIND_WORDS.items():
        if kind in kinds:
            yield from _bar(Span(0, 1, kind), (x, x + 22), (y - 10, 12), look)
            yield Words(x=x + 29, y=y, text=words, fill=look.text, size=_SMALL)
            x += 44 + text_em(words) * _SMALL
    if any(task.calls for task in timeline.tasks):
        yield _call((x, x + 22), y - 1, look)
        yield Words(x=x + 28, y=y, text="model call", fill=look.text, size=_SMALL)
        x += 44 + text_em("model call") * _SMALL
    if len(timeline.critical_path) > 1:
        yield _critical(x, y - 10, 12, look)
        yield Words(x=x + 10, y=y, text=_CRITICAL, fill=look.text, size=_SMALL)
        x += 26 + text_em(_CRITICAL) * _SMALL
    if timeline.waits:
        yield Rectangle(x=x, y=y - 10, width=22, height=12, fill=look.states[TaskState.RUNNING].fill)
        yield Words(x=x + 28, y=y, text="the whole run waits", fill=look.text, size=_SMALL)


def _grid(
    timeline: Timeline, axis: TimeAxis, rows: tuple[float, float], curve: tuple[float, float], look: Theme
) -> Iterator[Shape]:
    """Yield what lies behind the bars: waits of the whole run, marks of the time, pauses."""
    top, bottom = rows[0] - 4, curve[1]
    for start, end in timeline.waits:
        left, right = axis.place(start), axis.place(end)
        fill = look.states[TaskState.RUNNING].fill
        yield Rectangle(
            x=_LEFT + left, y=top, width=max(_LEAST_BAR, right - left), height=bottom - top, fill=fill,
            title=f"the whole run waits: {format_duration(end - start)}",
        )  # fmt: skip
    for place, words in axis.marks(_MOST_MARKS):
        x = _LEFT + place
        yield Line(points=((x, top), (x, bottom)), stroke=look.grid)
        for y in (top - 6, bottom + 16):
            yield Words(x=x, y=y, text=words, fill=look.muted, size=_SMALL, anchor="middle")
    for left, right, seconds in axis.cuts:
        middle = _LEFT + (left + right) / 2
        yield Rectangle(
            x=_LEFT + left, y=top, width=right - left, height=bottom - top, fill=look.background, stroke=look.muted,
            dashes="2 3", title=f"no process ran it for {format_duration(seconds)}",
        )  # fmt: skip
        words = f"paused {format_duration(seconds)}"
        yield Words(x=middle, y=rows[1] + 20, text=words, fill=look.muted, size=_SMALL, anchor="middle")


def _rows(tasks: Sequence[TimedTask], axis: TimeAxis, top: float, row: int, look: Theme) -> Iterator[Shape]:
    for number, task in enumerate(tasks):
        y = top + row * number
        middle = y + row / 2
        yield from _label(task, middle, look)
        places = [(_LEFT + axis.place(span.start_s), _LEFT + axis.place(span.end_s)) for span in task.spans]
        if places[-1][0] - places[0][1] > 1:
            yield Line(points=((places[0][1], middle), (places[-1][0], middle)), stroke=look.edge, width=0.8)
        for span, ends in zip(task.spans, places, strict=True):
            yield from _bar(span, ends, (y + 3, row - 6), look, title=_tip(task, span))
        for start, end in task.calls:
            yield _call((_LEFT + axis.place(start), _LEFT + axis.place(end)), y + row - 4, look)
        words = format_duration(task.busy_s)
        yield Words(x=places[-1][1] + 7, y=middle + 4, text=words, fill=look.muted, size=_SMALL)


def _critical_rows(
    timeline: Timeline, tasks: Sequence[TimedTask], top: float, row: int, look: Theme
) -> Iterator[Shape]:
    marked = frozenset(timeline.critical_path if len(timeline.critical_path) > 1 else ())
    for number, task in enumerate(tasks):
        if task.id in marked:
            yield _critical(_MARGIN - 10, top + row * number + 3, row - 6, look)


def _label(task: TimedTask, middle: float, look: Theme) -> Iterator[Shape]:
    shown = shorten_middle(one_line(task.id), width_em=_ID_EM)
    yield Words(x=_MARGIN, y=middle + 4, text=shown, fill=look.text, size=_SMALL, bold=True)
    start = text_em(shown) * _SMALL * 1.15 + 8
    content = one_line(task.content[:_MOST_TIP_CHARACTERS]) or "no longer in the tree"
    words = shorten(content, width_em=(_LABELS - 14 - start) / _SMALL)
    yield Words(x=_MARGIN + start, y=middle + 4, text=words, fill=look.muted, size=_SMALL)


def _critical(x: float, y: float, height: float, look: Theme) -> Shape:
    """Return the mark of a row whose task is on the critical path."""
    return Rectangle(x=x, y=y, width=3, height=height, fill=look.critical)


def _tip(task: TimedTask, span: Span) -> str:
    took = format_duration(span.end_s - span.start_s)
    content = task.content[:_MOST_TIP_CHARACTERS]
    when = f"{_KIND_WORDS[span.kind]} after {took}, began at {span.start_s:.3f} s"
    return f"{task.id} {task.state.value}: {content} · {when}"


def _bar(
    span: Span, ends: tuple[float, float], strip: tuple[float, float], look: Theme, *, title: str = ""
) -> Iterator[Shape]:
    """Yield one span between `ends`, in the `(top, height)` of its row."""
    (left, right), (top, height) = ends, strip
    if span.kind == "wait":
        middle = top + height / 2
        yield Line(points=((left, middle), (right, middle)), stroke=look.muted, width=1.6, dashes="2 3")
        return
    width = max(_LEAST_BAR, right - left)
    if span.kind == "plan":
        fill, stroke, inset = "none", look.dependency, height / 4
    else:
        state = look.states[_STATE_OF_KIND[span.kind]]
        fill, stroke, inset = state.fill, state.border, 0.0
    yield Rectangle(
        x=left, y=top + inset, width=width, height=height - 2 * inset, fill=fill, stroke=stroke, stroke_width=1.2,
        dashes=_DASHES.get(span.kind, ""), radius=min(2.5, width / 2), title=title,
    )  # fmt: skip
    if span.kind == "failed":
        x, y, arm = left + width, top + height / 2, 3.2
        for slope in (1, -1):
            points = ((x - arm, y - arm * slope), (x + arm, y + arm * slope))
            yield Line(points=points, stroke=stroke, width=2.2)


def _call(ends: tuple[float, float], bottom: float, look: Theme) -> Shape:
    width = max(_LEAST_BAR, ends[1] - ends[0])
    return Rectangle(x=ends[0], y=bottom - 2.5, width=width, height=2.5, fill=look.dependency)


def _folded_lanes(
    tasks: Sequence[TimedTask], lanes: Sequence[Sequence[LaneBar]], top: float, look: Theme
) -> Iterator[Shape]:
    """Yield the tasks without rows: each is a bar in the first lane that is free, as if the lanes did the work."""
    if not tasks:
        return
    counts = state_counts(Counter(task.state for task in tasks))
    longest = format_duration(max(task.busy_s for task in tasks))
    words = (f"+{counted(len(tasks), 'task')}: {counts}", f"none took longer than {longest}")
    for number, line in enumerate(words[: max(1, len(lanes) * _LANE // _LINE)]):
        shown = shorten(line, width_em=(_LABELS - 14) / _SMALL)
        colour = look.muted if number else look.text
        yield Words(x=_MARGIN, y=top + 10 + _LINE * number, text=shown, fill=colour, size=_SMALL, bold=not number)
    bars = [(bar, top + _LANE * number + 1) for number, lane in enumerate(lanes) for bar in lane]
    for bar, y in sorted(bars, key=lambda each: each[0].kind):  # those of one look one after the other: one path
        state = look.states[_STATE_OF_KIND.get(bar.kind, TaskState.OPEN)]
        yield Rectangle(
            x=_LEFT + bar.left, y=y, width=bar.right - bar.left, height=_LANE - 2,
            fill=state.border if bar.kind == "failed" else state.fill, stroke=state.border, stroke_width=0.6,
        )  # fmt: skip


@dataclass(slots=True)
class _Step:
    """What the curve does within one pixel: its highest count, and its last."""

    x: float
    highest: int
    last: int


def _steps(counts: Sequence[tuple[float, int]], axis: TimeAxis) -> list[_Step]:
    steps: list[_Step] = []
    for since, count in counts:
        x = round(axis.place(since) * 2) / 2
        if steps and steps[-1].x == x:
            steps[-1].highest, steps[-1].last = max(steps[-1].highest, count), count
        else:
            steps.append(_Step(x, count, count))
    return steps


def _curve(laid: LaidOut, top: float, look: Theme) -> Iterator[Shape]:
    """Yield the step curve of how many tasks were at work, with its scale."""
    most = laid.most
    bottom = top + _CURVE
    yield from _curve_labels(laid.timeline, most, top, look)
    unit = _CURVE / max(1, most)
    for count in sorted({0, most // 2, most}) if most else [0]:
        y = bottom - count * unit
        yield Line(points=((_LEFT, y), (_LEFT + _PLOT, y)), stroke=look.edge if not count else look.grid)
        yield Words(x=_LEFT - 8, y=y + 4, text=f"{count:,}", fill=look.muted, size=_SMALL, anchor="end")
    points, level = [(float(_LEFT), bottom)], bottom
    for step in laid.steps:
        x, high, last = _LEFT + step.x, bottom - step.highest * unit, bottom - step.last * unit
        points += [(x, level), (x, high)]
        if high != last:
            points += [(x + 0.5, high), (x + 0.5, last)]
        level = last
    points += [(float(_LEFT + _PLOT), level), (float(_LEFT + _PLOT), bottom)]
    state = look.states[TaskState.DONE]
    yield Line(points=tuple(points), stroke=state.border, width=1.4, fill=state.fill)


def _curve_labels(timeline: Timeline, most: int, top: float, look: Theme) -> Iterator[Shape]:
    seconds = timeline.active_s()
    average = sum(task.busy_s for task in timeline.tasks) / seconds if seconds > 0 else 0.0
    lines = (
        ("tasks at work", look.text),
        ("at the same time:", look.text),
        (f"{most:,} at most, {average:,.1f} on average", look.muted),
    )
    for number, (words, colour) in enumerate(lines):
        yield Words(x=_MARGIN, y=top + 12 + _LINE * number, text=words, fill=colour, size=_SMALL)
