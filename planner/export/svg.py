"""Our own SVG of a view: no program is needed, and the time is linear in its nodes and edges.

Everything that is written is either a number of ours, a name from the table of colours, or escaped text; the file has
no script, no link, no style sheet and no id, so that several can stand in one page.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ramify.tasks import TaskState

from .columns import Breaking, fitting
from .labels import NodeText, full_text, node_texts, text_em, wrap
from .layout import SIBLING_GAP, Box, Layout
from .legend import LegendEntry, legend
from .look import FONT, THEMES, Theme
from .routes import LANE_ROOM, LEVEL_GAP, Arrow, Point, Step, dependency_arrows, tree_lines
from .view import Direction, GraphView, ViewNode, children_of

_MARGIN = 24
_BOX_WIDTH = 242
_PADDING = 11
_LINE = 16
_FACT_LINE = 15
_TEXT_SIZE = 12
_SMALL_SIZE = 11
_TITLE_SIZE = 17
_SMALLEST_WIDTH = 760
_WIDEST_HEADER = 1200
_ICON = 5
_BOLD_ROOM = 0.88  # bold letters are wider than the estimates
_BOLD = ' font-weight="bold"'
_RIGHT = ' text-anchor="end"'


def to_svg(view: GraphView) -> str:
    """Draw `view` as an SVG document.

    Boxes hold the id, the state as icon and word, the content and what is known of worker, duration and cost; the
    whole text stands in each box's `<title>`. Above the tree are title and legend, below it what made the answers.
    """
    texts = node_texts(view)
    heights = [_box_height(text) for text in texts]
    is_wide = view.options.direction == "LR"
    layout = Layout(
        view.nodes,
        [(_BOX_WIDTH, height) if is_wide else (height, _BOX_WIDTH) for height in heights],
        level_gap=LEVEL_GAP,
        breaking=_breaking(view, sum(heights) / len(heights)),
    )
    tree_width, tree_height = layout.depth_size + (LANE_ROOM if view.dependencies else 0), layout.breadth_size
    if not is_wide:
        tree_width, tree_height = tree_height, tree_width
    width = max(_SMALLEST_WIDTH, tree_width + 2 * _MARGIN)
    header, header_height = _header(view, min(width, _WIDEST_HEADER) - 2 * _MARGIN)
    footer, footer_height = _footer(view, header_height + tree_height + _MARGIN)
    theme = THEMES[view.options.theme]
    parts = [
        _opening(view, width, header_height + tree_height + footer_height + _MARGIN),
        f'<rect width="100%" height="100%" fill="{theme.background}"/>',
        *header,
        f'<g transform="translate({_MARGIN} {header_height})">',
        *_edges(view, layout, theme),
        *_nodes(view, layout, texts, theme),
        "</g>",
        *footer,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _breaking(view: GraphView, height: float) -> Breaking | None:
    is_wide = view.options.direction == "LR"
    deep, across = (_BOX_WIDTH, height) if is_wide else (height, _BOX_WIDTH)
    return fitting(
        view.nodes, depth_size=deep + LEVEL_GAP, breadth_size=across + SIBLING_GAP, direction=view.options.direction
    )


def _opening(view: GraphView, width: int, height: int) -> str:
    title, words = (
        escape(view.title),
        escape(" · ".join(part for part in (view.summary, view.note, view.footer) if part)),
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="Task tree: {title}" font-family="{FONT}" font-size="{_TEXT_SIZE}">\n'
        f"<title>Task tree: {title}</title>\n<desc>{words}</desc>"
    )


def _box_height(text: NodeText) -> int:
    small = len(text.facts) + len(text.hidden)
    return 2 * _PADDING + _LINE * (1 + len(text.content)) + _FACT_LINE * small


def _header(view: GraphView, width: int) -> tuple[list[str], int]:
    """Return title, counts and legend, and the height that they take."""
    theme = THEMES[view.options.theme]
    parts: list[str] = []
    y = _MARGIN
    for line in wrap(view.title, width_em=width / _TITLE_SIZE * _BOLD_ROOM, lines=2):
        y += _TITLE_SIZE
        parts.append(_text(line, (_MARGIN, y), fill=theme.text, size=_TITLE_SIZE, style=_BOLD))
        y += 5
    for line in (view.summary, view.note):
        if line:
            y += _LINE
            parts.append(_text(line, (_MARGIN, y), fill=theme.muted))
    y += 14
    x = _MARGIN
    for entry in legend(view):
        sign_width = 18 if entry.state is not None else 32
        entry_width = sign_width + round(text_em(entry.words) * _SMALL_SIZE)
        if x + entry_width > _MARGIN + width:
            x, y = _MARGIN, y + _LINE + 4
        parts += _legend_entry(entry, (x, y + 8), theme)
        parts.append(_text(entry.words, (x + sign_width, y + 12), fill=theme.text, size=_SMALL_SIZE))
        x += entry_width + 8
    return parts, y + 16 + _MARGIN


def _footer(view: GraphView, y: int) -> tuple[list[str], int]:
    theme = THEMES[view.options.theme]
    line = _text(f"Ramify · {view.footer}", (_MARGIN, y + 10), fill=theme.muted, size=_SMALL_SIZE)
    return [line], _MARGIN + 10


def _legend_entry(entry: LegendEntry, at: Point, theme: Theme) -> Iterator[str]:
    x, y = at
    if entry.state is not None:
        yield _icon(entry.state, (x + 7, y), theme)
    elif entry.kind == "added":
        place = f'x="{x + 1}" y="{y - 6}" width="24" height="12" rx="3"'
        yield f'<rect {place} fill="none" {_outline(theme.text, "added")}/>'
    else:
        colour = {"tree": theme.edge, "dependency": theme.dependency, "critical": theme.critical}[entry.kind]
        tip = 7 if entry.kind == "dependency" else 0
        yield f'<path d="M{x} {y}H{x + 26 - tip}" fill="none" {_outline(colour, entry.kind)}/>'
        if tip:
            yield _arrow_head((x + 26, y), (1, 0), colour)


def _outline(colour: str, kind: str) -> str:
    extra = {"dependency": ' stroke-dasharray="5 3"', "added": ' stroke-dasharray="2 3"'}.get(kind, "")
    width = 3 if kind == "critical" else 1.4
    return f'stroke="{colour}" stroke-width="{width}"{extra}'


def _edges(view: GraphView, layout: Layout, theme: Theme) -> Iterator[str]:
    direction = view.options.direction
    critical = view.critical_steps()
    yield f'<g fill="none" {_outline(theme.edge, "tree")}>'
    for parent, children in enumerate(children_of(view.nodes)):
        if children:
            yield f'<path d="{_path(tree_lines(layout, parent, children), direction)}"/>'
    yield "</g>"
    yield f'<g fill="none" {_outline(theme.critical, "critical")}>'
    for parent, child in view.tree_edges() if critical else ():
        if (parent, child) in critical:
            yield f'<path d="{_path(tree_lines(layout, parent, [child]), direction)}"/>'
    yield "</g>"
    for pair, arrow in zip(view.dependencies, dependency_arrows(layout, view.dependencies), strict=True):
        yield from _arrow(arrow, direction, theme, is_critical=pair in critical)


def _arrow(arrow: Arrow, direction: Direction, theme: Theme, *, is_critical: bool) -> Iterator[str]:
    colour = theme.critical if is_critical else theme.dependency
    width = 3 if is_critical else 1.5
    line = f'd="{_path(arrow.steps, direction)}" stroke="{colour}" stroke-width="{width}" stroke-dasharray="6 4"'
    yield f'<path fill="none" {line}/>'
    yield _arrow_head(_turned(arrow.tip, direction), _turned(arrow.heading, direction), colour)


def _arrow_head(tip: Point, heading: Point, colour: str) -> str:
    (x, y), (across, down) = tip, heading
    back = (x - 9 * across, y - 9 * down)
    one, other = (back[0] + 4 * down, back[1] + 4 * across), (back[0] - 4 * down, back[1] - 4 * across)
    return f'<path d="M{x} {y}L{one[0]} {one[1]}L{other[0]} {other[1]}Z" fill="{colour}"/>'


def _nodes(view: GraphView, layout: Layout, texts: Sequence[NodeText], theme: Theme) -> Iterator[str]:
    critical = frozenset(view.critical_path)
    for place, (node, text) in enumerate(zip(view.nodes, texts, strict=True)):
        yield "<g>"
        yield f"<title>{escape(full_text(node))}</title>"
        yield from _node(
            node, text, _corner(layout.boxes[place], view.options.direction), theme, is_critical=place in critical
        )
        yield "</g>"


def _node(node: ViewNode, text: NodeText, corner: Point, theme: Theme, *, is_critical: bool) -> Iterator[str]:
    x, y = corner
    look = theme.states[node.state]
    border = theme.critical if is_critical else look.border
    outline = _outline(border, "critical" if is_critical else "added" if node.is_added else "tree")
    size = f'width="{_BOX_WIDTH}" height="{_box_height(text)}"'
    yield f'<rect x="{x}" y="{y}" {size} rx="7" fill="{look.fill}" {outline}/>'
    left, line = x + _PADDING, y + _PADDING + 12
    yield _icon(node.state, (left + _ICON, line - 4), theme)
    yield _text(text.id, (left + 16, line), fill=theme.text, size=13, style=_BOLD)
    yield _text(node.state.value, (x + _BOX_WIDTH - _PADDING, line), fill=theme.muted, size=10, style=_RIGHT)
    for words in text.content:
        line += _LINE
        yield _text(words, (left, line), fill=theme.text)
    for words in (*text.facts, *text.hidden):
        line += _FACT_LINE
        yield _text(words, (left, line), fill=theme.muted, size=_SMALL_SIZE)


def _icon(state: TaskState, centre: Point, theme: Theme) -> str:
    """Draw the glyph of a state, which not every font has."""
    x, y = centre
    colour = theme.states[state].border
    ring = f'<circle cx="{x}" cy="{y}" r="{_ICON}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
    if state is TaskState.DONE:
        return f'<circle cx="{x}" cy="{y}" r="{_ICON + 0.8}" fill="{colour}"/>'
    if state is TaskState.RUNNING:
        return f'{ring}<path d="M{x} {y - _ICON}A{_ICON} {_ICON} 0 0 0 {x} {y + _ICON}Z" fill="{colour}"/>'
    if state is TaskState.FAILED:
        cross = f"M{x - 4} {y - 4}L{x + 4} {y + 4}M{x + 4} {y - 4}L{x - 4} {y + 4}"
        return f'<path d="{cross}" fill="none" stroke="{colour}" stroke-width="2.4"/>'
    if state is TaskState.DELETED:
        return f'{ring}<path d="M{x - 3} {y + 3}L{x + 3} {y - 3}" stroke="{colour}" stroke-width="1.6"/>'
    return ring


def _text(words: str, at: Point, *, fill: str, size: int = _TEXT_SIZE, style: str = "") -> str:
    font = "" if size == _TEXT_SIZE else f' font-size="{size}"'
    return f'<text x="{at[0]}" y="{at[1]}" fill="{fill}"{font}{style}>{escape(words)}</text>'


def _path(steps: Iterable[Step], direction: Direction) -> str:
    return "".join(
        command + " ".join(f"{x} {y}" for x, y in (_turned(point, direction) for point in points))
        for command, points in steps
    )


def _corner(box: Box, direction: Direction) -> Point:
    return _turned((box.depth, box.breadth), direction)


def _turned(point: Point, direction: Direction) -> Point:
    return point if direction == "LR" else (point[1], point[0])
