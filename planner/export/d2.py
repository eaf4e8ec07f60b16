r"""A view in the language D2, for programs that lay such texts out.

A text stands in double quotes, where only a backslash, a quote and `${` mean something: each of the three signs has a
backslash before it. Boxes are named by their place, never by their id. Source: https://d2lang.com/tour/strings
"""

from collections.abc import Iterable, Iterator

from .labels import node_texts, one_line, wrap
from .legend import legend
from .look import GLYPHS, THEMES, Theme
from .view import GraphView, ViewNode

_DIRECTIONS = {"LR": "right", "TB": "down"}
_MEANS_SOMETHING = str.maketrans({sign: f"\\{sign}" for sign in '\\"$'})
_TITLE_EM = 48


def to_d2(view: GraphView) -> str:
    """Write `view` as a D2 document."""
    return "\n".join(_lines(view)) + "\n"


def _lines(view: GraphView) -> Iterator[str]:
    theme = THEMES[view.options.theme]
    critical, marked = view.critical_steps(), frozenset(view.critical_path)
    yield "vars: {d2-config: {layout-engine: elk}}"
    yield f"direction: {_DIRECTIONS[view.options.direction]}"
    yield f'style.fill: "{theme.background}"'
    yield from _classes(theme)
    yield f"title: {_text(wrap(view.title, width_em=_TITLE_EM, lines=2))} {{class: title; near: top-center}}"
    yield f"about: {_text(_about(view))} {{class: about; near: bottom-center}}"
    for place, (node, text) in enumerate(zip(view.nodes, node_texts(view), strict=True)):
        head = f"{GLYPHS[node.state]} {text.id} {node.state.value}"
        words = _text((head, *text.content, *text.facts, *text.hidden))
        yield f"n{place}: {words} {{class: [{'; '.join(_classes_of(node, is_critical=place in marked))}]}}"
    for kind, line, pairs in (("tree", "--", view.tree_edges()), ("dependency", "->", view.dependencies)):
        for one, other in pairs:
            thick = "; critical" if (one, other) in critical else ""
            yield f"n{one} {line} n{other}: {{class: [{kind}{thick}]}}"


def _classes(theme: Theme) -> Iterator[str]:
    yield "classes: {"
    for state, look in theme.states.items():
        colours = f'fill: "{look.fill}"; stroke: "{look.border}"; font-color: "{theme.text}"'
        yield f"  {state.value}.style: {{{colours}; bold: false}}"
    yield f'  tree.style: {{stroke: "{theme.edge}"}}'
    yield f'  dependency.style: {{stroke: "{theme.dependency}"; stroke-dash: 5}}'
    yield "  added.style: {stroke-dash: 3}"
    yield f'  critical.style: {{stroke: "{theme.critical}"; stroke-width: 4}}'
    yield f'  title: {{shape: text; style: {{font-size: 24; bold: true; font-color: "{theme.text}"}}}}'
    yield f'  about: {{shape: text; style.font-color: "{theme.muted}"}}'
    yield "}"


def _classes_of(node: ViewNode, *, is_critical: bool) -> Iterator[str]:
    yield node.state.value
    if node.is_added:
        yield "added"
    if is_critical:
        yield "critical"


def _about(view: GraphView) -> Iterator[str]:
    """Yield the lines below the picture: how many tasks, what signs and lines mean, what made the answers."""
    signs = (entry.words if entry.state is None else f"{GLYPHS[entry.state]} {entry.words}" for entry in legend(view))
    yield from (line for line in (view.summary, view.note, " · ".join(signs), view.footer) if line)


def _text(lines: Iterable[str]) -> str:
    """Return `lines` as one text in quotes that shows them as they are."""
    words = "\\n".join(one_line(line).translate(_MEANS_SOMETHING) for line in lines)
    return f'"{words}"'
